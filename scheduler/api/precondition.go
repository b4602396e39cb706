package api

import (
	"fmt"
	"net/http"
	"strings"

	"rollcall/scheduler"
)

// subject is what a request changes, as far as its version goes: the precondition of a request may name the version
// that its author saw last. Marathon has no such preconditions; nobody has to use them.
type subject struct {
	what    string // as messages call it
	version func(*scheduler.State) (v scheduler.Timestamp, exists bool)
}

func appSubject(id scheduler.PathID) subject {
	return subject{"App '" + string(id) + "'", func(s *scheduler.State) (scheduler.Timestamp, bool) {
		if app := s.App(id); app != nil {
			return app.Version, true
		}
		return 0, false
	}}
}

func groupSubject(id scheduler.PathID) subject {
	return subject{"Group '" + string(id) + "'", func(s *scheduler.State) (scheduler.Timestamp, bool) {
		if s.Group(id) != nil {
			return s.GroupVersion(id), true
		}
		return 0, false
	}}
}

// precondition reads If-Match (RFC 9110, 13.1.1): versions, with or without quotes, or * for any that exists. It
// returns what refuses a draft whose subject has another version; nil when the request has no such header.
func precondition(r *http.Request, of subject) (func(*scheduler.Draft) error, error) {
	header := strings.Join(r.Header.Values("If-Match"), ",")
	if strings.TrimSpace(header) == "" {
		return nil, nil
	}
	wanted := map[scheduler.Timestamp]bool{}
	anything := false
	for part := range strings.SplitSeq(header, ",") {
		part = strings.Trim(strings.TrimSpace(part), `"`)
		if part == "*" {
			anything = true
			continue
		}
		v, err := scheduler.ParseTimestamp(part)
		if err != nil {
			return nil, badRequest(fmt.Sprintf("If-Match takes versions such as \"2026-01-02T03:04:05.678Z\", or *: %s", err))
		}
		wanted[v] = true
	}
	return func(d *scheduler.Draft) error {
		v, exists := of.version(d.Before())
		switch {
		case !exists:
			return &Error{Status: http.StatusPreconditionFailed, Message: of.what + " does not exist, but If-Match names a version of it."}
		case !anything && !wanted[v]:
			return &Error{Status: http.StatusPreconditionFailed, Message: of.what + " has the version " + v.String() +
				", which is not the one that If-Match names. Somebody else changed it: read it again."}
		}
		return nil
	}, nil
}
