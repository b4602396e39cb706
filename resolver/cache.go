package resolver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// cacheShards is how many parts a cache has, so that readers on different processors seldom wait for each other. A
	// cache of fewer than shardedSize answers has one.
	cacheShards = 16
	shardedSize = 1024

	// averageKept is how many octets an answer may have on average, with what it costs to keep it: more than almost all
	// have, so that it is the number of answers which counts, unless somebody fills the cache with large ones.
	averageKept = 2048
	keptCost    = 320 // octets, of an answer besides its wire format and its key
)

// cache keeps answers of upstream servers; the least recently used ones go first. It may be used by many goroutines at
// once. nil is a cache without room.
type cache struct {
	seed     maphash.Seed // nobody can make keys that share a place
	shards   []*cacheShard
	maxStale uint32 // seconds that answers are kept after their time
}

type cacheShard struct {
	answers  *lru.Cache[uint64, *kept] // by hash of the key
	octets   atomic.Int64
	capacity int64 // octets
}

// newCache makes a cache for size answers; nil for none.
func newCache(size int, maxStale time.Duration) (*cache, error) {
	if size == 0 {
		return nil, nil
	}
	c := &cache{seed: maphash.MakeSeed(), maxStale: uint32(min(maxStale/time.Second, 1<<31))}
	count := 1
	if size >= shardedSize {
		count = cacheShards
	}
	for range count {
		part := (size + count - 1) / count
		s := &cacheShard{capacity: int64(part) * averageKept}
		var err error
		s.answers, err = lru.NewWithEvict(part, func(_ uint64, k *kept) { s.octets.Add(-k.size()) })
		if err != nil {
			return nil, fmt.Errorf("making the cache: %w", err)
		}
		c.shards = append(c.shards, s)
	}
	return c, nil
}

func (k *kept) size() int64 { return int64(len(k.wire) + len(k.key) + 8*len(k.ttls) + keptCost) }

func (c *cache) shard(hash uint64) *cacheShard { return c.shards[hash>>32%uint64(len(c.shards))] }

// put keeps an answer, if it may be kept at all.
func (c *cache) put(k *kept) {
	if c == nil || k.ttl == 0 {
		return
	}
	hash := maphash.Bytes(c.seed, k.key)
	s := c.shard(hash)
	s.answers.Remove(hash) // so that what was there is counted as gone
	s.octets.Add(k.size())
	s.answers.Add(hash, k)
	for s.octets.Load() > s.capacity {
		if _, _, ok := s.answers.RemoveOldest(); !ok {
			return
		}
	}
}

// lookup finds the answer that is kept under a key, fresh or stale; nil: there is none. It does not allocate.
func (c *cache) lookup(key []byte, now time.Time) *kept {
	if c == nil {
		return nil
	}
	hash := maphash.Bytes(c.seed, key)
	k, ok := c.shard(hash).answers.Get(hash)
	if !ok || !bytes.Equal(k.key, key) {
		return nil
	}
	if age := k.age(now); age >= k.ttl && (k.isFailure() || age-k.ttl >= c.maxStale) {
		return nil // the next answer takes its place
	}
	return k
}

// len is how many answers are kept.
func (c *cache) len() (n int) {
	if c != nil {
		for _, s := range c.shards {
			n += s.answers.Len()
		}
	}
	return n
}

// octets is how much memory they take, about.
func (c *cache) octets() (n int64) {
	if c != nil {
		for _, s := range c.shards {
			n += s.octets.Load()
		}
	}
	return n
}

// keyTail is what follows the name in a key: type and flags.
const keyTail = 3

// The flags of a key.
const (
	keyRD = 1 << iota
	keyCD
	keyDO
	keyUDP  // the last two only where questions go on as they came
	keyEDNS //
)

// appendKey appends what an answer depends on: the question's name in lower-case wire format, its type, and what of the
// client's message goes upstream. The class is IN always.
func appendKey(dst, name []byte, qtype uint16, flags byte) []byte {
	dst = append(dst, name...)
	dst = binary.BigEndian.AppendUint16(dst, qtype)
	return append(dst, flags)
}
