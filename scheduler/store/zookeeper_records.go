package store

import (
	"context"
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/go-zookeeper/zk"

	"rollcall/scheduler"
)

var _ scheduler.Store = (*Term)(nil)

// Commit is scheduler.Store's Commit. Its errors wrap ErrDeposed once another rollcall leads or may lead; nothing was
// stored then, unless the term ended before ZooKeeper's answer came.
func (t *Term) Commit(ctx context.Context, records []scheduler.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkRecords(records); err != nil {
		return err
	}
	if t.nodes == nil {
		if _, err := t.takeStock(ctx); err != nil {
			return err
		}
	}
	if err := t.finishJournal(ctx); err != nil {
		return err
	}
	changes, err := encodeRecords(records)
	if err != nil {
		return err
	}
	batches := split(changes)
	switch len(batches) {
	case 0:
		return nil
	case 1:
		return t.apply(ctx, batches[0])
	}
	return t.commitByJournal(ctx, batches)
}

// change is what becomes of one node below the state's.
type change struct {
	Node  string
	Value []byte // as kept in the node; nil: the node goes
}

// encodeRecords makes changes of records. Of several for the same record the last counts.
func encodeRecords(records []scheduler.Record) ([]change, error) {
	at := make(map[string]int, len(records))
	changes := make([]change, 0, len(records))
	for _, r := range records {
		c := change{Node: recordPath(r.Kind, r.Key)}
		if r.Value != nil {
			var err error
			if c.Value, err = encodeValue(r.Value); err != nil {
				return nil, fmt.Errorf("storing %s %q: %w", r.Kind, r.Key, err)
			}
		}
		if i, again := at[c.Node]; again {
			changes[i] = c
			continue
		}
		at[c.Node] = len(changes)
		changes = append(changes, c)
	}
	return changes, nil
}

const (
	// batchMost is how large the changes of one transaction become, in bytes, unless one alone is larger.
	batchMost = 600 << 10

	// changeOverhead is more than ZooKeeper adds to the path and the value of an operation, in bytes, together with
	// the directories that may have to be made.
	changeOverhead = 512
)

// split divides changes into what fits into one transaction each.
func split(changes []change) [][]change {
	var batches [][]change
	size := 0
	for _, c := range changes {
		n := len(c.Node) + len(c.Value) + changeOverhead
		if len(batches) == 0 || size+n > batchMost {
			batches, size = append(batches, nil), 0
		}
		last := len(batches) - 1
		batches[last] = append(batches[last], c)
		size += n
	}
	return batches
}

// kind is what kind of record a change is of.
func (c change) kind() scheduler.Kind {
	kind, _, _ := strings.Cut(c.Node, "/")
	return scheduler.Kind(kind)
}

// sum is the checksum of a node with a value, at a path below the state's.
func sum(node string, value []byte) uint64 {
	return checksum(path.Dir(node), path.Base(node), value)
}

// apply makes changes in one transaction.
func (t *Term) apply(ctx context.Context, changes []change) error {
	var ops []any
	tallies := maps.Clone(t.note.Tallies)
	after := map[string]uint64{} // what is there then that was not, or was different
	create := func(node string, value []byte) {
		ops = append(ops, &zk.CreateRequest{Path: t.c.path(nodeState, node), Data: value, Acl: t.c.acl})
	}
	for _, c := range changes {
		node := t.c.path(nodeState, c.Node)
		of := tallies[c.kind()]
		old, there := t.nodes[c.Node]
		if there {
			of.remove(old)
		}
		if c.Value != nil {
			after[c.Node] = sum(c.Node, c.Value)
			of.add(after[c.Node])
		}
		tallies[c.kind()] = of
		switch {
		case there && c.Value != nil:
			ops = append(ops, &zk.SetDataRequest{Path: node, Data: c.Value, Version: -1})
		case there:
			ops = append(ops, &zk.DeleteRequest{Path: node, Version: -1})
		case c.Value != nil:
			for dir := range ancestors("/" + path.Dir(c.Node)) {
				dir = dir[1:]
				_, there := t.nodes[dir]
				if _, made := after[dir]; !there && !made {
					create(dir, nil)
					after[dir] = 0
				}
			}
			create(c.Node, c.Value)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if err := t.transact(ctx, tallies, ops...); err != nil {
		return fmt.Errorf("storing %d records in ZooKeeper: %w", len(changes), err)
	}
	for _, c := range changes {
		if c.Value == nil {
			delete(t.nodes, c.Node)
		}
	}
	maps.Copy(t.nodes, after)
	return nil
}
