package mesos

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall/scheduler"
)

func resourcesJSON(t *testing.T, resources []v1Resource) string {
	t.Helper()
	data, err := json.Marshal(resources)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func offersEvent(t *testing.T, offers ...string) []v1Offer {
	t.Helper()
	return mustDecodeSchedulerEvent(t, `{"type":"OFFERS","offers":{"offers":[`+strings.Join(offers, ",")+`]}}`).Offers.Offers
}

func offerJSON(id, agent, role, resources string) string {
	return fmt.Sprintf(`{"id":{"value":%q},"agent_id":{"value":%q},"hostname":"h","allocation_info":{"role":%q},"resources":[%s]}`, id, agent, role, resources)
}

const (
	cpu2    = `{"name":"cpus","type":"SCALAR","scalar":{"value":2},"allocation_info":{"role":"dev"}}`
	cpuDev  = `{"name":"cpus","type":"SCALAR","scalar":{"value":0.5},"allocation_info":{"role":"dev"},"reservations":[{"type":"STATIC","role":"dev"}]}`
	portDev = `{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":80,"end":81}]},"allocation_info":{"role":"dev"},"reservations":[{"type":"DYNAMIC","role":"dev","principal":"ops"}]}`
	port31  = `{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":31005}]},"allocation_info":{"role":"dev"}}`
)

// Offers of one agent for one role that come together are one; what each task takes names the resources as they came.
func TestOffersOfOneAgentAreOne(t *testing.T) {
	var p offerPool
	got := p.add(offersEvent(t,
		offerJSON("O1", "S1", "dev", cpu2+","+port31), offerJSON("O2", "S2", "dev", cpu2),
		offerJSON("O3", "S1", "dev", cpuDev+","+portDev), offerJSON("O4", "S1", "other", cpu2)), "")
	if len(got) != 3 || got[0].ID != "O1" || got[0].Resources.CPUs != 2 || got[0].Reserved.CPUs != 0.5 ||
		got[0].Reserved.Ports.String() != "[80-81]" || got[2].Role != "other" {
		t.Fatalf("%+v", got)
	}
	held := p.remove("O1")
	if diff := cmp.Diff([]string{"O1", "O3"}, held.ids); diff != "" {
		t.Errorf("accepts (-want +got):\n%s", diff)
	}
	taken, err := held.take(&scheduler.TaskInfo{
		Resources: scheduler.Resources{CPUs: 0.1, Ports: scheduler.PortRange{{Begin: 31001, End: 31002}, {Begin: 31004, End: 31004}}},
		Reserved:  scheduler.Resources{CPUs: 0.5, Ports: scheduler.PortRange{{Begin: 80, End: 80}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5},"allocation_info":{"role":"dev"},"reservations":[{"type":"STATIC","role":"dev"}]},` +
		`{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":80,"end":80}]},"allocation_info":{"role":"dev"},"reservations":[{"type":"DYNAMIC","role":"dev","principal":"ops"}]},` +
		`{"name":"cpus","type":"SCALAR","scalar":{"value":0.1},"allocation_info":{"role":"dev"}},` +
		`{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31001,"end":31002},{"begin":31004,"end":31004}]},"allocation_info":{"role":"dev"}}]`
	if diff := cmp.Diff(want, resourcesJSON(t, taken)); diff != "" {
		t.Errorf("takes (-want +got):\n%s", diff)
	}
	if unreserved, reserved := held.sum(); unreserved.CPUs != 1.9 || reserved.CPUs != 0 || unreserved.Ports.String() != "[31000-31000, 31003-31003, 31005-31005]" {
		t.Errorf("left: %+v, %+v", unreserved, reserved)
	}
	if _, err := held.take(&scheduler.TaskInfo{Resources: scheduler.Resources{Ports: scheduler.PortRange{{Begin: 31001, End: 31001}}}}); err == nil {
		t.Error("a port was given twice")
	}
	if offer, rest := p.rescind("O2"); offer != "O2" || len(rest) != 0 {
		t.Errorf("rescinds %s and %v", offer, rest)
	}
	p.add(offersEvent(t, offerJSON("O5", "S1", "dev", cpu2), offerJSON("O6", "S1", "dev", cpuDev)), "")
	if offer, rest := p.rescind("O6"); offer != "O5" || !cmp.Equal(rest, []string{"O5"}) {
		t.Errorf("rescinds %s and %v", offer, rest)
	}
	if p.remove("O5") != nil {
		t.Error("a rescinded offer is still there")
	}
}

// Resources may be reserved for a role above the one that they are offered for, and masters before 1.4 say in another form
// whom they are reserved for. A task names them as they came.
func TestReservationsInTheirForms(t *testing.T) {
	for name, c := range map[string]struct{ members, role string }{
		"of a role above":        {`"allocation_info":{"role":"eng/web"},"reservations":[{"type":"STATIC","role":"eng"}]`, "eng/web"},
		"refined":                {`"allocation_info":{"role":"eng/web"},"reservations":[{"type":"STATIC","role":"eng"},{"type":"DYNAMIC","role":"eng/web","principal":"ops"}]`, "eng/web"},
		"of 1.3, static":         {`"allocation_info":{"role":"dev"},"role":"dev"`, "dev"},
		"of 1.3, dynamic":        {`"allocation_info":{"role":"dev"},"role":"dev","reservation":{"principal":"ops"}`, "dev"},
		"of 1.1, without a role": {`"role":"dev"`, ""},
	} {
		var p offerPool
		resource := `{"name":"cpus","type":"SCALAR","scalar":{"value":1},` + c.members + `}`
		offers := p.add(offersEvent(t, offerJSON("O", "S", c.role, resource)), "")
		if offers[0].Reserved.CPUs != 1 || offers[0].Role != c.role {
			t.Errorf("%s: offered %+v", name, offers[0])
			continue
		}
		taken, err := p.remove("O").take(&scheduler.TaskInfo{Reserved: scheduler.Resources{CPUs: 1}})
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := errors.Join(json.Unmarshal([]byte(resourcesJSON(t, taken)), &got), json.Unmarshal([]byte("["+resource+"]"), &want)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: taken (-want +got):\n%s", name, diff)
		}
	}
}

// What is of no use is passed over, whatever type it has.
func TestUnknownResources(t *testing.T) {
	var p offerPool
	got := p.add(offersEvent(t, offerJSON("O", "S", "dev", cpu2+`,{"name":"rack","type":"SET","set":{"item":["a","b"]}},`+
		`{"name":"bandwidth","type":"SCALAR","scalar":{"value":10}},{"name":"later","type":"LATER","later":{"x":[1]}},`+
		`{"name":"ports","type":"SET","set":{"item":["80"]}},{"name":"mem","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}`)), "")
	if got[0].Resources.CPUs != 2 || got[0].Resources.Mem != 0 || got[0].Resources.Ports.Len() != 0 {
		t.Errorf("offered %+v", got[0])
	}
	if taken, err := p.remove("O").take(&scheduler.TaskInfo{Resources: scheduler.Resources{CPUs: 1}}); err != nil || len(taken) != 1 {
		t.Errorf("taken %v, %v", taken, err)
	}
}

// What a task may not simply have is not counted.
func TestSpecialResourcesAreLeftAlone(t *testing.T) {
	for name, member := range map[string]string{
		"a volume": `"disk":{"persistence":{"id":"x"}}`, "a mount": `"disk":{"source":{"type":"MOUNT"}}`, "revocable": `"revocable":{}`,
		"shared": `"shared":{}`, "of a provider": `"provider_id":{"value":"p"}`,
		"another framework's": `"reservations":[{"type":"DYNAMIC","role":"dev","labels":{"labels":[{"key":"framework","value":"x"}]}}]`,
		"another's, of 1.3":   `"role":"dev","reservation":{"labels":{"labels":[{"key":"framework","value":"x"}]}}`,
		"unheard of":          `"reservations":7`,
	} {
		var p offerPool
		got := p.add(offersEvent(t, offerJSON("O", "S", "dev", `{"name":"disk","type":"SCALAR","scalar":{"value":9},`+member+`}`)), "")
		if got[0].Resources.Disk != 0 || got[0].Reserved.Disk != 0 {
			t.Errorf("%s is offered: %+v", name, got[0])
		}
	}
}

// Whatever is taken, nothing of an offer is given twice, and nothing gets lost.
func TestNothingOfAnOfferIsGivenTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held := &heldOffer{}
		for range rapid.IntRange(1, 4).Draw(t, "resources") {
			r := v1Resource{Name: "cpus", Type: "SCALAR", Scalar: &v1Scalar{float64(rapid.IntRange(0, 3000).Draw(t, "cpus")) / 1000}}
			if rapid.Bool().Draw(t, "reserved") {
				r.Reservations = json.RawMessage(`[{"type":"STATIC","role":"dev"}]`)
			}
			held.resources = append(held.resources, r)
		}
		unreserved, reserved := held.sum()
		total, given := unreserved.CPUs+reserved.CPUs, 0.0
		for range rapid.IntRange(0, 8).Draw(t, "tasks") {
			info := &scheduler.TaskInfo{Resources: scheduler.Resources{CPUs: float64(rapid.IntRange(0, 900).Draw(t, "needs")) / 1000},
				Reserved: scheduler.Resources{CPUs: float64(rapid.IntRange(0, 900).Draw(t, "needs reserved")) / 1000}}
			taken, err := held.take(info)
			if err != nil {
				return // the offer is given back
			}
			sum := 0.0
			for _, r := range taken {
				sum += r.amount()
			}
			if math.Abs(sum-info.Resources.CPUs-info.Reserved.CPUs) > 1e-6 {
				t.Fatalf("asked for %+v, got %v", info, sum)
			}
			given += sum
		}
		unreserved, reserved = held.sum()
		if left := unreserved.CPUs + reserved.CPUs; left < 0 || math.Abs(left+given-total) > 1e-6 {
			t.Fatalf("of %v, %v were given and %v are left", total, given, left)
		}
	})
}

func TestCallsAreCondensed(t *testing.T) {
	decline := func(id string, d time.Duration) v1Call { return declineCall([]string{id}, d) }
	revive, suppress := v1Call{Type: callRevive}, v1Call{Type: callSuppress}
	calls := []v1Call{decline("a", time.Minute), decline("b", time.Minute), decline("c", time.Hour), revive, revive, suppress, revive,
		killCall(scheduler.TaskRef{TaskID: "t"}), killCall(scheduler.TaskRef{TaskID: "u"})}
	want := []v1Call{declineCall([]string{"a", "b"}, time.Minute), decline("c", time.Hour), revive, suppress, revive,
		killCall(scheduler.TaskRef{TaskID: "t"}), killCall(scheduler.TaskRef{TaskID: "u"})}
	if diff := cmp.Diff(want, condense(calls)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(calls[0].Decline.OfferIDs) != 1 {
		t.Error("the calls were changed")
	}
}

// Tasks are asked for again until there is word of each; not while answers come, as one did here before the first time.
func TestUnansweredTasksAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{Engine: NewEngine(EngineOptions{}), calls: newQueue[v1Call]()}
		s.unanswered.ask([]scheduler.TaskRef{{TaskID: "a", AgentID: "S1"}, {TaskID: "b", AgentID: "S1"}})
		s.unanswered.heard("a")
		go s.askAgain(t.Context()) //nolint:errcheck // it ends with the test
		start := time.Now()
		for _, after := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
			calls, err := s.calls.take(t.Context())
			if err != nil || len(calls) != 1 || calls[0].Reconcile.Tasks[0].TaskID.Value != "b" || time.Since(start) != after {
				t.Errorf("after %v: %v, %v", time.Since(start), calls, err)
			}
		}
		s.unanswered.heard("b")
		time.Sleep(time.Hour)
		if len(s.calls.items) != 0 {
			t.Errorf("asked for %v", s.calls.items)
		}
	})
}
