package replica

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"rollcall/records"
)

// waitingMost is how many versions may wait for a follower that is slow. One that is slower is cut off; it comes back
// and begins with all there is.
const waitingMost = 4096

// partWithin is how long a follower may take to read a part. The server's own limit is for a whole answer, and this one
// never ends.
const partWithin = 30 * time.Second

// FeedOptions say what a feed serves, and to whom.
type FeedOptions struct {
	Zone *records.Zone
	// Allow says whether a request may have the feed: it tells where every task is.
	Allow func(*http.Request) bool
}

// afterParameter of a request is the last serial that the follower has shown of its own.
const afterParameter = "after"

// Feed serves the versions of a zone to followers. It is an http.Handler; a request lasts until its context ends or Close is
// called.
type Feed struct {
	o      FeedOptions
	closed chan struct{}
	close  sync.Once
}

// NewFeed returns a feed.
func NewFeed(o FeedOptions) *Feed { return &Feed{o: o, closed: make(chan struct{})} }

// Close ends all requests, and those that come later at once. It may be called from any goroutine.
func (f *Feed) Close() { f.close.Do(func() { close(f.closed) }) }

// ServeHTTP implements http.Handler.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "the names' feed is read with GET", http.StatusMethodNotAllowed)
		return
	case !f.o.Allow(r):
		http.Error(w, "the names' feed is for the rollcalls that share a state", http.StatusForbidden)
		return
	}
	ctx, cut := context.WithCancel(r.Context())
	defer cut()
	if serial, err := strconv.ParseUint(r.URL.Query().Get(afterParameter), 10, 32); err == nil {
		f.o.Zone.Outrun(uint32(serial))
	}
	versions := make(chan records.Version, waitingMost)
	cancel := f.o.Zone.SubscribeVersions(func(v records.Version) {
		select {
		case versions <- v:
		default:
			cut()
		}
	})
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	f.write(ctx, w, versions)
}

// write sends versions until ctx or the feed ends, or the follower is gone.
func (f *Feed) write(ctx context.Context, w http.ResponseWriter, versions <-chan records.Version) {
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	send := func(p part) error {
		err := control.SetWriteDeadline(time.Now().Add(partWithin))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return lines.Encode(p)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-f.closed:
			return
		case <-beat.C:
			err = send(part{})
		case v := <-versions:
			for _, p := range parts(v) {
				if err == nil {
					err = send(p)
				}
			}
		}
		// An empty queue is the moment to send: what waits shares a packet.
		if err == nil && len(versions) == 0 {
			err = control.Flush()
		}
		if err != nil {
			return // the follower is gone, and says so in its own log
		}
	}
}
