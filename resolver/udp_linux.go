package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How the kernel is entered decides what a question costs, as the answer itself costs a fraction of that:
//
//   - recvmmsg(2) and sendmmsg(2) carry up to batchSize packets at once.
//   - The socket does not block, and Go's poller waits for it: a goroutine that waits holds no thread. The calls are made
//     within RawConn.Read, and raw, without telling the scheduler, since they return at once; telling it costs more than
//     the call at a low rate.
//   - A read that finds less than a whole batch has emptied the socket, and the poller is edge-triggered: the next packet
//     wakes it. So at a low rate there is no second read to see that nothing is there. Where packets come faster than they
//     are answered another read most likely finds some, and costs less than to wait for the poller.
//   - Each processor has a socket (SO_REUSEPORT) and a goroutine of its own. The kernel spreads clients over them.
//   - Buffers are made once, and replies stand one behind the other, so that the processor has few pages to find. The kernel
//     writes the client's address and the control message to where the header of the
//     reply points; nothing is copied between them.

// batchSize is how many packets are read, answered and sent at once at most: more save nothing, and keep the first one
// waiting.
const batchSize = 64

// denseBatch is how many packets a read finds, at least, when packets come fast: the next read does not wait.
const denseBatch = 2

// questionStride is the distance of the buffers for questions. With a power of two they would all compete for the same few
// lines of the processor's cache.
const questionStride = questionSize + 3*64

// replySize is the room for a reply. One that is longer has a buffer made for it.
const replySize = 2048

// replyAlign is what a reply's place is a multiple of.
const replyAlign = 64

// message is a struct mmsghdr: a packet, where it comes from or goes to, and how long it is.
type message struct {
	header unix.Msghdr
	length uint32
}

// batch are the packets that are read and answered at once.
type batch struct {
	in, out       []message
	inIO, outIO   []unix.Iovec
	from          []unix.RawSockaddrInet6 // or RawSockaddrInet4, which is shorter
	control       []byte                  // source.space octets for each packet
	questions     []byte                  // questionStride octets for each packet
	replies       []byte                  // replySize octets for each packet
	round         *round
	plain         []int // which of the packets are in the round
	opt           [optLen]byte
	replied, sent int
	read          uint // batches, to time one in sampleEvery

	kernel kernel
}

func newBatch(k kernel, controlSpace int) *batch {
	b := &batch{
		in: make([]message, batchSize), out: make([]message, batchSize),
		inIO: make([]unix.Iovec, batchSize), outIO: make([]unix.Iovec, batchSize),
		from: make([]unix.RawSockaddrInet6, batchSize), control: make([]byte, batchSize*controlSpace),
		questions: make([]byte, batchSize*questionStride), replies: make([]byte, batchSize*replySize),
		round: newRound(batchSize), plain: make([]int, 0, batchSize), kernel: k,
	}
	for i := range batchSize {
		b.inIO[i].Base = &b.questions[i*questionStride]
		b.inIO[i].SetLen(questionSize)
		in := &b.in[i].header
		in.Name = (*byte)(unsafe.Pointer(&b.from[i]))
		in.Iov = &b.inIO[i]
		in.SetIovlen(1)
		if controlSpace > 0 {
			in.Control = &b.control[i*controlSpace]
		}
		out := &b.out[i].header
		out.Iov = &b.outIO[i]
		out.SetIovlen(1)
	}
	return b
}

// joinUDP opens another socket with the address and port of one that is open: the kernel spreads clients over them.
func joinUDP(conn *net.UDPConn) (*net.UDPConn, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	// Only now that it is bound: a port that another server has was an error, whatever that server allows.
	if err := setOption(raw, unix.SOL_SOCKET, unix.SO_REUSEPORT); err != nil {
		return nil, fmt.Errorf("sharing a port among sockets: %w", err)
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return setOption(c, unix.SOL_SOCKET, unix.SO_REUSEPORT)
	}}
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	network := "udp"
	if addr.Addr().Is4() {
		network = "udp4"
	}
	other, err := config.ListenPacket(context.Background(), network, addr.String())
	if err != nil {
		return nil, fmt.Errorf("listening for DNS with another socket: %w", err)
	}
	return other.(*net.UDPConn), nil
}

// setOption turns on an option of a socket.
func setOption(c syscall.RawConn, level, option int) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, 1) })
	return errors.Join(err, failed)
}

// serve answers packets until reading fails or ctx ends, and says with each batch that it works.
func (r *udpReader) serve(ctx context.Context, works func()) error {
	raw, err := r.conn.SyscallConn()
	if err != nil {
		return err
	}
	b := newBatch(r.server.kernel, r.source.space)
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		for ctx.Err() == nil {
			n, errno := b.receive(fd, r.source.space)
			switch errno {
			case 0:
			case unix.EAGAIN:
				return false
			case unix.EINTR:
				continue
			default:
				failed = errno
				return true
			}
			works()
			b.read++
			var began time.Time
			timed := b.read%sampleEvery == 0
			if timed {
				began = time.Now()
			}
			unusual := b.answer(ctx, r, n)
			b.send(fd, raw)
			if timed {
				r.server.handler.metrics.times.fast.observe(time.Since(began), b.sent)
			}
			if n < denseBatch {
				return false
			}
			if unusual {
				runtime.Gosched() // whoever answers them may be waiting for this processor
			}
		}
		return true
	})
	return errors.Join(err, failed)
}

// receive reads packets, and returns how many there are.
func (b *batch) receive(fd uintptr, controlSpace int) (int, syscall.Errno) {
	for i := range b.in {
		in := &b.in[i].header
		in.Namelen = unix.SizeofSockaddrInet6
		in.SetControllen(controlSpace)
	}
	n, _, errno := b.kernel.raw(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), batchSize,
		unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// answer answers the first n packets. It reports whether there were some for slowly.
func (b *batch) answer(ctx context.Context, r *udpReader, n int) (unusual bool) {
	b.replied, b.sent = 0, 0
	b.round.reset()
	plain := b.plain[:0]
	h := r.server.handler
	for i := range n {
		if b.round.add(h, b.packet(i), client{addr: clientIP(&b.from[i]), udp: true}) {
			plain = append(plain, i)
		} else {
			b.slowly(ctx, r, i)
			unusual = true
		}
	}
	view := h.view()
	b.round.lookup(view.snapshot)
	end := 0 // of the replies
	for j, i := range plain {
		r.rotation = r.rotation.next()
		question := &b.round.questions[j]
		reply := h.quickly(b.replies[end:end:end+replySize], b.packet(i), question, view, b.round.nodes[j], r.rotation)
		if reply == nil {
			b.slowly(ctx, r, i)
			unusual = true
			continue
		}
		b.round.tally.answered(question.qtype, int(reply[3]&maskRcode))
		if !h.settings.Load().sizes.isLocal(question.from.addr) {
			reply = r.server.strangers.admit(reply, b.packet(i), question.opt(b.opt[:0]), question.from.addr)
			if reply == nil {
				continue
			}
		}
		in, out := &b.in[i].header, &b.out[b.replied].header
		out.Name, out.Namelen = in.Name, in.Namelen
		out.Control = in.Control
		out.SetControllen(len(r.source.reply(b.controlOf(r, i))))
		b.outIO[b.replied].Base = unsafe.SliceData(reply)
		b.outIO[b.replied].SetLen(len(reply))
		b.replied++
		end += min((len(reply)+replyAlign-1)&^(replyAlign-1), replySize)
	}
	b.round.tally.add(h.metrics)
	return unusual
}

// slowly has packet i answered by others.
func (b *batch) slowly(ctx context.Context, r *udpReader, i int) {
	r.slowly(ctx, b.packet(i), r.source.reply(b.controlOf(r, i)), clientAddr(&b.from[i]))
}

// packet is packet i of those that were read.
func (b *batch) packet(i int) []byte { return b.questions[i*questionStride:][:b.in[i].length] }

// controlOf is the control message that came with packet i.
func (b *batch) controlOf(r *udpReader, i int) []byte {
	return b.control[i*r.source.space:][:b.in[i].header.Controllen]
}

// send sends the replies. Where the kernel has no room for more it waits, and so does who sends more questions.
func (b *batch) send(fd uintptr, raw syscall.RawConn) {
	for b.sent < b.replied {
		switch n, errno := b.sendmmsg(fd); errno {
		case 0:
			b.sent += n
		case unix.EINTR:
		case unix.EAGAIN:
			err := raw.Write(func(fd uintptr) bool {
				n, errno := b.sendmmsg(fd)
				b.sent += n
				return errno != unix.EAGAIN
			})
			if err != nil {
				return // the server ends
			}
		default:
			b.sent++ // this one cannot be sent, for whatever reason; the others may
		}
	}
}

func (b *batch) sendmmsg(fd uintptr) (int, syscall.Errno) {
	n, _, errno := b.kernel.raw(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[b.sent])),
		uintptr(b.replied-b.sent), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// clientIP is the address in a struct sockaddr_in or sockaddr_in6 as the kernel fills it in, as a client has it.
func clientIP(from *unix.RawSockaddrInet6) netip.Addr {
	if from.Family == unix.AF_INET {
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(from)).Addr)
	}
	return netip.AddrFrom16(from.Addr).Unmap()
}

// clientAddr is where the reply goes.
func clientAddr(from *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&from.Port))[:])
	if from.Family == unix.AF_INET {
		return netip.AddrPortFrom(clientIP(from), port)
	}
	addr := netip.AddrFrom16(from.Addr)
	if from.Scope_id != 0 {
		addr = addr.WithZone(strconv.Itoa(int(from.Scope_id)))
	}
	return netip.AddrPortFrom(addr, port)
}
