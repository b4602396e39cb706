package mesos

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// Files of sandboxes come from the agent, under a path that does not name the agent's directories.
func TestReadSandbox(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if name, secret, _ := r.BasicAuth(); name != "rollcall" || secret != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch want := `{"read_file":{"length":100,"offset":3,"path":"/frameworks/f-0000/executors/t/runs/latest/stdout"},"type":"READ_FILE"}`; {
		case string(body) == want:
			io.WriteString(w, `{"type":"READ_FILE","read_file":{"size":18,"data":"bGluZSBvbmUKbGluZSB0d28K"}}`) //nolint:errcheck // the client sees
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(agent.Close)
	m := newSchedulerMaster(t)
	at := strings.TrimPrefix(agent.URL, "http://")
	master := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/master/slaves" {
			fmt.Fprintf(w, `{"slaves":[{"id":"S1","pid":"slave(1)@%s"}]}`, at)
			return
		}
		m.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { master.CloseClientConnections(); master.Close() })
	known := NewClient(ClientOptions{Auth: BasicAuth{"rollcall", "hush"}})
	r := runEngine(t, "", EngineOptions{Client: known}, Masters{Leader: strings.TrimPrefix(master.URL, "http://")})
	expect[scheduler.Registered](r)
	r.SetMasters(Masters{All: []string{"127.0.0.1:1", strings.TrimPrefix(master.URL, "http://")}}) // of which one is dead
	ref := scheduler.TaskRef{TaskID: "t", AgentID: "S1"}
	data, size, err := r.ReadSandbox(t.Context(), ref, "stdout", 3, 100)
	if string(data) != "line one\nline two\n" || size != 18 || err != nil {
		t.Errorf("%q of %d, %v", data, size, err)
	}
	for _, c := range []struct {
		ref  scheduler.TaskRef
		file string
		err  error
	}{
		{ref, "nothing", fs.ErrNotExist}, {ref, "../../../../secret", fs.ErrInvalid}, {ref, "/etc/passwd", fs.ErrInvalid},
		{scheduler.TaskRef{TaskID: "t"}, "stdout", fs.ErrNotExist}, {scheduler.TaskRef{TaskID: "t", AgentID: "S2"}, "stdout", fs.ErrNotExist},
	} {
		if _, _, err := r.ReadSandbox(t.Context(), c.ref, c.file, 0, 100); !errors.Is(err, c.err) {
			t.Errorf("%v %s: %v", c.ref, c.file, err)
		}
	}
}

// An agent that wants to know who asks is not taken for one without the file.
func TestReadSandboxUnauthorized(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(agent.Close)
	m := newSchedulerMaster(t)
	master := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/master/slaves" {
			fmt.Fprintf(w, `{"slaves":[{"id":"S1","pid":"slave(1)@%s"}]}`, strings.TrimPrefix(agent.URL, "http://"))
			return
		}
		m.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { master.CloseClientConnections(); master.Close() })
	r := runEngine(t, "", EngineOptions{}, Masters{Leader: strings.TrimPrefix(master.URL, "http://")})
	expect[scheduler.Registered](r)
	_, _, err := r.ReadSandbox(t.Context(), scheduler.TaskRef{TaskID: "t", AgentID: "S1"}, "stdout", 0, 100)
	if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "mesosAuthentication") {
		t.Errorf("%v", err)
	}
}
