package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExposure starts an API that the network reaches only with credentials and TLS, or when it is told so.
func TestExposure(t *testing.T) {
	dir := t.TempDir()
	c := newConfig(dir)
	scheduler := c["scheduler"].(map[string]any)
	scheduler["listener"] = "0.0.0.0"
	refused := func(says string) {
		t.Helper()
		d := &daemon{t: t, dir: dir}
		d.write(c)
		out, err := exec.Command(binary, "-config="+d.configPath()).CombinedOutput()
		if err == nil || !strings.Contains(string(out), says) {
			t.Errorf("%v, the output does not say %q:\n%s", err, says, out)
		}
	}
	refused(`"anyoneOnTheNetworkMayRunCommands": true`)
	writeFile(t, filepath.Join(dir, "http"), "ops:correct-horse\n")
	scheduler["auth"] = map[string]any{"httpCredentialsFile": filepath.Join(dir, "http")}
	refused(`"passwordsMayCrossTheNetworkUnencrypted": true`)

	cert := certify(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	scheduler["tls"] = map[string]any{"certFile": filepath.Join(dir, "cert.pem"), "keyFile": filepath.Join(dir, "key.pem")}
	d := start(t, c)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.api, "https://"))
	if err != nil {
		t.Fatalf("the API is at %s, want https: %v", d.api, err)
	}
	get := func(path, user, password string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	for _, test := range []struct {
		path, user, password string
		want                 int
	}{
		{"/ping", "", "", 200}, {"/healthz", "", "", 200},
		{"/v2/apps", "", "", 401}, {"/metrics", "", "", 401}, {"/v2/apps", "ops", "wrong-horse", 401},
		{"/v2/apps", "ops", "correct-horse", 200}, {"/metrics", "ops", "correct-horse", 200}, {"/v2/info", "ops", "correct-horse", 200},
	} {
		status, body := get(test.path, test.user, test.password)
		if status != test.want {
			t.Errorf("GET %s as %q: %d, want %d", test.path, test.user, status, test.want)
		}
		if strings.Contains(body, "correct-horse") {
			t.Errorf("GET %s shows the password", test.path)
		}
	}
	if log := d.output(); strings.Contains(log, "horse") {
		t.Errorf("the log shows a password:\n%s", log)
	}
	if response, err := http.Get("http://127.0.0.1:" + port + "/ping"); err == nil {
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Error("the API answers without TLS")
		}
	}
}

// certify writes a certificate for 127.0.0.1, and its key, and returns the certificate.
func certify(t *testing.T, certFile, keyFile string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, data := range map[string][]byte{certFile: cert, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert
}

// TestSecretsOfApps gives a task a secret, and nobody else.
func TestSecretsOfApps(t *testing.T) {
	const secret = "xyzzy-hunter2"
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "secrets", "shop"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "secrets", "shop", "db"), secret+"\n")
	c := newConfig(dir)
	c["scheduler"].(map[string]any)["secretsDir"] = filepath.Join(dir, "secrets")
	d := start(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/shop/web", "cpus": 0.01, "mem": 16,
		"cmd": "printf %s \"$DB\" | tr a-z A-Z; exec sleep 1000", "env": {"DB": {"secret": "db"}}, "secrets": {"db": {"source": "shop/db"}}}`)
	d.eventually("the task has its secret", func() bool {
		tasks := d.tasks("/shop/web")
		if len(tasks) != 1 {
			return false
		}
		status, _, answer := d.request(http.MethodGet, "/rollcall/tasks/"+tasks[0].ID+"/files/stdout", "")
		return status == http.StatusOK && strings.Contains(string(answer), strings.ToUpper(secret))
	})
	for _, path := range []string{"/v2/apps/shop/web", "/v2/groups", "/v2/tasks", "/v2/info", "/metrics"} {
		if answer := d.must(http.StatusOK, http.MethodGet, path, ""); strings.Contains(string(answer), secret) {
			t.Errorf("GET %s shows it", path)
		}
	}
	if strings.Contains(d.output(), secret) {
		t.Error("the log shows it")
	}
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), secret) {
			return err
		}
		info, err := entry.Info()
		if err == nil && (info.Mode().Perm()&0o077 != 0 || filepath.Base(path) == "state.db") {
			t.Errorf("%s has it, mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}

	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/shop/late", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16,
		"env": {"X": {"secret": "x"}}, "secrets": {"x": {"source": "shop/late-secret"}}, "backoffSeconds": 0}`)
	d.eventually("the failure says which secret is missing", func() bool {
		return strings.Contains(string(d.must(http.StatusOK, http.MethodGet, "/v2/apps/shop/late", "")), "reading the secret shop/late-secret of the variable X")
	})
	writeFile(t, filepath.Join(dir, "secrets", "shop", "late-secret"), "now")
	d.eventually("the task runs when its secret is there", func() bool { return len(d.tasks("/shop/late")) == 1 })
}
