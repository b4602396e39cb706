package main

import "rollcall/resolver"

// limitsConfig says how much of the DNS server clients may have.
type limitsConfig struct {
	TCPConnections       int // in all
	TCPConnectionsClient int // of one client
	Amplification        float64
	ResponsesPerSecond   int
	Slip                 int
}

func defaultLimits() limitsConfig {
	return limitsConfig{
		TCPConnections: resolver.DefaultMaxConnections, TCPConnectionsClient: resolver.DefaultMaxClientConnections,
		Amplification: 1.5, ResponsesPerSecond: 500, Slip: 2,
	}
}

func (l *limitsConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	n.readStrict(l.fields())
	return ""
}

func (l *limitsConfig) fields() []field {
	return []field{
		{name: "tcpConnections", set: wholeNumber(&l.TCPConnections, 1, 1_000_000)},
		{name: "tcpConnectionsPerClient", set: wholeNumber(&l.TCPConnectionsClient, 1, 1_000_000)},
		{name: "amplification", set: func(n node) string {
			const allowed = "0 or a number from 1 to 1000"
			var v float64
			if amount(&v)(n) != "" || v > 1000 || 0 < v && v < 1 {
				return allowed
			}
			l.Amplification = v
			return ""
		}},
		{name: "responsesPerSecond", set: wholeNumber(&l.ResponsesPerSecond, 0, 1_000_000)},
		{name: "slip", set: wholeNumber(&l.Slip, 0, 100)},
	}
}

// apply sets the DNS server's part of this.
func (l *limitsConfig) apply(o *resolver.Options) {
	o.MaxConnections, o.MaxClientConnections = l.TCPConnections, l.TCPConnectionsClient
	o.Strangers = resolver.Strangers{Amplification: l.Amplification, ResponsesPerSecond: l.ResponsesPerSecond, Slip: l.Slip}
}
