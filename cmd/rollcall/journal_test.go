package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// A deployment is one line of the log, which names its apps once and does not grow with them without end.
func TestJournalOfDeployments(t *testing.T) {
	for n, want := range map[int]string{1: "apps=[/app-0]\n", appsNamed: "/app-19]\"\n", 10_000: "/app-19]\" more=9980\n"} {
		var log bytes.Buffer
		var actions []scheduler.Action
		for i := range n {
			actions = append(actions, scheduler.Action{App: scheduler.PathID(fmt.Sprintf("/app-%d", i))})
		}
		plan := scheduler.PlanSummary{Steps: []scheduler.Step{{Actions: actions}, {Actions: actions}}}
		journal{slog.New(slog.NewTextHandler(&log, nil))}.Publish(nil, nil, []scheduler.Notice{
			{Type: scheduler.NoticeDeploymentSuccess, Body: scheduler.DeploymentEnd{ID: "d", Plan: plan}}})
		if got := log.String(); !strings.HasSuffix(got, want) || len(got) > 500 {
			t.Errorf("%d apps: %s\nwant it to end with %s", n, got, want)
		}
	}
}
