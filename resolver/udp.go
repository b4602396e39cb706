package resolver

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// errorPause is how long a reader waits after a read that failed, so that an error that lasts does not keep a processor
// busy. Errors of a socket that is open pass, such as a lack of buffers or file descriptors.
const errorPause = 10 * time.Millisecond

// serveUDP answers packets until ctx ends. Its buffers are used again for each packet: nothing may keep them.
func (s *Server) serveUDP(ctx context.Context, l *listener, pending *sync.WaitGroup) {
	in := make([]byte, maxTCPSize) // whatever a datagram can hold
	out := make([]byte, 0, maxUDPSize)
	oob := make([]byte, l.source.space)
	rotation := newRotation()
	for failures := 0; ; {
		n, oobn, _, from, err := l.udp.ReadMsgUDPAddrPort(in, oob)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if failures++; failures == 1 {
				s.log.Error("reading DNS questions", "addr", l.addr, "err", err)
			}
			pause(ctx, errorPause)
			continue
		}
		failures = 0
		rotation = rotation.next()
		reply, q := s.handler.handle(out, in[:n], udpClient(from), rotation)
		control := l.source.reply(oob[:oobn])
		if q != nil {
			control := bytes.Clone(control)
			s.forward(ctx, pending, q, func(reply []byte) {
				if reply != nil {
					l.udp.WriteMsgUDPAddrPort(reply, control, from) //nolint:errcheck // as below
				}
			})
			continue
		}
		if reply != nil {
			// What cannot be sent is as good as lost on the way: the client asks again.
			l.udp.WriteMsgUDPAddrPort(reply, control, from) //nolint:errcheck
		}
	}
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
