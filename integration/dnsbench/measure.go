package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// kind is a kind of questions, and the name of the file that they are in.
type kind string

const (
	own       kind = "own"       // for names of the server's own zone
	forwarded kind = "forwarded" // for names that it has from elsewhere
)

// measurement is one way of asking.
type measurement struct {
	name      string
	kind      kind
	arguments []string // of dnsperf
	latencies bool     // of every question
	// What only rollcall is asked meanwhile.
	idle     int    // TCP connections that do nothing
	changing bool   // names change
	than     string // the measurement with which it is to be compared, which has nothing of that
	// The server, and dnsperf, run on so many processors; the number of those of a server has to be the same.
	processors int
}

// window is how many questions are under way at one time at full rate.
const window = "500"

func measurements(rate, idle int) []measurement {
	slow := strconv.Itoa(rate)
	udp, tcp := []string{"-m", "udp", "-c", "8", "-q", window}, []string{"-m", "tcp", "-c", "8", "-q", window}
	low := append(slices.Clone(udp), "-Q", slow)
	full, latency := "zone, UDP, full rate", "zone, UDP, "+slow+"/s, latency"
	list := []measurement{
		{name: full, kind: own, arguments: udp},
		{name: "zone, UDP, " + slow + "/s", kind: own, arguments: low},
		{name: latency, kind: own, arguments: append(slices.Clone(low), "-v"), latencies: true},
		{name: "zone, TCP, full rate", kind: own, arguments: tcp},
		{name: "cached, UDP, full rate", kind: forwarded, arguments: udp},
		{name: "cached, UDP, " + slow + "/s", kind: forwarded, arguments: low},
		{name: fmt.Sprintf("%s, while %d names a second change", full, changes*changedNames), kind: own, arguments: udp,
			changing: true, than: full},
		{name: fmt.Sprintf("%s, %d idle TCP connections", latency, idle), kind: own, arguments: append(slices.Clone(low), "-v"),
			latencies: true, idle: idle, than: latency},
		{name: full + ", two processors", kind: own, arguments: append(slices.Clone(udp), "-T", "2", "-c", "16"), processors: 2},
	}
	for i := range list {
		list[i].processors = max(1, list[i].processors)
	}
	return list
}

// resultKey is what results are comparable by.
type resultKey struct{ measurement, server string }

// result is what one run of dnsperf found.
type result struct {
	cost       float64 // microseconds on a processor for a question
	rate       float64 // questions a second
	lost       float64 // share of the questions
	replySize  float64 // octets, on average
	percentile float64 // the 99th, of the latency in microseconds
	idleMemory float64 // of the process, for each idle connection, in octets
}

// measure asks a server, and notes what was found. A server of forwarded names is asked for all of them beforehand.
func (b *bench) measure(ctx context.Context, m measurement, s *server) error {
	if s.name == "echo" && (slices.Contains(m.arguments, "tcp") || m.latencies) || s.name != "rollcall" && m.than != "" {
		return nil
	}
	var idleMemory float64
	if m.idle > 0 {
		before := residentMemory(s.process.Process.Pid)
		connections := make([]net.Conn, m.idle)
		defer func() {
			for _, c := range connections {
				if c != nil {
					c.Close()
				}
			}
			awaitRest(s.process.Process.Pid)
		}()
		// While the last ones are opened the first ones become old, and are closed by the server after a while. None is to
		// become that old while it is measured, for then it is measured how they are closed.
		for range 2 {
			if err := askEach(connections, s.addr()); err != nil {
				return err
			}
		}
		awaitRest(s.process.Process.Pid)
		idleMemory = float64(residentMemory(s.process.Process.Pid)-before) / float64(m.idle)
	}
	key := resultKey{m.name, s.name}
	if m.kind == forwarded && len(b.results[key]) == 0 {
		if _, err := b.dnsperf(ctx, s, m.kind, "-n", "2", "-q", "20"); err != nil {
			return err
		}
	}
	if m.changing {
		defer b.master.change()()
	}
	before, err := processorTime(s.process.Process.Pid)
	if err != nil {
		return err
	}
	output, err := b.dnsperf(ctx, s, m.kind, append([]string{"-l", fmt.Sprintf("%.1f", b.length.Seconds())}, m.arguments...)...)
	if err != nil {
		return err
	}
	after, err := processorTime(s.process.Process.Pid)
	if err != nil {
		return err
	}
	r, completed, err := readOutput(output)
	if err != nil {
		return err
	}
	r.idleMemory = idleMemory
	r.cost = float64((after - before).Nanoseconds()) / 1e3 / completed
	b.results[key] = append(b.results[key], r)
	return nil
}

func (b *bench) dnsperf(ctx context.Context, s *server, k kind, arguments ...string) ([]byte, error) {
	processor := clientCPU
	if s.processors > 1 {
		processor = bothCPUs
	}
	all := append([]string{"-c", processor, "dnsperf", "-s", "127.0.0.1", "-p", strconv.Itoa(s.port), "-d", b.path(string(k)), "-t", "1", "-W"}, arguments...)
	command := exec.CommandContext(ctx, "taskset", all...)
	// What it writes is read when it has ended: whoever reads meanwhile takes time of the processors that are measured.
	output, err := os.Create(b.path("dnsperf.out"))
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command.Stdout = output
	err = command.Run()
	text, failed := os.ReadFile(output.Name())
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("dnsperf: %w\n%s", err, bytes.TrimSpace(text[max(0, len(text)-1000):]))
	}
	return text, nil
}

// idleConnections is how many idle connections there are to be, and there may be: each is an open file here and there.
func idleConnections() int {
	const wanted, others = 20_000, 1000
	limit := unix.Rlimit{Cur: wanted + others, Max: wanted + others}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) == nil || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		return min(wanted, int(limit.Cur)-others)
	}
	return others
}

// askEach asks a question on each connection, and waits for the answer. Those that are not open are opened.
func askEach(connections []net.Conn, addr string) error {
	question, err := new(dns.Msg).SetQuestion("app-0.marathon."+domain+".", dns.TypeA).Pack()
	if err != nil {
		return err
	}
	question = append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)
	for i, conn := range connections {
		if conn != nil && ask(conn, question) == nil {
			continue
		}
		if conn, err = net.Dial("tcp4", addr); err != nil {
			return err
		}
		// Without that the kernel remembers each for a minute, and forgets thousands at once when something else is measured.
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
		if connections[i] != nil {
			connections[i].Close()
		}
		connections[i] = conn
		if err := ask(conn, question); err != nil {
			return err
		}
	}
	return nil
}

// ask asks a question on a connection, and reads the answer.
func ask(conn net.Conn, question []byte) error {
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := conn.Write(question); err != nil {
		return err
	}
	_, err := (&dns.Conn{Conn: conn}).ReadMsgHeader(nil)
	return err
}

// awaitRest waits until a process does nothing, so that what it still has to do is not what is measured next.
func awaitRest(pid int) {
	const step = 250 * time.Millisecond
	for range 240 {
		before, _ := processorTime(pid)
		time.Sleep(step)
		after, err := processorTime(pid)
		if err != nil || after-before < step/20 {
			return
		}
	}
}

// residentMemory is how much memory a process has, in octets (proc(5): /proc/PID/statm); 0: it has ended.
func residentMemory(pid int) int {
	var size, resident int
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fmt.Sscan(string(data), &size, &resident) //nolint:errcheck // the next question fails as well
	return resident * os.Getpagesize()
}

// Lines of dnsperf's summary, and those of -v: "> NOERROR name type seconds".
var (
	completedLine = regexp.MustCompile(`Queries completed:\s+(\d+)`)
	lostLine      = regexp.MustCompile(`Queries lost:\s+\d+ \(([\d.]+)%`)
	rateLine      = regexp.MustCompile(`Queries per second:\s+([\d.]+)`)
	sizeLine      = regexp.MustCompile(`Average packet size:\s+request \d+, response (\d+)`)
	latencyLine   = regexp.MustCompile(`(?m)^> \S+ \S+ \S+ ([\d.]+)$`)
)

// errNoAnswer means that the machine was busy with something else.
var errNoAnswer = errors.New("no question was answered")

// readOutput reads the output of dnsperf. The second result is how many questions were answered.
func readOutput(output []byte) (r result, completed float64, err error) {
	number := func(line *regexp.Regexp) float64 {
		m := line.FindSubmatch(output)
		if m == nil {
			err = errors.Join(err, fmt.Errorf("dnsperf says nothing like %v", line))
			return 0
		}
		n, _ := strconv.ParseFloat(string(m[1]), 64) // of digits
		return n
	}
	completed = number(completedLine)
	r = result{rate: number(rateLine), lost: number(lostLine), replySize: number(sizeLine)}
	if err == nil && completed == 0 {
		err = errNoAnswer
	}
	var latencies []float64
	for _, m := range latencyLine.FindAllSubmatch(output, -1) {
		seconds, _ := strconv.ParseFloat(string(m[1]), 64)
		latencies = append(latencies, seconds*1e6)
	}
	if slices.Sort(latencies); len(latencies) > 0 {
		r.percentile = latencies[len(latencies)*99/100]
	}
	return r, completed, err
}

// processorTime is how long the threads of a process group have been on a processor (proc(5): /proc/PID/schedstat).
func processorTime(group int) (time.Duration, error) {
	threads, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	if err != nil {
		return 0, err
	}
	var total time.Duration
	found := false
	for _, thread := range threads {
		stat, err := os.ReadFile(thread + "/stat")
		if err != nil {
			continue // it has ended
		}
		// Behind the name, which may hold anything: state, parent, group.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 3 || fields[2] != strconv.Itoa(group) {
			continue
		}
		data, err := os.ReadFile(thread + "/schedstat")
		if err != nil {
			return 0, err
		}
		nanoseconds, err := strconv.ParseInt(strings.Fields(string(data))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(nanoseconds)
		found = true
	}
	if !found {
		return 0, fmt.Errorf("no process of group %d is left", group)
	}
	return total, nil
}
