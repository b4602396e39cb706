package mesos

import (
	"cmp"
	"encoding/json"
)

func (d *decoder) agent(where string) error {
	var item struct {
		ID        string
		PID       *string
		Resources json.RawMessage
	}
	before := d.result.Broken.Count
	if err := d.value(where, &item); err != nil {
		return err
	}
	if item.ID == "" {
		d.result.Broken.addFirst(before, where, "an agent without id")
		return nil
	}
	agent := Agent{ID: d.intern(item.ID)}
	// Names do not depend on it: what cannot be read is not known.
	if json.Unmarshal(item.Resources, &agent.Total) != nil {
		agent.Total = Total{}
	}
	switch {
	case item.PID == nil:
		d.result.Broken.addFirst(before, where, "agent "+item.ID+" has no pid")
	default:
		var ok bool
		if agent.Endpoint, ok = parsePID(*item.PID); !ok {
			d.result.Broken.addFirst(before, where, "agent "+item.ID+" has a pid that is not of the form id@host:port")
		}
	}
	d.result.Agents = append(d.result.Agents, agent)
	return nil
}

// framework reads a framework with its tasks. Its id, which they need, may come after them.
func (d *decoder) framework(where string) error {
	token, err := d.json.Token()
	if err != nil {
		return noEOF(err)
	}
	if token != json.Delim('{') {
		d.result.Broken.add(where, "not a framework")
		return d.skipRest(token)
	}
	var (
		f          Framework
		pid, host  string
		firstTask  = len(d.result.Tasks)
		firstEnded = len(d.result.Ended)
		before     = d.result.Broken.Count
	)
	err = d.members(func(key string) error {
		switch key {
		case "id":
			return d.value(where+".id", &f.ID)
		case "name":
			return d.value(where+".name", &f.Name)
		case "pid":
			return d.value(where+".pid", &pid)
		case "hostname":
			return d.value(where+".hostname", &host)
		case "tasks":
			return d.list(where+".tasks", d.task)
		case "completed_tasks", "unreachable_tasks":
			return d.list(where+"."+key, d.ended)
		default:
			return d.skip()
		}
	})
	if err != nil {
		return err
	}
	if f.ID == "" && f.Name == "" {
		d.result.Tasks, d.result.Ended = d.result.Tasks[:firstTask], d.result.Ended[:firstEnded]
		d.result.Broken.addFirst(before, where, "a framework with neither id nor name")
		return nil
	}
	at, ok := parsePID(pid)
	if !ok && pid != "" {
		d.result.Broken.add(where, "framework "+f.ID+" has a pid that is not of the form id@host:port")
	}
	if ok {
		f.Endpoint = at
	} else {
		f.Endpoint.Host = host
	}
	f.ID = cmp.Or(f.ID, f.Name)
	d.result.Frameworks = append(d.result.Frameworks, f)
	for i := range d.result.Tasks[firstTask:] {
		d.result.Tasks[firstTask+i].FrameworkID = f.ID
	}
	for i := range d.result.Ended[firstEnded:] {
		d.result.Ended[firstEnded+i].FrameworkID = f.ID
	}
	return nil
}

func (d *decoder) ended(where string) error {
	var item struct{ ID string }
	if err := d.value(where, &item); err != nil {
		return err
	}
	d.result.Ended = append(d.result.Ended, TaskKey{ID: item.ID})
	return nil
}

func (d *decoder) task(where string) error {
	var item wireTask
	before := d.result.Broken.Count
	if err := d.value(where, &item); err != nil {
		return err
	}
	if item.ID == "" {
		d.result.Broken.addFirst(before, where, "a task without id")
		return nil
	}
	t := Task{
		ID: item.ID, Name: item.Name, AgentID: d.intern(item.SlaveID), State: d.intern(item.State),
		Addresses: runningAddresses(item.Statuses), Labels: ownLabels(item.Labels),
	}
	var ok bool
	if t.Ports, ok = parsePorts(item.Resources.Ports); !ok {
		d.result.Broken.addFirst(before, where, "task "+item.ID+" has ports that are not of the form [begin-end, ...]")
	}
	if item.Discovery != nil {
		t.Discovery, ok = item.Discovery.discovery()
		if !ok {
			d.result.Broken.addFirst(before, where, "task "+item.ID+" has a discovery port whose number is none")
		}
	}
	d.result.Tasks = append(d.result.Tasks, t)
	return nil
}
