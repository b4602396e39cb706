package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"
)

// Resolver asks this rollcall's own DNS server, as a client would.
type Resolver interface {
	// Address is where clients ask.
	Address() netip.AddrPort
	// LookUp asks for the records of a type ("A", "SRV", ...) at a name. It may be called from any goroutine. What is
	// no question for DNS gives a *QuestionError.
	LookUp(ctx context.Context, name, recordType string) (*Lookup, error)
	// Recent tells what changed lately of the names answered for here, newest first and at most limit. It may be called
	// from any goroutine.
	Recent(limit int) []NameChange
}

// NameChange is what happened to the records of one type at a name.
type NameChange struct {
	Time    time.Time `json:"time"`
	Name    string    `json:"name"`
	Type    string    `json:"type"`
	Added   []string  `json:"added"` // data in presentation format
	Removed []string  `json:"removed"`
}

// recentMost is how many changes of names are told.
const recentMost = 100

// listNameChanges answers GET /rollcall/dns/changes.
func (a *API) listNameChanges(w http.ResponseWriter, r *http.Request) error {
	if a.o.Resolver == nil {
		return notFound("This rollcall serves no DNS")
	}
	changes := a.o.Resolver.Recent(recentMost)
	if changes == nil {
		changes = []NameChange{}
	}
	return respond(w, r, http.StatusOK, map[string]any{"changes": changes})
}

// Lookup is what a client would see.
type Lookup struct {
	Server     string   `json:"server"` // that was asked, "host:port"
	Name       string   `json:"name"`   // absolute
	Type       string   `json:"type"`
	Status     string   `json:"status"` // NOERROR, NXDOMAIN, ...
	Answer     []Record `json:"answer"`
	Authority  []Record `json:"authority"`
	Additional []Record `json:"additional"`
}

// Record is a resource record in presentation format.
type Record struct {
	Name string `json:"name"`
	TTL  uint32 `json:"ttl"` // seconds
	Type string `json:"type"`
	Data string `json:"data"`
}

// QuestionError says why something is no question for DNS.
type QuestionError struct{ Reason string }

func (e *QuestionError) Error() string { return e.Reason }

// lookUp answers GET /rollcall/dns?name=&type=.
func (a *API) lookUp(w http.ResponseWriter, r *http.Request) error {
	if a.o.Resolver == nil {
		return notFound("This rollcall serves no DNS")
	}
	recordType := a.word(r, "type")
	if recordType == "" {
		recordType = "A"
	}
	found, err := a.o.Resolver.LookUp(r.Context(), a.word(r, "name"), recordType)
	var question *QuestionError
	if errors.As(err, &question) {
		return badRequest(question.Reason)
	}
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, found)
}
