package resolver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/records"
)

// newAPIZone is a zone small enough for its listings to be read.
func newAPIZone(t testing.TB) *records.Zone {
	t.Helper()
	o := records.DefaultOptions("mesos")
	o.ListenAddrs = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
	z, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	z.Update("test", records.Update{
		Masters: &records.Masters{Leader: netip.MustParseAddrPort("10.0.0.1:5050")},
		Agents: []records.Agent{{ID: "x-S0", Port: 5051,
			Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd01::1")}}},
		Frameworks: []records.Framework{{Name: "idle"}},
		Tasks: []records.Task{
			{ID: "nginx.1", Name: "nginx", Framework: "marathon", AgentID: "x-S0", State: "TASK_RUNNING", Ports: []int{31000}},
			{ID: "a<b", Name: "a<b", Framework: "marathon", AgentID: "x-S0", State: "TASK_RUNNING"},
		},
	})
	return z
}

func newTestAPI(t testing.TB, zone Zone, enumeration bool) http.Handler {
	t.Helper()
	return NewAPI(zone, APIOptions{
		Version:     "1.2.3",
		Enumeration: enumeration,
		Config: func(serial uint32) any {
			return struct {
				RefreshSeconds int
				SOASerial      uint32
				Masters        []string
			}{60, serial, nil}
		},
		RefreshSeconds: 60,
		Checks:         []Check{ZoneReady(zone)},
	})
}

func get(h http.Handler, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Bodies are Mesos-DNS's to the octet: member order, indentation, no line end.
func TestAPIBodies(t *testing.T) {
	zone := newAPIZone(t)
	h := newTestAPI(t, zone, true)
	canonical := canonicalName(t, zone)
	for _, tt := range []struct{ path, want string }{
		{"/v1/version", `{
  "Service": "Mesos-DNS",
  "URL": "https://github.com/mesosphere/mesos-dns",
  "Version": "1.2.3"
 }`},
		{"/v1/config", fmt.Sprintf(`{
  "RefreshSeconds": 60,
  "SOASerial": %d,
  "Masters": null
 }`, zone.Snapshot().Serial())},
		{"/v1/hosts/nginx.marathon.mesos", `[
  {
   "host": "nginx.marathon.mesos.",
   "ip": "10.0.0.1"
  },
  {
   "host": "nginx.marathon.mesos.",
   "ip": "fd01::1"
  }
 ]`},
		{"/v1/hosts/none.mesos", `[
  {
   "host": "",
   "ip": ""
  }
 ]`},
		{"/v1/services/_nginx._tcp.marathon.mesos", `[
  {
   "service": "_nginx._tcp.marathon.mesos",
   "host": "` + canonical + `",
   "ip": "10.0.0.1",
   "port": "31000"
  },
  {
   "service": "_nginx._tcp.marathon.mesos",
   "host": "` + canonical + `",
   "ip": "fd01::1",
   "port": "31000"
  }
 ]`},
		{"/v1/services/_none._tcp.marathon.mesos.", `[
  {
   "service": "",
   "host": "",
   "ip": "",
   "port": ""
  }
 ]`},
	} {
		w := get(h, "GET", tt.path)
		if diff := cmp.Diff(tt.want, w.Body.String()); diff != "" || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d, type %q, body (-want +got):\n%s", tt.path, w.Code, w.Header().Get("Content-Type"), diff)
		}
	}
}

// canonicalName is the target of the SRV records of nginx.
func canonicalName(t *testing.T, zone Zone) string {
	t.Helper()
	return zone.Snapshot().LookupName("_nginx._tcp.marathon.mesos.").RRset(records.TypeSRV).SRV()[0].Target
}

func TestAPINames(t *testing.T) {
	h := newTestAPI(t, newAPIZone(t), true)
	const found, missing = `"ip": "10.0.0.1"`, `"ip": ""`
	for path, want := range map[string]string{
		"/v1/hosts/NGINX.Marathon.mesos":                      found,
		"/v1/hosts/nginx.marathon.mesos.":                     found,
		"/v1/hosts/nginx.marathon.mesos/":                     found,
		"/v1/hosts/nginx.*.marathon.mesos":                    found,
		"/v1/hosts/nginx%2Emarathon.mesos?x=1":                found,
		"/v1/hosts/example.com":                               missing,
		"/v1/hosts/.*":                                        missing,
		"/v1/hosts/mesos":                                     missing,
		"/v1/hosts/_nginx._tcp.marathon.mesos":                missing,
		"/v1/services/_NGINX._tcp.marathon.mesos":             found,
		"/v1/services/_leader._tcp.mesos.":                    found,
		"/v1/services/nginx.marathon.mesos":                   missing,
		"/v1/services/.*":                                     missing,
		"/v1/hosts/" + strings.Repeat("a", 300) + ".mesos":    missing,
		"/v1/hosts/nginx%5C.marathon.mesos":                   missing,
		"/v1/hosts/%00%FF.mesos":                              missing,
		"/v1/services/" + strings.Repeat("a.", 200) + "mesos": missing,
	} {
		if w := get(h, "GET", path); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, body %s; want %s", path, w.Code, w.Body, want)
		}
	}
	if got := get(h, "GET", "/v1/services/_NGINX._tcp.marathon.mesos").Body.String(); !strings.Contains(got, `"service": "_NGINX._tcp.marathon.mesos"`) {
		t.Errorf("%s: want the service as it was given", got)
	}
}

func TestAPILists(t *testing.T) {
	zone := newAPIZone(t)
	h := newTestAPI(t, zone, true)
	got := get(h, "GET", "/v1/axfr").Body.String()
	for _, want := range []string{
		fmt.Sprintf(`{
  "TTL": 60,
  "Serial": %d,
  "RefreshSeconds": 60,
  "Mname": "ns1.mesos.",
  "Rname": "root.ns1.mesos.",
  "Domain": "mesos",
  "Records": {
   "As": {
    "ab`, zone.Snapshot().Serial()),
		`
   "AAAAs": {
`,
		`
    "_leader._tcp.mesos.": [
     "leader.mesos.:5050"
    ],
`,
		`
    "nginx.marathon.mesos.": [
     "10.0.0.1"
    ],
`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("/v1/axfr does not contain\n%s\nbut is\n%s", want, got)
		}
	}

	got = get(h, "GET", "/v1/enumerate").Body.String()
	for _, want := range []string{
		`{
  "frameworks": [
   {
    "tasks": [],
    "name": "idle"
   },
   {
    "tasks": [
     {
      "name": "nginx",
      "id": "nginx.1",
      "records": [
       {
        "name": "nginx.marathon.mesos.",
        "host": "10.0.0.1",
        "rtype": "A"
       },
`,
		`
      "name": "a\u003cb",
`,
		fmt.Sprintf(`
       {
        "name": "_nginx._tcp.marathon.mesos.",
        "host": "%s:31000",
        "rtype": "SRV"
       }`, canonicalName(t, zone)),
		`
    ],
    "name": "marathon"
   }
  ]
 }`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("/v1/enumerate does not contain\n%s\nbut is\n%s", want, got)
		}
	}

	empty, err := records.New(records.DefaultOptions("mesos"))
	if err != nil {
		t.Fatal(err)
	}
	if got := get(newTestAPI(t, empty, true), "GET", "/v1/enumerate").Body.String(); got != "{\n  \"frameworks\": null\n }" {
		t.Errorf("/v1/enumerate of nothing: %s", got)
	}
}

func TestAPIStatuses(t *testing.T) {
	header := func(key, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(key, value) }
	}
	body := func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
	}
	h := newTestAPI(t, newAPIZone(t), true)
	off := newTestAPI(t, newAPIZone(t), false)
	for _, tt := range []struct {
		name, method, path string
		handler            http.Handler
		change             []func(*http.Request)
		status             int
		text               string
	}{
		{"", "GET", "/v1/version", h, nil, 200, ""},
		{"a slash at the end", "GET", "/v1/version/", h, nil, 200, ""},
		{"", "GET", "/", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v2/version", h, nil, 404, "404: Page Not Found"},
		{"case", "GET", "/v1/Version", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/hosts/", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/hosts", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/hosts/a/b", h, nil, 404, "404: Page Not Found"},
		{"an encoded slash splits", "GET", "/v1/hosts/a%2Fb", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/version/x", h, nil, 404, "404: Page Not Found"},
		{"the path comes before the method", "POST", "/v1/none", h, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/hosts/a/ports", h, nil, 501, "To be implemented..."},
		{"", "POST", "/v1/version", h, nil, 405, "405: Method Not Allowed"},
		{"", "HEAD", "/v1/version", h, nil, 405, "405: Method Not Allowed"},
		{"", "OPTIONS", "/v1/hosts/a", h, nil, 405, "405: Method Not Allowed"},
		{"", "GET", "/v1/version", h, []func(*http.Request){header("Accept", "text/html")}, 406, "406: Not Acceptable"},
		{"", "GET", "/v1/version", h, []func(*http.Request){header("Accept", "application/*")}, 406, "406: Not Acceptable"},
		{"", "GET", "/v1/version", h, []func(*http.Request){header("Accept", "text/html, application/json;q=0.1")}, 200, ""},
		{"", "GET", "/v1/version", h, []func(*http.Request){header("Accept", "text/html,*/*")}, 200, ""},
		{"", "GET", "/v1/version", h, []func(*http.Request){body}, 415, "415: Unsupported Media Type"},
		{"", "GET", "/v1/version", h, []func(*http.Request){body, header("Content-Type", "text/plain")}, 415, "415: Unsupported Media Type"},
		{"", "GET", "/v1/version", h, []func(*http.Request){body, header("Content-Type", "application/json; charset=utf-8")}, 200, ""},
		{"", "GET", "/v1/axfr", off, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/enumerate", off, nil, 404, "404: Page Not Found"},
		{"", "GET", "/v1/hosts/nginx.marathon.mesos", off, nil, 200, ""},
	} {
		w := get(tt.handler, tt.method, tt.path, tt.change...)
		if w.Code != tt.status {
			t.Errorf("%s %s (%s): status %d, want %d", tt.method, tt.path, tt.name, w.Code, tt.status)
		}
		if tt.text != "" && (w.Body.String() != tt.text || w.Header().Get("Content-Type") != "text/plain; charset=utf-8") {
			t.Errorf("%s %s: body %q, type %q; want %q", tt.method, tt.path, w.Body, w.Header().Get("Content-Type"), tt.text)
		}
	}
}

func TestAPIRedirects(t *testing.T) {
	h := newTestAPI(t, newAPIZone(t), true)
	for path, want := range map[string]string{
		"//v1/version": "/v1/version", "/v1//version?a=b": "/v1/version?a=b", "/v1/./version": "/v1/version",
		"/v1/x/../version/": "/v1/version/", "/v1/version/.": "/v1/version",
	} {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := strings.TrimPrefix(w.Header().Get("Location"), "http://localhost"); w.Code != 301 || got != want {
			t.Errorf("%s: status %d to %q, want 301 to %q", path, w.Code, got, want)
		}
	}
}

func TestReadiness(t *testing.T) {
	zone := newTestZone(t)
	for _, tt := range []struct {
		name   string
		checks []Check
		status int
		body   string
	}{
		{"ready", []Check{ZoneReady(zone)}, 200, `{"ready":true}`},
		{"not ready", []Check{{Name: "dns", Ready: func() error { return errors.New("no port") }}, ZoneReady(zone)}, 503, `{"ready":false,"reasons":{"dns":"no port"}}`},
	} {
		monitor := NewMonitor(newTestRegistry(t), tt.checks...)
		api := NewAPI(zone, APIOptions{Checks: tt.checks})
		for _, w := range []*httptest.ResponseRecorder{get(monitor, "GET", "/readyz"), get(api, "GET", "/v1/ready")} {
			if w.Code != tt.status || strings.TrimSpace(w.Body.String()) != tt.body || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: status %d, body %s, want %d, %s", tt.name, w.Code, w.Body, tt.status, tt.body)
			}
		}
		if w := get(monitor, "GET", "/healthz"); w.Code != 200 {
			t.Errorf("/healthz: status %d", w.Code)
		}
	}
	if err := ZoneReady(unready{zone}).Ready(); err == nil {
		t.Error("a zone that is not ready passes")
	}
}
