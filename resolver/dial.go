package resolver

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// dialer opens connections to upstream servers.
type dialer struct {
	open     func(ctx context.Context, network, address string) (net.Conn, error) // net.Dialer's, but in a test
	makeRoom func()                                                               // has a file closed that is of less use; nil: there are none
}

func newDialer() *dialer { return &dialer{open: new(net.Dialer).DialContext} }

// dial opens a connection. Files, memory, buffers and ports that are used up now are free again later: what the kernel lacks
// is waited for until ctx ends, and idle clients make room for the question of another.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var lack error
	for {
		conn, err := d.open(ctx, network, address)
		switch {
		case err == nil:
			return conn, nil
		case lack != nil && ctx.Err() != nil:
			return nil, lack
		case !isLack(err):
			return nil, err
		}
		lack = err
		if d.makeRoom != nil && (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) {
			d.makeRoom()
		}
		pause(ctx, errorPause)
	}
}

// isLack reports whether an error says that this machine has no more of something, which is not the server's fault.
func isLack(err error) bool {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EAGAIN} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}
