package api

import (
	"strings"
	"testing"
)

// TestSecrets keeps names where values belong, and gives apps no secrets of others.
func TestSecrets(t *testing.T) {
	c := newCluster(t, func(o *Options) { o.Secrets = true })
	c.must(201, "POST", "/v2/apps", `{"id": "/shop/web", "cmd": "x", "instances": 0, "env": {"A": "text", "B": {"secret": "db"}}, "secrets": {"db": {"source": "shop/db"}}}`)
	const want = `"env":{"A":"text","B":{"secret":"db"}}`
	body := c.must(200, "GET", "/v2/apps/shop/web", "")
	if !strings.Contains(body, want) || !strings.Contains(body, `"secrets":{"db":{"source":"shop/db"}}`) {
		t.Errorf("got %s", body)
	}
	c.must(200, "PUT", "/v2/apps/shop/web", `{"cmd": "y"}`) // what is stored is understood again
	if body := c.must(200, "GET", "/v2/apps/shop/web", ""); !strings.Contains(body, want) {
		t.Errorf("after a change %s", body)
	}
	for members, want := range map[string]string{
		`"secrets": {"a": {"source": "db/password"}}`:                          `for the apps within '/db'`,
		`"secrets": {"a": {"source": "shop/web/deeper/x"}}`:                    `for the apps within '/shop/web/deeper'`,
		`"secrets": {"a": {"source": "../db/password"}}`:                       `must be a path`,
		`"secrets": {"a": {"source": "shop/../db"}}`:                           `must be a path`,
		`"secrets": {"a": {"source": "/shop/x"}}`:                              `must be a path`,
		`"secrets": {"a": {"source": ""}}`:                                     `must be a path`,
		`"secrets": {"a": {}}`:                                                 `error.path.missing`,
		`"env": {"A": {"secret": "other"}}, "secrets": {"a": {"source": "x"}}`: `'other' is not one of the app's secrets`,
		`"env": {"A": {"value": "other"}}`:                                     `error.path.missing`,
		`"env": {"A": {"secret": 3}}`:                                          `error.expected.jsstring`,
	} {
		if status, answer := c.status("PUT", "/v2/apps/shop/web", `{`+members+`}`); status != 422 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %s", members, status, answer, want)
		}
	}
	c.must(200, "PUT", "/v2/apps/shop/web", `{"secrets": {"db": {"source": "shop/web/own"}}}`)
	c.must(200, "PUT", "/v2/apps/shop/web", `{"secrets": {"db": {"source": "everybodys"}}}`)
}
