package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// versions of programs, each with how it tells its own.
var versions = []struct {
	name    string
	command []string
	line    *regexp.Regexp
}{
	{"NSD", []string{"nsd", "-v"}, regexp.MustCompile(`NSD version (\S+)`)},
	{"Knot", []string{"knotd", "-V"}, regexp.MustCompile(`version (\S+)`)},
	{"Unbound", []string{"unbound", "-V"}, regexp.MustCompile(`Version (\S+)`)},
	{"dnsperf", []string{"dnsperf", "-h"}, regexp.MustCompile(`Version (\S+)`)},
}

// reportEnvironment writes when and where it was measured, and with what.
func (b *bench) reportEnvironment(w io.Writer) {
	first := func(file, pattern string) string {
		data, _ := os.ReadFile(file)
		if m := regexp.MustCompile(pattern).FindSubmatch(data); m != nil {
			return string(m[1])
		}
		return "unknown"
	}
	fmt.Fprintf(w, "%s; %d × %s, Linux %s, load %s; %s", time.Now().UTC().Format("2 January 2006, 15:04 UTC"), runtime.NumCPU(),
		first("/proc/cpuinfo", `model name\s*: (.*)`), first("/proc/sys/kernel/osrelease", `(\S+)`),
		first("/proc/loadavg", `(\S+)`), strings.Replace(runtime.Version(), "go", "Go ", 1))
	for _, v := range versions {
		output, _ := exec.Command(v.command[0], v.command[1:]...).CombinedOutput() // some end with a status
		if m := v.line.FindSubmatch(output); m != nil {
			fmt.Fprintf(w, ", %s %s", v.name, m[1])
		}
	}
	fmt.Fprintf(w, "; medians of %d times %v.\n", b.rounds, b.length)
}
