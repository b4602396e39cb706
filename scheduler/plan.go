package scheduler

// steps lists what to do in order (Marathon reference 10.1): removed apps are stopped, new ones announced, then the
// apps of each dependency layer are brought to what they shall be.
func steps(p *Plan, layers map[PathID]int) []Step {
	var stop, start Step
	byLayer := map[int]*Step{}
	for _, id := range p.AffectedApps() {
		before, after := p.Before[id], p.After[id]
		if after == nil {
			stop.Actions = append(stop.Actions, Action{StopApplication, id})
			continue
		}
		kind := RestartApplication
		switch {
		case before == nil:
			start.Actions = append(start.Actions, Action{StartApplication, id})
			kind = ScaleApplication
		case after.Instances == 0, before.VersionInfo.LastConfigChangeAt == after.VersionInfo.LastConfigChangeAt:
			kind = ScaleApplication
		}
		layer := byLayer[layers[id]]
		if layer == nil {
			layer = &Step{}
			byLayer[layers[id]] = layer
		}
		layer.Actions = append(layer.Actions, Action{kind, id})
	}
	var out []Step
	for _, s := range []Step{stop, start} {
		if len(s.Actions) > 0 {
			out = append(out, s)
		}
	}
	for _, n := range sortedKeys(byLayer) {
		out = append(out, *byLayer[n])
	}
	return out
}

// layersOf numbers the apps that the plan brings up by the longest chain of dependencies below them, and refuses
// cycles. It looks at what can be reached from apps and groups that changed: a cycle always leads through one.
func layersOf(d *Draft, p *Plan) (map[PathID]int, error) {
	g := &dependencies{draft: d, depth: map[PathID]int{}, onPath: map[PathID]bool{}}
	for _, id := range sortedKeys(p.After) {
		if _, ok := g.depthOf(id); !ok {
			return nil, cyclic()
		}
	}
	for _, id := range sortedKeys(p.GroupsAfter) {
		if before := p.GroupsBefore[id]; len(p.GroupsAfter[id].Dependencies) == 0 || before == p.GroupsAfter[id] {
			continue
		}
		for _, app := range d.AppsWithin(id) {
			if _, ok := g.depthOf(app.ID); !ok {
				return nil, cyclic()
			}
		}
	}
	return g.depth, nil
}

func cyclic() error {
	return &InvalidError{[]Problem{{Path: "/", Errors: []string{"Dependency graph has cyclic dependencies."}}}}
}

// dependencies walks the dependency graph of a draft.
type dependencies struct {
	draft  *Draft
	depth  map[PathID]int
	onPath map[PathID]bool
}

// depthOf is the longest chain of dependencies below an app; false when it leads back to the app.
func (g *dependencies) depthOf(app PathID) (int, bool) {
	if depth, known := g.depth[app]; known {
		return depth, true
	}
	if g.onPath[app] {
		return 0, false
	}
	g.onPath[app] = true
	defer delete(g.onPath, app)
	depth := 0
	for _, on := range g.of(app) {
		below, ok := g.depthOf(on)
		if !ok {
			return 0, false
		}
		depth = max(depth, below+1)
	}
	g.depth[app] = depth
	return depth, true
}

// of lists the apps an app depends on: by itself, and through the groups it is in. A dependency on a group is one on
// each app in it; unknown ids are ignored. An app never depends on itself through its group.
func (g *dependencies) of(app PathID) []PathID {
	var out []PathID
	add := func(ids []PathID) {
		for _, id := range ids {
			if g.draft.App(id) != nil {
				out = append(out, id)
			}
			for _, a := range g.draft.AppsWithin(id) {
				if a.ID != app {
					out = append(out, a.ID)
				}
			}
		}
	}
	add(g.draft.App(app).Dependencies)
	for group := range lineage(app.Parent()) {
		if info := g.draft.Group(group); info != nil {
			add(info.Dependencies)
		}
	}
	return out
}
