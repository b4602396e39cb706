package api

import (
	"iter"
	"net/http"
	"strings"

	"rollcall/scheduler"
)

// listApps answers GET /v2/apps.
func (a *API) listApps(w http.ResponseWriter, r *http.Request) error {
	matches, err := a.appFilter(r)
	if err != nil {
		return err
	}
	s := a.state()
	return respondList(w, r, "apps", a.viewApps(r, s, s.Apps(), always, matches))
}

// listAppsWithin answers GET /v2/apps/{group}/*.
func (a *API) listAppsWithin(group scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		if s.Group(group) == nil {
			return noGroup(group)
		}
		return respondList(w, r, "*", a.viewAll(r, s, s.AppsWithin(group), alone))
	}
}

// viewAll yields the apps that the sender of a request may see.
func (a *API) viewAll(r *http.Request, s *scheduler.State, apps iter.Seq[*scheduler.App], base embeds) iter.Seq[appView] {
	return a.viewApps(r, s, apps, base, func(*scheduler.App) bool { return true })
}

// viewApps yields the apps that match and that the sender of a request may see.
func (a *API) viewApps(r *http.Request, s *scheduler.State, apps iter.Seq[*scheduler.App], base embeds,
	matches func(*scheduler.App) bool) iter.Seq[appView] {
	e, now := a.embedsOf(r, base, ""), a.o.Now()
	return func(yield func(appView) bool) {
		for app := range visible(userOf(r), apps) {
			if matches(app) && !yield(viewApp(s, app, e, now)) {
				return
			}
		}
	}
}

// appFilter reads the query's cmd, id and label.
func (a *API) appFilter(r *http.Request) (func(*scheduler.App) bool, error) {
	cmd, id := strings.ToLower(a.word(r, "cmd")), strings.ToLower(a.word(r, "id"))
	var labels selector
	if text := a.word(r, "label"); text != "" {
		var err error
		if labels, err = parseSelector(text); err != nil {
			return nil, unprocessable(err.Error())
		}
	}
	return func(app *scheduler.App) bool {
		return strings.Contains(strings.ToLower(app.Cmd), cmd) && strings.Contains(string(app.ID), id) &&
			labels.matches(app.Labels)
	}, nil
}

// getApp answers GET /v2/apps/{id}.
func (a *API) getApp(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		app := s.App(id)
		if app == nil {
			return noApp(id)
		}
		e := a.embedsOf(r, alone, "")
		e.readiness = e.readiness || len(app.ReadinessChecks) > 0
		return respond(w, r, http.StatusOK, map[string]appView{"app": viewApp(s, app, e, a.o.Now())})
	}
}

// listAppVersions answers GET /v2/apps/{id}/versions.
func (a *API) listAppVersions(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		if s.App(id) == nil {
			return noApp(id)
		}
		return respond(w, r, http.StatusOK, map[string][]scheduler.Timestamp{"versions": s.AppVersions(id)})
	}
}

// getAppVersion answers GET /v2/apps/{id}/versions/{version}.
func (a *API) getAppVersion(id scheduler.PathID, version string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := scheduler.ParseTimestamp(version)
		if err != nil {
			return unprocessable(err.Error())
		}
		s := a.state()
		if s.App(id) == nil {
			return noApp(id)
		}
		app := s.AppVersion(id, v)
		if app == nil {
			return noAppVersion(id, v)
		}
		return respond(w, r, http.StatusOK, app)
	}
}

func noAppVersion(id scheduler.PathID, v scheduler.Timestamp) *Error {
	return notFound("App '" + string(id) + "' does not exist in version " + v.String())
}
