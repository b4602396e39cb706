package resolver

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
)

// How NOTIFY messages are sent.
const (
	// notifyPause is how long a secondary is left alone after it was told: what changes meanwhile it is told of in one
	// go. Secondaries load a zone anew after a transfer: NSD takes a second for that.
	notifyPause = time.Second
	// notifyTimeout is how long to wait for a secondary's reply, the first time; each of notifyTries waits twice as
	// long as the one before (RFC 1996, sections 3.6 and 4.2).
	notifyTimeout = time.Second
	notifyTries   = 6
)

// notifier tells the secondaries that zones changed (RFC 1996).
type notifier struct {
	zone        Zone
	secondaries []Secondary
	keys        keyring
	log         *slog.Logger
	pause       time.Duration // notifyPause and notifyTimeout, but in a test
	timeout     time.Duration
}

// run tells a secondary until ctx ends. It is told of the newest serial only, however many there were.
func (n *notifier) run(ctx context.Context, to Secondary) {
	told := make(map[string]uint32) // serials by zone
	failing := false
	for ctx.Err() == nil {
		updated := n.zone.Updated()
		var due []records.Apex
		if s := n.zone.Snapshot(); n.zone.Ready() && !s.Provisional() {
			due = slices.DeleteFunc(slices.Clone(s.Apexes()), func(a records.Apex) bool {
				serial, known := told[a.Name]
				return known && serial == a.Serial
			})
		}
		if len(due) == 0 {
			select {
			case <-updated:
			case <-ctx.Done():
			}
			continue
		}
		for _, apex := range due {
			err := n.tell(ctx, to, apex)
			if ctx.Err() != nil {
				return
			}
			told[apex.Name] = apex.Serial // one that does not answer is told of the next change
			if err != nil && !failing {
				n.log.Warn("a secondary does not answer NOTIFY; it will look for changes by itself", "secondary", to.Addr,
					"zone", apex.Name, "err", err)
			}
			failing = err != nil
		}
		pause(ctx, n.pause)
	}
}

// tell sends a NOTIFY message and waits for the reply, several times if need be.
func (n *notifier) tell(ctx context.Context, to Secondary, apex records.Apex) (err error) {
	m := new(dns.Msg)
	m.SetNotify(apex.Name)
	set := n.zone.Snapshot().LookupName(apex.Name).RRset(records.TypeSOA)
	m.Answer = []dns.RR{resourceRecord(apex.Name, set, 0)} // a hint (RFC 1996, section 3.7)
	client := &dns.Client{Net: "udp"}
	if key, signed := n.keys[dns.CanonicalName(to.Key)]; signed {
		client.TsigSecret = map[string]string{dns.CanonicalName(key.Name): key.secret()}
		m.SetTsig(dns.CanonicalName(key.Name), key.Algorithm+".", fudge, time.Now().Unix())
	}
	wait := n.timeout
	for range notifyTries {
		client.Timeout = wait
		var reply *dns.Msg
		started := time.Now()
		if reply, _, err = client.ExchangeContext(ctx, m.Copy(), to.Addr.String()); err == nil && reply.Opcode == dns.OpcodeNotify {
			if reply.Rcode != dns.RcodeSuccess {
				return fmt.Errorf("the reply is %s", dns.RcodeToString[reply.Rcode])
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause(ctx, wait-time.Since(started)) // a port that is closed says so at once
		wait *= 2
	}
	return cmp.Or(err, fmt.Errorf("the reply is of another opcode"))
}

// notified is the reply to a NOTIFY message: the zones of this server are its own, and nobody has to tell it of them
// (RFC 1996, section 3.10); of others it wants to know nothing. The type SOA says what changed; the RFC has no other yet
// (section 3.12).
func (h *handler) notified(q *query) *dns.Msg {
	if q.question.Type != dns.TypeSOA {
		return q.reply(dns.RcodeFormatError)
	}
	apex := h.zone.Snapshot().ApexOf(q.question.Name)
	if apex == nil || apex.Wire() != string(q.question.Name) || q.question.Class != dns.ClassINET {
		return q.reply(dns.RcodeNotAuth)
	}
	m := q.reply(dns.RcodeSuccess)
	m.Authoritative = true
	return m
}
