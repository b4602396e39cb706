package api

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"rollcall/scheduler"
)

func TestHeaders(t *testing.T) {
	c := newCluster(t)
	h := c.request("GET", "/v2/nothing", "").Header
	for name, want := range map[string]string{
		"Cache-Control":     "no-cache, no-store, must-revalidate",
		"Pragma":            "no-cache",
		"Expires":           "0",
		"X-Marathon-Leader": "http://rollcall.example:8080",
		"X-Frame-Options":   "DENY",
		"X-Xss-Protection":  "1; mode=block",
		"Content-Type":      "application/json",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCompression(t *testing.T) {
	c := newCluster(t)
	for i := range 10 {
		c.must(201, "POST", "/v2/apps", fmt.Sprintf(`{"id": "a%d", "cmd": "x"}`, i))
	}
	plain := c.must(200, "GET", "/v2/apps", "")
	answer := c.request("GET", "/v2/apps", "", "Accept-Encoding", "br, gzip;q=0.5")
	if answer.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("headers %v", answer.Header)
	}
	z, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(z); err != nil || string(data) != plain {
		t.Errorf("%v, %d bytes instead of %d", err, len(data), len(plain))
	}
	if answer := c.request("GET", "/v2/apps", "", "Accept-Encoding", "gzip;q=0"); answer.Header.Get("Content-Encoding") != "" {
		t.Error("compressed although the client said no")
	}
	if status, body := c.status("HEAD", "/v2/apps", ""); status != 200 || body != "" {
		t.Errorf("HEAD: %d %q", status, body)
	}
}

// TestHosts is what keeps web pages from using a listener on loopback.
func TestHosts(t *testing.T) {
	c := newCluster(t, func(o *Options) { o.Hosts = []string{"Marathon.Example"} })
	for host, want := range map[string]int{
		"marathon.example": 200, "marathon.example.:8080": 200, "localhost:8080": 200, "127.0.0.1": 200, "[::1]:8080": 200,
		"a.localhost": 200, "evil.example": 421, "127.0.0.1.evil.example:8080": 421,
	} {
		if status, _ := c.status("GET", "http://"+host+"/ping", ""); status != want {
			t.Errorf("%s: %d, want %d", host, status, want)
		}
	}
	if status, _ := newCluster(t).status("GET", "http://any.example/ping", ""); status != 200 {
		t.Errorf("without a list: %d", status)
	}
}

func TestCrossOrigin(t *testing.T) {
	c := newCluster(t)
	if status, _ := c.status("POST", "/v2/apps", `{"id": "a", "cmd": "x"}`, "Origin", "http://evil.example"); status != 403 {
		t.Errorf("status %d", status)
	}
	if status, _ := c.status("POST", "/v2/apps", `{"id": "a", "cmd": "x"}`, "Content-Type", "application/x-www-form-urlencoded"); status != 201 {
		t.Errorf("curl -d: status %d", status)
	}
}

func TestBodyLimits(t *testing.T) {
	c := newCluster(t, func(o *Options) { o.MaxBody = 1000 })
	for body, want := range map[string]int{
		`{"id": "a", "cmd": "` + strings.Repeat("x", 1000) + `"}`:         413,
		`{"id": ` + strings.Repeat("[", 300):                              400,
		`{"id": "a", "cmd": "` + strings.Repeat("[", 300) + `"}`:          201,
		`{"id": "b", "cmd": "x", "check": {"\"[": "` + "\\\\" + `"}, }`:   400,
		`{"id": "b", "cmd": "x"} {}`:                                      400,
		`{"id": "b", "cmd": "x", "cmd": "y", "X": "\u00fc", "labels": 1}`: 422,
	} {
		if status, answer := c.status("POST", "/v2/apps", body); status != want {
			t.Errorf("%.40s…: %d %s, want %d", body, status, answer, want)
		}
	}
}

func TestUnknownHeader(t *testing.T) {
	c := newCluster(t)
	answer := c.request("POST", "/v2/apps", `{"id": "a", "cmd": "x", "a\r\nb": 1, "ü": 2}`)
	if got := answer.Header.Get("X-Unknown-Fields"); got != "a??b,?" {
		t.Errorf("header %q", got)
	}
}

func TestSyntaxPositions(t *testing.T) {
	for data, want := range map[string]string{
		"{\n \"ä\": x}":     "line 2, column 7",
		"{\"a\": 1":         "line 1, column 8",
		"[1,\n2,\n]":        "line 3, column 1; the comma before it, at line 2, column 2",
		"{\"a\": 1}\n\nx":   "line 3, column 1",
		"{\"a\": \"b\nc\"}": "line 1, column 9",
	} {
		_, err := parseJSON([]byte(data))
		var e *Error
		if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(fmt.Sprint(e.Details), want) {
			t.Errorf("%q: %+v, want %s", data, e, want)
		}
	}
}

// refusing is a scheduler that answers every request with an error.
type refusing struct {
	*cluster
	err error
}

func (r refusing) Do(context.Context, scheduler.Event) (any, error) { return nil, r.err }

func TestSchedulerErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
		text string
	}{
		{&scheduler.LockedError{Deployments: []scheduler.DeploymentID{"d"}}, 409, `"deployments":[{"id":"d"}]`},
		{&scheduler.InvalidError{Problems: []scheduler.Problem{{Path: "/id", Errors: []string{"e"}}}}, 422, `"details":[{"path":"/id","errors":["e"]}]`},
		{scheduler.ErrTooManyDeployments, 403, "deployments"},
		{fmt.Errorf("%w: %w", scheduler.ErrNotDurable, scheduler.ErrFull), 503, "no space left"},
		{fmt.Errorf("%w: %w", scheduler.ErrNotDurable, context.Canceled), 503, "canceled"},
		{scheduler.ErrStopped, 503, "stopped"},
		{context.DeadlineExceeded, 503, "deadline"},
		{scheduler.ErrUnknownDeployment, 404, "deployment"},
		{errors.New("odd"), 500, "odd"},
	} {
		c := newCluster(t)
		c.api = New(Options{Scheduler: refusing{c, tt.err}, Events: c.events})
		for _, request := range [][3]string{{"POST", "/v2/apps", `{"id": "a", "cmd": "x"}`}, {"DELETE", "/v2/groups", ""}} {
			status, body := c.status(request[0], request[1], request[2])
			if status != tt.want || !strings.Contains(body, tt.text) {
				t.Errorf("%v: %s %s = %d %s, want %d", tt.err, request[0], request[1], status, body, tt.want)
			}
		}
	}
}

func TestPing(t *testing.T) {
	c := newCluster(t)
	for accept, want := range map[string]string{"": "pong", "*/*": "pong", "application/json": `"pong"`, "text/plain": "pong"} {
		if status, body := c.status("GET", "/ping", "", "Accept", accept); status != 200 || body != want {
			t.Errorf("Accept %q: %d %s", accept, status, body)
		}
	}
}
