package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"rollcall/scheduler/api/ui"
)

const (
	// leaderWait is how long a request waits for somebody to lead.
	leaderWait = 2500 * time.Millisecond

	// leaderConnections is how many requests are with the leader at a time; others wait.
	leaderConnections = 64
	leaderStreams     = 1024             // the same of requests that go on for as long as their clients want
	leaderAnswer      = 10 * time.Second // until the leader begins to answer

	via = "X-Marathon-Via"
)

// FrontOptions are a front's parts. All but Hosts and Leaderless are needed.
type FrontOptions struct {
	Hosts  []string // as in Options: what passes a front is addressed to the leader
	Self   string   // "host:port" by which the others know this rollcall
	Client *http.Transport
	Logger *slog.Logger

	// Leaderless says why nobody leads, as far as this rollcall knows, "" where it does not. Everybody may know.
	Leaderless func() string
}

// Front stands before the APIs of several rollcalls of which one leads: it answers by its own API while this rollcall
// leads, and else has the leader answer, as Marathon's instances do. It is an http.Handler. Its methods may be called
// from any goroutine.
type Front struct {
	o     FrontOptions
	proxy *httputil.ReverseProxy
	long  *httputil.ReverseProxy // for what goes on for as long as its client wants
	page  http.Handler

	mu      sync.Mutex
	own     http.Handler // while this rollcall leads
	mayAct  func() bool  // whether it still does
	leader  *url.URL     // while another does
	changed chan struct{}
}

// NewFront returns a front that knows of no leader. It sets limits on Client's connections.
func NewFront(o FrontOptions) *Front {
	f := &Front{o: o, page: ui.Handler(), changed: make(chan struct{})}
	o.Client.MaxConnsPerHost = leaderConnections
	o.Client.ResponseHeaderTimeout = leaderAnswer
	f.proxy = f.proxyOver(o.Client)
	long := o.Client.Clone()
	long.MaxConnsPerHost = leaderStreams
	f.long = f.proxyOver(long)
	return f
}

func (f *Front) proxyOver(transport *http.Transport) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:      f.rewrite,
		Transport:    transport,
		ErrorHandler: f.failed,
		ErrorLog:     slog.NewLogLogger(f.o.Logger.Handler(), slog.LevelDebug),
	}
}

// isLong says whether a request goes on for as long as its client wants: a page's event stream, which has to come from
// where the page comes from, and commands inside tasks.
func isLong(r *http.Request) bool {
	return r.URL.Path == "/rollcall/events" || r.Header.Get("Upgrade") != ""
}

// Lead has this rollcall's own API answer from now on, as long as mayAct says so: one that was paused may hold what
// another leader has changed since, without knowing yet that there is one.
func (f *Front) Lead(own http.Handler, mayAct func() bool) { f.set(own, mayAct, nil) }

// Follow has the leader at a URL answer from now on; nil says that nobody leads.
func (f *Front) Follow(leader *url.URL) { f.set(nil, nil, leader) }

func (f *Front) set(own http.Handler, mayAct func() bool, leader *url.URL) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.own, f.mayAct, f.leader = own, mayAct, leader
	close(f.changed)
	f.changed = make(chan struct{})
}

// answerer waits until somebody leads, within leaderWait: its own API, or the leader's URL.
func (f *Front) answerer(ctx context.Context) (http.Handler, *url.URL) {
	late := time.NewTimer(leaderWait)
	defer late.Stop()
	for {
		f.mu.Lock()
		own, mayAct, leader, changed := f.own, f.mayAct, f.leader, f.changed
		f.mu.Unlock()
		if own != nil && !mayAct() {
			own = nil
		}
		if own != nil || leader != nil {
			return own, leader
		}
		select {
		case <-changed:
		case <-late.C:
			return nil, nil
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// leaderKey is where a request's leader lies in its context.
type leaderKey struct{}

// ServeHTTP implements http.Handler. /ping is answered here: it asks whether this rollcall lives.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ping" && r.Method == http.MethodGet {
		if err := ping(w, r); err != nil {
			f.o.Logger.Debug("answer not delivered", "path", r.URL.Path, "error", err)
		}
		return
	}
	if err := checkHost(f.o.Hosts, r.Host); err != nil {
		f.answer(w, r, http.StatusMisdirectedRequest, err.Error())
		return
	}
	if isPage(r) && f.leaderless() {
		f.page.ServeHTTP(w, r)
		return
	}
	own, leader := f.answerer(r.Context())
	switch {
	case own != nil:
		own.ServeHTTP(w, r)
	case leader == nil:
		f.refuse(w, r, f.noLeader())
	case r.URL.Path == "/v2/events" || strings.HasPrefix(r.URL.Path, "/v2/events/"):
		to := *r.URL
		to.Scheme, to.Host = leader.Scheme, leader.Host
		http.Redirect(w, r, to.String(), http.StatusFound)
	case f.passedHere(r):
		f.refuse(w, r, "Detected proxying loop.")
	case isLong(r):
		f.long.ServeHTTP(givingTime{w}, r.WithContext(context.WithValue(r.Context(), leaderKey{}, leader)))
	default:
		f.proxy.ServeHTTP(givingTime{w}, r.WithContext(context.WithValue(r.Context(), leaderKey{}, leader)))
	}
}

// givingTime is an answer that is passed on. Its client has as long for each piece as for an answer of that length: the
// server's own limit would end streams, and long answers, that the leader gives more time.
type givingTime struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (g givingTime) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (g givingTime) WriteHeader(status int) {
	giveTime(g.ResponseWriter, 0) //nolint:errcheck // who is gone cannot be written to, either
	g.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (g givingTime) Write(data []byte) (int, error) {
	if err := giveTime(g.ResponseWriter, len(data)); err != nil {
		return 0, err
	}
	return g.ResponseWriter.Write(data)
}

// noLeader is the answer while nobody leads: Marathon's, and why.
func (f *Front) noLeader() string {
	const message = "Could not determine the current leader"
	if f.o.Leaderless == nil {
		return message
	}
	if why := f.o.Leaderless(); why != "" {
		return message + ": " + why
	}
	return message
}

// isPage says whether a request is for the web page's files. They are the same everywhere and tell nothing of apps: while
// nobody leads they come from here at once, so that the page can say so.
func isPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.HasPrefix(r.URL.Path, "/ui/")
}

func (f *Front) leaderless() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leader == nil && (f.own == nil || !f.mayAct())
}

// passedHere says whether this rollcall passed the request on before.
func (f *Front) passedHere(r *http.Request) bool {
	for _, values := range r.Header[via] {
		for hop := range strings.SplitSeq(values, ",") {
			if _, by, ok := strings.Cut(strings.TrimSpace(hop), " "); ok && by == f.o.Self {
				return true
			}
		}
	}
	return false
}

// rewrite directs a request to the leader.
func (f *Front) rewrite(r *httputil.ProxyRequest) {
	leader := r.In.Context().Value(leaderKey{}).(*url.URL)
	r.SetURL(leader)
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetXForwarded()
	r.Out.Header[via] = append(r.Out.Header[via], "1.1 "+f.o.Self)
}

// failed answers when the leader does not.
func (f *Front) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case r.Context().Err() != nil:
		f.o.Logger.Debug("the client of a request to the leader is gone", "path", r.URL.Path, "error", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		f.refuse(w, r, "Connection to leader refused.")
	default:
		f.o.Logger.Warn("the leader does not answer a request", "method", r.Method, "path", r.URL.Path, "error", err)
		f.answer(w, r, http.StatusInternalServerError, "The leader did not answer: "+err.Error())
	}
}

func (f *Front) refuse(w http.ResponseWriter, r *http.Request, message string) {
	f.answer(w, r, http.StatusBadGateway, message)
}

func (f *Front) answer(w http.ResponseWriter, r *http.Request, status int, message string) {
	w.Header().Add(via, "1.1 "+f.o.Self)
	if err := respond(w, r, status, &Error{Message: message}); err != nil {
		f.o.Logger.Debug("answer not delivered", "path", r.URL.Path, "error", err)
	}
}
