package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	// copySuffix names the copy of a state file.
	copySuffix = ".previous"

	// copyEvery is how old the copy becomes: as much may be lost with the file. A copy is not renewed at each start, for what
	// damaged the file may have been a start.
	copyEvery = 24 * time.Hour

	// copyRoom is how many times the state must fit into the room that is left for a copy of it: the state itself needs room
	// to grow.
	copyRoom = 4
)

// copyPath is where a state file's copy is.
func copyPath(path string) string { return path + copySuffix }

// copyOf says since when there is a copy of a state file; the zero time: there is none.
func copyOf(path string) time.Time {
	info, err := os.Stat(copyPath(path))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// keepCopy has the state copied as it is now, beside what else goes on, unless there is a copy that is not old. It is only a
// precaution: what is wrong with it is logged.
func (b *Bolt) keepCopy() {
	if age := time.Since(b.copied); age >= 0 && age < copyEvery {
		return
	}
	b.copied = time.Now()
	b.copying.Go(func() {
		err := guard(func() error { return b.db.View(b.copyTo) })
		if err != nil {
			b.log.Warn("the state was not copied", "path", copyPath(b.path), "error", err)
		}
	})
}

// copyTo replaces the copy by a new one, once that was seen to be sound.
func (b *Bolt) copyTo(tx *bolt.Tx) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(b.path), &disk); err != nil {
		return fmt.Errorf("looking for room: %w", err)
	}
	if room := int64(disk.Bavail) * int64(disk.Bsize); room < copyRoom*tx.Size() {
		return fmt.Errorf("the disk has room for %d bytes: the copy would take %d of them", room, tx.Size())
	}
	return replaceWith(copyPath(b.path), func(f *os.File) error {
		if _, err := tx.WriteTo(f); err != nil {
			return err
		}
		return inspect(f, newContents())
	})
}

// replaceWith puts what fill writes in the place of a file, as a whole and durably, or leaves the file as it is.
func replaceWith(path string, fill func(*os.File) error) error {
	f, err := os.OpenFile(path+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+newSuffix))
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// remedy is what to do about a state file that is damaged.
func remedy(path string) string {
	made := copyOf(path)
	if made.IsZero() {
		return "nothing was changed: put a copy of the file in its place, or move it away to begin without apps"
	}
	return fmt.Sprintf("nothing was changed: put a copy of the file in its place, such as %s, rollcall's own of %s, or move it away to "+
		"begin without apps", copyPath(path), made.UTC().Format(time.RFC3339))
}
