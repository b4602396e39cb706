package main

import (
	"net/netip"

	"rollcall/resolver"
)

// forwardOptions are rollcall's own keys about names outside the domain, in the form in which the file has them.
type forwardOptions struct {
	CacheSize   int
	ServeStale  int // seconds
	Prefetch    bool
	From        []netip.Prefix
	TCPFallback bool
	MixedCase   bool
	CAFile      string
}

func defaultForwardOptions() forwardOptions {
	return forwardOptions{CacheSize: defaultCacheSize, ServeStale: 24 * 60 * 60, Prefetch: true,
		From: resolver.DefaultLocalNetworks()}
}

func (o *forwardOptions) fields() []field {
	return []field{
		{name: "cacheSize", set: wholeNumber(&o.CacheSize, 0, 10_000_000)},
		{name: "serveStale", set: wholeNumber(&o.ServeStale, 0, 7*24*60*60)},
		{name: "prefetch", set: boolean(&o.Prefetch)},
		{name: "recursionFrom", set: networks(&o.From), nullable: true},
		{name: "tcpFallback", set: boolean(&o.TCPFallback)},
		{name: "mixedCase", set: boolean(&o.MixedCase)},
		{name: "resolverCAFile", set: text(&o.CAFile)},
	}
}

// adaptDefaults sets the defaults that depend on other keys: in place of Mesos-DNS, questions go on as they came.
func (o *forwardOptions) adaptDefaults(given map[string]bool, withScheduler bool) {
	if !given["tcpFallback"] {
		o.TCPFallback = withScheduler
	}
}

// apply adds the options to what Mesos-DNS's keys say.
func (o *forwardOptions) apply(f *forwardConfig) {
	f.CacheSize, f.MaxStale, f.Prefetch = o.CacheSize, seconds(o.ServeStale), o.Prefetch
	f.From, f.TCPFallback, f.MixedCase, f.CAFile = o.From, o.TCPFallback, o.MixedCase, o.CAFile
}
