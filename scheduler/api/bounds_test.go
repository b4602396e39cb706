package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// repeated is so many elements of a list, each made from its number.
func repeated(n int, element func(int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(element(i))
	}
	return b.String()
}

func same(text string) func(int) string { return func(int) string { return text } }

// TestHugeRequests sends what is far too much, and sees that it is refused without taking much memory.
func TestHugeRequests(t *testing.T) {
	app := func(members string) string {
		return `{"id": "/huge", "cmd": "sleep 1", "instances": 0, ` + members + `}`
	}
	numbered := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	for _, tt := range []struct {
		name, method, path, body string
		want                     int
		says                     string
	}{
		{"10 MB", "POST", "/v2/apps", app(`"labels": {"x": "` + strings.Repeat("x", 10<<20) + `"}`), 413, "The body is larger than the 2048000 bytes"},
		{"10 MB of a group", "POST", "/v2/groups", `{"id": "` + strings.Repeat("x", 10<<20) + `"}`, 413, "The body is larger than the 8388608 bytes"},
		{"arrays 10,000 deep", "POST", "/v2/apps", app(`"labels": ` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), 400, "nested deeper than 200 levels"},
		{"objects 10,000 deep", "POST", "/v2/apps", app(`"labels": ` + strings.Repeat(`{"a":`, 10_000) + `1` + strings.Repeat("}", 10_000)), 400, "nested deeper"},
		{"a million labels", "POST", "/v2/apps", app(`"labels": {` + repeated(1_000_000, numbered(`"k%d":""`)) + `}`), 413, "larger"},
		{"100,000 labels", "POST", "/v2/apps", app(`"labels": {` + repeated(100_000, numbered(`"k%d":""`)) + `}`), 422, "the definition takes about"},
		{"100,000 labels of another type", "POST", "/v2/apps", app(`"labels": {` + repeated(100_000, numbered(`"k%d":1`)) + `}`), 422, "there are more problems"},
		{"100,000 unknown members", "POST", "/v2/apps", app(repeated(100_000, numbered(`"k%d":1`))), 201, ""},
		{"empty apps of a group", "POST", "/v2/groups", `{"id": "/huge", "apps": [` + repeated(1_500_000, same("{}")) + `]}`, 400, "more than 1000000 values"},
		{"100,000 empty apps of a group", "POST", "/v2/groups", `{"id": "/huge", "apps": [` + repeated(100_000, same("{}")) + `]}`, 422, "there are more problems"},
		{"50,000 constraints", "POST", "/v2/apps", app(`"constraints": [` + repeated(50_000, numbered(`["a%d","LIKE","x"]`)) + `]`), 422, "at most 1000 constraints"},
		{"a long pattern", "POST", "/v2/apps", app(`"constraints": [["a", "LIKE", "` + strings.Repeat("(a|b)*", 10_000) + `"]]`), 422, "at most 1000 characters"},
		{"a pattern that becomes long", "POST", "/v2/apps", app(`"constraints": [["a", "LIKE", "((a{100}){100}){100}"]]`), 422, "not a valid regular expression"},
		{"100,000 ports", "POST", "/v2/apps", app(`"ports": [` + repeated(100_000, same("0")) + `]`), 422, "at most 10000 ports"},
		{"20,000 port definitions", "POST", "/v2/apps", app(`"portDefinitions": [` + repeated(20_000, same("{}")) + `]`), 422, "at most 10000 ports"},
		{"20,000 port mappings", "POST", "/v2/apps", app(`"container": {"docker": {"image": "x"}, "portMappings": [` + repeated(20_000, same("{}")) + `]}`), 422, "at most 10000 ports"},
		{"a long id", "POST", "/v2/apps", `{"id": "/` + strings.Repeat("a", 1_000_000) + `", "cmd": "x"}`, 422, "at most 1000 characters and 64 segments"},
		{"a deep id", "POST", "/v2/apps", `{"id": "/` + strings.Repeat("a/", 400) + `", "cmd": "x"}`, 422, "at most 1000 characters and 64 segments"},
		{"a deep id of a group", "POST", "/v2/groups", `{"id": "/` + strings.Repeat("a/", 400) + `"}`, 422, "64 segments"},
		{"a deep id in the path", "PUT", "/v2/apps/" + strings.Repeat("a/", 400), `{"cmd": "x"}`, 422, "64 segments"},
		{"a letter beyond ASCII", "POST", "/v2/apps", `{"id": "/\u00fcber", "cmd": "x"}`, 422, "must fully match"},
		{"a zero byte", "POST", "/v2/apps", `{"id": "/a\u0000b", "cmd": "x"}`, 422, "must fully match"},
		{"half a surrogate pair", "POST", "/v2/apps", `{"id": "/sur", "cmd": "\ud800", "instances": 0}`, 201, "\ufffd"},
		{"a byte order mark", "POST", "/v2/apps", "\ufeff" + `{"id": "/bom", "cmd": "x", "instances": 0}`, 201, ""},
		{"200,000 tasks", "POST", "/v2/tasks/delete", `{"ids": [` + repeated(200_000, numbered(`"a.b%d"`)) + `]}`, 200, `{"tasks":[]}`},
		{"a long selector", "GET", "/v2/apps?label=" + strings.Repeat("a,", 20_000) + "a", "", 422, "more than 100 terms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status, answer := c.status(tt.method, tt.path, tt.body)
			runtime.ReadMemStats(&after)
			if status != tt.want || !strings.Contains(answer, tt.says) {
				t.Errorf("%d, want %d %s: %.300s", status, tt.want, tt.says, answer)
			}
			if len(answer) > 100_000 {
				t.Errorf("the answer has %d bytes", len(answer))
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 600<<20 {
				t.Errorf("%d MiB were allocated", took>>20)
			}
		})
	}
}

// TestLargeBodiesWaitTheirTurn holds as many large bodies as may be worked on at a time: small ones go on, a further
// large one is told to come again.
func TestLargeBodiesWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		hold := make(chan struct{})
		var working, done sync.WaitGroup
		for range largeAtWork {
			working.Add(1)
			done.Go(func() {
				h := c.api.inTurn(func(http.ResponseWriter, *http.Request) error { working.Done(); <-hold; return nil })
				r := httptest.NewRequest("POST", "/v2/apps", strings.NewReader(strings.Repeat(" ", largeBody+1)))
				if err := h(httptest.NewRecorder(), r); err != nil {
					t.Error(err)
				}
			})
		}
		working.Wait()
		c.must(201, "POST", "/v2/apps", `{"id": "/small", "cmd": "x", "instances": 0}`)
		large := `{"id": "/large", "cmd": "x", "instances": 0` + strings.Repeat(" ", largeBody) + `}`
		answer := c.request("POST", "/v2/apps", large)
		if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" {
			t.Errorf("%d, headers %v", answer.StatusCode, answer.Header)
		}
		close(hold)
		done.Wait()
		c.must(201, "POST", "/v2/apps", large)
	})
}

// TestTooLargeIsAnswered sends a body that is too large the way many clients do: all of it first.
func TestTooLargeIsAnswered(t *testing.T) {
	c := newCluster(t)
	server := httptest.NewServer(c.api)
	defer server.Close()
	in, out := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, strings.NewReader(strings.Repeat("x", 12<<20)))
		out.Close()
		sent <- err
	}()
	r, err := http.NewRequest("POST", server.URL+"/v2/apps", in)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 12 << 20
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if err := <-sent; answer.StatusCode != 413 || err != nil {
		t.Errorf("%d; sending: %v", answer.StatusCode, err)
	}
}
