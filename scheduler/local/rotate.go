package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// logFiles are a task's stdout or stderr: path, the older path.1 and so on. The task owns the directory they are in
// and may do there what it likes; it cannot make rollcall write elsewhere. What cannot be written (a full disk) is
// dropped, so that a task never waits for its log.
type logFiles struct {
	path    string
	maxSize int64 // of one file; 0: never rotated
	count   int   // files in all
	owner   identity

	file *os.File // nil after a failure to open; tried again with the next write
	size int64
}

func newLogFiles(path string, maxSize int64, count int, owner identity) (*logFiles, error) {
	l := &logFiles{path: path, maxSize: maxSize, count: max(1, count), owner: owner}
	return l, l.open()
}

// open makes a new file: whatever has its name is removed, never opened, be it a link, a FIFO or a device.
func (l *logFiles) open() error {
	if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("making room for %s: %w", l.path, err)
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	if l.owner.Switch {
		if err := file.Chown(int(l.owner.UID), int(l.owner.GID)); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	l.file = file
	return nil
}

// Write implements io.Writer. It claims to have written all, always. Lines are kept in one file where they fit.
func (l *logFiles) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part := rest
		if room := l.maxSize - l.size; l.maxSize > 0 && int64(len(part)) > room {
			part = part[:room]
			if end := bytes.LastIndexByte(part, '\n') + 1; end > 0 || l.size > 0 {
				part = part[:end]
			}
			if len(part) == 0 {
				l.rotate()
				continue
			}
		}
		l.append(part)
		rest = rest[len(part):]
	}
	return len(p), nil
}

// append writes, or drops what cannot be written; either counts, so that there is always an end to Write.
func (l *logFiles) append(p []byte) {
	l.size += int64(len(p))
	if l.file == nil && l.open() != nil {
		return
	}
	_, _ = l.file.Write(p)
}

func (l *logFiles) rotate() {
	l.close()
	for n := l.count - 1; n > 0; n-- {
		from := l.path
		if n > 1 {
			from = fmt.Sprintf("%s.%d", l.path, n-1)
		}
		_ = os.Rename(from, fmt.Sprintf("%s.%d", l.path, n)) // absent at first
	}
	l.size = 0
	_ = l.open() // tried again with the next write
}

func (l *logFiles) close() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

// pipe makes a pipe for a process to write into; its reader honours deadlines.
func (l *logFiles) pipe() (writer, reader *os.File, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("making a pipe for %s: %w", l.path, err)
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(ends[0]), unix.Close(ends[1]))
	}
	return os.NewFile(uintptr(ends[1]), "log writer"), os.NewFile(uintptr(ends[0]), "log reader"), nil
}

// copyFrom copies until every writer of the pipe is gone, or the reader's deadline.
func (l *logFiles) copyFrom(reader *os.File) {
	_, _ = io.CopyBuffer(struct{ io.Writer }{l}, struct{ io.Reader }{reader}, make([]byte, 32<<10))
}
