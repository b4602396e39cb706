package resolver

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// faulty is a kernel that fails now and then: with each of the errors in turn, at every other call.
type faulty struct {
	kernel
	errs  []syscall.Errno
	calls atomic.Uint32
	told  atomic.Uint32 // errors
}

func (f *faulty) fails() (syscall.Errno, bool) {
	n := f.calls.Add(1)
	if n%2 == 0 {
		return 0, false
	}
	f.told.Add(1)
	return f.errs[int(n/2)%len(f.errs)], true
}

func newFaulty(errs ...syscall.Errno) *faulty { return &faulty{kernel: newKernel(), errs: errs} }

// counted is a log of which only the number of lines is known.
type counted struct{ n atomic.Int32 }

func (c *counted) Enabled(context.Context, slog.Level) bool { return true }

func (c *counted) Handle(context.Context, slog.Record) error {
	c.n.Add(1)
	return nil
}

func (c *counted) WithAttrs([]slog.Attr) slog.Handler { return c }

func (c *counted) WithGroup(string) slog.Handler { return c }

// Reads and writes that are interrupted, or for which there is no memory just now, are made again, and cost nobody an answer.
// What could not be sent for lack of buffers is asked for again, as what is lost on the way.
func TestFaultyKernel(t *testing.T) {
	for _, tt := range []struct {
		name             string
		receive, send, r []syscall.Errno
		lossy            bool // replies may be lost
	}{
		{name: "interrupted", receive: []syscall.Errno{unix.EINTR}, send: []syscall.Errno{unix.EINTR}, r: []syscall.Errno{unix.EINTR}},
		{name: "no buffers", receive: []syscall.Errno{unix.ENOBUFS, unix.ENOMEM}, send: []syscall.Errno{unix.ENOBUFS, unix.ENOMEM, unix.EPERM}, lossy: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			told := new(counted)
			s := newUnstartedServer(t, func(o *Options) { o.Logger = slog.New(told) })
			receive, send, read := newFaulty(tt.receive...), newFaulty(tt.send...), newFaulty(tt.r...)
			s.kernel.raw = func(trap, a1, a2, a3, a4, a5, a6 uintptr) (uintptr, uintptr, syscall.Errno) {
				by := receive
				if trap == unix.SYS_SENDMMSG {
					by = send
				}
				if errno, fails := by.fails(); fails {
					return ^uintptr(0), 0, errno
				}
				return syscall.RawSyscall6(trap, a1, a2, a3, a4, a5, a6)
			}
			s.kernel.read = func(fd int, p []byte) (int, error) {
				if len(tt.r) > 0 {
					if errno, fails := read.fails(); fails {
						return -1, errno
					}
				}
				return unix.Read(fd, p)
			}
			runTestServer(t, s)
			const questions = 50
			stream := dialTCP(t, s)
			datagrams := dialUDP(t, s)
			for i := range questions {
				ask(t, stream)
				for {
					if _, err := datagrams.Write(questionPacket(t, "one.marathon.mesos. A", i)); err != nil {
						t.Fatal(err)
					}
					if tt.lossy {
						datagrams.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) //nolint:errcheck // readUDP would fail
					}
					if answered(t, datagrams, uint16(i), tt.lossy) {
						break
					}
				}
			}
			if n := told.n.Load(); n > 0 && !tt.lossy {
				t.Errorf("%d lines in the log: it is no failure", n)
			}
			for name, f := range map[string]*faulty{"receiving": receive, "sending": send, "reading": read} {
				if len(f.errs) > 0 && f.told.Load() == 0 {
					t.Errorf("%s never failed", name)
				}
			}
		})
	}
}

// answered reads until the answer to a question comes. Without one in time it reports false where some may be lost.
func answered(t *testing.T, conn net.Conn, id uint16, lossy bool) bool {
	t.Helper()
	buf := make([]byte, maxUDPSize)
	for {
		n, err := conn.Read(buf)
		if os.IsTimeout(err) && lossy {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		if m := unpack(t, buf[:n]); m.Id == id {
			return len(m.Answer) > 0
		}
	}
}

// Signals that come all the time interrupt system calls for real, wherever the threads are, and cost nobody an answer.
func TestSignals(t *testing.T) {
	s := newTestServer(t, newTestZone(t))
	end := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				unix.Kill(unix.Getpid(), unix.SIGURG) //nolint:errcheck // Go's own, for which it has a handler
				runtime.Gosched()
			}
		}
	}()
	defer func() {
		close(end)
		<-ended
	}()
	datagrams := dialUDP(t, s)
	for i := range 100 {
		ask(t, dialTCP(t, s))
		if _, err := datagrams.Write(questionPacket(t, "one.marathon.mesos. A", i)); err != nil {
			t.Fatal(err)
		}
		answered(t, datagrams, uint16(i), false)
	}
}

// What this machine lacks for a moment is waited for, idle clients make room for it, and no server is blamed.
func TestLackOfFiles(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EAGAIN} {
		t.Run(errno.Error(), func(t *testing.T) {
			u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
			h, _ := newTestForwarder(t, nil, u.addr)
			server := h.settings.Load().forward.general.servers[0]
			var rooms, lacks int
			open := server.dialer.open
			const times = 3
			server.dialer.makeRoom = func() { rooms++ }
			server.dialer.open = func(ctx context.Context, network, address string) (net.Conn, error) {
				if lacks++; lacks <= times {
					return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("socket", errno)}
				}
				return open(ctx, network, address)
			}
			server.takesProbe(h.settings.Load().forward.now()) // so that nothing else is asked
			wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
			want := 0
			if errno == syscall.EMFILE || errno == syscall.ENFILE {
				want = times
			}
			if rooms != want {
				t.Errorf("room was made %d times, want %d", rooms, want)
			}
		})
	}
	t.Run("for long", func(t *testing.T) {
		h, _ := newTestForwarder(t, shortTimeout, netip.MustParseAddrPort("127.0.0.1:9"))
		server := h.settings.Load().forward.general.servers[0]
		server.dialer.open = func(context.Context, string, string) (net.Conn, error) {
			return nil, os.NewSyscallError("socket", syscall.EMFILE)
		}
		for range 2 * downAfter {
			got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeServerFailure)
			wantError(t, got, dns.ExtendedErrorCodeNoReachableAuthority)
		}
		if server.isDown() {
			t.Error("the server is taken for one that does not answer")
		}
	})
}
