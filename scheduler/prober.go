package scheduler

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"time"
)

// NetProber makes probes over the network: HTTP, HTTPS (certificates are not verified, as in Marathon) and TCP.
type NetProber struct {
	client *http.Client
}

var _ Prober = (*NetProber)(nil)

// keptReply bounds how much of a readiness check's answer is kept, in bytes.
const keptReply = 8 << 10

// NewNetProber returns a prober that opens a connection of its own for each probe and follows no redirects.
func NewNetProber() *NetProber {
	return &NetProber{client: &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Probe makes one check.
func (n *NetProber) Probe(ctx context.Context, p Probe) Probed {
	ctx, cancel := context.WithTimeoutCause(ctx, p.Timeout, fmt.Errorf("no answer within %s", p.Timeout.Round(time.Millisecond)))
	defer cancel()
	if p.Protocol == ProtocolTCP {
		return n.tcp(ctx, p)
	}
	return n.http(ctx, p)
}

func (n *NetProber) tcp(ctx context.Context, p Probe) Probed {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return Probed{Probe: p, Cause: cause(ctx, err)}
	}
	conn.Close()
	return Probed{Probe: p, Outcome: ProbeSucceeded}
}

// errInformational ends a request whose first answer was an HTTP 1xx that the check ignores.
var errInformational = errors.New("informational answer")

func (n *NetProber) http(ctx context.Context, p Probe) Probed {
	scheme := "http"
	if p.Protocol == ProtocolHTTPS {
		scheme = "https"
	}
	if p.Ignore1xx {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { return errInformational },
		})
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+p.Address+p.Path, nil)
	if err != nil {
		return Probed{Probe: p, Cause: err.Error()}
	}
	response, err := n.client.Do(request)
	switch {
	case errors.Is(err, errInformational):
		return Probed{Probe: p, Outcome: ProbeIgnored}
	case err != nil:
		return Probed{Probe: p, Cause: cause(ctx, err)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, keptReply))
	if err != nil {
		return Probed{Probe: p, Cause: cause(ctx, err)}
	}
	out := Probed{Probe: p, Cause: response.Status}
	good := response.StatusCode >= 200 && response.StatusCode < 400
	if p.Readiness {
		good = slices.Contains(p.ReadyOn, response.StatusCode)
		out.Reply = &ProbedReply{Status: response.StatusCode, ContentType: response.Header.Get("Content-Type"), Body: string(body)}
	}
	if good {
		out.Outcome, out.Cause = ProbeSucceeded, ""
	}
	return out
}

// cause is why a probe failed, for people.
func cause(ctx context.Context, err error) string {
	if reason := context.Cause(ctx); reason != nil {
		return reason.Error()
	}
	return err.Error()
}
