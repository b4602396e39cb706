package mesos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The types of a master's operator events that are of interest (mesos.v1.master.Event). Others are skipped.
const (
	eventSubscribed       = "SUBSCRIBED"
	eventHeartbeat        = "HEARTBEAT"
	eventTaskAdded        = "TASK_ADDED"
	eventTaskUpdated      = "TASK_UPDATED"
	eventAgentAdded       = "AGENT_ADDED"
	eventAgentRemoved     = "AGENT_REMOVED"
	eventFrameworkAdded   = "FRAMEWORK_ADDED"
	eventFrameworkUpdated = "FRAMEWORK_UPDATED"
	eventFrameworkRemoved = "FRAMEWORK_REMOVED"
)

// event is an operator event; kind says which of the members are there. A member that should be there and is not was
// broken.
type event struct {
	kind      string
	snapshot  *snapshot     // SUBSCRIBED
	task      *followedTask // TASK_ADDED
	update    *taskUpdate   // TASK_UPDATED
	agent     *Agent        // AGENT_ADDED
	framework *Framework    // FRAMEWORK_ADDED, FRAMEWORK_UPDATED
	gone      string        // AGENT_REMOVED, FRAMEWORK_REMOVED: an id
	broken    Broken
}

// snapshot is the whole cluster as of a subscription.
type snapshot struct {
	state     State          // without Tasks, Leader and MasterID
	tasks     []followedTask // what State.Tasks come from
	heartbeat float64        // seconds between heartbeats; 0 if the master does not tell
}

// followedTask is a task with what it takes to follow its updates.
type followedTask struct {
	Task
	lastState string  // of the newest status
	runningAt float64 // timestamp of the status that Addresses come from
}

// taskUpdate is a status of a task. The state of the task and that of the status may differ: a status may be older.
type taskUpdate struct {
	key         TaskKey
	state       string // the task's
	statusState string
	timestamp   float64
	addresses   Addresses // of the status
}

// decodeEvent reads one record of the stream as it arrives: of a snapshot it holds one item at a time, and what it
// makes of them. Items that are not as they should be are listed in the event; the error says that the record is not
// an event at all, or is not there in full.
func decodeEvent(r io.Reader) (event, error) {
	d := &eventDecoder{decoder: decoder{json: json.NewDecoder(r), interned: map[string]string{}}}
	if err := d.event(); err != nil {
		return event{}, fmt.Errorf("reading an event: %w", noEOF(err))
	}
	d.out.broken = d.result.Broken
	if d.out.snapshot != nil {
		d.out.snapshot.state = d.result
	}
	return d.out, nil
}

// eventDecoder reads one event. Lists of a snapshot end up in the decoder's result.
type eventDecoder struct {
	decoder
	out event
}

func (d *eventDecoder) event() error {
	return d.object("event", func(key string) error {
		switch key {
		case "type":
			return d.value("type", &d.out.kind)
		case "subscribed":
			d.out.snapshot = &snapshot{}
			return d.subscribed(key)
		case "task_added":
			return d.wrapped(key, "task", func(where string) error {
				task, err := d.v1Task(where)
				d.out.task = task
				return err
			})
		case "task_updated":
			return d.v1Update(key)
		case "agent_added":
			return d.wrapped(key, "agent", func(where string) error {
				agent, err := d.v1Agent(where)
				d.out.agent = agent
				return err
			})
		case "framework_added", "framework_updated":
			return d.wrapped(key, "framework", func(where string) error {
				framework, err := d.v1Framework(where)
				d.out.framework = framework
				return err
			})
		case "agent_removed":
			var item struct {
				AgentID wireID `json:"agent_id"`
			}
			err := d.value(key, &item)
			d.out.gone = item.AgentID.Value
			return err
		case "framework_removed":
			var item struct {
				Info struct{ ID wireID } `json:"framework_info"`
			}
			err := d.value(key, &item)
			d.out.gone = item.Info.ID.Value
			return err
		default:
			return d.skip()
		}
	})
}

// subscribed reads the snapshot.
func (d *eventDecoder) subscribed(where string) error {
	return d.object(where, func(key string) error {
		switch key {
		case "heartbeat_interval_seconds":
			return d.value(key, &d.out.snapshot.heartbeat)
		case "get_state":
			return d.object(key, func(key string) error {
				switch key {
				case "get_tasks":
					return d.lists(key, d.taskList)
				case "get_frameworks":
					return d.lists(key, d.frameworkList)
				case "get_agents":
					return d.lists(key, d.agentList)
				default:
					return d.skip()
				}
			})
		default:
			return d.skip()
		}
	})
}

// lists reads an object of lists.
func (d *eventDecoder) lists(where string, list func(where, key string) error) error {
	return d.object(where, func(key string) error { return list(where+"."+key, key) })
}

func (d *eventDecoder) taskList(where, key string) error {
	switch key {
	case "tasks":
		return d.list(where, func(where string) error {
			task, err := d.v1Task(where)
			if task != nil {
				d.out.snapshot.tasks = append(d.out.snapshot.tasks, *task)
			}
			return err
		})
	case "completed_tasks", "unreachable_tasks":
		return d.list(where, func(where string) error {
			var item struct {
				TaskID      wireID `json:"task_id"`
				FrameworkID wireID `json:"framework_id"`
			}
			err := d.value(where, &item)
			if item.TaskID.Value != "" {
				d.result.Ended = append(d.result.Ended, TaskKey{d.intern(item.FrameworkID.Value), item.TaskID.Value})
			}
			return err
		})
	default:
		return d.skip()
	}
}

func (d *eventDecoder) frameworkList(where, key string) error {
	switch key {
	case "frameworks":
		return d.list(where, func(where string) error {
			framework, err := d.v1Framework(where)
			if framework != nil {
				d.result.Frameworks = append(d.result.Frameworks, *framework)
			}
			return err
		})
	case "completed_frameworks":
		return d.list(where, func(where string) error {
			var item wireFramework
			err := d.value(where, &item)
			if id := item.Info.ID.Value; id != "" {
				d.result.Completed = append(d.result.Completed, id)
			}
			return err
		})
	default:
		return d.skip()
	}
}

func (d *eventDecoder) agentList(where, key string) error {
	switch key {
	case "agents":
		return d.list(where, func(where string) error {
			agent, err := d.v1Agent(where)
			if agent != nil {
				d.result.Agents = append(d.result.Agents, *agent)
			}
			return err
		})
	case "recovered_agents":
		d.result.Recovered = []string{}
		return d.list(where, func(where string) error {
			var item struct{ ID wireID }
			err := d.value(where, &item)
			if item.ID.Value != "" {
				d.result.Recovered = append(d.result.Recovered, item.ID.Value)
			}
			return err
		})
	default:
		return d.skip()
	}
}

// object reads an object, calling f with each key to read the value. Anything else is broken, but for the event
// itself.
func (d *eventDecoder) object(where string, f func(key string) error) error {
	token, err := d.json.Token()
	switch {
	case err != nil:
		return noEOF(err)
	case token == json.Delim('{'):
		return d.members(f)
	case where == "event":
		return errors.New("not a JSON object")
	default:
		d.result.Broken.add(where, "not an object")
		return d.skipRest(token)
	}
}

// wrapped reads the one member of an object that is of interest.
func (d *eventDecoder) wrapped(where, member string, f func(where string) error) error {
	return d.object(where, func(key string) error {
		if key != member {
			return d.skip()
		}
		return f(where + "." + key)
	})
}
