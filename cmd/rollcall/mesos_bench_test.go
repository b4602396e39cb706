package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/records"
	"rollcall/scheduler/mesos"
)

// benchMaster is a master of a cluster with one task, whose state it tells by its event stream or when it is asked.
type benchMaster struct {
	*httptest.Server
	streams bool
	events  chan string

	mu    sync.Mutex
	state string // of the task
}

func newBenchMaster(b *testing.B, streams bool) *benchMaster {
	m := &benchMaster{streams: streams, events: make(chan string), state: "TASK_STAGING"}
	m.Server = httptest.NewServer(m)
	b.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	return m
}

func (m *benchMaster) address() string { return strings.TrimPrefix(m.URL, "http://") }

// set changes the task's state.
func (m *benchMaster) set(state string) {
	m.mu.Lock()
	m.state = state
	m.mu.Unlock()
	if m.streams {
		m.events <- fmt.Sprintf(`{"type":"TASK_UPDATED","task_updated":{"framework_id":{"value":"f"},"state":%q,`+
			`"status":{"task_id":{"value":"probe"},"state":%q,"timestamp":1}}}`, state, state)
	}
}

func (m *benchMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	state := m.state
	m.mu.Unlock()
	switch {
	case r.URL.Path == "/master/state":
		fmt.Fprintf(w, `{"leader":"master@%s","id":"m","slaves":[{"id":"x-S0","pid":"slave(1)@10.1.0.1:5051"}],"frameworks":[`+
			`{"id":"f","name":"marathon","tasks":[{"id":"probe","name":"probe","slave_id":"x-S0","state":%q}]}]}`, m.address(), state)
	case !m.streams:
		http.NotFound(w, r)
	case bytes.Contains(body, []byte("GET_MASTER")):
		io.WriteString(w, `{"type":"GET_MASTER","get_master":{"master_info":{"id":"m","address":{"ip":"127.0.0.1","port":5050}}}}`) //nolint:errcheck // the client sees
	case bytes.Contains(body, []byte("SUBSCRIBE")):
		event := fmt.Sprintf(`{"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[{"name":"probe",`+
			`"task_id":{"value":"probe"},"framework_id":{"value":"f"},"agent_id":{"value":"x-S0"},"state":%q}]},`+
			`"get_frameworks":{"frameworks":[{"framework_info":{"id":{"value":"f"},"name":"marathon"}}]},"get_agents":{"agents":[`+
			`{"agent_info":{"id":{"value":"x-S0"}},"pid":"slave(1)@10.1.0.1:5051"}]}},"heartbeat_interval_seconds":15.0}}`, state)
		for {
			fmt.Fprintf(w, "%d\n%s", len(event), event)
			w.(http.Flusher).Flush()
			select {
			case event = <-m.events:
			case <-r.Context().Done():
				return
			}
		}
	default:
		http.NotFound(w, r)
	}
}

// BenchmarkMasterToAnswer takes the time from the moment a master knows that a task runs to the moment a DNS client is
// answered with it: by the master's events, and by polling once a second, which is the shortest period there is.
// Each change comes right after a poll, so that this is the longest that one waits; the mean is half of it. Mesos-DNS
// polls once a minute unless told otherwise.
func BenchmarkMasterToAnswer(b *testing.B) {
	for name, streams := range map[string]bool{"events": true, "polling=1s": false} {
		b.Run(name, func(b *testing.B) {
			m := newBenchMaster(b, streams)
			c, _, err := parseConfig(fmt.Appendf(nil, `{"masters": [%q], "refreshSeconds": 1, "listener": "127.0.0.1", "port": 0, `+
				`"httpon": false, "externalon": false}`, m.address()), "config.json")
			if err != nil {
				b.Fatal(err)
			}
			s, err := newServer(c, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- s.run(ctx, nil) }()
			defer func() { cancel(); <-done }()
			<-s.mesos.cluster.first
			ask := newAsker(b, s.dnsAddr(), "probe.marathon.mesos.")
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				m.set("TASK_RUNNING")
				for !ask.found() {
				}
				took = append(took, time.Since(begin))
				m.set("TASK_STAGING")
				for ask.found() {
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(0, "ns/op") // a loop is more than what is measured
		})
	}
}

// bigState is the state document of a cluster with many tasks, ten to an app and twenty to an agent.
func bigState(tasks int) []byte {
	var out bytes.Buffer
	out.WriteString(`{"id":"m","leader":"master@10.0.0.1:5050","slaves":[`)
	for i := range max(1, tasks/20) {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"id":"20141110-S%d","pid":"slave(1)@10.1.%d.%d:5051","hostname":"h%d","attributes":{},"resources":{"cpus":4.0,"mem":8192.0}}`,
			i, i>>8, i&255, i)
	}
	out.WriteString(`],"frameworks":[{"id":"f","name":"marathon","pid":"scheduler-1@10.0.0.2:4000","tasks":[`)
	for i := range tasks {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"id":"prod_app%d_web.%08x-6868-11e4-a2f2-56847afe9799","name":"web.app%d.prod","framework_id":"f",`+
			`"executor_id":"","slave_id":"20141110-S%d","state":"TASK_RUNNING","resources":{"cpus":0.1,"disk":0,"mem":32,`+
			`"ports":"[%d-%d]"},"statuses":[{"state":"TASK_STARTING","timestamp":1795255911.16},{"state":"TASK_RUNNING",`+
			`"timestamp":1795255913.16,"container_status":{"network_infos":[{"ip_addresses":[{"protocol":"IPv4","ip_address":"10.%d.%d.%d"}]}]}}],`+
			`"labels":[{"key":"team","value":"search"}],"discovery":{"visibility":"FRAMEWORK","name":"web.app%d.prod","ports":{"ports":[`+
			`{"number":%d,"name":"http","protocol":"tcp"}]}}}`,
			i/10, i, i/10, i/20, 31000+i%20, 31000+i%20, 100+i>>16, i>>8&255, i&255, i/10, 31000+i%20)
	}
	out.WriteString(`],"completed_tasks":[]}],"unreachable_tasks":[]}`)
	return out.Bytes()
}

// newBenchCluster is what stands between a reader of a cluster's state and the zone.
func newBenchCluster(b *testing.B) (mesos.Sink, *records.Zone) {
	zone, err := records.New(records.DefaultOptions("mesos"))
	if err != nil {
		b.Fatal(err)
	}
	c := newCluster(zone, mesos.NewHosts(lookUpHost))
	return mesos.NewRetainer(&mesos.Except{Next: c}, slog.New(slog.DiscardHandler)), zone
}

func decodeBig(b *testing.B, document []byte) mesos.State {
	state, err := mesos.DecodeState(bytes.NewReader(document))
	if err != nil || state.Broken.Count > 0 || len(state.Tasks) != 100_000 {
		b.Fatal(err, state.Broken, len(state.Tasks))
	}
	return state
}

// BenchmarkState100k decodes a state of 100,000 tasks and makes names of it, and says how much memory is in use then.
func BenchmarkState100k(b *testing.B) {
	document := bigState(100_000)
	b.SetBytes(int64(len(document)))
	var before, after runtime.MemStats
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		sink, zone := newBenchCluster(b)
		b.StartTimer()
		sink.Reset(decodeBig(b, document))
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		b.ReportMetric(float64(len(document))/1e6, "document-MB")
		if got := zone.Snapshot().Stats().Tasks; got != 100_000 {
			b.Fatal(got)
		}
		runtime.KeepAlive(sink)
		b.StartTimer()
	}
}

// BenchmarkStateAgain100k is a poll that finds the 100,000 tasks as they were.
func BenchmarkStateAgain100k(b *testing.B) {
	document := bigState(100_000)
	sink, zone := newBenchCluster(b)
	sink.Reset(decodeBig(b, document))
	serial := zone.Snapshot().Serial()
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		sink.Reset(decodeBig(b, document))
	}
	if zone.Snapshot().Serial() != serial {
		b.Error("the serial has moved")
	}
}

// BenchmarkTaskChange100k is one task of 100,000 that changes: from what was read of it to the names.
func BenchmarkTaskChange100k(b *testing.B) {
	state := decodeBig(b, bigState(100_000))
	sink, _ := newBenchCluster(b)
	sink.Reset(state)
	task := state.Tasks[50_000]
	ports := [2][]int{{32000}, {32001}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		task.Ports = ports[i%2]
		sink.Apply(mesos.Change{Tasks: []mesos.Task{task}})
	}
}
