package api

import (
	"fmt"
	"mime"
	"net"
	"net/http"

	"rollcall/scheduler"
)

// postOf says where apps come from that a request gives.
func postOf(r *http.Request, ids ...scheduler.PathID) scheduler.Post {
	return scheduler.Post{ClientIP: clientIP(r), URI: r.URL.Path, Apps: ids}
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// createdApp is the answer to POST /v2/apps: no task is there yet, and no version information.
type createdApp struct {
	appView
	VersionInfo *scheduler.VersionInfo `json:"versionInfo,omitempty"`
}

// createApp answers POST /v2/apps.
func (a *API) createApp(w http.ResponseWriter, r *http.Request) error {
	v, err := document(r)
	if err != nil {
		return err
	}
	rd := &reader{}
	var app *scheduler.App
	if o, ok := rd.object(v, ""); ok {
		app = readApp(o, scheduler.Root, a.app)
	}
	if err := rd.err(); err != nil {
		return err
	}
	if err := require(r, roleDeploy, app.ID); err != nil {
		return err
	}
	a.report(w, r, rd)
	change := func(d *scheduler.Draft) error {
		if d.App(app.ID) != nil {
			return conflict(fmt.Sprintf("An app with id [%s] already exists.", app.ID))
		}
		app := app.Clone()
		if err := settle(d, app, "", a.app); err != nil {
			return err
		}
		makeRoom(d, app.ID)
		d.PutApp(app)
		return nil
	}
	deployed, err := a.update(w, r, appSubject(app.ID), scheduler.Update{Force: a.flag(r, "force", false), Change: change,
		Post: postOf(r, app.ID)})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v2/apps"+string(app.ID))
	return respond(w, r, http.StatusCreated, createdApp{appView: appView{App: deployed.Plan.After[app.ID],
		countsView: &countsView{}, Deployments: []deploymentSummary{{deployed.Deployment}}}})
}

// putApp answers PUT /v2/apps/{id}: a new app, or by default a change of the members that are given.
func (a *API) putApp(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return a.changeApp(w, r, id, a.putMode(r), false)
	}
}

// patchApp answers PATCH /v2/apps/{id}.
func (a *API) patchApp(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error { return a.changeApp(w, r, id, patchMode(r), true) }
}

// putMode is what a PUT does to an app that exists: Marathon keeps what the body leaves out, unless told not to.
func (a *API) putMode(r *http.Request) changeMode {
	if a.flag(r, "partialUpdate", true) {
		return replaceMembers
	}
	return replaceWhole
}

// patchMode is what a PATCH does: as Marathon's, or a JSON merge patch where the content type says so.
func patchMode(r *http.Request) changeMode {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == mergePatchType {
		return mergeMembers
	}
	return replaceMembers
}

func (a *API) changeApp(w http.ResponseWriter, r *http.Request, id scheduler.PathID, mode changeMode, mustExist bool) error {
	v, err := document(r)
	if err != nil {
		return err
	}
	return a.applyChanges(w, r, []element{{v, ""}}, id, mode, mustExist)
}

// putApps answers PUT /v2/apps.
func (a *API) putApps(w http.ResponseWriter, r *http.Request) error {
	return a.changeApps(w, r, a.putMode(r), false)
}

// patchApps answers PATCH /v2/apps.
func (a *API) patchApps(w http.ResponseWriter, r *http.Request) error {
	return a.changeApps(w, r, patchMode(r), true)
}

func (a *API) changeApps(w http.ResponseWriter, r *http.Request, mode changeMode, mustExist bool) error {
	v, err := document(r)
	if err != nil {
		return err
	}
	rd := &reader{}
	elements, ok := rd.elements(v, "")
	if !ok {
		return rd.err()
	}
	return a.applyChanges(w, r, elements, "", mode, mustExist)
}

// applyChanges changes apps in one deployment. Id is that of the URL, "" when the objects name their apps.
func (a *API) applyChanges(w http.ResponseWriter, r *http.Request, elements []element, id scheduler.PathID,
	mode changeMode, mustExist bool) error {
	rd := &reader{}
	var changes []*appChange
	for _, e := range elements {
		c := readAppChange(rd, e.value, e.path, id, mode, a.app)
		if c == nil {
			continue
		}
		c.mustExist = mustExist
		changes = append(changes, c)
	}
	if len(rd.mistyped) > 0 {
		return rd.err()
	}
	rd.refused = nil // what a partial definition breaks shows when it is complete
	for _, c := range changes {
		c.readRollback(rd)
	}
	if err := rd.err(); err != nil {
		return err
	}
	var created bool
	ids := make([]scheduler.PathID, len(changes))
	for n, c := range changes {
		ids[n] = c.id
	}
	if err := require(r, roleDeploy, ids...); err != nil {
		return err
	}
	a.report(w, r, rd)
	change := func(d *scheduler.Draft) (err error) {
		for _, c := range changes {
			if created, err = c.apply(d, a.app); err != nil {
				return err
			}
		}
		return nil
	}
	of := groupSubject(scheduler.Root)
	if id != "" {
		of = appSubject(id)
	}
	deployed, err := a.update(w, r, of, scheduler.Update{Force: a.flag(r, "force", false), Change: change, Post: postOf(r, ids...)})
	if err != nil {
		return err
	}
	if id != "" && created {
		w.Header().Set("Location", "/v2/apps"+string(id))
		return respond(w, r, http.StatusCreated, deploymentOf(deployed))
	}
	return respond(w, r, http.StatusOK, deploymentOf(deployed))
}

// rollbackApp answers the old form PUT /v2/apps/{id}/versions/{version}, with an empty body.
func (a *API) rollbackApp(id scheduler.PathID, version string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return a.applyChanges(w, r, []element{{map[string]any{"version": version}, ""}}, id, replaceMembers, true)
	}
}

// deleteApp answers DELETE /v2/apps/{id}.
func (a *API) deleteApp(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return a.changeExisting(w, r, id, a.flag(r, "force", true), func(d *scheduler.Draft) { d.RemoveApp(id) })
	}
}

// restartApp answers POST /v2/apps/{id}/restart.
func (a *API) restartApp(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return a.changeExisting(w, r, id, a.flag(r, "force", false), func(d *scheduler.Draft) { d.RestartApp(id) })
	}
}

func (a *API) changeExisting(w http.ResponseWriter, r *http.Request, id scheduler.PathID, force bool,
	change func(*scheduler.Draft)) error {
	deployed, err := a.update(w, r, appSubject(id), scheduler.Update{Force: force, Change: func(d *scheduler.Draft) error {
		if d.App(id) == nil {
			return noApp(id)
		}
		change(d)
		return nil
	}})
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, deploymentOf(deployed))
}
