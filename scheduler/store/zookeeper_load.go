package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"rollcall/scheduler"
)

const (
	// readsAtOnce is how many requests are on the way while records are read.
	readsAtOnce = 128

	// readings is how often records that do not add up are read before that is called damage: as a rule there are three
	// servers, and the first one gets a second chance.
	readings = 4
)

// Load is scheduler.Store's Load. A commit that the leader before did not see through is seen through first.
//
// Records are read one after the other, and handed out when all of them are there. Together they are what the term's note
// says, whichever servers they came from: ZooKeepers that were killed may come back with trees that differ, and one of them
// may serve before it has everything.
func (t *Term) Load(ctx context.Context, yield func(scheduler.Record) error) error {
	records, err := t.takeStock(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// takeStock reads which records there are, and sees a commit through that is in the journal.
func (t *Term) takeStock(ctx context.Context) ([]scheduler.Record, error) {
	records, err := t.read(ctx)
	if err != nil || len(t.journal) == 0 {
		return records, err
	}
	if err := t.finishJournal(ctx); err != nil {
		return nil, err
	}
	return t.read(ctx)
}

// read reads until what it has read is one state, and this term's. What does not add up is read again from another server
// some times; then the error wraps ErrDamaged. Should another rollcall have begun to lead meanwhile, what was read is of two
// states, and no damage: the error wraps ErrDeposed.
func (t *Term) read(ctx context.Context) ([]scheduler.Record, error) {
	for n := 1; ; {
		records, err := t.readOnce(ctx)
		damaged := errors.Is(err, scheduler.ErrDamaged)
		if err == nil || damaged {
			err = cmp.Or(t.unchanged(), err)
		}
		switch {
		case err == nil:
			return records, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrDeposed):
			return nil, err
		case !t.Valid():
			return nil, t.deposed(errors.New("it was lost while the state was read"))
		case ambiguous(err):
			// The session goes on with another server, and does not go back in time there.
			sleep(ctx, sessionRetry/4) //nolint:errcheck // asked for above
		case !damaged || n == readings:
			return nil, err
		default:
			t.c.o.Logger.Warn("what a ZooKeeper says does not add up; another one is asked", "server", t.c.conn.Server(),
				"try", n, "of", readings, "error", err)
			t.move()
			sleep(ctx, time.Duration(n)*t.c.reread) //nolint:errcheck // asked for above
			n++
		}
	}
}

// unchanged returns an error unless ZooKeeper says that nobody has stored anything since this term last did.
func (t *Term) unchanged() error {
	if err := t.catchUp(); err != nil {
		return err
	}
	_, stat, err := t.c.conn.Get(t.c.path(nodeTerm))
	if err != nil {
		return fmt.Errorf("reading the term: %w", err)
	}
	if stat.Version != t.version {
		return t.deposed(errors.New("another term has begun"))
	}
	return nil
}

// catchUp has the server learn what was committed before: one that lags behind could answer else.
func (t *Term) catchUp() error {
	if _, err := t.c.conn.Sync(t.c.path(nodeTerm)); err != nil {
		return fmt.Errorf("having ZooKeeper catch up: %w", err)
	}
	return nil
}

// readOnce reads all records and the journal, and wants the records to add up to what the note says.
func (t *Term) readOnce(ctx context.Context) ([]scheduler.Record, error) {
	t.nodes, t.journal = nil, nil
	if err := t.catchUp(); err != nil {
		return nil, err
	}
	nodes, err := t.list()
	if err != nil {
		return nil, err
	}
	records, err := t.readAll(ctx, nodes)
	if err != nil {
		return nil, err
	}
	if err := t.readJournal(); err != nil {
		return nil, err
	}
	counted := map[scheduler.Kind]tally{}
	for _, r := range records {
		of := counted[r.Kind]
		of.add(nodes[recordPath(r.Kind, r.Key)])
		counted[r.Kind] = of
	}
	if err := addUp(counted, t.note.Tallies); err != nil {
		return nil, err
	}
	t.note.Tallies = counted
	t.nodes = nodes
	return records, nil
}

// addUp wants the records that were counted to be those that were stored.
func addUp(counted, stored map[scheduler.Kind]tally) error {
	if stored == nil {
		return nil // a rollcall that kept no tallies has led
	}
	for _, kind := range scheduler.Kinds() {
		if got, want := counted[kind], stored[kind]; got != want {
			return damaged("kind %s has %d records, not those %d that were stored", kind, got.count, want.count)
		}
	}
	return nil
}

// list finds out which nodes there are below the state's.
func (t *Term) list() (map[string]uint64, error) {
	nodes := map[string]uint64{}
	children := func(dir string) ([]string, error) {
		names, _, err := t.c.conn.Children(t.c.path(nodeState, dir))
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", t.c.path(nodeState, dir), mustBe(err))
		}
		for _, name := range names {
			nodes[path.Join(dir, name)] = 0
		}
		return names, nil
	}
	kinds, err := children("")
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if !slices.Contains(scheduler.Kinds(), scheduler.Kind(kind)) {
			return nil, fmt.Errorf("%w: %s is no kind of record that it knows", scheduler.ErrNewer, t.c.path(nodeState, kind))
		}
		buckets, err := children(kind)
		if err != nil {
			return nil, err
		}
		for _, bucket := range buckets {
			if _, err := children(path.Join(kind, bucket)); err != nil {
				return nil, err
			}
		}
	}
	return nodes, nil
}

// readAll reads the records among nodes, and notes their checksums there.
func (t *Term) readAll(ctx context.Context, nodes map[string]uint64) ([]scheduler.Record, error) {
	var at []string
	for node := range nodes {
		if strings.Count(node, "/") == 2 { // else a directory
			at = append(at, node)
		}
	}
	records, sums := make([]scheduler.Record, len(at)), make([]uint64, len(at))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i, node := range at {
		if reading.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			records[i], sums[i], err = t.readRecord(node)
			return err
		})
	}
	// When ctx has ended there may have been nobody left to say so: half a state must not pass for a whole one.
	if err := cmp.Or(group.Wait(), ctx.Err()); err != nil {
		return nil, err
	}
	for i, node := range at {
		nodes[node] = sums[i]
	}
	return records, nil
}

// readRecord reads the record at a path below the state's, and its checksum.
func (t *Term) readRecord(node string) (scheduler.Record, uint64, error) {
	data, _, err := t.c.conn.Get(t.c.path(nodeState, node))
	if err != nil {
		return scheduler.Record{}, 0, fmt.Errorf("reading %s: %w", t.c.path(nodeState, node), mustBe(err))
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
		return scheduler.Record{}, 0, damaged("%s: %w", t.c.path(nodeState, node), err)
	}
	return scheduler.Record{Kind: scheduler.Kind(kind), Key: key, Value: value}, sum(node, data), nil
}

// mustBe makes damage of the error that says that a node is not there of which another one told.
func mustBe(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return damaged("%w", err)
	}
	return err
}
