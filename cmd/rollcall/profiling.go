package main

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
)

// profilingPath is where Go's profiles are.
const profilingPath = "/debug/pprof/"

// withProfiles serves Go's profiles (net/http/pprof) beside h, to programs on this machine, whoever they are of. A
// request that a proxy on it hands on comes from elsewhere; one whose Host is no loopback address may be of a page in
// somebody's browser.
func withProfiles(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(profilingPath, pprof.Index)
	mux.HandleFunc(profilingPath+"cmdline", pprof.Cmdline)
	mux.HandleFunc(profilingPath+"profile", pprof.Profile)
	mux.HandleFunc(profilingPath+"symbol", pprof.Symbol)
	mux.HandleFunc(profilingPath+"trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, profilingPath):
			h.ServeHTTP(w, r)
		case !isLocalRequest(r):
			http.Error(w, "profiles are given to this machine only, at a loopback address and without a proxy", http.StatusForbidden)
		default:
			mux.ServeHTTP(w, r)
		}
	})
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
