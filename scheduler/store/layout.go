package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rollcall/scheduler"
)

// The layout of a state file, format 1. Each kind of record has a bucket of its name. The bucket "store" holds
// "format", "txid" and, for each kind that was ever stored, "tally/KIND". A value is preceded by its checksum (seal).
//
// Checksums find a value that changed. They cannot find one that is gone, together with its key, because a page
// lists fewer entries than it did, or because the disk lost a write and an older page is there: the tallies do. When
// that page is the root of everything, only the number of its transaction tells.
//
// A later format must keep "store" and the way "format" is written in it: it is how an older rollcall knows.
const (
	layoutFormat = 1

	storeBucket = "store"
	formatKey   = "format"
	txidKey     = "txid"
	tallyPrefix = "tally/"

	sumSize = 8
)

// checksum covers the bucket and the key too: a value under a wrong key is as bad as a wrong value.
func checksum(bucket, key string, value []byte) uint64 {
	b := make([]byte, 0, 16+len(bucket)+len(key)+len(value))
	b = binary.BigEndian.AppendUint64(b, uint64(len(bucket)))
	b = append(b, bucket...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(key)))
	b = append(b, key...)
	b = append(b, value...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// seal puts the checksum before a value.
func seal(bucket, key string, value []byte) []byte {
	b := make([]byte, 0, sumSize+len(value))
	b = binary.BigEndian.AppendUint64(b, checksum(bucket, key, value))
	return append(b, value...)
}

var errChecksum = errors.New("its checksum does not match")

// unseal returns the value within a sealed one, not copied.
func unseal(bucket, key string, sealed []byte) ([]byte, error) {
	if len(sealed) < sumSize {
		return nil, errChecksum
	}
	value := sealed[sumSize:]
	if sumOf(sealed) != checksum(bucket, key, value) {
		return nil, errChecksum
	}
	return value, nil
}

// sumOf is the checksum that a sealed value carries.
func sumOf(sealed []byte) uint64 { return binary.BigEndian.Uint64(sealed) }

// tally is what a kind's records add up to, in any order: their number and the sum of their checksums.
type tally struct{ count, sum uint64 }

func (t *tally) add(sum uint64) {
	t.count++
	t.sum += sum
}

func (t *tally) remove(sum uint64) {
	t.count--
	t.sum -= sum
}

func (t tally) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, t.count), t.sum)
}

func tallyOf(b []byte) (tally, error) {
	if len(b) != 16 {
		return tally{}, fmt.Errorf("it has %d bytes, not 16", len(b))
	}
	return tally{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// contents is what a walk over a state file finds in it.
type contents struct {
	format  int // 0 when not found
	txid    uint64
	counted map[scheduler.Kind]tally
	stored  map[scheduler.Kind]tally
	problem error // the first
}

func newContents() *contents {
	return &contents{counted: map[scheduler.Kind]tally{}, stored: map[scheduler.Kind]tally{}}
}

// visitBucket takes note of a bucket, before its entries.
func (c *contents) visitBucket(name []byte) {
	if string(name) != storeBucket {
		c.counted[scheduler.Kind(name)] = tally{}
	}
}

// visit takes note of an entry. It does not stop at a problem, because a file of a newer format, which may be full
// of what looks like problems, is to be known as such.
func (c *contents) visit(bucket, key, sealed []byte) {
	if err := c.see(string(bucket), string(key), sealed); err != nil && c.problem == nil {
		c.problem = fmt.Errorf("%s %q: %w", bucket, key, err)
	}
}

func (c *contents) see(bucket, key string, sealed []byte) error {
	value, err := unseal(bucket, key, sealed)
	if err != nil {
		return err
	}
	if bucket != storeBucket {
		t := c.counted[scheduler.Kind(bucket)]
		t.add(sumOf(sealed))
		c.counted[scheduler.Kind(bucket)] = t
		return nil
	}
	if kind, ok := strings.CutPrefix(key, tallyPrefix); ok {
		c.stored[scheduler.Kind(kind)], err = tallyOf(value)
		return err
	}
	switch key {
	case formatKey:
		c.format, err = strconv.Atoi(string(value))
	case txidKey:
		c.txid, err = strconv.ParseUint(string(value), 10, 64)
	default:
		err = errors.New("it does not belong there")
	}
	return err
}

// verdict says whether a file with these contents, whose newest transaction is txid, may be used.
func (c *contents) verdict(txid uint64) error {
	if c.format > layoutFormat {
		return fmt.Errorf("%w: its format is %d, this one knows formats up to %d; start the rollcall that wrote it or a newer one",
			scheduler.ErrNewer, c.format, layoutFormat)
	}
	if c.problem != nil {
		return damaged("%w", c.problem)
	}
	if c.format != layoutFormat {
		return damaged("it does not say which format it has; is it a file of rollcall's?")
	}
	for kind, want := range c.stored {
		got, ok := c.counted[kind]
		if !ok {
			return damaged("all %d records of kind %s are missing", want.count, kind)
		}
		if got != want {
			return damaged("kind %s has %d records, not those %d that were stored", kind, got.count, want.count)
		}
	}
	for kind := range c.counted {
		if _, ok := c.stored[kind]; !ok {
			return damaged("records of kind %s are there that were never stored", kind)
		}
	}
	if err := c.unknownKind(); err != nil {
		return err
	}
	if c.txid != txid {
		return damaged("its records are of transaction %d, not of the newest, %d", c.txid, txid)
	}
	return nil
}

func (c *contents) unknownKind() error {
	known := map[scheduler.Kind]bool{}
	for _, kind := range scheduler.Kinds() {
		known[kind] = true
	}
	for kind := range c.counted {
		if !known[kind] {
			return fmt.Errorf("%w: it holds records of kind %s, which this one does not know; start the rollcall that wrote it or a newer one",
				scheduler.ErrNewer, kind)
		}
	}
	return nil
}
