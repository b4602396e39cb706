// Command dnsbench measures side by side what a DNS question costs rollcall and the servers that it is compared with:
// NSD and Knot for names of its own zone, Unbound for forwarded ones that are cached, and a loop that sends packets
// back as they came, which is what the kernel takes for itself.
//
//	go run ./integration/dnsbench
//
// Every server runs on one processor, dnsperf on another; in the end both on two. All have the same names. What counts is the time on a
// processor that a server uses for a question, user and system time, which the kernel counts in nanoseconds: questions
// a second also measure dnsperf. The servers are measured one after the other, again and again, so that whatever else
// the machine does hits all alike; the table has medians.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	rollcall string
	rounds   int
	length   time.Duration
	rate     int
	only     string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "echo" {
		fail(echo(os.Args[2]))
		return
	}
	var s settings
	flag.StringVar(&s.rollcall, "rollcall", "bin/rollcall", "the rollcall to measure")
	flag.IntVar(&s.rounds, "rounds", 9, "how often each server is measured in each way")
	flag.DurationVar(&s.length, "length", time.Second, "how long for")
	flag.IntVar(&s.rate, "rate", 20_000, "questions a second at the low rate")
	flag.StringVar(&s.only, "only", "", "measure only what has one of these texts, separated by semicolons, in its name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fail(run(ctx, s))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "dnsbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	if runtime.NumCPU() < 2 {
		return errors.New("there have to be two processors: one for the server, one for dnsperf")
	}
	dir, err := os.MkdirTemp("", "dnsbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, settings: s, idle: idleConnections()}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	err = b.run(ctx)
	b.reportEnvironment(os.Stdout)
	b.report(os.Stdout)
	return err
}

// run measures all servers in turns, until ctx ends.
func (b *bench) run(ctx context.Context) error {
	for round := range b.rounds {
		for _, m := range measurements(b.rate, b.idle) {
			if !m.wanted(b.only) {
				continue
			}
			for _, server := range b.servers {
				if !slices.Contains(server.does, m.kind) || server.processors != m.processors {
					continue
				}
				err := b.measure(ctx, m, server)
				if ctx.Err() != nil {
					return fmt.Errorf("not all was measured: %w", ctx.Err())
				}
				if errors.Is(err, errNoAnswer) {
					fmt.Fprintf(os.Stderr, "%s of %s: %v; this one does not count\n", m.name, server.name, err)
					continue
				}
				if err != nil {
					return fmt.Errorf("%s of %s: %w", m.name, server.name, err)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, b.rounds)
	}
	return nil
}

// wanted reports whether a measurement is one of those asked for.
func (m measurement) wanted(only string) bool {
	return only == "" || slices.ContainsFunc(strings.Split(only, ";"), func(text string) bool {
		return strings.Contains(m.name, text)
	})
}

// path is a file in the directory of the run.
func (b *bench) path(elements ...string) string {
	return filepath.Join(append([]string{b.dir}, elements...)...)
}
