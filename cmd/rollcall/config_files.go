package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// mesosFiles is what the files hold that the configuration names, as they were when it was read; "" for those that it
// does not name. What is in force is what was checked, whatever becomes of a file before it is needed.
type mesosFiles struct {
	CACert, Cert string
	Key          secret
	IAM          secret
	ZK           zkURL
}

// readFiles reads the files that the configuration names, so that a wrong path or a damaged certificate is found before
// it is needed. They are read even when they will not be used, as Mesos-DNS does.
func (c *config) readFiles(r *report) {
	m := &c.Mesos
	if m.CACertFile != "" {
		text, err := readCACertFile(m.CACertFile)
		if err != nil {
			r.problem("caCertFile", "%w", err)
		}
		m.Files.CACert = text
	}
	if m.CertFile != "" && m.KeyFile != "" {
		cert, key, err := readKeyPair(m.CertFile, m.KeyFile)
		if err != nil {
			r.problem("certFile", "loading it together with keyFile: %w", err)
		}
		m.Files.Cert, m.Files.Key = cert, key
	}
	if c.Forward.CAFile != "" {
		text, err := readCACertFile(c.Forward.CAFile)
		if err != nil {
			r.problem("resolverCAFile", "%w", err)
		}
		c.Forward.CAs = text
	}
	c.Encryption.checkFiles(r)
	m.ZKTLS.checkFiles(r)
	if m.IAMConfigFile != "" {
		text, err := readIAMConfigFile(m.IAMConfigFile, m.Authentication == "iam")
		if err != nil {
			r.problem("iamConfigFile", "%w", err)
		}
		m.Files.IAM = text
	}
	if c.Scheduler != nil {
		c.Scheduler.checkAPIFiles(r)
	}
	if path, ok := strings.CutPrefix(string(m.ZK), "file://"); ok && !r.blames("zk") {
		text, err := readZKFile(path)
		if err != nil {
			r.problem("zk", "%w", err)
		}
		m.Files.ZK = text
	}
}

func readCACertFile(path string) (string, error) {
	pem, err := readAtMost(path, maxConfigBytes)
	if err != nil {
		return "", err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return "", fmt.Errorf("no certificate in %s; it takes certificates in PEM form", path)
	}
	return string(pem), nil
}

func readKeyPair(certPath, keyPath string) (cert string, key secret, _ error) {
	certPEM, err := readAtMost(certPath, maxConfigBytes)
	if err != nil {
		return "", "", err
	}
	keyPEM, err := readAtMost(keyPath, maxConfigBytes)
	if err != nil {
		return "", "", err
	}
	_, err = tls.X509KeyPair(certPEM, keyPEM)
	return string(certPEM), secret(keyPEM), err
}

// iamConfig is the service account of DC/OS that authenticates rollcall to the masters.
type iamConfig struct {
	UID           string `json:"uid"`
	PrivateKey    secret `json:"private_key"`
	LoginEndpoint string `json:"login_endpoint"`
}

func readIAMConfigFile(path string, used bool) (secret, error) {
	data, err := readAtMost(path, maxConfigBytes)
	if err != nil {
		return "", err
	}
	var iam iamConfig
	if err := json.Unmarshal(data, &iam); err != nil {
		return "", fmt.Errorf("parsing %s: %w", path, err)
	}
	if used && (iam.UID == "" || iam.PrivateKey == "" || iam.LoginEndpoint == "") {
		return "", fmt.Errorf("%s has to have uid, private_key and login_endpoint", path)
	}
	return secret(data), nil
}

func readZKFile(path string) (zkURL, error) {
	data, err := readAtMost(path, maxConfigBytes)
	if err != nil {
		return "", err
	}
	text := string(bytes.TrimSpace(data))
	if !isMasterDetector(text) || strings.HasPrefix(text, "file:") {
		return "", fmt.Errorf("%s does not hold text of the form zk://host1:2181,host2:2181/path", path)
	}
	usable, _ := usableZK(zkURL(text))
	return usable, nil
}

// readAtMost reads a file that has no business being larger than limit.
func readAtMost(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes; is it the right file?", path, limit)
	}
	return data, nil
}

// expandHome replaces a leading "~/", which a shell leaves alone in -config=~/config.json.
func expandHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		return strings.TrimSuffix(home, "/") + "/" + rest
	}
	return path
}
