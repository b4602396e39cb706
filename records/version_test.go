package records

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// peer is one of several zones, and what is on the way to it from the leader.
type peer struct {
	*Zone
	leader *peer // that it follows; nil: nobody
	feed   []Version
	cancel func()
	shown  bool // its serials have been seen
}

// peers are several zones of which one leads at most.
type peers struct {
	all     []*peer
	leading *peer
	floor   uint32 // the last serial that is reserved
	broken  bool   // serials cannot be reserved
}

const (
	ofLeader = "scheduler"
	ofEach   = "mesos"
)

func newPeers(t testing.TB, n, journal int, serial uint32) *peers {
	p := &peers{}
	for range n {
		z := newTestZone(t, func(o *Options) {
			o.JournalSize, o.Serial = journal, serial
			o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
		})
		z.Share(ofLeader)
		z.Expect(ofLeader)
		p.all = append(p.all, &peer{Zone: z})
	}
	return p
}

func (p *peers) reserve(serial uint32) (uint32, bool) {
	if p.broken {
		return 0, false
	}
	if p.floor = serial + 3; p.floor == 0 { // which says that there is none
		p.floor = 1
	}
	return p.floor, true
}

// elect has another one lead, or nobody (nil).
func (p *peers) elect(next *peer) {
	if p.leading != nil {
		p.leading.Detach()
	}
	for _, f := range p.all {
		p.unfollow(f)
	}
	if p.leading = next; next != nil {
		next.Lead(p.floor, p.reserve)
		if next.Snapshot().Serial() == 0 {
			panic("no serial")
		}
		next.Update(ofLeader, Update{})
	}
}

func (p *peers) follow(f *peer) {
	if p.leading == nil || p.leading == f || f.leader != nil {
		return
	}
	f.leader = p.leading
	if f.shown && f.Snapshot().Provisional() {
		p.leading.Outrun(f.Snapshot().LastSerial())
	}
	f.cancel = p.leading.SubscribeVersions(func(v Version) { f.feed = append(f.feed, v) })
}

func (p *peers) unfollow(f *peer) {
	if f.leader != nil {
		f.cancel()
		f.Unfollow()
		f.leader, f.feed = nil, nil
	}
}

func (f *peer) deliver() {
	if len(f.feed) > 0 {
		f.Follow(f.feed[0])
		f.feed = f.feed[1:]
	}
}

// Whatever happens to whom: what is not provisional has the same content wherever it has the same serial, no such serial of
// a zone is earlier than one that it had before and showed, and the changes since a serial that one zone knows lead
// to the same content from whichever zone that serial was had.
func TestPeersSerials(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPeers(new(testing.T), 3, rapid.SampledFrom([]int{0, 20, 100_000}).Draw(t, "journal"),
			rapid.SampledFrom([]uint32{7, 1<<32 - 5}).Draw(t, "serial"))
		contents := make(map[string]map[uint32]map[name][]rdata) // by zone and serial
		last := make(map[*peer]map[string]uint32)
		note := func(what string) {
			for i, f := range p.all {
				s := f.Snapshot()
				f.shown = f.shown || f.Ready()
				for _, apex := range s.Apexes() {
					if last[f] == nil {
						last[f] = make(map[string]uint32)
					}
					if before, known := last[f][apex.Name]; f.shown && known && Later(before, apex.Serial) {
						t.Fatalf("%s: the serial of %s on %d goes back from %d to %d", what, apex.Name, i, before, apex.Serial)
					}
					if f.shown {
						last[f][apex.Name] = apex.Serial
					}
					if s.Provisional() {
						continue
					}
					content := published(s, apex)
					if contents[apex.Name] == nil {
						contents[apex.Name] = make(map[uint32]map[name][]rdata)
					}
					if other, known := contents[apex.Name][apex.Serial]; known {
						if diff := cmp.Diff(other, content, compareRdata); diff != "" {
							t.Fatalf("%s: serial %d of %s on %d is something else:\n%s", what, apex.Serial, apex.Name, i, diff)
						}
					}
					contents[apex.Name][apex.Serial] = content
				}
			}
		}
		since := func() {
			for i, f := range p.all {
				s := f.Snapshot()
				for zone := range s.Apexes() {
					apex := &s.Apexes()[zone]
					for serial, old := range contents[apex.Name] {
						changes, known := s.Since(apex, serial)
						if !known || s.Provisional() {
							continue
						}
						got := make(map[name][]rdata)
						for n, data := range old {
							got[n] = data
						}
						for _, c := range changes {
							n, _ := parseName(c.Name)
							if delete(got, n); len(c.New.published()) > 0 {
								got[n] = c.New.published()
							}
						}
						if diff := cmp.Diff(published(s, *apex), got, compareRdata); diff != "" {
							t.Fatalf("%s on %d from serial %d to %d (-want +got):\n%s", apex.Name, i, serial, apex.Serial, diff)
						}
					}
				}
			}
		}
		note("at the start")
		for step := range rapid.IntRange(0, 40).Draw(t, "steps") {
			f := rapid.SampledFrom(p.all).Draw(t, "who")
			what := rapid.SampledFrom([]string{"say", "say", "say", "lead", "nobody", "follow", "follow", "lose", "deliver", "deliver", "deliver", "store"}).Draw(t, "what")
			switch what {
			case "say":
				f.Update(ofEach, drawUpdate.Draw(t, "update"))
				if p.leading != nil {
					note("before the leader speaks")
					p.leading.Update(ofLeader, drawUpdate.Draw(t, "leader's update"))
				}
			case "lead":
				p.elect(f)
			case "nobody":
				p.elect(nil)
			case "follow":
				p.follow(f)
			case "lose":
				p.unfollow(f)
			case "deliver":
				f.deliver()
			case "store":
				p.broken = !p.broken
			}
			note(fmt.Sprint("step ", step, " ", what))
		}
		since()
		if p.broken = false; p.leading == nil {
			return
		}
		p.leading.Update(ofLeader, drawUpdate.Draw(t, "the last update"))
		note("the last update")
		if p.leading.Snapshot().Provisional() {
			return // nothing has changed since serials could not be reserved
		}
		for _, f := range p.all {
			p.follow(f)
		}
		for i, f := range p.all {
			for len(f.feed) > 0 {
				f.deliver()
			}
			if f == p.leading {
				continue
			}
			if diff := cmp.Diff(lines(p.leading.Snapshot()), lines(f.Snapshot())); diff != "" {
				t.Fatalf("%d (-leader +follower):\n%s", i, diff)
			}
			for zone, apex := range f.Snapshot().Apexes() {
				if want := p.leading.Snapshot().Apexes()[zone].Serial; apex.Serial != want || f.Snapshot().Provisional() {
					t.Fatalf("%s on %d: serial %d, provisional %v, the leader has %d", apex.Name, i, apex.Serial, f.Snapshot().Provisional(), want)
				}
			}
		}
		note("in the end")
		since()
	})
}

// A change of leaders, step by step.
func TestLeaderChange(t *testing.T) {
	p := newPeers(t, 3, 1000, 7)
	a, b, c := p.all[0], p.all[1], p.all[2]
	task := func(id string) Update {
		return Update{Agents: []Agent{agent0}, Tasks: []Task{{ID: id, Name: "web-" + id, Framework: "marathon", AgentID: agent0.ID, State: taskRunning}}}
	}
	has := func(z *peer, id string) bool { return z.Snapshot().LookupName("web-"+id+".marathon.mesos.") != nil }
	wantState := func(z *peer, provisional bool, serial uint32) {
		t.Helper()
		if s := z.Snapshot(); s.Provisional() != provisional || s.Serial() != serial {
			t.Errorf("serial %d, provisional %v, want %d, %v", s.Serial(), s.Provisional(), serial, provisional)
		}
	}
	wantState(a, true, 7)
	p.elect(a)
	first := a.Snapshot().Serial()
	a.Update(ofLeader, task("1"))
	wantState(a, false, first+1)
	p.follow(b)
	b.deliver()
	if !has(b, "1") || !b.Ready() {
		t.Error("the follower does not have the leader's task")
	}
	wantState(b, false, first+1)
	b.Update(ofEach, task("own"))
	if has(b, "own") {
		t.Error("a follower answers what its leader does not")
	}
	a.Update(ofLeader, task("2")) // b does not hear of it any more
	p.elect(nil)
	if !has(b, "own") || has(b, "2") || !has(b, "1") {
		t.Error("without a leader a zone goes by its own sources, and by what it was told")
	}
	if !b.Snapshot().Provisional() {
		t.Error("what no leader has numbered is not provisional")
	}
	wantState(a, false, first+2)
	p.elect(b)
	if s := b.Snapshot(); s.Provisional() || !Later(s.Serial(), a.Snapshot().Serial()) {
		t.Errorf("the new leader has serial %d, provisional %v; the old one had %d", s.Serial(), s.Provisional(), a.Snapshot().Serial())
	}
	for _, z := range []*peer{a, c} {
		p.follow(z)
		z.deliver()
		wantState(z, false, b.Snapshot().Serial())
		if has(z, "2") || !has(z, "own") {
			t.Error("the followers do not have the new leader's names")
		}
	}
	// The old leader's secondaries go on from there by what has changed; others get all of it.
	apex := &a.Snapshot().Apexes()[0]
	if _, known := a.Snapshot().Since(apex, first+2); !known {
		t.Error("the old leader has forgotten what it had")
	}
	if _, known := c.Snapshot().Since(apex, first+2); known {
		t.Error("one that never had a serial knows what has changed since")
	}
}

// A zone that makes other records of the same than the leader does not say that they are the leader's: its serials are
// provisional until both are configured alike. What is the server's own, and how serials are kept, does not count.
func TestFollowingByOtherOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Options)
		alike  bool
	}{
		"nothing else":         {func(*Options) {}, true},
		"own addresses":        {func(o *Options) { o.ListenAddrs = addrs("192.0.2.1") }, true},
		"journal":              {func(o *Options) { o.JournalSize = 7 }, true},
		"first serial":         {func(o *Options) { o.Serial = 7 }, true},
		"order of zones":       {func(o *Options) { slices.Reverse(o.ReverseZones) }, true},
		"TTL":                  {func(o *Options) { o.TTL++ }, false},
		"TTL of a type":        {func(o *Options) { o.TTLs = map[uint16]uint32{TypeSRV: 5} }, false},
		"TTL of what is not":   {func(o *Options) { o.NegativeTTL++ }, false},
		"weight":               {func(o *Options) { o.SRVWeight++ }, false},
		"sources of addresses": {func(o *Options) { o.IPSources = []string{"host", "netinfo"} }, false},
		"labels":               {func(o *Options) { o.EnforceRFC952 = true }, false},
		"unhealthy tasks":      {func(o *Options) { o.AllUnhealthy = AnswerNone }, false},
		"SOA":                  {func(o *Options) { o.SOA.Retry++ }, false},
		"fewer reverse zones":  {func(o *Options) { o.ReverseZones = o.ReverseZones[:1] }, false},
	} {
		t.Run(name, func(t *testing.T) {
			options := func() Options {
				o := DefaultOptions("mesos")
				o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}
				return o
			}
			newPeer := func(o Options) *Zone {
				z, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				z.Share(ofLeader)
				return z
			}
			other := options()
			tt.change(&other)
			leader, follower := newPeer(options()), newPeer(other)
			leader.Lead(100, func(serial uint32) (uint32, bool) { return serial + 10, true })
			defer leader.SubscribeVersions(func(v Version) {
				if !follower.Follow(v) {
					t.Error("it does not follow")
				}
			})()
			leader.Update(ofLeader, Update{Agents: []Agent{{ID: "a", Addrs: addrs("10.0.0.1")}}})
			if got := follower.Snapshot().Provisional(); got == tt.alike {
				t.Errorf("provisional %v", got)
			}
			// The leader is told the same, which moves no serial where no record shows it.
			other.JournalSize = 0
			if err := leader.Reconfigure(other); err != nil {
				t.Fatal(err)
			}
			if s := follower.Snapshot(); s.Provisional() || s.Serial() != leader.Snapshot().Serial() {
				t.Errorf("configured alike: serial %d, provisional %v, the leader's is %d", s.Serial(), s.Provisional(), leader.Snapshot().Serial())
			}
		})
	}
}
