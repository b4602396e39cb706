package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// Exec runs a command inside a task and returns its exit code: 128 and the signal's number if a signal ended it. A
// process is run as the task's own is, in its sandbox and groups and as its user; in a container Docker runs it. It is
// killed when ctx ends. Errors wrap fs.ErrNotExist for a task that is not there and scheduler.ErrNotRunning for one that
// does not run. It may be called from any goroutine.
func (e *Engine) Exec(ctx context.Context, task scheduler.TaskRef, x scheduler.Exec) (code int, err error) {
	dir := taskDir(filepath.Join(e.options.Dir, "tasks", dirName(task.TaskID)))
	var s spec
	switch found, err := dir.read(specFile, &s); {
	case err != nil:
		return 0, err
	case !found:
		return 0, fmt.Errorf("task %s: %w", task.TaskID, fs.ErrNotExist)
	}
	var st status
	if _, err := dir.read(statusFile, &st); err != nil {
		return 0, err
	}
	if st.State != scheduler.TaskRunning || s.Container == nil && st.Process.dead() {
		return 0, scheduler.ErrNotRunning
	}
	if s.Container != nil {
		return execInContainer(ctx, dir, s, x)
	}
	return execBeside(ctx, dir, s, x)
}

// beside starts a command when it is told to on descriptor 3: by then it is in the task's groups. The shell looks for
// the program, in the PATH of the task. No core file could fill the disk with what the task knows.
const beside = `read -r go <&3 || exit 126; exec 3<&-; ulimit -c 0; exec "$@"`

// killedOutput is how long processes that a command left behind may hold on to its output.
const killedOutput = time.Second

// execBeside runs a command as the task's process is run.
func execBeside(ctx context.Context, dir taskDir, s spec, x scheduler.Exec) (int, error) {
	wait, start, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer wait.Close()
	defer start.Close()
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", beside, "sh"}, x.Command...)...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = dir.sandbox(), environment(s, dir.sandbox()), []*os.File{wait}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: s.User.credential()}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killedOutput
	attach := attachPipes
	if x.TTY {
		attach = attachTerminal
	}
	begun, ended, err := attach(cmd, s, x)
	if err != nil {
		return 0, err
	}
	defer ended()
	err = startConfined(cmd, s.Cgroup, func() error {
		begun()
		_, err := start.Write([]byte("\n"))
		return err
	})
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.As(err, &exit):
		return exitCode(exit.Sys().(syscall.WaitStatus)), nil
	case errors.Is(err, exec.ErrWaitDelay): // something that runs on has its output
		return 0, nil
	}
	return 0, err
}

// exitCode is how a shell would tell of an end.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// startConfined starts a command that can gain no privileges and that dies with this process, puts it into the groups,
// lets it go and waits for its end. The thread that starts it is one of its own, for the reasons of runConfined; it does
// not enter the groups itself, as whoever ends the task kills all that is in them.
func startConfined(cmd *exec.Cmd, groups cgroupPaths, released func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			done <- fmt.Errorf("giving up new privileges: %w", err)
			return
		}
		if err := cmd.Start(); err != nil {
			done <- fmt.Errorf("starting the command: %w", err)
			return
		}
		err := groups.admit(cmd.Process.Pid)
		if err == nil {
			err = released()
		}
		if err != nil {
			_ = cmd.Cancel()
			_ = cmd.Wait()
			done <- err
			return
		}
		done <- cmd.Wait()
	}()
	return <-done
}

// admit moves a process into the groups, as far as there are any.
func (c cgroupPaths) admit(pid int) error {
	for _, group := range c.list() {
		if err := writeControl(group, "cgroup.procs", strconv.Itoa(pid)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("entering %s: %w", group, err)
		}
	}
	return nil
}

// attachPipes gives a command pipes. begun is to be called once it runs, ended when it has ended.
func attachPipes(cmd *exec.Cmd, _ spec, x scheduler.Exec) (begun, ended func(), err error) {
	cmd.Stdout, cmd.Stderr = x.Stdout, x.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	begun = func() {
		go func() { // it may be waiting for input when the command has long ended
			_, _ = io.Copy(stdin, x.Stdin)
			_ = stdin.Close()
		}()
	}
	return begun, func() {}, nil
}

// endOfInput is what ends the input from a terminal: Ctrl-D.
const endOfInput = 4

// attachTerminal gives a command a terminal.
func attachTerminal(cmd *exec.Cmd, s spec, x scheduler.Exec) (begun, ended func(), err error) {
	master, slave, err := openTerminal(s.User)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a terminal: %w", err)
	}
	resize(master, x.Size)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, 0
	copied, over := make(chan struct{}), make(chan struct{})
	begun = func() {
		_ = slave.Close() // so that the command's are the only ones
		go func() {
			_, _ = io.Copy(x.Stdout, master) // ends with EIO
			close(copied)
		}()
		go func() {
			_, _ = io.Copy(master, x.Stdin)
			_, _ = master.Write([]byte{endOfInput})
		}()
		go func() {
			for {
				select {
				case size, more := <-x.Resize:
					if !more {
						return
					}
					resize(master, size)
				case <-over:
					return
				}
			}
		}()
	}
	ended = func() {
		_ = slave.Close()
		_ = master.SetReadDeadline(time.Now().Add(killedOutput))
		if cmd.Process != nil {
			<-copied
		}
		close(over)
		_ = master.Close()
	}
	return begun, ended, nil
}

// openTerminal makes a pseudo-terminal whose slave belongs to a user (pty(7)).
func openTerminal(user identity) (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = master.Close()
		}
	}()
	raw, err := master.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var number int
	if controlErr := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); controlErr != nil || err != nil {
		return nil, nil, errors.Join(controlErr, err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if user.Switch {
		if err = slave.Chown(int(user.UID), int(user.GID)); err != nil {
			_ = slave.Close()
			return nil, nil, err
		}
	}
	return master, slave, nil
}

// resize tells a terminal's size to who uses it; a size that is not known is not told.
func resize(master *os.File, size scheduler.TerminalSize) {
	raw, err := master.SyscallConn()
	if err != nil || size == (scheduler.TerminalSize{}) {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Columns})
	})
}
