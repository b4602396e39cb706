package integration

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"rollcall/integration/mesosmaster"
)

// railsArchive is a fetcher that knows seed 003's hello.tar.gz alone.
func railsArchive(uri, sandbox string) error {
	if uri != "http://example.com/hello.tar.gz" {
		return fmt.Errorf("there is no %s", uri)
	}
	return os.Mkdir(filepath.Join(sandbox, "hello"), 0o755)
}

// watchTasks wants the addresses of an app's tasks in each answer: one at least, and none at which no task of it runs.
func watchTasks(t *testing.T, d *daemon, c *standInCluster, app string) *watcher {
	t.Helper()
	where := func() map[string]bool {
		out := map[string]bool{}
		for id, address := range c.Running() {
			if strings.HasPrefix(id, app+".") {
				out[address] = true
			}
		}
		return out
	}
	return watchAnswers(t, d.dns, app+".marathon.mesos", func(ask func() (*dns.Msg, error)) string {
		alive := where()
		m, err := ask()
		if err != nil || m.Rcode != dns.RcodeSuccess || len(m.Answer) == 0 {
			return fmt.Sprintf("%v %v", err, m)
		}
		// A task may have started meanwhile.
		maps.Copy(alive, where())
		for _, r := range m.Answer {
			if a, ok := r.(*dns.A); !ok || !alive[a.A.String()] {
				return fmt.Sprintf("tasks run at %v: %v", slices.Sorted(maps.Keys(alive)), m)
			}
		}
		return ""
	})
}

// Seeds 003 and 004 as their authors sent them, beyond one machine: three ZooKeepers, two masters and later three, three
// agents, three rollcalls. The leading master is stopped, then the leading rollcall killed. Tasks run on, scaling works
// under who leads next, and no survivor's DNS ever says NXDOMAIN or has an address without a task.
func TestSeedsOnMesos(t *testing.T) {
	require(t, "dig")
	const rails, ubuntu = "rails-app-on-mesos-marathon", "ubuntu"
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "bundle"), []byte("#!/bin/sh\n[ \"$1\" = install ] || exec sleep 100000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	app, scale, container := seed(t, "003-rails-app.reconstructed.json"), string(seed(t, "003-scale-rails.json")), seed(t, "004-ubuntu.json")

	z := startZooKeeper(t)
	c := newStandIn(t, mesosmaster.Options{Recovery: 300 * time.Millisecond, Fetch: railsArchive})
	first, second := c.Leader(), c.master(t, "127.0.0.12")
	session, standby := registerMaster(t, z, first), registerMaster(t, z, second)
	defer standby.Close()
	p := &peers{t: t}
	for range 3 {
		p.all = append(p.all, start(t, newPeerConfig(t, z)))
	}
	leader := p.leader(p.all...)
	followers := p.others(leader)
	followers[0].must(http.StatusCreated, http.MethodPost, "/v2/apps", string(app))
	followers[1].must(http.StatusCreated, http.MethodPost, "/v2/apps", string(container))
	leader.running("/"+rails, 1)
	leader.running("/"+ubuntu, 1)

	pids := map[string]int{}
	// goOn checks that no process ended that was there before, and remembers those that are there now.
	goOn := func(what string) {
		t.Helper()
		now := c.PIDs()
		for id, pid := range pids {
			if now[id] != pid {
				t.Errorf("%s: %s was process %d and is %d", what, id, pid, now[id])
			}
		}
		pids = now
	}
	found := func(d *daemon, app string) []string {
		return slices.Sorted(slices.Values(d.addresses(app + ".marathon.mesos")))
	}
	watchers := map[*daemon][]*watcher{}
	for _, d := range p.all {
		for _, app := range []string{rails, ubuntu} {
			d.eventually("dig finds "+app, func() bool { return len(found(d, app)) == 1 })
			watchers[d] = append(watchers[d], watchTasks(t, d, c, app))
		}
	}
	end := func(d *daemon) {
		t.Helper()
		for _, w := range watchers[d] {
			w.end(t, d.api)
		}
		delete(watchers, d)
	}
	goOn("at first")
	leader.must(http.StatusOK, http.MethodPut, "/v2/apps/"+rails, scale)
	leader.running("/"+rails, 2)
	goOn("after scaling")

	first.Kill()
	c.Elect(second)
	session.Close()
	third := c.master(t, "127.0.0.13")
	defer registerMaster(t, z, third).Close()
	followers[0].must(http.StatusOK, http.MethodPut, "/v2/apps/"+ubuntu, scale)
	followers[0].running("/"+ubuntu, 2)
	goOn("after the leading master was stopped")
	for _, d := range p.all {
		d.eventually("leader.mesos is the next master", func() bool { return slices.Equal(d.addresses("leader.mesos"), []string{"127.0.0.12"}) })
	}

	old := leader
	end(old)
	old.kill()
	survivors := p.others(old)
	leader = p.leader(survivors...)
	goOn("after the leading rollcall was killed")
	survivors[0].must(http.StatusOK, http.MethodPut, "/v2/apps/"+rails, `{"instances": 3}`)
	survivors[1].running("/"+rails, 3)
	goOn("after scaling under the next leader")
	survivors[1].eventually("the deployment ends", func() bool { return survivors[1].deployments() == 0 })
	survivors[1].must(http.StatusOK, http.MethodPut, "/v2/apps/"+rails, scale)
	survivors[1].eventually("the cluster runs two", func() bool {
		n := 0
		for id := range c.Tasks() {
			if strings.HasPrefix(id, rails) {
				n++
			}
		}
		return n == 2
	})
	old.run()
	for _, d := range p.all {
		for _, app := range []string{rails, ubuntu} {
			d.eventually("dig finds the same everywhere", func() bool { return slices.Equal(found(d, app), found(leader, app)) })
		}
	}
	for _, d := range survivors {
		end(d)
	}
	if n := len(c.Frameworks()); n != 1 {
		t.Errorf("they are %d frameworks", n)
	}
}
