package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// issue makes a certificate for a name that signs itself, and its key, as PEM.
func issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// TestTLS serves with a certificate that is replaced meanwhile, and to clients with a certificate only.
func TestTLS(t *testing.T) {
	cert, key := issue(t, "one.example")
	clientCert, clientKey := issue(t, "client")
	files := TLSFiles{Cert: file(t, "cert", cert), Key: file(t, "key", key), ClientCA: file(t, "ca", clientCert)}
	now := time.Unix(1000, 0)
	files.Now = func() time.Time { now = now.Add(2 * time.Second); return now }
	config, err := NewTLS(files)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, func(o *Options) { o.TLS = true })
	server := &http.Server{Handler: c.api, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	defer func() { server.Close(); <-served }()

	pair, err := tls.X509KeyPair([]byte(clientCert), []byte(clientKey))
	if err != nil {
		t.Fatal(err)
	}
	get := func(trusted, name string, pairs ...tls.Certificate) (*http.Response, error) {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(trusted))
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name, Certificates: pairs}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Get("https://" + listener.Addr().String() + "/v2/leader")
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		_, err = io.ReadAll(answer.Body)
		return answer, err
	}
	answer, err := get(cert, "one.example", pair)
	if err != nil || answer.StatusCode != 200 || answer.ProtoMajor != 2 || answer.Header.Get("X-Marathon-Leader") != "https://rollcall.example:8080" {
		t.Errorf("%v %v", answer, err)
	}
	if _, err := get(cert, "one.example"); err == nil {
		t.Error("a client without a certificate was let in")
	}
	if stranger, strangerKey := issue(t, "client"); true {
		pair, err := tls.X509KeyPair([]byte(stranger), []byte(strangerKey))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := get(cert, "one.example", pair); err == nil {
			t.Error("a client with a strange certificate was let in")
		}
	}
	second, secondKey := issue(t, "two.example")
	replace(t, files.Cert, second) // its key is still the old one: nothing changes
	if _, err := get(cert, "one.example", pair); err != nil {
		t.Errorf("half a replacement: %v", err)
	}
	replace(t, files.Key, secondKey)
	if _, err := get(second, "two.example", pair); err != nil {
		t.Errorf("after the replacement: %v", err)
	}
}

func TestBadTLSFiles(t *testing.T) {
	cert, key := issue(t, "one.example")
	_, otherKey := issue(t, "one.example")
	for name, files := range map[string]TLSFiles{
		"no file":      {Cert: filepath.Join(t.TempDir(), "none"), Key: file(t, "key", key)},
		"another key":  {Cert: file(t, "cert", cert), Key: file(t, "key", otherKey)},
		"no authority": {Cert: file(t, "cert", cert), Key: file(t, "key", key), ClientCA: file(t, "ca", "nothing")},
	} {
		if _, err := NewTLS(files); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
