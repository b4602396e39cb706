package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestProfilingIsLocal(t *testing.T) {
	for _, tt := range []struct {
		name, from, host, header string
		want                     int
	}{
		{"this machine", "127.0.0.1:1", "127.0.0.1:8080", "", http.StatusOK},
		{"by name", "127.0.0.1:1", "localhost:8080", "", http.StatusOK},
		{"over IPv6", "[::1]:1", "[::1]:8080", "", http.StatusOK},
		{"IPv4 within IPv6", "[::ffff:127.0.0.1]:1", "127.0.0.1", "", http.StatusOK},
		{"another machine", "192.0.2.1:1", "192.0.2.9:8080", "", http.StatusForbidden},
		{"another machine that names this one", "192.0.2.1:1", "127.0.0.1:8080", "", http.StatusForbidden},
		{"a page in a browser", "127.0.0.1:1", "evil.example:8080", "", http.StatusForbidden},
		{"through a proxy", "127.0.0.1:1", "127.0.0.1:8080", "X-Forwarded-For", http.StatusForbidden},
		{"through another proxy", "127.0.0.1:1", "127.0.0.1:8080", "Via", http.StatusForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, profilingPath+"heap?debug=1", nil)
			r.RemoteAddr, r.Host = tt.from, tt.host
			if tt.header != "" {
				r.Header.Set(tt.header, "x")
			}
			w := httptest.NewRecorder()
			(&server{}).withInsight(http.NotFoundHandler()).ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%d, want %d", w.Code, tt.want)
			}
		})
	}
}
