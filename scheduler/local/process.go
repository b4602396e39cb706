package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processID names one process and never another: a pid alone is given again to a stranger when its process ends,
// and both pid and start time may repeat after a reboot.
type processID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since boot (proc(5), stat field 22)
	Boot  string `json:"boot"`  // /proc/sys/kernel/random/boot_id
}

// errGone says that a process ended, or that its pid is another process's by now.
var errGone = errors.New("process is gone")

var bootID = sync.OnceValue(func() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
})

// identify names the process that has a pid now.
func identify(pid int) (processID, error) {
	stat, err := readStat(pid)
	if err != nil {
		return processID{}, err
	}
	return processID{PID: pid, Start: stat.start, Boot: bootID()}, nil
}

// procStat is what is needed of /proc/<pid>/stat.
type procStat struct {
	state  byte
	parent int
	start  uint64
}

func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, errGone
	}
	return parseStat(data)
}

// parseStat reads a line of /proc/<pid>/stat. The second field, the command's name in brackets, may hold anything.
func parseStat(line []byte) (procStat, error) {
	end := bytes.LastIndexByte(line, ')')
	fields := bytes.Fields(line[end+1:])
	if end < 0 || len(fields) < 20 {
		return procStat{}, fmt.Errorf("unexpected line in /proc/<pid>/stat: %q", line)
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return procStat{}, fmt.Errorf("reading parent in /proc/<pid>/stat: %w", err)
	}
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("reading start time in /proc/<pid>/stat: %w", err)
	}
	return procStat{state: fields[0][0], parent: parent, start: start}, nil
}

// process is a hold on one process (a pidfd): what is done through it reaches that process or nobody.
type process struct{ pidfd *os.File }

// open takes hold of the process. It fails with errGone when that process no longer exists.
func (id processID) open() (*process, error) {
	if id.PID <= 0 || id.Boot != bootID() {
		return nil, errGone
	}
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, errGone
	}
	if err != nil {
		return nil, fmt.Errorf("opening pidfd of process %d: %w", id.PID, err)
	}
	p := &process{os.NewFile(uintptr(fd), "pidfd")}
	// The start time is compared after the pidfd was taken: should the pid have changed hands in between, it differs.
	if stat, err := readStat(id.PID); err != nil || stat.start != id.Start {
		p.close()
		return nil, errGone
	}
	return p, nil
}

// openChild takes hold of a child that was not waited for yet, whose pid is therefore its own.
func openChild(pid int) (*process, error) {
	id, err := identify(pid)
	if err != nil {
		return nil, err
	}
	return id.open()
}

func (p *process) signal(sig syscall.Signal) error {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return errGone
	}
	return sent
}

// wait returns nil when the process has ended and an error when close was called before.
func (p *process) wait() error {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		return err == nil && n == 1
	})
}

func (p *process) close() { _ = p.pidfd.Close() }

// processes lists all processes of the machine that this one may see, without zombies.
func processes() map[int]procStat {
	all := map[int]procStat{}
	proc, err := os.Open("/proc")
	if err != nil {
		return all
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil && stat.state != 'Z' && stat.state != 'X' {
			all[pid] = stat
		}
	}
	return all
}

// descendants names the children of the roots among all, their children and so on; the roots themselves are not
// among them.
func descendants(all map[int]procStat, roots ...int) []processID {
	children := map[int][]int{}
	for pid, stat := range all {
		children[stat.parent] = append(children[stat.parent], pid)
	}
	seen := map[int]bool{}
	for _, root := range roots {
		seen[root] = true
	}
	var found []processID
	for len(roots) > 0 {
		root := roots[0]
		roots = roots[1:]
		for _, pid := range children[root] {
			if !seen[pid] {
				seen[pid] = true
				roots = append(roots, pid)
				found = append(found, processID{PID: pid, Start: all[pid].start, Boot: bootID()})
			}
		}
	}
	return found
}

// signalAll signals those of the processes that still exist.
func signalAll(ids []processID, sig syscall.Signal) {
	for _, id := range ids {
		if p, err := id.open(); err == nil {
			_ = p.signal(sig)
			p.close()
		}
	}
}

// marked names the processes whose environment holds an entry (NAME=value) and the descendants of these: what is
// left of a task whose supervisor was killed on a machine without cgroups.
func marked(entry string) []processID {
	all := processes()
	var roots []int
	var found []processID
	for pid, stat := range all {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if bytes.HasPrefix(environ, []byte(entry+"\x00")) || bytes.Contains(environ, []byte("\x00"+entry+"\x00")) {
			roots = append(roots, pid)
			found = append(found, processID{PID: pid, Start: stat.start, Boot: bootID()})
		}
	}
	return append(found, descendants(all, roots...)...)
}

// leftoverPatience is how long what is left of a task is given to go away after SIGKILL; only a process that hangs in
// the kernel takes longer.
const leftoverPatience = 10 * time.Second

// killLeftovers kills what is left of a task whose supervisor died before it, and nothing else: members of its
// groups, its first process if that is still the same one, processes that carry the task's sandbox in their
// environment, and descendants of these. It returns false when some do not end.
func killLeftovers(s spec, st status, sandbox string) bool {
	defer s.Cgroup.remove()
	for end := time.Now().Add(leftoverPatience); ; time.Sleep(rescan) {
		left := append(s.Cgroup.members(), marked("MESOS_SANDBOX="+sandbox)...)
		if first, err := st.Process.open(); err == nil {
			first.close()
			left = append(left, st.Process)
			left = append(left, descendants(processes(), st.Process.PID)...)
		}
		left = slices.DeleteFunc(left, processID.dead)
		if len(left) == 0 {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		s.Cgroup.kill()
		signalAll(left, syscall.SIGKILL)
	}
}

// dead says whether the process is gone or a zombie, which only its parent can put to rest.
func (id processID) dead() bool {
	stat, err := readStat(id.PID)
	return err != nil || stat.start != id.Start || stat.state == 'Z' || stat.state == 'X'
}
