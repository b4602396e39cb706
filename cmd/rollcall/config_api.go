package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"path"
	"strings"

	"rollcall/scheduler/api"
)

// apiConfig says who may use the Marathon API, and what for.
type apiConfig struct {
	Hosts       []string // names by which it may be addressed besides those it knows
	AllowOrigin []string // sites whose pages may read what is answered
	Auth        authConfig
	TLS         tlsConfig
	Limits      apiLimitsConfig
	TaskPolicy  policyConfig
	Network     string // of container networks that apps give no name; "": those are refused
	SecretsDir  string // where the files are that secrets of apps name; "": apps cannot have secrets
	Anyone      bool   // beyond loopback without credentials
	Unencrypted bool   // beyond loopback without TLS
}

// authConfig names the files with credentials; both empty: everybody may do everything.
type authConfig struct {
	HTTPCredentialsFile string
	UsersFile           string
	Realm               string
}

func (a authConfig) on() bool { return a.HTTPCredentialsFile != "" || a.UsersFile != "" }

func (a authConfig) load(log *slog.Logger) (*api.Credentials, error) {
	return api.LoadCredentials(api.CredentialFiles{HTTP: a.HTTPCredentialsFile, Users: a.UsersFile, Logger: log})
}

// tlsConfig names PEM files; all empty: plain HTTP.
type tlsConfig struct {
	CertFile, KeyFile, ClientCAFile string
}

func (t tlsConfig) on() bool { return t.CertFile != "" }

func (t tlsConfig) load(log *slog.Logger) (*tls.Config, error) {
	return api.NewTLS(api.TLSFiles{Cert: t.CertFile, Key: t.KeyFile, ClientCA: t.ClientCAFile, Logger: log})
}

// toPeers is how other rollcalls are connected to, which are set up as this one: their certificates come from this one's
// authority, or are the same.
func (t tlsConfig) toPeers() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("loading the certificate to show other rollcalls: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, path := range []string{t.CertFile, t.ClientCAFile} {
		if path == "" {
			continue
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates that other rollcalls are to have: %w", err)
		}
		pool.AppendCertsFromPEM(pem)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: pool}, nil
}

type apiLimitsConfig struct {
	RequestsPerSecond int   // of one client; 0: any number
	MaxBodyBytes      int64 // of one request
	MaxHeaderBytes    int
	Connections       int // 0: any number
	PerClient         int // connections of one client; 0: any number
}

// policyConfig is what apps may ask for. A "*" in a list of names, or a "/" in one of directories, is all of them.
type policyConfig struct {
	Users          []string
	ContainersOnly bool
	Privileged     bool
	HostPaths      []string
	Networks       []string
	Exec           bool
}

// Keys that open the API to the network. They say what they do: nobody is to set them by accident.
const (
	anyoneKey      = "anyoneOnTheNetworkMayRunCommands"
	unencryptedKey = "passwordsMayCrossTheNetworkUnencrypted"
)

func defaultAPI() apiConfig {
	return apiConfig{
		Auth: authConfig{Realm: api.DefaultRealm},
		Limits: apiLimitsConfig{RequestsPerSecond: api.DefaultRequestsPerSecond, MaxBodyBytes: api.DefaultMaxBody, MaxHeaderBytes: 64 << 10,
			Connections: api.DefaultConnections, PerClient: api.DefaultConnectionsPerClient},
		TaskPolicy: policyConfig{Users: []string{"*"}, Privileged: true, HostPaths: []string{"/"},
			Networks: []string{"*"}, Exec: true},
	}
}

func (c *apiConfig) fields() []field {
	return []field{
		{name: "hosts", set: texts(&c.Hosts)},
		{name: "accessControlAllowOrigin", set: texts(&c.AllowOrigin)},
		{name: "auth", set: c.Auth.read},
		{name: "tls", set: c.TLS.read},
		{name: "limits", set: c.Limits.read},
		{name: "taskPolicy", set: c.TaskPolicy.read},
		{name: "defaultNetworkName", set: text(&c.Network)},
		{name: "secretsDir", set: text(&c.SecretsDir)},
		{name: anyoneKey, set: boolean(&c.Anyone)},
		{name: unencryptedKey, set: boolean(&c.Unencrypted)},
	}
}

func (a *authConfig) fields() []field {
	return []field{
		{name: "httpCredentialsFile", set: text(&a.HTTPCredentialsFile)},
		{name: "usersFile", set: text(&a.UsersFile)},
		{name: "realm", set: textThat(&a.Realm, "text with at least one letter", func(s string) bool { return s != "" })},
	}
}

func (a *authConfig) read(n node) string {
	n.readStrict(a.fields())
	return ""
}

func (t *tlsConfig) fields() []field {
	return []field{
		{name: "certFile", set: text(&t.CertFile)},
		{name: "keyFile", set: text(&t.KeyFile)},
		{name: "clientCAFile", set: text(&t.ClientCAFile)},
	}
}

func (t *tlsConfig) read(n node) string {
	n.readStrict(t.fields())
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		n.report.problem(joinPath(n.path, "keyFile"), "not given, but certFile is; they are used together")
	case t.CertFile == "" && t.KeyFile != "":
		n.report.problem(joinPath(n.path, "certFile"), "not given, but keyFile is; they are used together")
	case t.CertFile == "" && t.ClientCAFile != "":
		n.report.problem(joinPath(n.path, "certFile"), "not given, but clientCAFile is; clients show certificates over TLS only")
	}
	return ""
}

func (l *apiLimitsConfig) fields() []field {
	return []field{
		{name: "requestsPerSecond", set: wholeNumber(&l.RequestsPerSecond, 0, math.MaxInt32)},
		{name: "maxBodyBytes", set: wholeNumber(&l.MaxBodyBytes, 1024, 1<<32)},
		{name: "maxHeaderBytes", set: wholeNumber(&l.MaxHeaderBytes, 1024, 1<<24)},
		{name: "connections", set: wholeNumber(&l.Connections, 0, math.MaxInt32)},
		{name: "connectionsPerClient", set: wholeNumber(&l.PerClient, 0, math.MaxInt32)},
	}
}

func (l *apiLimitsConfig) read(n node) string {
	n.readStrict(l.fields())
	return ""
}

func (p *policyConfig) fields() []field {
	return []field{
		{name: "users", set: texts(&p.Users)},
		{name: "containersOnly", set: boolean(&p.ContainersOnly)},
		{name: "privileged", set: boolean(&p.Privileged)},
		{name: "hostPaths", set: texts(&p.HostPaths)},
		{name: "networks", set: texts(&p.Networks)},
		{name: "exec", set: boolean(&p.Exec)},
	}
}

func (p *policyConfig) read(n node) string {
	n.readStrict(p.fields())
	for i, dir := range p.HostPaths {
		if !path.IsAbs(dir) || path.Clean(dir) != dir {
			n.report.problem(indexed(joinPath(n.path, "hostPaths"), i), "%s is not the path of a directory from the root on, such as \"/srv/data\"", quoteBrief(dir))
		}
	}
	return ""
}

// policy is the policy in the form of the API, where nil lists allow everything.
func (p policyConfig) policy() api.Policy {
	unless := func(list []string, all string) []string {
		out := []string{}
		for _, name := range list {
			if name == all {
				return nil
			}
			out = append(out, name)
		}
		return out
	}
	return api.Policy{Users: unless(p.Users, "*"), ContainersOnly: p.ContainersOnly, NoPrivileged: !p.Privileged,
		HostPaths: unless(p.HostPaths, "/"), Networks: unless(p.Networks, "*"), NoExec: !p.Exec}
}

// onLoopback says whether only this machine reaches a listener. A name other than localhost may lead anywhere.
func onLoopback(listener string) bool {
	addr, err := netip.ParseAddr(listener)
	return err == nil && addr.Unmap().IsLoopback() || err != nil && strings.EqualFold(listener, "localhost")
}

// checkExposure refuses an API that the network reaches without being told that this is meant: whoever can use it runs
// commands on this machine.
func (s *schedulerConfig) checkExposure(at string, r *report) {
	if onLoopback(s.Listener) {
		return
	}
	if !s.API.Auth.on() && s.API.TLS.ClientCAFile == "" && !s.API.Anyone {
		r.problem(joinPath(at, "listener"), "%s is reached from other machines, and without credentials everybody there can run "+
			"commands on this one: name a file with credentials (auth.usersFile or auth.httpCredentialsFile), want certificates (tls.clientCAFile), or listen on "+
			"127.0.0.1; if it is meant so, say \"%s\": true", quoteBrief(s.Listener), anyoneKey)
	}
	if s.API.Auth.on() && !s.API.TLS.on() && !s.API.Unencrypted {
		r.problem(joinPath(at, "listener"), "%s is reached from other machines, and without TLS credentials can be read on the "+
			"way: name a certificate (tls.certFile and tls.keyFile), or listen on 127.0.0.1; if it is meant so, say "+
			"\"%s\": true", quoteBrief(s.Listener), unencryptedKey)
	}
}

// checkAPIFiles reads the files that the API's configuration names.
func (s *schedulerConfig) checkAPIFiles(r *report) {
	if s.API.Auth.on() {
		if _, err := s.API.Auth.load(nil); err != nil {
			r.problem("scheduler.auth", "%w", err)
		}
	}
	if dir := s.API.SecretsDir; dir != "" {
		if info, err := os.Stat(dir); err != nil {
			r.problem("scheduler.secretsDir", "%w", err)
		} else if !info.IsDir() {
			r.problem("scheduler.secretsDir", "%s is no directory", dir)
		}
	}
	if s.API.TLS.on() && s.API.TLS.KeyFile != "" {
		if _, err := s.API.TLS.load(nil); err != nil {
			r.problem("scheduler.tls", "%w", err)
		}
	}
}
