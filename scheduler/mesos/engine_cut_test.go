package mesos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scheduler"
)

// cutStream is a master, as a transport sees it, whose answer to SUBSCRIBE breaks off.
type cutStream struct {
	answer []byte // with its head; empty: there is none
	calls  int    // that were made besides
}

// RoundTrip implements http.RoundTripper.
func (c *cutStream) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	if !bytes.Contains(body, []byte(callSubscribe)) {
		c.calls++
		return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody, Request: r}, nil
	}
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(c.answer)), r)
}

// session runs one session on an answer, and returns what the core was told.
func (c *cutStream) session(t *testing.T) []scheduler.Event {
	t.Helper()
	client := NewClient(ClientOptions{})
	client.http.Transport = c
	events := make(chan scheduler.Event, 1000)
	s := &session{Engine: NewEngine(EngineOptions{Client: client}), asked: Masters{Leader: "m:5050"}, master: "m:5050", events: events}
	if err := s.run(context.Background()); err == nil {
		t.Fatal("a stream that has ended is an error")
	}
	close(events)
	var out []scheduler.Event
	for e := range events {
		out = append(out, e)
	}
	return out
}

func texts(t *testing.T, events []scheduler.Event) []string {
	t.Helper()
	out := make([]string, len(events))
	for n, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = fmt.Sprintf("%T %s", e, data)
	}
	return out
}

// kinds are the recorded events, one of each type, and of updates one of each state and reason.
func kinds(t *testing.T) [][]byte {
	t.Helper()
	seen := map[string]bool{}
	var out [][]byte
	for _, name := range []string{"scheduler/lifecycle.events.jsonl", "scheduler/rescind-inverse-failure.events.jsonl"} {
		for _, line := range recordedEvents(t, name) {
			var e v1Event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			if kind := e.Type + e.Update.Status.State + e.Update.Status.Reason; !seen[kind] && e.Type != schedulerError {
				seen[kind] = true
				out = append(out, line)
			}
		}
	}
	if len(out) < 12 {
		t.Fatalf("only %d kinds of events were recorded", len(out))
	}
	return out
}

// Wherever a stream breaks off, the core is told of the records that came whole, and of nothing else.
func TestStreamCutAtEachByte(t *testing.T) {
	events := kinds(t)
	var body bytes.Buffer
	ends := make([]int, len(events))
	for n, e := range events {
		fmt.Fprintf(&body, "%d\n%s", len(e), e)
		ends[n] = body.Len()
	}
	head := []byte("HTTP/1.1 200 OK\r\nMesos-Stream-Id: s\r\nContent-Type: application/json\r\n\r\n")
	want := [][]string{{}} // by how many records came whole
	for n := range events {
		c := cutStream{answer: append(head[:len(head):len(head)], body.Bytes()[:ends[n]]...)}
		want = append(want, texts(t, c.session(t)))
	}
	if got := len(want[len(events)]); got < 10 {
		t.Fatalf("the core is told of %d events: %v", got, want[len(events)])
	}
	whole := 0
	for cut := range body.Len() {
		if cut == ends[whole] {
			whole++
		}
		c := cutStream{answer: append(head[:len(head):len(head)], body.Bytes()[:cut]...)}
		if diff := cmp.Diff(want[whole], texts(t, c.session(t))); diff != "" {
			t.Fatalf("cut after %d octets, %d records (-want +got):\n%s", cut, whole, diff)
		}
	}
	for cut := range head {
		c := cutStream{answer: head[:cut]}
		if got := c.session(t); len(got) > 0 || c.calls > 0 {
			t.Fatalf("cut in the head, after %d octets: %v, %d calls", cut, got, c.calls)
		}
	}
}

// The answer of a real master, with its head and its chunks, cut anywhere: what the core is told begins as it does with
// the whole of it.
func TestRecordedStreamCut(t *testing.T) {
	raw, err := os.ReadFile(recording(t, "scheduler/lifecycle.raw").Name())
	if err != nil {
		t.Fatal(err)
	}
	whole := texts(t, (&cutStream{answer: raw}).session(t))
	if len(whole) < 20 || !strings.Contains(strings.Join(whole, "\n"), "TASK_FAILED") {
		t.Fatalf("the core is told of %d events: %.2000v", len(whole), whole)
	}
	longest := 0
	for cut := 0; cut < len(raw); cut += 61 {
		got := texts(t, (&cutStream{answer: raw[:cut]}).session(t))
		if len(got) > len(whole) || !cmp.Equal(got, whole[:len(got)]) {
			t.Fatalf("cut after %d octets:\n%s", cut, cmp.Diff(whole[:min(len(got), len(whole))], got))
		}
		if len(got) < longest {
			t.Fatalf("cut after %d octets: %d events, although %d came before", cut, len(got), longest)
		}
		longest = len(got)
	}
}
