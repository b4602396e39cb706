package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// eventReader is a reader of the event stream.
type eventReader struct {
	body   io.ReadCloser
	beats  atomic.Int64 // heartbeats
	events atomic.Int64
	last   atomic.Int64 // number of the newest event
	id     atomic.Value // and its id, a string
	gap    atomic.Value // what was wrong first, a string
	done   chan struct{}
}

// readEvents reads the event stream, and notes whether events are missing between those that come.
func readEvents(t *testing.T, d *daemon, query string) *eventReader {
	t.Helper()
	return readEventsAfter(t, d, query, "")
}

// readEventsAfter goes on after the event of an id.
func readEventsAfter(t *testing.T, d *daemon, query, id string) *eventReader {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, d.api+"/v2/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		request.Header.Set("Last-Event-ID", id)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	r := &eventReader{body: answer.Body, done: make(chan struct{})}
	go r.read()
	t.Cleanup(r.close)
	return r
}

func (r *eventReader) read() {
	defer close(r.done)
	lines := bufio.NewScanner(r.body)
	lines.Buffer(nil, 1<<20)
	inEvent := false
	for lines.Scan() {
		_, id, isID := strings.Cut(lines.Text(), "id: ")
		switch {
		case lines.Text() == "" && !inEvent:
			r.beats.Add(1)
		case lines.Text() == "":
			inEvent = false
		case isID:
			_, text, _ := strings.Cut(id, "-")
			number, err := strconv.ParseInt(text, 10, 64)
			if before := r.last.Swap(number); err != nil || before != 0 && number != before+1 {
				r.gap.CompareAndSwap(nil, fmt.Sprintf("event %s came after %d", id, before))
			}
			r.id.Store(id)
			r.events.Add(1)
			inEvent = true
		default:
			inEvent = true
		}
	}
}

func (r *eventReader) close() {
	r.body.Close()
	<-r.done
}

// TestEventsInAFlood floods the API with changes while one reader of the event stream keeps up, one waits for what does
// not happen, and one does not read at all. The first misses nothing, the second hears the heartbeats, the third is cut
// off, and no change waits for any of them.
func TestEventsInAFlood(t *testing.T) {
	t.Parallel()
	d := start(t, newConfig(t.TempDir()))
	quick := readEvents(t, d, "")
	quiet := readEvents(t, d, "?event_type=framework_message_event")
	stuck := stick(t, d)
	defer stuck.Close()

	var stop atomic.Bool
	var changes, slow atomic.Int64
	var flood sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: patience}
	defer client.CloseIdleConnections()
	label := strings.Repeat("x", 2000)
	for n := range 8 {
		flood.Go(func() {
			for change := 0; !stop.Load(); change++ {
				body := fmt.Sprintf(`{"cmd": "x", "instances": 0, "labels": {"n": "%d", "text": "%s"}}`, change, label)
				r, err := http.NewRequest(http.MethodPut, fmt.Sprintf("%s/v2/apps/flood/a%d?force=true", d.api, n), strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body) //nolint:errcheck // the status says all
				answer.Body.Close()
				switch answer.StatusCode {
				case http.StatusOK, http.StatusCreated:
					changes.Add(1)
				case http.StatusServiceUnavailable, http.StatusTooManyRequests:
					slow.Add(1)
				default:
					t.Errorf("a change is answered %d", answer.StatusCode)
					return
				}
			}
		})
	}
	readers := func() int {
		r, err := http.NewRequest(http.MethodGet, d.api+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		data, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(data), `"marathon.http.event-streams.active.gauge":{"value":`)
		count, _, _ := strings.Cut(rest, "}")
		number, err := strconv.Atoi(count)
		if err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		return number
	}
	d.eventually("the reader that does not read is cut off, and the others are not", func() bool { return readers() == 2 })
	d.eventually("the reader that waits hears two heartbeats", func() bool { return quiet.beats.Load() >= 2 })
	stop.Store(true)
	flood.Wait()

	newest := readEvents(t, d, "?event_type=event_stream_attached") // its own event is the newest
	d.eventually("the quick reader has all", func() bool { return newest.last.Load() > 0 && quick.last.Load() >= newest.last.Load() })
	if gap := quick.gap.Load(); gap != nil {
		t.Error("of the reader that keeps up:", gap)
	}
	if quiet.events.Load() != 0 {
		t.Errorf("the reader that waits got %d events", quiet.events.Load())
	}
	if changes.Load() < 100 || quick.events.Load() < 4*changes.Load() {
		t.Errorf("%d changes, %d events", changes.Load(), quick.events.Load())
	}
	t.Logf("%d changes, %d of them told to come later; %d events", changes.Load(), slow.Load(), quick.events.Load())
}

// stick opens an event stream and does not read from it; what waits on the way is kept small.
func stick(t *testing.T, d *daemon) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(d.api, "http://"), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /v2/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}
