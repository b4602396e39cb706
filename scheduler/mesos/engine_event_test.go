package mesos

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/scheduler"
)

func mustDecodeSchedulerEvent(t testing.TB, text string) v1Event {
	t.Helper()
	e, err := decodeSchedulerEvent(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return e
}

// Every event of the recordings can be read.
func TestRecordedSchedulerEvents(t *testing.T) {
	seen := map[string]int{}
	for _, name := range []string{"scheduler/lifecycle.events.jsonl", "scheduler/rescind-inverse-failure.events.jsonl"} {
		for _, line := range recordedEvents(t, name) {
			e := mustDecodeSchedulerEvent(t, string(line))
			seen[e.Type]++
			switch e.Type {
			case schedulerSubscribed:
				if e.Subscribed.FrameworkID.Value == "" || heartbeatInterval(e.Subscribed.HeartbeatInterval) != 15*time.Second {
					t.Errorf("subscribed %+v", e.Subscribed)
				}
				if at, err := e.Subscribed.Master.address(); err != nil || at != "127.0.0.11:5050" {
					t.Errorf("master %s, %v", at, err)
				}
			case schedulerOffers:
				for _, o := range e.Offers.Offers {
					if o.ID.Value == "" || o.AgentID.Value == "" || !o.address().IsLoopback() || len(o.Resources) == 0 || o.Allocation.Role == "" {
						t.Errorf("offer %+v", o)
					}
				}
			case schedulerRescind:
				if e.Rescind.OfferID.Value == "" {
					t.Errorf("rescind %s", line)
				}
			case schedulerInverseOffers:
				if o := e.InverseOffers.InverseOffers; len(o) != 1 || o[0].ID.Value == "" {
					t.Errorf("inverse offers %s", line)
				}
			case schedulerUpdate:
				if s := e.Update.Status.status(); s.TaskID == "" || !strings.HasPrefix(string(s.State), "TASK_") || s.Timestamp.Year() != 2026 {
					t.Errorf("status %+v", s)
				}
			case schedulerFailure:
				if e.Failure.AgentID == nil {
					t.Errorf("failure %s", line)
				}
			}
		}
	}
	for _, kind := range []string{schedulerSubscribed, schedulerHeartbeat, schedulerOffers, schedulerRescind, schedulerInverseOffers,
		schedulerRescindInverseOffer, schedulerUpdate, schedulerFailure, "MESSAGE", "UPDATE_OPERATION_STATUS"} {
		if seen[kind] == 0 {
			t.Errorf("the recordings have no %s", kind)
		}
	}
}

func TestStatusOfAnUpdate(t *testing.T) {
	for _, c := range []struct {
		name, status string
		want         scheduler.TaskStatus
	}{
		{"from an executor", `{"task_id":{"value":"sleep-1"},"state":"TASK_STARTING","source":"SOURCE_EXECUTOR","agent_id":{"value":"m-S0"},
			"executor_id":{"value":"sleep-1"},"timestamp":1795255049.5,"uuid":"WyIREL3DQqidCxtw35vLmw==","container_status":
			{"network_infos":[{"ip_addresses":[{"protocol":"IPv4","ip_address":"127.0.0.1"}]}],"executor_pid":30986}}`,
			scheduler.TaskStatus{TaskID: "sleep-1", AgentID: "m-S0", State: scheduler.TaskStarting, Ack: "WyIREL3DQqidCxtw35vLmw==",
				Timestamp: time.Unix(1795255049, 5e8), Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}},
		{"since when its agent is not heard of", `{"task_id":{"value":"t"},"state":"TASK_UNREACHABLE","message":"health check timed out",
			"reason":"REASON_AGENT_REMOVED","agent_id":{"value":"m-S0"},"timestamp":1795255021.03482,
			"unreachable_time":{"nanoseconds":1795255021029184001}}`,
			scheduler.TaskStatus{TaskID: "t", AgentID: "m-S0", State: scheduler.TaskUnreachable, Message: "health check timed out",
				Reason: "REASON_AGENT_REMOVED", Timestamp: time.Unix(0, 1795255021029184001)}},
		{"the same in the form of protocol buffers", `{"task_id":{"value":"t"},"state":"TASK_UNREACHABLE","unreachable_time":{"nanoseconds":"1795255021029184001"}}`,
			scheduler.TaskStatus{TaskID: "t", State: scheduler.TaskUnreachable, Timestamp: time.Unix(0, 1795255021029184001)}},
		{"health", `{"task_id":{"value":"t"},"state":"TASK_RUNNING","healthy":false,"reason":"REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"}`,
			scheduler.TaskStatus{TaskID: "t", State: scheduler.TaskRunning, Healthy: ptr(false), Reason: "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"}},
		{"nothing but a name", `{"task_id":{"value":"t"},"timestamp":-1e300,"later":{"mesos":1}}`, scheduler.TaskStatus{TaskID: "t"}},
	} {
		e := mustDecodeSchedulerEvent(t, `{"type":"UPDATE","update":{"status":`+c.status+`}}`)
		if diff := cmp.Diff(c.want, e.Update.Status.status(), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestAttributesAsConstraintsSeeThem(t *testing.T) {
	e := mustDecodeSchedulerEvent(t, `{"type":"OFFERS","offers":{"offers":[{"id":{"value":"O"},"hostname":"10.0.0.7","attributes":[
		{"name":"rack","type":"TEXT","text":{"value":"r1"}},{"name":"level","type":"SCALAR","scalar":{"value":1.5}},
		{"name":"whole","type":"SCALAR","scalar":{"value":2}},{"name":"long","type":"SCALAR","scalar":{"value":1.10149}},
		{"name":"half","type":"SCALAR","scalar":{"value":0.0005}},{"name":"ten","type":"SCALAR","scalar":{"value":10}},
		{"name":"rooms","type":"RANGES","ranges":{"range":[{"begin":7,"end":9},{"begin":1,"end":3}]}},
		{"name":"os","type":"SET","set":{"item":["b","a"]}},{"name":"none","type":"LATER"}]}]}}`)
	got := map[string]string{}
	for _, a := range e.Offers.Offers[0].Attributes {
		got[a.Name] = a.text()
	}
	want := map[string]string{"rack": "r1", "level": "1.5", "whole": "2", "long": "1.101", "half": "0", "ten": "10",
		"rooms": "[1-3,7-9]", "os": "{a,b}", "none": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a := e.Offers.Offers[0].address(); a != netip.MustParseAddr("10.0.0.7") {
		t.Errorf("address %v", a)
	}
}

// rawStream takes the records out of a recorded HTTP response.
func rawStream(stream io.Reader) ([]v1Event, error) {
	response, err := http.ReadResponse(bufio.NewReader(stream), nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	records := NewRecordReader(response.Body, longestSchedulerEvent)
	var out []v1Event
	for {
		record, err := records.Next()
		if err != nil {
			return out, err
		}
		e, err := decodeSchedulerEvent(record)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
}

// A recorded stream gives the same events wherever it is cut into pieces; one that ends early gives those before.
func TestRecordedStreamCutAtEveryByte(t *testing.T) {
	data, err := os.ReadFile(recording(t, "scheduler/lifecycle.raw").Name())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := rawStream(bytes.NewReader(data))
	if err != io.EOF || len(whole) < 20 {
		t.Fatalf("%d events, %v", len(whole), err)
	}
	kinds := func(events []v1Event) (out []string) {
		for _, e := range events {
			out = append(out, e.Type+e.Update.Status.UUID+e.Rescind.OfferID.Value)
		}
		return out
	}
	want := kinds(whole)
	if got, err := rawStream(iotest.OneByteReader(bytes.NewReader(data))); err != io.EOF || !slices.Equal(kinds(got), want) {
		t.Errorf("byte by byte: %d events, %v", len(got), err)
	}
	head := bytes.Index(data, []byte("\r\n\r\n")) + 4
	// As many bytes as hold events of several kinds; all of them would take long.
	for cut := head; cut < min(len(data), head+4000); cut++ {
		got, err := rawStream(io.MultiReader(bytes.NewReader(data[:cut]), iotest.ErrReader(errCut)))
		if !errors.Is(err, errCut) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if k := kinds(got); !slices.Equal(k, want[:len(k)]) {
			t.Fatalf("cut at %d: events %v", cut, k)
		}
		begin := bytes.NewReader(data[cut:min(len(data), cut+100)])
		got, err = rawStream(io.MultiReader(bytes.NewReader(data[:cut]), begin, iotest.ErrReader(errCut)))
		if k := kinds(got); !errors.Is(err, errCut) || !slices.Equal(k, want[:len(k)]) {
			t.Fatalf("in two pieces at %d: %v, %v", cut, k, err)
		}
	}
}

var errCut = errors.New("the connection is cut")

// Whatever comes is an event or an error, and what is made of an event does not panic.
func FuzzSchedulerEvent(f *testing.F) {
	f.Add(`{"type":"UPDATE","update":{"status":{"task_id":{"value":"t"},"state":"TASK_LOST","timestamp":1e18,"agent_id":null}}}`)
	f.Add(`{"type":"OFFERS","offers":{"offers":[{"resources":[{"name":"ports","ranges":{"range":[{"begin":-1,"end":99999999}]}},{"name":"cpus"}],"attributes":[{}]}]}}`)
	f.Add(`{"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":-1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := decodeSchedulerEvent(strings.NewReader(text))
		if err != nil {
			return
		}
		e.Update.Status.status()
		if e.Subscribed != nil && heartbeatInterval(e.Subscribed.HeartbeatInterval) <= 0 {
			t.Error("no time between heartbeats")
		}
		for _, o := range e.Offers.Offers {
			o.address()
			for _, a := range o.Attributes {
				a.text()
			}
			for _, r := range o.Resources {
				for _, p := range r.ports() {
					if p.Begin < 1 || p.End > 65535 || p.Begin > p.End {
						t.Errorf("ports %v", p)
					}
				}
			}
		}
	})
}
