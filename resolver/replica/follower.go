package replica

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"rollcall/records"
)

// Pauses between attempts to reach the leader: the first is short, for leaders change within moments.
const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 2 * time.Second
)

// Leader is where the feed is read.
type Leader struct {
	URL   string // of the feed; "" when nobody leads or when this rollcall does
	Token string // a bearer token that the feed allows (RFC 6750)
}

// FollowerOptions say what a follower does. All are needed.
type FollowerOptions struct {
	Zone   *records.Zone
	Client *http.Client
	Logger *slog.Logger
}

// Follower keeps a zone as the leader's is. While the leader is out of reach the zone goes by its own sources, and by what
// the leader said last.
type Follower struct {
	o       FollowerOptions
	changed chan struct{} // has an element when leader was set

	mu     sync.Mutex
	leader Leader
	status Status
}

// Status is how a follower fares.
type Status struct {
	Following bool      // the leader's feed is being read and was whole once
	Heard     time.Time // when the leader said anything last; zero: never
	Err       error     // why it is not followed; nil when it is, or when there is nobody to follow
}

// NewFollower returns a follower of nobody.
func NewFollower(o FollowerOptions) *Follower {
	return &Follower{o: o, changed: make(chan struct{}, 1)}
}

// SetLeader says whom to follow from now on. It never blocks.
func (f *Follower) SetLeader(l Leader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leader == l {
		return
	}
	f.leader = l
	f.status.Following, f.status.Err = false, nil
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// Status may be called from any goroutine.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Run follows whoever leads until ctx ends, then returns nil.
func (f *Follower) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		f.mu.Lock()
		leader := f.leader
		f.mu.Unlock()
		following, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if leader.URL != "" {
				f.follow(following, leader)
			}
		}()
		select {
		case <-f.changed:
		case <-ctx.Done():
		}
		stop()
		<-done
	}
	return nil
}

// follow reads one leader's feed, again and again.
func (f *Follower) follow(ctx context.Context, leader Leader) {
	logged := ""
	for pause := retryFirst; ctx.Err() == nil; pause = min(2*pause, retryMost) {
		err := f.read(ctx, leader, func() {
			pause = retryFirst
			if logged != "" {
				logged = ""
				f.o.Logger.Info("following the leader's names again", "leader", leader.URL)
			}
		})
		if ctx.Err() != nil {
			return
		}
		f.mu.Lock()
		f.status.Following, f.status.Err = false, err
		f.mu.Unlock()
		if err.Error() != logged {
			logged = err.Error()
			f.o.Logger.Warn("the leader's names cannot be followed: answering with the last that are known; trying on",
				"leader", leader.URL, "error", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// errSilent says that a leader did not even send heartbeats.
var errSilent = fmt.Errorf("the leader has said nothing for %s", silence)

// read reads the feed until it ends, which is always an error. It calls whole when all that the leader knows is there.
func (f *Follower) read(ctx context.Context, leader Leader, whole func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer quiet.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, leader.URL+f.after(), nil)
	if err != nil {
		return fmt.Errorf("asking for the names' feed: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+leader.Token)
	response, err := f.o.Client.Do(request)
	if err != nil {
		return fmt.Errorf("asking for the names' feed: %w", because(ctx, err))
	}
	defer response.Body.Close()
	defer f.o.Zone.Unfollow()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking for the names' feed: %s", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, partMost)
	var versions assembler
	alike := true
	for lines.Scan() {
		quiet.Reset(silence)
		v, err := versions.add(lines.Bytes())
		if err != nil {
			return err
		}
		if v != nil && !f.o.Zone.Follow(*v) {
			return errors.New("the names' feed does not begin with all names")
		}
		if v != nil && alike != f.o.Zone.Alike(*v) {
			alike = !alike
			f.noteWording(leader, alike)
		}
		f.mu.Lock()
		f.status.Heard = time.Now()
		if v != nil && v.Whole {
			f.status.Following, f.status.Err = true, nil
		}
		f.mu.Unlock()
		if v != nil && v.Whole {
			whole()
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the names' feed: %w", because(ctx, err))
	}
	return errors.New("the leader has ended the names' feed")
}

// noteWording says in the log that the leader makes other records of the same tasks than this rollcall, or does no longer.
func (f *Follower) noteWording(leader Leader, alike bool) {
	if alike {
		f.o.Logger.Info("the leader makes the same records as this rollcall again", "leader", leader.URL)
		return
	}
	f.o.Logger.Warn("the leader makes other records of the same tasks than this rollcall, which therefore gives none to "+
		"secondaries: give both the same TTLs, reverse zones, sources of addresses and fields of the SOA record", "leader", leader.URL)
}

// after is the parameter of a request by a zone that has shown serials of its own, which the leader's have to outrun.
func (f *Follower) after() string {
	if s := f.o.Zone.Snapshot(); f.o.Zone.Ready() && s.Provisional() {
		return fmt.Sprintf("?%s=%d", afterParameter, s.LastSerial())
	}
	return ""
}

// because is the reason for which the context of a request was ended, or what the request failed of itself.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
