package store

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/scheduler"
)

// inCopy is what the copy of a state holds, put in the place of a state; nil: there is none.
func inCopy(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(copyPath(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	place := statePath(t)
	if err := os.MkdirAll(strings.TrimSuffix(place, "state.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(place, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, openBolt(t, place))
}

// There is a copy of the state as it was a day ago, or at the second start; whoever finds the file damaged is told of it, and
// can go back to it.
func TestBoltKeepsCopy(t *testing.T) {
	path := statePath(t)
	want := func(when string, records map[string]string) {
		t.Helper()
		if diff := cmp.Diff(records, inCopy(t, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	// run is a run of rollcall that stores a value.
	run := func(value string, meanwhile func(*Bolt)) {
		t.Helper()
		b := openBolt(t, path)
		b.copying.Wait()
		meanwhile(b)
		commit(t, b, put(scheduler.KindApp, "/a", value))
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(*Bolt) {}

	run("1", nothing)
	want("after the first run", nil)
	run("2", nothing)
	want("after the second start", map[string]string{"app /a": "1"})
	run("3", nothing)
	want("after a start on the same day", map[string]string{"app /a": "1"})
	old := time.Now().Add(-copyEvery)
	if err := os.Chtimes(copyPath(path), old, old); err != nil {
		t.Fatal(err)
	}
	run("4", nothing)
	want("after a start on another day", map[string]string{"app /a": "3"})
	run("5", func(b *Bolt) { b.copied = old })
	want("after a day without a start", map[string]string{"app /a": "5"})

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(data)/2)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(copyPath(path), old, old); err != nil {
		t.Fatal(err)
	}
	_, err = OpenBolt(path, BoltOptions{})
	if !errors.Is(err, scheduler.ErrDamaged) || !strings.Contains(err.Error(), copyPath(path)+", rollcall's own of "+old.UTC().Format(time.RFC3339)) {
		t.Errorf("of a damaged file it says: %v", err)
	}
	want("after that", map[string]string{"app /a": "5"})
}

// A copy that cannot be made costs nothing: the one before stays, and so does the room on the disk.
func TestBoltWithoutRoomForCopy(t *testing.T) {
	dir := smallDisk(t, 4<<20)
	path := dir + "/state.db"
	b := openBolt(t, path)
	commit(t, b, put(scheduler.KindApp, "/a", "1"))
	free := fill(t, dir, 20*os.Getpagesize())
	b.copied = time.Time{}
	commit(t, b, put(scheduler.KindApp, "/a", "2"))
	b.copying.Wait()
	if got := inCopy(t, path); got != nil {
		t.Errorf("without room: %v", got)
	}
	free()
	b.copied = time.Time{}
	commit(t, b, put(scheduler.KindApp, "/a", "3"))
	b.copying.Wait()
	if diff := cmp.Diff(map[string]string{"app /a": "3"}, inCopy(t, path)); diff != "" {
		t.Errorf("with room (-want +got):\n%s", diff)
	}
}
