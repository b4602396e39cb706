package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/miekg/dns"
)

// askLeader is who a rollcall says leads, "host:port"; "" when it does not.
func askLeader(ctx context.Context, api string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/v2/leader", nil)
	if err != nil {
		return ""
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var answer struct{ Leader string }
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return ""
	}
	return answer.Leader
}

// steadyAddresses asks a rollcall for the addresses of /steady.
func steadyAddresses(server string) (*dns.Msg, error) {
	m, _, err := (&dns.Client{Timeout: 2 * time.Second}).Exchange(new(dns.Msg).SetQuestion("steady.marathon.mesos.", dns.TypeA), server)
	return m, err
}

// knows says whether the rollcall has the names of /steady's three tasks.
func (d *node) knows() bool {
	m, err := steadyAddresses(d.dns)
	return err == nil && m.Rcode == dns.RcodeSuccess && len(m.Answer) == 3
}

// watchNames holds each answer of a rollcall against what it should be: three addresses, or two while an agent is lost. A rollcall that was started anew and has not
// heard of a leader yet may say that it does not know (SERVFAIL); it may not say that there is no such name.
func (n *nemesis) watchNames(ctx context.Context, d *node) {
	asked := 0
	for ctx.Err() == nil {
		strict, least := d.strict.Load(), 3
		if n.lost.Load() {
			least = 2
		}
		m, err := steadyAddresses(d.host.address() + ":53")
		wrong := err == nil && (m.Rcode != dns.RcodeSuccess || len(m.Answer) < least && !n.lost.Load())
		ignorant := err == nil && m.Rcode == dns.RcodeServerFailure && (strict%2 == 0 || d.strict.Load() != strict)
		if wrong && !ignorant {
			n.clients.fault("%s answers at %s: %v", d.host.name(), time.Now().Format(time.StampMilli), m)
		}
		if err == nil {
			asked++
		}
		pause(ctx, 5*time.Millisecond)
	}
	if asked == 0 {
		n.clients.fault("%s never answered", d.host.name())
	}
}

// term is who led from when on, at the latest.
type term struct {
	leader string // IP address
	seen   time.Time
}

// watchTerms looks who leads by ZooKeeper. What it returns waits for the end, and tells.
func (n *nemesis) watchTerms(ctx context.Context, working *sync.WaitGroup) func() []term {
	var out []term
	conn, _, err := zk.Connect(n.z.clients, 10*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		n.t.Fatal(err)
	}
	done := make(chan struct{})
	context.AfterFunc(ctx, conn.Close)
	working.Go(func() {
		defer close(done)
		urls := map[string]string{} // by id
		var last string
		for ; ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
			data, _, err := conn.Get("/rollcall/term")
			var note struct {
				Leader string
				Since  time.Time
			}
			if err != nil || json.Unmarshal(data, &note) != nil || last == note.Leader+note.Since.String() {
				continue
			}
			if urls[note.Leader] == "" {
				names, _, err := conn.Children("/rollcall/candidates")
				if err != nil {
					continue
				}
				for _, name := range names {
					var member struct{ ID, URL string }
					if data, _, err := conn.Get("/rollcall/candidates/" + name); err == nil && json.Unmarshal(data, &member) == nil {
						host, _, _ := strings.Cut(strings.TrimPrefix(member.URL, "http://"), ":")
						urls[member.ID] = host
					}
				}
			}
			if host := urls[note.Leader]; host != "" {
				last = note.Leader + note.Since.String()
				out = append(out, term{host, time.Now()})
			}
		}
	})
	return func() []term { <-done; return out }
}

// judgeTerms wants each call that a master carried out to come from who led at that time.
func (n *nemesis) judgeTerms(terms []term) {
	n.t.Helper()
	calls := n.cluster.Calls()
	for i, from := range terms {
		to := time.Now()
		if i+1 < len(terms) {
			to = terms[i+1].seen
		}
		for _, c := range calls {
			// The next term may have begun before it was seen.
			next := i+1 < len(terms) && c.From == terms[i+1].leader
			if c.At.After(from.seen) && c.At.Before(to) && c.From != from.leader && !next {
				n.t.Errorf("%s had %s done at %s (%v), although %s has led since %s", c.From, c.Type, c.At.Format(time.StampMilli),
					c.Tasks, from.leader, from.seen.Format(time.StampMilli))
			}
		}
	}
	n.t.Logf("%d terms, %d calls", len(terms), len(calls))
}

// judge holds what happened against what may happen.
func (n *nemesis) judge() {
	t := n.t
	status, answer := n.clients.ask(t.Context(), http.MethodGet, "/v2/apps", "")
	var all struct{ Apps []struct{ ID string } }
	if status != http.StatusOK || json.Unmarshal(answer, &all) != nil {
		t.Fatalf("%d %s", status, answer)
	}
	there := map[string]bool{}
	for _, a := range all.Apps {
		there[a.ID] = true
	}
	n.clients.check(there)
	entries := map[string][]entry{}
	for _, e := range readEntries(t, n.book) {
		entries[e.app()] = append(entries[e.app()], e)
	}
	show := map[string]bool{}
	for app, r := range map[string]rules{
		"steady":  {most: 3, always: 3},
		"fragile": {most: fragileMost, always: fragileMost, faults: n.faults, patched: patchedWithin},
		// As with Marathon, to stop a task that is out of reach is to forget it; it ends when it is back.
		// One that is scaled up again has tasks that end beside those that begin.
		"scaled": {most: 2 * scaledMost, stops: true, doubts: n.doubts},
	} {
		for _, breach := range r.breaches(entries[app], time.Now()) {
			t.Errorf("/%s: %s", app, breach)
			show[app] = true
		}
	}
	for _, wrong := range n.clients.wrong[:min(len(n.clients.wrong), 20)] {
		t.Error(wrong)
	}
	if n.clients.told["PUT 200"] == 0 || n.clients.told["GET 200"] == 0 {
		t.Error("no client was ever served")
	}
	t.Logf("faults: %v; %d of /fragile's tasks killed; answers: %v; the register: %d of %d writes acknowledged; started: steady %d, fragile %d, scaled %d",
		n.count, n.killed, n.clients.told, n.clients.acknowledged, n.clients.written, starts(entries["steady"]), starts(entries["fragile"]), starts(entries["scaled"]))
	for app := range show {
		for _, e := range entries[app] {
			n.log = append(n.log, fmt.Sprintf("%s %s %s", e.at.Format("15:04:05.000"), e.what, e.task))
		}
	}
	if slices.Sort(n.log); t.Failed() {
		t.Logf("what the nemesis did:\n%s", strings.Join(n.log, "\n"))
	}
}

func starts(entries []entry) int {
	count := 0
	for _, e := range entries {
		if e.what == "start" {
			count++
		}
	}
	return count
}
