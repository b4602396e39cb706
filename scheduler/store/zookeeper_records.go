package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"rollcall/scheduler"
)

var _ scheduler.Store = (*Term)(nil)

// readsAtOnce is how many requests are on the way while records are loaded.
const readsAtOnce = 128

// Load is scheduler.Store's Load. A commit that the leader before did not see through is seen through first.
//
// Records are read one after the other. Should another rollcall have begun to lead meanwhile, and changed some of them,
// they do not go together, and what is wrong with them is no damage: the error wraps ErrDeposed then, whatever else
// there was.
func (t *Term) Load(ctx context.Context, yield func(scheduler.Record) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := t.loadAll(ctx, yield)
	if other := t.unchanged(); errors.Is(other, ErrDeposed) || err == nil {
		return other
	}
	return err
}

// unchanged returns an error unless ZooKeeper says that nobody has stored anything since this term last did.
func (t *Term) unchanged() error {
	node := t.c.path(nodeTerm)
	if _, err := t.c.conn.Sync(node); err != nil { // else a server that lags behind could answer
		return fmt.Errorf("reading the term: %w", err)
	}
	_, stat, err := t.c.conn.Get(node)
	if err != nil {
		return fmt.Errorf("reading the term: %w", err)
	}
	if stat.Version != t.version {
		return t.deposed(errors.New("another term has begun"))
	}
	return nil
}

func (t *Term) loadAll(ctx context.Context, yield func(scheduler.Record) error) error {
	if err := t.takeStock(ctx); err != nil {
		return err
	}
	records := make(chan scheduler.Record, readsAtOnce)
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	go func() {
		defer close(records)
		for node := range t.nodes {
			if reading.Err() != nil {
				break
			}
			if strings.Count(node, "/") < 2 {
				continue // a directory
			}
			group.Go(func() error {
				r, err := t.read(node)
				if err != nil {
					return err
				}
				select {
				case records <- r:
				case <-reading.Done():
				}
				return reading.Err()
			})
		}
		group.Wait() //nolint:errcheck // asked for below
	}()
	var refused error
	for r := range records {
		if refused == nil {
			refused = yield(r)
		}
	}
	// When ctx has ended there may have been nobody left to say so: half a state must not pass for a whole one.
	return cmp.Or(group.Wait(), ctx.Err(), refused)
}

// takeStock finds out which nodes there are, and sees a commit through that is in the journal.
func (t *Term) takeStock(ctx context.Context) error {
	t.nodes = map[string]bool{}
	if err := t.list(); err != nil {
		t.nodes = nil
		return err
	}
	if err := t.readJournal(); err != nil {
		return err
	}
	return t.finishJournal(ctx)
}

// list finds out which nodes there are below the state's.
func (t *Term) list() error {
	kinds, err := t.children("")
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if !slices.Contains(scheduler.Kinds(), scheduler.Kind(kind)) {
			return fmt.Errorf("%w: %s is no kind of record that it knows", scheduler.ErrNewer, t.c.path(nodeState, kind))
		}
		buckets, err := t.children(kind)
		if err != nil {
			return err
		}
		for _, bucket := range buckets {
			if _, err := t.children(path.Join(kind, bucket)); err != nil {
				return err
			}
		}
	}
	return nil
}

// children lists a directory below the state's and remembers what is there.
func (t *Term) children(dir string) ([]string, error) {
	names, _, err := t.c.conn.Children(t.c.path(nodeState, dir))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", t.c.path(nodeState, dir), err)
	}
	for _, name := range names {
		t.nodes[path.Join(dir, name)] = true
	}
	return names, nil
}

// read reads the record at a path below the state's.
func (t *Term) read(node string) (scheduler.Record, error) {
	data, _, err := t.c.conn.Get(t.c.path(nodeState, node))
	if err != nil {
		return scheduler.Record{}, fmt.Errorf("reading %s: %w", t.c.path(nodeState, node), err)
	}
	kind, _, _ := strings.Cut(node, "/")
	key, err := unescape(path.Base(node))
	if err == nil && recordPath(scheduler.Kind(kind), key) != node {
		err = errors.New("it is in the wrong place")
	}
	var value []byte
	if err == nil {
		value, err = decodeValue(data)
	}
	if err != nil {
		return scheduler.Record{}, fmt.Errorf("%w: %s: %w", scheduler.ErrDamaged, t.c.path(nodeState, node), err)
	}
	return scheduler.Record{Kind: scheduler.Kind(kind), Key: key, Value: value}, nil
}

// Commit is scheduler.Store's Commit. Its errors wrap ErrDeposed once another rollcall leads or may lead; nothing was
// stored then, unless the term ended before ZooKeeper's answer came.
func (t *Term) Commit(ctx context.Context, records []scheduler.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkRecords(records); err != nil {
		return err
	}
	see := t.finishJournal
	if t.nodes == nil {
		see = t.takeStock
	}
	if err := see(ctx); err != nil {
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

// apply makes changes in one transaction, along with other operations.
func (t *Term) apply(ctx context.Context, changes []change, others ...any) error {
	ops := others
	made := map[string]bool{} // nodes by whether they will be there
	create := func(node string, value []byte) {
		ops = append(ops, &zk.CreateRequest{Path: t.c.path(nodeState, node), Data: value, Acl: t.c.acl})
		made[node] = true
	}
	for _, c := range changes {
		node := t.c.path(nodeState, c.Node)
		switch there := t.nodes[c.Node]; {
		case there && c.Value != nil:
			ops = append(ops, &zk.SetDataRequest{Path: node, Data: c.Value, Version: -1})
		case there:
			ops = append(ops, &zk.DeleteRequest{Path: node, Version: -1})
			made[c.Node] = false
		case c.Value != nil:
			for dir := range ancestors("/" + path.Dir(c.Node)) {
				if dir = dir[1:]; !t.nodes[dir] && !made[dir] {
					create(dir, nil)
				}
			}
			create(c.Node, c.Value)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if err := t.transact(ctx, ops...); err != nil {
		return fmt.Errorf("storing %d records in ZooKeeper: %w", len(changes), err)
	}
	for node, there := range made {
		if there {
			t.nodes[node] = true
		} else {
			delete(t.nodes, node)
		}
	}
	return nil
}
