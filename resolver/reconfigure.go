package resolver

import (
	"maps"
	"net/netip"
	"slices"
)

// settings are the options that can be changed while the server runs. They are never changed themselves, only replaced.
type settings struct {
	options Options    // that they were made of
	forward *forwarder // nil: names outside the zone are refused
	bitRA   byte       // of answers for the zone: set or not
	bitTC   byte       // of answers that leave out records: set or not
}

// Reconfigure makes the server follow other options from now on: Recursion, RecursionAvailable, Upstreams,
// ZoneUpstreams, Timeout, CacheSize and SetTruncateBit. The others stay as they were given to New, whatever o says of
// them. Where any of those that forwarding depends on is another one, the cache starts empty: other servers may give
// other answers. Questions under way end as they began. On error, which says what is wrong with the options, nothing
// has changed. It may be called at any time, by one goroutine.
func (s *Server) Reconfigure(o Options) error {
	was := s.handler.settings.Load().options
	o.Addrs, o.MaxForwards, o.MaxConnections = was.Addrs, was.MaxForwards, was.MaxConnections
	o.Logger, o.Registry = was.Logger, was.Registry
	if err := o.validate(); err != nil {
		return err
	}
	return s.handler.reconfigure(o.withDefaults(), s.Addrs())
}

// reconfigure replaces the settings. own are the addresses on which the server listens.
func (h *handler) reconfigure(o Options, own []netip.AddrPort) error {
	next := &settings{options: o}
	if was := h.settings.Load(); was != nil && forwardsAlike(was.options, o) {
		next.forward = was.forward
	} else {
		forward, err := newForwarder(o, own, h.metrics)
		if err != nil {
			return err
		}
		next.forward = forward
	}
	if o.RecursionAvailable {
		next.bitRA = bitRA
	}
	if o.SetTruncateBit {
		next.bitTC = bitTC
	}
	h.settings.Store(next)
	return nil
}

// forwardsAlike reports whether two options say the same of forwarding.
func forwardsAlike(a, b Options) bool {
	return a.Recursion == b.Recursion && slices.Equal(a.Upstreams, b.Upstreams) &&
		maps.EqualFunc(a.ZoneUpstreams, b.ZoneUpstreams, slices.Equal) &&
		a.Timeout == b.Timeout && a.CacheSize == b.CacheSize
}
