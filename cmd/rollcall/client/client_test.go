package client

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The next server is asked when one cannot be connected to, and only then.
func TestServersInTurn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path == "/base/no" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		w.Write([]byte(`{"apps": []}`)) //nolint:errcheck // a test's server
	}))
	defer server.Close()
	c := mustNew(t, Address{URL: closed + ", " + server.URL + "/base/," + server.URL})
	if err := c.Get(t.Context(), "/v2/apps", nil, nil); err != nil || asked != 1 {
		t.Errorf("%v; the server was asked %d times", err, asked)
	}
	if err := c.Get(t.Context(), "/no", nil, nil); err == nil || asked != 2 {
		t.Errorf("%v; the server was asked %d times", err, asked)
	}
	if err := mustNew(t, Address{URL: closed}).Get(t.Context(), "/", nil, nil); err == nil || !strings.Contains(err.Error(), "no answer from the API") {
		t.Errorf("the error is %v", err)
	}
}

func TestCredentials(t *testing.T) {
	var got string
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") }))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		address Address
		want    string
	}{
		{Address{URL: server.URL}, ""},
		{Address{URL: server.URL, Token: "t"}, "Bearer t"},
		{Address{URL: server.URL, User: "Aladdin", Password: "open sesame"}, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, // RFC 7617, section 2
		{Address{URL: strings.Replace(server.URL, "://", "://Aladdin:open%20sesame@", 1)}, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
	} {
		tt.address.CACert = ca
		if err := mustNew(t, tt.address).Get(t.Context(), "/", nil, nil); err != nil || got != tt.want {
			t.Errorf("%+v: %v, Authorization %q, want %q", tt.address, err, got, tt.want)
		}
	}
	if err := mustNew(t, Address{URL: server.URL}).Get(t.Context(), "/", nil, nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA the error is %v", err)
	}
}

func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		status int
		answer string
		want   string
	}{
		{404, `{"message": "App '/x' does not exist"}`, "App '/x' does not exist"},
		{422, `{"message": "Object is not valid", "details": [{"path": "/cpus", "errors": ["a", "b"]}, {"path": "", "errors": ["c"]}]}`,
			"Object is not valid\n  /cpus: a; b\n  c"},
		{422, `{"message": "Object is not valid", "details": [{"path": "/id", "errors": ["must fully match regular expression '^(([a-z0-9]|x)$'"]}]}`,
			"Object is not valid\n  /id: use lower-case letters, digits, hyphens and dots only, and begin and end each part with a letter or digit"},
		{400, `{"message": "Invalid JSON", "details": "line 1"}`, "Invalid JSON: line 1"},
		{409, `{"message": "locked", "deployments": [{"id": "d1"}, {"id": "d2"}]}`, "another deployment is under way (d1, d2); -force replaces it"},
		{401, `{"message": "who?"}`, "who? (set ROLLCALL_USER and ROLLCALL_PASSWORD, ROLLCALL_TOKEN, or use a profile)"},
		{502, `<html>`, "the server answers 502 Bad Gateway"},
		{599, ``, "the server answers 599"},
	} {
		if got := refusal(tt.status, []byte(tt.answer)).Error(); got != tt.want {
			t.Errorf("%d %s:\n%s\nwant\n%s", tt.status, tt.answer, got, tt.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"ftp://a", `"ftp://a" is not the address of an API`},
		{"http://", "is not the address"},
		{"", "is not the address"},
		{"http://user:secret@a?x", `"...@a?x" is not the address`},
	} {
		if _, err := New(Address{URL: tt.url}); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error is %v, want one with %q", tt.url, err, tt.want)
		}
	}
}

func mustNew(t *testing.T, a Address) *Client {
	t.Helper()
	c, err := New(a)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
