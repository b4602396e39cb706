package zookeeper

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// defaultPort is where ZooKeeper listens unless told otherwise.
const defaultPort = "2181"

// URL names an ensemble and a path in it: zk://[user:password@]host1:port1,host2:port2/path.
type URL struct {
	Servers []string // "host:port" each, at least one
	Path    string   // absolute, without a slash at the end; "/" is the root
	// Credentials are "user:password" for ZooKeeper's digest scheme; "" logs in as nobody, who may read what a Mesos
	// master with credentials writes.
	Credentials string
	// TLS returns how a server is to be connected to, its name being that of its address; it is asked before each
	// connection, from any goroutine. nil: in the clear. Not part of the text.
	TLS func() *tls.Config
}

// ParseURL reads a URL as Mesos and Marathon take it. Ports default to 2181. Errors do not show the credentials.
func ParseURL(s string) (URL, error) {
	rest, ok := strings.CutPrefix(s, "zk://")
	if !ok {
		return URL{}, errors.New("not of the form zk://host1:2181,host2:2181/path")
	}
	servers, path, _ := strings.Cut(rest, "/")
	var u URL
	// A password may hold an @, a host can not.
	if at := strings.LastIndexByte(servers, '@'); at >= 0 {
		u.Credentials, servers = servers[:at], servers[at+1:]
		if !strings.Contains(u.Credentials, ":") {
			return URL{}, errors.New("what stands before the @ is not of the form user:password")
		}
	}
	for s := range strings.SplitSeq(servers, ",") {
		address, err := server(s)
		if err != nil {
			return URL{}, err
		}
		u.Servers = append(u.Servers, address)
	}
	u.Path = "/" + strings.Trim(path, "/")
	if strings.Contains(u.Path, "//") {
		return URL{}, fmt.Errorf("path %s: two slashes in a row", u.Path)
	}
	return u, nil
}

// server completes a server's address with the port.
func server(address string) (string, error) {
	address = strings.TrimSpace(address)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"), defaultPort
		if strings.Contains(host, ":") && host == address {
			return "", fmt.Errorf("server %q: not of the form host:port", address)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", fmt.Errorf("server %q: not of the form host:port", address)
	}
	return net.JoinHostPort(host, port), nil
}
