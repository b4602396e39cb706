package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
}

// window is how many questions are under way at one time at full rate.
const window = "500"

func measurements(rate int) []measurement {
	slow := strconv.Itoa(rate)
	udp, tcp := []string{"-m", "udp", "-c", "8", "-q", window}, []string{"-m", "tcp", "-c", "8", "-q", window}
	low := append(slices.Clone(udp), "-Q", slow)
	return []measurement{
		{"zone, UDP, full rate", own, udp, false},
		{"zone, UDP, " + slow + "/s", own, low, false},
		{"zone, UDP, " + slow + "/s, latency", own, append(slices.Clone(low), "-v"), true},
		{"zone, TCP, full rate", own, tcp, false},
		{"cached, UDP, full rate", forwarded, udp, false},
		{"cached, UDP, " + slow + "/s", forwarded, low, false},
	}
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
}

// measure asks a server, and notes what was found. A server of forwarded names is asked for all of them beforehand.
func (b *bench) measure(ctx context.Context, m measurement, s *server) error {
	if s.name == "echo" && (slices.Contains(m.arguments, "tcp") || m.latencies) {
		return nil
	}
	key := resultKey{m.name, s.name}
	if m.kind == forwarded && len(b.results[key]) == 0 {
		if _, err := b.dnsperf(ctx, s, m.kind, "-n", "2", "-q", "20"); err != nil {
			return err
		}
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
	r.cost = float64((after - before).Nanoseconds()) / 1e3 / completed
	b.results[key] = append(b.results[key], r)
	return nil
}

func (b *bench) dnsperf(ctx context.Context, s *server, k kind, arguments ...string) ([]byte, error) {
	all := append([]string{"-c", clientCPU, "dnsperf", "-s", "127.0.0.1", "-p", strconv.Itoa(s.port), "-d", b.path(string(k)), "-t", "1", "-W"}, arguments...)
	output, err := exec.CommandContext(ctx, "taskset", all...).Output()
	if err != nil {
		return nil, fmt.Errorf("dnsperf: %w\n%s", err, bytes.TrimSpace(output[max(0, len(output)-1000):]))
	}
	return output, nil
}

// Lines of dnsperf's summary, and those of -v: "> NOERROR name type seconds".
var (
	completedLine = regexp.MustCompile(`Queries completed:\s+(\d+)`)
	lostLine      = regexp.MustCompile(`Queries lost:\s+\d+ \(([\d.]+)%`)
	rateLine      = regexp.MustCompile(`Queries per second:\s+([\d.]+)`)
	sizeLine      = regexp.MustCompile(`Average packet size:\s+request \d+, response (\d+)`)
	latencyLine   = regexp.MustCompile(`(?m)^> \S+ \S+ \S+ ([\d.]+)$`)
)

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
		err = errors.New("no question was answered")
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
