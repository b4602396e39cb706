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

// checkFiles looks into the files that the configuration names, so that a wrong path or a damaged certificate is
// found before it is needed. They are read even when they will not be used, as Mesos-DNS does.
func (c *config) checkFiles(r *report) {
	m := c.Mesos
	if m.CACertFile != "" {
		if err := checkCACertFile(m.CACertFile); err != nil {
			r.problem("caCertFile", "%w", err)
		}
	}
	if m.CertFile != "" && m.KeyFile != "" {
		if _, err := tls.LoadX509KeyPair(m.CertFile, m.KeyFile); err != nil {
			r.problem("certFile", "loading it together with keyFile: %w", err)
		}
	}
	if m.IAMConfigFile != "" {
		if err := checkIAMConfigFile(m.IAMConfigFile, m.Authentication == "iam"); err != nil {
			r.problem("iamConfigFile", "%w", err)
		}
	}
	if c.Scheduler != nil {
		c.Scheduler.checkAPIFiles(r)
	}
	if path, ok := strings.CutPrefix(string(m.ZK), "file://"); ok && !r.blames("zk") {
		if err := checkZKFile(path); err != nil {
			r.problem("zk", "%w", err)
		}
	}
}

func checkCACertFile(path string) error {
	pem, err := readAtMost(path, maxConfigBytes)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("no certificate in %s; it takes certificates in PEM form", path)
	}
	return nil
}

// iamConfig is the service account of DC/OS that authenticates rollcall to the masters.
type iamConfig struct {
	UID           string `json:"uid"`
	PrivateKey    secret `json:"private_key"`
	LoginEndpoint string `json:"login_endpoint"`
}

func checkIAMConfigFile(path string, used bool) error {
	data, err := readAtMost(path, maxConfigBytes)
	if err != nil {
		return err
	}
	var iam iamConfig
	if err := json.Unmarshal(data, &iam); err != nil {
		return fmt.Errorf("parsing %s: %w", path, err)
	}
	if used && (iam.UID == "" || iam.PrivateKey == "" || iam.LoginEndpoint == "") {
		return fmt.Errorf("%s has to have uid, private_key and login_endpoint", path)
	}
	return nil
}

func checkZKFile(path string) error {
	data, err := readAtMost(path, maxConfigBytes)
	if err != nil {
		return err
	}
	if text := string(bytes.TrimSpace(data)); !isMasterDetector(text) || strings.HasPrefix(text, "file:") {
		return fmt.Errorf("%s does not hold text of the form zk://host1:2181,host2:2181/path", path)
	}
	return nil
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
