package api

import (
	"context"
	"io/fs"
	"net/netip"
	"testing"

	"rollcall/scheduler"
)

// sandboxes is one file, and one that cannot be read.
type sandboxes struct{}

func (sandboxes) ReadSandbox(_ context.Context, _ scheduler.TaskRef, file string, offset int64, length int) ([]byte, int64, error) {
	const content = "hello world\n"
	switch file {
	case "stdout":
		from := min(int(offset), len(content))
		return []byte(content[from:min(from+length, len(content))]), int64(len(content)), nil
	case "logs/pipe":
		return nil, 0, fs.ErrInvalid
	}
	return nil, 0, fs.ErrNotExist
}

type oneName struct{}

func (oneName) Address() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.1:53") }

func (oneName) Recent(int) []NameChange { return nil }

func (oneName) LookUp(_ context.Context, name, recordType string) (*Lookup, error) {
	if name != "web.shop.marathon.mesos" {
		return nil, &QuestionError{Reason: "'" + name + "' is no domain name"}
	}
	return &Lookup{Server: "192.0.2.1:53", Name: name + ".", Type: recordType, Status: "NOERROR",
		Answer: []Record{{name + ".", 60, "A", "10.0.0.1"}}, Authority: []Record{}, Additional: []Record{}}, nil
}

// The engine is asked where the task runs, or ran.
func TestTaskRef(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "/shop/web", "cmd": "serve"}`)
	c.offer(1)
	c.report(scheduler.Provisioned, scheduler.TaskRunning, "")
	var first scheduler.TaskID
	for i := range c.State().AllInstances() {
		first = i.TaskID()
	}
	want := scheduler.TaskRef{TaskID: first, AgentID: "agent-0"}
	if got := c.api.taskRef(first); got != want {
		t.Errorf("running: %v", got)
	}
	c.report(scheduler.Running, scheduler.TaskFailed, "exit status 1")
	if got := c.api.taskRef(first); got != want {
		t.Errorf("failed: %v", got)
	}
	if got := c.api.taskRef("other.instance-1._app.1"); got != (scheduler.TaskRef{TaskID: "other.instance-1._app.1"}) {
		t.Errorf("never known: %v", got)
	}
}
