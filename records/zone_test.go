package records

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newTestZone(t testing.TB, change ...func(*Options)) *Zone {
	t.Helper()
	o := DefaultOptions("mesos")
	for _, f := range change {
		f(&o)
	}
	z, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// lines gives the zone as text, a line for each record in canonical order, without SOA and NS.
func lines(s *Snapshot) []string {
	out := []string{}
	for name, node := range s.All() {
		for set := range node.RRsets() {
			for _, a := range set.Addrs() {
				out = append(out, fmt.Sprintf("%s %s %s", name, typeName(set.Type), a))
			}
			for _, srv := range set.SRV() {
				out = append(out, fmt.Sprintf("%s SRV %s:%d", name, srv.Target, srv.Port))
			}
		}
	}
	return out
}

func typeName(t uint16) string {
	return map[uint16]string{TypeA: "A", TypeNS: "NS", TypeSOA: "SOA", TypeAAAA: "AAAA", TypeSRV: "SRV"}[t]
}

// at gives the lines of one name, without the name; nil when the name does not exist.
func at(s *Snapshot, name string) []string {
	if s.LookupName(name) == nil {
		return nil
	}
	out := []string{}
	for _, l := range lines(s) {
		if rest, ok := strings.CutPrefix(l, name+" "); ok {
			out = append(out, rest)
		}
	}
	return out
}

func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
}

var (
	agent0 = Agent{ID: "20141110-S0", Addrs: addrs("10.0.0.1"), Port: 5051}
	agent1 = Agent{ID: "20141110-S1", Addrs: addrs("10.0.0.2", "fd00::2"), Port: 5051}
)

// running is a running task of the framework marathon without DiscoveryInfo.
func running(id, name string, agent Agent, ports ...int) Task {
	return Task{ID: id, Name: name, Framework: "marathon", AgentID: agent.ID, State: "TASK_RUNNING", Ports: ports}
}

func TestNewZoneHasItsApex(t *testing.T) {
	s := newTestZone(t, func(o *Options) { o.Serial = 7 }).Snapshot()
	apex := s.LookupName("MESOS")
	if apex == nil {
		t.Fatal("the apex does not exist")
	}
	if ns := apex.RRset(TypeNS); ns == nil || !slices.Equal(ns.Names(), []string{"ns1.mesos."}) || ns.TTL() != 60 {
		t.Errorf("NS: %+v", ns)
	}
	if soa := apex.RRset(TypeSOA); soa == nil || soa.SOA().RName != "root.ns1.mesos." {
		t.Errorf("SOA: %+v", soa)
	}
	if s.Serial() != 7 || s.Domain() != "mesos." || s.Stats() != (Stats{Names: 1, Records: 2}) {
		t.Errorf("serial %d, domain %q, stats %+v", s.Serial(), s.Domain(), s.Stats())
	}
}

func TestServerAddress(t *testing.T) {
	tests := []struct {
		mname string
		want  []string
	}{
		{"ns1.mesos.", []string{"ns1.mesos. A 127.0.0.1", "ns1.mesos. AAAA ::1"}},
		{"mesos.", []string{"mesos. A 127.0.0.1", "mesos. AAAA ::1"}},
		{"ns1.example.", []string{}},
		{"ns1.xmesos.", []string{}},
	}
	for _, tt := range tests {
		z := newTestZone(t, func(o *Options) {
			o.SOA.MName = tt.mname
			o.ListenAddrs = addrs("127.0.0.1", "::1")
		})
		wantLines(t, lines(z.Snapshot()), tt.want)
		if z.Snapshot().LookupName("mesos").RRset(TypeSOA) == nil {
			t.Errorf("%s: no SOA", tt.mname)
		}
	}
}

func TestTaskLifecycle(t *testing.T) {
	z := newTestZone(t)
	web := running("web.1", "web", agent0, 31000)
	empty := lines(z.Snapshot())

	z.Update("s", Update{Tasks: []Task{web}})
	wantLines(t, lines(z.Snapshot()), empty) // its agent is not known yet

	z.Update("s", Update{Agents: []Agent{agent0}})
	wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), []string{"A 10.0.0.1"})

	staging := web
	staging.State = "TASK_KILLING"
	z.Update("s", Update{Tasks: []Task{staging}})
	wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), nil)

	z.Update("s", Update{Tasks: []Task{web}})
	z.Update("s", Update{AgentsGone: []string{agent0.ID}})
	wantLines(t, lines(z.Snapshot()), empty)

	moved := agent0
	moved.Addrs = addrs("10.0.0.9")
	z.Update("s", Update{Agents: []Agent{moved}})
	wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), []string{"A 10.0.0.9"})

	z.Update("s", Update{TasksGone: []string{"web.1", "never.there"}, AgentsGone: []string{agent0.ID}})
	wantLines(t, lines(z.Snapshot()), empty)
	if got := z.Snapshot().Stats(); got.Tasks != 0 || got.Names != 1 || got.Records != 2 || got.Skipped != 0 {
		t.Errorf("stats after everything went: %+v", got)
	}
}

func TestRemovalsComeBeforeAdditions(t *testing.T) {
	z := newTestZone(t)
	z.Update("s", Update{Agents: []Agent{agent0}, Tasks: []Task{running("web.1", "web", agent0)}})
	serial := z.Snapshot().Serial()
	z.Update("s", Update{
		TasksGone: []string{"web.1"}, Tasks: []Task{running("web.1", "web", agent0)},
		AgentsGone: []string{agent0.ID}, Agents: []Agent{agent0},
	})
	if z.Snapshot().Serial() != serial || z.Snapshot().LookupName("web.marathon.mesos") == nil {
		t.Error("removed and added in one update: the content is not the same")
	}
}

func TestResetForgetsTheRest(t *testing.T) {
	z := newTestZone(t)
	z.Update("other", Update{Agents: []Agent{agent1}, Tasks: []Task{running("o.1", "other", agent1)}})
	want := lines(z.Snapshot())
	z.Update("s", Update{
		Agents:     []Agent{agent0},
		Tasks:      []Task{running("web.1", "web", agent0), running("db.1", "db", agent0)},
		Frameworks: []Framework{{Name: "marathon", Addrs: addrs("10.0.0.5"), Port: 8080}},
		Masters:    &Masters{Leader: netip.MustParseAddrPort("10.0.0.7:5050")},
	})
	z.Update("s", Update{Reset: true, Agents: []Agent{agent0}, Tasks: []Task{running("db.1", "db", agent0)}})
	s := z.Snapshot()
	for _, gone := range []string{"web.marathon.mesos", "marathon.mesos.", "leader.mesos", "master0.mesos"} {
		if len(at(s, gone)) > 0 {
			t.Errorf("%s is still there", gone)
		}
	}
	wantLines(t, at(s, "db.marathon.mesos."), []string{"A 10.0.0.1"})
	z.Update("s", Update{Reset: true})
	wantLines(t, lines(z.Snapshot()), want)
}

func TestSourcesAreKeptApart(t *testing.T) {
	z := newTestZone(t)
	u := Update{Agents: []Agent{agent0}, Tasks: []Task{running("web.1", "web", agent0)}}
	z.Update("a", u)
	serial := z.Snapshot().Serial()
	z.Update("b", u) // the same ids, the same records
	if z.Snapshot().Serial() != serial {
		t.Error("a second contributor of the same records moved the serial")
	}
	z.Update("a", Update{Reset: true})
	wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), []string{"A 10.0.0.1"})
	wantLines(t, at(z.Snapshot(), "slave.mesos."), []string{"A 10.0.0.1"})
	z.Update("b", Update{Reset: true})
	wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), nil)
}

func TestRecordLeavesWithItsLastContributor(t *testing.T) {
	z := newTestZone(t)
	z.Update("s", Update{Agents: []Agent{agent0, agent1}, Tasks: []Task{
		running("web.1", "web", agent0), running("web.2", "web", agent0), running("web.3", "web", agent1),
	}})
	steps := []struct {
		gone string
		want []string
	}{
		{"", []string{"A 10.0.0.1", "A 10.0.0.2", "AAAA fd00::2"}},
		{"web.1", []string{"A 10.0.0.1", "A 10.0.0.2", "AAAA fd00::2"}},
		{"web.2", []string{"A 10.0.0.2", "AAAA fd00::2"}},
		{"web.3", nil},
	}
	for _, step := range steps {
		z.Update("s", Update{TasksGone: []string{step.gone}})
		wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), step.want)
	}
}

// RFC 8020: a name with names below it exists.
func TestEmptyNonTerminals(t *testing.T) {
	z := newTestZone(t)
	task := running("c.1", "ignored", agent0, 31000)
	task.Discovery = &Discovery{Name: "seed.db.ctrlpkw", Ports: []DiscoveryPort{{Number: 9042, Name: "cql"}}}
	z.Update("s", Update{Agents: []Agent{agent0}, Tasks: []Task{task}})
	empties := []string{
		"db.ctrlpkw.marathon.mesos.", "ctrlpkw.marathon.mesos.", "marathon.mesos.", "slave.marathon.mesos.",
		"_tcp.marathon.mesos.", "_udp.marathon.slave.mesos.", "ctrlpkw._tcp.marathon.mesos.",
	}
	for _, name := range empties {
		node := z.Snapshot().LookupName(name)
		if name == "slave.marathon.mesos." {
			if node != nil {
				t.Errorf("%s exists, though .slave comes after the framework", name)
			}
			continue
		}
		if node == nil || node.RRset(TypeA) != nil || len(slices.Collect(node.RRsets())) != 0 {
			t.Errorf("%s: want a node without RRsets, got %+v", name, node)
		}
	}
	z.Update("s", Update{TasksGone: []string{"c.1"}})
	for _, name := range empties {
		if z.Snapshot().LookupName(name) != nil {
			t.Errorf("%s outlived the names below it", name)
		}
	}
}

func TestSerial(t *testing.T) {
	tests := []struct{ serial, next uint32 }{{0, 2}, {1, 2}, {1 << 31, 1<<31 + 1}, {1<<32 - 1, 1}}
	for _, tt := range tests {
		z := newTestZone(t, func(o *Options) { o.Serial = tt.serial })
		first := z.Snapshot()

		z.Update("s", Update{})
		z.Update("s", Update{Tasks: []Task{running("x", "x", agent0)}}) // not published
		if got := z.Snapshot(); got.Serial() != first.Serial() || !got.Stats().Changed.IsZero() {
			t.Errorf("the serial moved from %d to %d without a change", first.Serial(), got.Serial())
		}
		z.Update("s", Update{Agents: []Agent{agent0}})
		got := z.Snapshot()
		if got.Serial() != tt.next || got.Stats().Changed.IsZero() {
			t.Errorf("after %d: serial %d, want %d; changed %v", tt.serial, got.Serial(), tt.next, got.Stats().Changed)
		}
		if soa := got.LookupName("mesos").RRset(TypeSOA).SOA(); soa.Serial != tt.next {
			t.Errorf("after %d: the SOA record has the serial %d", tt.serial, soa.Serial)
		}
	}
}

// What an update does not change is not made anew.
func TestNodesOutliveOtherChanges(t *testing.T) {
	z := newTestZone(t)
	z.Update("s", Update{
		Agents:     []Agent{agent0},
		Tasks:      []Task{running("web.1", "web", agent0)},
		Frameworks: []Framework{{Name: "marathon", Addrs: addrs("10.0.0.5")}},
	})
	before := z.Snapshot()
	z.Update("s", Update{Tasks: []Task{running("db.1", "db", agent0), running("web.2", "web", agent0)}})
	for _, name := range []string{"slave.mesos", "web-" + taskHash("web.1") + "-s0.marathon.mesos"} {
		if node := before.LookupName(name); node == nil || node != z.Snapshot().LookupName(name) {
			t.Errorf("%s is another one though it is the same", name)
		}
	}
}

// A set of many records finds each of them; what is taken away again is not there.
func TestLargeSets(t *testing.T) {
	z := newTestZone(t)
	var tasks []Task
	var gone []string
	for i := range 300 {
		task := running(fmt.Sprintf("web.%d", i), "web", agent0, 31000+i)
		tasks, gone = append(tasks, task), append(gone, task.ID)
	}
	for _, n := range []int{1, 63, 64, 65, 128, 129, 300} {
		z.Update("s", Update{Agents: []Agent{agent0}, Tasks: tasks[:n]})
		set := z.Snapshot().LookupName("_web._tcp.marathon.mesos.").RRset(TypeSRV)
		var walked, found []string
		for at := 0; at < len(set.Wire()); at = RecordEnd(set.Wire(), at) {
			walked = append(walked, set.Wire()[at:RecordEnd(set.Wire(), at)])
		}
		for i := range set.Len() {
			found = append(found, set.Wire()[set.At(i):set.At(i+1)])
		}
		if len(walked) != n || !slices.Equal(walked, found) {
			t.Errorf("%d records, of which %d are found one after the other, and %d by number", n, len(walked), len(found))
		}
		check(t, z, z.Snapshot())
		z.Update("s", Update{TasksGone: gone[:n]})
	}
}

func TestReady(t *testing.T) {
	z := newTestZone(t)
	if !z.Ready() {
		t.Error("not ready, though no source is expected")
	}
	z.Expect("scheduler")
	z.Expect("mesos")
	z.Expect("mesos")
	z.Update("other", Update{})
	z.Update("mesos", Update{})
	if z.Ready() {
		t.Error("ready, though the scheduler has not spoken")
	}
	z.Update("scheduler", Update{})
	z.Update("scheduler", Update{})
	z.Expect("scheduler")
	if !z.Ready() {
		t.Error("not ready, though all have spoken")
	}
}

func TestSkipped(t *testing.T) {
	long := strings.Repeat("n", 63)
	dotted := strings.Repeat("a.", 120) + "a"
	dotted63 := strings.Repeat("a-", 31) + "a"
	tests := []struct {
		name    string
		task    Task
		skipped int
		there   string // a name that is published nevertheless
	}{
		{"label without usable characters", Task{Name: "日本"}, 2, "-iffe9-s0.marathon.mesos."},
		// N itself fits, N-H-A does not: two addresses, and the SRV records whose target it is.
		{"canonical name too long", Task{Name: long, Ports: []int{1}}, 2 + 4, long + ".marathon.mesos."},
		{"empty label inside", Task{Name: "x", Discovery: &Discovery{Name: "a..b"}}, 4, "a--b.marathon.mesos."},
		// Its label is cut to 63 octets, so that only the canonical names of that one are too long.
		{"name too long", Task{Name: "x", Discovery: &Discovery{Name: dotted}}, 4 + 2, dotted63 + ".marathon.mesos."},
		{"framework without a name", Task{Name: "x", Framework: "-", Ports: []int{1}}, 4 + 4, ""},
		{"capitals in the verbatim name", Task{Name: "x", Discovery: &Discovery{Name: "Web"}}, 4, "web.marathon.mesos."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := newTestZone(t)
			tt.task.ID, tt.task.AgentID, tt.task.State = "test", agent0.ID, "TASK_RUNNING"
			if tt.task.Framework == "" {
				tt.task.Framework = "marathon"
			}
			z.Update("s", Update{Agents: []Agent{agent0}, Tasks: []Task{tt.task}})
			s := z.Snapshot()
			if s.Stats().Skipped != tt.skipped {
				t.Errorf("skipped %d, want %d, of:\n%s", s.Stats().Skipped, tt.skipped, strings.Join(lines(s), "\n"))
			}
			if tt.there != "" && len(at(s, tt.there)) == 0 {
				t.Errorf("no %s in:\n%s", tt.there, strings.Join(lines(s), "\n"))
			}
			z.Update("s", Update{TasksGone: []string{"test"}})
			if s := z.Snapshot(); s.Stats().Skipped != 0 {
				t.Errorf("skipped %d after the task went", s.Stats().Skipped)
			}
		})
	}
}

// A reader that holds a snapshot is not disturbed by updates; run with -race.
func TestReadersDuringUpdates(t *testing.T) {
	z := newTestZone(t)
	z.Update("s", Update{Agents: []Agent{agent0}, Tasks: []Task{running("web.0", "web", agent0, 31000)}})
	first := z.Snapshot()
	want := lines(first)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				set := z.Snapshot().LookupName("web.marathon.mesos").RRset(TypeA)
				_ = set.Addrs()
				_ = z.Ready()
			}
		})
	}
	for i := range 200 {
		id := fmt.Sprintf("web.%d", i%10+1)
		z.Update("s", Update{Tasks: []Task{running(id, "web", agent0, 31000+i)}})
		if i%3 == 0 {
			z.Update("s", Update{TasksGone: []string{id}})
			_ = z.Enumerate()
		}
	}
	close(done)
	readers.Wait()
	wantLines(t, lines(first), want)
}

// What no message can carry is found by its text, as Mesos-DNS's HTTP API finds it, and says in DNS that it is not there.
func TestListedOnly(t *testing.T) {
	z := newTestZone(t)
	u := Update{Agents: []Agent{agent0}, Tasks: []Task{{ID: "test", AgentID: agent0.ID, State: "TASK_RUNNING",
		Framework: "marathon", Discovery: &Discovery{Name: ".y", Ports: []DiscoveryPort{{Number: 70000, Protocol: "tcp", Container: true}}}}}}
	before := z.Snapshot().Serial()
	z.Update("s", u)
	s := z.Snapshot()
	if s.Serial() == before {
		t.Error("the serial stayed")
	}
	if n := s.LookupListed(".y.marathon.mesos."); n == nil || n.RRset(TypeA).Len() != 1 {
		t.Errorf(".y.marathon.mesos.: %v", n)
	}
	if s.LookupName(".y.marathon.mesos.") != nil {
		t.Error("a name with an empty label can be asked for")
	}
	node := s.LookupName("_.y._tcp.marathon.mesos.")
	if got, want := node.SRVListed()[0], (SRVListed{Target: ".y-iffe9-s0.marathon.mesos.", Port: 70000}); got != want {
		t.Errorf("listed as %v, want %v", got, want)
	}
	if got := node.RRset(TypeSRV).SRV()[0]; got.Target != "." || got.Port != 70000-1<<16 {
		t.Errorf("%v in DNS, want target . and port %d", got, 70000-1<<16)
	}
	z.Update("s", Update{Reset: true})
	for name := range z.Snapshot().Listed() {
		t.Errorf("%s stays when its task is gone", name)
	}
}
