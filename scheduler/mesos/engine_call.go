package mesos

import (
	"time"

	"rollcall/scheduler"
)

// The types of calls (mesos.v1.scheduler.Call) that are made.
const (
	callSubscribe           = "SUBSCRIBE"
	callAccept              = "ACCEPT"
	callDecline             = "DECLINE"
	callAcceptInverseOffers = "ACCEPT_INVERSE_OFFERS"
	callRevive              = "REVIVE"
	callSuppress            = "SUPPRESS"
	callKill                = "KILL"
	callAcknowledge         = "ACKNOWLEDGE"
	callReconcile           = "RECONCILE"
)

// v1Call is a call of the scheduler API; Type says which of the members is there. REVIVE and SUPPRESS have none: they
// are for all roles.
type v1Call struct {
	Type                string           `json:"type"`
	FrameworkID         *v1Value         `json:"framework_id,omitempty"`
	Subscribe           *v1Subscribe     `json:"subscribe,omitempty"`
	Accept              *v1Accept        `json:"accept,omitempty"`
	Decline             *v1Decline       `json:"decline,omitempty"`
	AcceptInverseOffers *v1AnswerInverse `json:"accept_inverse_offers,omitempty"`
	Kill                *v1Kill          `json:"kill,omitempty"`
	Acknowledge         *v1Acknowledge   `json:"acknowledge,omitempty"`
	Reconcile           *v1Reconcile     `json:"reconcile,omitempty"`
}

type v1Subscribe struct {
	FrameworkInfo v1FrameworkInfo `json:"framework_info"`
}

// v1FrameworkInfo is who rollcall is to the masters.
type v1FrameworkInfo struct {
	User            string         `json:"user"`
	Name            string         `json:"name"`
	ID              *v1Value       `json:"id,omitempty"`
	FailoverTimeout float64        `json:"failover_timeout"` // seconds
	Checkpoint      bool           `json:"checkpoint"`
	Hostname        string         `json:"hostname,omitempty"`
	Principal       string         `json:"principal,omitempty"`
	WebUIURL        string         `json:"webui_url,omitempty"`
	Capabilities    []v1Capability `json:"capabilities"`
	Roles           []string       `json:"roles"`
}

type v1Capability struct {
	Type string `json:"type"`
}

type v1Filters struct {
	RefuseSeconds float64 `json:"refuse_seconds"`
}

type v1Accept struct {
	OfferIDs   []v1Value     `json:"offer_ids"`
	Operations []v1Operation `json:"operations"`
	Filters    v1Filters     `json:"filters"`
}

type v1Operation struct {
	Type   string   `json:"type"` // LAUNCH
	Launch v1Launch `json:"launch"`
}

type v1Launch struct {
	TaskInfos []v1TaskInfo `json:"task_infos"`
}

type v1Decline struct {
	OfferIDs []v1Value `json:"offer_ids"`
	Filters  v1Filters `json:"filters"`
}

type v1AnswerInverse struct {
	InverseOfferIDs []v1Value `json:"inverse_offer_ids"`
	Filters         v1Filters `json:"filters"`
}

type v1Kill struct {
	TaskID  v1Value  `json:"task_id"`
	AgentID *v1Value `json:"agent_id,omitempty"`
}

type v1Acknowledge struct {
	AgentID v1Value `json:"agent_id"`
	TaskID  v1Value `json:"task_id"`
	UUID    string  `json:"uuid"` // base64, as it came
}

// v1Reconcile asks for the tasks that it lists; for all that the master knows where it lists none.
type v1Reconcile struct {
	Tasks []v1ReconcileTask `json:"tasks"`
}

type v1ReconcileTask struct {
	TaskID  v1Value  `json:"task_id"`
	AgentID *v1Value `json:"agent_id,omitempty"`
}

func subscribeCall(info v1FrameworkInfo) v1Call {
	return v1Call{Type: callSubscribe, FrameworkID: info.ID, Subscribe: &v1Subscribe{info}}
}

func acceptCall(offers []string, tasks []v1TaskInfo) v1Call {
	// The rest of the offers is wanted back at once: other apps may wait.
	return v1Call{Type: callAccept, Accept: &v1Accept{OfferIDs: values(offers),
		Operations: []v1Operation{{Type: "LAUNCH", Launch: v1Launch{tasks}}}, Filters: v1Filters{0}}}
}

func declineCall(offers []string, refuse time.Duration) v1Call {
	return v1Call{Type: callDecline, Decline: &v1Decline{OfferIDs: values(offers), Filters: v1Filters{refuse.Seconds()}}}
}

func acceptInverseCall(offers []string) v1Call {
	return v1Call{Type: callAcceptInverseOffers, AcceptInverseOffers: &v1AnswerInverse{InverseOfferIDs: values(offers),
		Filters: v1Filters{inverseRefusal.Seconds()}}}
}

func killCall(task scheduler.TaskRef) v1Call {
	return v1Call{Type: callKill, Kill: &v1Kill{TaskID: v1Value{string(task.TaskID)}, AgentID: valueOf(string(task.AgentID))}}
}

func acknowledgeCall(s scheduler.TaskStatus) v1Call {
	return v1Call{Type: callAcknowledge, Acknowledge: &v1Acknowledge{AgentID: v1Value{string(s.AgentID)},
		TaskID: v1Value{string(s.TaskID)}, UUID: s.Ack}}
}

func reconcileCall(tasks []scheduler.TaskRef) v1Call {
	r := &v1Reconcile{Tasks: make([]v1ReconcileTask, 0, len(tasks))}
	for _, t := range tasks {
		r.Tasks = append(r.Tasks, v1ReconcileTask{v1Value{string(t.TaskID)}, valueOf(string(t.AgentID))})
	}
	return v1Call{Type: callReconcile, Reconcile: r}
}

// inverseRefusal is how long the answer to an inverse offer holds (mesos.proto: the default of a filter).
const inverseRefusal = 5 * time.Second

func values(texts []string) []v1Value {
	out := make([]v1Value, len(texts))
	for n, text := range texts {
		out[n] = v1Value{text}
	}
	return out
}
