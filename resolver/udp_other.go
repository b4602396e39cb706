//go:build !linux

package resolver

import (
	"context"
	"net"
)

// joinUDP would open another socket for the same port. There is no kernel here that spreads clients over them.
func joinUDP(*net.UDPConn) (*net.UDPConn, error) { return nil, nil }

// serve answers packets until reading fails, and says with each one that it works.
func (r *udpReader) serve(ctx context.Context, works func()) error {
	in := make([]byte, questionSize)
	out := make([]byte, 0, maxUDPSize)
	oob := make([]byte, r.source.space)
	for {
		n, oobn, _, from, err := r.conn.ReadMsgUDPAddrPort(in, oob)
		if err != nil {
			return err
		}
		works()
		control := r.source.reply(oob[:oobn])
		r.rotation = r.rotation.next()
		packet, client := in[:n], udpClient(from)
		if reply := r.server.handler.quick(out, packet, client, r.rotation); reply != nil {
			if !r.server.handler.settings.Load().sizes.isLocal(client.addr) {
				if reply = r.server.strangers.admit(reply, packet, optOf(reply), client.addr); reply == nil {
					continue
				}
			}
			r.conn.WriteMsgUDPAddrPort(reply, control, from) //nolint:errcheck // as in slowly
		} else {
			r.slowly(ctx, packet, control, from)
		}
	}
}
