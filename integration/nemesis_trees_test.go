package integration

import (
	"context"
	"strings"
	"time"
)

// What a rollcall says when a ZooKeeper has told it less than was stored.
const doesNotAddUp = "what a ZooKeeper says does not add up"

// watchTrees looks what each ZooKeeper has as soon as a rollcall says that it does not add up: later the server that is wrong
// may have been killed, and have copied everything from the others.
func (n *nemesis) watchTrees(ctx context.Context) {
	said := make([]int, len(n.nodes))
	for ; ctx.Err() == nil; pause(ctx, 200*time.Millisecond) {
		for i, d := range n.nodes {
			if now := strings.Count(d.output(), doesNotAddUp); now > said[i] {
				said[i] = now
				n.showTrees(d.host.name() + " says that " + doesNotAddUp)
			}
		}
	}
}

// showTrees tells what the ZooKeepers have that is not the same everywhere. Rollcall is to cope with that: it is no failure.
func (n *nemesis) showTrees(when string) {
	began := time.Now()
	if differences := n.z.differences("/rollcall"); differences != "" {
		n.t.Logf("%s: %s: the ZooKeepers differ:\n%s", began.Format(time.StampMilli), when, differences)
	}
}
