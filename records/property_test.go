package records

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world is what sources have said, in the plainest form.
type world map[string]*said

type said struct {
	tasks      map[string]Task
	agents     map[string]Agent
	frameworks map[string]Framework
	masters    Masters
}

func (w world) apply(source string, u Update) {
	s := w[source]
	if s == nil || u.Reset {
		s = &said{map[string]Task{}, map[string]Agent{}, map[string]Framework{}, Masters{}}
		w[source] = s
	}
	for _, key := range u.TasksGone {
		delete(s.tasks, key)
	}
	for _, id := range u.AgentsGone {
		delete(s.agents, id)
	}
	for _, key := range u.FrameworksGone {
		delete(s.frameworks, key)
	}
	for _, t := range u.Tasks {
		s.tasks[t.key()] = t
	}
	for _, a := range u.Agents {
		s.agents[a.ID] = a
	}
	for _, f := range u.Frameworks {
		s.frameworks[f.key()] = f
	}
	if u.Masters != nil {
		s.masters = *u.Masters
	}
}

// The generators draw from few values, so that names, addresses and ids meet.
var (
	drawAddr = rapid.Custom(func(t *rapid.T) netip.Addr {
		return netip.MustParseAddr(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", "fd00::1", "::ffff:10.0.0.1"}).Draw(t, "addr"))
	})
	drawAddrs = rapid.SliceOfN(drawAddr, 0, 2)
	drawPort  = rapid.SampledFrom([]int{0, 80, 31000, 65536})
	drawAgent = rapid.Custom(func(t *rapid.T) Agent {
		return Agent{ID: rapid.SampledFrom([]string{"x-S0", "x-S1"}).Draw(t, "id"), Addrs: drawAddrs.Draw(t, "addrs"),
			Port: drawPort.Draw(t, "port")}
	})
	drawFramework = rapid.Custom(func(t *rapid.T) Framework {
		return Framework{Key: rapid.SampledFrom([]string{"", "1"}).Draw(t, "key"),
			Name: drawName.Draw(t, "name"), Addrs: drawAddrs.Draw(t, "addrs"), Port: drawPort.Draw(t, "port")}
	})
	drawName = rapid.SampledFrom([]string{"a", "b", "A.b", "slave", "leader", "_tcp", "", "a..b"})
	drawTTL  = rapid.Ptr(rapid.SampledFrom([]uint32{0, 5, 60}), true)
	drawTask = rapid.Custom(func(t *rapid.T) Task {
		task := Task{
			ID:        rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "id"),
			Name:      drawName.Draw(t, "name"),
			Framework: rapid.SampledFrom([]string{"f", "slave", "a.b"}).Draw(t, "framework"),
			AgentID:   rapid.SampledFrom([]string{"x-S0", "x-S1", "x-S2"}).Draw(t, "agent"),
			State:     rapid.SampledFrom([]string{"TASK_RUNNING", "TASK_RUNNING", "TASK_RUNNING", "TASK_STAGING"}).Draw(t, "state"),
			Health:    Health(rapid.IntRange(0, 2).Draw(t, "health")),
			Ports:     rapid.SliceOfN(drawPort, 0, 2).Draw(t, "ports"),
			Addresses: Addresses{NetInfo: drawAddrs.Draw(t, "netinfo")},
			TTL:       drawTTL.Draw(t, "ttl"),
		}
		if rapid.Bool().Draw(t, "discoverable") {
			task.Discovery = &Discovery{Name: drawName.Draw(t, "discovery name")}
			for range rapid.IntRange(0, 2).Draw(t, "discovery ports") {
				task.Discovery.Ports = append(task.Discovery.Ports, DiscoveryPort{
					Number: drawPort.Draw(t, "number"), Name: drawName.Draw(t, "port name"),
					Protocol:  rapid.SampledFrom([]string{"", "tcp", "udp,tcp"}).Draw(t, "protocol"),
					Container: rapid.Bool().Draw(t, "container"),
				})
			}
		}
		return task
	})
	drawUpdate = rapid.Custom(func(t *rapid.T) Update {
		u := Update{
			Reset:          rapid.IntRange(0, 9).Draw(t, "reset") == 0,
			Tasks:          rapid.SliceOfN(drawTask, 0, 3).Draw(t, "tasks"),
			TasksGone:      rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3"}), 0, 2).Draw(t, "tasks gone"),
			Agents:         rapid.SliceOfN(drawAgent, 0, 2).Draw(t, "agents"),
			AgentsGone:     rapid.SliceOfN(rapid.SampledFrom([]string{"x-S0", "x-S1"}), 0, 1).Draw(t, "agents gone"),
			Frameworks:     rapid.SliceOfN(drawFramework, 0, 1).Draw(t, "frameworks"),
			FrameworksGone: rapid.SliceOfN(rapid.SampledFrom([]string{"a", "1"}), 0, 1).Draw(t, "frameworks gone"),
		}
		if rapid.IntRange(0, 3).Draw(t, "masters said") == 0 {
			u.Masters = &Masters{}
			for range rapid.IntRange(0, 2).Draw(t, "masters") {
				u.Masters.All = append(u.Masters.All, netip.AddrPortFrom(drawAddr.Draw(t, "master"), 5050))
			}
			if len(u.Masters.All) > 0 && rapid.Bool().Draw(t, "led") {
				u.Masters.Leader = u.Masters.All[0]
			}
		}
		return u
	})
)

// content is every name that exists, with its records.
func content(s *Snapshot) map[name][]rdata {
	out := make(map[name][]rdata)
	s.names.all(func(n *Node) bool { out[n.name()] = n.published(); return true })
	return out
}

// contentOf is the content of one zone.
func contentOf(s *Snapshot, apex Apex) map[name][]rdata {
	out := content(s)
	maps.DeleteFunc(out, func(n name, _ []rdata) bool { return !apex.Has([]byte(n)) })
	return out
}

// check fails unless the snapshot keeps its promises.
func check(t interface{ Fatalf(string, ...any) }, z *Zone, s *Snapshot) {
	children := make(map[name]uint32)
	names, records := 0, 0
	s.names.all(func(n *Node) bool {
		if parsed, ok := parseName(n.name().text()); !ok || parsed != n.name() || s.ApexOf([]byte(n.name())) == nil {
			t.Fatalf("%q is no name of this zone", n.name())
		}
		if string(n.name()) != s.ApexOf([]byte(n.name())).Wire() {
			children[n.name().parent()]++
		}
		if n.hasRecords() {
			names++
			records += n.records()
		}
		last := uint16(0)
		for set := range n.RRsets() {
			if set.Len() == 0 || last >= set.Type {
				t.Fatalf("%s: RRsets are empty or out of order", n.name().text())
			}
			last = set.Type
			at := 0
			for i := range set.Len() {
				if set.At(i) != at {
					t.Fatalf("%s: record %d is at %d, not at %d", n.name().text(), i, at, set.At(i))
				}
				at = RecordEnd(set.Wire(), at)
			}
			if at != len(set.Wire()) || set.At(set.Len()) != at {
				t.Fatalf("%s: the records end at %d of %d octets", n.name().text(), at, len(set.Wire()))
			}
			for _, srv := range set.SRV() {
				if target, ok := parseName(srv.Target); !ok || target.text() != srv.Target {
					t.Fatalf("%s: SRV target %q is no name", n.name().text(), srv.Target)
				}
			}
		}
		data := n.published()
		if !slices.IsSortedFunc(data, rdata.compare) || hasMixedTTLs(data) || len(slices.Compact(slices.Clone(data))) != len(data) {
			t.Fatalf("%s: records are not sorted or not unique: %v", n.name().text(), data)
		}
		return true
	})
	s.names.all(func(n *Node) bool {
		if n.children != children[n.name()] {
			t.Fatalf("%s counts %d names below it, there are %d", n.name().text(), n.children, children[n.name()])
		}
		if !n.exists() {
			t.Fatalf("%s has no reason to exist", n.name().text())
		}
		delete(children, n.name())
		return true
	})
	if len(children) > 0 {
		t.Fatalf("ancestors that do not exist: %q", slices.Collect(maps.Keys(children)))
	}
	if st := s.Stats(); st.Names != names || st.Records != records {
		t.Fatalf("stats %+v, counted %d names and %d records", st, names, records)
	}
}

// hasMixedTTLs reports whether sorted records of one type differ in TTL, or in nothing else.
func hasMixedTTLs(data []rdata) bool {
	for i := range max(len(data)-1, 0) {
		if a, b := data[i], data[i+1]; a.rrtype == b.rrtype && (a.ttl != b.ttl || a.same(b)) {
			return true
		}
	}
	return false
}

// Whatever the way there, a zone is what its sources say, and its serial moves exactly when its content does.
func TestZoneDependsOnWhatWasSaidOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := DefaultOptions("mesos")
		o.AllUnhealthy = AllUnhealthy(rapid.IntRange(0, 1).Draw(t, "all unhealthy"))
		o.ListenAddrs = addrs("127.0.0.1")
		if rapid.Bool().Draw(t, "reverse zones") {
			o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/16")}
		}
		z, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		w := world{}
		for range rapid.IntRange(1, 12).Draw(t, "updates") {
			source := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "source")
			u := drawUpdate.Draw(t, "update")
			before, old := z.Snapshot(), content(z.Snapshot())
			w.apply(source, u)
			z.Update(source, u)
			after := z.Snapshot()
			check(t, z, after)

			for i, apex := range after.Apexes() {
				moved := apex.Serial != before.Apexes()[i].Serial
				changed := !cmp.Equal(contentOf(before, apex), contentOf(after, apex), compareRdata)
				if moved != changed {
					t.Fatalf("%s: the serial moved: %v; the content changed: %v", apex.Name, moved, changed)
				}
			}
			if diff := cmp.Diff(old, content(before), compareRdata); diff != "" {
				t.Fatalf("the update changed an older snapshot:\n%s", diff)
			}
		}

		fresh, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for source, s := range w {
			fresh.Update(source, Update{
				Tasks: slices.Collect(maps.Values(s.tasks)), Agents: slices.Collect(maps.Values(s.agents)),
				Frameworks: slices.Collect(maps.Values(s.frameworks)), Masters: &s.masters,
			})
		}
		if diff := cmp.Diff(content(fresh.Snapshot()), content(z.Snapshot()), compareRdata); diff != "" {
			t.Fatalf("the zone is not what a new one is (-new +got):\n%s", diff)
		}
		got, want := z.Snapshot().Stats(), fresh.Snapshot().Stats()
		got.Changed = want.Changed
		if got != want {
			t.Fatalf("stats %+v, those of a new zone %+v", got, want)
		}
		for source := range w {
			z.Update(source, Update{Reset: true})
		}
		empty := Stats{Names: 2 + len(o.ReverseZones), Records: 3 + 2*len(o.ReverseZones), Changed: z.Snapshot().Stats().Changed}
		if got := z.Snapshot().Stats(); got != empty {
			t.Fatalf("stats after everything went: %+v", got)
		}
	})
}

var compareRdata = cmp.Comparer(func(a, b []rdata) bool { return slices.Equal(a, b) })

// The work of an update depends on the names that it changes and not on how many there are.
func TestUpdateRebuildsOnlyWhatChanges(t *testing.T) {
	rebuilt := func(tasks int) int {
		z := newTestZone(t)
		z.Update("s", crowd(tasks))
		before := nodes(z.Snapshot())
		changed := crowdTask(tasks / 2)
		changed.Ports = []int{32000}
		z.Update("s", Update{Tasks: []Task{changed}})
		count := 0
		for n := range nodes(z.Snapshot()) {
			if !before[n] {
				count++
			}
		}
		return count
	}
	few, many := rebuilt(10), rebuilt(10_000)
	if few != many || few == 0 {
		t.Errorf("one changed task rebuilds %d nodes among 10 tasks, %d among 10,000", few, many)
	}
}

func nodes(s *Snapshot) map[*Node]bool {
	out := make(map[*Node]bool)
	s.names.all(func(n *Node) bool { out[n] = true; return true })
	return out
}

// crowd is many tasks, ten to an app, on agents of twenty tasks each.
func crowd(tasks int) Update {
	u := Update{Frameworks: []Framework{{Name: "marathon", Addrs: addrs("10.255.0.1"), Port: 8080}}}
	for i := range max(1, tasks/20) {
		u.Agents = append(u.Agents, Agent{
			ID:    fmt.Sprintf("20141110-112738-16842879-5050-6868-S%d", i),
			Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})},
			Port:  5051,
		})
	}
	for i := range tasks {
		u.Tasks = append(u.Tasks, crowdTask(i))
	}
	return u
}

func crowdTask(i int) Task {
	name := fmt.Sprintf("web.app%d.prod", i/10)
	return Task{
		ID: fmt.Sprintf("prod_app%d_web.%08x-6868-11e4-a2f2-56847afe9799", i/10, i), Name: name, Framework: "marathon",
		AgentID: fmt.Sprintf("20141110-112738-16842879-5050-6868-S%d", i/20),
		State:   "TASK_RUNNING", Health: Healthy, Ports: []int{31000 + i%20},
		Discovery: &Discovery{Name: name, Ports: []DiscoveryPort{{Number: 31000 + i%20, Name: "http", Protocol: "tcp"}}},
	}
}
