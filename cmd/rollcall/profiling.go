package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"

	"rollcall/scheduler/api"
)

// What there is to see of the program's inside, for programs on this machine.
const (
	insightPath   = "/debug/"
	profilingPath = "/debug/pprof/" // Go's profiles (net/http/pprof)
	logPath       = "/debug/log"    // the end of the log
	configPath    = "/debug/config" // the configuration in force, without its secrets
)

// withInsight serves what there is to see of the program's inside beside h: profiles to whoever asks from this machine,
// log and configuration only to administrators where there are users.
func (s *server) withInsight(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(profilingPath, pprof.Index)
	mux.HandleFunc(profilingPath+"cmdline", pprof.Cmdline)
	mux.HandleFunc(profilingPath+"profile", pprof.Profile)
	mux.HandleFunc(profilingPath+"symbol", pprof.Symbol)
	mux.HandleFunc(profilingPath+"trace", pprof.Trace)
	for path, serve := range map[string]http.HandlerFunc{logPath: s.serveLog, configPath: s.serveConfig} {
		if s.credentials != nil {
			mux.Handle(path, api.RequireAdmin(s.credentials, s.config.Scheduler.API.Auth.Realm, serve))
		} else {
			mux.Handle(path, serve)
		}
	}
	return localOnly(h, mux)
}

// localOnly has inside serve what is below insightPath, to programs on this machine, and h everything else. A request
// that a proxy on this machine hands on comes from elsewhere; one whose Host is no loopback address may be of a page in
// somebody's browser.
func localOnly(h, inside http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, insightPath):
			h.ServeHTTP(w, r)
		case !isLocalRequest(r):
			http.Error(w, "this is for programs on the same machine only, at a loopback address and without a proxy", http.StatusForbidden)
		default:
			inside.ServeHTTP(w, r)
		}
	})
}

func (s *server) serveLog(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if s.logging != nil {
		s.logging.recent.WriteTo(w) //nolint:errcheck // who asked is gone
	}
}

func (s *server) serveConfig(w http.ResponseWriter, _ *http.Request) {
	text, err := json.MarshalIndent(s.shown.Load().keys(), "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(text, '\n')) //nolint:errcheck // who asked is gone
}

func isLocalRequest(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && (host == "localhost" || isLoopback(strings.Trim(host, "[]")))
}

func isLoopback(text string) bool {
	addr, err := netip.ParseAddr(text)
	return err == nil && addr.Unmap().IsLoopback()
}
