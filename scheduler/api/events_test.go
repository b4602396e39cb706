package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/scheduler"
)

// reader of an event stream: what the handler writes comes out of a pipe.
type pipeWriter struct {
	header http.Header
	status int
	*io.PipeWriter
}

func (w *pipeWriter) Header() http.Header    { return w.header }
func (w *pipeWriter) WriteHeader(status int) { w.status = status }
func (w *pipeWriter) Flush()                 {}

// listen opens the event stream and returns its lines; stop ends it.
func listen(api *API, target string, header ...string) (lines *bufio.Reader, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequest("GET", target, nil).WithContext(ctx)
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	out, in := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer in.Close()
		api.ServeHTTP(&pipeWriter{header: http.Header{}, PipeWriter: in}, r)
	}()
	return bufio.NewReader(out), func() {
		cancel()
		out.Close()
		<-done
	}
}

// next reads one event, or a heartbeat as "".
func next(t *testing.T, lines *bufio.Reader) (kind, id, data string) {
	t.Helper()
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		line, crlf := strings.CutSuffix(line, "\r\n")
		if !crlf {
			t.Fatalf("line %q does not end in CRLF", line)
		}
		if strings.HasPrefix(line, ":") {
			lines.ReadString('\n') // the empty line after a comment
			return "comment", "", line
		}
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "":
			if first {
				return "", "", ""
			}
			return kind, id, data
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			data = value
		}
	}
}

func note(kind string) scheduler.Notice {
	return scheduler.Notice{Type: kind, Timestamp: 1, Body: scheduler.AppTerminated{AppID: "/a&b"}}
}

func TestEventStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newCluster(t).api
		lines, stop := listen(api, "/v2/events")
		defer stop()
		kind, _, data := next(t, lines)
		if kind != NoticeStreamAttached || !strings.Contains(data, `"remoteAddress":"192.0.2.1"`) {
			t.Errorf("first event %s %s", kind, data)
		}
		api.o.Events.Publish(nil, nil, []scheduler.Notice{note(scheduler.NoticeAppTerminated)})
		kind, _, data = next(t, lines)
		want := `{"eventType":"app_terminated_event","timestamp":"1970-01-01T00:00:00.001Z","appId":"/a&b"}`
		if kind != scheduler.NoticeAppTerminated || data != want {
			t.Errorf("got %s %s, want %s", kind, data, want)
		}
		api.o.Events.Publish(nil, nil, []scheduler.Notice{{Type: scheduler.NoticeDisconnected, Timestamp: 1, Body: scheduler.SchedulerDisconnected{}}})
		if _, _, data = next(t, lines); data != `{"eventType":"scheduler_disconnected_event","timestamp":"1970-01-01T00:00:00.001Z"}` {
			t.Errorf("a body without members: %s", data)
		}
		start := time.Now()
		if kind, _, _ = next(t, lines); kind != "" || time.Since(start) != heartbeat {
			t.Errorf("heartbeat %q after %v", kind, time.Since(start))
		}
		api.o.Events.Close()
		if _, err := lines.ReadString('\n'); err == nil {
			t.Error("the stream goes on after Close")
		}
	})
}

// TestReadersAreTold has readers of the stream come and go.
func TestReadersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newCluster(t).api
		first, stop := listen(api, "/v2/events?event_type=event_stream_attached&event_type=event_stream_detached")
		defer stop()
		next(t, first) // itself
		_, stopSecond := listen(api, "/v2/events")
		synctest.Wait()
		stopSecond()
		for _, want := range []string{NoticeStreamAttached, NoticeStreamDetached} {
			if kind, _, data := next(t, first); kind != want || !strings.HasSuffix(data, `,"remoteAddress":"192.0.2.1"}`) {
				t.Errorf("got %s %s, want %s", kind, data, want)
			}
		}
	})
}

func TestEventStreamFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newCluster(t).api
		lines, stop := listen(api, "/v2/events?event_type=b&event_type=c")
		defer stop()
		synctest.Wait()
		for _, kind := range []string{"a", "b", "a", "c"} {
			api.o.Events.Publish(nil, nil, []scheduler.Notice{note(kind)})
		}
		for _, want := range []string{"b", "c"} {
			if kind, _, _ := next(t, lines); kind != want {
				t.Errorf("got %s, want %s", kind, want)
			}
		}
	})
}

// TestEventStreamReplay reconnects and gets what was missed, from this process and from one that is gone.
func TestEventStreamReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		lines, stop := listen(c.api, "/v2/events")
		_, seen, _ := next(t, lines)
		stop()
		c.events.Publish(nil, nil, []scheduler.Notice{note("missed")})
		for _, tt := range []struct{ last, want string }{
			{seen, NoticeStreamDetached},
			{"otherprocess-77", "comment"},
			{c.events.epoch + "-999999", NoticeStreamAttached},
			{"nonsense", NoticeStreamAttached},
		} {
			lines, stop := listen(c.api, "/v2/events", "Last-Event-ID", tt.last)
			if kind, _, _ := next(t, lines); kind != tt.want {
				t.Errorf("after %q the first event is %s, want %s", tt.last, kind, tt.want)
			}
			stop()
		}
	})
}

// TestEventStreamGap tells a reader that comes back too late that events are lost, then all that are left.
func TestEventStreamGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newCluster(t, func(o *Options) { o.Events = NewEvents(4, time.Now()) }).api
		for i := range 10 {
			api.o.Events.Publish(nil, nil, []scheduler.Notice{note(fmt.Sprint(i))})
		}
		lines, stop := listen(api, "/v2/events", "Last-Event-ID", api.o.Events.epoch+"-3")
		defer stop()
		if kind, _, text := next(t, lines); kind != "comment" || !strings.Contains(text, "read the state again") {
			t.Errorf("first %s %q", kind, text)
		}
		for _, want := range []string{"7", "8", "9", NoticeStreamAttached} {
			if kind, _, _ := next(t, lines); kind != want {
				t.Errorf("got %s, want %s", kind, want)
			}
		}
	})
}

// TestPlanFormat has the whole plan where it is asked for, and only there.
func TestPlanFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.must(201, "POST", "/v2/groups", `{"id": "/g", "apps": [{"id": "a", "cmd": "one", "instances": 0}]}`)
		type plan struct {
			Plan struct {
				Original, Target *struct {
					Groups []struct {
						ID   string
						Apps []struct{ Cmd string }
					}
				}
			}
		}
		for _, format := range []string{"light", "full"} {
			lines, stop := listen(c.api, "/v2/events?event_type=deployment_success&plan-format="+format)
			synctest.Wait()
			c.must(200, "PUT", "/v2/apps/g/a", `{"cmd": "`+format+`"}`)
			_, _, data := next(t, lines)
			stop()
			got := unmarshal[plan](t, data).Plan
			switch {
			case format == "light" && (got.Original != nil || got.Target != nil):
				t.Errorf("light: %s", data)
			case format == "full" && (got.Original.Groups[0].Apps[0].Cmd != "light" || got.Target.Groups[0].Apps[0].Cmd != "full" ||
				got.Target.Groups[0].ID != "/g"):
				t.Errorf("full: %s", data)
			}
		}
	})
}

// TestSlowReader is cut off when the ring has gone round, and never holds the publisher up.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newCluster(t, func(o *Options) { o.Events = NewEvents(4, time.Now()) }).api
		lines, stop := listen(api, "/v2/events")
		defer stop()
		next(t, lines)
		api.o.Events.Publish(nil, nil, []scheduler.Notice{note("first")})
		synctest.Wait() // the handler is writing it
		for i := range 10 {
			api.o.Events.Publish(nil, nil, []scheduler.Notice{note(fmt.Sprint(i))})
		}
		next(t, lines)
		if line, err := lines.ReadString('\n'); err == nil {
			t.Errorf("got %q after what was lost", line)
		}
	})
}

func TestEventStreamRefusals(t *testing.T) {
	c := newCluster(t)
	if status, _ := c.status("GET", "/v2/events", "", "Accept", "application/json"); status != 406 {
		t.Errorf("status %d", status)
	}
	if status, _ := c.status("HEAD", "/v2/events", ""); status != 200 {
		t.Errorf("status of HEAD %d", status)
	}
}

// TestEventStreamOverHTTP follows an app on a real connection, where Close lets the server shut down.
func TestEventStreamOverHTTP(t *testing.T) {
	c := newCluster(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c.api}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	answer, err := http.Get("http://" + listener.Addr().String() + "/v2/events?event_type=api_post_event&event_type=deployment_success")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" || answer.Header.Get("Content-Encoding") != "" {
		t.Errorf("headers %v", answer.Header)
	}
	c.must(201, "POST", "/v2/apps", `{"id": "a", "cmd": "x", "instances": 0}`)
	lines, got := bufio.NewReader(answer.Body), map[string]string{}
	for range 2 {
		kind, _, data := next(t, lines)
		got[kind] = data
	}
	if !strings.Contains(got[scheduler.NoticeAPIPost], `"clientIp":"192.0.2.1","uri":"/v2/apps","appDefinition":{"id":"/a"`) {
		t.Errorf("api_post_event: %s", got[scheduler.NoticeAPIPost])
	}
	if !strings.Contains(got[scheduler.NoticeDeploymentSuccess], `"plan":`) {
		t.Errorf("deployment_success: %s", got[scheduler.NoticeDeploymentSuccess])
	}
	c.events.Close()
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}
