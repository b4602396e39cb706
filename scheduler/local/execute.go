package local

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// command is a process to be run in the task's name: in its groups, as its user, with its log files.
type command struct {
	argv   []string
	path   string // of the program; "" means argv[0]
	env    []string
	dir    string
	stdin  *os.File // nil: /dev/null
	result *os.File // descriptor 3, nil: none
}

// exit is the end of a child.
type exit struct {
	pid    int
	status syscall.WaitStatus
}

// execute runs a command to its end and then ends whatever it left behind; when it returns, the supervisor has no
// descendants. It returns how the command itself ended; an error means that it could not be started. started is
// called once it runs.
func (s *supervisor) execute(c command, started func(processID)) (syscall.WaitStatus, error) {
	var files, readers []*os.File // the child's ends and ours
	defer func() { closeAll(files); closeAll(readers) }()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	files = append(files, null)
	stdio := []uintptr{null.Fd()}
	if c.stdin != nil {
		stdio[0] = c.stdin.Fd()
	}
	for _, log := range []*logFiles{s.stdout, s.stderr} {
		writer, reader, err := log.pipe()
		if err != nil {
			return 0, err
		}
		files, readers = append(files, writer), append(readers, reader)
		stdio = append(stdio, writer.Fd())
	}
	if c.result != nil {
		stdio = append(stdio, c.result.Fd())
	}
	pid, err := s.fork(c, stdio)
	if err != nil {
		return 0, err
	}
	closeAll(files) // so that the child's copies are the only ones, and the pipes end with it
	var logs sync.WaitGroup
	for i, log := range []*logFiles{s.stdout, s.stderr} {
		logs.Go(func() { log.copyFrom(readers[i]) })
	}
	id, err := identify(pid) // it cannot be gone: it was not waited for yet
	if err != nil {
		id = processID{PID: pid, Boot: bootID()}
	}
	started(id)
	status := s.await(pid)
	for _, r := range readers {
		// With all descendants gone the pipes are at their end, unless a stranger was handed one.
		_ = r.SetReadDeadline(time.Now().Add(time.Second))
	}
	logs.Wait()
	return status, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// fork starts a command on the calling thread, which stays for as long as the supervisor does.
func (s *supervisor) fork(c command, stdio []uintptr) (int, error) {
	attributes := &syscall.SysProcAttr{
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
		Credential: s.spec.User.credential(),
	}
	if s.cgroup.Unified != "" {
		group, err := os.Open(s.cgroup.Unified)
		if err != nil {
			return 0, err
		}
		defer group.Close()
		attributes.UseCgroupFD, attributes.CgroupFD = true, int(group.Fd())
	}
	leave, err := s.cgroup.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	path := c.path
	if path == "" {
		path = c.argv[0]
	}
	pid, err := syscall.ForkExec(path, c.argv, &syscall.ProcAttr{Dir: c.dir, Env: c.env, Files: stdio, Sys: attributes})
	switch {
	case errors.Is(err, unix.EACCES) && s.spec.User.Switch:
		return 0, fmt.Errorf("executing %s: %w (may user %s search every directory above %s?)", path, err, s.spec.User.Name, s.dir)
	case err != nil:
		return 0, fmt.Errorf("executing %s: %w", path, err)
	}
	return pid, nil
}

// reap waits for children, orphans of the task included, until there are none.
func reap(exits chan<- exit) {
	defer close(exits)
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // ECHILD
			return
		default:
			exits <- exit{pid, syscall.WaitStatus(status)}
		}
	}
}

// rescan is how often what is left of a task gets SIGKILL once its grace is over: processes that were forked during
// one round are found in the next.
const rescan = 20 * time.Millisecond

// await waits until the main process and all other descendants are gone. When the main process ends, or the engine
// asks for it, the others get SIGTERM and, after the grace, SIGKILL.
func (s *supervisor) await(main int) syscall.WaitStatus {
	exits := make(chan exit)
	go reap(exits)
	var status syscall.WaitStatus
	var deadline <-chan time.Time
	end := func() {
		if deadline == nil {
			deadline = time.After(s.spec.Grace)
			s.signalTree(syscall.SIGTERM)
		}
	}
	if s.stopped {
		end()
	}
	for {
		var retry <-chan time.Time
		if s.unsaved {
			retry = time.After(saveRetry)
		}
		select {
		case e, more := <-exits:
			if !more {
				return status
			}
			if e.pid == main {
				status = e.status
				end()
			}
		case <-s.signals:
			s.stopped = true
			s.readKill()
			end()
		case <-deadline:
			deadline = time.After(rescan)
			s.signalTree(syscall.SIGKILL)
		case <-retry:
			s.save()
		}
	}
}

// signalTree signals all descendants and all members of the task's groups.
func (s *supervisor) signalTree(sig syscall.Signal) {
	if sig == syscall.SIGKILL {
		s.cgroup.kill()
	}
	signalAll(append(descendants(processes(), os.Getpid()), s.cgroup.members()...), sig)
}
