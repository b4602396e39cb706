package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rollcall/records"
)

// serialsReserved is how many serials are written down at a time: a crash wastes that many at most, and a disk write is
// waited for once in so many changes.
const serialsReserved = 1024

// serialKeeper sees to it that the zone's serial goes on where it was before a restart. It writes down a serial that
// was not reached yet, and begins behind it; after an orderly end, behind the last one that was used. Besides, serials
// begin at the time of day, as people expect, and as saves those who lost the file.
type serialKeeper struct {
	path   string // "": nothing is written down
	log    *slog.Logger
	failed bool // to write, the last time; only the first failure is logged
}

// first is the serial to begin with. A file that cannot be read is no reason not to serve: it is logged.
func (k *serialKeeper) first(now time.Time) uint32 {
	serial := uint32(now.Unix())
	kept, err := k.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		k.log.Warn("the serial of the zone begins at the time of day, which secondaries may take for an older one",
			"err", err)
	case records.Later(kept+1, serial):
		serial = kept + 1
	}
	return serial
}

func (k *serialKeeper) read() (uint32, error) {
	if k.path == "" {
		return 0, fs.ErrNotExist
	}
	data, err := readAtMost(k.path, 64)
	if err != nil {
		return 0, err
	}
	serial, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s does not hold a serial number; remove it: %w", k.path, err)
	}
	return uint32(serial), nil
}

// reserve writes down a later serial than the one that is about to be used.
func (k *serialKeeper) reserve(serial uint32) uint32 {
	upTo := serial + serialsReserved
	if k.path == "" {
		return upTo
	}
	k.write(upTo)
	return upTo
}

// write replaces the file. A failure is logged once: answers matter more.
func (k *serialKeeper) write(serial uint32) {
	err := replaceFile(k.path, strconv.FormatUint(uint64(serial), 10)+"\n")
	if err != nil && !k.failed {
		k.log.Warn("writing down the serial of the zone; after a restart secondaries may not follow", "err", err)
	}
	k.failed = err != nil
}

// close writes down the last serial that was used.
func (k *serialKeeper) close(last uint32) {
	if k.path != "" {
		k.write(last)
	}
}

// replaceFile writes a file so that after a crash it holds either the old or the new text.
func replaceFile(path, text string) (err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return dir.Sync()
}
