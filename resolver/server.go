package resolver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxWorkers is how many packets are answered at one time that are no plain questions. They cost memory, and keep each
// other waiting.
const maxWorkers = 1024

// Server answers DNS questions over UDP and TCP.
type Server struct {
	handler   *handler
	notifier  *notifier
	log       *slog.Logger
	listeners []*listener
	tls       net.Listener  // of DNS over TLS; nil: not served
	https     net.Listener  // of DNS over HTTPS; nil: not served
	slots     chan struct{} // one element for each question that is being forwarded
	workers   chan struct{} // one element for each packet that is being answered slowly
	conns     *connections
	strangers *strangers
	kernel    kernel
	buffers   sync.Pool     // of *streamBuffers
	parts     atomic.Int64  // octets of the messages that have come in part
	idle      time.Duration // idleTimeout, but in a test
	serving   atomic.Bool

	encryption *tls.Config // of tls and https
}

// New opens the listeners, so that a port that is taken is told at once and port 0 has its number. Questions are
// answered by Run. On error nothing is left open; the error says what is wrong with the options or the port, and what
// can be done.
func New(zone Zone, o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Server{
		log:     o.Logger,
		slots:   make(chan struct{}, o.MaxForwards),
		workers: make(chan struct{}, maxWorkers),
		conns:   newConnections(o.MaxConnections, o.MaxClientConnections),
		buffers: sync.Pool{New: newStreamBuffers},
		idle:    idleTimeout,
		kernel:  newKernel(),
		notifier: &notifier{zone: zone, secondaries: o.Transfer.Secondaries, keys: newKeyring(o.Transfer.Keys), log: o.Logger,
			pause: notifyPause, timeout: notifyTimeout},
	}
	for _, addr := range o.Addrs {
		l, err := listen(addr)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.listeners = append(s.listeners, l)
		// A reader for each processor does all the work of a plain question.
		if err := l.spread(processors()); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := s.listenSecure(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	var err error
	if s.handler, err = newHandler(zone, o, s.Addrs(), s.conns.makeRoom); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.strangers = newStrangers(o.Strangers, s.handler.metrics)
	return s, nil
}

// processors is how many processors there are for readers of packets. Go may run more threads than that; another reader on
// the same processor would only find fewer packets with each call.
func processors() int { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }

// Addr is the first address that the server listens on, with the real port.
func (s *Server) Addr() netip.AddrPort { return s.listeners[0].addr }

// Addrs are all addresses that the server listens on, in the order of Options.Addrs, with their real ports.
func (s *Server) Addrs() []netip.AddrPort {
	out := make([]netip.AddrPort, len(s.listeners))
	for i, l := range s.listeners {
		out[i] = l.addr
	}
	return out
}

// Run answers questions until ctx ends. It may be called once. Everything is closed when it returns; an error says
// that closing failed.
func (s *Server) Run(ctx context.Context) error {
	var reading sync.WaitGroup // from the listeners; this ends when they are closed
	var pending sync.WaitGroup // forwards and TCP connections; they end with ctx
	for _, l := range s.listeners {
		for _, conn := range append(l.more, l.udp) {
			reading.Go(func() { s.serveUDP(ctx, l, conn, &pending) })
		}
		reading.Go(func() { s.serveTCP(ctx, l.tcp, &pending) })
	}
	pending.Go(func() { s.conns.expire(ctx, s.idle) })
	for _, secondary := range s.notifier.secondaries {
		pending.Go(func() { s.notifier.run(ctx, secondary) })
	}
	if s.tls != nil {
		reading.Go(func() { s.serveTLS(ctx, s.tls, &pending) })
	}
	if s.https != nil {
		reading.Go(func() { s.serveHTTPS(ctx, s.https) })
	}
	s.serving.Store(true)
	<-ctx.Done()
	s.serving.Store(false)
	err := s.Close()
	s.conns.closeAll()
	reading.Wait()
	pending.Wait() // nobody adds to it any more
	s.handler.close()
	return err
}

// Serving returns nil while the server answers, else an error that says why it does not.
func (s *Server) Serving() error {
	if !s.serving.Load() {
		return errors.New("DNS is not being served")
	}
	return nil
}

// Close closes the listeners of a server that is not run. It may be called again.
func (s *Server) Close() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.close())
	}
	for _, l := range []net.Listener{s.tls, s.https} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// forwarded has a question answered by the upstream servers and waits for them. nil: there is no reply. When too many
// wait already, it gives an error at once.
func (s *Server) forwarded(ctx context.Context, q *query) []byte {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
		return s.handler.forwarded(ctx, q)
	default:
		return s.handler.overloaded(q)
	}
}
