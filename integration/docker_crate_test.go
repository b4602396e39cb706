package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// line is what a task printed behind a mark, "" until it did.
func (d *daemon) line(task, mark string) string {
	d.t.Helper()
	for line := range strings.Lines(d.sandboxFile(task, "stdout")) {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// ttls are those of the answer to a question.
func (d *daemon) ttls(name, kind string) []string {
	d.t.Helper()
	fields := d.dig("+noall", "+answer", name, kind)
	var out []string
	for i, f := range fields {
		if f == "IN" {
			out = append(out, fields[i-1])
		}
	}
	return slices.Compact(out)
}

// httpAt fetches what the stand-ins serve at an address: the id of the task.
func httpAt(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get("http://" + address + "/") //nolint:noctx // it answers or refuses at once
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	var id string
	fmt.Fscan(response.Body, &id) //nolint:errcheck // then it is empty
	return id
}

// crateUnicast is seed 000: three nodes of Crate on the network of their hosts, which find each other by name.
func crateUnicast(t *testing.T, e *dockerEngine) {
	d := e.start("crate")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", string(seed(t, "000-CrateUnicast.json")))
	const app, name = "/crate-mesos-unicast", "crate-mesos-unicast.marathon.crate"
	d.eventually("three addresses are found", func() bool { return sameSet(d.addresses(name), dockerAgents) })
	if got := d.ttls(name, "A"); !slices.Equal(got, []string{"7"}) {
		t.Errorf("TTLs are %v", got)
	}
	const hosts = "10.77.0.1:4300,10.77.0.2:4300,10.77.0.3:4300"
	started := func() bool {
		tasks := d.tasks(app)
		return len(tasks) == 3 && !slices.ContainsFunc(tasks, func(k task) bool { return d.line(k.ID, "unicast=") != hosts })
	}
	d.eventually("every node starts with the list of all", started)
	for _, k := range d.tasks(app) {
		d.eventually("it listens at its agent's address", func() bool { return httpAt(t, k.Host+":4200") == k.ID })
	}

	hit := d.tasks(app)[0]
	others := slices.DeleteFunc(taskIDs(d.tasks(app)), func(id string) bool { return id == hit.ID })
	gone := make(chan bool, 1)
	go func() { gone <- e.command("stop", "--time", "1", e.containerOf(hit.ID)).Run() == nil }()
	d.eventually("its address is gone", func() bool { return !slices.Contains(d.addresses(name), hit.Host) })
	if !<-gone {
		t.Error("docker stop failed")
	}
	d.eventually("it is replaced and back", func() bool {
		return sameSet(d.addresses(name), dockerAgents) && !slices.Contains(taskIDs(d.tasks(app)), hit.ID) && started()
	})
	for _, id := range others {
		if !slices.Contains(taskIDs(d.tasks(app)), id) {
			t.Errorf("%s was replaced, too", id)
		}
	}

	d.must(http.StatusOK, http.MethodPut, "/v2/apps"+app, `{"instances": 1}`)
	d.eventually("one is left", func() bool { return len(d.addresses(name)) == 1 && len(e.containers("rollcall.task")) == 1 })
	d.must(http.StatusOK, http.MethodPut, "/v2/apps"+app+"?force=true", `{"instances": 3}`)
	d.eventually("there are three again", func() bool { return sameSet(d.addresses(name), dockerAgents) })
}

// crateWeave is seed 000's other way: each node on a bridge, with ports of its agent.
func crateWeave(t *testing.T, e *dockerEngine) {
	d := e.start("crate")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", string(seed(t, "000-CrateWeave.json")))
	const app, name = "/crate-mesos-weave", "crate-mesos-weave.marathon.crate"
	d.eventually("three addresses are found", func() bool { return sameSet(d.addresses(name), dockerAgents) })
	d.eventually("six ports are found", func() bool {
		return sameSet(d.srvPorts("_crate-mesos-weave._tcp.marathon.crate"), []string{"4200", "4200", "4200", "4300", "4300", "4300"})
	})
	for _, k := range d.tasks(app) {
		for _, port := range []string{"4200", "4300"} {
			d.eventually("each agent's port leads to its own node", func() bool { return httpAt(t, k.Host+":"+port) == k.ID })
		}
		d.eventually("from inside, it finds all", func() bool {
			return d.line(k.ID, "unicast=") == "10.77.0.1:4300,10.77.0.2:4300,10.77.0.3:4300"
		})
		inside := e.docker("exec", e.containerOf(k.ID), "getent", "hosts", name)
		if len(inside) != 3 {
			t.Errorf("getent in %s: %q", k.ID, inside)
		}
		// The proxy of a published port takes connections before the program behind it does.
		d.eventually("a node is reached by the name from inside", func() bool {
			reached, err := e.command("exec", e.containerOf(k.ID), "wget", "-q", "-O", "-", "http://"+name+":4300/").Output()
			return err == nil && slices.Contains(taskIDs(d.tasks(app)), strings.TrimSpace(string(reached)))
		})
	}
}
