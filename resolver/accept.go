package resolver

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// maxErrorPause is the longest pause between tries to accept connections when that fails.
const maxErrorPause = time.Second

// patientListener is a listener that goes on, whatever the kernel says: files, memory and buffers that are used up now are
// free again later, and what befell a connection before it was accepted is nothing to the next one. Go's HTTP server, for
// one, gives up for good at most of that.
type patientListener struct {
	net.Listener
	ctx    context.Context // of the server: when it has ended, there is no pause any more
	server *Server
	what   string // that is accepted, for the log
}

// Accept waits for a connection. It fails when the listener has been closed, and only then.
func (l *patientListener) Accept() (net.Conn, error) {
	for wait := errorPause; ; wait = min(2*wait, maxErrorPause) {
		conn, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		if wait == errorPause {
			l.server.log.Error("accepting "+l.what, "addr", l.Addr(), "err", err)
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.server.conns.makeRoom() // its file descriptor is one for the next connection
		}
		pause(l.ctx, wait)
	}
}
