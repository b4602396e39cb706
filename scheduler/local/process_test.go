package local

import (
	"errors"
	"os"
	"slices"
	"testing"
)

func TestParseStat(t *testing.T) {
	const line = "4321 (a) R (b) S 17 4321 4321 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 123456 0 0 18446744073709551615\n"
	got, err := parseStat([]byte(line))
	if want := (procStat{state: 'S', parent: 17, start: 123456}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "1 (x", "1 (x) S 2", "1 (x) S y 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

func TestDescendants(t *testing.T) {
	all := map[int]procStat{1: {parent: 0}, 2: {parent: 1}, 3: {parent: 2}, 4: {parent: 3}, 5: {parent: 1}, 6: {parent: 6}}
	var pids []int
	for _, id := range descendants(all, 2, 6) {
		pids = append(pids, id.PID)
	}
	if slices.Sort(pids); !slices.Equal(pids, []int{3, 4}) {
		t.Errorf("got %v", pids)
	}
}

func TestOpenWantsTheVeryProcess(t *testing.T) {
	self, err := identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p, err := self.open()
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	later, elsewhere := self, self
	later.Start++
	elsewhere.Boot = "another boot"
	for _, id := range []processID{later, elsewhere, {}, {PID: -1, Boot: self.Boot}} {
		if p, err := id.open(); !errors.Is(err, errGone) {
			t.Errorf("%+v: got %v, %v", id, p, err)
		}
	}
}
