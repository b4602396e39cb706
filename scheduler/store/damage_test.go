package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scheduler"
)

// soundFile makes a state file that has all there is: branches, leaves, overflow, buckets within pages, free pages.
func soundFile(t testing.TB) ([]byte, map[string]string) {
	t.Helper()
	b := openBolt(t, statePath(t))
	for round := range 3 {
		var records []scheduler.Record
		for i := range 40 {
			key := fmt.Sprintf("app.instance-%02d", i)
			records = append(records, put(scheduler.KindInstance, key, strings.Repeat(fmt.Sprint(round), 300)))
		}
		commit(t, b, records...)
	}
	commit(t, b, put(scheduler.KindMeta, "frameworkId", "one"), put(scheduler.KindApp, "/a", strings.Repeat("a", 6000)))
	want := load(t, b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(b.Path())
	if err != nil {
		t.Fatal(err)
	}
	return data, want
}

// examine opens a file with these contents. It must hold exactly want, or be refused as damaged, and stay as it is.
func examine(t testing.TB, path string, data []byte, want map[string]string) (refused bool) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBolt(path, BoltOptions{})
	var got map[string]string
	if err == nil {
		got, err = tryLoad(b)
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	switch {
	case err != nil && !errors.Is(err, scheduler.ErrDamaged):
		t.Errorf("%v, want it to wrap %v", err, scheduler.ErrDamaged)
	case err == nil && !maps.Equal(got, want):
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
	after, readErr := os.ReadFile(path)
	if readErr != nil || !bytes.Equal(after, data) {
		t.Errorf("the file was changed (%v)", readErr)
	}
	return err != nil
}

func TestBoltFlippedByte(t *testing.T) {
	data, want := soundFile(t)
	path := filepath.Join(t.TempDir(), "state.db")
	if examine(t, path, data, want) {
		t.Fatal("a sound file was refused")
	}
	pageSize, refused, tried := os.Getpagesize(), 0, 0
	for offset := range data {
		// Headers and the lists of entries densely, what they refer to here and there.
		if in := offset % pageSize; in >= 64 && in%97 != 0 {
			continue
		}
		for _, mask := range []byte{0x01, 0xff} {
			data[offset] ^= mask
			tried++
			if examine(t, path, data, want) {
				refused++
			}
			data[offset] ^= mask
			if t.Failed() {
				t.Fatalf("with byte %d of %d changed by %#x", offset, len(data), mask)
			}
		}
	}
	t.Logf("%d of %d changes were found and refused, the others were in unused places", refused, tried)
	if refused < tried/10 {
		t.Error("hardly any change was found")
	}
}

func TestBoltCutShort(t *testing.T) {
	data, want := soundFile(t)
	path := filepath.Join(t.TempDir(), "state.db")
	for size := 0; size < len(data); size += 509 {
		examine(t, path, data[:size], want)
		if t.Failed() {
			t.Fatalf("with %d of %d bytes", size, len(data))
		}
	}
	if !examine(t, path, nil, want) {
		t.Error("an empty file was taken for a new one")
	}
}

// An older page in place of the newest is what a disk leaves that lost a write.
func TestBoltLostWrite(t *testing.T) {
	b := openBolt(t, statePath(t))
	var files [][]byte
	var wants []map[string]string
	for i := range 6 {
		commit(t, b, put(scheduler.KindApp, fmt.Sprint("/", i%2), strings.Repeat(fmt.Sprint(i), 300)))
		data, err := os.ReadFile(b.Path())
		if err != nil {
			t.Fatal(err)
		}
		files, wants = append(files, data), append(wants, load(t, b))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	pageSize := os.Getpagesize()
	path := filepath.Join(t.TempDir(), "state.db")
	for i := 1; i < len(files); i++ {
		for at := 2 * pageSize; at < len(files[i]); at += pageSize {
			lost := bytes.Clone(files[i])
			copy(lost[at:at+pageSize], files[i-1][at:])
			examine(t, path, lost, wants[i])
			if t.Failed() {
				t.Fatalf("page %d of commit %d lost", at/pageSize, i)
			}
		}
	}
}

// FuzzWalkPages damages a file and puts the checksums of its headers right again, so that it gets past them.
func FuzzWalkPages(f *testing.F) {
	data, want := soundFile(f)
	f.Add(uint16(0), uint16(32), []byte{1})   // the root
	f.Add(uint16(3), uint16(10), []byte{255}) // how many entries
	f.Add(uint16(5), uint16(12), []byte{7})   // overflow
	f.Fuzz(func(t *testing.T, page, offset uint16, mask []byte) {
		pageSize := os.Getpagesize()
		damaged := bytes.Clone(data)
		at := int(page)*pageSize + int(offset)
		for i := 0; i < len(mask) && at+i < len(damaged); i++ {
			damaged[at+i] ^= mask[i]
		}
		for i := range 2 {
			m := damaged[i*pageSize+pageHeaderSize:]
			sum := fnv.New64a()
			sum.Write(m[:metaSize-8])
			native.PutUint64(m[metaSize-8:], sum.Sum64())
		}
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := OpenBolt(path, BoltOptions{})
		if err != nil {
			return
		}
		defer b.Close()
		if diff := cmp.Diff(want, load(t, b)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		commit(t, b, put(scheduler.KindApp, "/new", "1"), remove(scheduler.KindInstance, "app.instance-00"))
	})
}
