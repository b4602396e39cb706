package api

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// openAPI answers GET /v2/openapi.json. The document is drawn from the endpoints, and its schemas from the types that
// are read and written, so that it cannot say anything else than what is done.
func (a *API) openAPI(w http.ResponseWriter, r *http.Request) error {
	return respond(w, r, http.StatusOK, a.document())
}

// document describes the API (OpenAPI 3.0.3).
func (a *API) document() map[string]any {
	s := schemas{}
	paths := map[string]map[string]any{}
	for i := range a.endpoints {
		e := &a.endpoints[i]
		if paths[e.pattern] == nil {
			paths[e.pattern] = map[string]any{}
		}
		paths[e.pattern][strings.ToLower(e.method)] = a.operation(e, s)
	}
	return map[string]any{
		"openapi": "3.0.3",
		"info": map[string]any{"title": "rollcall: Marathon's API", "version": a.o.Version,
			"description": "Ids of apps and groups are paths: where a path has {id} or {group}, what stands there may have slashes in it."},
		"paths": paths,
		"components": map[string]any{"schemas": s, "securitySchemes": map[string]any{
			"basic": map[string]string{"type": "http", "scheme": "basic"},
			"token": map[string]string{"type": "http", "scheme": "bearer"},
		}},
	}
}

var (
	pathParameter = regexp.MustCompile(`\{(\w+)\}`)
	notInName     = regexp.MustCompile(`\W+`)
)

func (a *API) operation(e *endpoint, s schemas) map[string]any {
	parameters := []map[string]any{}
	for _, name := range pathParameter.FindAllStringSubmatch(e.pattern, -1) {
		parameters = append(parameters, map[string]any{"name": name[1], "in": "path", "required": true,
			"schema": map[string]string{"type": "string"}})
	}
	for _, name := range e.query {
		q := queryParameters[name]
		schema := map[string]any{"type": q.kind}
		if q.kind == "array" {
			schema["items"] = map[string]string{"type": "string"}
		}
		parameters = append(parameters, map[string]any{"name": name, "in": "query", "description": q.description, "schema": schema})
	}
	if e.needs == roleDeploy || e.takes != nil {
		parameters = append(parameters, map[string]any{"name": "If-Match", "in": "header", "schema": map[string]string{"type": "string"},
			"description": "versions, one of which has to be the present one"})
	}
	answer := map[string]any{"description": http.StatusText(e.status)}
	switch e.gives.(type) {
	case nil:
	case string:
		answer["content"] = map[string]any{"text/plain": map[string]any{"schema": map[string]string{"type": "string"}}}
	default:
		answer["content"] = map[string]any{"application/json": map[string]any{"schema": s.of(e.gives)}}
	}
	out := map[string]any{
		"summary": e.summary, "parameters": parameters,
		"operationId": strings.ToLower(e.method) + strings.TrimSuffix(notInName.ReplaceAllString(strings.ReplaceAll(e.pattern, "*", "all"), "_"), "_"),
		"responses": map[string]any{strconv.Itoa(e.status): answer, "default": map[string]any{"description": "what is wrong",
			"content": map[string]any{"application/json": map[string]any{"schema": s.of(Error{})}}}},
	}
	if e.takes != nil {
		content := map[string]any{"application/json": map[string]any{"schema": s.of(e.takes)}}
		if e.method == http.MethodPatch && strings.HasPrefix(e.pattern, "/v2/apps") {
			content[mergePatchType] = map[string]any{"schema": s.of(e.takes)}
		}
		out["requestBody"] = map[string]any{"required": true, "content": content}
	}
	if e.needs > roleNone && a.o.Authenticator != nil {
		out["security"] = []map[string][]string{{"basic": {}}, {"token": {}}}
	}
	return out
}
