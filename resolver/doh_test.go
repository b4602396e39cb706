package resolver

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestDNSOverHTTPS(t *testing.T) {
	a := newAuthority(t)
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		if question.Question[0].Name == "none.example." {
			return answering(t, dns.RcodeNameError, "example. 900 IN SOA a. b. 1 2 3 4 120")(question, tcp)
		}
		return answering(t, dns.RcodeSuccess, "example.com. 300 IN CNAME a.example.", "a.example. 42 IN A 192.0.2.7")(question, tcp)
	})
	s := newSecureServer(t, a, []string{"127.0.0.1"}, func(o *Options) {
		o.Recursion, o.TCPFallback, o.Upstreams, o.CacheSize = true, true, []netip.AddrPort{u.addr}, 10
	})
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}, ForceAttemptHTTP2: version == "HTTP/2.0"}
		defer transport.CloseIdleConnections()
		web := &http.Client{Transport: transport}
		url := "https://" + s.HTTPSAddr().String() + dohPath
		for _, tt := range []struct {
			question, age string
			rcode         int
			answers       int
		}{
			{"one.marathon.mesos. A", "max-age=77", dns.RcodeSuccess, 1},
			{"none.mesos. A", fmt.Sprintf("max-age=%d", testNegativeTTL), dns.RcodeNameError, 0},
			{"example.com. A", "max-age=42", dns.RcodeSuccess, 2},
			{"none.example. A", "max-age=120", dns.RcodeNameError, 0},
			{"mesos. AXFR", "max-age=0", dns.RcodeRefused, 0},
		} {
			m := newQuestion(t, tt.question)
			m.Id = 0
			p := packet(t, m)
			for _, post := range []bool{false, true} {
				var response *http.Response
				var err error
				if post {
					response, err = web.Post(url, dohType, bytes.NewReader(p))
				} else {
					response, err = web.Get(url + "?dns=" + base64.RawURLEncoding.EncodeToString(p))
				}
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				header := response.Header
				if response.Proto != version || response.StatusCode != 200 || header.Get("Content-Type") != dohType || header.Get("Cache-Control") != tt.age {
					t.Errorf("%s (POST %v): %s %s %v, want %s", tt.question, post, response.Proto, response.Status, header, tt.age)
				}
				if got := unpack(t, body); got.Rcode != tt.rcode || len(got.Answer) != tt.answers || got.Id != 0 {
					t.Errorf("%s: %v", tt.question, got)
				}
			}
		}
	}
}

// Requests that hold no question are answered by a status that says so.
func TestBadHTTPSRequests(t *testing.T) {
	s := newTestServer(t, newTestZone(t))
	good := base64.RawURLEncoding.EncodeToString(packet(t, newQuestion(t, "one.marathon.mesos. A")))
	for _, tt := range []struct {
		method, target, contentType, body string
		status                            int
	}{
		{"GET", "/dns-query?dns=" + good, "", "", 200},
		{"GET", "/dns-query?dns=" + good + "==", "", "", 200},
		{"GET", "/dns-query", "", "", 400},
		{"GET", "/dns-query?dns=", "", "", 400},
		{"GET", "/dns-query?dns=%3F%3F", "", "", 400},
		{"GET", "/dns-query?dns=AAAA", "", "", 400}, // too short
		{"GET", "/", "", "", 404},
		{"PUT", "/dns-query", dohType, "x", 405},
		{"POST", "/dns-query", "", "x", 415},
		{"POST", "/dns-query", "application/json", "{}", 415},
		{"POST", "/dns-query", dohType, "", 400},
		{"POST", "/dns-query", dohType + "; charset=x", "x", 400},
		{"POST", "/dns-query", dohType, strings.Repeat("x", maxTCPSize+1), 413},
	} {
		r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
		if tt.contentType != "" {
			r.Header.Set("Content-Type", tt.contentType)
		}
		w := httptest.NewRecorder()
		s.dohHandler().ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s %s %s: %d, want %d", tt.method, tt.target, tt.contentType, w.Code, tt.status)
		}
	}
}

// Names outside the zone are for known networks over HTTPS, too.
func TestHTTPSRecursionFrom(t *testing.T) {
	s := newTestServer(t, newTestZone(t), func(o *Options) {
		o.Recursion, o.Upstreams, o.RecursionFrom = true, addrPorts("192.0.2.1:53"), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	r := httptest.NewRequest("POST", dohPath, bytes.NewReader(packet(t, newQuestion(t, "example.com. A"))))
	r.Header.Set("Content-Type", dohType)
	w := httptest.NewRecorder()
	s.dohHandler().ServeHTTP(w, r)
	wantAnswer(t, unpack(t, w.Body.Bytes()), dns.RcodeRefused)
}

// FuzzHTTPQuestion: whatever comes, there is a status, and with 200 a reply that can be read.
func FuzzHTTPQuestion(f *testing.F) {
	s := newTestServer(f, newTestZone(f))
	p := packet(f, newQuestion(f, "one.marathon.mesos. A"))
	f.Add(base64.RawURLEncoding.EncodeToString(p), []byte{}, false)
	f.Add("", p, true)
	f.Add("AAA=", p[:7], true)
	f.Fuzz(func(t *testing.T, parameter string, body []byte, post bool) {
		r := httptest.NewRequest("GET", dohPath, nil)
		r.URL.RawQuery = "dns=" + parameter
		if post {
			r = httptest.NewRequest("POST", dohPath, bytes.NewReader(body))
			r.Header.Set("Content-Type", dohType)
		}
		w := httptest.NewRecorder()
		s.dohHandler().ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			if m := unpack(t, w.Body.Bytes()); !m.Response {
				t.Fatalf("%v is no reply", m)
			}
		} else if w.Code < 400 || w.Code >= 500 {
			t.Fatalf("status %d", w.Code)
		}
	})
}
