package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/scheduler"
)

// handler answers one request, or returns what is wrong with it.
type handler func(w http.ResponseWriter, r *http.Request) error

// gzipFrom is the size of answers that are worth compressing: below it they fit into one packet anyway.
const gzipFrom = 1400

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.headers(w.Header())
	a.allowOrigin(w.Header(), r)
	if err := a.serve(w, r); err != nil {
		a.fail(w, r, err)
	}
}

func (a *API) headers(h http.Header) {
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "0")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-XSS-Protection", "1; mode=block")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.o.Leader != "" {
		h.Set("X-Marathon-Leader", a.scheme()+"://"+a.o.Leader)
	}
}

func (a *API) scheme() string {
	if a.o.TLS {
		return "https"
	}
	return "http"
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) error {
	if err := checkHost(a.o.Hosts, r.Host); err != nil {
		return err
	}
	if err := a.cross.Check(r); err != nil {
		return &Error{Status: http.StatusForbidden, Message: err.Error()}
	}
	if client := clientIP(r); !net.ParseIP(client).IsLoopback() {
		if err := a.limits.take(client, max(0, a.o.RequestsPerSecond), a.o.Now()); err != nil {
			return err
		}
	}
	route, target := a.route(r.Method, r.URL.Path)
	if route == nil {
		return notFound("URI not found: " + r.URL.Path)
	}
	e := route.endpoint(r.Method)
	if e == nil && r.Method == http.MethodOptions { // also what browsers ask before they send credentials
		w.Header().Set("Allow", route.allow())
		return nil
	}
	if e == nil {
		return &Error{Status: http.StatusMethodNotAllowed, Message: r.Method + " is not allowed here",
			allow: route.allow()}
	}
	r, err := a.admit(w, r, e, target)
	if err != nil {
		return err
	}
	if r.ContentLength != 0 {
		// A client that sends a body by the letter holds on to its connection for so long and not longer.
		within := bodyWithin + time.Duration(max(0, r.ContentLength)/bodyRate)*time.Second
		err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(within))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return &clientGone{err}
		}
	}
	most := a.o.MaxBody
	if _, one := e.takes.(scheduler.App); one {
		most = min(most, 2*maxDefinition)
	}
	sent := r.Body
	r.Body = http.MaxBytesReader(w, sent, most)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.warn(w, r, strangeParameters(r, e))
	}
	err = a.inTurn(e.handle(a, target))(w, r)
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusRequestEntityTooLarge {
		// Many clients read the answer when they have sent all, and would see a broken connection instead.
		_, _ = io.CopyN(io.Discard, sent, drainMost)
	}
	return err
}

// drainMost bounds how much of a body that is too large is read, and thrown away.
const drainMost = 64 << 20

// inTurn has requests with large bodies handled when it is their turn.
func (a *API) inTurn(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !isLarge(r) {
			return h(w, r)
		}
		release, err := a.readLarge(r)
		if err != nil {
			return err
		}
		defer release()
		return h(w, r)
	}
}

// strangeParameters tells of what a query has that nothing will look at: who writes ?froce=true wants something.
func strangeParameters(r *http.Request, e *endpoint) (out []string) {
	for name := range r.URL.Query() {
		if !slices.Contains(e.query, strings.TrimSuffix(name, "[]")) {
			out = append(out, "the parameter "+name+" means nothing here")
		}
	}
	slices.Sort(out)
	return out
}

// A request's body may take bodyWithin to arrive, and a second more for each bodyRate bytes.
const (
	bodyWithin = 10 * time.Second
	bodyRate   = 50_000
)

// readLarge reads a large body when it is its turn, and waits for the turn to be worked on, which lasts until release
// is called.
func (a *API) readLarge(r *http.Request) (release func(), err error) {
	done, err := take(r.Context(), a.large.reading)
	if err != nil {
		return nil, err
	}
	defer done()
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	if len(data) <= largeBody { // it was sent without its length
		return func() {}, nil
	}
	return take(r.Context(), a.large.atWork)
}

// checkHost refuses a request that was sent to a name which is not the server's: any IP address, localhost, and the
// given hosts are; with nil, every name is.
func checkHost(hosts []string, hostport string) error {
	if hosts == nil || hostport == "" {
		return nil
	}
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	address, _, _ := strings.Cut(host, "%")
	if net.ParseIP(address) != nil || host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(hosts, func(name string) bool { return strings.EqualFold(name, host) }) {
		return nil
	}
	return &Error{Status: http.StatusMisdirectedRequest, Message: "This server is not called '" + hostport +
		"'. Use its address, localhost, or a name from its configuration."}
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var gone *clientGone
	// It is the client that has to be gone. Where this rollcall is ending, or stepping down, the client waits for an
	// answer, and none at all would reach it as 200.
	if errors.As(err, &gone) || errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		a.o.Logger.Debug("answer not delivered", "method", r.Method, "path", r.URL.Path, "error", err)
		return
	}
	e := asError(err)
	if e.Status >= 500 {
		a.o.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", e.Status, "error", err)
	}
	if e.allow != "" {
		w.Header().Set("Allow", e.allow)
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	if err := respond(w, r, e.Status, e); err != nil {
		a.o.Logger.Debug("answer not delivered", "method", r.Method, "path", r.URL.Path, "error", err)
	}
}

// respond writes body as JSON, compressed when the client likes it. Its error means that the client is gone, or
// that the body has no JSON.
func respond(w http.ResponseWriter, r *http.Request, status int, body any) error {
	data, err := encode(body)
	if err != nil {
		return err
	}
	return deliver(w, r, status, "application/json", data)
}

// encode writes JSON as it is read best: commands keep their < and &.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func deliver(w http.ResponseWriter, r *http.Request, status int, contentType string, data []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept-Encoding")
	if len(data) >= gzipFrom && accepts(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		h.Set("Content-Encoding", "gzip")
		data = b.Bytes()
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if err := giveTime(w, len(data)); err != nil {
		return err
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(data); err != nil {
		return &clientGone{err}
	}
	return nil
}

// giveTime lets a client take so long to read so many bytes, and cuts it off after that.
func giveTime(w http.ResponseWriter, bytes int) error {
	until := time.Now().Add(writeWithin + time.Duration(bytes/bodyRate)*time.Second)
	if err := http.NewResponseController(w).SetWriteDeadline(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return &clientGone{err}
	}
	return nil
}

// clientGone is a failure to write an answer. Nothing can be answered to it.
type clientGone struct{ err error }

func (e *clientGone) Error() string { return "writing the answer: " + e.err.Error() }
func (e *clientGone) Unwrap() error { return e.err }

// accepts says whether a header like Accept or Accept-Encoding names a word, or a media range that covers it, with a
// quality above zero (RFC 9110, 12.4.2).
func accepts(header, word string) bool {
	kind, _, _ := strings.Cut(word, "/")
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case word, "*/*", "*", kind + "/*":
			q := strings.ReplaceAll(parameters, " ", "")
			if q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000" {
				return true
			}
		}
	}
	return false
}

// body reads a request's body. An absent one has no bytes.
func body(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	if err == nil {
		return data, nil
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge,
			Message: "The body is larger than the " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes that are accepted"}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &Error{Status: http.StatusRequestTimeout, Message: "The body did not arrive in time."}
	}
	return nil, badRequest("The body could not be read: " + err.Error())
}

// document reads a request's body as JSON, whatever content type it claims: curl -d says it is a form.
func document(r *http.Request) (any, error) {
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	return parseJSON(bytes.TrimPrefix(data, []byte("\ufeff"))) // as editors on Windows begin files
}

// reportsShown bounds how much a header tells of a document.
const reportsShown = 32

// report makes visible what was read in a document otherwise than its author may think: members nobody knows, which
// are accepted as Marathon does, but not in silence, and what was taken for something else.
func (a *API) report(w http.ResponseWriter, r *http.Request, rd *reader) {
	if len(rd.unknown) > 0 {
		var shown []string
		for _, name := range rd.unknown[:min(len(rd.unknown), reportsShown)] {
			shown = append(shown, headerText(name, " ,"))
		}
		w.Header().Set("X-Unknown-Fields", strings.Join(shown, ","))
		a.o.Logger.Warn("members without a meaning were ignored", "method", r.Method, "path", r.URL.Path, "members", shown)
	}
	a.warn(w, r, rd.warnings)
}

// warn tells the client, and the log, of what was accepted and may not be what its author wants.
func (a *API) warn(w http.ResponseWriter, r *http.Request, warnings []string) {
	for _, text := range warnings[:min(len(warnings), reportsShown)] {
		w.Header().Add("Warning", `299 rollcall "`+headerText(text, `"\`)+`"`) // RFC 7234, 5.5
		a.o.Logger.Warn("a request was accepted with a warning", "method", r.Method, "path", r.URL.Path, "warning", text)
	}
}

// headerText is a text of at most 128 bytes that can stand in a header, without some characters.
func headerText(text, without string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || strings.ContainsRune(without, c) {
			return '?'
		}
		return c
	}, text[:min(len(text), 128)])
}

// query is the values that a request's query has for a parameter, also where it is written as arrays are in JavaScript.
func (a *API) query(r *http.Request, name string) []string {
	if a.queried != nil {
		a.queried(r, name)
	}
	q := r.URL.Query()
	return append(q[name], q[name+"[]"]...)
}

// flag reads a boolean of the query as Java does: true in any letter case is true, anything else is false.
func (a *API) flag(r *http.Request, name string, byDefault bool) bool {
	values := a.query(r, name)
	if len(values) == 0 {
		return byDefault
	}
	return strings.EqualFold(values[0], "true")
}

// word reads a text of the query, "" when there is none.
func (a *API) word(r *http.Request, name string) string {
	if values := a.query(r, name); len(values) > 0 {
		return values[0]
	}
	return ""
}
