package api

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// frontServer is a front at an address of its own, its requests kept.
func frontServer(t *testing.T, self string) (*Front, *httptest.Server) {
	t.Helper()
	f := NewFront(FrontOptions{Self: self, Client: &http.Transport{}, Logger: slog.New(slog.DiscardHandler)})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	t.Cleanup(f.o.Client.CloseIdleConnections)
	return f, s
}

func at(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// ask sends a request as it is and does not follow redirects.
func ask(t *testing.T, method, url, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(data)
}

// The files of the web page come from the leader; while nobody leads from here, at once, so that the page can say so.
func TestFrontShowsThePage(t *testing.T) {
	f, s := frontServer(t, "self:1")
	for path, status := range map[string]int{"/ui/": http.StatusOK, "/ui/main.js": http.StatusOK, "/ui/absent.js": http.StatusNotFound} {
		if response, body := ask(t, http.MethodGet, s.URL+path, "", nil); response.StatusCode != status || response.Header.Get(via) != "" {
			t.Errorf("%s: %s %s", path, response.Status, body)
		}
	}
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "by the leader") //nolint:errcheck // a test's server
	}))
	defer leader.Close()
	f.Follow(at(t, leader.URL))
	if _, body := ask(t, http.MethodGet, s.URL+"/ui/", "", nil); body != "by the leader" {
		t.Errorf("while somebody leads: %s", body)
	}
	f.Lead(http.NotFoundHandler(), func() bool { return false }) // it led, and may not any more
	if response, _ := ask(t, http.MethodGet, s.URL+"/ui/", "", nil); response.StatusCode != http.StatusOK {
		t.Errorf("of one that may not act: %s", response.Status)
	}
}

func TestFrontPassesOn(t *testing.T) {
	var got *http.Request
	var body []byte
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Marathon-Leader", "http://leader")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"message":"App '/x' does not exist"}`) //nolint:errcheck // the test would fail below
	}))
	defer leader.Close()
	f, s := frontServer(t, "follower:8080")
	f.Follow(at(t, leader.URL))
	response, answer := ask(t, http.MethodPut, s.URL+"/v2/apps//a%2Fb?force=true&x=1%3B2", "body", http.Header{
		"Authorization": {"Basic x"}, "X-Forwarded-For": {"192.0.2.1"}, via: {"1.1 other:8080"}})
	if response.StatusCode != http.StatusNotFound || answer != `{"message":"App '/x' does not exist"}` ||
		response.Header.Get("X-Marathon-Leader") != "http://leader" {
		t.Errorf("%s %v %s", response.Status, response.Header, answer)
	}
	if got.Method != http.MethodPut || got.RequestURI != "/v2/apps//a%2Fb?force=true&x=1%3B2" || string(body) != "body" {
		t.Errorf("the leader got %s %s %q", got.Method, got.RequestURI, body)
	}
	h := got.Header
	if h.Get("Authorization") != "Basic x" || h.Get("X-Forwarded-For") != "192.0.2.1, 127.0.0.1" ||
		strings.Join(h[via], "|") != "1.1 other:8080|1.1 follower:8080" || got.Host != strings.TrimPrefix(leader.URL, "http://") {
		t.Errorf("the leader got %s %v", got.Host, h)
	}
}

func TestFrontAnswers(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	refusing := "http://" + gone.Addr().String()
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	for _, c := range []struct {
		name, leader, path string
		header             http.Header
		status             int
		want               string
	}{
		{"ping", refusing, "/ping", nil, 200, "pong"},
		{"the leader is gone", refusing, "/v2/apps", nil, 502, `{"message":"Connection to leader refused."}`},
		{"a loop", refusing, "/v2/apps", http.Header{via: {"1.1 b:1, 1.1 follower:8080"}}, 502, `{"message":"Detected proxying loop."}`},
		{"no loop", refusing, "/v2/apps", http.Header{via: {"1.1 follower:80801"}}, 502, `{"message":"Connection to leader refused."}`},
		{"the leader breaks off", cut.URL, "/v2/apps", nil, 500, `{"message":"The leader did not answer: EOF"}`},
		{"events", "http://leader:8080", "/v2/events?event_type=x", nil, 302, "http://leader:8080/v2/events?event_type=x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, s := frontServer(t, "follower:8080")
			f.Follow(at(t, c.leader))
			response, body := ask(t, http.MethodGet, s.URL+c.path, "", c.header)
			if c.status == http.StatusFound {
				body = response.Header.Get("Location")
			}
			if response.StatusCode != c.status || body != c.want {
				t.Errorf("%s %s", response.Status, body)
			}
		})
	}
}

func TestFrontLeads(t *testing.T) {
	f, s := frontServer(t, "me:8080")
	f.Lead(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), func() bool { return true })
	if response, _ := ask(t, http.MethodGet, s.URL+"/v2/apps", "", nil); response.StatusCode != http.StatusTeapot {
		t.Error(response.Status)
	}
}

// A request that comes while nobody leads waits for the election, but not for ever.
func TestFrontWaitsForLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFront(FrontOptions{Self: "me:8080", Client: &http.Transport{}, Logger: slog.New(slog.DiscardHandler)})
		get := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			f.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/apps", nil))
			return w
		}
		began := time.Now()
		w := get()
		if body := w.Body.String(); w.Code != 502 || body != `{"message":"Could not determine the current leader"}` {
			t.Errorf("%d %s", w.Code, body)
		}
		if waited := time.Since(began); waited != 2500*time.Millisecond {
			t.Errorf("it waited %s", waited)
		}
		for why, want := range map[string]string{"": "", "it rains": ": it rains"} {
			f.o.Leaderless = func() string { return why }
			if body := get().Body.String(); body != `{"message":"Could not determine the current leader`+want+`"}` {
				t.Errorf("why %q: %s", why, body)
			}
		}
		time.AfterFunc(time.Second, func() {
			f.Lead(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), func() bool { return true })
		})
		if w := get(); w.Code != http.StatusTeapot {
			t.Errorf("after an election: %d %s", w.Code, w.Body)
		}

		// One whose time is over does not answer from what it knew.
		f.Lead(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it answers") }), func() bool { return false })
		if w := get(); w.Code != 502 {
			t.Errorf("when its time is over: %d %s", w.Code, w.Body)
		}
	})
}

// A follower is no way around the names by which the leader may be addressed.
func TestFrontChecksHosts(t *testing.T) {
	f := NewFront(FrontOptions{Self: "follower:8080", Hosts: []string{"box.example"}, Client: &http.Transport{}, Logger: slog.New(slog.DiscardHandler)})
	f.Lead(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), func() bool { return true })
	for host, want := range map[string]int{"box.example:8080": 204, "127.0.0.1": 204, "evil.example": 421} {
		r := httptest.NewRequest(http.MethodGet, "/v2/apps", nil)
		r.Host = host
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
}

// A page's event stream, and a connection that is upgraded, come from where the page came from: a browser would not
// follow a redirect to another origin. What is passed on is passed on at once, and ends when the client goes.
func TestFrontPassesStreams(t *testing.T) {
	gone := make(chan bool, 1)
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+ExecProtocol+"\r\n\r\n")
			io.Copy(conn, buffered)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: a\r\n\r\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
		gone <- true
	}))
	defer leader.Close()
	f, _ := frontServer(t, "follower:8080")
	f.Follow(at(t, leader.URL))
	s := httptest.NewUnstartedServer(f)
	s.Config.WriteTimeout = time.Nanosecond // as if each stream had been read for longer than any answer
	s.Start()
	defer s.Close()

	response, err := http.Get(s.URL + "/rollcall/events")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("event: a"))
	if _, err := io.ReadFull(response.Body, first); err != nil || response.StatusCode != 200 || string(first) != "event: a" {
		t.Errorf("%s %q, %v", response.Status, first, err)
	}
	response.Body.Close()
	<-gone

	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/rollcall/tasks/a.1/exec", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {ExecProtocol}}
	if response, err = http.DefaultTransport.RoundTrip(r); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response, err)
	}
	conn := response.Body.(io.ReadWriteCloser)
	defer conn.Close()
	if _, err := io.WriteString(conn, "there"); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len("there"))
	if _, err := io.ReadFull(conn, back); err != nil || string(back) != "there" {
		t.Errorf("%q, %v", back, err)
	}
}
