package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// ReadSandbox reads at most length bytes of a regular file in a task's sandbox, from offset on, and tells how large the
// file is. The path stays within the sandbox, whatever links the task made there. Errors wrap fs.ErrNotExist for what
// is not there (any more), and fs.ErrInvalid for what is no regular file. It may be called from any goroutine.
func (e *Engine) ReadSandbox(_ context.Context, task scheduler.TaskRef, file string, offset int64, length int) ([]byte, int64, error) {
	dir := taskDir(filepath.Join(e.options.Dir, "tasks", dirName(task.TaskID)))
	root, err := os.OpenRoot(dir.sandbox())
	if err != nil {
		return nil, 0, fmt.Errorf("opening the sandbox: %w", err)
	}
	defer root.Close()
	// Without O_NONBLOCK a task could have its reader wait for ever, by a FIFO.
	f, err := root.OpenFile(filepath.FromSlash(file), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, 0, fmt.Errorf("opening a file of the sandbox: %w", err)
	case err != nil: // a way out of the sandbox, a socket
		return nil, 0, fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("opening a file of the sandbox: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%w: it is no regular file", fs.ErrInvalid)
	}
	data := make([]byte, min(int64(length), max(0, info.Size()-offset)))
	n, err := f.ReadAt(data, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("reading a file of the sandbox: %w", err)
	}
	return data[:n], info.Size(), nil
}
