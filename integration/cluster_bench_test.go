package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/integration/mesosmaster"
)

// size is a number of the benchmark, from the environment so that a smaller one can be tried.
func size(b *testing.B, name string, usual int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s is %q, not a number", name, text)
	}
	return n
}

// BenchmarkCluster runs 100,000 simulated tasks on 5,000 agents (CLUSTER_TASKS, CLUSTER_AGENTS), and then loses
// rollcall and the leading master, each once: how long until a new app's task is placed, how much processor time rollcall
// took since its start, and what it holds in memory. The stand-in master works in the same machine, so that all times are
// upper bounds.
func BenchmarkCluster(b *testing.B) {
	c, first, second := newBenchCluster(b)
	apps := benchApps(b)
	d := start(b, newMesosConfig(b.TempDir(), first.Address(), second.Address()))
	for b.Loop() {
		deployed := deploy(b, c, d, apps)
		b.ReportMetric(deployed.Seconds(), "s/deploy")
		b.ReportMetric(float64(len(apps)*perApp)/deployed.Seconds(), "tasks/s")
		b.ReportMetric(d.memory(b), "MiB/deployed")
		b.ReportMetric(d.cpu(b), "cpu-s/deploy")

		d.kill()
		began := time.Now()
		d.run()
		b.ReportMetric(time.Since(began).Seconds(), "s/start")
		b.ReportMetric(place(b, c, d, "/after-restart", began).Seconds(), "s/restart-to-placement")
		b.ReportMetric(d.memory(b), "MiB/restarted")
		b.ReportMetric(d.cpu(b), "cpu-s/restart")

		before := d.cpu(b)
		began = time.Now()
		first.Kill()
		c.Elect(second)
		b.ReportMetric(place(b, c, d, "/after-failover", began).Seconds(), "s/failover-to-placement")
		b.ReportMetric(d.cpu(b)-before, "cpu-s/failover")
		b.ReportMetric(d.memory(b), "MiB/failed-over")
		if testing.Verbose() {
			b.Log(d.output())
		}
		if n := c.Count(); n != len(apps)*perApp+2 {
			b.Errorf("%d tasks run", n)
		}
	}
}

// newBenchCluster is a cluster of simulated agents, and the master that leads it and one that does not.
func newBenchCluster(b *testing.B) (c *mesosmaster.Cluster, leads, waits *mesosmaster.Master) {
	b.Helper()
	c = mesosmaster.NewCluster(mesosmaster.Options{Allocation: time.Second})
	b.Cleanup(c.Close)
	master := func(ip string) *mesosmaster.Master {
		m, err := c.StartMaster(ip)
		if err != nil {
			b.Fatal(err)
		}
		return m
	}
	leads, waits = master("127.0.0.11"), master("127.0.0.12")
	c.Elect(leads)
	for n := range size(b, "CLUSTER_AGENTS", 5000) {
		c.AddAgent(mesosmaster.AgentOptions{IP: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255), CPUs: 8, Mem: 16384, Disk: 16384,
			Ports: [2]int{31000, 32000}})
	}
	return c, leads, waits
}

// perApp is how many tasks an app of the benchmarks has.
const perApp = 100

func benchApps(b *testing.B) []string {
	b.Helper()
	var apps []string
	for n := range size(b, "CLUSTER_TASKS", 100_000) / perApp {
		apps = append(apps, fmt.Sprintf(`{"id": "/load/app-%d", "cmd": "serve", "cpus": 0.01, "mem": 1, "instances": %d}`, n, perApp))
	}
	return apps
}

// deploy starts apps, all at once, and says how long it took until all of their tasks ran.
func deploy(b *testing.B, c *mesosmaster.Cluster, d *daemon, apps []string) time.Duration {
	b.Helper()
	began, want := time.Now(), c.Count()+len(apps)*perApp
	d.must(http.StatusOK, http.MethodPut, "/v2/apps", "["+strings.Join(apps, ",")+"]")
	waitFor(b, fmt.Sprintf("%d tasks run", want), func() bool { return c.Count() >= want && d.deployments() == 0 })
	return time.Since(began)
}

// place starts an app and says how long after began its task runs.
func place(b *testing.B, c *mesosmaster.Cluster, d *daemon, app string, began time.Time) time.Duration {
	b.Helper()
	before := c.Count()
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cmd": "serve", "cpus": 0.01, "mem": 1}`, app))
	waitFor(b, app+" runs", func() bool { return c.Count() > before })
	return time.Since(began)
}

// waitFor waits for as long as it takes: that is what is measured.
func waitFor(b *testing.B, what string, holds func() bool) {
	b.Helper()
	deadline := time.Now().Add(20 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			b.Fatalf("it never happened that %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// cpu is how much processor time rollcall has taken since it was started, in seconds: what does not depend on what else
// the machine does.
func (d *daemon) cpu(b *testing.B) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.process.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	// After the name, which may hold anything: state is field 3, utime and stime are 14 and 15, in ticks of 10 ms (proc(5)).
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return float64(ticks) / 100
}

// memory is what rollcall holds, in MiB.
func (d *daemon) memory(b *testing.B) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.process.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
