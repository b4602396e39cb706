package main

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	pathpkg "path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// zoneResolvers checks the zones that have resolvers of their own. No zone may lie inside another, nor inside the
// domain or around it: which one a name belongs to would depend on who reads the file.
func (o *mesosDNSOptions) zoneResolvers(r *report, secure *secureServers) map[string][]netip.AddrPort {
	zones := make(map[string][]netip.AddrPort, len(o.ZoneResolvers))
	written := map[string]string{o.Domain: "domain"} // lower-case zone -> key that says it
	for _, zone := range sortedKeys(o.ZoneResolvers) {
		path := joinPath("zoneResolvers", zone)
		if !isDomain(zone) {
			r.problem(path, "not the name of a zone: labels of letters, digits and dashes, joined by single dots")
			continue
		}
		lower := strings.ToLower(zone)
		if _, exact := o.ZoneResolvers[lower]; lower != zone && (exact || lower == o.Domain) {
			// Mesos-DNS never finds a zone with capitals, and so knows of no conflict.
			r.warning(path, "not used: %q goes before it", lower)
			continue
		}
		if other, taken := written[lower]; taken {
			r.problem(path, "the same zone as %s", other)
			continue
		}
		written[lower] = path
		if len(o.ZoneResolvers[zone]) == 0 && !r.blames(path) {
			r.problem(path, "the list is empty; it takes IP addresses, with or without :port")
		}
		zones[lower] = resolvers(r, path, o.ZoneResolvers[zone], secure)
	}
	for _, zone := range sortedKeys(written) {
		for rest := zone; strings.Contains(rest, "."); {
			_, rest, _ = strings.Cut(rest, ".")
			if around, found := written[rest]; found {
				r.problem(written[zone], "%q lies inside %q, which is given as %s", zone, rest, around)
			}
		}
	}
	return zones
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// resolvers checks a list of DNS servers.
func resolvers(r *report, key string, servers []string, secure *secureServers) []netip.AddrPort {
	var addrs []netip.AddrPort
	seen := make(map[netip.AddrPort]int)
	for i, server := range servers {
		path := indexed(key, i)
		addr, err := secure.take(server)
		first, again := seen[addr]
		switch {
		case r.blames(path):
		case err != nil:
			r.problem(path, "%s %w", quoteBrief(server), err)
		case again:
			r.problem(path, "%s is the same server as %s", quoteBrief(server), indexed(key, first))
		default:
			seen[addr] = i
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// parseResolver reads "ip" or "ip:port".
func parseResolver(server string) (netip.AddrPort, error) { return parseServer(server, 53) }

func parseServer(server string, port int) (netip.AddrPort, error) {
	host, portText := server, strconv.Itoa(port)
	if h, p, err := net.SplitHostPort(server); err == nil {
		host, portText = h, p
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf(
			"is not an IP address, nor one with a port, such as \"192.0.2.1\", \"192.0.2.1:5353\" or \"[2001:db8::1]:53\"")
	}
	number, ok := portNumber(portText)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("has the port %s, which is not a number from 1 to 65535", quoteBrief(portText))
	}
	return netip.AddrPortFrom(addr.Unmap(), number), nil
}

// mesos checks what is said about the Mesos masters.
func (o *mesosDNSOptions) mesos(r *report) mesosConfig {
	if o.RefreshSeconds <= 0 {
		r.problem("refreshSeconds", "%d is not %s", o.RefreshSeconds, allowedPeriod)
	}
	if o.StateTimeoutSeconds <= 0 {
		r.problem("stateTimeoutSeconds", "%d is not %s", o.StateTimeoutSeconds, allowedPeriod)
	}
	if o.Zk != "" && !isMasterDetector(string(o.Zk)) {
		r.problem("zk", "%q is not of the form zk://host1:2181,host2:2181/path, file:///path or host:port", o.Zk)
	}
	zk, ignored := usableZK(o.Zk)
	if ignored != "" {
		r.warning("zk", "%s", ignored)
	}
	o.checkAuthentication(r)
	return mesosConfig{
		Masters:          o.masters(r),
		ZK:               zk,
		DetectionTimeout: seconds(max(o.ZkDetectionTimeout, 0)),
		Refresh:          seconds(o.RefreshSeconds),
		StateTimeout:     seconds(o.StateTimeoutSeconds),
		HTTPS:            o.MesosHTTPSOn,
		CACertFile:       o.CACertFile,
		CertFile:         o.CertFile,
		KeyFile:          o.KeyFile,
		Authentication:   o.MesosAuthentication,
		Credentials:      o.MesosCredentials,
		IAMConfigFile:    o.IAMConfigFile,
	}
}

// masters checks the list of masters and returns it with IP addresses and ports in their usual spelling.
func (o *mesosDNSOptions) masters(r *report) []string {
	var masters []string
	for i, master := range o.Masters {
		path := indexed("masters", i)
		if r.blames(path) {
			continue
		}
		usual, ok := parseHostPort(master)
		if !ok {
			r.problem(path, "%s is not of the form host:port, with a port from 1 to 65535", quoteBrief(master))
			continue
		}
		if slices.Contains(masters, usual) {
			r.problem(path, "%s is in the list already", quoteBrief(master))
			continue
		}
		masters = append(masters, usual)
	}
	return masters
}

func (o *mesosDNSOptions) checkAuthentication(r *report) {
	hasCredentials := o.MesosCredentials != mesosCredentials{}
	switch o.MesosAuthentication {
	case "basic":
		if !hasCredentials && !r.blames("mesosCredentials") {
			r.problem("mesosCredentials", "principal and secret are empty, but mesosAuthentication is \"basic\"")
		}
	case "", "iam":
		if hasCredentials {
			r.warning("mesosCredentials", "not used, since mesosAuthentication is not \"basic\"")
		}
		if o.MesosAuthentication == "iam" && o.IAMConfigFile == "" {
			r.problem("iamConfigFile", "not given, but mesosAuthentication is \"iam\"")
		}
	default:
		r.problem("mesosAuthentication", "%s is not \"\", \"basic\" or \"iam\"", quoteBrief(o.MesosAuthentication))
	}
	if o.CertFile != "" && o.KeyFile == "" {
		r.problem("keyFile", "not given, but certFile is; they are used together")
	}
	if o.CertFile == "" && o.KeyFile != "" {
		r.problem("certFile", "not given, but keyFile is; they are used together")
	}
}

// seconds converts whole seconds, of which Mesos-DNS allows more than a duration can hold.
func seconds(n int) time.Duration {
	return time.Duration(min(max(n, 0), math.MaxInt64/int(time.Second))) * time.Second
}

func indexed(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// portNumber parses a port from 1 to 65535; leading zeros are allowed.
func portNumber(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n > 0
}

// parseHostPort returns host:port in its usual spelling.
func parseHostPort(text string) (string, bool) {
	host, portText, err := net.SplitHostPort(text)
	number, ok := portNumber(portText)
	if err != nil || !ok || !isHost(host) {
		return "", false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(number))), true
}

// isMasterDetector says whether text is one of the ways in which zk can say how the masters are found.
func isMasterDetector(text string) bool {
	if path, ok := strings.CutPrefix(text, "file://"); ok {
		return strings.HasPrefix(path, "/")
	}
	if strings.HasPrefix(text, "zk://") {
		return isZooKeeper(text)
	}
	_, ok := parseHostPort(text)
	return ok
}

// isZooKeeper says whether text is a ZooKeeper URL: hosts, each with or without a port, and a path.
func isZooKeeper(text string) bool {
	rest, ok := strings.CutPrefix(text, "zk://")
	if !ok {
		return false
	}
	hosts, _, _ := strings.Cut(rest, "/")
	hosts = hosts[strings.LastIndexByte(hosts, '@')+1:]
	for host := range strings.SplitSeq(hosts, ",") {
		_, withPort := parseHostPort(host)
		inBrackets, bracketed := strings.CutPrefix(strings.TrimSuffix(host, "]"), "[")
		if _, err := netip.ParseAddr(inBrackets); !withPort && !isHost(host) && (!bracketed || err != nil) {
			return false
		}
	}
	return true
}

// usableZK is a ZooKeeper URL without what Mesos-DNS accepts and nobody can use, and says what that was.
func usableZK(z zkURL) (_ zkURL, ignored string) {
	rest, ok := strings.CutPrefix(string(z), "zk://")
	if !ok {
		return z, ""
	}
	servers, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(servers, '@'); at >= 0 && !strings.Contains(servers[:at], ":") {
		servers, ignored = servers[at+1:], "what stands before the @ is not of the form user:password; it is not used"
	}
	if strings.Contains(path, "//") {
		ignored = "slashes in a row count as one"
		path = strings.TrimPrefix(pathpkg.Clean("/"+path), "/")
	}
	return zkURL("zk://" + servers + "/" + path), ignored
}

// isHost says whether text is an IP address or can be a host name.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	if text == "" || len(text) > 253 {
		return false
	}
	return strings.IndexFunc(text, func(c rune) bool { return !isNameCharacter(c) && c != '_' && c != '.' }) < 0
}

// isDomain says whether text is labels of letters, digits and dashes joined by single dots: Mesos-DNS's rule, which
// has no limit of length.
func isDomain(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || strings.IndexFunc(label, func(c rune) bool { return !isNameCharacter(c) }) >= 0 {
			return false
		}
	}
	return true
}

func isNameCharacter(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}
