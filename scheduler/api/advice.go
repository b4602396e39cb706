package api

import (
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// advise tells of what was accepted in apps that a request changed, and is probably not meant: Marathon does so in
// silence. It tells nobody of apps that he may not see.
func (a *API) advise(w http.ResponseWriter, r *http.Request, p *scheduler.Plan) {
	s, u := a.state(), userOf(r)
	var advice []string
	var made []scheduler.PathID
	for _, id := range slices.Sorted(maps.Keys(p.After)) {
		app := p.After[id]
		if app == nil {
			continue
		}
		for _, d := range app.Dependencies {
			if u.may(roleRead, d) && s.App(d) == nil && s.Group(d) == nil {
				advice = append(advice, fmt.Sprintf("the dependency of %s on %s has no effect: there is no such app or group", id, d))
			}
		}
		if p.Before[id] == nil {
			made = append(made, id)
		}
		if before := p.Before[id]; before == nil || !slices.Equal(before.ServicePorts(), app.ServicePorts()) {
			advice = append(advice, sharedServicePorts(visible(u, s.Apps()), app, p)...)
		}
	}
	if len(made) > 0 {
		advice = append(advice, sameNames(visible(u, s.Apps()), made)...)
	}
	for _, id := range slices.Sorted(maps.Keys(p.GroupsAfter)) {
		for _, d := range p.GroupsAfter[id].Dependencies {
			if u.may(roleRead, d) && s.Group(d) == nil {
				advice = append(advice, fmt.Sprintf("the dependency of group %s on %s has no effect: there is no such group", id, d))
			}
		}
	}
	a.warn(w, r, advice)
}

// sameNames tells of apps whose tasks DNS cannot tell from those of new ones: /y.x has the name of /x/y.
func sameNames(all iter.Seq[*scheduler.App], made []scheduler.PathID) (out []string) {
	byName, dots := map[string][]scheduler.PathID{}, false
	for _, id := range made {
		byName[id.Hostname()] = append(byName[id.Hostname()], id)
		dots = dots || strings.Contains(string(id), ".")
	}
	for other := range all {
		if !dots && !strings.Contains(string(other.ID), ".") {
			continue // only a dot within an id makes its name that of another
		}
		for _, id := range byName[other.ID.Hostname()] {
			if id != other.ID {
				out = append(out, fmt.Sprintf("%s has the name of %s in DNS, which answers with the tasks of both", id, other.ID))
			}
		}
	}
	return out
}

// sharedServicePorts tells of service ports that another app has as well: load balancers mix the two up. Ports that an
// app requires of its hosts are none of theirs. Of two apps that a plan changes the second tells.
func sharedServicePorts(all iter.Seq[*scheduler.App], app *scheduler.App, p *scheduler.Plan) []string {
	own := map[scheduler.ServicePort]bool{}
	for _, port := range app.ServicePorts() {
		own[port] = port > 0
	}
	if len(own) == 0 || app.RequirePorts {
		return nil
	}
	var out []string
	for other := range all {
		if other.ID == app.ID || other.RequirePorts || p.After[other.ID] != nil && other.ID > app.ID {
			continue
		}
		for _, port := range other.ServicePorts() {
			if own[port] {
				out = append(out, fmt.Sprintf("the service port %d of %s is that of %s as well", port, app.ID, other.ID))
				own[port] = false
			}
		}
	}
	return out
}
