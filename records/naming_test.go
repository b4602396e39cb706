package records

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTaskHash(t *testing.T) {
	if got := taskHash("test"); got != "iffe9" {
		t.Errorf("taskHash(test) = %s, want iffe9", got)
	}
}

func TestAgentSuffix(t *testing.T) {
	for id, want := range map[string]string{
		"20141110-112738-16842879-5050-6868-S12": "s12", "no-suffix-ABC_Def": "abc_def", "plainID": "plainid", "": "", "x-": "",
	} {
		if got := agentSuffix(id); got != want {
			t.Errorf("agentSuffix(%q) = %q, want %q", id, got, want)
		}
	}
}

// tasksOnly gives the lines of a zone with these tasks on agent0, without those of the agent itself.
func tasksOnly(t *testing.T, tasks []Task, change ...func(*Options)) []string {
	t.Helper()
	z := newTestZone(t, change...)
	agent := agent0
	agent.Port = 0
	z.Update("s", Update{Agents: []Agent{agent}, Tasks: tasks})
	out := []string{}
	for _, l := range lines(z.Snapshot()) {
		if !strings.HasPrefix(l, "slave.mesos. ") {
			out = append(out, l)
		}
	}
	return out
}

func TestTaskNames(t *testing.T) {
	bridged := Addresses{NetInfo: addrs("172.17.0.2")}
	tests := []struct {
		name      string
		task      string
		framework string
		ports     []int
		addresses Addresses
		discovery *Discovery
		want      string
	}{
		{
			name: "without DiscoveryInfo", task: "Web.App", ports: []int{31000, 31001},
			want: `
_web-app._tcp.marathon.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31000
_web-app._tcp.marathon.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31001
_web-app._udp.marathon.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31000
_web-app._udp.marathon.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31001
web-app.marathon.mesos. A 10.0.0.1
web-app-iffe9-s0.marathon.mesos. A 10.0.0.1
_web-app._tcp.marathon.slave.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31000
_web-app._tcp.marathon.slave.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31001
_web-app._udp.marathon.slave.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31000
_web-app._udp.marathon.slave.mesos. SRV web-app-iffe9-s0.marathon.slave.mesos.:31001
web-app.marathon.slave.mesos. A 10.0.0.1
web-app-iffe9-s0.marathon.slave.mesos. A 10.0.0.1`,
		},
		{
			name: "framework of several labels", task: "web", framework: "Marathon.Prod_1",
			want: `
web.marathon.prod-1.mesos. A 10.0.0.1
web-iffe9-s0.marathon.prod-1.mesos. A 10.0.0.1
web.marathon.prod-1.slave.mesos. A 10.0.0.1
web-iffe9-s0.marathon.prod-1.slave.mesos. A 10.0.0.1`,
		},
		{
			name: "DiscoveryInfo without a name is none", task: "web", ports: []int{31000},
			discovery: &Discovery{Ports: []DiscoveryPort{{Number: 80}}},
			want: `
_web._tcp.marathon.mesos. SRV web-iffe9-s0.marathon.slave.mesos.:31000
_web._udp.marathon.mesos. SRV web-iffe9-s0.marathon.slave.mesos.:31000
web.marathon.mesos. A 10.0.0.1
web-iffe9-s0.marathon.mesos. A 10.0.0.1
_web._tcp.marathon.slave.mesos. SRV web-iffe9-s0.marathon.slave.mesos.:31000
_web._udp.marathon.slave.mesos. SRV web-iffe9-s0.marathon.slave.mesos.:31000
web.marathon.slave.mesos. A 10.0.0.1
web-iffe9-s0.marathon.slave.mesos. A 10.0.0.1`,
		},
		{
			name: "DiscoveryInfo without ports: SRV for the agent's ports only", task: "ignored", ports: []int{31000},
			discovery: &Discovery{Name: "web"},
			want: `
web.marathon.mesos. A 10.0.0.1
web-iffe9-s0.marathon.mesos. A 10.0.0.1
_web._tcp.marathon.slave.mesos. SRV web-iffe9-s0.marathon.slave.mesos.:31000
_web._udp.marathon.slave.mesos. SRV web-iffe9-s0.marathon.slave.mesos.:31000
web.marathon.slave.mesos. A 10.0.0.1
web-iffe9-s0.marathon.slave.mesos. A 10.0.0.1`,
		},
		{
			name: "DiscoveryInfo: verbatim, and as a label", task: "ignored",
			discovery: &Discovery{Name: "seed.db", Ports: []DiscoveryPort{{Number: 9042, Name: "CQL_v3", Protocol: "TCP"}}},
			want: `
_seed-db._tcp.marathon.mesos. SRV seed-db-iffe9-s0.marathon.mesos.:9042
_cql-v3._seed-db._tcp.marathon.mesos. SRV seed-db-iffe9-s0.marathon.mesos.:9042
_seed.db._tcp.marathon.mesos. SRV seed.db-iffe9-s0.marathon.mesos.:9042
_cql-v3._seed.db._tcp.marathon.mesos. SRV seed.db-iffe9-s0.marathon.mesos.:9042
seed.db.marathon.mesos. A 10.0.0.1
seed.db-iffe9-s0.marathon.mesos. A 10.0.0.1
seed-db.marathon.mesos. A 10.0.0.1
seed-db-iffe9-s0.marathon.mesos. A 10.0.0.1
seed.db.marathon.slave.mesos. A 10.0.0.1
seed.db-iffe9-s0.marathon.slave.mesos. A 10.0.0.1
seed-db.marathon.slave.mesos. A 10.0.0.1
seed-db-iffe9-s0.marathon.slave.mesos. A 10.0.0.1`,
		},
		{
			name: "protocols", task: "ignored",
			discovery: &Discovery{Name: "x", Ports: []DiscoveryPort{
				{Number: 1}, {Number: 2, Protocol: "udp,tcp"}, {Number: 3, Protocol: "http/1.1"}, {Number: 4, Protocol: "tcp,"},
			}},
			want: `
_x._http1-1.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:3
_x._tcp.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:1
_x._tcp.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:2
_x._tcp.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:4
_x._udp.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:1
_x._udp.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:2
_x._udptcp.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:2
x.marathon.mesos. A 10.0.0.1
x-iffe9-s0.marathon.mesos. A 10.0.0.1
x.marathon.slave.mesos. A 10.0.0.1
x-iffe9-s0.marathon.slave.mesos. A 10.0.0.1`,
		},
		{
			name: "ports of the agent and of the task's own address", task: "x", addresses: bridged,
			discovery: &Discovery{Name: "x", Ports: []DiscoveryPort{
				{Number: 31000, Protocol: "tcp"}, {Number: 80, Protocol: "tcp", Container: true},
			}},
			want: `
_x._tcp.marathon.mesos. SRV x-iffe9-s0.marathon.mesos.:80
_x._tcp.marathon.mesos. SRV x-iffe9-s0.marathon.slave.mesos.:31000
x.marathon.mesos. A 172.17.0.2
x-iffe9-s0.marathon.mesos. A 172.17.0.2
x.marathon.slave.mesos. A 10.0.0.1
x-iffe9-s0.marathon.slave.mesos. A 10.0.0.1`,
		},
		{
			name: "octets that text has to escape: listed only", task: "x",
			discovery: &Discovery{Name: "a b@c", Ports: []DiscoveryPort{{Number: 1, Protocol: "tcp"}}},
			want: `
_abc._tcp.marathon.mesos. SRV abc-iffe9-s0.marathon.mesos.:1
abc.marathon.mesos. A 10.0.0.1
abc-iffe9-s0.marathon.mesos. A 10.0.0.1
abc.marathon.slave.mesos. A 10.0.0.1
abc-iffe9-s0.marathon.slave.mesos. A 10.0.0.1`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := Task{
				ID: "test", Name: tt.task, Framework: tt.framework, AgentID: agent0.ID, State: "TASK_RUNNING",
				Ports: tt.ports, Addresses: tt.addresses, Discovery: tt.discovery,
			}
			if task.Framework == "" {
				task.Framework = "marathon"
			}
			wantLines(t, tasksOnly(t, []Task{task}), strings.Split(strings.TrimSpace(tt.want), "\n"))
		})
	}
}

func TestIPSources(t *testing.T) {
	all := Addresses{NetInfo: addrs("192.168.0.1", "fd01::1"), Docker: addrs("172.17.0.1"), Mesos: addrs("172.18.0.1")}
	mapped := Addresses{Docker: append(addrs("::ffff:172.17.0.1", "fe80::1%eth0"), netip.Addr{})}
	invalid := Addresses{NetInfo: []netip.Addr{{}}, Mesos: addrs("172.18.0.1")}
	tests := []struct {
		sources   string
		addresses Addresses
		want      []string
	}{
		{"netinfo,mesos,host", all, []string{"A 192.168.0.1", "AAAA fd01::1"}},
		{"docker,netinfo", all, []string{"A 172.17.0.1"}},
		{"mesos,netinfo", all, []string{"A 172.18.0.1"}},
		{"host,netinfo", all, []string{"A 10.0.0.1"}},
		{"netinfo,docker,host", Addresses{}, []string{"A 10.0.0.1"}},
		{"netinfo,docker", Addresses{}, nil},
		{"docker", mapped, []string{"A 172.17.0.1", "AAAA fe80::1"}},
		{"netinfo,mesos", invalid, []string{"A 172.18.0.1"}},
	}
	for _, tt := range tests {
		z := newTestZone(t, func(o *Options) { o.IPSources = strings.Split(tt.sources, ",") })
		task := running("test", "web", agent0, 31000)
		task.Addresses = tt.addresses
		z.Update("s", Update{Agents: []Agent{agent0}, Tasks: []Task{task}})
		s := z.Snapshot()
		wantLines(t, at(s, "web.marathon.mesos."), tt.want)
		wantLines(t, at(s, "web-iffe9-s0.marathon.slave.mesos."), []string{"A 10.0.0.1"})
		wantLines(t, at(s, "_web._tcp.marathon.mesos."), []string{"SRV web-iffe9-s0.marathon.slave.mesos.:31000"})
	}
}

func TestMasters(t *testing.T) {
	ports := func(texts ...string) []netip.AddrPort {
		var out []netip.AddrPort
		for _, text := range texts {
			out = append(out, netip.MustParseAddrPort(text))
		}
		return out
	}
	tests := []struct {
		name   string
		leader string
		all    []netip.AddrPort
		want   string // the masters by number, and after a bar those of master.
	}{
		{"nobody", "", nil, "|"},
		{"leader alone", "10.0.0.1:5050", nil, "10.0.0.1|10.0.0.1"},
		{"second leads", "10.0.0.2:5050", ports("10.0.0.1:5050", "10.0.0.2:5050", "10.0.0.3:5050"),
			"10.0.0.1 10.0.0.2 10.0.0.3|10.0.0.1 10.0.0.2 10.0.0.3"},
		{"leader not in the list", "10.0.0.9:5050", ports("10.0.0.1:5050"), "10.0.0.1 10.0.0.9|10.0.0.1 10.0.0.9"},
		{"leader in the list with another port", "10.0.0.1:5051", ports("10.0.0.1:5050", "10.0.0.2:5050"),
			"10.0.0.2 10.0.0.1|10.0.0.1 10.0.0.2"},
		{"same address", "10.0.0.1:5050", ports("10.0.0.1:5050", "10.0.0.1:5051", "10.0.0.1:5050", "10.0.0.2:5050"),
			"10.0.0.1 10.0.0.2|10.0.0.1 10.0.0.2"},
		{"nobody leads", "", ports("10.0.0.1:5050", "10.0.0.2:5050", "10.0.0.1:5051"), "10.0.0.1 10.0.0.2|10.0.0.1 10.0.0.2"},
		{"IPv6", "[fd00::1]:5050", append(ports("[fd00::1]:5050"), netip.AddrPort{}), "fd00::1|fd00::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := newTestZone(t)
			m := Masters{All: tt.all}
			if tt.leader != "" {
				m.Leader = netip.MustParseAddrPort(tt.leader)
			}
			z.Update("s", Update{Masters: &m})
			values := func(name string) string {
				var out []string
				for _, l := range at(z.Snapshot(), name) {
					out = append(out, strings.TrimPrefix(strings.TrimPrefix(l, "AAAA "), "A "))
				}
				return strings.Join(out, " ")
			}
			var numbered []string
			for _, n := range []string{"0", "1", "2", "3"} {
				if v := values("master" + n + ".mesos."); v != "" {
					numbered = append(numbered, v)
				}
			}
			if got := strings.Join(numbered, " ") + "|" + values("master.mesos."); got != tt.want {
				t.Errorf("masters %s, want %s", got, tt.want)
			}
			if tt.leader == "" {
				wantLines(t, at(z.Snapshot(), "leader.mesos."), nil)
				return
			}
			if got := values("leader.mesos."); got != m.Leader.Addr().String() {
				t.Errorf("leader %s", got)
			}
			srv := values("_leader._udp.mesos.")
			if want := "SRV leader.mesos.:" + tt.leader[strings.LastIndex(tt.leader, ":")+1:]; srv != want {
				t.Errorf("leader's SRV %s, want %s", srv, want)
			}
			z.Update("s", Update{Masters: &Masters{}})
			wantLines(t, lines(z.Snapshot()), []string{})
		})
	}
}

func TestAgentsAndFrameworks(t *testing.T) {
	z := newTestZone(t)
	z.Update("s", Update{
		Agents: []Agent{agent0, agent1},
		Frameworks: []Framework{
			{Name: "Marathon.Prod", Addrs: addrs("10.0.0.5", "fd00::5"), Port: 37539},
			{Name: "http only", Addrs: addrs("10.0.0.6")},
		},
	})
	wantLines(t, lines(z.Snapshot()), strings.Split(`_slave._tcp.mesos. SRV slave.mesos.:5051
httponly.mesos. A 10.0.0.6
marathon.prod.mesos. A 10.0.0.5
marathon.prod.mesos. AAAA fd00::5
_framework._tcp.marathon.prod.mesos. SRV marathon.prod.mesos.:37539
slave.mesos. A 10.0.0.1
slave.mesos. A 10.0.0.2
slave.mesos. AAAA fd00::2`, "\n"))
	z.Update("s", Update{
		AgentsGone:     []string{agent1.ID},
		FrameworksGone: []string{"http only"},
		Frameworks:     []Framework{{Name: "Marathon.Prod", Addrs: addrs("10.0.0.7")}},
	})
	wantLines(t, lines(z.Snapshot()), strings.Split(`_slave._tcp.mesos. SRV slave.mesos.:5051
marathon.prod.mesos. A 10.0.0.7
slave.mesos. A 10.0.0.1`, "\n"))
}
