package integration

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// When it may have no more files open, connections that are idle make room, and questions over UDP do not notice.
func TestDNSWithoutFileDescriptors(t *testing.T) {
	require(t, "dig", "sh")
	d := &daemon{t: t, dir: t.TempDir()}
	d.write(config{"domain": "mesos", "listener": "127.0.0.1", "port": 0, "httpon": false, "externalon": false,
		"masters": []string{newReplayMaster(t, "127.0.0.1").address}})
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command("sh", "-c", fmt.Sprintf("ulimit -n 48 && exec %q -config=%q", binary, d.configPath())))

	const clients = 100
	for range clients {
		conn, err := net.DialTimeout("tcp", d.dns, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	d.eventually("the files are used up", func() bool { return strings.Contains(d.output(), "too many open files") })
	if got := d.dig("+short", "mesos", "NS"); len(got) != 1 {
		t.Errorf("over UDP: %v", got)
	}
	d.eventually("a new connection is served", func() bool {
		got, err := d.tryDig("+short", "+tcp", "mesos", "NS")
		return err == nil && len(got) == 1
	})
}
