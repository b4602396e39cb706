package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The configuration in force is shown with its defaults, and without its secrets.
func TestConfigInForceHasNoSecrets(t *testing.T) {
	c := mustParse(t, `{"domain": "example", "zk": "zk://me:hunter2@127.0.0.1:2181/mesos",
		"dnsCookieSecret": "68756e74657232000000000000000000",
		"mesosAuthentication": "basic", "mesosCredentials": {"principal": "hunter2", "secret": "hunter2"},
		"transfer": {"keys": [{"name": "key.example", "secret": "aHVudGVyMg=="}]},
		"scheduler": {"engine": "mesos", "zk": "zk://me:hunter2@127.0.0.1:2181/rollcall", "hostname": "a.example"}}`)
	s := &server{config: c}
	s.shown.Store(&c)
	r := httptest.NewRequest(http.MethodGet, configPath, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1:8080"
	w := httptest.NewRecorder()
	s.withInsight(http.NotFoundHandler()).ServeHTTP(w, r)
	text := w.Body.String()
	for _, want := range []string{`"domain": "example"`, `"port": 53`, `"scheduler.dataDir": "/var/lib/rollcall"`, `"Level": "info"`, redacted} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing:\n%s", want, text)
		}
	}
	for _, secret := range []string{"hunter2", "aHVudGVyMg", "68756e74657232"} {
		if strings.Contains(text, secret) {
			t.Errorf("it tells %q:\n%s", secret, text)
		}
	}
}
