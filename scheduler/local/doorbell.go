package local

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ring tells whichever engine watches the doorbell that a task's status changed: the kernel reports the closing of
// the file. It needs no listener and loses nothing, however busy that is.
func ring(bell string) error {
	file, err := os.OpenFile(bell, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("ringing: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("ringing: %w", err)
	}
	_ = os.Remove(bell) // the name has been told; what stays behind is only untidy
	return nil
}

// doorbell hears the rings in one directory.
type doorbell struct{ watch *os.File }

func newDoorbell(dir string) (*doorbell, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w (are fs.inotify.max_user_instances used up?)", dir, err)
	}
	watch := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE|unix.IN_ONLYDIR); err != nil {
		_ = watch.Close()
		return nil, fmt.Errorf("watching %s: %w", dir, err)
	}
	return &doorbell{watch}, nil
}

// listen calls rang with the name of each task directory whose status changed, and missed when the kernel had to
// drop some, until close.
func (d *doorbell) listen(rang func(name string), missed func()) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := d.watch.Read(buffer)
		if err != nil {
			return
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			mask := binary.NativeEndian.Uint32(rest[4:])
			end := min(len(rest), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(rest[12:])))
			name := rest[unix.SizeofInotifyEvent:end]
			rest = rest[end:]
			if mask&unix.IN_Q_OVERFLOW != 0 {
				missed()
			} else if name = bytes.TrimRight(name, "\x00"); len(name) > 0 {
				rang(string(name))
			}
		}
	}
}

func (d *doorbell) close() { _ = d.watch.Close() }

func bellPath(root, name string) string { return filepath.Join(root, "bell", name) }
