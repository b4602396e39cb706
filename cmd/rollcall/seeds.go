package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// seedsOptions are the flags of rollcall seeds.
type seedsOptions struct {
	Name      string
	Min       int            // how many there must be
	Port      uint16         // appended to each address; 0: none
	SRV       bool           // the name has SRV records, which tell the ports
	Separator string         // between them
	Timeout   time.Duration  // after which it gives up; 0: when it has asked once
	Server    netip.AddrPort // invalid: those of resolv.conf
}

func defaultSeedsOptions() seedsOptions {
	return seedsOptions{Min: 1, Separator: ",", Timeout: time.Minute}
}

// seedsInterval is how long rollcall seeds waits until it asks again.
const seedsInterval = 500 * time.Millisecond

// runSeeds is rollcall seeds: it asks DNS for a name until enough seeds are found, and prints them.
func runSeeds(ctx context.Context, o seedsOptions, stdout io.Writer) error {
	servers, err := seedServers(o.Server, resolvConf)
	if err != nil {
		return err
	}
	found, err := (&seedSearch{options: o, servers: servers, interval: seedsInterval}).run(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, strings.Join(found, o.Separator)); err != nil {
		return fmt.Errorf("printing the seeds: %w", err)
	}
	return nil
}

// seedServers reads whom to ask from a file in the form of resolv.conf(5). A server that is given is asked instead of
// those in the file; what the file has to append to names counts for it, too.
func seedServers(server netip.AddrPort, path string) (*dns.ClientConfig, error) {
	c, err := dns.ClientConfigFromFile(path)
	if server.IsValid() {
		if err != nil {
			c = &dns.ClientConfig{Ndots: 1, Timeout: 5}
		}
		c.Servers, c.Port = []string{server.Addr().String()}, fmt.Sprint(server.Port())
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding out whom to ask: %w; -server names a DNS server", err)
	}
	if len(c.Servers) == 0 {
		return nil, fmt.Errorf("%s names no DNS server; -server does", path)
	}
	return c, nil
}

// seedSearch asks for the seeds of a name.
type seedSearch struct {
	options  seedsOptions
	servers  *dns.ClientConfig
	interval time.Duration // between questions
}

// run asks until there are enough, the time is over, or ctx ends. The error tells what was seen last.
func (s *seedSearch) run(ctx context.Context) ([]string, error) {
	o := s.options
	limited := ctx
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	var seen []string
	var problem error
	for {
		found, err := s.ask(limited)
		if len(found) >= o.Min {
			return s.format(found), nil
		}
		// A question that was cut short by the end of the time says nothing; its socket may notice before the context.
		if end, ends := limited.Deadline(); limited.Err() == nil && (!ends || time.Now().Before(end)) {
			seen, problem = s.format(found), err
		}
		if o.Timeout > 0 {
			select {
			case <-limited.Done():
			case <-time.After(s.interval):
				continue
			}
		}
		return nil, s.tooFew(ctx, seen, problem)
	}
}

// tooFew says why there are no seeds to print.
func (s *seedSearch) tooFew(ctx context.Context, seen []string, problem error) error {
	what, after := "addresses", ""
	if s.options.SRV {
		what = "targets"
	}
	if s.options.Timeout > 0 {
		after = fmt.Sprintf(" after %s", s.options.Timeout)
	}
	if ctx.Err() != nil {
		after = " when it was stopped"
	}
	text := fmt.Sprintf("%s has %d %s%s, %d wanted", s.options.Name, len(seen), what, after, s.options.Min)
	if len(seen) > 0 {
		text += ": " + strings.Join(seen, s.options.Separator)
	}
	if problem != nil {
		return fmt.Errorf("%s: %w", text, problem)
	}
	return errors.New(text)
}

// format writes addresses as they are to be printed.
func (s *seedSearch) format(found []netip.AddrPort) []string {
	var out []string
	for _, a := range found {
		if s.options.Port == 0 && !s.options.SRV {
			out = append(out, a.Addr().String())
		} else {
			out = append(out, netip.AddrPortFrom(a.Addr(), cmp.Or(s.options.Port, a.Port())).String())
		}
	}
	return out
}

// ask looks the seeds up once: in ascending order, each once. Without SRV their ports are 0.
func (s *seedSearch) ask(ctx context.Context) ([]netip.AddrPort, error) {
	if !s.options.SRV {
		addresses, err := s.addresses(ctx, s.options.Name)
		var out []netip.AddrPort
		for _, a := range addresses {
			out = append(out, netip.AddrPortFrom(a, 0))
		}
		return distinct(out), err
	}
	answer, err := s.lookup(ctx, s.options.Name, dns.TypeSRV)
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	var problems []error
	for _, rr := range answer {
		srv, ok := rr.(*dns.SRV)
		if !ok || srv.Target == "." { // "." is no service at all (RFC 2782)
			continue
		}
		addresses, err := s.addresses(ctx, srv.Target)
		if err != nil {
			problems = append(problems, fmt.Errorf("target %s: %w", srv.Target, err))
		}
		for _, a := range addresses {
			out = append(out, netip.AddrPortFrom(a, srv.Port))
		}
	}
	return distinct(out), errors.Join(problems...)
}

func distinct(list []netip.AddrPort) []netip.AddrPort {
	slices.SortFunc(list, netip.AddrPort.Compare)
	return slices.Compact(list)
}

// addresses looks up the addresses of a name: the IPv4 ones, and where it has none, the IPv6 ones. So a machine with
// both is one seed.
func (s *seedSearch) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := s.lookup(ctx, name, kind)
		if err != nil {
			return nil, err
		}
		var out []netip.Addr
		for _, rr := range answer {
			var ip []byte
			switch rr := rr.(type) {
			case *dns.A:
				ip = rr.A
			case *dns.AAAA:
				ip = rr.AAAA
			}
			if a, ok := netip.AddrFromSlice(ip); ok {
				out = append(out, a.Unmap())
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, nil
}

// lookup asks for records of a name, with what is to be appended to it in turn, until there are some. That there are
// none is no error.
func (s *seedSearch) lookup(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	for _, full := range s.servers.NameList(name) {
		question := new(dns.Msg)
		question.SetQuestion(full, kind)
		question.SetEdns0(dns.DefaultMsgSize, false)
		answer, err := s.exchange(ctx, question)
		if err != nil {
			return nil, err
		}
		if len(answer.Answer) > 0 {
			return answer.Answer, nil
		}
	}
	return nil, nil
}

// exchange puts a question to one server after the other until one answers it, be it that the name does not exist.
func (s *seedSearch) exchange(ctx context.Context, question *dns.Msg) (*dns.Msg, error) {
	client := dns.Client{Timeout: time.Duration(s.servers.Timeout) * time.Second}
	var problems []error
	for _, server := range s.servers.Servers {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		client.Net = "udp"
		address := net.JoinHostPort(server, s.servers.Port)
		answer, _, err := client.ExchangeContext(ctx, question, address)
		if err == nil && answer.Truncated {
			client.Net = "tcp"
			answer, _, err = client.ExchangeContext(ctx, question, address)
		}
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("asking %s: %w", address, err))
		case answer.Rcode == dns.RcodeSuccess || answer.Rcode == dns.RcodeNameError:
			return answer, nil
		default:
			problems = append(problems, fmt.Errorf("%s answers %s", address, dns.RcodeToString[answer.Rcode]))
		}
	}
	return nil, errors.Join(problems...)
}
