package store

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-zookeeper/zk"

	"rollcall/scheduler"
)

// A commit that is too large for one of ZooKeeper's transactions is written below the journal's node first, in as many
// parts as it takes. It is made when the journal's node says how many parts there are; its changes are then carried
// out part by part, by the next leader if need be, and carrying them out again does no harm.

// commitByJournal makes a commit of several batches. When it has written how many there are it returns nil, whatever
// becomes of the rest.
func (t *Term) commitByJournal(ctx context.Context, batches [][]change) error {
	if err := t.clearJournal(ctx); err != nil {
		return err
	}
	for i, batch := range batches {
		var data bytes.Buffer
		if err := gob.NewEncoder(&data).Encode(batch); err != nil {
			return fmt.Errorf("writing the journal: %w", err)
		}
		part := &zk.CreateRequest{Path: t.journalPart(i), Data: data.Bytes(), Acl: t.c.acl}
		if err := t.transact(ctx, t.note.Tallies, part); err != nil {
			return fmt.Errorf("writing part %d of %d of the journal: %w", i+1, len(batches), err)
		}
	}
	if err := t.setJournal(ctx, len(batches)); err != nil {
		return err
	}
	t.journal = batches
	if err := t.finishJournal(ctx); err != nil {
		t.c.o.Logger.Warn("a large commit is made but not carried out yet", "error", err)
	}
	return nil
}

// journalPart is the node of a part, counted from 0.
func (t *Term) journalPart(i int) string { return t.c.path(nodeJournal, strconv.Itoa(i)) }

// setJournal says how many parts of the journal count.
func (t *Term) setJournal(ctx context.Context, parts int) error {
	set := &zk.SetDataRequest{Path: t.c.path(nodeJournal), Data: []byte(strconv.Itoa(parts)), Version: -1}
	if err := t.transact(ctx, t.note.Tallies, set); err != nil {
		return fmt.Errorf("writing how long the journal is: %w", err)
	}
	return nil
}

// clearJournal removes parts of a commit that was never made.
func (t *Term) clearJournal(ctx context.Context) error {
	names, _, err := t.c.conn.Children(t.c.path(nodeJournal))
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	for batch := range slices.Chunk(names, 1000) {
		var ops []any
		for _, name := range batch {
			ops = append(ops, &zk.DeleteRequest{Path: t.c.path(nodeJournal, name), Version: -1})
		}
		if err := t.transact(ctx, t.note.Tallies, ops...); err != nil {
			return fmt.Errorf("clearing the journal: %w", err)
		}
	}
	return nil
}

// readJournal reads the commit that the leader before has made, if it may not have carried it out.
func (t *Term) readJournal() error {
	node := t.c.path(nodeJournal)
	data, _, err := t.c.conn.Get(node)
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	t.journal = nil
	if len(data) == 0 {
		return nil
	}
	parts, err := strconv.Atoi(string(data))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", scheduler.ErrDamaged, node, err)
	}
	for i := range parts {
		data, _, err := t.c.conn.Get(t.journalPart(i))
		if err != nil {
			return fmt.Errorf("reading %s: %w", t.journalPart(i), mustBe(err))
		}
		var batch []change
		if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&batch); err != nil {
			return fmt.Errorf("%w: %s: %w", scheduler.ErrDamaged, t.journalPart(i), err)
		}
		t.journal = append(t.journal, batch)
	}
	return nil
}

// finishJournal carries out what is left of the commit in the journal. There is nothing to do when there is none.
func (t *Term) finishJournal(ctx context.Context) error {
	if len(t.journal) == 0 {
		return nil
	}
	for i, batch := range t.journal {
		if err := t.apply(ctx, batch); err != nil {
			return fmt.Errorf("carrying out part %d of %d of the journal: %w", i+1, len(t.journal), err)
		}
	}
	if err := t.setJournal(ctx, 0); err != nil {
		return err
	}
	t.journal = nil
	return t.clearJournal(ctx)
}
