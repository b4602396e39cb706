package integration

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// When it may have no more files open, connections that are idle make room, for encrypted ones and for questions to others as
// well, and questions over UDP do not notice.
func TestDNSWithoutFileDescriptors(t *testing.T) {
	require(t, "dig", "kdig", "sh")
	files := newCertificates(t)
	d := &daemon{t: t, dir: t.TempDir()}
	d.write(config{"domain": "mesos", "listener": "127.0.0.1", "port": 0, "httpon": false,
		"resolvers":  []string{startUpstream(t, "192.0.2.7").addr},
		"encryption": map[string]any{"certFile": files.cert, "keyFile": files.key, "tlsPort": 0, "httpsPort": 0},
		"masters":    []string{newReplayMaster(t, "127.0.0.1").address}})
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command("sh", "-c", fmt.Sprintf("ulimit -n 48 && exec %q -config=%q", binary, d.configPath())))

	ports := encryptedLine.FindStringSubmatch(d.output())
	if ports == nil {
		t.Fatalf("the log does not say where encrypted DNS is served:\n%s", d.output())
	}

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
	d.eventually("a question goes to an upstream server", func() bool {
		got, err := d.tryDig("+short", "+tries=1", "+time=5", "example.com", "A")
		return err == nil && len(got) == 1 && got[0] == "192.0.2.7"
	})
	d.eventually("a new connection is served", func() bool {
		got, err := d.tryDig("+short", "+tcp", "mesos", "NS")
		return err == nil && len(got) == 1
	})
	for name, options := range map[string][]string{"over TLS": {"-p", ports[1]}, "over HTTPS": {"-p", ports[2], "+https"}} {
		options = append(options, "@127.0.0.1", "+short", "+retry=0", "+time=5", "+tls-ca="+files.authority, "+tls-hostname=dns.example", "mesos", "NS")
		d.eventually("a new connection is served "+name, func() bool {
			out, err := exec.CommandContext(t.Context(), "kdig", options...).Output()
			return err == nil && strings.TrimSpace(string(out)) == "ns1.mesos."
		})
	}
}
