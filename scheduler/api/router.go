package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// route is the endpoints of one pattern.
type route struct {
	pattern []string // its segments
	methods map[string]*endpoint
	// yields says that an app goes first whose id is the whole path: ids may hold the words tasks and versions before
	// their end.
	yields bool
}

// routes puts endpoints in the form in which requests are matched.
func routes(all []endpoint) []*route {
	var out []*route
	byPattern := map[string]*route{}
	for i := range all {
		e := &all[i]
		r := byPattern[e.pattern]
		if r == nil {
			r = &route{pattern: segmentsOf(e.pattern), methods: map[string]*endpoint{}}
			last := r.pattern[max(0, len(r.pattern)-1):]
			r.yields = len(last) == 1 && slices.Contains([]string{"{task}", "{version}"}, last[0])
			byPattern[e.pattern] = r
			out = append(out, r)
		}
		r.methods[e.method] = e
	}
	return out
}

func segmentsOf(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// match says whether a path fits the pattern, and what it names then. Ids are made of segments themselves, so what is
// asked of one is told by the path's end; empty segments, which clients send between /v2/apps/ and /id, count nothing.
func (r *route) match(path []string) (target, bool) {
	t := target{id: scheduler.Root}
	rest := len(path) - len(r.pattern) // segments that an id has more than one
	if rest < 0 {
		return t, false
	}
	at := 0
	for _, want := range r.pattern {
		switch {
		case want == "{id}" || want == "{group}":
			t.id = scheduler.ResolvePathID(strings.Join(path[at:at+rest+1], "/"), scheduler.Root)
			at += rest
			rest = 0
		case want == "{file}":
			t.file = strings.Join(path[at:at+rest+1], "/")
			at += rest
			rest = 0
		case strings.HasPrefix(want, "{"):
			t.last = path[at]
		case want != path[at]:
			return t, false
		}
		at++
	}
	return t, at == len(path)
}

// route finds what a path leads to; nil when there is no such path. A group may be called versions or apps: what those
// words do not understand is for the group.
func (a *API) route(method, path string) (found *route, named target) {
	segments := segmentsOf(path)
	for _, r := range a.routes {
		t, ok := r.match(segments)
		if !ok {
			continue
		}
		if r.yields && segments[1] == "apps" && a.state().App(pathAfter(segments, 2)) != nil {
			continue
		}
		if r.yields && segments[1] == "groups" && a.state().Group(pathAfter(segments, 2)) != nil {
			continue
		}
		if found == nil {
			found, named = r, t
		}
		if r.endpoint(method) != nil {
			return r, t
		}
		if segments[0] != "v2" || segments[1] != "groups" {
			break
		}
	}
	return found, named
}

// pathAfter makes an id of all but a path's first segments.
func pathAfter(segments []string, skip int) scheduler.PathID {
	return scheduler.ResolvePathID(strings.Join(segments[skip:], "/"), scheduler.Root)
}

// endpoint is what a method does; HEAD is a GET whose body is not sent.
func (r *route) endpoint(method string) *endpoint {
	if e := r.methods[method]; e != nil || method != http.MethodHead {
		return e
	}
	return r.methods[http.MethodGet]
}

// allow lists the methods that a path understands.
func (r *route) allow() string {
	methods := append(slices.Collect(maps.Keys(r.methods)), http.MethodOptions)
	if r.methods[http.MethodGet] != nil {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}
