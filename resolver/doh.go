package resolver

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// dohPath is where questions go, as RFC 8484 has it in its examples and everybody has it.
	dohPath = "/dns-query"
	dohType = "application/dns-message"

	// How long a client may take for its request, and a connection may be idle.
	dohRequestTime = 5 * time.Second
	dohIdle        = 30 * time.Second
	// dohEnd is how long requests may take to end when the server does.
	dohEnd = 2 * time.Second
)

// serveHTTPS answers questions over HTTPS (RFC 8484) until ctx ends.
func (s *Server) serveHTTPS(ctx context.Context, l net.Listener) {
	server := &http.Server{
		Handler: s.dohHandler(), TLSConfig: s.encrypted("h2", "http/1.1"),
		ReadHeaderTimeout: dohRequestTime, ReadTimeout: 2 * dohRequestTime, IdleTimeout: dohIdle,
		MaxHeaderBytes: 16 << 10, // a question in base64 that is larger than any name allows
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), dohEnd)
		defer cancel()
		if server.Shutdown(within) != nil {
			server.Close()
		}
	})
	l = &patientListener{l, ctx, s, "connections for DNS over HTTPS"}
	err := server.ServeTLS(newLimitedListener(l, s.conns.max, s.conns.maxClient), "", "")
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		s.log.Error("serving DNS over HTTPS", "addr", l.Addr(), "err", err)
	}
}

func (s *Server) dohHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+dohPath, s.answerHTTP)
	mux.HandleFunc("POST "+dohPath, s.answerHTTP)
	return mux
}

// answerHTTP answers the question of a request.
func (s *Server) answerHTTP(w http.ResponseWriter, r *http.Request) {
	packet, status := readHTTPQuestion(r)
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	from := client{encrypted: true, https: true}
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from.addr = addr.Addr().Unmap().WithZone("")
	}
	s.handler.metrics.forwarding.https.Inc()
	reply, q := s.handler.handle(nil, packet, from, newRotation())
	switch {
	case q != nil && q.transfer != nil:
		reply = s.handler.finish(q, q.reply(dns.RcodeRefused)) // more than one message: not over HTTP (RFC 8484, section 6)
	case q != nil:
		reply = s.forwarded(r.Context(), q)
	}
	if reply == nil { // no question
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	header := w.Header()
	header.Set("Content-Type", dohType)
	header.Set("Content-Length", strconv.Itoa(len(reply)))
	header.Set("Cache-Control", "max-age="+strconv.FormatUint(uint64(freshness(reply)), 10))
	w.Write(reply) //nolint:errcheck // the client is gone
}

// readHTTPQuestion takes the message out of a request, or says which status answers it.
func readHTTPQuestion(r *http.Request) ([]byte, int) {
	if r.Method == http.MethodPost {
		if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(t), dohType) {
			return nil, http.StatusUnsupportedMediaType
		}
		packet, err := io.ReadAll(io.LimitReader(r.Body, maxTCPSize+1))
		switch {
		case err != nil:
			return nil, http.StatusBadRequest
		case len(packet) > maxTCPSize:
			return nil, http.StatusRequestEntityTooLarge
		}
		return packet, http.StatusOK
	}
	text := r.URL.Query().Get("dns")
	packet, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || text == "" || len(packet) > maxTCPSize {
		return nil, http.StatusBadRequest
	}
	return packet, http.StatusOK
}

// freshness is how many seconds a reply may be kept: as its records say, or the SOA record of a negative one (RFC 8484,
// section 5.1); 0 for one that says neither.
func freshness(reply []byte) uint32 {
	m := new(dns.Msg)
	if m.Unpack(reply) != nil || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError || m.Truncated {
		return 0
	}
	least := uint32(maxPositiveTTL)
	for _, rr := range m.Answer {
		least = min(least, rr.Header().Ttl)
	}
	if !isNegative(m) {
		return least
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(least, soa.Hdr.Ttl, soa.Minttl)
		}
	}
	return 0
}

// limitedListener has no more than so many connections open, in all and to each client: more are closed at once.
type limitedListener struct {
	net.Listener
	max, maxClient int

	mu      sync.Mutex
	count   int
	clients map[netip.Addr]int // by clientKey
}

func newLimitedListener(l net.Listener, maxAll, maxClient int) *limitedListener {
	return &limitedListener{Listener: l, max: maxAll, maxClient: maxClient, clients: make(map[netip.Addr]int)}
}

// Accept waits for a connection for which there is room.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		key := clientKey(tcpClient(conn, true).addr)
		if l.enter(key) {
			return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(key) })}, nil
		}
		conn.Close()
	}
}

func (l *limitedListener) enter(key netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count >= l.max || l.clients[key] >= l.maxClient {
		return false
	}
	l.count++
	l.clients[key]++
	return true
}

func (l *limitedListener) leave(key netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	if l.clients[key]--; l.clients[key] == 0 {
		delete(l.clients, key)
	}
}

// limitedConn makes room when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
