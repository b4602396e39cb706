package records

import (
	"cmp"
	"slices"
	"strconv"
)

// EnumeratedFramework is a framework of the enumeration; Tasks are in the order they became known.
type EnumeratedFramework struct {
	Name  string
	Tasks []EnumeratedTask
}

// EnumeratedTask is a published task and the records that it was first to add.
type EnumeratedTask struct {
	Name, ID string
	Records  []EnumeratedRecord
}

// EnumeratedRecord is one record: its name, its value as text ("10.0.0.1" or "target.:port") and its type as text.
// It is spelled as Mesos-DNS spells it: with the case and the octets of the names it was made of, not escaped.
type EnumeratedRecord struct{ Name, Host, Type string }

// Enumerate lists frameworks and their tasks with the records each task adds, for Mesos-DNS's /v1/enumerate. As
// there, each framework is listed, a task only when it is published, and a record that no DNS message can carry is
// listed too. It makes all records anew: it costs O(records), while updates wait for O(tasks).
func (z *Zone) Enumerate() []EnumeratedFramework {
	l := z.listing()
	seen := make(map[EnumeratedRecord]bool)
	var records []EnumeratedRecord
	emit := func(r record) {
		e := r.enumerated()
		if r.added || r.ptr || seen[e] {
			return
		}
		seen[e] = true
		records = append(records, e)
	}
	for _, give := range l.fixed {
		give(emit)
	}
	out := make([]EnumeratedFramework, len(l.frameworks))
	for i, f := range l.frameworks {
		out[i].Name = f.name
		for _, t := range f.tasks {
			records = nil
			l.namer.task(t.task, t.agent, emit)
			out[i].Tasks = append(out[i].Tasks, EnumeratedTask{Name: t.task.Name, ID: t.task.ID, Records: records})
		}
	}
	return out
}

// listing is what an enumeration is made of, in its order. Nothing in it changes.
type listing struct {
	namer      *namer
	frameworks []*listedFramework
	fixed      []func(emit func(record)) // give the records that are no task's
}

type listedFramework struct {
	name  string
	order uint64
	tasks []listedTask
}

type listedTask struct {
	task  *Task
	agent *Agent
	order uint64
}

func (z *Zone) listing() listing {
	var l listing
	byKey := make(map[string]*listedFramework)
	framework := func(key, name string, order uint64) *listedFramework {
		f := byKey[key]
		if f == nil {
			f = &listedFramework{name: name, order: order}
			byKey[key] = f
			l.frameworks = append(l.frameworks, f)
		}
		f.order = min(f.order, order)
		return f
	}

	z.mu.Lock()
	n, o := z.namer, z.options
	l.namer = &n
	l.fixed = append(l.fixed, func(emit func(record)) { n.server(o.SOA.MName, o.ListenAddrs, emit) })
	for _, s := range z.sources {
		masters := s.masters
		l.fixed = append(l.fixed, func(emit func(record)) { n.masters(&masters, emit) })
		for _, f := range s.frameworks {
			framework(f.framework.key(), f.framework.Name, f.order)
			copied := f.framework
			l.fixed = append(l.fixed, func(emit func(record)) { n.framework(&copied, emit) })
		}
		for _, a := range s.agents {
			if agent := a.agent; agent != nil {
				l.fixed = append(l.fixed, func(emit func(record)) { n.agent(agent, emit) })
			}
		}
		for _, t := range s.tasks {
			if t.published {
				f := framework(cmp.Or(t.task.FrameworkKey, t.task.Framework), t.task.Framework, t.order)
				f.tasks = append(f.tasks, listedTask{task: t.task, agent: t.agent.agent, order: t.order})
			}
		}
	}
	z.mu.Unlock()

	slices.SortFunc(l.frameworks, func(a, b *listedFramework) int { return cmp.Compare(a.order, b.order) })
	for _, f := range l.frameworks {
		slices.SortFunc(f.tasks, func(a, b listedTask) int { return cmp.Compare(a.order, b.order) })
	}
	return l
}

func (r record) enumerated() EnumeratedRecord {
	switch {
	case r.isSRV():
		return EnumeratedRecord{Name: r.owner, Host: r.target + ":" + strconv.Itoa(r.port), Type: "SRV"}
	case r.addr.Is6():
		return EnumeratedRecord{Name: r.owner, Host: r.addr.String(), Type: "AAAA"}
	default:
		return EnumeratedRecord{Name: r.owner, Host: r.addr.String(), Type: "A"}
	}
}
