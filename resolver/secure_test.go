package resolver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"rollcall/records"
)

// authority issues certificates for tests.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.certificate)
	return a
}

// issue writes a certificate for names and addresses, and its key, to files.
func (a *authority) issue(t testing.TB, dir string, serial int64, names ...string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// secured has a server serve DNS over TLS and over HTTPS as well, with a certificate for names.
func secured(t testing.TB, a *authority, names ...string) func(*Options) {
	t.Helper()
	certFile, keyFile := a.issue(t, t.TempDir(), 2, names...)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) {
		o.TLSAddr, o.HTTPSAddr = addrPorts("127.0.0.1:0")[0], addrPorts("127.0.0.1:0")[0]
		o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
}

// newSecureServer is a server that is secured.
func newSecureServer(t testing.TB, a *authority, names []string, change ...func(*Options)) *Server {
	t.Helper()
	return newTestServer(t, newTestZone(t), append([]func(*Options){secured(t, a, names...)}, change...)...)
}

// Questions go to servers over TLS, if their certificates are good, and many on one connection.
func TestSecureUpstream(t *testing.T) {
	a := newAuthority(t)
	s := newSecureServer(t, a, []string{"dns.example", "127.0.0.1"})
	onlyName := newSecureServer(t, a, []string{"dns.example"})
	for _, tt := range []struct {
		name        string
		server      *Server
		certificate string
		pool        *x509.CertPool
		rcode       int
	}{
		{"by name", s, "dns.example", a.pool, dns.RcodeSuccess},
		{"by address", s, "", a.pool, dns.RcodeSuccess},
		{"another name", s, "dns.example.net", a.pool, dns.RcodeServerFailure},
		{"another address", onlyName, "", a.pool, dns.RcodeServerFailure},
		{"an authority that we do not know", s, "dns.example", newAuthority(t).pool, dns.RcodeServerFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := testutil.ToFloat64(tt.server.handler.metrics.forwarding.tls)
			addr := tt.server.TLSAddr()
			zone, err := records.New(records.DefaultOptions("other")) // so that names of the test zone are foreign to it
			if err != nil {
				t.Fatal(err)
			}
			h := newTestHandler(t, zone, func(o *Options) {
				o.Recursion, o.TCPFallback, o.RecursionFrom, o.Timeout = true, true, everywhere(), 10*time.Second
				o.Upstreams, o.SecureUpstreams = []netip.AddrPort{addr}, map[netip.AddrPort]string{addr: tt.certificate}
				o.UpstreamAuthorities = tt.pool
			})
			h.settings.Load().forward.patience = func(*upstream) time.Duration { return time.Hour }
			const n = 5
			for range n {
				got := resolve(t, h, ednsQuestion(t, "one.marathon.mesos. A"), true)
				if got.Rcode != tt.rcode || tt.rcode == dns.RcodeSuccess && len(got.Answer) != 1 {
					t.Fatalf("%v", got)
				}
				if tt.rcode != dns.RcodeSuccess {
					wantError(t, got, dns.ExtendedErrorCodeNoReachableAuthority)
					return
				}
			}
			h.settings.Load().forward.background.Wait()
			// The probe for loops may take one of its own.
			if made := testutil.ToFloat64(tt.server.handler.metrics.forwarding.tls) - before; made > 2 {
				t.Errorf("%v connections for %d questions", made, n)
			}
			if got := h.settings.Load().forward.general.servers[0].secure; len(got.idle) == 0 {
				t.Error("no connection is kept")
			} else { // the server closes it; the next question goes over another one
				for _, conn := range got.idle {
					conn.NetConn().(*net.TCPConn).CloseRead() //nolint:errcheck // the test notices
				}
				if got := resolve(t, h, ednsQuestion(t, "one.marathon.mesos. A"), true); got.Rcode != dns.RcodeSuccess {
					t.Errorf("%v", got)
				}
			}
		})
	}
}

// Questions over TLS are padded, so that their length says little.
func TestQuestionsArePadded(t *testing.T) {
	for _, name := range []string{".", "a.example.", strings.Repeat("a-long-label.", 15)} {
		m := question{name: name, qtype: dns.TypeA}.message(true)
		padQuestion(m)
		if n := len(packet(t, m)); n%questionPadding != 0 {
			t.Errorf("%s: %d octets", name, n)
		}
	}
}

func TestDNSOverTLS(t *testing.T) {
	a := newAuthority(t)
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	s := newSecureServer(t, a, []string{"dns.example"}, func(o *Options) {
		o.Recursion, o.TCPFallback, o.Upstreams = true, true, []netip.AddrPort{u.addr}
	})
	conn, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{RootCAs: a.pool, ServerName: "dns.example", NextProtos: []string{"dot"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "dot" {
		t.Errorf("ALPN %q, want dot (RFC 7858, section 3.1)", got)
	}
	c := &dns.Conn{Conn: conn}
	for question, want := range map[string]string{"one.marathon.mesos. A": "one.marathon.mesos. 77 IN A 10.0.0.0", "example.com. A": "example.com. 300 IN A 192.0.2.7"} {
		m := ednsQuestion(t, question)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_PADDING{Padding: make([]byte, 20)}}
		if err := c.WriteMsg(m); err != nil {
			t.Fatal(err)
		}
		wire, err := c.ReadMsgHeader(nil)
		if err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, unpack(t, wire), dns.RcodeSuccess, want)
		if len(wire)%paddingBlock != 0 {
			t.Errorf("%s: the reply has %d octets, want it padded (RFC 8467)", question, len(wire))
		}
	}
	if _, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{RootCAs: a.pool, ServerName: "dns.example", MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}
