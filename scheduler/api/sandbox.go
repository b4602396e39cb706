package api

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall/scheduler"
)

// Sandboxes reads files that tasks wrote.
type Sandboxes interface {
	// ReadSandbox reads at most length bytes of a file in a task's sandbox, from offset on, and tells how large the
	// file is. The task may have ended. Past the end of the file there is nothing to read, which is no error: the file
	// may grow. Errors wrap fs.ErrNotExist for a task, or a file, that is not there (any more), and fs.ErrInvalid for
	// what is no file to be read. It may be called from any goroutine.
	ReadSandbox(ctx context.Context, task scheduler.TaskRef, file string, offset int64, length int) (data []byte, size int64, err error)
}

// filePartMost is how much of a file one request may ask for, and what it gets when it does not say, in bytes.
const (
	filePartMost    = 1 << 20
	filePartDefault = 64 << 10
)

// fileView is a part of a file, in the form of Mesos's /files/read, and with its length. Data that is no UTF-8 is mended.
type fileView struct {
	Data   string `json:"data"`
	Offset int64  `json:"offset"` // of the first byte of Data; of the file's end when offset=-1 was asked for
	Length int    `json:"length"` // bytes that were read; Data may have more, where it was mended
}

// whole is data without a character at its end of which the rest is still to come, unless it is all there is.
func whole(data []byte) []byte {
	for n := 1; n < utf8.UTFMax && n < len(data); n++ {
		if tail := data[len(data)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return data[:len(data)-n]
			}
			break
		}
	}
	return data
}

// readSandbox answers GET /rollcall/tasks/{id}/files/{path}?offset=&length=. An offset of -1 asks where the end is. The
// path is stdout or stderr, or one below the sandbox.
func (a *API) readSandbox(id scheduler.TaskID, file string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := require(r, roleRead, appOf(id)); err != nil {
			return err
		}
		if a.o.Sandboxes == nil {
			return notFound("The files of tasks cannot be read through this rollcall")
		}
		offset, err := a.number(r, "offset", 0, -1)
		if err != nil {
			return err
		}
		length, err := a.number(r, "length", filePartDefault, 0)
		if err != nil {
			return err
		}
		if offset < 0 {
			length = 0
		}
		data, size, err := a.o.Sandboxes.ReadSandbox(r.Context(), a.taskRef(id), file, max(offset, 0), int(min(length, filePartMost)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return notFound("Task '" + string(id) + "' has no file '" + file + "'")
		case errors.Is(err, fs.ErrInvalid):
			return badRequest("'" + file + "' cannot be read: " + err.Error())
		case err != nil:
			return err
		}
		if offset < 0 {
			offset = size
		}
		data = whole(data)
		return respond(w, r, http.StatusOK, fileView{string(data), offset, len(data)})
	}
}

// appOf is the app of a task, which the task's id begins with: ids of apps have no underscores.
func appOf(id scheduler.TaskID) scheduler.PathID {
	path, _, _ := strings.Cut(string(id), ".")
	return scheduler.ResolvePathID(strings.ReplaceAll(path, "_", "/"), scheduler.Root)
}

// taskRef says where a task runs, or ran if it is the last of its app that failed; otherwise that is not known.
func (a *API) taskRef(id scheduler.TaskID) scheduler.TaskRef {
	state := a.state()
	ref := scheduler.TaskRef{TaskID: id}
	if i := state.Instance(scheduler.InstanceIDOf(id)); i != nil && i.TaskID() == id && i.Condition.Active() {
		ref.AgentID = i.AgentID
		return ref
	}
	if failure := state.Failure(appOf(id)); failure != nil && failure.TaskID == id {
		ref.AgentID = failure.SlaveID
	}
	return ref
}

// number reads a whole number of the query that is not below least.
func (a *API) number(r *http.Request, name string, byDefault, least int64) (int64, error) {
	text := a.word(r, name)
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least {
		return 0, badRequest("'" + name + "' has to be a whole number from " + strconv.FormatInt(least, 10) + " on")
	}
	return n, nil
}
