package records

// Subscribe has tell called with all that a source has said, as one Update with Reset, and from then on with each
// Update of that source, as the source said it. It is for those who keep a copy elsewhere. The calls come one at a
// time, in order, before Update returns to the source: tell must not block, nor call the zone. What it is given
// belongs to the zone. After cancel tell is not called any more.
func (z *Zone) Subscribe(source string, tell func(Update)) (cancel func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.subscribers[source] == nil {
		z.subscribers[source] = make(map[uint64]func(Update))
	}
	z.subscriptions++
	id := z.subscriptions
	z.subscribers[source][id] = tell
	if s := z.sources[source]; s != nil {
		tell(s.all())
	} else {
		tell(Update{Reset: true})
	}
	return func() {
		z.mu.Lock()
		defer z.mu.Unlock()
		delete(z.subscribers[source], id)
	}
}

// all is what the source has said, as one update.
func (s *source) all() Update {
	u := Update{Reset: true, Masters: &Masters{Leader: s.masters.Leader, All: s.masters.All}}
	for _, t := range s.tasks {
		u.Tasks = append(u.Tasks, *t.task)
	}
	for _, a := range s.agents {
		if a.agent != nil {
			u.Agents = append(u.Agents, *a.agent)
		}
	}
	for _, f := range s.frameworks {
		u.Frameworks = append(u.Frameworks, f.framework)
	}
	return u
}
