package zookeeper

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
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
	s.Connected()
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
