//go:build linux

package store

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// smallDisk mounts a file system of size bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		if os.Getenv("CI") == "true" && os.Getuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("SKIPPED: nothing is known about full disks, because a small one cannot be mounted (%v): run this test as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

// fill takes all room but some on the disk, and returns how to give it back.
func fill(t *testing.T, dir string, leave int) (free func()) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ballast")
	if err := os.WriteFile(path, make([]byte, int(st.Bavail)*int(st.Bsize)-leave), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBoltFullDisk(t *testing.T) {
	// Commits fail at each page that a commit writes.
	for leave := 0; leave <= 10*os.Getpagesize(); leave += os.Getpagesize() {
		t.Run(fmt.Sprint(leave), func(t *testing.T) {
			dir := smallDisk(t, 4<<20)
			b := openBolt(t, filepath.Join(dir, "state.db"))
			commit(t, b, put(scheduler.KindApp, "/a", "1"))
			want := load(t, b)
			free := fill(t, dir, leave)
			full := 0
			for i := range 8 {
				r := put(scheduler.KindInstance, fmt.Sprint("i", i), strings.Repeat("x", 20_000))
				switch err := b.Commit(t.Context(), []scheduler.Record{r, remove(scheduler.KindApp, "/a")}); {
				case err == nil:
					want["instance "+r.Key] = string(r.Value)
					delete(want, "app /a")
				case errors.Is(err, scheduler.ErrFull):
					full++
				default:
					t.Fatalf("Commit: %v, want %v", err, scheduler.ErrFull)
				}
				if got := load(t, b); !maps.Equal(got, want) {
					t.Fatalf("(-want +got):\n%s", cmp.Diff(want, got))
				}
			}
			if full == 0 {
				t.Fatal("the disk was never full")
			}
			free()
			commit(t, b, put(scheduler.KindApp, "/b", "2"))
			want["app /b"] = "2"
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, load(t, openBolt(t, b.Path()))); diff != "" {
				t.Errorf("opened again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBoltNoRoomToBegin(t *testing.T) {
	dir := smallDisk(t, 1<<20)
	free := fill(t, dir, os.Getpagesize())
	path := filepath.Join(dir, "state.db")
	if _, err := OpenBolt(path, BoltOptions{}); !errors.Is(err, scheduler.ErrFull) {
		t.Errorf("OpenBolt: %v, want %v", err, scheduler.ErrFull)
	}
	free()
	b := openBolt(t, path)
	commit(t, b, put(scheduler.KindApp, "/a", "1"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
