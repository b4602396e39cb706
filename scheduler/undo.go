package scheduler

import "slices"

// undo takes a plan's changes back, and nothing that came after them elsewhere (Marathon reference 10.4).
func undo(d *Draft, p *Plan) {
	for _, id := range sortedKeys(p.GroupsBefore) {
		undoGroup(d, p.GroupsBefore[id], p.GroupsAfter[id])
	}
	for _, id := range p.AffectedApps() {
		before, after := p.Before[id], p.After[id]
		if before == nil {
			d.RemoveApp(id)
			continue
		}
		d.PutApp(before.Clone())
		if after != nil && sameDefinition(before, after) {
			d.renew(id) // it was a restart: those that are not replaced yet stay
		}
	}
	created := sortedKeys(p.GroupsAfter)
	slices.Reverse(created)
	for _, id := range created {
		if p.GroupsBefore[id] == nil && len(d.AppsWithin(id)) == 0 && len(d.GroupsWithin(id)) == 0 {
			d.RemoveGroup(id)
		}
	}
}

// undoGroup takes back what a plan made of a group that was there before it; after is nil where the plan removed it.
// What somebody removed or made again since stays so. Of the dependencies those go that the plan added, and those come
// back that it took away.
func undoGroup(d *Draft, before, after *Group) {
	now := d.Group(before.ID)
	if (now == nil) != (after == nil) || now != nil && slices.Equal(before.Dependencies, after.Dependencies) {
		return
	}
	next := *before
	if now != nil {
		next = *now
		added := func(on PathID) bool {
			return slices.Contains(after.Dependencies, on) && !slices.Contains(before.Dependencies, on)
		}
		next.Dependencies = slices.DeleteFunc(slices.Clone(now.Dependencies), added)
		for _, on := range before.Dependencies {
			if !slices.Contains(after.Dependencies, on) && !slices.Contains(next.Dependencies, on) {
				next.Dependencies = append(next.Dependencies, on)
			}
		}
	}
	next.Version = d.version
	d.PutGroup(&next)
}
