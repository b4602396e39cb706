package zookeeper

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestServers(t *testing.T) {
	var s servers
	if err := s.Init([]string{"a:1", "b:1", "c:1"}); err != nil || s.Len() != 3 {
		t.Fatal(err, s.Len())
	}
	take := func(n int) string {
		var out strings.Builder
		for range n {
			server, pause := s.Next()
			if pause {
				out.WriteString("|")
			}
			out.WriteString(server[:1])
		}
		return out.String()
	}
	if got := take(7); got != "abc|abc|a" {
		t.Errorf("got %s", got)
	}
	if got := s.rounds(); got != 2 {
		t.Errorf("%d rounds", got)
	}
	s.Connected()
	if got := s.rounds(); got != 0 {
		t.Errorf("after a connection: %d rounds", got)
	}
	if got := take(4); got != "bc|ab" {
		t.Errorf("after a connection: %s", got)
	}
}

// A server that is not there, and one whose name nobody knows, end in zk.ErrNoServer, not in a wait without end.
func TestConnectToNobody(t *testing.T) {
	url := URL{Servers: []string{"127.0.0.1:1", "name.invalid:2181"}, Path: "/mesos"}
	s, _, err := Connect(t.Context(), url, time.Second, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, _, _, err := s.ChildrenW("/mesos"); !errors.Is(err, zk.ErrNoServer) {
		t.Errorf("got %v", err)
	}
}

// A server that stops in the midst of its first answer is left for the next one.
func TestSilentServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	address := silent.Addr().String()
	s, _, err := Connect(t.Context(), URL{Servers: []string{address, address}, Path: "/"}, 300*time.Millisecond, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		conn, err := silent.Accept()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "\x00\x00\x00\x25\x00") //nolint:errcheck // the next line tells
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Error(err)
		}
		conn.Close()
	}
}

// The time for the first answer is for all of it; those that follow have what the client gives them.
func TestImpatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := &impatient{Conn: near, within: 3 * time.Second}
		read := func(want time.Duration) {
			t.Helper()
			begun := time.Now()
			if _, err := c.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != want {
				t.Errorf("%v after %v, not %v", err, time.Since(begun), want)
			}
		}
		c.SetReadDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // a pipe takes it, as below
		time.Sleep(time.Second)
		c.SetReadDeadline(time.Time{}) //nolint:errcheck // likewise
		read(2 * time.Second)
		c.SetReadDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // likewise
		read(time.Minute)
	})
}

func TestFirstAnswer(t *testing.T) {
	for rounds, want := range []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second} {
		if got := firstAnswer(30*time.Second, rounds); got != want {
			t.Errorf("after %d rounds: %v, not %v", rounds, got, want)
		}
	}
	if got := firstAnswer(30*time.Second, 1000); got != 100*time.Second {
		t.Errorf("at last: %v", got)
	}
}
