package main

// forwardOptions are rollcall's own keys about names outside the domain, in the form in which the file has them.
type forwardOptions struct {
	CacheSize   int
	TCPFallback bool
	MixedCase   bool
}

func defaultForwardOptions() forwardOptions { return forwardOptions{CacheSize: defaultCacheSize} }

func (o *forwardOptions) fields() []field {
	return []field{
		{name: "cacheSize", set: wholeNumber(&o.CacheSize, 0, 10_000_000)},
		{name: "tcpFallback", set: boolean(&o.TCPFallback)},
		{name: "mixedCase", set: boolean(&o.MixedCase)},
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
	f.CacheSize, f.TCPFallback, f.MixedCase = o.CacheSize, o.TCPFallback, o.MixedCase
}
