package resolver

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// errorPause is how long a reader waits after a read that failed, so that an error that lasts does not keep a processor
// busy. Errors of a socket that is open pass, such as a lack of buffers or file descriptors.
const errorPause = 10 * time.Millisecond

// questionSize is how long a packet may be that comes by UDP: more than clients are told that they may send. Of a longer
// one the beginning is taken, which is malformed.
const questionSize = 1280

// udpReader answers what comes to one UDP socket. It is used by one goroutine, which does all the work of a plain
// question itself. Whatever takes longer is done by others (slowly), so that it keeps no plain question waiting.
type udpReader struct {
	server   *Server
	conn     *net.UDPConn
	source   sourceControl
	pending  *sync.WaitGroup // of the goroutines that work slowly
	rotation rotation
}

// serveUDP answers packets until ctx ends.
func (s *Server) serveUDP(ctx context.Context, l *listener, conn *net.UDPConn, pending *sync.WaitGroup) {
	r := &udpReader{server: s, conn: conn, source: l.source, pending: pending, rotation: newRotation()}
	failures := 0
	for ctx.Err() == nil {
		err := r.serve(ctx, func() { failures = 0 })
		if ctx.Err() != nil {
			return
		}
		if failures++; failures == 1 {
			s.log.Error("reading DNS questions", "addr", l.addr, "err", err)
		}
		pause(ctx, errorPause)
	}
}

// slowly has a packet answered without waiting for it. It copies what it is given. When too many are at work already,
// the packet is as good as lost on the way: the client asks again.
func (r *udpReader) slowly(ctx context.Context, packet, control []byte, from netip.AddrPort) {
	if !mayBeQuestion(packet) {
		return
	}
	select {
	case r.server.workers <- struct{}{}:
	default:
		r.server.handler.metrics.dropped.Inc()
		return
	}
	packet, control = bytes.Clone(packet), bytes.Clone(control)
	r.rotation = r.rotation.next()
	rotation := r.rotation
	r.pending.Go(func() {
		h, client := r.server.handler, udpClient(from)
		reply, q := h.slow(packet, client, rotation)
		<-r.server.workers
		if q != nil {
			reply = r.server.forwarded(ctx, q)
		}
		if reply != nil && !h.settings.Load().sizes.isLocal(client.addr) && !h.verified(packet, client) {
			reply = r.server.strangers.admit(reply, packet, optOf(reply), client.addr)
		}
		if reply != nil {
			// What cannot be sent is as good as lost on the way, too.
			r.conn.WriteMsgUDPAddrPort(reply, control, from) //nolint:errcheck
		}
	})
}

// mayBeQuestion reports whether a packet is worth a closer look: others get no reply in any case.
func mayBeQuestion(packet []byte) bool { return len(packet) >= headerLen && packet[2]&bitQR == 0 }

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
