package records

import (
	"strings"
	"testing"
)

func FuzzLabel(f *testing.F) {
	for _, seed := range []string{"", "Web_App", "hello" + strings.Repeat("-", 58) + "f", "ünïcode", "..a.b..", "\xff-\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, rule := range []labelRule{rfc1123, rfc952} {
			l := rule.label(text)
			if len(l) > rule.limit || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				t.Errorf("label(%q) = %q", text, l)
			}
			if l != "" && strings.IndexByte(rule.leading, l[0]) >= 0 {
				t.Errorf("label(%q) = %q starts with what it must not", text, l)
			}
			for piece := range strings.SplitSeq(rule.fragment(text), ".") {
				if piece == "" && rule.fragment(text) != "" || len(piece) > rule.limit {
					t.Errorf("fragment(%q) = %q", text, rule.fragment(text))
				}
			}
		}
	})
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"", ".", "mesos.", `a\.b\032.c`, `\`, `\25`, `\256`, strings.Repeat("a.", 127), strings.Repeat("x", 64)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := parseName(text)
		if !ok {
			return
		}
		if len(n) > maxName || n[len(n)-1] != 0 {
			t.Fatalf("parseName(%q) = %q", text, n)
		}
		if again, ok := parseName(n.text()); !ok || again != n {
			t.Errorf("parseName(%q).text() = %q is read as %q, %v", text, n.text(), again, ok)
		}
		if n.compare(n) != 0 || !n.within(n) {
			t.Errorf("%q is not itself", n)
		}
	})
}

// Whatever a task says, the zone holds valid names only, and forgets the task without a trace.
func FuzzTaskNames(f *testing.F) {
	f.Add("test", "web", "marathon", "20141110-S0", "", "", "", 31000, true)
	f.Add("test", "web", "marathon.prod", "S0", "seed.db", "http", "udp,tcp", 80, false)
	f.Add("", "", "", "", "a..b", "\xff", ",,", -1, true)
	f.Add("x", strings.Repeat("n", 63), ".", "-", strings.Repeat("a.", 130), strings.Repeat("p", 70), "---", 65536, true)
	f.Fuzz(func(t *testing.T, id, taskName, framework, agent, discovery, portName, protocol string, port int, all bool) {
		z := newTestZone(t, func(o *Options) {
			if !all {
				o.AllUnhealthy, o.EnforceRFC952 = AnswerNone, true
			}
		})
		before := content(z.Snapshot())
		task := Task{ID: id, Name: taskName, Framework: framework, AgentID: agent, State: "TASK_RUNNING", Ports: []int{port, 31000},
			Health: Unhealthy, Discovery: &Discovery{Name: discovery, Ports: []DiscoveryPort{{Number: port, Name: portName, Protocol: protocol}}}}
		z.Update("s", Update{
			Tasks:      []Task{task},
			Agents:     []Agent{{ID: agent, Addrs: addrs("10.0.0.1"), Port: port}},
			Frameworks: []Framework{{Name: framework, Addrs: addrs("10.0.0.2"), Port: port}},
		})
		check(t, z, z.Snapshot())
		z.Enumerate()
		z.Update("s", Update{Reset: true})
		check(t, z, z.Snapshot())
		if after := content(z.Snapshot()); len(after) != len(before) || z.Snapshot().Stats().Skipped != 0 {
			t.Errorf("left behind: %v, %+v", after, z.Snapshot().Stats())
		}
	})
}
