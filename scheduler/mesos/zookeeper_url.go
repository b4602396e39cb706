package mesos

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// defaultZooKeeperPort is where ZooKeeper listens unless told otherwise.
const defaultZooKeeperPort = "2181"

// ZooKeeperURL says where Mesos masters register: zk://[user:password@]host1:port1,host2:port2/path.
type ZooKeeperURL struct {
	Servers []string // "host:port" each, at least one
	Path    string   // absolute, without a slash at the end; "/" is the root
	// Credentials are "user:password" for ZooKeeper's digest scheme; "" logs in as nobody, who may read what a Mesos
	// with credentials writes.
	Credentials string
}

// ParseZooKeeperURL reads a URL as the masters take it. Ports default to 2181. Errors do not show the credentials.
func ParseZooKeeperURL(s string) (ZooKeeperURL, error) {
	rest, ok := strings.CutPrefix(s, "zk://")
	if !ok {
		return ZooKeeperURL{}, errors.New("not of the form zk://host1:2181,host2:2181/path")
	}
	servers, path, _ := strings.Cut(rest, "/")
	var u ZooKeeperURL
	// A password may hold an @, a host can not.
	if at := strings.LastIndexByte(servers, '@'); at >= 0 {
		u.Credentials, servers = servers[:at], servers[at+1:]
		if !strings.Contains(u.Credentials, ":") {
			return ZooKeeperURL{}, errors.New("what stands before the @ is not of the form user:password")
		}
	}
	for server := range strings.SplitSeq(servers, ",") {
		address, err := zooKeeperServer(server)
		if err != nil {
			return ZooKeeperURL{}, err
		}
		u.Servers = append(u.Servers, address)
	}
	u.Path = "/" + strings.Trim(path, "/")
	if strings.Contains(u.Path, "//") {
		return ZooKeeperURL{}, fmt.Errorf("path %s: two slashes in a row", u.Path)
	}
	return u, nil
}

// zooKeeperServer completes a server's address with the port.
func zooKeeperServer(server string) (string, error) {
	server = strings.TrimSpace(server)
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(server, "["), "]"), defaultZooKeeperPort
		if strings.Contains(host, ":") && host == server {
			return "", fmt.Errorf("server %q: not of the form host:port", server)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", fmt.Errorf("server %q: not of the form host:port", server)
	}
	return net.JoinHostPort(host, port), nil
}
