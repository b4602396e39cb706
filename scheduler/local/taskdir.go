package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// taskDir is the directory of one task. What is in it, apart from the sandbox, belongs to rollcall and cannot be
// reached by the task:
//
//	task.json       what to run (spec); written by the engine before anything else happens
//	lock            held by the supervisor as long as it lives
//	status.json     how far the task is (status); written by the supervisor, or by the engine once that is dead
//	kill.json       that the task is to be ended (killRequest); written by the engine
//	reported        the scheduler knows how the task ended; written by the engine
//	supervisor.log  what the supervisor had to complain about
//	sandbox/        the task's working directory, with its stdout and stderr
type taskDir string

const (
	specFile     = "task.json"
	lockFile     = "lock"
	statusFile   = "status.json"
	killFile     = "kill.json"
	reportedFile = "reported"
	logFile      = "supervisor.log"
	sandboxDir   = "sandbox"
)

// dirName is a task id as a name of a directory: the id itself, or a digest of it where it cannot be one.
func dirName(id scheduler.TaskID) string {
	name := string(id)
	if len(name) <= 200 && name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\x00\n") {
		return name
	}
	digest := sha256.Sum256([]byte(name))
	return "sha256-" + hex.EncodeToString(digest[:])
}

// spec is all that a supervisor has to know to run a task. It stays as it was written, whatever the configuration
// becomes: a supervisor may outlive many starts of rollcall.
type spec struct {
	Task         scheduler.TaskInfo `json:"task"`
	User         identity           `json:"user"`
	Cgroup       cgroupPaths        `json:"cgroup"`
	Address      netip.Addr         `json:"address,omitzero"` // the agent's
	Bell         string             `json:"bell"`             // the file to touch after a change of status
	Command      []string           `json:"command"`
	Grace        time.Duration      `json:"grace"` // between SIGTERM and SIGKILL
	LogMaxSize   int64              `json:"logMaxSize"`
	LogFiles     int                `json:"logFiles"`
	FetchTimeout time.Duration      `json:"fetchTimeout"`
	FetchMaxSize int64              `json:"fetchMaxSize"`
	Container    *containerSpec     `json:"container,omitempty"` // nil: the task is a process
}

// status is how far a task is.
type status struct {
	State      scheduler.TaskState `json:"state"`
	Message    string              `json:"message,omitempty"`
	Reason     string              `json:"reason,omitempty"`
	Healthy    *bool               `json:"healthy,omitempty"`
	Since      time.Time           `json:"since"`
	Began      time.Time           `json:"began,omitzero"` // to run
	Supervisor processID           `json:"supervisor"`
	Process    processID           `json:"process,omitzero"` // the task's first process, once it runs
	Addresses  []netip.Addr        `json:"addresses,omitempty"`
}

// killRequest says that a task is to be ended, and why.
type killRequest struct {
	Message string `json:"message,omitempty"`
	Healthy *bool  `json:"healthy,omitempty"` // false when health checks are the reason
}

// errLocked says that a live process, as a rule the supervisor, holds the task's lock.
var errLocked = errors.New("another process holds the lock")

func (d taskDir) path(name string) string { return filepath.Join(string(d), name) }
func (d taskDir) name() string            { return filepath.Base(string(d)) }
func (d taskDir) sandbox() string         { return d.path(sandboxDir) }

// engine is Options.Dir of the engine whose task it is.
func (d taskDir) engine() string { return filepath.Dir(filepath.Dir(string(d))) }

// fill makes the sandbox in a new directory and, last and durably, the spec: without that the directory counts as
// never made.
func (d taskDir) fill(s spec) error {
	if err := os.Mkdir(d.sandbox(), 0o750); err != nil {
		return err
	}
	if s.User.Switch {
		if err := os.Chown(d.sandbox(), int(s.User.UID), int(s.User.GID)); err != nil {
			return err
		}
	}
	if err := d.write(specFile, s); err != nil {
		return err
	}
	return syncDir(filepath.Dir(string(d)))
}

// write replaces a file in one step that survives a power cut.
func (d taskDir) write(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(string(d), name+".*")
	if err != nil {
		return err
	}
	_, err = draft.Write(data)
	if err == nil {
		err = draft.Sync()
	}
	if closing := draft.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(draft.Name(), d.path(name))
	}
	if err != nil {
		_ = os.Remove(draft.Name())
		return err
	}
	return syncDir(string(d))
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// read returns false when there is no such file.
func (d taskDir) read(name string, value any) (bool, error) {
	data, err := os.ReadFile(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, value); err != nil {
		return false, fmt.Errorf("reading %s: %w", d.path(name), err)
	}
	return true, nil
}

func (d taskDir) has(name string) bool {
	_, err := os.Lstat(d.path(name))
	return err == nil
}

// lock takes the task's lock, which ends with the process at the latest. It fails with errLocked when another
// process has it.
func (d taskDir) lock() (*os.File, error) {
	return lock(d.path(lockFile))
}

func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return file, nil
}
