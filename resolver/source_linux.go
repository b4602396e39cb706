package resolver

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// sourceControl sees to it that replies leave from the address that was asked, which clients insist on, when a UDP
// socket listens on all of the machine's addresses. The kernel says with each packet where it arrived, in a control
// message that, handed back with the reply, says where the reply leaves from (ip(7), ipv6(7): IP_PKTINFO,
// IPV6_PKTINFO). The zero value is for sockets that listen on one address: there is nothing to see to.
type sourceControl struct {
	space int // octets of the control message, as unix.CmsgSpace gives them
	addr  int // where the address is, in an IPv6 control message; else 0
	iface int // where the index of the interface is
}

// ifaceLen is the size of an interface's index in octets.
const ifaceLen = 4

// newSourceControl turns it on for a socket that listens on an address, if that is an unspecified one.
func newSourceControl(conn *net.UDPConn, addr netip.Addr) (sourceControl, error) {
	if !addr.IsUnspecified() {
		return sourceControl{}, nil
	}
	data := unix.CmsgLen(0)
	// struct in_pktinfo {int ifindex; in_addr spec_dst, addr}, struct in6_pktinfo {in6_addr addr; unsigned ifindex}
	c := sourceControl{space: unix.CmsgSpace(unix.SizeofInet4Pktinfo), iface: data}
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if addr.Is6() { // also receives IPv4, with mapped addresses
		c = sourceControl{space: unix.CmsgSpace(unix.SizeofInet6Pktinfo), addr: data, iface: data + 16}
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = setOption(raw, level, option)
	}
	if err != nil {
		return sourceControl{}, fmt.Errorf("asking the kernel for the addresses that packets arrive at: %w", err)
	}
	return c, nil
}

// reply turns the control message of a packet into that of its reply, in place. The interface is left to routing, as
// the way back may be another, but for link-local addresses, which mean nothing without.
func (c sourceControl) reply(oob []byte) []byte {
	if c.space == 0 || len(oob) < c.iface+ifaceLen {
		return nil
	}
	if c.addr == 0 || oob[c.addr] != 0xFE || oob[c.addr+1]&0xC0 != 0x80 {
		clear(oob[c.iface : c.iface+ifaceLen])
	}
	return oob
}
