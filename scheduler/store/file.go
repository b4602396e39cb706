package store

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

const (
	// lockPatience is how long to wait for the lock of a rollcall that is just ending: after a kill -9 the kernel
	// takes a moment to release it.
	lockPatience = 500 * time.Millisecond
	lockRetry    = 20 * time.Millisecond

	// newSuffix names a file that is not complete yet.
	newSuffix = ".new"
)

// openLocked opens a file and locks it for as long as it is open.
func openLocked(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func lock(f *os.File) error {
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockRetry) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("locking it: %w", err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w%s; stop that one, or give this one a dataDir of its own", scheduler.ErrLocked, lockHolder(f))
		}
	}
}

// lockHolder is " (process N)", "" when the system does not tell.
func lockHolder(f *os.File) string {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return ""
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer locks.Close()
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
		fields := strings.Fields(lines.Text())
		if len(fields) > 5 && fields[1] == "FLOCK" && fields[5] == file {
			return fmt.Sprintf(" (process %s)", fields[4])
		}
	}
	return ""
}

// createWith makes a file at path that is either complete and durable or not there: fill makes it under another
// name, and leaves it open, and so locked. It tells whether it made the file: someone else may have been faster.
func createWith(path string, fill func(*os.File) error) (bool, error) {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return false, err
	}
	f, err := openLocked(path+newSuffix, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return false, err
	}
	// Who had the lock before may have renamed what is open here.
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		_ = f.Close()
		return false, err
	}
	// What a rollcall left behind that died here is worth nothing.
	if err := f.Truncate(0); err != nil {
		_ = f.Close()
		return false, err
	}
	if err := fill(f); err != nil {
		return false, err
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return false, err
	}
	return true, syncDir(dir)
}

// makeDir makes a directory, and those above it, so that they survive a power cut.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		return makeDir(dir)
	case err != nil:
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
