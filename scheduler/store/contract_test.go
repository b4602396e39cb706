package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall/scheduler"
)

// The contract that every store keeps. A subject makes stores that see the same records one after the other, as
// runs of rollcall do; one that keeps nothing returns the same store each time.
type subject struct {
	name string
	new  func(fataler) opener
}

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// opener closes the store it gave before, if any, and opens it again.
type opener func() scheduler.Store

func subjects(t *testing.T) []subject {
	return []subject{
		{"memory", func(fataler) opener {
			m := NewMemory()
			return func() scheduler.Store { return m }
		}},
		{"bolt", func(f fataler) opener {
			var b *Bolt
			path := filepath.Join(t.TempDir(), "state.db")
			t.Cleanup(func() {
				if b != nil {
					b.Close()
				}
			})
			return func() scheduler.Store {
				f.Helper()
				if b != nil {
					if err := b.Close(); err != nil {
						f.Fatalf("Close: %v", err)
					}
				}
				var err error
				if b, err = OpenBolt(path, BoltOptions{}); err != nil {
					f.Fatalf("OpenBolt: %v", err)
				}
				return b
			}
		}},
		zooKeeperSubject(t),
	}
}

func put(kind scheduler.Kind, key, value string) scheduler.Record {
	return scheduler.Record{Kind: kind, Key: key, Value: []byte(value)}
}

func remove(kind scheduler.Kind, key string) scheduler.Record {
	return scheduler.Record{Kind: kind, Key: key}
}

func commit(t fataler, s scheduler.Store, records ...scheduler.Record) {
	t.Helper()
	if err := s.Commit(context.Background(), records); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

// load returns what a store yields, by "kind key", each once.
func load(t fataler, s scheduler.Store) map[string]string {
	t.Helper()
	got, err := tryLoad(s)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return got
}

func tryLoad(s scheduler.Store) (map[string]string, error) {
	got := map[string]string{}
	err := s.Load(context.Background(), func(r scheduler.Record) error {
		name := string(r.Kind) + " " + r.Key
		if _, ok := got[name]; ok {
			return fmt.Errorf("%s was yielded twice", name)
		}
		if r.Value == nil {
			return fmt.Errorf("%s was yielded with a nil value", name)
		}
		got[name] = string(r.Value)
		return nil
	})
	return got, err
}

func TestContract(t *testing.T) {
	binary := "\x00\xff\n\"\x80" + strings.Repeat("\x00", 100)
	large := strings.Repeat("large ", 20_000)
	tests := []struct {
		name    string
		commits [][]scheduler.Record
		want    map[string]string
	}{
		{"nothing", nil, map[string]string{}},
		{"an empty commit", [][]scheduler.Record{{}}, map[string]string{}},
		{"one record", [][]scheduler.Record{{put(scheduler.KindApp, "/a", "1")}}, map[string]string{"app /a": "1"}},
		{"kinds have their own keys",
			[][]scheduler.Record{{put(scheduler.KindApp, "/a", "app"), put(scheduler.KindGroup, "/a", "group")}},
			map[string]string{"app /a": "app", "group /a": "group"}},
		{"overwritten",
			[][]scheduler.Record{{put(scheduler.KindApp, "/a", "1")}, {put(scheduler.KindApp, "/a", "22")}},
			map[string]string{"app /a": "22"}},
		{"removed",
			[][]scheduler.Record{
				{put(scheduler.KindApp, "/a", "1"), put(scheduler.KindApp, "/b", "2")}, {remove(scheduler.KindApp, "/a")},
			},
			map[string]string{"app /b": "2"}},
		{"removed without being there",
			[][]scheduler.Record{{remove(scheduler.KindApp, "/a")}}, map[string]string{}},
		{"the last of one commit counts",
			[][]scheduler.Record{{
				put(scheduler.KindApp, "/a", "1"), put(scheduler.KindApp, "/a", "2"),
				put(scheduler.KindApp, "/b", "1"), remove(scheduler.KindApp, "/b"),
				remove(scheduler.KindApp, "/c"), put(scheduler.KindApp, "/c", "3"),
			}},
			map[string]string{"app /a": "2", "app /c": "3"}},
		{"an empty value is a value",
			[][]scheduler.Record{{put(scheduler.KindMeta, "empty", "")}}, map[string]string{"meta empty": ""}},
		{"any bytes",
			[][]scheduler.Record{{put(scheduler.KindInstance, binary, binary)}},
			map[string]string{"instance " + binary: binary}},
		{"a large value", [][]scheduler.Record{{put(scheduler.KindApp, "/a", large)}}, map[string]string{"app /a": large}},
	}
	for _, s := range subjects(t) {
		for _, tt := range tests {
			t.Run(s.name+"/"+tt.name, func(t *testing.T) {
				open := s.new(t)
				now := open()
				for _, records := range tt.commits {
					commit(t, now, records...)
				}
				if diff := cmp.Diff(tt.want, load(t, now)); diff != "" {
					t.Errorf("before it is opened again (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.want, load(t, open())); diff != "" {
					t.Errorf("after it is opened again (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestContractRefused(t *testing.T) {
	tests := []struct {
		name   string
		record scheduler.Record
		want   string
	}{
		{"no such kind", put("pod", "/a", "1"), `storing pod "/a": there is no such kind of record`},
		{"no key", put(scheduler.KindApp, "", "1"), "storing a record of kind app: it has no key"},
		{"a key too long", put(scheduler.KindApp, strings.Repeat("k", 32769), "1"),
			"storing app " + `"` + strings.Repeat("k", 40) + `"...: the key has 32769 bytes, at most 32768 are possible`},
	}
	for _, s := range subjects(t) {
		for _, tt := range tests {
			t.Run(s.name+"/"+tt.name, func(t *testing.T) {
				store := s.new(t)()
				err := store.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/first", "1"), tt.record})
				if err == nil || err.Error() != tt.want {
					t.Errorf("Commit: %v, want %s", err, tt.want)
				}
				if got := load(t, store); len(got) != 0 {
					t.Errorf("a refused commit left %v", got)
				}
				commit(t, store, put(scheduler.KindApp, "/a", "1"))
			})
		}
	}
}

func TestContractMany(t *testing.T) {
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			open := s.new(t)
			now := open()
			want := map[string]string{}
			var records []scheduler.Record
			for i := range 10_000 {
				// Every order but the sorted one.
				r := put(scheduler.KindInstance, fmt.Sprintf("app.instance-%05d", i*7919%10_000), fmt.Sprint("value ", i))
				records = append(records, r)
				want["instance "+r.Key] = string(r.Value)
			}
			for chunk := range slices.Chunk(records, 2500) {
				commit(t, now, chunk...)
			}
			if diff := cmp.Diff(want, load(t, open())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestContractYieldStops(t *testing.T) {
	stop := errors.New("stop")
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			store := s.new(t)()
			commit(t, store, put(scheduler.KindApp, "/a", "1"), put(scheduler.KindApp, "/b", "2"))
			calls := 0
			err := store.Load(t.Context(), func(scheduler.Record) error { calls++; return stop })
			if !errors.Is(err, stop) || calls != 1 {
				t.Errorf("Load: %v after %d calls, want %v after 1", err, calls, stop)
			}
		})
	}
}

// What is handed out belongs to the receiver, what is handed in to the giver.
func TestContractCopies(t *testing.T) {
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			store := s.new(t)()
			value := []byte("value")
			commit(t, store, scheduler.Record{Kind: scheduler.KindApp, Key: "/a", Value: value})
			value[0] = 'X'
			err := store.Load(t.Context(), func(r scheduler.Record) error { clear(r.Value); return nil })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]string{"app /a": "value"}, load(t, store)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestContractCancelled(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			store := s.new(t)()
			commit(t, store, put(scheduler.KindApp, "/a", "1"))
			if err := store.Commit(cancelled, []scheduler.Record{put(scheduler.KindApp, "/b", "2")}); !errors.Is(err, context.Canceled) {
				t.Errorf("Commit: %v, want %v", err, context.Canceled)
			}
			err := store.Load(cancelled, func(scheduler.Record) error { return nil })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Load: %v, want %v", err, context.Canceled)
			}
			if diff := cmp.Diff(map[string]string{"app /a": "1"}, load(t, store)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A store is a map that survives being opened again.
func TestContractModel(t *testing.T) {
	record := rapid.Custom(func(t *rapid.T) scheduler.Record {
		r := scheduler.Record{
			Kind: rapid.SampledFrom(scheduler.Kinds()).Draw(t, "kind"),
			Key:  fmt.Sprintf("/key-%02d", rapid.IntRange(0, 40).Draw(t, "key")),
		}
		if rapid.IntRange(0, 2).Draw(t, "what") > 0 {
			size := rapid.SampledFrom([]int{0, 1, 50, 700, 5000}).Draw(t, "size")
			fill := rapid.Byte().Draw(t, "fill")
			r.Value = slices.Repeat([]byte{fill}, size)
		}
		return r
	})
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				open := s.new(rt)
				store, model := open(), map[string]string{}
				for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
					for range rapid.IntRange(0, 4).Draw(rt, "commits") {
						records := rapid.SliceOfN(record, 0, 60).Draw(rt, "records")
						commit(rt, store, records...)
						for _, r := range records {
							name := string(r.Kind) + " " + r.Key
							if delete(model, name); r.Value != nil {
								model[name] = string(r.Value)
							}
						}
					}
					store = open()
					if got := load(rt, store); !maps.Equal(got, model) {
						rt.Fatalf("(-want +got):\n%s", cmp.Diff(model, got))
					}
				}
			})
		})
	}
}
