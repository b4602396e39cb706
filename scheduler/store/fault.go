package store

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	"rollcall/scheduler"
)

// damaged is the reason why a state cannot be read.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", scheduler.ErrDamaged, fmt.Errorf(format, args...))
}

// guard calls f, which reads bbolt's memory map, and returns what it panics with as an error that wraps ErrDamaged.
// A disk that cannot read a page shows as a fault of memory.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damaged("%v", r)
		}
	}()
	return f()
}

// isFull tells whether a commit failed for want of room before it could take effect: when the file was to grow or
// a page was to be written. An fsync that reports the same is another matter: nobody knows then what is on the disk.
func isFull(err error) bool {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Op == "write" && noRoom(e)
	}
	// Bbolt passes on only the text of what truncate said.
	text := err.Error()
	return strings.HasPrefix(text, "file resize error: ") &&
		(strings.HasSuffix(text, syscall.ENOSPC.Error()) || strings.HasSuffix(text, syscall.EDQUOT.Error()))
}

func noRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
