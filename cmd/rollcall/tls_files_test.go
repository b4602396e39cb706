package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate puts a certificate that is its own authority, and its key, into files, as somebody does who renews it.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{{127, 0, 0, 1}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []struct {
		path, kind string
		der        []byte
	}{{certFile, "CERTIFICATE", cert}, {keyFile, "PRIVATE KEY", private}} {
		if err := os.WriteFile(file.path+".new", pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der}), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file.path+".new", file.path); err != nil {
			t.Fatal(err)
		}
	}
}

// tlsPeer is a server that shows the certificate in two files, whatever they hold by then, and tells which one it was shown.
func tlsPeer(t *testing.T, certFile, keyFile string) (address string, shown func() int64) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{ClientAuth: tls.RequireAnyClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(certFile, keyFile)
			return &pair, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	serials := make(chan int64, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			secure := conn.(*tls.Conn)
			serial := int64(-1)
			if secure.Handshake() == nil {
				serial = secure.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
			}
			conn.Close()
			serials <- serial
		}
	}()
	return listener.Addr().String(), func() int64 { return <-serials }
}

// Certificates to show, and authorities to believe, that are replaced while rollcall runs are those of the next connection.
func TestClientCertificatesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	cert, key := path("cert.pem"), path("key.pem")
	writeCertificate(t, cert, key, 1)
	peer, shown := tlsPeer(t, cert, key)

	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	zk := zkTLSConfig{On: true, CAFile: cert, CertFile: cert, KeyFile: key}
	for name, load := range map[string]func() (*tls.Config, error){"zkTLS": zk.load, "scheduler.tls": tlsConfig{CertFile: cert, KeyFile: key}.toPeers} {
		writeCertificate(t, cert, key, 1)
		client, err := newTLSFiles(name, load, logger, cert, key, "")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		client.now = func() time.Time { return now }
		connect := func(when string, want int64) {
			t.Helper()
			conn, err := client.dial(t.Context(), "tcp", peer)
			if err == nil {
				conn.Close()
			}
			if got := shown(); got != want {
				t.Errorf("%s: %s: shown the certificate %d, not %d: %v", name, when, got, want, err)
			}
		}
		connect("at first", 1)
		writeCertificate(t, cert, key, 2)
		connect("looked at too often", -1) // and the peer's new certificate is not believed
		now = now.Add(5 * time.Second)
		connect("after both were replaced", 2)

		// Between the replacement of one file and the next.
		sound, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, path("other.pem"), key, 3)
		now = now.Add(5 * time.Second)
		before := client.current
		if client.config() != before || !strings.Contains(log.String(), "certificates changed and cannot be used") {
			t.Errorf("%s: with another's key: %s", name, log.String())
		}
		if err := os.WriteFile(key, sound, 0o600); err != nil {
			t.Fatal(err)
		}
		now = now.Add(5 * time.Second)
		connect("when the files are sound again", 2)
		log.Reset()
	}
}

// A server shows the certificate that is in its files when somebody connects; while they are not sound, the one before.
func TestServedCertificateIsReplaced(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	var log strings.Builder
	encryption := encryptionConfig{CertFile: cert, KeyFile: key}
	files, err := newTLSFiles("encryption", encryption.load, slog.New(slog.NewTextHandler(&log, nil)), cert, key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	files.now = func() time.Time { return now }
	server := files.server()
	shows := func(want int64) {
		t.Helper()
		pair, err := server.GetCertificate(nil)
		if err != nil || pair.Leaf.SerialNumber.Int64() != want {
			t.Errorf("shows the certificate %v, not %d: %v", pair.Leaf.SerialNumber, want, err)
		}
	}
	shows(1)
	writeCertificate(t, cert, key, 2)
	shows(1) // not looked at again so soon
	now = now.Add(5 * time.Second)
	shows(2)
	writeCertificate(t, filepath.Join(dir, "other.pem"), key, 3) // they do not belong together
	now = now.Add(5 * time.Second)
	shows(2)
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	now = now.Add(5 * time.Second)
	shows(2)
	if n := strings.Count(log.String(), "cannot be used"); n != 2 {
		t.Errorf("%d warnings, want 2:\n%s", n, log.String())
	}
	if server.MinVersion != tls.VersionTLS12 {
		t.Errorf("TLS from version %x on", server.MinVersion)
	}
}

// Files that cannot be used at the start are refused.
func TestClientCertificatesAtTheStart(t *testing.T) {
	zk := zkTLSConfig{On: true, CertFile: "/nonexistent/cert.pem", KeyFile: "/nonexistent/key.pem"}
	if _, err := zk.url("zk", "zk://127.0.0.1/mesos", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "/nonexistent/cert.pem") {
		t.Errorf("with files that are not there: %v", err)
	}
}
