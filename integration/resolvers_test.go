package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// systemDNS is where a rollcall listens that programs find by /etc/resolv.conf, which cannot name a port.
const systemDNS = "127.77.53.53"

// asSystemResolver makes programs that run in the returned way take rollcall for the machine's only resolver: they have
// an /etc/resolv.conf of their own. That takes rights, for the port and for the mount.
func asSystemResolver(t *testing.T, cluster *mesosCluster) (*daemon, func(program string, args ...string) string) {
	t.Helper()
	require(t, "unshare", "mount")
	l, err := net.Listen("tcp", systemDNS+":53")
	if err != nil {
		t.Skipf("SKIPPED: port 53 of %s cannot be had: %v", systemDNS, err)
	}
	l.Close()
	d := cluster.follow(t, config{"listener": systemDNS, "port": 53, "httplistener": "127.0.0.1"})
	conf := file(t, t.TempDir(), "resolv.conf", "nameserver "+systemDNS+"\nsearch marathon.mesos\n")
	run := func(program string, args ...string) string {
		t.Helper()
		script := `mount --bind "$0" /etc/resolv.conf && exec "$@"`
		c := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "sh", "-c", script, conf, program}, args...)...)
		out, err := c.CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(err)
		} else if ok {
			return fmt.Sprintf("%s%v", out, exit)
		}
		return string(out)
	}
	if out := run("true"); out != "" {
		t.Skipf("SKIPPED: no file system of one's own: %s", out)
	}
	return d, run
}

// clientCluster has a name with three addresses, of which one is IPv6, and one service.
func clientCluster(t *testing.T) (cluster *mesosCluster, addresses []string) {
	t.Helper()
	cluster = startCluster(t, 2)
	cluster.runAt("web", 0, 0, 31000, "10.1.0.1")
	cluster.runAt("web", 1, 1, 31001, "10.1.0.2", "fd00::2")
	cluster.tell()
	return cluster, []string{"10.1.0.1", "10.1.0.2", "fd00::2"}
}

// lookedUp waits until the names of a cluster are there.
func (d *daemon) lookedUp(name string, records int) {
	d.t.Helper()
	d.eventually(name+" is there", func() bool {
		m := ask(d.dns, name, dns.TypeA)
		return m != nil && len(m.Answer) == records
	})
}

// addressesIn are the words of a text that are IP addresses, sorted and once each.
func addressesIn(text string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n'\"[](),", r) })
	words = slices.DeleteFunc(words, func(s string) bool { return net.ParseIP(s) == nil })
	slices.Sort(words)
	return slices.Compact(words)
}

// What programs find that look up names by the C library: glibc, and Python and Java, which use it; and musl.
func TestSystemResolvers(t *testing.T) {
	cluster, want := clientCluster(t)
	d, run := asSystemResolver(t, cluster)
	d.lookedUp("web.marathon.mesos.", 2)

	t.Run("glibc", func(t *testing.T) {
		require(t, "getent")
		for _, name := range []string{"web.marathon.mesos", "WEB.marathon.mesos.", "web"} { // the last one by search
			if got := addressesIn(run("getent", "ahosts", name)); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		if got := run("getent", "ahosts", "nothing.marathon.mesos"); !strings.Contains(got, "exit status 2") {
			t.Errorf("a name that is not there: %s", got)
		}
	})
	t.Run("musl", func(t *testing.T) {
		require(t, "musl-gcc")
		program := filepath.Join(t.TempDir(), "lookup")
		source := file(t, t.TempDir(), "lookup.c", `
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct addrinfo hints, *list;
	char text[64];
	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	int failed = getaddrinfo(argv[1], 0, &hints, &list);
	if (failed)
		return puts(gai_strerror(failed)), 1;
	for (; list; list = list->ai_next) {
		getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof text, 0, 0, NI_NUMERICHOST);
		puts(text);
	}
	return 0;
}
`)
		if out, err := exec.CommandContext(t.Context(), "musl-gcc", "-static", "-o", program, source).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, name := range []string{"web.marathon.mesos", "web"} {
			if got := addressesIn(run(program, name)); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		if got := run(program, "nothing.marathon.mesos"); !strings.Contains(got, "exit status 1") {
			t.Errorf("a name that is not there: %s", got)
		}
	})
	t.Run("python", func(t *testing.T) {
		require(t, "python3")
		script := "import socket, sys; print([a[4][0] for a in socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)])"
		if got := addressesIn(run("python3", "-c", script, "web.marathon.mesos")); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if got := run("python3", "-c", script, "nothing.marathon.mesos"); !strings.Contains(got, "gaierror") {
			t.Errorf("a name that is not there: %s", got)
		}
	})
	t.Run("java", func(t *testing.T) { testJava(t, cluster, d, run) })
}

// testJava has a Java program that is there anyway, a client of ZooKeeper, connect to a service by its name.
func testJava(t *testing.T, cluster *mesosCluster, d *daemon, run func(string, ...string) string) {
	requireZooKeeper(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(conn, make([]byte, 4)) //nolint:errcheck // the test sees what comes
			fmt.Fprintln(conn, "found")
			conn.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	cluster.runAt("zk", 0, 0, port, "127.0.0.1")
	cluster.tell()
	d.lookedUp("zk.marathon.mesos.", 1)
	const client = "org.apache.zookeeper.client.FourLetterWordMain"
	if got := run("java", "-cp", zooKeeperJar, client, "zk.marathon.mesos", fmt.Sprint(port), "ruok"); !strings.Contains(got, "found") {
		t.Error(got)
	}
	if got := run("java", "-cp", zooKeeperJar, client, "nothing.marathon.mesos", fmt.Sprint(port), "ruok"); !strings.Contains(got, "UnknownHost") {
		t.Errorf("a name that is not there: %s", got)
	}
}

// Go's own resolver.
func TestGoResolver(t *testing.T) {
	cluster, want := clientCluster(t)
	d := cluster.follow(t, config{"reverseZones": []string{"10.0.0.0/8"}})
	d.lookedUp("web.marathon.mesos.", 2)
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.dns)
	}}
	got, err := r.LookupHost(t.Context(), "web.marathon.mesos")
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	_, services, err := r.LookupSRV(t.Context(), "web", "tcp", "marathon.mesos")
	if err != nil || len(services) != 2 {
		t.Errorf("%v, %v; want two services", services, err)
	}
	names, err := r.LookupAddr(t.Context(), "10.1.0.1")
	if err != nil || len(names) != 1 || !strings.HasPrefix(names[0], "web-") {
		t.Errorf("%v, %v; want the task's name", names, err)
	}
	_, err = r.LookupHost(t.Context(), "nothing.marathon.mesos.")
	if missing, ok := errors.AsType[*net.DNSError](err); !ok || !missing.IsNotFound {
		t.Errorf("a name that is not there: %v", err)
	}
}

// Node's own resolver, c-ares.
func TestNodeResolver(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("SKIPPED: node is not there")
	}
	cluster, want := clientCluster(t)
	d := cluster.follow(t, nil)
	d.lookedUp("web.marathon.mesos.", 2)
	script := file(t, t.TempDir(), "lookup.js", `
const { Resolver } = require('dns').promises
const r = new Resolver()
r.setServers([process.argv[2]])
const name = 'web.marathon.mesos'
Promise.all([r.resolve4(name), r.resolve6(name), r.resolveSrv('_web._tcp.marathon.mesos'), r.resolve4('nothing.mesos').catch(e => e.code)])
	.then(([four, six, srv, missing]) => console.log(four.join(' '), six.join(' '), srv.length + ' services,', missing))
`)
	c := exec.CommandContext(t.Context(), "node", script, d.dns)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil || !slices.Equal(addressesIn(string(out)), want) || !strings.Contains(string(out), "2 services, ENOTFOUND") {
		t.Errorf("%v: %s", err, out)
	}
}
