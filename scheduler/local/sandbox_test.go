package local

import (
	"errors"
	"io/fs"
	"testing"

	"rollcall/scheduler"
)

func TestReadSandbox(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("task", "printf 'hello world'; mkdir logs; echo inner > logs/a; ln -s /etc/passwd out; ln -s ../task.json up; "+
		"ln -s logs/a in; mkfifo pipe; exit 0")
	r.status("task", scheduler.TaskFinished)
	for _, c := range []struct {
		file   string
		offset int64
		length int
		want   string
		size   int64
		err    error
	}{
		{"stdout", 0, 100, "hello world", 11, nil},
		{"stdout", 6, 3, "wor", 11, nil},
		{"stdout", 11, 100, "", 11, nil},
		{"stdout", 100, 100, "", 11, nil},
		{"stdout", 0, 0, "", 11, nil},
		{"logs/a", 0, 100, "inner\n", 6, nil},
		{"in", 0, 100, "inner\n", 6, nil},
		{"absent", 0, 100, "", 0, fs.ErrNotExist},
		{"out", 0, 100, "", 0, fs.ErrInvalid},
		{"up", 0, 100, "", 0, fs.ErrInvalid},
		{"../task.json", 0, 100, "", 0, fs.ErrInvalid},
		{"/etc/passwd", 0, 100, "", 0, fs.ErrInvalid},
		{"pipe", 0, 100, "", 0, fs.ErrInvalid},
		{"logs", 0, 100, "", 0, fs.ErrInvalid},
		{"", 0, 100, "", 0, fs.ErrInvalid},
	} {
		data, size, err := r.engine.ReadSandbox(t.Context(), scheduler.TaskRef{TaskID: "task"}, c.file, c.offset, c.length)
		if string(data) != c.want || size != c.size || !errors.Is(err, c.err) {
			t.Errorf("%q from %d: %q, %d, %v", c.file, c.offset, data, size, err)
		}
	}
	if _, _, err := r.engine.ReadSandbox(t.Context(), scheduler.TaskRef{TaskID: "other"}, "stdout", 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a task that is not there: %v", err)
	}
}
