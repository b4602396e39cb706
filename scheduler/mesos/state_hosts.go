package mesos

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"
)

const (
	hostsFresh   = time.Minute            // how long an answer is used without asking again
	hostsTimeout = 10 * time.Second       // of one lookup
	hostsWait    = 500 * time.Millisecond // how long Addrs waits for lookups; they go on without it
	hostsAtOnce  = 32                     // lookups
	hostsKept    = time.Hour              // since a name was last of interest
)

// Hosts finds the addresses of hosts that agents and frameworks name. It keeps what it found, and where a lookup fails
// or takes long it goes on using that. Its methods may be called from any goroutine.
type Hosts struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	slots  chan struct{}

	mu    sync.Mutex
	known map[string]*knownHost
}

type knownHost struct {
	addrs   []netip.Addr
	asked   time.Time     // when the last lookup ended; zero: none has
	used    time.Time     // when it was last of interest
	pending chan struct{} // closed when the lookup under way ends; nil: there is none
}

// NewHosts returns a Hosts that asks lookup, usually net.Resolver.LookupNetIP.
func NewHosts(lookup func(ctx context.Context, host string) ([]netip.Addr, error)) *Hosts {
	return &Hosts{lookup: lookup, slots: make(chan struct{}, hostsAtOnce), known: make(map[string]*knownHost)}
}

// Prepare has the names among hosts looked up that are not known, or not recently, all at once, and waits for them for
// a moment. Those that take longer are there the next time.
func (h *Hosts) Prepare(hosts []string) {
	pending := h.start(hosts)
	if len(pending) == 0 {
		return
	}
	timer := time.NewTimer(hostsWait)
	defer timer.Stop()
	for _, done := range pending {
		select {
		case <-done:
		case <-timer.C:
			return
		}
	}
}

// start starts the lookups that are due and forgets names that nobody has asked for lately. It returns what is closed
// when the lookups of the hosts end.
func (h *Hosts) start(hosts []string) []chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	var pending []chan struct{}
	for _, host := range hosts {
		if _, err := netip.ParseAddr(host); err == nil || host == "" {
			continue
		}
		k := h.known[host]
		if k == nil {
			k = &knownHost{}
			h.known[host] = k
		}
		k.used = now
		if k.pending == nil && now.Sub(k.asked) >= hostsFresh {
			k.pending = make(chan struct{})
			go h.ask(host, k)
		}
		if k.pending != nil {
			pending = append(pending, k.pending)
		}
	}
	maps.DeleteFunc(h.known, func(_ string, k *knownHost) bool {
		return k.pending == nil && now.Sub(k.used) >= hostsKept
	})
	return pending
}

func (h *Hosts) ask(host string, k *knownHost) {
	h.slots <- struct{}{}
	ctx, cancel := context.WithTimeout(context.Background(), hostsTimeout)
	addrs, err := h.lookup(ctx, host)
	cancel()
	<-h.slots
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		k.addrs = addrs
	}
	k.asked = time.Now()
	close(k.pending)
	k.pending = nil
}

// Addrs are a host's addresses as far as they are known: its own when it is an address, else those that were found
// when it was last looked up with success. It does not wait.
func (h *Hosts) Addrs(host string) []netip.Addr {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := h.known[host]; k != nil {
		return k.addrs
	}
	return nil
}
