package resolver

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"
)

// failingListener fails as the kernel may, before each connection that it accepts.
type failingListener struct {
	net.Listener
	errs []error // that are left
}

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: os.NewSyscallError("accept4", err)}
	}
	return l.Listener.Accept()
}

// newUnstartedServer is a server whose listeners a test may replace before it is run.
func newUnstartedServer(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	o := Options{Addrs: addrPorts("127.0.0.1:0")}
	change(&o)
	s, err := New(newTestZone(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// acceptErrors are those that accept(2) names and that say nothing against the listener.
var acceptErrors = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPERM,
	syscall.EPROTO, syscall.ENETDOWN, syscall.EHOSTUNREACH}

// Whatever goes wrong with accepting connections, the next ones are served.
func TestListenersSurvive(t *testing.T) {
	for _, failure := range acceptErrors {
		t.Run(failure.Error(), func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			s := newUnstartedServer(t, secured(t, a, "127.0.0.1"))
			fail := func(l net.Listener) net.Listener { return &failingListener{l, []error{failure, failure}} }
			s.listeners[0].tcp, s.tls, s.https = fail(s.listeners[0].tcp), fail(s.tls), fail(s.https)
			runTestServer(t, s)

			ask(t, dialTCP(t, s))
			secure, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{RootCAs: a.pool})
			if err != nil {
				t.Fatal(err)
			}
			defer secure.Close()
			if err := secure.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			ask(t, secure)
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}}, Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			response, err := client.Post("https://"+s.HTTPSAddr().String()+dohPath, dohType, bytes.NewReader(packet(t, newQuestion(t, "one.marathon.mesos. A"))))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Error(response.Status)
			}
		})
	}
}

// When files are used up, a connection that is idle makes room, whichever kind the next one is of.
func TestIdleConnectionMakesRoomForFiles(t *testing.T) {
	a := newAuthority(t)
	s := newUnstartedServer(t, secured(t, a, "127.0.0.1"))
	full := &fullListener{Listener: s.https, used: make(chan struct{})}
	s.https = full
	s.idle = time.Hour // or it would be closed for that
	runTestServer(t, s)
	idle := dialTCP(t, s)
	ask(t, idle)
	close(full.used)
	wantEnd(t, "the idle connection", idle)
}

// fullListener finds the files used up as soon as it is told to.
type fullListener struct {
	net.Listener
	used chan struct{} // closed: they are
	told bool
}

func (l *fullListener) Accept() (net.Conn, error) {
	if <-l.used; !l.told {
		l.told = true
		return nil, os.NewSyscallError("accept4", syscall.EMFILE)
	}
	return l.Listener.Accept()
}
