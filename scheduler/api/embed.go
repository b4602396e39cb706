package api

import (
	"net/http"
	"strings"
)

// embeds says what is written of an app besides its definition.
type embeds struct {
	counts, deployments, tasks, readiness, failure, stats bool
}

// always is what any answer about apps holds.
var always = embeds{counts: true, deployments: true}

// alone is what the answer about one app holds, and that about the apps of /v2/apps/{group}/*, as in all Marathons.
var alone = embeds{counts: true, deployments: true, tasks: true, failure: true}

// embedsOf reads the query's embed members. Prefix is what their names may begin with besides "apps." and "app.".
func (a *API) embedsOf(r *http.Request, base embeds, prefix string) embeds {
	e := base
	for _, value := range a.query(r, "embed") {
		for _, p := range []string{prefix, "apps.", "app."} {
			value = strings.TrimPrefix(value, p)
		}
		switch value {
		case "counts":
			e.counts = true
		case "deployments":
			e.deployments = true
		case "tasks":
			e.tasks, e.deployments = true, true
		case "readiness":
			e.readiness = true
		case "lastTaskFailure":
			e.failure = true
		case "failures":
			e.tasks, e.deployments, e.failure = true, true, true
		case "taskStats":
			e.stats = true
		}
	}
	return e
}
