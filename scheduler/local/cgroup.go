package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroupPaths are the control groups of one task, or the groups in which each task gets its own; "" where the
// machine does not let us. Version 2 knows who belongs to the task and can kill them all at once; memory and cpu are
// limited through it where it has these controllers, else through version 1's hierarchies.
type cgroupPaths struct {
	Unified string `json:"unified,omitempty"`
	Memory  string `json:"memory,omitempty"` // version 1
	CPU     string `json:"cpu,omitempty"`    // version 1
}

func (c cgroupPaths) list() []string {
	return slices.DeleteFunc([]string{c.Unified, c.Memory, c.CPU}, func(p string) bool { return p == "" })
}

// within are the paths of one task below those of all.
func (c cgroupPaths) within(name string) cgroupPaths {
	for _, p := range []*string{&c.Unified, &c.Memory, &c.CPU} {
		if *p != "" {
			*p = filepath.Join(*p, name)
		}
	}
	return c
}

// cgroupMount is one cgroup file system and where in it this process is.
type cgroupMount struct {
	controllers []string // of version 1; none for version 2
	own         string   // the directory of this process
}

// parseCgroupMounts reads /proc/self/mountinfo and /proc/self/cgroup (proc(5), cgroups(7)).
func parseCgroupMounts(mountinfo, membership string) []cgroupMount {
	own := map[string]string{} // by version 1 controller, "" for version 2
	for line := range strings.Lines(membership) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			own[controller] = parts[2]
		}
	}
	var mounts []cgroupMount
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !ok || len(before) < 5 || len(after) < 3 {
			continue
		}
		root, point := before[3], before[4]
		var m cgroupMount
		key := ""
		switch after[0] {
		case "cgroup2":
		case "cgroup":
			m.controllers = strings.Split(after[2], ",")
			i := slices.IndexFunc(m.controllers, func(c string) bool { return c == "memory" || c == "cpu" })
			if i < 0 {
				continue
			}
			key = m.controllers[i]
		default:
			continue
		}
		path, ok := own[key]
		if !ok {
			continue
		}
		if root != "/" {
			path = strings.TrimPrefix(path, root)
		}
		m.own = filepath.Join(point, path)
		mounts = append(mounts, m)
	}
	return mounts
}

// findCgroups makes the groups that hold all tasks of an engine, as far as the machine lets us. None is no error.
func findCgroups(engineDir string) cgroupPaths {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	membership, err2 := os.ReadFile("/proc/self/cgroup")
	if err != nil || err2 != nil {
		return cgroupPaths{}
	}
	digest := sha256.Sum256([]byte(engineDir))
	name := "rollcall-" + hex.EncodeToString(digest[:6])
	var found cgroupPaths
	for _, m := range parseCgroupMounts(string(mountinfo), string(membership)) {
		path := filepath.Join(m.own, name)
		switch {
		case m.controllers == nil:
			found.Unified = findUnified(m.own, name)
		case os.Mkdir(path, 0o755) != nil && !isDir(path):
		case slices.Contains(m.controllers, "memory"):
			found.Memory = path
			if slices.Contains(m.controllers, "cpu") {
				found.CPU = path
			}
		default:
			found.CPU = path
		}
	}
	return found
}

// findUnified makes the version 2 group of all tasks. Version 2 wants processes in leaves only, so that limits may
// only be had one level above this process (systemd: Delegate=yes with DelegateSubgroup=).
func findUnified(own, name string) string {
	plain := ""
	for _, parent := range []string{own, filepath.Dir(own)} {
		path := filepath.Join(parent, name)
		if !isFile(filepath.Join(parent, "cgroup.controllers")) || os.Mkdir(path, 0o755) != nil && !isDir(path) {
			continue
		}
		available, _ := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
		enable(parent, available)
		if enabled, _ := os.ReadFile(filepath.Join(path, "cgroup.controllers")); hasWord(enabled, "memory") {
			enable(path, enabled)
			if plain != "" {
				_ = os.Remove(plain)
			}
			return path
		}
		if plain == "" {
			plain = path
		} else {
			_ = os.Remove(path)
		}
		if !hasWord(available, "memory") {
			break // nothing to be gained further up
		}
	}
	return plain
}

func enable(group string, available []byte) {
	for _, controller := range []string{"memory", "cpu"} {
		if hasWord(available, controller) {
			_ = writeControl(group, "cgroup.subtree_control", "+"+controller)
		}
	}
}

func hasWord(text []byte, word string) bool {
	return slices.ContainsFunc(bytes.Fields(text), func(f []byte) bool { return string(f) == word })
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// writeControl writes a control file in a single write, as the kernel wants it.
func writeControl(group, file, value string) error {
	f, err := os.OpenFile(filepath.Join(group, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// minMemory is the least memory limit that is set, as in Mesos: below that not even a shell starts reliably.
const minMemory = 32 << 20

// create makes a task's groups and sets its limits: memory is a hard limit, cpus are a weight against others when the
// machine is busy (Mesos's own default). Groups that cannot be made are dropped from the result.
func (c cgroupPaths) create(cpus, mem float64) (cgroupPaths, error) {
	var problems []error
	for _, p := range []*string{&c.Unified, &c.Memory, &c.CPU} {
		if *p == "" {
			continue
		}
		if err := os.Mkdir(*p, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			problems = append(problems, err)
			*p = ""
		}
	}
	bytes := strconv.FormatInt(max(minMemory, int64(mem*(1<<20))), 10)
	shares := max(2, min(262144, int64(cpus*1024)))
	if c.Memory != "" {
		problems = append(problems, writeControl(c.Memory, "memory.limit_in_bytes", bytes))
		_ = writeControl(c.Memory, "memory.memsw.limit_in_bytes", bytes) // absent without swap accounting
	} else if c.limits("memory") {
		problems = append(problems, writeControl(c.Unified, "memory.max", bytes))
		_ = writeControl(c.Unified, "memory.swap.max", "0") // absent without swap
		_ = writeControl(c.Unified, "memory.oom.group", "1")
	}
	if c.CPU != "" {
		problems = append(problems, writeControl(c.CPU, "cpu.shares", strconv.FormatInt(shares, 10)))
	} else if c.limits("cpu") {
		weight := 1 + (shares-2)*9999/262142 // as systemd and runc convert
		problems = append(problems, writeControl(c.Unified, "cpu.weight", strconv.FormatInt(weight, 10)))
	}
	return c, errors.Join(problems...)
}

// limits says whether the version 2 group has a controller.
func (c cgroupPaths) limits(controller string) bool {
	if c.Unified == "" {
		return false
	}
	enabled, err := os.ReadFile(filepath.Join(c.Unified, "cgroup.controllers"))
	return err == nil && hasWord(enabled, controller)
}

// enter moves the calling thread into the version 1 groups, so that a process it starts is in them from its first
// instruction, and returns what moves the thread back. The caller has locked the thread.
func (c cgroupPaths) enter() (leave func(), err error) {
	if c.Memory == "" && c.CPU == "" {
		return func() {}, nil
	}
	membership, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return nil, err
	}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var home []string
	leave = func() {
		for _, group := range home {
			_ = writeControl(group, "tasks", "0")
		}
	}
	for _, m := range parseCgroupMounts(string(mountinfo), string(membership)) {
		group := ""
		switch {
		case c.Memory != "" && slices.Contains(m.controllers, "memory"):
			group = c.Memory
		case c.CPU != "" && slices.Contains(m.controllers, "cpu"):
			group = c.CPU
		default:
			continue
		}
		if err := writeControl(group, "tasks", "0"); err != nil {
			leave()
			return nil, fmt.Errorf("entering %s: %w", group, err)
		}
		home = append(home, m.own)
	}
	return leave, nil
}

// oomKills counts how often the kernel killed a process of the task for lack of memory.
func (c cgroupPaths) oomKills() int {
	file := filepath.Join(c.Unified, "memory.events")
	if c.Memory != "" {
		file = filepath.Join(c.Memory, "memory.oom_control")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == "oom_kill" {
			count, _ := strconv.Atoi(value)
			return count
		}
	}
	return 0
}

// members names the processes in the task's groups: they are the task's, whatever they did to escape.
func (c cgroupPaths) members() []processID {
	seen := map[int]bool{}
	var found []processID
	for _, group := range c.list() {
		data, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		for _, field := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(field)
			if err != nil || seen[pid] || pid == os.Getpid() {
				continue
			}
			seen[pid] = true
			id, err := identify(pid)
			// Whoever has the pid by now is the task's only if the group still has that pid.
			if again, _ := os.ReadFile(filepath.Join(group, "cgroup.procs")); err == nil && hasWord(again, field) {
				found = append(found, id)
			}
		}
	}
	return found
}

// kill sends SIGKILL to every member; members that fork meanwhile are caught by version 2, or by the next call.
func (c cgroupPaths) kill() {
	if c.Unified != "" {
		err := writeControl(c.Unified, "cgroup.kill", "1")
		if err == nil && c.Memory == "" && c.CPU == "" {
			return
		}
	}
	signalAll(c.members(), syscall.SIGKILL)
}

// remove removes the groups, which have no members any more.
func (c cgroupPaths) remove() {
	for _, group := range c.list() {
		_ = unix.Rmdir(group)
	}
}
