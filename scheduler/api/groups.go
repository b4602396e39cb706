package api

import (
	"net/http"

	"rollcall/scheduler"
)

// getGroup answers GET /v2/groups and /v2/groups/{id}.
func (a *API) getGroup(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, u := a.state(), userOf(r)
		if !u.sees(id) {
			return require(r, roleRead, id)
		}
		if s.Group(id) == nil {
			return noGroup(id)
		}
		return a.respondGroup(w, r, s, id)
	}
}

// listGroupApps answers GET /v2/groups/{id}/apps.
func (a *API) listGroupApps(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		return respondArray(w, r, a.viewAll(r, s, s.AppsWithin(id), always))
	}
}

// listGroupVersions answers GET /v2/groups/{id}/versions.
func (a *API) listGroupVersions(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		if s.Group(id) == nil {
			return noGroup(id)
		}
		return respond(w, r, http.StatusOK, s.GroupVersions(id))
	}
}

// getGroupVersion answers GET /v2/groups/{id}/versions/{version}.
func (a *API) getGroupVersion(id scheduler.PathID, version string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := scheduler.ParseTimestamp(version)
		if err != nil {
			return unprocessable(err.Error())
		}
		s := a.state()
		if s.Group(id) == nil {
			return noGroup(id)
		}
		past := s.GroupAt(id, v)
		if past == nil {
			return noGroup(id) // as Marathon says it, without the version
		}
		return a.respondGroup(w, r, past, id)
	}
}

// createGroup answers POST /v2/groups and /v2/groups/{id}: the body's id is below that of the URL.
func (a *API) createGroup(base scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := a.readGroupBody(w, r, base, true, readGroup)
		if err != nil {
			return err
		}
		change := func(d *scheduler.Draft) error {
			if d.Group(in.id) != nil {
				return conflict("Group " + string(in.id) + " is already created. Use PUT to change this group.")
			}
			if d.App(in.id) != nil {
				return conflict("An app with the path " + string(in.id) + " already exists.")
			}
			return in.apply(d, a.app)
		}
		deployed, err := a.update(w, r, groupSubject(in.id), scheduler.Update{Force: a.flag(r, "force", false), Change: change})
		if err != nil {
			return err
		}
		w.Header().Set("Location", "/v2/groups"+string(in.id))
		return respond(w, r, http.StatusCreated, deploymentOf(deployed))
	}
}

// putGroup answers PUT /v2/groups and /v2/groups/{id}: the group becomes what the body says.
func (a *API) putGroup(base scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := a.readGroupBody(w, r, base, base == scheduler.Root, readGroupUpdate)
		if err != nil {
			return err
		}
		return a.changeGroup(w, r, in)
	}
}

// rollbackGroup answers the old form PUT /v2/groups/{id}/versions/{version}, with an empty body.
func (a *API) rollbackGroup(id scheduler.PathID, version string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := scheduler.ParseTimestamp(version)
		if err != nil {
			return unprocessable(err.Error())
		}
		return a.changeGroup(w, r, &groupInput{id: id, rollback: v})
	}
}

func (a *API) changeGroup(w http.ResponseWriter, r *http.Request, in *groupInput) error {
	dryRun := a.flag(r, "dryRun", false)
	deployed, err := a.update(w, r, groupSubject(in.id), scheduler.Update{Force: a.flag(r, "force", false), DryRun: dryRun,
		Change: func(d *scheduler.Draft) error { return in.apply(d, a.app) }})
	if err != nil {
		return err
	}
	if dryRun {
		steps := append([]scheduler.Step{}, deployed.Plan.Steps...)
		return respond(w, r, http.StatusOK, map[string][]scheduler.Step{"steps": steps})
	}
	return respond(w, r, http.StatusOK, deploymentOf(deployed))
}

// readGroupBody reads a group from a request's body. Its id is base, or with named the body's id made absolute below
// base.
func (a *API) readGroupBody(w http.ResponseWriter, r *http.Request, base scheduler.PathID, named bool,
	read func(*object, scheduler.PathID, appSettings) *groupInput) (*groupInput, error) {
	v, err := document(r)
	if err != nil {
		return nil, err
	}
	rd := &reader{}
	var in *groupInput
	if o, ok := rd.object(v, ""); ok {
		var given string
		if o.text("id", &given) && named {
			base = scheduler.ResolvePathID(given, base)
		}
		in = read(o, base, a.app)
	}
	if err := rd.err(); err != nil {
		return nil, err
	}
	if err := require(r, roleDeploy, in.id); err != nil {
		return nil, err
	}
	a.report(w, r, rd)
	return in, nil
}

// patchGroup answers PATCH /v2/groups/{id}, which changes enforceRole of a top-level group and nothing else.
func (a *API) patchGroup(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := document(r)
		if err != nil {
			return err
		}
		rd := &reader{}
		var enforce bool
		if o, ok := rd.object(v, ""); ok {
			if len(o.members) != 1 || !o.has("enforceRole") {
				rd.refuse("", "only enforceRole can be patched")
			}
			o.boolean("enforceRole", &enforce)
		}
		if len(id.Segments()) != 1 {
			rd.refuse("", "Path needs to be top-level")
		}
		if err := rd.err(); err != nil {
			return err
		}
		_, err = a.update(w, r, groupSubject(id), scheduler.Update{Change: func(d *scheduler.Draft) error {
			if d.Group(id) == nil {
				return noGroup(id)
			}
			in := &groupInput{id: id, enforceRole: &enforce}
			return in.putGroup(d)
		}})
		if err != nil {
			return err
		}
		w.Header().Del(deploymentHeader) // there was nothing to deploy
		w.WriteHeader(http.StatusOK)
		return nil
	}
}

// deleteGroup answers DELETE /v2/groups and /v2/groups/{id}.
func (a *API) deleteGroup(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		change := func(d *scheduler.Draft) error {
			if d.Group(id) == nil {
				return noGroup(id)
			}
			d.RemoveGroup(id)
			return nil
		}
		deployed, err := a.update(w, r, groupSubject(id), scheduler.Update{Force: a.flag(r, "force", false), Change: change})
		if err != nil {
			return err
		}
		return respond(w, r, http.StatusOK, deploymentOf(deployed))
	}
}
