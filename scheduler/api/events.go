package api

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall/scheduler"
)

// DefaultEventsKept is how many events are kept for slow and returning readers, unless said otherwise.
const DefaultEventsKept = 16384

// Events keeps the newest notices and wakes those who read them on the event stream. It is a scheduler.Observer, to be
// given to the loop and to the API. A publisher never waits for a reader: each reader has its own place in the ring,
// and one that falls a whole ring behind has lost notices and is cut off. Its methods may be called from any goroutine.
type Events struct {
	epoch string // tells ids of this process from those of others

	mu      sync.Mutex
	ring    []*entry
	next    uint64        // number of the notice to come; they count from 1
	changed chan struct{} // closed at the next notice
	closed  bool
	reading int
}

// entry is a notice in the ring. It is made into a frame by the first reader that wants it, not by the publisher.
type entry struct {
	notice scheduler.Notice
	light  func() []byte
	full   func() []byte // with all of a plan
}

var _ scheduler.Observer = (*Events)(nil)

// NewEvents returns a ring for kept events. Events of different processes are told apart by when they began.
func NewEvents(kept int, began time.Time) *Events {
	return &Events{epoch: strconv.FormatInt(began.UnixMilli(), 36), ring: make([]*entry, max(kept, 1)), next: 1,
		changed: make(chan struct{})}
}

// Withdraw implements scheduler.Observer; discovery is not the event stream's.
func (e *Events) Withdraw(*scheduler.State, []scheduler.InstanceID) {}

// Publish implements scheduler.Observer: the notices go out on the event stream. It does not wait for readers.
func (e *Events) Publish(_ *scheduler.State, _ []scheduler.InstanceID, notices []scheduler.Notice) {
	e.publish(notices...)
}

// publish returns the number of the first of the notices.
func (e *Events) publish(notices ...scheduler.Notice) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := e.next
	if len(notices) == 0 {
		return first
	}
	for _, n := range notices {
		id := e.epoch + "-" + strconv.FormatUint(e.next, 10)
		e.ring[e.next%uint64(len(e.ring))] = &entry{n, sync.OnceValue(func() []byte { return frame(n, n.Body, id) }),
			sync.OnceValue(func() []byte { return frame(n, withWholePlan(n.Body), id) })}
		e.next++
	}
	close(e.changed)
	e.changed = make(chan struct{})
	return first
}

// join counts a reader of the event stream until it calls what join returns.
func (e *Events) join() (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reading++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.reading--
	}
}

// readers is the number of readers of the event stream.
func (e *Events) readers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reading
}

// Close ends the event streams that are open, and those to come: an http.Server would wait for them in Shutdown.
func (e *Events) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		close(e.changed)
		e.changed = make(chan struct{})
	}
}

// frame writes a notice as the event stream carries it (Marathon reference, section 19).
func frame(n scheduler.Notice, body any, id string) []byte {
	data, err := encode(body)
	if err != nil || !bytes.HasPrefix(data, []byte("{")) {
		data = []byte("{}")
	}
	head := fmt.Sprintf(`{"eventType":%q,"timestamp":"%s"`, n.Type, n.Timestamp)
	if rest := data[1:]; !bytes.Equal(rest, []byte("}")) {
		head += ","
	}
	return fmt.Appendf(nil, "event: %s\r\nid: %s\r\ndata: %s%s\r\n\r\n", n.Type, id, head, data[1:])
}

// oldest is the number of the oldest notice that is kept.
func (e *Events) oldest() uint64 {
	if size := uint64(len(e.ring)); e.next > size {
		return e.next - size
	}
	return 1
}

// after finds where a reader goes on that saw the notice of the given id last, and whether it missed some that are
// forgotten by now. One that says nothing begins with number first; one that comes from another process, or saw what
// is forgotten, gets all there is.
func (e *Events) after(lastID string, first uint64) (at uint64, missed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	epoch, number, ok := strings.Cut(lastID, "-")
	seen, err := strconv.ParseUint(number, 10, 64)
	switch {
	case !ok || err != nil:
		return first, false
	case epoch != e.epoch:
		return e.oldest(), true
	}
	return min(max(seen+1, e.oldest()), first), seen+1 < e.oldest()
}

// batch is what one reader gets at a time.
type batch struct {
	entries []*entry
	changed <-chan struct{} // closed when there is more
	lost    bool            // the reader is too slow: what it should have got is gone
	closed  bool            // nothing more comes
}

// readMost bounds a batch, so that a reader that catches up does not hold on to the whole ring.
const readMost = 256

// read returns the notices from number at on.
func (e *Events) read(at uint64) batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := batch{changed: e.changed, closed: e.closed, lost: at < e.oldest()}
	for ; !b.lost && at < e.next && len(b.entries) < readMost; at++ {
		b.entries = append(b.entries, e.ring[at%uint64(len(e.ring))])
	}
	return b
}
