package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/cmd/rollcall/client"
)

// Each instance is told of when it changes, why others wait when that changes, and a failure once.
func TestProgress(t *testing.T) {
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := newProgress(false, since)
	for _, tt := range []struct{ name, app, queue, want string }{
		{"waits", `{}`, `{"count": 2}`, "  /a: 2 instances wait for an offer"},
		{"still waits", `{}`, `{"count": 2}`, ""},
		{"one starts", `{"tasks": [{"id": "t1", "state": "TASK_STAGING", "host": "h", "ports": [1, 2]}]}`, `{"count": 1}`,
			"  staging            h:1,2  t1\n  /a: 1 instance waits for an offer"},
		{"it runs", `{"tasks": [{"id": "t1", "state": "TASK_RUNNING", "host": "h"}]}`, ``, "  running            h  t1"},
		{"it is checked", `{"tasks": [{"id": "t1", "state": "TASK_RUNNING", "host": "h", "healthCheckResults": [{"alive": false}]}]}`, ``,
			"  running, unhealthy h  t1"},
		{"it is well, not ready", `{"tasks": [{"id": "t1", "state": "TASK_RUNNING", "host": "h", "healthCheckResults": [{"alive": true}]}],
			"readinessCheckResults": [{"taskId": "t1", "ready": false}]}`, ``, "  running, not ready h  t1"},
		{"an old failure", `{"tasks": [{"id": "t1", "state": "TASK_RUNNING", "host": "h", "healthCheckResults": [{"alive": true}]}],
			"lastTaskFailure": {"taskId": "t0", "message": "old", "timestamp": "2025-12-31T23:59:59Z"}}`, ``, "  running, healthy   h  t1"},
		{"it fails", `{"lastTaskFailure": {"taskId": "t1", "host": "h", "message": "exit 1", "timestamp": "2026-01-01T00:00:01Z"}}`,
			`{"count": 1, "delay": {"timeLeftSeconds": 2}}`,
			"  failed             /a on h: exit 1\n  ended              t1\n  /a: 1 instance waits because tasks have failed; they are started again after a delay"},
		{"the delay gets shorter", `{"lastTaskFailure": {"taskId": "t1", "host": "h", "message": "exit 1", "timestamp": "2026-01-01T00:00:01Z"}}`,
			`{"count": 1, "delay": {"timeLeftSeconds": 1}}`, ""},
	} {
		l := look{apps: []*client.App{{ID: "/a"}}}
		decode(t, tt.app, l.apps[0])
		if tt.queue != "" {
			l.queue = make([]client.QueueItem, 1)
			decode(t, tt.queue, &l.queue[0])
			l.queue[0].App.ID = "/a"
		}
		if diff := cmp.Diff(tt.want, strings.Join(p.tell(l), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if diff := cmp.Diff([]string{"/a: 1 instance waits because tasks have failed; they are started again after a delay"}, p.stuck()); diff != "" {
		t.Error(diff)
	}
}

// Who gives up waiting is told what each app waits for, a line each.
func TestGivenUp(t *testing.T) {
	p := newProgress(false, time.Time{})
	p.waits = map[string]string{"/b": "2 instances wait for an offer", "/a": "1 instance waits for an offer"}
	got := givenUp(t.Context(), waitFlags{most: time.Minute}, client.Deployed{Deployment: "d"}, p).Error()
	want := "deployment d has not ended after 1m0s:\n  /a: 1 instance waits for an offer\n  /b: 2 instances wait for an offer\n" +
		`wait for it with "rollcall deployment watch d", undo it with "rollcall deployment cancel d"`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWaiting(t *testing.T) {
	for _, tt := range []struct{ name, item, want string }{
		{"by reason", `{"count": 1, "delay": {"overdue": true}, "lastUnusedOffers": [
			{"offer": {"hostname": "b"}, "reason": ["InsufficientCpus", "UnfulfilledConstraint"]},
			{"offer": {"hostname": "a"}, "reason": ["InsufficientCpus"]}, {"offer": {"hostname": "a"}, "reason": ["InsufficientCpus"]}]}`,
			"1 instance waits for an offer that fits: InsufficientCpus on a, b; UnfulfilledConstraint on b"},
		{"in words", `{"count": 1, "lastUnusedOffers": [{"offer": {"hostname": "a"}, "reason": ["InsufficientCpus"], "explanation": ["less than 4 cpus"]}]}`,
			"1 instance waits for an offer that fits: less than 4 cpus on a"},
		{"many agents", `{"count": 5, "lastUnusedOffers": [{"offer": {"hostname": "a"}, "reason": ["R"]}, {"offer": {"hostname": "b"}, "reason": ["R"]},
			{"offer": {"hostname": "c"}, "reason": ["R"]}, {"offer": {"hostname": "d"}, "reason": ["R"]}]}`,
			"5 instances wait for an offer that fits: R on a, b, c and 1 more"},
		{"without the offers", `{"count": 1, "processedOffersSummary": {"rejectSummaryLastOffers": [{"reason": "R", "declined": 3}, {"reason": "S"}]}}`,
			"1 instance waits for an offer that fits: R of 3 offers"},
	} {
		var q client.QueueItem
		decode(t, tt.item, &q)
		if got := waiting(q); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}
