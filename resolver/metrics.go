package resolver

import (
	"errors"
	"fmt"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a server counts. Their names are part of what rollcall promises:
//
//	rollcall_dns_queries_total{type,rcode}         counter: questions answered; type "other" for rare ones, "none" for
//	                                               messages that could not be read
//	rollcall_dns_dropped_total                     counter: packets not answered, as too many were being answered
//	rollcall_dns_limited_total{action}             counter: replies to strangers, over UDP, that were too many ("dropped",
//	                                               or replaced by one with TC, "slipped") or too long ("truncated")
//	rollcall_dns_forwards_total{upstream,result}   counter: questions to an upstream server; result "reply" or "failure"
//	rollcall_dns_cache_hits_total                  counter: forwarded questions answered from the cache
//	rollcall_dns_cache_misses_total                counter: those that were not
//	rollcall_dns_transfers_total{kind}             counter: zone transfers completed, "whole" or "incremental"
//	rollcall_dns_zone_records                      gauge: records in the zone
//	rollcall_dns_zone_names                        gauge: names with records
//	rollcall_dns_zone_tasks                        gauge: tasks that are published
//	rollcall_dns_zone_skipped                      gauge: records that cannot be published
//	rollcall_dns_zone_collisions                   gauge: names with records of several that do not know of each other
//	rollcall_dns_zone_serial                       gauge: serial of the SOA record
//	rollcall_dns_zone_ready                        gauge: 1 when all sources of names have spoken, else 0
//	rollcall_dns_zone_changed_timestamp_seconds    gauge: when the zone last changed, Unix time; 0 for never
type metrics struct {
	queries  [len(queryTypes) + 1][len(queryRcodes) + 1]prometheus.Counter // the last ones are the others
	forwards *prometheus.CounterVec
	dropped  prometheus.Counter
	times    answerTimes

	strangersDropped, strangersSlipped, strangersCut prometheus.Counter

	cacheHits, cacheMisses prometheus.Counter
	transfers              *prometheus.CounterVec
	forwarding             *forwardMetrics
}

// queryTypes and queryRcodes are those that are counted apart. Others share one counter, as clients can make them up.
var (
	queryTypes = [...]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeSOA, dns.TypeNS, dns.TypeANY, dns.TypePTR,
		dns.TypeMX, dns.TypeTXT, dns.TypeCNAME, dns.TypeDS, dns.TypeHTTPS, dns.TypeNone}
	queryRcodes = [...]int{dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure, dns.RcodeRefused,
		dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers, dns.RcodeBadCookie}
)

// newMetrics makes the metrics and registers them.
func newMetrics(zone Zone, registry *prometheus.Registry) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "rollcall_dns_" + name, Help: help})
	}
	queries := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_dns_queries_total",
		Help: "DNS questions answered, by type and response code."}, []string{"type", "rcode"})
	m := &metrics{
		forwards: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_dns_forwards_total",
			Help: "DNS questions to upstream servers, by server and whether it replied."}, []string{"upstream", "result"}),
		dropped:     counter("dropped_total", "DNS packets not answered, as too many were being answered."),
		cacheHits:   counter("cache_hits_total", "Forwarded DNS questions answered from the cache."),
		cacheMisses: counter("cache_misses_total", "Forwarded DNS questions that were not in the cache."),
		forwarding:  newForwardMetrics(),
	}
	limited := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_dns_limited_total",
		Help: "Replies to clients that nothing is known of that were too many or too long."}, []string{"action"})
	m.strangersDropped = limited.WithLabelValues("dropped")
	m.strangersSlipped = limited.WithLabelValues("slipped")
	m.strangersCut = limited.WithLabelValues("truncated")
	m.transfers = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_dns_transfers_total",
		Help: "Zone transfers completed, whole or incremental."}, []string{"kind"})
	for i := range m.queries {
		for j := range m.queries[i] {
			m.queries[i][j] = queries.WithLabelValues(typeLabel(i), rcodeLabel(j))
		}
	}
	collectors := append(zoneGauges(zone), queries, m.dropped, &m.times, limited, m.forwards, m.cacheHits, m.cacheMisses, m.transfers)
	collectors = append(collectors, m.forwarding.collectors()...)
	var errs []error
	for _, c := range collectors {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the metrics of DNS: %w", err)
	}
	return m, nil
}

// zoneGauges read the zone when they are asked.
func zoneGauges(zone Zone) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_dns_zone_" + name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("records", "Records in the zone.",
			func() float64 { return float64(zone.Snapshot().Stats().Records) }),
		gauge("names", "Names in the zone that have records.",
			func() float64 { return float64(zone.Snapshot().Stats().Names) }),
		gauge("tasks", "Tasks whose names are published.",
			func() float64 { return float64(zone.Snapshot().Stats().Tasks) }),
		gauge("skipped", "Records that cannot be published, as no DNS message can carry them.",
			func() float64 { return float64(zone.Snapshot().Stats().Skipped) }),
		gauge("collisions", "Names with records of several tasks or frameworks that do not know of each other.",
			func() float64 { return float64(zone.Snapshot().Stats().Collisions) }),
		gauge("serial", "Serial of the zone's SOA record.",
			func() float64 { return float64(zone.Snapshot().Serial()) }),
		gauge("ready", "1 when all sources of names have spoken, else 0.", func() float64 {
			if zone.Ready() {
				return 1
			}
			return 0
		}),
		gauge("changed_timestamp_seconds", "When the zone last changed, in Unix time; 0 for never.", func() float64 {
			changed := zone.Snapshot().Stats().Changed
			if changed.IsZero() {
				return 0
			}
			return float64(changed.UnixMilli()) / 1e3
		}),
	}
}

// answered counts a reply. It does not allocate.
func (m *metrics) answered(qtype uint16, rcode int) {
	i, j := queryLabels(qtype, rcode)
	m.queries[i][j].Inc()
}

// queryLabels says where a reply is counted.
func queryLabels(qtype uint16, rcode int) (i, j int) {
	for i < len(queryTypes) && queryTypes[i] != qtype {
		i++
	}
	for j < len(queryRcodes) && queryRcodes[j] != rcode {
		j++
	}
	return i, j
}

// tally counts replies for one goroutine until it counts them for all, so that processors do not wait for each other at
// each reply.
type tally struct {
	counts  [len(queryTypes) + 1][len(queryRcodes) + 1]uint32
	counted [][2]uint8 // those that are not 0
}

func newTally() tally {
	return tally{counted: make([][2]uint8, 0, (len(queryTypes)+1)*(len(queryRcodes)+1))}
}

// answered counts a reply.
func (t *tally) answered(qtype uint16, rcode int) {
	i, j := queryLabels(qtype, rcode)
	if t.counts[i][j]++; t.counts[i][j] == 1 {
		t.counted = append(t.counted, [2]uint8{uint8(i), uint8(j)})
	}
}

// add adds what was counted to the metrics.
func (t *tally) add(m *metrics) {
	for _, at := range t.counted {
		count := &t.counts[at[0]][at[1]]
		m.queries[at[0]][at[1]].Add(float64(*count))
		*count = 0
	}
	t.counted = t.counted[:0]
}

func typeLabel(i int) string {
	if i == len(queryTypes) {
		return "other"
	}
	if queryTypes[i] == dns.TypeNone {
		return "none"
	}
	return dns.TypeToString[queryTypes[i]]
}

func rcodeLabel(j int) string {
	if j == len(queryRcodes) {
		return "other"
	}
	if queryRcodes[j] == dns.RcodeBadVers {
		return "BADVERS" // which the library calls by its other meaning, BADSIG
	}
	return dns.RcodeToString[queryRcodes[j]]
}
