package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// echoing is an Executor whose command writes what it reads to both outputs, between its words and its sizes.
type echoing struct{ ended chan error }

func (e echoing) Exec(ctx context.Context, task scheduler.TaskRef, x scheduler.Exec) (int, error) {
	fmt.Fprintf(x.Stdout, "%s %q %v %v", task.TaskID, x.Command, x.TTY, x.Size)
	input, err := io.ReadAll(x.Stdin)
	if err != nil {
		return 0, err
	}
	if x.Command[0] == "wait" {
		<-ctx.Done()
		e.ended <- context.Cause(ctx)
		return 0, ctx.Err()
	}
	if x.TTY {
		fmt.Fprint(x.Stdout, <-x.Resize)
	}
	_, err = x.Stderr.Write(input)
	return 7, err
}

// execOver asks for a command over a connection of its own.
func execOver(t *testing.T, server *httptest.Server, task, body, upgrade string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /rollcall/tasks/%s/exec HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n\r\n%s", task, upgrade, len(body), body)
	buffered := bufio.NewReader(conn)
	response, err := http.ReadResponse(buffered, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response, conn, buffered
}

func execFrame(kind byte, data string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(data))), data...)
}

func readFrame(t *testing.T, from io.Reader) (byte, string) {
	t.Helper()
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(from, data); err != nil {
		t.Fatal(err)
	}
	return head[0], string(data)
}

func TestExec(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "/shop/web", "cmd": "serve"}`)
	executor := echoing{make(chan error, 1)}
	c.api.o.Executor = executor
	server := httptest.NewServer(c.api)
	defer server.Close()
	var id string
	for i := range c.State().AllInstances() {
		id = string(i.TaskID())
	}
	refused := func(status int, task, body, upgrade, says string) {
		t.Helper()
		response, _, _ := execOver(t, server, task, body, upgrade)
		answer, _ := io.ReadAll(response.Body)
		if response.StatusCode != status || !strings.Contains(string(answer), says) {
			t.Errorf("%s: %s %s, want %d %s", body, response.Status, answer, status, says)
		}
	}
	const command = `{"command": ["echo", "a b"]}`
	refused(404, "absent.1", command, ExecProtocol, "does not exist")
	c.offer(1)
	c.report(scheduler.Provisioned, scheduler.TaskStarting, "")
	for i := range c.State().AllInstances() {
		id = string(i.TaskID())
	}
	refused(409, id, command, ExecProtocol, "does not run")
	c.report(scheduler.Starting, scheduler.TaskRunning, "")
	refused(426, id, command, "websocket", "Upgrade: rollcall-exec")
	refused(400, id, `{"command": []}`, ExecProtocol, "has to name a program")
	refused(400, id, `{"cmd": "true"}`, ExecProtocol, "unknown field")

	response, conn, from := execOver(t, server, id, `{"command": ["echo", "a b"], "tty": true, "rows": 3, "columns": 4}`, ExecProtocol)
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response.Status)
	}
	if kind, data := readFrame(t, from); kind != 'o' || data != id+` ["echo" "a b"] true {3 4}` {
		t.Errorf("%c %q", kind, data)
	}
	conn.Write(bytes.Join([][]byte{execFrame('i', "he"), execFrame('r', "\x00\x05\x00\x06"), execFrame('i', "llo"), execFrame('e', "")}, nil))
	for _, want := range []struct {
		kind byte
		data string
	}{{'o', "{5 6}"}, {'x', "hello"}, {'c', "7"}} {
		if kind, data := readFrame(t, from); kind != want.kind || data != want.data {
			t.Errorf("%c %q, want %c %q", kind, data, want.kind, want.data)
		}
	}
	if _, err := from.ReadByte(); err != io.EOF {
		t.Errorf("after the exit code: %v", err)
	}

	// A client that goes away, and one that sends what is no frame, have the command killed.
	for _, last := range [][]byte{nil, execFrame('?', ""), {'i', 255, 255, 255, 255}, execFrame('r', "1")} {
		_, conn, from = execOver(t, server, id, `{"command": ["wait"]}`, ExecProtocol)
		readFrame(t, from)
		conn.Write(append(execFrame('e', ""), last...))
		if last == nil {
			conn.Close()
		}
		if err := <-executor.ended; err == nil || err == context.Canceled {
			t.Errorf("%q: %v", last, err)
		}
	}

	c.api.o.Policy.NoExec = true
	refused(403, id, command, ExecProtocol, "scheduler.taskPolicy.exec")
	c.api.o.Policy.NoExec, c.api.o.Executor = false, nil
	refused(501, id, command, ExecProtocol, "does not run them on this machine")
}

// Running commands takes the role admin on the app.
func TestExecTakesAdmin(t *testing.T) {
	for _, tt := range []struct {
		role string
		want int
	}{{"read", 403}, {"deploy", 403}, {"admin", 404}} {
		c := newCluster(t)
		c.api.o.Executor = echoing{}
		c.api.o.Authenticator = oneUser{&User{Name: "u", grants: []grant{{roleNames[tt.role], "/shop"}}}}
		r := httptest.NewRequest(http.MethodPost, "/rollcall/tasks/shop_web.1/exec", strings.NewReader(`{"command": ["true"]}`))
		r.Header.Set("Upgrade", ExecProtocol)
		w := httptest.NewRecorder()
		c.api.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: %d %s", tt.role, w.Code, w.Body)
		}
	}
}

type oneUser struct{ user *User }

func (o oneUser) Authenticate(*http.Request) *User { return o.user }
