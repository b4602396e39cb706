package api

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// DefaultRequestsPerSecond is how many requests of one client are answered when Options say nothing.
	DefaultRequestsPerSecond = 1000
	// burst is how many seconds' worth of requests may come at once.
	burst = 2
	// failuresPerSecond is how many wrong passwords of one client are looked at.
	failuresPerSecond = 5
	failurePrefix     = "failed "
	// clientsKept bounds the memory for clients; those that were quiet longest are forgotten.
	clientsKept = 10_000
)

// limits counts requests by client, in buckets that fill with time. It may be used from any goroutine.
type limits struct {
	mu      sync.Mutex
	buckets *simplelru.LRU[string, bucket]
}

// bucket has room for requests: so many at a moment, and more of them the later it gets.
type bucket struct {
	room float64
	at   time.Time
}

func newLimits() *limits {
	buckets, err := simplelru.NewLRU[string, bucket](clientsKept, nil)
	if err != nil {
		panic("internal error: " + err.Error()) // the size is a constant above 0
	}
	return &limits{buckets: buckets}
}

// take counts one request of a client that may make so many a second; 0 is any number. One too many is answered 429.
func (l *limits) take(client string, perSecond int, now time.Time) error {
	if perSecond == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rate := float64(perSecond)
	most := rate * burst
	b, known := l.buckets.Get(client)
	if !known {
		b = bucket{most, now}
	}
	b.room = min(most, b.room+max(0, now.Sub(b.at).Seconds())*rate)
	b.at = now
	if b.room < 1 {
		l.buckets.Add(client, b)
		wait := int(math.Ceil((1 - b.room) / rate))
		return &Error{Status: http.StatusTooManyRequests, Message: "Too many requests: this server answers " +
			strconv.Itoa(perSecond) + " a second of each client.", retryAfter: max(1, wait)}
	}
	b.room--
	l.buckets.Add(client, b)
	return nil
}
