package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"rollcall/scheduler/mesos"
)

// Masters want the principal of the FrameworkInfo to be the one that requests are authenticated as.
func TestFrameworkPrincipal(t *testing.T) {
	credentials := mesosCredentials{Principal: "marathon", Secret: "hush"}
	for want, m := range map[string]mesosConfig{
		"":          {},
		"marathon":  {Authentication: "basic", Credentials: credentials},
		"dcos_acct": {Authentication: "iam", Files: mesosFiles{IAM: `{"uid": "dcos_acct", "private_key": "x"}`}},
	} {
		if got := m.principal(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// Each form of "zk" has its own way to find the masters; "masters" are asked where there is none, and beside ZooKeeper.
func TestDetectors(t *testing.T) {
	const masters = `"masters": ["10.0.0.1:5050", "10.0.0.2:5050"]`
	file := filepath.Join(t.TempDir(), "zk")
	for _, tt := range []struct{ text, file, want string }{
		{`{` + masters + `}`, "", "mesos.Static [10.0.0.1:5050 10.0.0.2:5050], then []"},
		{`{"zk": "10.0.0.9:5050"}`, "", "mesos.Static [10.0.0.9:5050], then []"},
		{`{"zk": "file://` + file + `"}`, "10.0.0.9:05051\n", "mesos.Static [10.0.0.9:5051], then []"},
		{`{"zk": "zk://10.0.0.9/mesos", ` + masters + `}`, "", "*mesos.ZooKeeper, then [10.0.0.1:5050 10.0.0.2:5050]"},
		{`{"zk": "file://` + file + `"}`, "zk://10.0.0.9:2181/mesos/", "*mesos.ZooKeeper, then []"},
	} {
		writeFile(t, file, tt.file)
		path := filepath.Join(t.TempDir(), "config.json")
		writeFile(t, path, tt.text)
		c, _, err := loadConfig(path)
		if err != nil {
			t.Fatal(err)
		}
		detector, fallback, err := newDetector(c.Mesos, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%T", detector)
		if static, ok := detector.(mesos.Static); ok {
			got += fmt.Sprint(" ", static)
		}
		if got += fmt.Sprint(", then ", fallback); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
}

// Without caCertFile any certificate of a master will do, as for Mesos-DNS; with it only those of the authorities in it.
// The certificate in certFile is shown to whoever asks for one.
func TestHTTPSToMasters(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 42)
	shown := make(chan int64, 1)
	master := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serial := int64(0)
		if peers := r.TLS.PeerCertificates; len(peers) > 0 {
			serial = peers[0].SerialNumber.Int64()
		}
		shown <- serial
		io.WriteString(w, `{"leader": "master@`+r.Host+`"}`) //nolint:errcheck // the test fails anyway
	}))
	master.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	master.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	master.StartTLS()
	defer master.Close()
	own := pemOf(master.Certificate())
	other, err := readCACertFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pair, private, err := readKeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		m    mesosConfig
		want int64 // the serial of the certificate that is shown, 0 for none; below 0: no connection
	}{
		{"no authorities", mesosConfig{}, 0},
		{"its authority", mesosConfig{CACertFile: "x", Files: mesosFiles{CACert: own}}, 0},
		{"another authority", mesosConfig{CACertFile: "x", Files: mesosFiles{CACert: other}}, -1},
		{"a certificate to show", mesosConfig{CertFile: "x", KeyFile: "x", Files: mesosFiles{Cert: pair, Key: private}}, 42},
	} {
		tt.m.HTTPS = true
		client, err := newMesosClient(tt.m, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.State(t.Context(), mesos.Masters{All: []string{master.Listener.Addr().String()}})
		if (err == nil) != (tt.want >= 0) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err == nil {
			if got := <-shown; got != tt.want {
				t.Errorf("%s: the certificate %d is shown, want %d", tt.name, got, tt.want)
			}
		}
	}
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}
