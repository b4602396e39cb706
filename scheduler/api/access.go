package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// role is what somebody may do. Each includes those before it.
type role uint8

const (
	roleNone   role = iota // who does not say who he is
	roleKnown              // who is known; what he may see or do depends on what it is about
	roleRead               // may see apps
	roleDeploy             // may change them and kill their tasks
	roleAdmin              // may do everything, also what is about the server
)

// Roles of users, as they are called in the file that lists them.
var roleNames = map[string]role{"read": roleRead, "deploy": roleDeploy, "admin": roleAdmin}

func (r role) String() string {
	for name, value := range roleNames {
		if value == r {
			return name
		}
	}
	return "any"
}

// grant gives a role on an app or group and all that is in it.
type grant struct {
	role role
	path scheduler.PathID
}

// User is somebody who uses the API, with what he may do.
type User struct {
	Name   string
	grants []grant
}

// everybody is who uses an API without credentials.
var everybody = &User{grants: []grant{{roleAdmin, scheduler.Root}}}

// may says whether a user has a role on an app or group.
func (u *User) may(r role, id scheduler.PathID) bool {
	return slices.ContainsFunc(u.grants, func(g grant) bool { return g.role >= r && id.Within(g.path) })
}

// sees says whether a user may know of a group: because he may read it, or something in it.
func (u *User) sees(group scheduler.PathID) bool {
	return slices.ContainsFunc(u.grants, func(g grant) bool { return group.Within(g.path) || g.path.Within(group) })
}

// mayRead says whether a user may know of an app.
func (u *User) mayRead(app *scheduler.App) bool { return u.may(roleRead, app.ID) }

// Authenticator finds out who sends a request.
type Authenticator interface {
	// Authenticate returns the user, or nil when the request has no credentials that are good. It may be called
	// from any goroutine.
	Authenticate(*http.Request) *User
}

type userKey struct{}

func withUser(r *http.Request, u *User) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), userKey{}, u))
}

// userOf is who sends a request that was let in.
func userOf(r *http.Request) *User { return r.Context().Value(userKey{}).(*User) }

// require refuses a request whose sender has not a role on each of the ids.
func require(r *http.Request, needs role, ids ...scheduler.PathID) error {
	u := userOf(r)
	for _, id := range ids {
		if !u.may(needs, id) {
			return &Error{Status: http.StatusForbidden, Message: "User '" + u.Name + "' lacks the role " + needs.String() +
				" on '" + string(id) + "'."}
		}
	}
	return nil
}

// admit finds out who sends a request and whether he may use the endpoint.
func (a *API) admit(w http.ResponseWriter, r *http.Request, e *endpoint, t target) (*http.Request, error) {
	if a.o.Authenticator == nil {
		return withUser(r, everybody), nil
	}
	u := a.o.Authenticator.Authenticate(r)
	if u == nil && e.needs > roleNone {
		// Guesses are few a second, those right after them as well; what has no password yet is just asked for one.
		if r.Header.Get("Authorization") != "" {
			if err := a.limits.take(failurePrefix+clientIP(r), failuresPerSecond, a.o.Now()); err != nil {
				return nil, err
			}
			a.o.Logger.Warn("a request with wrong credentials was refused", "client", clientIP(r), "method", r.Method, "path", r.URL.Path)
		}
		return nil, unauthorized(w, a.o.Realm)
	}
	if u == nil {
		u = &User{}
	}
	r = withUser(r, u)
	if e.needs > roleKnown {
		return r, require(r, e.needs, t.id)
	}
	return r, nil
}

// unauthorized asks for credentials.
func unauthorized(w http.ResponseWriter, realm string) *Error {
	w.Header().Add("WWW-Authenticate", `Basic realm="`+headerText(realm, `"\`)+`", charset="UTF-8"`)
	w.Header().Add("WWW-Authenticate", "Bearer")
	return &Error{Status: http.StatusUnauthorized, Message: "Say who you are: the request has no credentials, or none that are known here."}
}

// RequireUser lets requests through to h whose sender is known, whatever his roles.
func RequireUser(known Authenticator, realm string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known.Authenticate(r) != nil {
			h.ServeHTTP(w, r)
			return
		}
		e := unauthorized(w, realm)
		http.Error(w, e.Message, e.Status)
	})
}

// RequireAdmin lets requests through to h whose sender may do everything.
func RequireAdmin(known Authenticator, realm string, h http.Handler) http.Handler {
	return RequireUser(known, realm, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := known.Authenticate(r); u == nil || !u.may(roleAdmin, scheduler.Root) {
			http.Error(w, "this takes the role admin on '/'", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	}))
}

// bearer is the token of a request, "" when it has none. Prometheus sends "token=..." as DC/OS wants it.
func bearer(r *http.Request) string {
	header := r.Header.Get("Authorization")
	if kind, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(kind, "bearer") {
		return strings.TrimSpace(token)
	}
	token, _ := strings.CutPrefix(header, "token=")
	if token == header {
		return ""
	}
	return token
}
