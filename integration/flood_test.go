package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestFlood has hundreds of clients change apps at once, some of them the same ones, with bodies that are small, large
// and far too large. Each is answered, and what was acknowledged is there afterwards, also after a crash; meanwhile
// others get their answers.
func TestFlood(t *testing.T) {
	t.Parallel()
	const clients, changes, apps = 200, 4, 50
	d := start(t, newConfig(t.TempDir()))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	send := func(method, path, body string) (int, string) {
		r, err := http.NewRequest(method, d.api+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		response, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		return response.StatusCode, string(data)
	}
	var mu sync.Mutex
	newest := map[string]string{} // the newest version of each app that was acknowledged
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			for change := range changes {
				id := fmt.Sprintf("/flood/a%d", (n+change)%apps)
				body := fmt.Sprintf(`{"cmd": "x", "instances": 0, "labels": {"by": "%d-%d"}}`, n, change)
				if n%20 == 0 {
					body += strings.Repeat(" ", 300<<10) // large, as far as turns go
				}
				status, answer := send("PUT", "/v2/apps"+id+"?force=true", body)
				if status != 200 && status != 201 {
					t.Errorf("PUT %s: %d %s", id, status, answer)
					continue
				}
				var done struct{ Version string }
				if err := json.Unmarshal([]byte(answer), &done); err != nil {
					t.Error(err)
				}
				mu.Lock()
				newest[id] = max(newest[id], done.Version)
				mu.Unlock()
			}
			if n%50 == 0 {
				if status, _ := send("POST", "/v2/apps", strings.Repeat("x", 3<<20)); status != 413 {
					t.Errorf("3 MiB: %d", status)
				}
				if status, answer := send("GET", "/ping", ""); status != 200 || answer != "pong" {
					t.Errorf("ping: %d %s", status, answer)
				}
			}
		})
	}
	all.Wait()
	check := func(when string) {
		t.Helper()
		var list struct {
			Apps []struct{ ID, Version string }
		}
		d.get("/v2/apps", &list)
		if len(list.Apps) != apps {
			t.Errorf("%s there are %d apps", when, len(list.Apps))
		}
		for _, a := range list.Apps {
			if a.Version != newest[a.ID] {
				t.Errorf("%s %s has version %s, acknowledged was %s", when, a.ID, a.Version, newest[a.ID])
			}
		}
	}
	check("afterwards")
	d.kill()
	d.run()
	check("after a crash")
}
