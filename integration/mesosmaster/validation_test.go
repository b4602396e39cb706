package mesosmaster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// segment is a line of a transcript.
type segment struct{ Conn, Dir, Raw string }

// The calls that real masters were sent, and that they refused or took, get the same answer from the stand-in.
func TestRecordedCallsAreAnsweredAlike(t *testing.T) {
	_, m := newTestCluster(t, Options{}, AgentOptions{IP: "127.0.0.1"})
	c := subscribe(t, m, "", "*")
	c.offer()
	// Where the stand-in says no, although a real master passes over what it does not know.
	stricter := regexp.MustCompile(`"unknown_field"|frameworkId|"x": "y|1000\.5`)
	skipped := regexp.MustCompile(`"type": "(GET_|NOPE|LAUNCH_NESTED)|"type": "TEARDOWN"|^\{$|^\{\}$|"revive": null`)
	ids := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}-[0-9]{4}`)
	seen := 0
	for _, name := range []string{"scheduler/errors.jsonl", "scheduler/json-forms.jsonl"} {
		var request segment
		for _, line := range lines(recorded(t, name)) {
			var s segment
			if err := json.Unmarshal(line, &s); err != nil {
				t.Fatal(err)
			}
			switch {
			case s.Conn != "call":
				continue
			case s.Dir == "C>M":
				request = s
				continue
			case s.Dir != "M>C" || request.Raw == "":
				continue
			}
			asked, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request.Raw)))
			if err != nil {
				continue // not HTTP as Go knows it
			}
			_, body, _ := strings.Cut(request.Raw, "\r\n\r\n")
			request = segment{}
			if asked.Method != http.MethodPost || asked.URL.Path != "/api/v1/scheduler" || stricter.MatchString(body) || skipped.MatchString(body) {
				continue
			}
			answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader(s.Raw)), nil)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := io.ReadAll(answer.Body)
			body = ids.ReplaceAllString(body, c.id)
			r, err := http.NewRequest(http.MethodPost, "http://"+m.Address()+"/api/v1/scheduler", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = asked.Header.Clone()
			r.Header.Del("Content-Length")
			if id := r.Header.Get("Mesos-Stream-Id"); len(id) == 36 && answer.StatusCode == http.StatusAccepted {
				r.Header.Set("Mesos-Stream-Id", c.stream)
			} else if id != "" && answer.StatusCode == http.StatusBadRequest && !bytes.Contains(want, []byte("stream")) {
				r.Header.Set("Mesos-Stream-Id", c.stream)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(response.Body)
			response.Body.Close()
			seen++
			if response.StatusCode != answer.StatusCode {
				t.Errorf("%s: %.200s: %s (%s), a real master: %s (%s)", name, body, response.Status, got, answer.Status, want)
			} else if begin, _, _ := strings.Cut(ids.ReplaceAllString(string(want), c.id), ": "); !strings.HasPrefix(string(got), begin) {
				t.Errorf("%s: %.200s: %q, a real master: %q", name, body, got, want)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d calls were compared", seen)
	}
}

// Frameworks that masters refuse are told so in their words.
func TestFrameworksThatAreRefused(t *testing.T) {
	_, m := newTestCluster(t, Options{})
	const capable = `"capabilities":[{"type":"MULTI_ROLE"}]`
	for info, want := range map[string]string{
		`"roles":["a","a"],` + capable:           "'FrameworkInfo.roles' contains duplicate items: { a }",
		`"roles":["a"],"role":"b",` + capable:    "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
		`"roles":["a"]`:                          "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
		`"roles":["bad role"],` + capable:        "'FrameworkInfo.roles' contains invalid role: Role component 'bad role' is invalid because it contains backspace or whitespace",
		`"roles":["a/*"],` + capable:             "'FrameworkInfo.roles' contains invalid role: Role component '*' is invalid",
		`"failover_timeout":1e300,` + capable:    "The framework failover_timeout (1e+300) is invalid",
		`"roles":["*","eng/front"],` + capable:   "",
		`"failover_timeout":604800.5,` + capable: "",
	} {
		body := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n",` + info + `}}}`
		response, err := http.Post("http://"+m.Address()+"/api/v1/scheduler", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t: t, master: m, in: bufio.NewReader(response.Body)}
		e := c.next()
		response.Body.Close()
		got := ""
		if e["type"] == "ERROR" {
			got = e["error"].(object)["message"].(string)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", info, got, want)
		}
	}
}

// Tasks that masters refuse end with TASK_ERROR, and say why; the others of the same call are launched.
func TestTasksThatAreRefused(t *testing.T) {
	_, m := newTestCluster(t, Options{}, AgentOptions{IP: "127.0.0.1", Reserved: []Reserve{{Role: "dev", CPUs: 1, Mem: 64}}})
	c := subscribe(t, m, "", "dev")
	id, agent := c.offer()
	cpus := func(r object) object {
		out := object{"name": "cpus", "type": "SCALAR", "scalar": object{"value": 0.1}}
		for k, v := range r {
			out[k] = v
		}
		return object{"resources": []object{out}}
	}
	docker := func(d object, more object) object {
		out := object{"type": "DOCKER", "docker": d}
		for k, v := range more {
			out[k] = v
		}
		return object{"container": out}
	}
	var infos []object
	want := map[string]string{}
	add := func(message string, extra object) {
		task := fmt.Sprintf("t%d", len(infos))
		info := launch(id, agent, task, extra)["accept"].(object)["operations"].([]object)[0]["launch"].(object)["task_infos"].([]object)[0]
		info["resources"] = cpus(nil)["resources"]
		for k, v := range extra {
			info[k] = v
		}
		infos, want[task] = append(infos, info), message
	}
	add("", nil)
	add("Task has duplicate ID: t0", object{"task_id": value("t0")})
	add("'a/b' contains invalid characters", object{"task_id": value("a/b")})
	add("Task uses no resources", object{"resources": []object{}})
	add("Task uses invalid agent other while agent "+agent+" is expected", object{"agent_id": value("other")})
	add("Task's 'kill_policy.grace_period' must be non-negative", object{"kill_policy": object{"grace_period": object{"nanoseconds": -1}}})
	add("", cpus(object{"reservations": []object{{"type": "STATIC", "role": "dev"}}, "allocation_info": object{"role": "dev"}}))
	add("Task uses invalid resources: Invalid resources: 'Resource.role' of cpus", cpus(object{"role": "dev"}))
	add("Invalid task resources: cpus is allocated to '*'", cpus(object{"allocation_info": object{"role": "*"}}))
	add("Total resources", cpus(object{"reservations": []object{{"type": "STATIC", "role": "other"}}}))
	add("Total resources", cpus(object{"scalar": object{"value": 400}}))
	add("Task uses invalid resources: Invalid resources: Invalid ranges resource: begin > end",
		object{"resources": []object{{"name": "ports", "type": "RANGES", "ranges": object{"range": []object{{"begin": 2, "end": 1}}}}}})
	add("Task's `CommandInfo` is invalid: Environment variable 'A' of type 'VALUE' must have a value set",
		object{"command": object{"value": "x", "environment": object{"variables": []object{{"name": "A"}}}}})
	add("Task uses invalid health check: The path 'up' of HTTP health check must start with '/'",
		object{"health_check": object{"type": "HTTP", "http": object{"port": 80, "path": "up"}}})
	add("Task uses invalid health check: Command health check must contain 'shell command'",
		object{"health_check": object{"type": "COMMAND", "command": object{}}})
	add("Task's `ContainerInfo` is invalid: Invalid volume: Only one of them",
		object{"container": object{"type": "MESOS", "mesos": object{}, "volumes": []object{{"mode": "RW", "container_path": "a"}}}})
	add("Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set", object{"container": object{"type": "DOCKER"}})
	add("Task's `ContainerInfo` is invalid: Parameter in DockerInfo must not be 'name'",
		docker(object{"image": "a", "parameters": []object{{"key": "name", "value": "b"}}}, nil))
	add("Task's `ContainerInfo` is invalid: Docker runs a container in one network", docker(object{"image": "a", "network": "USER"}, nil))
	add("", docker(object{"image": "a", "network": "USER"}, object{"network_infos": []object{{"name": "weave", "ip_addresses": []object{{}}}}}))
	c.call(http.StatusAccepted, object{"type": "ACCEPT", "accept": object{"offer_ids": []object{value(id)},
		"operations": []object{{"type": "LAUNCH", "launch": object{"task_infos": infos}}}}})
	duplicates := map[string]string{"t0": "t1", "a/b": "t2"} // what asks for another's id, or for one that cannot be
	for range infos {
		status := c.until("UPDATE", func(e object) bool {
			return e["update"].(object)["status"].(object)["state"] != "TASK_RUNNING"
		})["update"].(object)["status"].(object)
		task := status["task_id"].(object)["value"].(string)
		message, _ := status["message"].(string)
		if status["state"] == "TASK_STARTING" {
			c.acknowledge(status)
			message = ""
		}
		if task == "t0" && message != "" || task == "a/b" {
			task = duplicates[task]
		}
		if begin := want[task]; (begin == "") != (message == "") || !strings.HasPrefix(message, begin) {
			t.Errorf("%s: %q, want %q", task, message, begin)
		}
		delete(want, task)
	}
	if len(want) > 0 {
		t.Errorf("nothing was said of %v", want)
	}
}
