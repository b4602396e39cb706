package api

import (
	"net/http"

	"rollcall/scheduler"
)

// endpoint is one method of one path. The table of them is all there is to the API: requests are routed by it, rights
// are checked by it, and the OpenAPI document is drawn from it.
type endpoint struct {
	method  string
	pattern string // as in OpenAPI; {id} and {group} stand for ids, which may have slashes in them
	needs   role   // of the caller, on the id in the path, or on the root group when the path has none
	summary string
	query   []string // names of parameters, of those in queryParameters
	takes   any      // a value of the type of the body; nil: it is not read
	status  int      // of success
	gives   any      // a value of the type of the answer's body; nil: it has none
	handle  func(a *API, t target) handler
}

// target is what a path names.
type target struct {
	id   scheduler.PathID
	last string // {task}, {version} or {deployment}
	file string // {file}, which may have slashes in it
}

// queryParameters tells what each parameter means; those not named here as texts are booleans.
var queryParameters = map[string]struct{ kind, description string }{
	"force":         {"boolean", "cancel deployments that hold an app which is changed"},
	"partialUpdate": {"boolean", "true, the default: what the body leaves out stays; false: the body is the whole definition"},
	"dryRun":        {"boolean", "answer the steps of the deployment and change nothing"},
	"scale":         {"boolean", "lower the instances of the apps by the number of tasks killed"},
	"wipe":          {"boolean", "forget the instances; those that replace them have other ids"},
	"host":          {"string", "kill only the tasks on this host; * or nothing: on all"},
	"cmd":           {"string", "only apps whose command contains this, in any letter case"},
	"id":            {"string", "only apps whose id contains this, in any letter case"},
	"label":         {"string", "only apps whose labels match this selector: key, key==v, key!=v, key in (a,b), key notin (a,b); a comma is an and"},
	"embed":         {"array", "what to add to the answer: tasks, counts, deployments, readiness, lastTaskFailure, failures, taskStats, each also with apps. before it; of groups group.groups, group.apps, group.pods, and group.apps. before those of apps; of the queue lastUnusedOffers; of deployments progress"},
	"status":        {"array", "only tasks that are running, or staging"},
	"event_type":    {"array", "only events of these types"},
	"name":          {"string", "what to ask DNS for"},
	"type":          {"string", "the type of the records; A when it is not given"},
	"offset":        {"integer", "where to begin to read, in bytes; -1 asks where the end is"},
	"length":        {"integer", "how many bytes to read, at most 1048576; 65536 when it is not given"},
	"plan-format":   {"string", "full: plans come with the groups that they change, as in Marathon up to 1.9"},
}

// plain, just, ofID and ofVersion make handlers of what there is: for nothing but the request, with the API, for what
// the path names, and for a version of it.
func plain(h handler) func(*API, target) handler {
	return func(*API, target) handler { return h }
}

func just(h func(*API, http.ResponseWriter, *http.Request) error) func(*API, target) handler {
	return func(a *API, _ target) handler {
		return func(w http.ResponseWriter, r *http.Request) error { return h(a, w, r) }
	}
}

func ofID(h func(*API, scheduler.PathID) handler) func(*API, target) handler {
	return func(a *API, t target) handler { return h(a, t.id) }
}

func ofVersion(h func(*API, scheduler.PathID, string) handler) func(*API, target) handler {
	return func(a *API, t target) handler { return h(a, t.id, t.last) }
}

// endpoints lists every endpoint. Of two patterns that fit a path the first counts.
func endpoints() []endpoint {
	var all []endpoint
	for _, group := range [][]endpoint{serverEndpoints(), appEndpoints(), groupEndpoints(), workEndpoints(), ownEndpoints()} {
		all = append(all, group...)
	}
	return all
}

func serverEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/", roleNone, "leads to the web page", nil, nil, http.StatusFound, "", plain(front)},
		{"GET", "/ui", roleKnown, "the web page", nil, nil, 200, "", just((*API).page)},
		{"GET", "/ui/{file}", roleKnown, "files of the web page", nil, nil, 200, "", just((*API).page)},
		{"GET", "/ping", roleNone, "says pong", nil, nil, 200, "", plain(ping)},
		{"GET", "/healthz", roleNone, "whether the process lives", nil, nil, 200, "", just((*API).monitor)},
		{"GET", "/readyz", roleNone, "whether everything is usable, and what is not", nil, nil, 200, "", just((*API).monitor)},
		{"GET", "/metrics", roleKnown, "metrics for Prometheus, or Marathon's as JSON", nil, nil, 200, "", just((*API).metrics)},
		{"GET", "/metrics/prometheus", roleKnown, "metrics for Prometheus", nil, nil, 200, "", just((*API).metrics)},
		{"GET", "/v2/openapi.json", roleNone, "this document", nil, nil, 200, map[string]any{}, just((*API).openAPI)},
		{"GET", "/v2/info", roleKnown, "versions and configuration", []string{"embed"}, nil, 200, infoView{}, just((*API).info)},
		{"GET", "/v2/leader", roleKnown, "where the leader is", nil, nil, 200, leaderView{}, just((*API).leader)},
		{"DELETE", "/v2/leader", roleAdmin, "let another lead", nil, nil, 200, named{"message": ""}, just((*API).abdicate)},
		{"GET", "/v2/plugins", roleKnown, "there are none", nil, nil, 200, named{"plugins": []string{}}, plain(plugins)},
		{"GET", "/v2/events", roleKnown, "what happens, as server-sent events", []string{"event_type", "plan-format"}, nil, 200, "", just((*API).streamEvents)},
		{"GET", "/v2/eventSubscriptions", roleKnown, "callbacks are not supported", nil, nil, 404, Error{}, plain(noSubscriptions)},
		{"POST", "/v2/eventSubscriptions", roleKnown, "callbacks are not supported", nil, nil, 404, Error{}, plain(noSubscriptions)},
		{"DELETE", "/v2/eventSubscriptions", roleKnown, "callbacks are not supported", nil, nil, 404, Error{}, plain(noSubscriptions)},
		{"GET", "/v2/pods", roleKnown, "pods are not supported", nil, nil, 404, Error{}, plain(noPods)},
		{"POST", "/v2/pods", roleKnown, "pods are not supported", nil, nil, 404, Error{}, plain(noPods)},
		{"GET", "/v2/pods/{id}", roleKnown, "pods are not supported", nil, nil, 404, Error{}, plain(noPods)},
		{"PUT", "/v2/pods/{id}", roleKnown, "pods are not supported", nil, nil, 404, Error{}, plain(noPods)},
		{"DELETE", "/v2/pods/{id}", roleKnown, "pods are not supported", nil, nil, 404, Error{}, plain(noPods)},
		{"GET", "/logging", roleKnown, "log levels are in the configuration", nil, nil, 404, Error{}, plain(noLogging)},
		{"POST", "/logging", roleKnown, "log levels are in the configuration", nil, nil, 404, Error{}, plain(noLogging)},
		{"GET", "/config", roleKnown, "/v2/info has it", nil, nil, 404, Error{}, plain(noConfig)},
		{"GET", "/help", roleKnown, "/v2/openapi.json has it", nil, nil, 404, Error{}, plain(noHelp)},
		{"GET", "/api-console", roleKnown, "/v2/openapi.json has it", nil, nil, 404, Error{}, plain(noHelp)},
	}
}

func appEndpoints() []endpoint {
	kill := []string{"scale", "wipe", "force"}
	return []endpoint{
		{"GET", "/v2/apps", roleKnown, "apps", []string{"cmd", "id", "label", "embed"}, nil, 200, named{"apps": []appView{}}, just((*API).listApps)},
		{"POST", "/v2/apps", roleKnown, "make an app", []string{"force"}, scheduler.App{}, 201, createdApp{}, just((*API).createApp)},
		{"PUT", "/v2/apps", roleKnown, "make or change apps, in one deployment", []string{"force", "partialUpdate"}, []scheduler.App{}, 200, deploymentResult{}, just((*API).putApps)},
		{"PATCH", "/v2/apps", roleKnown, "change apps, in one deployment", []string{"force"}, []scheduler.App{}, 200, deploymentResult{}, just((*API).patchApps)},
		{"GET", "/v2/apps/*", roleKnown, "all apps", []string{"embed"}, nil, 200, named{"*": []appView{}}, func(a *API, _ target) handler { return a.listAppsWithin(scheduler.Root) }},
		{"GET", "/v2/apps/*/tasks", roleKnown, "tasks of all apps", nil, nil, 200, named{"tasks": []taskView{}}, func(a *API, _ target) handler { return a.listTasksWithin(scheduler.Root) }},
		{"GET", "/v2/apps/{group}/*", roleKnown, "apps in a group and below", []string{"embed"}, nil, 200, named{"*": []appView{}}, ofID((*API).listAppsWithin)},
		{"GET", "/v2/apps/{group}/*/tasks", roleKnown, "tasks of the apps in a group and below", nil, nil, 200, named{"tasks": []taskView{}}, ofID((*API).listTasksWithin)},
		{"POST", "/v2/apps/{id}/restart", roleDeploy, "replace all instances of an app", []string{"force"}, nil, 200, deploymentResult{}, ofID((*API).restartApp)},
		{"GET", "/v2/apps/{id}/versions", roleRead, "versions of an app, newest first", nil, nil, 200, named{"versions": []scheduler.Timestamp{}}, ofID((*API).listAppVersions)},
		{"GET", "/v2/apps/{id}/tasks", roleRead, "tasks of an app", nil, nil, 200, named{"tasks": []taskView{}}, ofID((*API).listAppTasks)},
		{"DELETE", "/v2/apps/{id}/tasks", roleDeploy, "kill the tasks of an app", append([]string{"host"}, kill...), nil, 200, named{"tasks": []taskView{}}, ofID((*API).killAppTasks)},
		{"DELETE", "/v2/apps/{id}/tasks/{task}", roleKnown, "kill a task, whatever the id of the app says", kill, nil, 200, named{"task": taskView{}}, func(a *API, t target) handler { return a.killTask(scheduler.TaskID(t.last)) }},
		{"GET", "/v2/apps/{id}/versions/{version}", roleRead, "an app as it was in a version", nil, nil, 200, scheduler.App{}, ofVersion((*API).getAppVersion)},
		{"PUT", "/v2/apps/{id}/versions/{version}", roleDeploy, "make an app again what it was in a version", []string{"force"}, nil, 200, deploymentResult{}, ofVersion((*API).rollbackApp)},
		{"GET", "/v2/apps/{id}", roleRead, "an app", []string{"embed"}, nil, 200, named{"app": appView{}}, ofID((*API).getApp)},
		{"PUT", "/v2/apps/{id}", roleDeploy, "make or change an app", []string{"force", "partialUpdate"}, scheduler.App{}, 200, deploymentResult{}, ofID((*API).putApp)},
		{"PATCH", "/v2/apps/{id}", roleDeploy, "change an app that exists; also by JSON merge patch", []string{"force"}, scheduler.App{}, 200, deploymentResult{}, ofID((*API).patchApp)},
		{"DELETE", "/v2/apps/{id}", roleDeploy, "remove an app; force is true by default", []string{"force"}, nil, 200, deploymentResult{}, ofID((*API).deleteApp)},
	}
}

func groupEndpoints() []endpoint {
	put := []string{"force", "dryRun"}
	var out []endpoint
	for _, base := range []string{"/v2/groups", "/v2/groups/{id}"} {
		out = append(out,
			endpoint{"GET", base + "/versions", roleRead, "versions of a group, newest first", nil, nil, 200, []scheduler.Timestamp{}, ofID((*API).listGroupVersions)},
			endpoint{"GET", base + "/apps", roleKnown, "apps in a group and below", []string{"embed"}, nil, 200, []appView{}, ofID((*API).listGroupApps)},
			endpoint{"GET", base + "/versions/{version}", roleRead, "a group as it was in a version", []string{"embed"}, nil, 200, groupView{}, ofVersion((*API).getGroupVersion)},
			endpoint{"PUT", base + "/versions/{version}", roleDeploy, "make a group again what it was in a version", put, nil, 200, deploymentResult{}, ofVersion((*API).rollbackGroup)})
	}
	for _, base := range []string{"/v2/groups", "/v2/groups/{id}"} {
		out = append(out,
			endpoint{"GET", base, roleKnown, "a group with what is in it", []string{"embed"}, nil, 200, groupView{}, ofID((*API).getGroup)},
			endpoint{"POST", base, roleKnown, "make a group", []string{"force"}, groupView{}, 201, deploymentResult{}, ofID((*API).createGroup)},
			endpoint{"PUT", base, roleKnown, "make a group what the body says; or scaleBy, or version, alone", put, groupView{}, 200, deploymentResult{}, ofID((*API).putGroup)},
			endpoint{"PATCH", base, roleDeploy, "change enforceRole of a top-level group", nil, groupView{}, 200, nil, ofID((*API).patchGroup)},
			endpoint{"DELETE", base, roleDeploy, "remove a group with all that is in it", []string{"force"}, nil, 200, deploymentResult{}, ofID((*API).deleteGroup)})
	}
	return out
}

func workEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/v2/tasks", roleKnown, "tasks; as text/plain one line for each service port", []string{"status"}, nil, 200, named{"tasks": []taskView{}}, just((*API).listTasks)},
		{"POST", "/v2/tasks/delete", roleKnown, "kill tasks", []string{"scale", "wipe", "force"}, named{"ids": []scheduler.TaskID{}}, 200, named{"tasks": []taskView{}}, just((*API).killTasks)},
		{"GET", "/v2/deployments", roleKnown, "deployments under way", []string{"embed"}, nil, 200, []deploymentView{}, just((*API).listDeployments)},
		{"DELETE", "/v2/deployments/{deployment}", roleKnown, "undo a deployment; with force just stop it", []string{"force"}, nil, 200, deploymentResult{}, func(a *API, t target) handler { return a.cancelDeployment(scheduler.DeploymentID(t.last)) }},
		{"GET", "/v2/queue", roleKnown, "apps with instances that wait to be launched, and why", []string{"embed"}, nil, 200, named{"queue": []queueItem{}}, just((*API).listQueue)},
		{"DELETE", "/v2/queue/{id}/delay", roleDeploy, "launch without waiting for the backoff to end", nil, nil, http.StatusNoContent, nil, ofID((*API).resetDelay)},
	}
}

// ownEndpoints are those that Marathon does not have.
func ownEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/rollcall/about", roleKnown, "what a page has to know to explain names", nil, nil, 200, aboutView{}, just((*API).about)},
		{"GET", "/rollcall/agents", roleKnown, "agents that have made offers", nil, nil, 200, named{"agents": []agentView{}}, just((*API).listAgents)},
		{"GET", "/rollcall/dns", roleKnown, "what the DNS server here answers", []string{"name", "type"}, nil, 200, Lookup{}, just((*API).lookUp)},
		{"GET", "/rollcall/dns/changes", roleKnown, "what changed lately of the names answered for here", nil, nil, 200, named{"changes": []NameChange{}}, just((*API).listNameChanges)},
		{"GET", "/rollcall/losses", roleKnown, "whether tasks of agents lost at once wait to be replaced", nil, nil, 200, lossesView{}, just((*API).getLosses)},
		{"POST", "/rollcall/losses/confirm", roleAdmin, "has the tasks of agents lost at once replaced", nil, nil, 200, lossesView{}, just((*API).confirmLosses)},
		{"GET", "/rollcall/tasks/{task}/files/{file}", roleKnown, "a part of a file in the sandbox of a task", []string{"offset", "length"}, nil, 200, fileView{}, func(a *API, t target) handler { return a.readSandbox(scheduler.TaskID(t.last), t.file) }},
		{"POST", "/rollcall/tasks/{task}/exec", roleKnown, "run a command inside a task: the connection is upgraded to " + ExecProtocol, nil, execRequest{}, http.StatusSwitchingProtocols, nil, func(a *API, t target) handler { return a.exec(scheduler.TaskID(t.last)) }},
		{"GET", "/rollcall/events", roleKnown, "the event stream of /v2/events, which rollcalls that do not lead pass on instead of redirecting to the leader", []string{"event_type", "plan-format"}, nil, 200, "", just((*API).streamEvents)},
	}
}
