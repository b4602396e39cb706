package mesos

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"

	"rollcall/scheduler"
)

// The types of scheduler events (mesos.v1.scheduler.Event) that are acted upon. MESSAGE, UPDATE_OPERATION_STATUS and
// any that a later Mesos may add are skipped.
const (
	schedulerSubscribed          = "SUBSCRIBED"
	schedulerOffers              = "OFFERS"
	schedulerRescind             = "RESCIND"
	schedulerInverseOffers       = "INVERSE_OFFERS"
	schedulerRescindInverseOffer = "RESCIND_INVERSE_OFFER"
	schedulerUpdate              = "UPDATE"
	schedulerFailure             = "FAILURE"
	schedulerError               = "ERROR"
	schedulerHeartbeat           = "HEARTBEAT"
)

// v1Event is a scheduler event; Type says which of the members is there.
type v1Event struct {
	Type       string        `json:"type"`
	Subscribed *v1Subscribed `json:"subscribed"`
	Offers     struct {
		Offers v1Offers `json:"offers"`
	} `json:"offers"`
	Rescind struct {
		OfferID v1Value `json:"offer_id"`
	} `json:"rescind"`
	InverseOffers struct {
		InverseOffers []v1InverseOffer `json:"inverse_offers"`
	} `json:"inverse_offers"`
	Update struct {
		Status v1Status `json:"status"`
	} `json:"update"`
	Failure struct {
		AgentID    *v1Value `json:"agent_id"`
		ExecutorID *v1Value `json:"executor_id"` // of an executor that failed; none: the agent itself
	} `json:"failure"`
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

type v1Subscribed struct {
	FrameworkID       v1Value `json:"framework_id"`
	HeartbeatInterval float64 `json:"heartbeat_interval_seconds"`
	Master            struct {
		masterInfo
		Domain *v1Domain `json:"domain"`
	} `json:"master_info"`
}

// v1Offers are offers; those that cannot be read have an id, and say why, so that they can be given back.
type v1Offers []v1Offer

// UnmarshalJSON implements json.Unmarshaler.
func (o *v1Offers) UnmarshalJSON(data []byte) error {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	*o = make(v1Offers, len(items))
	for n, item := range items {
		offer := &(*o)[n]
		if err := json.Unmarshal(item, offer); err != nil {
			*offer = v1Offer{ID: offer.ID, broken: err} // whatever could be read of the rest may be half of the truth
		}
	}
	return nil
}

type v1Offer struct {
	ID             v1Value           `json:"id"`
	AgentID        v1Value           `json:"agent_id"`
	Hostname       string            `json:"hostname"`
	URL            v1URL             `json:"url"`
	Domain         *v1Domain         `json:"domain"`
	Resources      []v1Resource      `json:"resources"`
	Attributes     []v1Attribute     `json:"attributes"`
	Allocation     v1Allocation      `json:"allocation_info"`
	Unavailability *v1Unavailability `json:"unavailability"`
	broken         error             // it cannot be read
}

type v1URL struct {
	Address struct {
		Hostname string `json:"hostname"`
		IP       string `json:"ip"`
	} `json:"address"`
}

// v1Unavailability is when an agent is going to be away for maintenance.
type v1Unavailability struct {
	Start    v1Time  `json:"start"`
	Duration *v1Time `json:"duration"` // none: for ever
}

type v1InverseOffer struct {
	ID      v1Value  `json:"id"`
	AgentID *v1Value `json:"agent_id"`
}

// v1Status is a TaskStatus.
type v1Status struct {
	TaskID          v1Value  `json:"task_id"`
	State           string   `json:"state"`
	Message         string   `json:"message"`
	Reason          string   `json:"reason"`
	AgentID         *v1Value `json:"agent_id"`
	Timestamp       float64  `json:"timestamp"` // seconds since 1970
	UUID            string   `json:"uuid"`
	Healthy         *bool    `json:"healthy"`
	UnreachableTime *v1Time  `json:"unreachable_time"`
	ContainerStatus struct {
		NetworkInfos []wireNetworkInfo `json:"network_infos"`
	} `json:"container_status"`
}

// decodeSchedulerEvent reads one record of the scheduler's stream. With a *json.UnmarshalTypeError comes what could be
// read of the event.
func decodeSchedulerEvent(r io.Reader) (v1Event, error) {
	var e v1Event
	data, err := io.ReadAll(r)
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err != nil {
		return e, fmt.Errorf("reading an event: %w", err)
	}
	return e, nil
}

// saysEnough reports whether an event that cannot be read as a whole can be acted upon: an update that says which state
// a task is in. Were it left out, it would come again without end, and hold back the task's next one.
func (e *v1Event) saysEnough() bool {
	s := &e.Update.Status
	return e.Type == schedulerUpdate && s.TaskID.Value != "" && s.State != ""
}

// status is the status in the core's words.
func (s *v1Status) status() scheduler.TaskStatus {
	return scheduler.TaskStatus{
		TaskID: scheduler.TaskID(s.TaskID.Value), AgentID: scheduler.AgentID(s.AgentID.text()),
		State: scheduler.TaskState(s.State), Timestamp: s.time(), Message: s.Message, Reason: s.Reason,
		Healthy: s.Healthy, Ack: s.UUID, Addresses: addresses(s.ContainerStatus.NetworkInfos, nil).NetInfo,
	}
}

// time is when it became so: for an agent that is not heard of, since when.
func (s *v1Status) time() time.Time {
	if s.UnreachableTime != nil && s.UnreachableTime.Nanoseconds > 0 {
		return s.UnreachableTime.moment()
	}
	if !(s.Timestamp > 0 && s.Timestamp < math.MaxInt32) {
		return time.Time{}
	}
	seconds, fraction := math.Modf(s.Timestamp)
	return time.Unix(int64(seconds), int64(fraction*float64(time.Second)))
}

// address is where the agent is, as far as its URL or host name tells without a lookup.
func (o *v1Offer) address() netip.Addr {
	for _, text := range []string{o.URL.Address.IP, o.URL.Address.Hostname, o.Hostname} {
		if a, err := netip.ParseAddr(text); err == nil {
			return a.Unmap()
		}
	}
	return netip.Addr{}
}

// longestSchedulerEvent is the longest record that is read, in octets: offers of 10,000 agents have some 10 million.
const longestSchedulerEvent = 256 << 20
