package scheduler

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePortRange(t *testing.T) {
	for text, want := range map[string]string{
		"[31000-32000]":               "[31000-32000]",
		"31000-32000":                 "[31000-32000]",
		"[5-6, 1-2,3-3]":              "[1-3, 5-6]",
		"80":                          "[80-80]",
		"[]":                          "[]",
		"[1025-2180,2182-3887, 2181]": "[1025-3887]",
	} {
		got, err := ParsePortRange(text)
		if err != nil || got.String() != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"a-b", "0-1", "5-4", "1-65536", "1--2", "1,,2", "-"} {
		if got, err := ParsePortRange(text); err == nil {
			t.Errorf("%q is accepted as %v", text, got)
		}
	}
}

// An assignment holds what is asked for: ports of the offer, each once, fixed ones where they were asked.
func TestAssignHostPorts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var offered PortRange
		for _, begin := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 0, 4, rapid.ID).Draw(t, "ranges") {
			offered = append(offered, Range{1000 + 10*begin, 1000 + 10*begin + rapid.IntRange(0, 9).Draw(t, "length")})
		}
		offered = offered.normal()
		ports := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Port {
			p := Port{Published: rapid.Bool().Draw(t, "published")}
			if p.Published && rapid.Bool().Draw(t, "fixed") {
				p.HostPort = rapid.IntRange(995, 1100).Draw(t, "port")
			}
			return p
		}), 0, 8).Draw(t, "ports")
		got, ok := assignHostPorts(ports, offered, rand.New(rand.NewPCG(1, 2)))
		var fixed []int
		published, possible := 0, true
		for _, p := range ports {
			if p.Published {
				published++
			}
			if p.HostPort != 0 {
				possible = possible && offered.Contains(p.HostPort) && !slices.Contains(fixed, p.HostPort)
				fixed = append(fixed, p.HostPort)
			}
		}
		possible = possible && published <= offered.Len()
		if ok != possible {
			t.Fatalf("assigned %v, want %v", ok, possible)
		}
		if !ok {
			return
		}
		used := held(got)
		slices.Sort(used)
		if len(slices.Compact(used)) != published {
			t.Fatalf("assigned %v for %d published ports", got, published)
		}
		for n, p := range ports {
			if p.Published != (got[n] != 0) || p.HostPort != 0 && got[n] != p.HostPort || got[n] != 0 && !offered.Contains(got[n]) {
				t.Fatalf("port %d: %+v got %d of %v", n, p, got[n], offered)
			}
		}
		if left := offered.Without(got...); left.Len() != offered.Len()-published {
			t.Fatalf("%v without %v is %v", offered, got, left)
		}
	})
}
