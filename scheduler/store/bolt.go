package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// slowCommit is how long a commit may take before it is worth a warning: every answer to a request waits for one.
const slowCommit = time.Second

// batchSize is how many records Load reads at a time: no transaction is open while they are handed out.
const batchSize = 512

// BoltOptions are the choices that OpenBolt leaves open.
type BoltOptions struct {
	// Logger hears of a new file and of slow commits. Nil is silence.
	Logger *slog.Logger
}

// Bolt keeps records in a bbolt file. It is used from one goroutine, but for Path.
//
// The file is written copy-on-write, two fsyncs a commit. Its list of free pages is kept in the file: it costs a page
// or so a commit, and a failed commit is then undone without a walk over all pages. Pages that records leave are
// used again; the file does not shrink. Once a day it is copied, so that there is something to go back to.
type Bolt struct {
	path    string
	log     *slog.Logger
	file    *os.File
	db      *bolt.DB
	tallies map[scheduler.Kind]tally // as committed

	copied  time.Time // when the last copy of the file was begun; the zero time: there is none
	copying sync.WaitGroup

	broken    error // why nothing more is stored
	abandoned bool  // bbolt panicked and may hold its own locks: its Close would wait for ever
	closed    bool
}

var _ scheduler.Store = (*Bolt)(nil)

// OpenBolt opens the state file at path, or makes an empty one, with the directories above it. It reads the file once
// from end to end, so that Load can only hand out exactly what was committed. A file that it does not like it leaves
// as it is. Its errors wrap scheduler.ErrLocked, ErrDamaged, ErrNewer, or what the system said; a file that cannot be
// made for want of room gives ErrFull.
func OpenBolt(path string, o BoltOptions) (*Bolt, error) {
	b := &Bolt{path: path, log: o.Logger, tallies: map[scheduler.Kind]tally{}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if err := b.open(); err != nil {
		if errors.Is(err, scheduler.ErrDamaged) {
			err = fmt.Errorf("%w; %s", err, remedy(path))
		}
		return nil, fmt.Errorf("opening the state %s: %w", path, err)
	}
	return b, nil
}

func (b *Bolt) open() error {
	b.copied = copyOf(b.path)
	f, err := openLocked(b.path, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		if err := b.create(); err != nil {
			return err
		}
		f, err = openLocked(b.path, os.O_RDWR)
	}
	if err != nil {
		return err
	}
	return b.adopt(f)
}

// create makes a state without records and closes it, so that it is opened under its own name.
func (b *Bolt) create() error {
	made, err := createWith(b.path, b.format)
	if b.db != nil {
		err = errors.Join(err, b.db.Close())
	}
	switch {
	case noRoom(err): // which many calls may report here, and which is always harmless
		return fmt.Errorf("%w: %w", scheduler.ErrFull, err)
	case err == nil && made:
		b.copied = time.Now() // there is nothing in it
		b.log.Info("made a new state file", "path", b.path)
	}
	return err
}

// format makes an empty file into a state without records.
func (b *Bolt) format(f *os.File) error {
	if err := b.start(f); err != nil {
		return err
	}
	return b.db.Update(func(tx *bolt.Tx) error {
		own, err := tx.CreateBucket([]byte(storeBucket))
		if err != nil {
			return err
		}
		return errors.Join(putOwn(own, formatKey, fmt.Append(nil, layoutFormat)), putOwn(own, txidKey, fmt.Append(nil, tx.ID())))
	})
}

// adopt checks the records in an existing file and begins to use it.
func (b *Bolt) adopt(f *os.File) error {
	c := newContents()
	if err := inspect(f, c); err != nil {
		_ = f.Close()
		return err
	}
	b.tallies = c.counted
	if err := b.start(f); err != nil {
		return err
	}
	b.keepCopy()
	return nil
}

func inspect(f *os.File, c *contents) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	txid, err := walkPages(f, info.Size(), c)
	if err != nil {
		return damaged("%w", err)
	}
	return c.verdict(txid)
}

// start has bbolt use an open, locked file. The file is closed when that fails.
func (b *Bolt) start(f *os.File) error {
	b.file = f
	err := guard(func() (err error) {
		b.db, err = bolt.Open(b.path, 0o600, &bolt.Options{
			FreelistType: bolt.FreelistMapType,
			NoStatistics: true,
			OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		return err
	})
	if err != nil {
		_ = f.Close()
	}
	return err
}

// Path is where the file is.
func (b *Bolt) Path() string { return b.path }

// Load is scheduler.Store's Load.
func (b *Bolt) Load(ctx context.Context, yield func(scheduler.Record) error) error {
	for _, kind := range scheduler.Kinds() {
		for after := ""; ; {
			if err := ctx.Err(); err != nil {
				return err
			}
			batch, err := b.read(kind, after)
			if err != nil {
				return fmt.Errorf("reading the state %s: %w", b.path, err)
			}
			for _, r := range batch {
				if err := yield(r); err != nil {
					return err
				}
			}
			if len(batch) < batchSize {
				break
			}
			after = batch[len(batch)-1].Key
		}
	}
	return nil
}

// read returns the records of a kind that follow the key after, up to batchSize of them.
func (b *Bolt) read(kind scheduler.Kind, after string) ([]scheduler.Record, error) {
	var out []scheduler.Record
	err := guard(func() error {
		return b.db.View(func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte(kind))
			if bucket == nil {
				return nil
			}
			c := bucket.Cursor()
			k, v := c.Seek([]byte(after))
			if string(k) == after {
				k, v = c.Next()
			}
			for ; k != nil && len(out) < batchSize; k, v = c.Next() {
				key := string(k)
				value, err := unseal(string(kind), key, v)
				if err != nil {
					return damaged("%s %q: %w", kind, key, err)
				}
				out = append(out, scheduler.Record{Kind: kind, Key: key, Value: append([]byte{}, value...)})
			}
			return nil
		})
	})
	return out, err
}

// Commit is scheduler.Store's Commit. Ctx is looked at before anything is written, not later.
//
// After an error that does not wrap ErrFull and comes from the disk, nothing more is stored until the file was
// opened anew, and each further Commit says so: an fsync that failed once may report success when it is repeated,
// although what it was to write is lost. Whether the records of that one commit are found then is open.
func (b *Bolt) Commit(ctx context.Context, records []scheduler.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.broken != nil {
		return fmt.Errorf("storing in %s: an earlier write failed; put the disk right and restart rollcall: %w", b.path, b.broken)
	}
	if err := checkRecords(records); err != nil {
		return err
	}
	if len(records) == 0 {
		return nil
	}
	begin := time.Now()
	err := b.commit(records)
	if took := time.Since(begin); took > slowCommit {
		b.log.Warn("the disk is slow", "path", b.path, "commit", took, "records", len(records))
	}
	switch {
	case err == nil:
		b.keepCopy()
		return nil
	case isFull(err):
		return fmt.Errorf("storing in %s: %w: %w", b.path, scheduler.ErrFull, err)
	}
	b.broken = err
	return fmt.Errorf("storing in %s: nothing more can be stored; put the disk right and restart rollcall: %w", b.path, err)
}

func (b *Bolt) commit(records []scheduler.Record) error {
	tallies := maps.Clone(b.tallies)
	returned := false
	err := guard(func() error {
		err := b.transact(tallies, records)
		returned = true
		return err
	})
	b.abandoned = !returned
	if err == nil {
		b.tallies = tallies
	}
	return err
}

// transact does not use bbolt's Update: when that panics it also undoes, and what it reads for that may be what it
// panicked about.
func (b *Bolt) transact(tallies map[scheduler.Kind]tally, records []scheduler.Record) error {
	tx, err := b.db.Begin(true)
	if err != nil {
		return err
	}
	if err := apply(tx, tallies, records); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// apply makes the records' changes in a transaction, and in the tallies of their kinds.
func apply(tx *bolt.Tx, tallies map[scheduler.Kind]tally, records []scheduler.Record) error {
	buckets := map[scheduler.Kind]*bolt.Bucket{}
	for _, r := range records {
		bucket, ok := buckets[r.Kind]
		if !ok {
			var err error
			if bucket, err = tx.CreateBucketIfNotExists([]byte(r.Kind)); err != nil {
				return err
			}
			buckets[r.Kind] = bucket
		}
		t := tallies[r.Kind]
		if err := t.change(bucket, r); err != nil {
			return fmt.Errorf("%s %q: %w", r.Kind, r.Key, err)
		}
		tallies[r.Kind] = t
	}
	own := tx.Bucket([]byte(storeBucket))
	for kind := range buckets {
		if err := putOwn(own, tallyPrefix+string(kind), tallies[kind].bytes()); err != nil {
			return err
		}
	}
	return putOwn(own, txidKey, fmt.Append(nil, tx.ID()))
}

func putOwn(own *bolt.Bucket, key string, value []byte) error {
	return own.Put([]byte(key), seal(storeBucket, key, value))
}

// change puts or removes one record.
func (t *tally) change(bucket *bolt.Bucket, r scheduler.Record) error {
	key := []byte(r.Key)
	if old := bucket.Get(key); old != nil {
		if len(old) < sumSize {
			return damaged("%w", errChecksum)
		}
		t.remove(sumOf(old))
	}
	if r.Value == nil {
		return bucket.Delete(key)
	}
	sealed := seal(string(r.Kind), r.Key, r.Value)
	t.add(sumOf(sealed))
	return bucket.Put(key, sealed)
}

// Close lets another rollcall use the file. What was committed is in it already. It may be called again.
func (b *Bolt) Close() error {
	if b.closed || b.db == nil {
		return nil
	}
	b.closed = true
	shut := b.abandon
	if !b.abandoned {
		b.copying.Wait()
		shut = b.db.Close
	}
	if err := shut(); err != nil {
		return fmt.Errorf("closing the state %s: %w", b.path, err)
	}
	return nil
}

// abandon gives the file up without bbolt. Its memory map stays, and would keep the lock.
func (b *Bolt) abandon() error {
	return errors.Join(unix.Flock(int(b.file.Fd()), unix.LOCK_UN), b.file.Close())
}
