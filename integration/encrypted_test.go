package integration

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// certificates are the files of a certificate for "dns.example" and 127.0.0.1, and of the authority that issued it.
type certificates struct{ authority, cert, key string }

func newCertificates(t *testing.T) certificates {
	t.Helper()
	dir := t.TempDir()
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	now := time.Now()
	authorityKey, key := newKey(), newKey()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "dns.example"}, DNSNames: []string{"dns.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificates{write("ca.pem", "CERTIFICATE", authorityDER), write("cert.pem", "CERTIFICATE", leafDER), write("key.pem", "PRIVATE KEY", keyDER)}
}

var encryptedLine = regexp.MustCompile(`dns-over-tls=127\.0\.0\.1:(\d+) dns-over-https=127\.0\.0\.1:(\d+)`)

// Clients of other makes ask over TLS and over HTTPS, and check the certificate.
func TestEncryptedDNS(t *testing.T) {
	require(t, "kdig", "curl")
	files := newCertificates(t)
	c := newConfig(t.TempDir())
	c["encryption"] = map[string]any{"certFile": files.cert, "keyFile": files.key, "tlsPort": 0, "httpsPort": 0}
	d := start(t, c)
	var ports []string
	d.eventually("the log says where it is served", func() bool {
		ports = encryptedLine.FindStringSubmatch(d.output())
		return ports != nil
	})
	for _, tt := range []struct {
		name    string
		options []string
		good    bool
	}{
		{"over TLS", []string{"-p", ports[1], "+tls-ca=" + files.authority, "+tls-hostname=dns.example"}, true},
		{"over TLS, another name", []string{"-p", ports[1], "+tls-ca=" + files.authority, "+tls-hostname=other.example"}, false},
		{"over HTTPS", []string{"-p", ports[2], "+https", "+tls-ca=" + files.authority, "+tls-hostname=dns.example"}, true},
		{"over HTTPS with GET", []string{"-p", ports[2], "+https", "+https-get", "+tls-ca=" + files.authority, "+tls-hostname=dns.example"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"@127.0.0.1", "+retry=0", "+time=20"}, append(tt.options, "mesos", "SOA")...)
			out, err := exec.CommandContext(t.Context(), "kdig", args...).CombinedOutput()
			if good := err == nil && strings.Contains(string(out), "ns1.mesos."); good != tt.good {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("curl", func(t *testing.T) {
		question, err := new(dns.Msg).SetQuestion("mesos.", dns.TypeSOA).Pack()
		if err != nil {
			t.Fatal(err)
		}
		curl := exec.CommandContext(t.Context(), "curl", "-sS", "-i", "--http2", "--cacert", files.authority, "-H", "content-type: application/dns-message",
			"--data-binary", "@-", "https://127.0.0.1:"+ports[2]+"/dns-query")
		curl.Stdin = bytes.NewReader(question)
		out, err := curl.Output()
		head, body, _ := bytes.Cut(out, []byte("\r\n\r\n"))
		reply := new(dns.Msg)
		if err != nil || !strings.HasPrefix(string(head), "HTTP/2 200") || !strings.Contains(string(head), "cache-control: max-age=60") ||
			reply.Unpack(body) != nil || len(reply.Answer) != 1 {
			t.Errorf("%v\n%s\n%v", err, head, reply)
		}
	})
}

// Names outside the domain come from an Unbound over TLS, whose certificate is checked.
func TestUpstreamOverTLS(t *testing.T) {
	files := newCertificates(t)
	dir := t.TempDir()
	port := freePort(t)
	serve(t, "/usr/sbin/unbound", "-d", "-c", file(t, dir, "unbound.conf", fmt.Sprintf(`
server:
  interface: 127.0.0.1@%s
  tls-port: %s
  tls-service-key: %q
  tls-service-pem: %q
  username: ""
  chroot: ""
  directory: %q
  pidfile: ""
  use-syslog: no
  local-zone: "example." static
  local-data: "www.example. 300 IN A 192.0.2.80"
remote-control:
  control-enable: no
`, port, port, files.key, files.cert, dir)))
	for name, good := range map[string]bool{"dns.example": true, "other.example": false} {
		c := newConfig(t.TempDir())
		c["externalon"], c["timeout"], c["resolverCAFile"] = true, 5, files.authority
		c["resolvers"] = []string{"tls://127.0.0.1:" + port + "#" + name}
		d := start(t, c)
		if good {
			d.eventually("the answer comes", func() bool { return strings.Join(d.addresses("www.example"), " ") == "192.0.2.80" })
			continue
		}
		if out := strings.Join(d.dig("www.example"), " "); !strings.Contains(out, "SERVFAIL") || !strings.Contains(out, "certificate is valid for dns.example") {
			t.Errorf("with another name in the certificate: %s", out)
		}
	}
}

// sideBySide are other servers that hand the names of the domain to rollcall, each with the configuration of
// docs/recipes.md.
var sideBySide = []struct {
	name, program, config string
	args                  []string
}{
	{"dnsmasq", "/usr/sbin/dnsmasq", `
listen-address=127.0.0.1
bind-interfaces
no-resolv
server=/mesos/127.0.0.1#8053
`, []string{"--no-daemon", "--user=", "--group=", "--pid-file="}},
	{"unbound", "/usr/sbin/unbound", `
server:
  interface: 127.0.0.1
  do-not-query-localhost: no
  domain-insecure: "mesos"
  qname-minimisation-strict: yes
stub-zone:
  name: "mesos"
  stub-addr: 127.0.0.1@8053
`, []string{"-d"}},
}

// Other servers find the domain at rollcall, with the configurations of the documentation.
func TestSideBySide(t *testing.T) {
	recipes, err := os.ReadFile("../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, newConfig(t.TempDir()))
	_, rollcallPort, _ := net.SplitHostPort(d.dns)
	d.must(201, "POST", "/v2/apps", `{"id": "/web", "cmd": "sleep 1000", "instances": 2, "cpus": 0.1, "mem": 16}`)
	d.eventually("both resolve", func() bool { return len(d.addresses("web.marathon.mesos")) == 2 })
	for _, tt := range sideBySide {
		t.Run(tt.name, func(t *testing.T) {
			if documented := "    " + strings.ReplaceAll(strings.TrimSpace(tt.config), "\n", "\n    "); !strings.Contains(string(recipes), documented) {
				t.Errorf("docs/recipes.md does not have this configuration:\n%s", documented)
			}
			dir, port := t.TempDir(), freePort(t)
			config := strings.ReplaceAll(tt.config, "8053", rollcallPort)
			switch tt.name {
			case "dnsmasq":
				config += "port=" + port + "\n"
			case "unbound":
				config = strings.Replace(config, "server:\n", fmt.Sprintf("server:\n  port: %s\n  username: \"\"\n  chroot: \"\"\n  directory: %q\n  pidfile: \"\"\n  use-syslog: no\n", port, dir), 1) +
					"remote-control:\n  control-enable: no\n"
			}
			path := file(t, dir, tt.name+".conf", config)
			args := append(tt.args, map[string][]string{"dnsmasq": {"--conf-file=" + path}, "unbound": {"-c", path}}[tt.name]...)
			serve(t, tt.program, args...)
			client := &dns.Client{Timeout: time.Second}
			m := new(dns.Msg).SetQuestion("web.marathon.mesos.", dns.TypeA)
			var got *dns.Msg
			d.eventually("the answer comes by way of "+tt.name, func() bool {
				got, _, err = client.ExchangeContext(t.Context(), m, "127.0.0.1:"+port)
				return err == nil && len(got.Answer) == 2
			})
			m.SetQuestion("none.marathon.mesos.", dns.TypeA)
			if got, _, err = client.ExchangeContext(t.Context(), m, "127.0.0.1:"+port); err != nil || got.Rcode != dns.RcodeNameError {
				t.Errorf("a name that is not there: %v, %v", got, err)
			}
		})
	}
}
