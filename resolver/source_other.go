//go:build !linux

package resolver

import (
	"net"
	"net/netip"
)

// sourceControl does nothing here: replies of a socket that listens on all of the machine's addresses leave from the one
// that routing chooses. Where a machine has several, the server has to listen on each of them by name.
type sourceControl struct{ space int }

func newSourceControl(*net.UDPConn, netip.Addr) (sourceControl, error) { return sourceControl{}, nil }

func (sourceControl) reply([]byte) []byte { return nil }
