package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/scheduler"
)

func TestParseCgroupMounts(t *testing.T) {
	tests := []struct {
		name, mountinfo, membership string
		want                        []cgroupMount
	}{
		{"version 2", "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n24 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
			"0::/system.slice/rollcall.service\n",
			[]cgroupMount{{own: "/sys/fs/cgroup/system.slice/rollcall.service"}}},
		{"hybrid", "31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
			"32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
			"33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
			"34 30 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
			"4:memory:/user\n3:cpu,cpuacct:/\n2:pids:/\n0::/\n",
			[]cgroupMount{{own: "/sys/fs/cgroup/unified"},
				{[]string{"rw", "cpu", "cpuacct"}, "/sys/fs/cgroup/cpu,cpuacct"}, {[]string{"rw", "memory"}, "/sys/fs/cgroup/memory/user"}}},
		{"container", "33 30 0:29 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n", "4:memory:/docker/abc\n",
			[]cgroupMount{{[]string{"rw", "memory"}, "/sys/fs/cgroup/memory"}}},
		{"none", "24 1 8:1 / / rw - ext4 /dev/sda1 rw\nnonsense\n", "nonsense\n", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := parseCgroupMounts(test.mountinfo, test.membership)
			same := func(a, b cgroupMount) bool { return a.own == b.own && slices.Equal(a.controllers, b.controllers) }
			if !slices.EqualFunc(got, test.want, same) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestMemoryLimit(t *testing.T) {
	r := newRig(t, Options{})
	group := r.engine.cgroup.within("a")
	if group.Memory == "" && !r.engine.cgroup.limits("memory") {
		t.Skip("this machine lets us make no control group that limits memory")
	}
	r.launch(scheduler.TaskInfo{ID: "a", Resources: scheduler.Resources{CPUs: 0.5, Mem: 32},
		Shell: `exec dd if=/dev/zero of=/dev/null bs=100M count=1`})
	s := r.status("a", scheduler.TaskFailed)
	if s.Reason != "REASON_CONTAINER_LIMITATION_MEMORY" || !strings.HasPrefix(s.Message, "Memory limit exceeded: Requested: 32MB") {
		t.Errorf("got %+v", s)
	}
	for _, dir := range group.list() {
		eventually(t, "the end of "+dir, func() bool { return !exists(dir) })
	}
}

func TestCPUWeight(t *testing.T) {
	r := newRig(t, Options{})
	if r.engine.cgroup.CPU == "" && !r.engine.cgroup.limits("cpu") {
		t.Skip("this machine lets us make no control group that weighs cpus")
	}
	r.launch(scheduler.TaskInfo{ID: "a", Resources: scheduler.Resources{CPUs: 0.5, Mem: 32}, Shell: "sleep 1000"})
	r.status("a", scheduler.TaskRunning)
	file, want := filepath.Join(r.engine.cgroup.within("a").CPU, "cpu.shares"), "512"
	if r.engine.cgroup.CPU == "" {
		file, want = filepath.Join(r.engine.cgroup.within("a").Unified, "cpu.weight"), "20"
	}
	if got, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("%s is %q, %v", file, got, err)
	}
	for _, dir := range r.engine.cgroup.within("a").list() {
		if members, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs")); len(strings.Fields(string(members))) == 0 {
			t.Errorf("nobody is in %s", dir)
		}
	}
}
