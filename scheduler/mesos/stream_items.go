package mesos

import "cmp"

// wireID is a FrameworkID, TaskID or AgentID of the v1 API.
type wireID struct{ Value string }

// wireV1Task is a Task of the v1 API.
type wireV1Task struct {
	Name        string
	TaskID      wireID `json:"task_id"`
	FrameworkID wireID `json:"framework_id"`
	AgentID     wireID `json:"agent_id"`
	State       string
	Resources   []wireResource
	Statuses    []wireV1Status
	Discovery   *wireDiscovery
	Labels      struct{ Labels []wireLabel }
}

type wireResource struct {
	Name   string
	Ranges struct {
		Range []struct{ Begin, End uint64 }
	}
}

// wireV1Status is a TaskStatus of the v1 API.
type wireV1Status struct {
	TaskID          wireID `json:"task_id"`
	State           string
	Timestamp       float64
	ContainerStatus struct {
		NetworkInfos []wireNetworkInfo `json:"network_infos"`
	} `json:"container_status"`
	Labels struct{ Labels []wireLabel }
}

func (s *wireV1Status) addresses() Addresses {
	return addresses(s.ContainerStatus.NetworkInfos, s.Labels.Labels)
}

// wireFramework is a GetFrameworks.Framework of the operator API. It has no pid: that is in the state document and its
// relatives only.
type wireFramework struct {
	Info struct {
		ID       wireID
		Name     string
		Hostname string
	} `json:"framework_info"`
}

// v1Task returns nil for one that is broken beyond use.
func (d *eventDecoder) v1Task(where string) (*followedTask, error) {
	var item wireV1Task
	if err := d.value(where, &item); err != nil {
		return nil, err
	}
	if item.TaskID.Value == "" {
		d.result.Broken.add(where, "a task without id")
		return nil, nil
	}
	task := &followedTask{Task: Task{
		FrameworkID: d.intern(item.FrameworkID.Value), ID: item.TaskID.Value, Name: item.Name,
		AgentID: d.intern(item.AgentID.Value), State: d.intern(item.State), Labels: ownLabels(item.Labels.Labels),
	}}
	var ok bool
	if task.Ports, ok = resourcePorts(item.Resources); !ok {
		d.result.Broken.add(where, "task "+task.ID+" has more ports than there are")
	}
	if item.Discovery != nil {
		if task.Discovery, ok = item.Discovery.discovery(); !ok {
			d.result.Broken.add(where, "task "+task.ID+" has a discovery port whose number is none")
		}
	}
	for i := range item.Statuses {
		s := &item.Statuses[i]
		if s.State == TaskRunning && s.Timestamp > -1 && (task.runningAt == 0 || s.Timestamp > task.runningAt) {
			task.Addresses, task.runningAt = s.addresses(), s.Timestamp
		}
		task.lastState = d.intern(s.State)
	}
	return task, nil
}

// resourcePorts expands the ranges of all port resources: those of several roles stand apart. It reports false when
// something had to be left out.
func resourcePorts(resources []wireResource) (ports []int, ok bool) {
	for _, r := range resources {
		if r.Name != "ports" {
			continue
		}
		for _, span := range r.Ranges.Range {
			for port := span.Begin; port <= span.End; port++ {
				if len(ports) == maxPorts {
					return ports, false
				}
				ports = append(ports, int(port))
			}
		}
	}
	return ports, true
}

// v1Update reads a TASK_UPDATED.
func (d *eventDecoder) v1Update(where string) error {
	var item struct {
		FrameworkID wireID `json:"framework_id"`
		Status      wireV1Status
		State       string
	}
	if err := d.value(where, &item); err != nil {
		return err
	}
	if item.Status.TaskID.Value == "" {
		d.result.Broken.add(where, "an update without the task's id")
		return nil
	}
	d.out.update = &taskUpdate{
		key:   TaskKey{item.FrameworkID.Value, item.Status.TaskID.Value},
		state: cmp.Or(item.State, item.Status.State), statusState: item.Status.State,
		timestamp: item.Status.Timestamp, addresses: item.Status.addresses(),
	}
	return nil
}

// wireScalar is a Resource of the v1 API, as far as it is an amount.
type wireScalar struct {
	Name   string
	Scalar struct{ Value float64 }
}

// totalOf adds up resources, those that are reserved for a role among them.
func totalOf(resources []wireScalar) (t Total) {
	for _, r := range resources {
		switch r.Name {
		case "cpus":
			t.CPUs += r.Scalar.Value
		case "mem":
			t.Mem += r.Scalar.Value
		case "disk":
			t.Disk += r.Scalar.Value
		}
	}
	return t
}

// v1Agent returns nil for one that is broken beyond use.
func (d *eventDecoder) v1Agent(where string) (*Agent, error) {
	var item struct {
		Info      struct{ ID wireID } `json:"agent_info"`
		PID       string
		Resources []wireScalar `json:"total_resources"`
	}
	if err := d.value(where, &item); err != nil {
		return nil, err
	}
	if item.Info.ID.Value == "" {
		d.result.Broken.add(where, "an agent without id")
		return nil, nil
	}
	agent := &Agent{ID: d.intern(item.Info.ID.Value), Total: totalOf(item.Resources)}
	var ok bool
	if agent.Endpoint, ok = parsePID(item.PID); !ok {
		d.result.Broken.add(where, "agent "+agent.ID+" has no pid of the form id@host:port")
	}
	return agent, nil
}

// v1Framework returns nil for one that is broken beyond use.
func (d *eventDecoder) v1Framework(where string) (*Framework, error) {
	var item wireFramework
	if err := d.value(where, &item); err != nil {
		return nil, err
	}
	if item.Info.ID.Value == "" {
		d.result.Broken.add(where, "a framework without id")
		return nil, nil
	}
	return &Framework{
		ID: d.intern(item.Info.ID.Value), Name: item.Info.Name, Endpoint: Endpoint{Host: item.Info.Hostname},
	}, nil
}
