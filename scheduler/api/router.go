package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// methods are the handlers of one path.
type methods map[string]handler

func (m methods) allow() string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// route finds the handlers of a path; nil when there is no such path. Ids are made of segments themselves, so what is
// asked of one is told by the path's end; empty segments, which clients send between /v2/apps/ and /id, count nothing.
func (a *API) route(path string) methods {
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(segments) == 0 {
		return methods{http.MethodGet: front}
	}
	if len(segments) == 1 && segments[0] == "ping" {
		return methods{http.MethodGet: ping}
	}
	if segments[0] == "ui" {
		return methods{http.MethodGet: a.page}
	}
	if segments[0] == "rollcall" {
		return a.routeOwn(segments[1:])
	}
	if len(segments) < 2 || segments[0] != "v2" {
		return nil
	}
	rest := segments[2:]
	switch segments[1] {
	case "apps":
		return a.routeApps(rest)
	case "groups":
		return a.routeGroups(rest)
	case "tasks":
		return a.routeTasks(rest)
	case "deployments":
		return a.routeDeployments(rest)
	case "queue":
		return a.routeQueue(rest)
	}
	return a.routeServer(segments[1], rest)
}

// idOf makes an id of a path's segments.
func idOf(segments []string) scheduler.PathID {
	return scheduler.ResolvePathID(strings.Join(segments, "/"), scheduler.Root)
}

// ending is the n-th segment from the end, "" when there are not more than n: what follows an id.
func ending(segments []string, n int) string {
	if len(segments) <= n {
		return ""
	}
	return segments[len(segments)-n]
}

func (a *API) routeApps(s []string) methods {
	if len(s) == 0 {
		return methods{http.MethodGet: a.listApps, http.MethodPost: a.createApp, http.MethodPut: a.putApps,
			http.MethodPatch: a.patchApps}
	}
	id := idOf(s)
	app := methods{http.MethodGet: a.getApp(id), http.MethodPut: a.putApp(id), http.MethodPatch: a.patchApp(id),
		http.MethodDelete: a.deleteApp(id)}
	if ending(s, 1) == "*" || s[0] == "*" && len(s) == 1 {
		return methods{http.MethodGet: a.listAppsWithin(idOf(s[:len(s)-1]))}
	}
	switch ending(s, 1) {
	case "restart":
		return methods{http.MethodPost: a.restartApp(idOf(s[:len(s)-1]))}
	case "versions":
		return methods{http.MethodGet: a.listAppVersions(idOf(s[:len(s)-1]))}
	case "tasks":
		return a.routeAppTasks(s[:len(s)-1])
	}
	// An id may hold the words tasks and versions before its end: an app by that id goes first.
	if a.state().App(id) == nil {
		switch ending(s, 2) {
		case "tasks":
			app[http.MethodDelete] = a.killTask(scheduler.TaskID(s[len(s)-1]))
		case "versions":
			of := idOf(s[:len(s)-2])
			return methods{http.MethodGet: a.getAppVersion(of, s[len(s)-1]),
				http.MethodPut: a.rollbackApp(of, s[len(s)-1])}
		}
	}
	return app
}

func (a *API) routeAppTasks(s []string) methods {
	if s[len(s)-1] == "*" {
		return methods{http.MethodGet: a.listTasksWithin(idOf(s[:len(s)-1]))}
	}
	return methods{http.MethodGet: a.listAppTasks(idOf(s)), http.MethodDelete: a.killAppTasks(idOf(s))}
}

func (a *API) routeGroups(s []string) methods {
	id := idOf(s)
	group := methods{http.MethodGet: a.getGroup(id), http.MethodPost: a.createGroup(id), http.MethodPut: a.putGroup(id),
		http.MethodPatch: a.patchGroup(id), http.MethodDelete: a.deleteGroup(id)}
	if len(s) == 0 {
		return group
	}
	of := idOf(s[:len(s)-1])
	switch s[len(s)-1] {
	case "versions":
		group[http.MethodGet] = a.listGroupVersions(of)
	case "apps":
		group[http.MethodGet] = a.listGroupApps(of)
	}
	if len(s) > 1 && s[len(s)-2] == "versions" && a.state().Group(id) == nil {
		of = idOf(s[:len(s)-2])
		return methods{http.MethodGet: a.getGroupVersion(of, s[len(s)-1]),
			http.MethodPut: a.rollbackGroup(of, s[len(s)-1])}
	}
	return group
}

func (a *API) routeTasks(s []string) methods {
	switch {
	case len(s) == 0:
		return methods{http.MethodGet: a.listTasks}
	case len(s) == 1 && s[0] == "delete":
		return methods{http.MethodPost: a.killTasks}
	}
	return nil
}

func (a *API) routeDeployments(s []string) methods {
	switch len(s) {
	case 0:
		return methods{http.MethodGet: a.listDeployments}
	case 1:
		return methods{http.MethodDelete: a.cancelDeployment(scheduler.DeploymentID(s[0]))}
	}
	return nil
}

func (a *API) routeQueue(s []string) methods {
	switch {
	case len(s) == 0:
		return methods{http.MethodGet: a.listQueue}
	case ending(s, 1) == "delay":
		return methods{http.MethodDelete: a.resetDelay(idOf(s[:len(s)-1]))}
	}
	return nil
}

// routeServer finds what is about the server rather than about apps.
func (a *API) routeServer(name string, rest []string) methods {
	switch name {
	case "eventSubscriptions":
		return methods{http.MethodGet: noSubscriptions, http.MethodPost: noSubscriptions,
			http.MethodDelete: noSubscriptions}
	case "pods":
		return methods{http.MethodGet: noPods, http.MethodPost: noPods, http.MethodPut: noPods,
			http.MethodDelete: noPods}
	}
	if len(rest) > 0 {
		return nil
	}
	switch name {
	case "info":
		return methods{http.MethodGet: a.info}
	case "leader":
		return methods{http.MethodGet: a.leader, http.MethodDelete: a.abdicate}
	case "plugins":
		return methods{http.MethodGet: plugins}
	case "events":
		return methods{http.MethodGet: a.streamEvents}
	}
	return nil
}

// routeOwn finds what Marathon does not have.
func (a *API) routeOwn(s []string) methods {
	switch {
	case len(s) == 1 && s[0] == "about":
		return methods{http.MethodGet: a.about}
	case len(s) == 1 && s[0] == "agents":
		return methods{http.MethodGet: a.listAgents}
	case len(s) == 1 && s[0] == "dns":
		return methods{http.MethodGet: a.lookUp}
	case len(s) > 3 && s[0] == "tasks" && s[2] == "files":
		return methods{http.MethodGet: a.readSandbox(scheduler.TaskID(s[1]), strings.Join(s[3:], "/"))}
	}
	return nil
}
