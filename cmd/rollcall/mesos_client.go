package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"rollcall/scheduler/mesos"
)

// newDetector returns what finds the masters, and the masters to ask until it has.
func newDetector(m mesosConfig, log *slog.Logger) (_ mesos.Detector, fallback []string, err error) {
	where := string(cmp.Or(m.Files.ZK, m.ZK))
	switch {
	case where == "":
		return mesos.Static(m.Masters), nil, nil
	case !strings.HasPrefix(where, "zk://"):
		master, _ := parseHostPort(where) // was checked
		return mesos.Static{master}, nil, nil
	}
	url, err := m.ZKTLS.url("zk", where, log)
	if err != nil {
		return nil, nil, err
	}
	return mesos.NewZooKeeper(url, log), m.Masters, nil
}

// newMesosClient returns a client with the credentials and certificates of the configuration. What it sends goes through
// what metered makes of its transport.
func newMesosClient(m mesosConfig, metered func(http.RoundTripper) http.RoundTripper) (*mesos.Client, error) {
	o := mesos.ClientOptions{HTTPS: m.HTTPS, StateTimeout: m.StateTimeout, Through: metered}
	var err error
	if o.TLS, err = mesosTLS(m); err != nil {
		return nil, err
	}
	switch m.Authentication {
	case "basic":
		o.Auth = mesos.BasicAuth{Principal: m.Credentials.Principal, Secret: string(m.Credentials.Secret)}
	case "iam":
		var account iamConfig
		if err := json.Unmarshal([]byte(m.Files.IAM), &account); err != nil {
			return nil, fmt.Errorf("parsing iamConfigFile: %w", err)
		}
		transport := mesos.NewTransport(o.TLS)
		if o.Auth, err = mesos.NewIAM(account.UID, string(account.PrivateKey), account.LoginEndpoint, transport); err != nil {
			return nil, fmt.Errorf("iamConfigFile: %w", err)
		}
	}
	return mesos.NewClient(o), nil
}

// principal is who rollcall is to the masters, which want the FrameworkInfo to say the same; "" for nobody.
func (m mesosConfig) principal() string {
	if m.Authentication == "iam" {
		var account iamConfig
		if json.Unmarshal([]byte(m.Files.IAM), &account) == nil { // was checked
			return account.UID
		}
	}
	return m.Credentials.Principal
}

// mesosTLS is how https to the masters is done. As for Mesos-DNS, without caCertFile it is not known who answers.
func mesosTLS(m mesosConfig) (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: m.CACertFile == ""} //nolint:gosec // see above
	if m.CACertFile != "" {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM([]byte(m.Files.CACert)) // was checked
	}
	if m.CertFile != "" {
		pair, err := tls.X509KeyPair([]byte(m.Files.Cert), []byte(m.Files.Key))
		if err != nil {
			return nil, fmt.Errorf("loading certFile and keyFile: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
