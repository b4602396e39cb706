package records

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// recorded is a case recorded from Mesos-DNS: its configuration, the state that it read and what it made of it.
type recorded struct {
	config struct {
		Masters       []string
		Domain        string
		Listener      string
		SOAMname      string
		IPSources     []string
		EnforceRFC952 bool
	}
	state state
	axfr  struct {
		Records struct{ As, AAAAs, SRVs map[string][]string }
	}
	enumerate struct {
		Frameworks []struct {
			Name  string
			Tasks []struct {
				Name, ID string
				Records  []struct{ Name, Host, Rtype string }
			}
		}
	}
}

// state is what names depend on of a Mesos master's state document.
type state struct {
	Leader     string
	Slaves     []struct{ ID, PID string }
	Frameworks []struct {
		Name, PID, Hostname string
		Tasks               []stateTask
	}
}

type stateTask struct {
	ID, Name  string
	SlaveID   string `json:"slave_id"`
	State     string
	Statuses  []stateStatus
	Resources struct{ Ports string }
	Discovery *struct {
		Name  string
		Ports struct {
			Ports []struct {
				Number         int
				Name, Protocol string
			}
		}
	}
}

type stateStatus struct {
	State           string
	Timestamp       float64
	Labels          []struct{ Key, Value string }
	ContainerStatus struct {
		NetworkInfos []struct {
			IPAddresses []struct {
				IPAddress string `json:"ip_address"`
			} `json:"ip_addresses"`
			IPAddress string `json:"ip_address"`
		} `json:"network_infos"`
	} `json:"container_status"`
}

func literal(text string) []netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil {
		return []netip.Addr{a}
	}
	return nil
}

// pid gives the address and the port of a libprocess id, "slave(1)@10.0.0.1:5051".
func pid(text string) ([]netip.Addr, int) {
	_, hostPort, _ := strings.Cut(text, "@")
	ap, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return nil, 0
	}
	return []netip.Addr{ap.Addr()}, int(ap.Port())
}

func (s stateTask) task(framework string) Task {
	t := Task{ID: s.ID, Name: s.Name, Framework: framework, AgentID: s.SlaveID, State: s.State}
	for r := range strings.SplitSeq(strings.Trim(s.Resources.Ports, "[]"), ",") {
		low, high, _ := strings.Cut(strings.TrimSpace(r), "-")
		first, err1 := strconv.Atoi(low)
		last, err2 := strconv.Atoi(high)
		for p := first; err1 == nil && err2 == nil && p <= last; p++ {
			t.Ports = append(t.Ports, p)
		}
	}
	var latest *stateStatus
	for i, st := range s.Statuses {
		if st.State == "TASK_RUNNING" && st.Timestamp > -1 && (latest == nil || st.Timestamp > latest.Timestamp) {
			latest = &s.Statuses[i]
		}
	}
	if latest != nil {
		for _, ni := range latest.ContainerStatus.NetworkInfos {
			for _, ip := range ni.IPAddresses {
				t.Addresses.NetInfo = append(t.Addresses.NetInfo, literal(ip.IPAddress)...)
			}
			if len(ni.IPAddresses) == 0 {
				t.Addresses.NetInfo = append(t.Addresses.NetInfo, literal(ni.IPAddress)...)
			}
		}
		for _, l := range latest.Labels {
			switch l.Key {
			case "Docker.NetworkSettings.IPAddress":
				t.Addresses.Docker = append(t.Addresses.Docker, literal(l.Value)...)
			case "MesosContainerizer.NetworkSettings.IPAddress":
				t.Addresses.Mesos = append(t.Addresses.Mesos, literal(l.Value)...)
			}
		}
	}
	if d := s.Discovery; d != nil {
		t.Discovery = &Discovery{Name: d.Name}
		for _, p := range d.Ports.Ports {
			t.Discovery.Ports = append(t.Discovery.Ports,
				DiscoveryPort{Number: p.Number, Name: p.Name, Protocol: p.Protocol, Container: true})
		}
	}
	return t
}

func (r *recorded) update() Update {
	u := Update{Reset: true, Masters: &Masters{}}
	_, leader, _ := strings.Cut(r.state.Leader, "@")
	u.Masters.Leader, _ = netip.ParseAddrPort(leader)
	for _, m := range r.config.Masters {
		if ap, err := netip.ParseAddrPort(m); err == nil {
			u.Masters.All = append(u.Masters.All, ap)
		}
	}
	for _, s := range r.state.Slaves {
		a := Agent{ID: s.ID}
		a.Addrs, a.Port = pid(s.PID)
		u.Agents = append(u.Agents, a)
	}
	for i, f := range r.state.Frameworks {
		framework := Framework{Key: strconv.Itoa(i), Name: f.Name}
		framework.Addrs, framework.Port = pid(f.PID)
		if framework.Addrs == nil {
			framework.Addrs = literal(f.Hostname)
		}
		u.Frameworks = append(u.Frameworks, framework)
		for j, t := range f.Tasks {
			task := t.task(f.Name)
			task.FrameworkKey = framework.Key
			task.Key = fmt.Sprintf("%d/%d", i, j) // some recorded states hold an id twice
			u.Tasks = append(u.Tasks, task)
		}
	}
	return u
}

func (r *recorded) zone(t *testing.T) *Zone {
	t.Helper()
	o := DefaultOptions(strings.ToLower(r.config.Domain))
	if r.config.SOAMname != "" {
		o.SOA.MName = r.config.SOAMname + "."
	}
	o.ListenAddrs = literal(r.config.Listener)
	if r.config.IPSources != nil {
		o.IPSources = r.config.IPSources
	}
	o.EnforceRFC952 = r.config.EnforceRFC952
	z, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// load reads a case, or one step of it: what Mesos-DNS made of the state is in a directory of its own then.
func load(t *testing.T, dir, state, answers string) *recorded {
	t.Helper()
	r := &recorded{}
	for file, into := range map[string]any{
		"config.json": &r.config, state: &r.state,
		filepath.Join(answers, "axfr.json"):      &r.axfr,
		filepath.Join(answers, "enumerate.json"): &r.enumerate,
	} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatalf("%s/%s: %v", dir, file, err)
		}
	}
	return r
}

// want gives the lines that the recording stands for: all of them, to the letter.
func (r *recorded) want() []string {
	var out []string
	for rrtype, byName := range map[string]map[string][]string{
		"A": r.axfr.Records.As, "AAAA": r.axfr.Records.AAAAs, "SRV": r.axfr.Records.SRVs,
	} {
		for owner, values := range byName {
			for _, value := range values {
				out = append(out, fmt.Sprintf("%s %s %s", owner, rrtype, value))
			}
		}
	}
	slices.Sort(out)
	return out
}

const sharedRecordings = "../../shared/testdata/mesos-dns/public"

// needShared skips a test of recordings outside of the repository where there are none, unless this is CI.
func needShared(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(sharedRecordings); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("NOT COMPARED WITH ALL OF MESOS-DNS'S RECORDINGS: %v", err)
	}
}

// forEachRecording runs a test on each recorded case that makes do with one state document.
func forEachRecording(t *testing.T, test func(t *testing.T, r *recorded, dir string)) {
	t.Helper()
	run := func(t *testing.T, root string) {
		states, err := filepath.Glob(filepath.Join(root, "*", "state.json"))
		if err != nil || len(states) == 0 {
			t.Fatalf("%s: no recorded cases: %v", root, err)
		}
		for _, file := range states {
			dir := filepath.Dir(file)
			if _, err := os.Stat(filepath.Join(dir, "axfr.json")); err == nil { // it is off in some cases
				t.Run(filepath.Base(dir), func(t *testing.T) { test(t, load(t, dir, "state.json", "."), dir) })
			}
		}
	}
	t.Run("testdata", func(t *testing.T) { run(t, "testdata/mesos-dns") })
	t.Run("shared", func(t *testing.T) {
		needShared(t)
		run(t, sharedRecordings)
	})
}

func TestRecordsEqualMesosDNS(t *testing.T) {
	forEachRecording(t, func(t *testing.T, r *recorded, dir string) {
		z := r.zone(t)
		z.Update("mesos", r.update())
		want := r.want()
		if filepath.Base(dir) == "edge-discovery" {
			// A list of protocols stands for each of them, besides what Mesos-DNS makes of it.
			const target = " SRV both-proto-iwyh9-s0.marathon.mesos.:82"
			for _, owner := range []string{"_both-proto.", "_both._both-proto."} {
				want = append(want, owner+"_tcp.marathon.mesos."+target, owner+"_udp.marathon.mesos."+target)
			}
			slices.Sort(want)
		}
		wantSorted(t, z, want)
	})
}

func wantSorted(t *testing.T, z *Zone, want []string) {
	t.Helper()
	var got []string
	add := func(name string, node *Node) {
		for set := range node.RRsets() {
			for _, a := range set.Addrs() {
				got = append(got, fmt.Sprintf("%s %s %s", name, typeName(set.Type), a))
			}
		}
		for _, srv := range node.SRVListed() {
			got = append(got, fmt.Sprintf("%s SRV %s:%d", name, srv.Target, srv.Port))
		}
	}
	for name, node := range z.Snapshot().All() {
		add(name, node)
	}
	for name, node := range z.Snapshot().Listed() {
		add(name, node)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("records differ (-Mesos-DNS +got):\n%s", diff)
	}
}

// One state after the other, as a source that polls gives them.
func TestRecordsFollowMesosDNS(t *testing.T) {
	needShared(t)
	dir := filepath.Join(sharedRecordings, "seq-refresh")
	z := load(t, dir, "a.json", "step-1").zone(t)
	for _, step := range []struct{ state, dir string }{
		{"a.json", "step-1"}, {"b.json", "step-2"}, {"c.json", "step-7"}, {"a.json", "step-1"},
	} {
		r := load(t, dir, step.state, step.dir)
		z.Update("mesos", r.update())
		wantSorted(t, z, r.want())
		check(t, z, z.Snapshot())
		serial := z.Snapshot().Serial()
		z.Update("mesos", r.update())
		if z.Snapshot().Serial() != serial {
			t.Errorf("%s: the same state again moved the serial", step.state)
		}
	}
}

func TestEnumerateEqualsMesosDNS(t *testing.T) {
	forEachRecording(t, func(t *testing.T, r *recorded, _ string) {
		z := r.zone(t)
		z.Update("mesos", r.update())
		var want []EnumeratedFramework
		for _, f := range r.enumerate.Frameworks {
			framework := EnumeratedFramework{Name: f.Name}
			for _, task := range f.Tasks {
				e := EnumeratedTask{Name: task.Name, ID: task.ID}
				for _, rec := range task.Records {
					e.Records = append(e.Records, EnumeratedRecord{Name: rec.Name, Host: rec.Host, Type: rec.Rtype})
				}
				framework.Tasks = append(framework.Tasks, e)
			}
			want = append(want, framework)
		}
		byText := cmpopts.SortSlices(func(a, b EnumeratedRecord) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
		if diff := cmp.Diff(want, z.Enumerate(), byText, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("enumerations differ (-Mesos-DNS +got):\n%s", diff)
		}
	})
}
