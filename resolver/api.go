package resolver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"

	"rollcall/records"
)

// APIOptions are what Mesos-DNS's HTTP API shows besides the zone.
type APIOptions struct {
	Version string // of /v1/version
	// Config makes the value that /v1/config shows as JSON, with secrets redacted. serial is the zone's. It must be
	// there, and may be called from any goroutine.
	Config func(serial uint32) any
	// Enumeration says whether /v1/enumerate and /v1/axfr exist: they list everything there is ("enumerationOn").
	Enumeration    bool
	RefreshSeconds int     // of /v1/axfr
	Checks         []Check // of /v1/ready
}

// NewAPI returns the HTTP API of Mesos-DNS under /v1: same paths, bodies and status codes, down to the indentation.
// In addition /v1/ready tells whether answers may be relied on, with 200 or 503.
func NewAPI(zone Zone, o APIOptions) http.Handler { return &api{zone: zone, options: o} }

type api struct {
	zone    Zone
	options APIOptions
}

// apiError is an answer that is a line of text.
type apiError struct {
	status int
	text   string
}

// Texts as Mesos-DNS has them. They have no line end.
var (
	errNotFound         = apiError{http.StatusNotFound, "404: Page Not Found"}
	errMethodNotAllowed = apiError{http.StatusMethodNotAllowed, "405: Method Not Allowed"}
	errNotAcceptable    = apiError{http.StatusNotAcceptable, "406: Not Acceptable"}
	errUnsupportedMedia = apiError{http.StatusUnsupportedMediaType, "415: Unsupported Media Type"}
	errNotImplemented   = apiError{http.StatusNotImplemented, "To be implemented..."}
)

// ServeHTTP checks requests in Mesos-DNS's order: path, method, content type, Accept.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if clean := cleanPath(r.URL.Path); clean != r.URL.Path {
		u := *r.URL
		u.Path, u.RawPath = clean, ""
		http.Redirect(w, r, u.String(), http.StatusMovedPermanently)
		return
	}
	serve := a.route(r.URL.Path)
	switch {
	case serve == nil:
		errNotFound.write(w)
	case r.Method != http.MethodGet:
		errMethodNotAllowed.write(w)
	case r.ContentLength > 0 && !lists(r.Header.Get("Content-Type"), ""):
		errUnsupportedMedia.write(w)
	case r.Header.Get("Accept") != "" && !lists(r.Header.Get("Accept"), "*/*"):
		errNotAcceptable.write(w)
	default:
		serve(w)
	}
}

// route finds what serves a path, nil if nothing does. One slash at the end is let pass.
func (a *api) route(path string) func(http.ResponseWriter) {
	elements, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), "/v1/")
	if !ok {
		return nil
	}
	element := strings.Split(elements, "/")
	switch {
	case elements == "version":
		return a.version
	case elements == "config":
		return a.config
	case elements == "ready":
		return func(w http.ResponseWriter) { writeReadiness(w, a.options.Checks) }
	case elements == "enumerate" && a.options.Enumeration:
		return a.enumerate
	case elements == "axfr" && a.options.Enumeration:
		return a.axfr
	case len(element) == 2 && element[0] == "hosts":
		return func(w http.ResponseWriter) { a.hosts(w, element[1]) }
	case len(element) == 2 && element[0] == "services":
		return func(w http.ResponseWriter) { a.services(w, element[1]) }
	case len(element) == 3 && element[0] == "hosts" && element[2] == "ports":
		return errNotImplemented.write
	}
	return nil
}

// cleanPath is the canonical form of a path; a slash at the end stays.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// lists reports whether a header lists JSON literally, or the wildcard. "application/*" does not count, as for Mesos-DNS.
func lists(header, wildcard string) bool {
	for t := range strings.SplitSeq(header, ",") {
		t, _, _ = strings.Cut(t, ";")
		if t = strings.Trim(t, " "); t == "application/json" || wildcard != "" && t == wildcard {
			return true
		}
	}
	return false
}

func (a *api) version(w http.ResponseWriter) {
	writeJSON(w, struct{ Service, URL, Version string }{
		"Mesos-DNS", "https://github.com/mesosphere/mesos-dns", a.options.Version,
	})
}

func (a *api) config(w http.ResponseWriter) {
	writeJSON(w, a.options.Config(a.zone.Snapshot().Serial()))
}

type hostEntry struct {
	Host string `json:"host"`
	IP   string `json:"ip"`
}

// hosts lists a name's addresses, IPv4 first. A name that has none gives one empty entry.
func (a *api) hosts(w http.ResponseWriter, given string) {
	name := apiName(given)
	rotation := newRotation()
	var out []hostEntry
	if node := a.zone.Snapshot().LookupListed(name); node != nil {
		for _, t := range [...]uint16{records.TypeA, records.TypeAAAA} {
			set := node.RRset(t)
			if set == nil {
				continue
			}
			addrs := set.Addrs()
			for i, n := 0, len(addrs); i < n; i++ {
				addr := addrs[(rotation.start(n)+i)%n]
				out = append(out, hostEntry{Host: name, IP: addr.String()})
			}
		}
	}
	if out == nil {
		out = []hostEntry{{}}
	}
	writeJSON(w, out)
}

// apiName is a name of a request as Mesos-DNS looks it up: without ".*", in lower case, with a dot at the end.
func apiName(given string) string {
	name := strings.ToLower(strings.ReplaceAll(given, ".*", ""))
	if !strings.HasSuffix(name, ".") {
		name += "."
	}
	return name
}

// setLen is the number of records of a set that may not be there.
func setLen(set *records.RRset) int {
	if set == nil {
		return 0
	}
	return set.Len()
}

func (e apiError) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(e.status)
	io.WriteString(w, e.text) //nolint:errcheck // the client is gone
}

// writeJSON writes a value as Mesos-DNS does: each line but the first starts with a space, each level adds one, and the
// last line has no end.
func writeJSON(w http.ResponseWriter, value any) {
	body, err := json.MarshalIndent(value, " ", " ")
	if err != nil {
		apiError{http.StatusInternalServerError, "500: " + err.Error()}.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.Copy(w, bytes.NewReader(body)) //nolint:errcheck // the client is gone
}
