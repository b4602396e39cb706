package scheduler

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
)

// What is put together by hand is what encoding/json makes, whichever members are there.
func TestEncode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var i Instance
		fill(random, reflect.ValueOf(&i).Elem())
		sameJSON(t, encodeInstance(&i), i)
		var a App
		fill(random, reflect.ValueOf(&a).Elem())
		sameJSON(t, object{}.app(&a), a)

		var e encoder
		apps := func() map[PathID]*App {
			out := map[PathID]*App{"/gone": nil}
			for n := range random.IntN(3) {
				id := PathID(fmt.Sprintf("/g/a%d.x-%d", n, random.IntN(3)))
				out[id] = app(id, n, func(a *App) { a.Cmd, a.Version = randomText(random), Timestamp(random.IntN(1e12)) })
			}
			return out
		}
		groups := func() map[PathID]*Group {
			if random.IntN(2) == 0 {
				return nil
			}
			return map[PathID]*Group{"/g": {ID: "/g", Dependencies: []PathID{"/h"}}, "/gone": nil}
		}
		c := RootChange{Timestamp(random.IntN(1e12)), Timestamp(random.IntN(1e12)), apps(), groups()}
		sameJSON(t, e.change(&c), c)
		d := Deployment{Plan: &Plan{ID: "d", Version: c.Version, Steps: []Step{{[]Action{{StartApplication, "/g/a"}}}, {}},
			Before: c.Apps, After: apps(), GroupsBefore: groups(), GroupsAfter: groups()},
			Started: c.Previous, Rollback: random.IntN(2) == 0, Step: 3}
		sameJSON(t, e.deployment(&d), d)
	}
	for _, v := range []any{RootChange{}, Deployment{Plan: &Plan{}}} {
		var e encoder
		switch v := v.(type) {
		case RootChange:
			sameJSON(t, e.change(&v), v)
		case Deployment:
			sameJSON(t, e.deployment(&v), v)
		}
	}
}

func sameJSON(t *testing.T, got []byte, v any) {
	t.Helper()
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Fatalf("encoded as\n%s\nencoding/json has\n%s", got, want)
	}
}

// fill gives each stored member of a struct a value, or leaves it out.
func fill(random *rand.Rand, v reflect.Value) {
	for n := range v.NumField() {
		if v.Type().Field(n).Tag.Get("json") != "-" && random.IntN(3) != 0 {
			fillMember(random, v.Field(n))
		}
	}
}

func fillMember(random *rand.Rand, f reflect.Value) {
	switch f.Interface().(type) {
	case Timestamp:
		f.SetInt(random.Int64N(4e12))
		return
	case netip.Addr:
		f.Set(reflect.ValueOf(randomAddress(random)))
		return
	case json.RawMessage:
		f.Set(reflect.ValueOf(json.RawMessage(`{"a": [1, "<"]}`)))
		return
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(randomText(random))
	case reflect.Int:
		f.SetInt(random.Int64N(1000))
	case reflect.Bool:
		f.SetBool(true)
	case reflect.Float64:
		f.SetFloat([]float64{0, 1, 0.1, 1.15, 300, 1e-7, 123456.789, 1e21, -2.5, math.Copysign(0, -1)}[random.IntN(10)])
	case reflect.Struct:
		fill(random, f)
	case reflect.Pointer:
		f.Set(reflect.New(f.Type().Elem()))
		fillMember(random, f.Elem())
	case reflect.Slice:
		f.Set(reflect.MakeSlice(f.Type(), random.IntN(3), 3))
		for n := range f.Len() {
			fillMember(random, f.Index(n))
		}
	case reflect.Map:
		f.Set(reflect.MakeMap(f.Type()))
		for range random.IntN(4) {
			key, value := reflect.New(f.Type().Key()).Elem(), reflect.New(f.Type().Elem()).Elem()
			fillMember(random, key)
			fillMember(random, value)
			f.SetMapIndex(key, value)
		}
	default:
		panic("a member of an unknown type: " + f.Type().String())
	}
}

func randomAddress(random *rand.Rand) netip.Addr {
	if random.IntN(2) == 0 {
		return netip.AddrFrom16([16]byte{0xfd, 15: byte(random.IntN(256))})
	}
	return netip.AddrFrom4([4]byte{10, 0, byte(random.IntN(256)), 1})
}

func randomText(random *rand.Rand) string {
	return []string{"", "plain-text.1", `a "quoted" \ one`, "<html> & more", "ünïcode \u2028", "tab\tnewline\n", "\xff broken", "~\x7f"}[random.IntN(8)]
}
