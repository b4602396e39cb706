package integration

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// server is a program that serves for a test: another DNS server, a proxy.
type server struct {
	t       *testing.T
	name    string
	process *exec.Cmd

	mu  sync.Mutex
	log bytes.Buffer
}

// Write keeps what the program says.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// serve starts a program; the test's end ends it, and shows what it said if the test failed.
func serve(t *testing.T, program string, args ...string) *server {
	t.Helper()
	require(t, program)
	s := &server{t: t, name: filepath.Base(program), process: exec.Command(program, args...)}
	s.process.Stdout, s.process.Stderr = s, s
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		s.process.Wait()                                      //nolint:errcheck // it was killed
		if t.Failed() {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Logf("%s says:\n%s", s.name, s.log.String())
		}
	})
	return s
}

// file writes a file of the test.
func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask asks a DNS server over TCP, once; nil: it does not answer.
func ask(addr, name string, qtype uint16) *dns.Msg {
	client := &dns.Client{Net: "tcp", Timeout: 2 * time.Second}
	m, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, qtype), addr)
	if err != nil {
		return nil
	}
	return m
}

// serialAt is the serial of a zone at a DNS server, 0 when it has none.
func serialAt(addr, zone string) uint32 {
	m := ask(addr, zone, dns.TypeSOA)
	if m == nil || len(m.Answer) != 1 {
		return 0
	}
	soa, ok := m.Answer[0].(*dns.SOA)
	if !ok {
		return 0
	}
	return soa.Serial
}

// mesosCluster makes the events of a Mesos master's operator API for tasks of our own.
type mesosCluster struct {
	master *replayMaster
	events []string
}

// startCluster is a cluster with agents 10.0.0.1 and so on, and a framework marathon.
func startCluster(t *testing.T, agents int) *mesosCluster {
	t.Helper()
	c := &mesosCluster{master: newReplayMaster(t, "127.0.0.11")}
	var list []string
	for i := range agents {
		list = append(list, fmt.Sprintf(`{"agent_info":{"id":{"value":"x-S%d"},"hostname":"10.0.0.%d","port":5051},"pid":"slave(1)@10.0.0.%d:5051","active":true}`,
			i, i+1, i+1))
	}
	c.events = []string{fmt.Sprintf(`{"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":600,"get_state":{`+
		`"get_agents":{"agents":[%s]},"get_frameworks":{"frameworks":[{"framework_info":{"id":{"value":"f1"},"name":"marathon"},"active":true}]},`+
		`"get_tasks":{}}}}`, strings.Join(list, ","))}
	c.tell()
	return c
}

// tell makes the events known that were added.
func (c *mesosCluster) tell() { c.master.play(len(c.events), c.events...) }

// run adds a task with an address and a port of its own on one of the agents.
func (c *mesosCluster) run(name string, i, agent int) {
	c.runAt(name, i, agent, 31000+i%1000, fmt.Sprintf("10.1.%d.%d", i>>8, i&0xFF))
}

// runAt is run with addresses and a port that are given.
func (c *mesosCluster) runAt(name string, i, agent, port int, addresses ...string) {
	var list []string
	for _, a := range addresses {
		list = append(list, fmt.Sprintf(`{"ip_address":%q}`, a))
	}
	c.events = append(c.events, fmt.Sprintf(`{"type":"TASK_ADDED","task_added":{"task":{"name":%q,"task_id":{"value":"%s.%d"},"framework_id":{"value":"f1"},`+
		`"agent_id":{"value":"x-S%d"},"state":"TASK_RUNNING","resources":[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":%d,"end":%d}]}}],`+
		`"statuses":[{"task_id":{"value":"%s.%d"},"state":"TASK_RUNNING","timestamp":1,"container_status":{"network_infos":[{"ip_addresses":[%s]}]}}]}}}`,
		name, name, i, agent, port, port, name, i, strings.Join(list, ",")))
}

// end ends a task.
func (c *mesosCluster) end(name string, i int) {
	c.events = append(c.events, fmt.Sprintf(`{"type":"TASK_UPDATED","task_updated":{"framework_id":{"value":"f1"},"state":"TASK_FINISHED",`+
		`"status":{"task_id":{"value":"%s.%d"},"state":"TASK_FINISHED","timestamp":2}}}`, name, i))
}

// follow runs a rollcall that answers for the cluster.
func (c *mesosCluster) follow(t *testing.T, extra config) *daemon {
	t.Helper()
	all := config{"masters": []string{c.master.address}, "IPSources": []string{"netinfo", "host"}}
	for key, value := range extra {
		all[key] = value
	}
	return startDNSOnly(t, all)
}

// freeDNSPort is one of 127.0.0.1 that nobody has at the moment, for UDP and TCP.
func freeDNSPort(t *testing.T) string {
	t.Helper()
	for {
		port := freePorts(t, 1)[0]
		udp, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		if err == nil {
			udp.Close()
			return port
		}
	}
}

// count is the value of a metric that counts, 0 when it is not there.
func (d *daemon) count(name string) int {
	d.t.Helper()
	n, err := strconv.ParseFloat(cmp.Or(d.metric(name), "0"), 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return int(n)
}

func unixNow() uint64 { return uint64(time.Now().Unix()) }
