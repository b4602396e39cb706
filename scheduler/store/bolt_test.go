package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

func openBolt(t testing.TB, path string) *Bolt {
	t.Helper()
	b, err := OpenBolt(path, BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func statePath(t testing.TB) string { return filepath.Join(t.TempDir(), "data", "state.db") }

func TestBoltIsPrivate(t *testing.T) {
	b := openBolt(t, filepath.Join(t.TempDir(), "a", "b", "state.db"))
	for path, want := range map[string]fs.FileMode{
		b.Path():                             0o600,
		filepath.Dir(b.Path()):               0o700 | fs.ModeDir,
		filepath.Dir(filepath.Dir(b.Path())): 0o700 | fs.ModeDir,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
}

func TestBoltLocked(t *testing.T) {
	b := openBolt(t, statePath(t))
	_, err := OpenBolt(b.Path(), BoltOptions{})
	if !errors.Is(err, scheduler.ErrLocked) {
		t.Fatalf("OpenBolt: %v, want %v", err, scheduler.ErrLocked)
	}
	for _, want := range []string{b.Path(), "stop that one", "dataDir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	commit(t, b, put(scheduler.KindApp, "/a", "1"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	load(t, openBolt(t, b.Path()))
}

// What a rollcall left behind that died while it made the file does not count.
func TestBoltMakesAfresh(t *testing.T) {
	path := statePath(t)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+newSuffix, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, openBolt(t, path)); len(got) != 0 {
		t.Errorf("a new store has %v", got)
	}
	if _, err := os.Stat(path + newSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want %v", path+newSuffix, err, fs.ErrNotExist)
	}
}

// edit changes a closed state file behind the store's back.
func edit(t *testing.T, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestBoltRefused(t *testing.T) {
	own := func(key, value string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(storeBucket)).Put([]byte(key), seal(storeBucket, key, []byte(value)))
		}
	}
	record := func(change func(*bolt.Bucket) error) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error { return change(tx.Bucket([]byte("app"))) }
	}
	tests := []struct {
		name string
		edit func(*bolt.Tx) error
		want error
		text string
	}{
		{"a newer format", own(formatKey, "2"), scheduler.ErrNewer, "its format is 2, this one knows formats up to 1"},
		{"a newer format with other contents",
			func(tx *bolt.Tx) error {
				if _, err := tx.CreateBucket([]byte("a new thing")); err != nil {
					return err
				}
				return errors.Join(own(formatKey, "9")(tx), record(func(b *bolt.Bucket) error {
					return b.Put([]byte("/b"), []byte("another way"))
				})(tx))
			},
			scheduler.ErrNewer, "its format is 9"},
		{"an unknown kind",
			func(tx *bolt.Tx) error {
				if _, err := tx.CreateBucket([]byte("pod")); err != nil {
					return err
				}
				return own(tallyPrefix+"pod", string(tally{}.bytes()))(tx)
			},
			scheduler.ErrNewer, "records of kind pod"},
		{"no format",
			func(tx *bolt.Tx) error { return tx.Bucket([]byte(storeBucket)).Delete([]byte(formatKey)) },
			scheduler.ErrDamaged, "it does not say which format it has"},
		{"something strange of our own", own("colour", "blue"), scheduler.ErrDamaged, `store "colour": it does not belong there`},
		{"a changed value", record(func(b *bolt.Bucket) error { return b.Put([]byte("/a"), []byte("12345678other")) }),
			scheduler.ErrDamaged, `app "/a": its checksum does not match`},
		{"a value moved to another key",
			record(func(b *bolt.Bucket) error { return b.Put([]byte("/a"), b.Get([]byte("/b"))) }),
			scheduler.ErrDamaged, `app "/a": its checksum does not match`},
		{"a short value", record(func(b *bolt.Bucket) error { return b.Put([]byte("/a"), []byte("1")) }),
			scheduler.ErrDamaged, `app "/a": its checksum does not match`},
		{"a missing record", record(func(b *bolt.Bucket) error { return b.Delete([]byte("/a")) }),
			scheduler.ErrDamaged, "kind app has 1 records, not those 2 that were stored"},
		{"an older record",
			record(func(b *bolt.Bucket) error { return b.Put([]byte("/a"), seal("app", "/a", []byte("0"))) }),
			scheduler.ErrDamaged, "kind app has 2 records, not those 2 that were stored"},
		{"a bucket within", record(func(b *bolt.Bucket) error { _, err := b.CreateBucket([]byte("c")); return err }),
			scheduler.ErrDamaged, `app "c": it is not a value`},
		{"a missing kind", func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("app")) },
			scheduler.ErrDamaged, "all 2 records of kind app are missing"},
		{"a foreign kind", func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("photos")); return err },
			scheduler.ErrDamaged, "kind photos are there that were never stored"},
		{"another program's file", func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(storeBucket)) },
			scheduler.ErrDamaged, "is it a file of rollcall's?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := openBolt(t, statePath(t))
			commit(t, b, put(scheduler.KindApp, "/a", "1"), put(scheduler.KindApp, "/b", "2"))
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, b.Path(), tt.edit)
			before, err := os.ReadFile(b.Path())
			if err != nil {
				t.Fatal(err)
			}
			_, err = OpenBolt(b.Path(), BoltOptions{})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), b.Path()) {
				t.Errorf("OpenBolt: %v, want %v, %q and the path", err, tt.want, tt.text)
			}
			after, err := os.ReadFile(b.Path())
			if err != nil || !slices.Equal(before, after) {
				t.Errorf("a refused file was changed (%v)", err)
			}
		})
	}
}

// A write that failed may or may not be on the disk; one that follows must not hide that.
func TestBoltBroken(t *testing.T) {
	b := openBolt(t, statePath(t))
	commit(t, b, put(scheduler.KindApp, "/a", "1"))
	readOnly, err := os.Open(b.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	if err := unix.Dup3(int(readOnly.Fd()), int(b.file.Fd()), unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := b.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/b", "2")})
		if !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "restart rollcall") || errors.Is(err, scheduler.ErrFull) {
			t.Errorf("Commit: %v, want %v and to restart rollcall", err, unix.EBADF)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"app /a": "1"}, load(t, openBolt(t, b.Path()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The memory map is read through pages that may be gone from the disk: that is an error, not the end of the process.
func TestBoltFault(t *testing.T) {
	b := openBolt(t, statePath(t))
	for i := range 40 {
		commit(t, b, put(scheduler.KindApp, fmt.Sprint("/", i), strings.Repeat("x", 3000)))
	}
	if err := os.Truncate(b.Path(), 2*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, err := tryLoad(b); !errors.Is(err, scheduler.ErrDamaged) {
		t.Errorf("Load: %v, want %v", err, scheduler.ErrDamaged)
	}
	for range 2 {
		if err := b.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/b", "2")}); !errors.Is(err, scheduler.ErrDamaged) {
			t.Errorf("Commit: %v, want %v", err, scheduler.ErrDamaged)
		}
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := OpenBolt(b.Path(), BoltOptions{}); !errors.Is(err, scheduler.ErrDamaged) {
		t.Errorf("OpenBolt: %v, want %v", err, scheduler.ErrDamaged)
	}
}
