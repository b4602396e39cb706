package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// The processors that servers and dnsperf run on.
const (
	serverCPU = "0"
	clientCPU = "1"
	bothCPUs  = "0,1"
)

// forwardedZone is the zone that is forwarded: not one that any server answers itself.
const forwardedZone = "forwarded.test"

// bench is a run: the servers and what was measured of them.
type bench struct {
	settings
	dir     string
	idle    int // connections, where there are to be some
	servers []*server
	results map[resultKey][]result
	// Of the rollcall on one processor, and of the one on two, whose names never change.
	master, quietMaster *master
}

// server is a process that answers questions.
type server struct {
	name string
	port int
	does []kind // none: it is not measured
	// processors that it runs on
	processors int
	process    *exec.Cmd
	exited     chan error
}

// file is the name of a file of the server.
func (s *server) file(extension string) string {
	return fmt.Sprintf("%s-%d.%s", strings.ReplaceAll(s.name, " ", "-"), s.processors, extension)
}

func (s *server) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// start starts all servers and waits until they answer.
func (b *bench) start(ctx context.Context) error {
	b.results = make(map[resultKey][]result)
	b.master, b.quietMaster = newMaster(), newMaster()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var ports [7]int
	if err := freePorts(ports[:]); err != nil {
		return err
	}
	upstream := &server{name: "the upstream server", port: ports[0], processors: 1}
	rollcall := &server{name: "rollcall", does: []kind{own, forwarded}, processors: 1}
	api, err := b.startRollcall(ctx, rollcall, b.master, upstream.addr())
	if err != nil {
		return err
	}
	if err := errors.Join(
		writeZone(b.path(domain), api, domain, ttl),
		// No answer expires while it is measured how fast it comes out of a cache.
		writeZone(b.path(forwardedZone), api, forwardedZone, 86400),
		writeQuestions(b.path(string(own)), domain), writeQuestions(b.path(string(forwarded)), forwardedZone),
	); err != nil {
		return err
	}
	onTwo := &server{name: "rollcall", does: []kind{own}, processors: 2}
	if _, err := b.startRollcall(ctx, onTwo, b.quietMaster, upstream.addr()); err != nil {
		return err
	}
	nsd := &server{name: "NSD", port: ports[1], does: []kind{own}, processors: 1}
	knot := &server{name: "Knot", port: ports[2], does: []kind{own}, processors: 1}
	unbound := &server{name: "Unbound", port: ports[3], does: []kind{forwarded}, processors: 1}
	nsdOnTwo := &server{name: "NSD", port: ports[5], does: []kind{own}, processors: 2}
	knotOnTwo := &server{name: "Knot", port: ports[6], does: []kind{own}, processors: 2}
	sender := &server{name: "echo", port: ports[4], does: []kind{own}, processors: 1}
	for _, s := range []struct {
		*server
		configuration string
		command       []string
	}{
		{upstream, b.nsd(upstream, forwardedZone), []string{"nsd", "-d", "-c"}},
		{nsd, b.nsd(nsd, domain), []string{"nsd", "-d", "-c"}},
		{knot, b.knot(knot), []string{"knotd", "-c"}},
		{unbound, b.unbound(unbound, upstream), []string{"unbound", "-d", "-c"}},
		{nsdOnTwo, b.nsd(nsdOnTwo, domain), []string{"nsd", "-d", "-c"}},
		{knotOnTwo, b.knot(knotOnTwo), []string{"knotd", "-c"}},
		{sender, "", []string{"env", "GODEBUG=asyncpreemptoff=1", "GOGC=off", self, "echo", sender.addr()}},
	} {
		command := s.command
		if s.configuration != "" {
			file := b.path(s.file("conf"))
			if err := errors.Join(os.WriteFile(file, []byte(s.configuration), 0o600), os.Mkdir(b.path(s.file("d")), 0o700)); err != nil {
				return err
			}
			command = append(command, file)
		}
		if err := b.startServer(ctx, s.server, command...); err != nil {
			return err
		}
	}
	for _, s := range b.servers {
		if err := b.await(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// startServer starts a server on its processors.
func (b *bench) startServer(ctx context.Context, s *server, command ...string) error {
	processor := serverCPU
	if s.processors > 1 {
		processor = bothCPUs
	}
	s.process = exec.CommandContext(ctx, "taskset", append([]string{"-c", processor}, command...)...)
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(b.path(s.file("log")))
	if err != nil {
		return err
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", s.name, err)
	}
	s.exited = make(chan error, 1)
	go func() { s.exited <- s.process.Wait() }()
	b.servers = append(b.servers, s)
	return nil
}

// stop ends all servers.
func (b *bench) stop() error {
	for _, s := range b.servers {
		syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		<-s.exited
	}
	b.master.Close()
	b.quietMaster.Close()
	return nil
}

// await waits until a server answers.
func (b *bench) await(ctx context.Context, s *server) error {
	zone := domain
	if len(s.does) == 0 || s.does[0] == forwarded {
		zone = forwardedZone
	}
	question := new(dns.Msg).SetQuestion("app-0.marathon."+zone+".", dns.TypeA)
	client := dns.Client{Timeout: time.Second}
	for range 60 {
		answer, _, err := client.ExchangeContext(ctx, question, s.addr())
		if err == nil && (len(answer.Answer) == 1 || s.name == "echo") {
			return nil
		}
		select {
		case <-s.exited:
			s.exited <- nil
			return fmt.Errorf("%s ended:\n%s", s.name, b.log(s))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not answer:\n%s", s.name, b.log(s))
}

// log is what a server said.
func (b *bench) log(s *server) []byte {
	text, _ := os.ReadFile(b.path(s.file("log")))
	return text
}

var runsLine = regexp.MustCompile(`msg="rollcall runs".* dns=\S+:(\d+) http=(\S+)`)

// startRollcall starts rollcall as a Mesos-DNS of m's cluster, and returns the URL of its HTTP API.
func (b *bench) startRollcall(ctx context.Context, s *server, m *master, upstream string) (string, error) {
	configuration, err := json.Marshal(map[string]any{
		"domain": domain, "ttl": ttl, "listener": "127.0.0.1", "port": 0, "httplistener": "127.0.0.1", "httpport": 0,
		"masters": []string{m.Listener.Addr().String()}, "refreshSeconds": 3600, "IPSources": []string{"host"},
		"externalon": true, "resolvers": []string{upstream}, "cacheSize": 20000,
		"limits": map[string]int{"tcpConnections": 30_000, "tcpConnectionsPerClient": 30_000},
	})
	if err != nil {
		return "", err
	}
	file := b.path(s.file("json"))
	if err := os.WriteFile(file, configuration, 0o600); err != nil {
		return "", err
	}
	if err := b.startServer(ctx, s, b.rollcall, "-config="+file); err != nil {
		return "", err
	}
	for range 120 {
		if m := runsLine.FindSubmatch(b.log(s)); m != nil {
			s.port, err = strconv.Atoi(string(m[1]))
			if err != nil {
				return "", err
			}
			return string(m[2]), b.await(ctx, s)
		}
		select {
		case <-s.exited:
			s.exited <- nil
			return "", fmt.Errorf("rollcall ended:\n%s", b.log(s))
		case <-time.After(250 * time.Millisecond):
		}
	}
	return "", fmt.Errorf("rollcall does not come up:\n%s", b.log(s))
}

// nsd is a configuration of NSD with a process, and a socket, for each processor.
func (b *bench) nsd(s *server, zone string) string {
	return fmt.Sprintf(`
server:
  server-count: %[4]d
  reuseport: yes
  ip-address: 127.0.0.1
  port: %[1]d
  username: ""
  chroot: ""
  zonesdir: "%[2]s"
  database: ""
  pidfile: "%[2]s/nsd-%[1]d.pid"
  xfrdfile: "%[2]s/nsd-%[1]d.xfrd"
  zonelistfile: "%[2]s/nsd-%[1]d.zones"
  cookie-secret-file: "%[2]s/nsd-%[1]d.cookies"
  xfrdir: "%[2]s"
  tcp-count: 1000
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: %[3]s
  zonefile: %[3]s
`, s.port, b.dir, zone, s.processors)
}

// knot is a configuration of Knot with one worker of each kind for each processor.
func (b *bench) knot(s *server) string {
	return fmt.Sprintf(`
server:
  rundir: "%[5]s"
  listen: 127.0.0.1@%[1]d
  udp-workers: %[4]d
  tcp-workers: %[4]d
  background-workers: 1
database:
  storage: "%[5]s"
log:
  - target: stderr
    any: warning
zone:
  - domain: %[3]s
    storage: "%[2]s"
    file: %[3]s
`, s.port, b.dir, domain, s.processors, b.path(s.file("d")))
}

// unbound is a configuration of Unbound with one thread, without DNSSEC, which rollcall leaves to whom it forwards to.
func (b *bench) unbound(s, upstream *server) string {
	return fmt.Sprintf(`
server:
  num-threads: 1
  interface: 127.0.0.1
  port: %[1]d
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "%[2]s"
  pidfile: "%[2]s/unbound.pid"
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  msg-cache-size: 64m
  rrset-cache-size: 64m
  so-rcvbuf: 4m
remote-control:
  control-enable: no
forward-zone:
  name: %[3]s
  forward-addr: 127.0.0.1@%[4]d
`, s.port, b.dir, forwardedZone, upstream.port)
}

// freePorts finds ports that are free for UDP and TCP, below those that the kernel gives to connections: servers are
// started one after the other, and connect meanwhile.
func freePorts(ports []int) error {
	port := firstPort + rand.IntN(lastPort-firstPort)/2
	for i := 0; i < len(ports); port++ {
		if port > lastPort {
			return fmt.Errorf("there are no %d free ports below %d", len(ports), lastPort)
		}
		tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		defer tcp.Close()
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		defer udp.Close()
		ports[i] = port
		i++
	}
	return nil
}

const firstPort, lastPort = 10_000, 32_000
