package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// instances is how many tasks a service has that others find by SRV: more than fit into 4096 octets.
const instances = 60

// sixty is a cluster with a service of sixty tasks.
func sixty(t *testing.T) *mesosCluster {
	t.Helper()
	cluster := startCluster(t, 5)
	for i := range instances {
		cluster.run("web", i, i%5)
	}
	cluster.tell()
	return cluster
}

// HAProxy fills the servers of a template from SRV records, all of them from one answer, and follows changes.
func TestHAProxyFindsAllServers(t *testing.T) {
	cluster := sixty(t)
	d := cluster.follow(t, nil)
	d.lookedUp("web.marathon.mesos.", instances)
	dir := t.TempDir()
	socket := filepath.Join(dir, "stats")
	serve(t, "/usr/sbin/haproxy", "-db", "-f", file(t, dir, "haproxy.cfg", fmt.Sprintf(`
global
  stats socket %s
resolvers rollcall
  nameserver rollcall %s
  accepted_payload_size 8192
  timeout resolve 200ms
  timeout retry 500ms
  hold valid 200ms
  hold obsolete 0s
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
backend web
  server-template web %d _web._tcp.marathon.mesos resolvers rollcall init-addr none
`, socket, d.dns, instances)))
	// servers are those that have an address and a port.
	servers := func() map[string]bool {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil
		}
		defer conn.Close()
		fmt.Fprintln(conn, "show servers state web")
		found := make(map[string]bool)
		lines := bufio.NewScanner(conn)
		for lines.Scan() { // backend id, name, server id, name, address, ..., and in the 19th field the port
			if f := strings.Fields(lines.Text()); len(f) > 18 && f[1] == "web" && net.ParseIP(f[4]) != nil && f[18] != "0" {
				found[f[4]+":"+f[18]] = true
			}
		}
		return found
	}
	eventually(t, "all servers are found", func() bool { return len(servers()) == instances })
	for i := range 20 {
		cluster.end("web", i)
	}
	cluster.run("web", 1000, 0)
	cluster.tell()
	eventually(t, "the changes are followed", func() bool {
		found := servers()
		return len(found) == instances-20+1 && found["10.0.0.1:31000"]
	})
}

// nginx looks up a name again and again, and goes where it leads.
func TestNginxFollowsAName(t *testing.T) {
	cluster := startCluster(t, 1)
	backend := func(name string) int {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) })) //nolint:errcheck // the test sees
		t.Cleanup(s.Close)
		return s.Listener.Addr().(*net.TCPAddr).Port
	}
	// Names have no ports in A records: both backends are at one port, of different addresses.
	port := backend("first")
	l, err := net.Listen("tcp", "127.77.0.2:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	second := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "second") //nolint:errcheck // the test sees
	})}}
	second.Start()
	t.Cleanup(second.Close)

	cluster.runAt("web", 1, 0, port, "127.0.0.1")
	cluster.tell()
	d := cluster.follow(t, config{"ttl": 1})
	d.lookedUp("web.marathon.mesos.", 1)
	dir, front := t.TempDir(), freePorts(t, 1)[0]
	serve(t, "/usr/sbin/nginx", "-e", "stderr", "-c", file(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off;
master_process off;
pid %s/nginx.pid;
error_log stderr;
events { }
http {
  access_log off;
  client_body_temp_path %s/body;
  proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/fastcgi;
  uwsgi_temp_path %s/uwsgi;
  scgi_temp_path %s/scgi;
  resolver %s ipv6=off;
  server {
    listen 127.0.0.1:%s;
    location / {
      set $backend web.marathon.mesos;
      proxy_pass http://$backend:%d;
    }
  }
}
`, dir, dir, dir, dir, dir, dir, d.dns, front, port)))
	got := func() string {
		response, err := http.Get("http://127.0.0.1:" + front)
		if err != nil {
			return ""
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return string(body)
	}
	eventually(t, "nginx goes to the first", func() bool { return got() == "first" })
	cluster.end("web", 1)
	cluster.runAt("web", 2, 0, port, "127.77.0.2")
	cluster.tell()
	eventually(t, "nginx goes to the second", func() bool { return got() == "second" })
}

// Prometheus finds its targets by SRV.
func TestPrometheusFindsAllTargets(t *testing.T) {
	cluster := sixty(t)
	d, _ := asSystemResolver(t, cluster)
	d.lookedUp("web.marathon.mesos.", instances)
	dir, port := t.TempDir(), freePorts(t, 1)[0]
	conf := file(t, dir, "prometheus.yml", `
scrape_configs:
  - job_name: web
    scrape_interval: 1h
    dns_sd_configs:
      - names: [_web._tcp.marathon.mesos]
        refresh_interval: 1s
`)
	require(t, "prometheus")
	resolvConf := file(t, dir, "resolv.conf", "nameserver "+systemDNS+"\n")
	serve(t, "/usr/bin/unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolvConf, "prometheus",
		"--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:"+port, "--log.level=warn")
	targets := func() int {
		response, err := http.Get("http://127.0.0.1:" + port + "/api/v1/targets?state=active")
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		var answer struct {
			Data struct{ ActiveTargets []struct{} }
		}
		if json.NewDecoder(response.Body).Decode(&answer) != nil {
			return 0
		}
		return len(answer.Data.ActiveTargets)
	}
	eventually(t, "all targets are found", func() bool { return targets() == instances })
	cluster.end("web", 0)
	cluster.tell()
	eventually(t, "one target less is found", func() bool { return targets() == instances-1 })
}

// One answer over UDP has all sixty for a client on this machine that takes 8192 octets.
func TestSixtyInOneDatagram(t *testing.T) {
	d := sixty(t).follow(t, nil)
	d.lookedUp("web.marathon.mesos.", instances)
	m := new(dns.Msg).SetQuestion("_web._tcp.marathon.mesos.", dns.TypeSRV)
	m.SetEdns0(8192, false)
	client := &dns.Client{Net: "udp", UDPSize: 8192}
	got, _, err := client.Exchange(m, d.dns)
	if err != nil || got.Truncated || len(got.Answer) != instances {
		t.Errorf("%v\n%v", err, got)
	}
}
