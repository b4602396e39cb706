package mesos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"rollcall/scheduler/zookeeper"
)

const (
	// zooKeeperSessionTimeout is that of Mesos's masters: a server that is gone is noticed as soon as a master is.
	zooKeeperSessionTimeout = 10 * time.Second

	// zooKeeperRetry is how long the detector waits before it tries again: for a session, and for a path that is not
	// there.
	zooKeeperRetry = time.Second
)

// The names of a master's znode but for the sequence number: its content is JSON, or, before Mesos 0.24, a protocol
// buffer.
const (
	znodeJSON     = "json.info_"
	znodeProtobuf = "info_"
)

// ZooKeeper detects masters by the znodes that they write. It is a Detector.
type ZooKeeper struct {
	url     zookeeper.URL
	log     *slog.Logger
	connect func(context.Context) (zooKeeperSession, <-chan zk.Event, error)

	told     Masters         // what found was called with last
	anyTold  bool            // it was called
	problems map[string]bool // what was logged since all was well
	broken   map[string]bool // znodes that were logged as unreadable
}

// zooKeeperSession is a session at ZooKeeper, as far as the detector uses it. Its methods fail once it is closed.
type zooKeeperSession interface {
	AddAuth(scheme string, auth []byte) error
	Children(path string) ([]string, *zk.Stat, error)
	ChildrenW(path string) ([]string, *zk.Stat, <-chan zk.Event, error)
	Get(path string) ([]byte, *zk.Stat, error)
	Close()
}

// NewZooKeeper prepares a detector; Run connects.
func NewZooKeeper(url zookeeper.URL, log *slog.Logger) *ZooKeeper {
	d := &ZooKeeper{url: url, log: log.With("zookeeper", strings.Join(url.Servers, ","), "path", url.Path)}
	d.connect = func(ctx context.Context) (zooKeeperSession, <-chan zk.Event, error) {
		return zookeeper.Connect(ctx, url, zooKeeperSessionTimeout, d.log)
	}
	return d
}

var _ Detector = (*ZooKeeper)(nil)

// Run follows the masters until ctx ends, then returns nil, and calls found where they are others than before: the leader first, then
// the rest by age. It calls found for the first time when it has listed the znodes for the first time. While
// ZooKeeper is away the masters stay as they were, whatever the time: they go on without it, if without elections.
// Nobody leads where there is no master's znode, and where that of the oldest can not be read.
func (d *ZooKeeper) Run(ctx context.Context, found func(Masters)) error {
	for {
		err := d.session(ctx, found)
		if ctx.Err() != nil {
			return nil
		}
		d.problem(err)
		if sleep(ctx, zooKeeperRetry) != nil {
			return nil
		}
	}
}

// session follows the masters for as long as one session lasts.
func (d *ZooKeeper) session(ctx context.Context, found func(Masters)) error {
	s, events, err := d.connect(ctx)
	if err != nil {
		return fmt.Errorf("connecting to ZooKeeper: %w", err)
	}
	// Requests know of no context: closing the session ends them.
	stop := context.AfterFunc(ctx, s.Close)
	defer func() {
		stop()
		s.Close()
	}()
	if d.url.Credentials != "" {
		if err := s.AddAuth("digest", []byte(d.url.Credentials)); err != nil {
			return fmt.Errorf("logging in at ZooKeeper: %w", err)
		}
	}
	for {
		names, _, watch, err := s.ChildrenW(d.url.Path)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			// The first master that starts makes the path.
			d.problem(fmt.Errorf("no master has registered: %w", err))
			d.tell(Masters{}, found)
			if err := sleep(ctx, zooKeeperRetry); err != nil {
				return err
			}
			continue
		case err != nil:
			return fmt.Errorf("listing the masters: %w", err)
		}
		masters, err := d.read(s, names)
		if err != nil {
			return fmt.Errorf("reading the masters: %w", err)
		}
		if masters.Leader == "" {
			d.problem(errors.New("no master leads"))
		} else {
			d.well()
		}
		d.tell(masters, found)
		if err := d.wait(ctx, s, names, watch, events); err != nil {
			return err
		}
	}
}

// wait returns when the masters' znodes may be others than those named. A connection that is lost is not the session's end: the
// client goes to another server and keeps the watch.
func (d *ZooKeeper) wait(ctx context.Context, s zooKeeperSession, names []string, watch, events <-chan zk.Event) error {
	again := time.NewTicker(zookeeper.RelistEvery)
	defer again.Stop()
	for {
		select {
		case event := <-watch:
			// A session that has expired takes its watches along; the next one sees what has happened since.
			if event.Type == zk.EventNotWatching {
				return fmt.Errorf("watching the masters: %w", cmp.Or(event.Err, zk.ErrSessionExpired))
			}
			return nil
		case event, ok := <-events:
			switch {
			case !ok:
				events = nil
			case event.State == zk.StateDisconnected:
				d.problem(errors.New("the connection to ZooKeeper is lost"))
			case event.State == zk.StateHasSession && d.told.Leader != "":
				d.well()
			}
		case <-again.C:
			if now, _, err := s.Children(d.url.Path); err == nil && !zookeeper.Same(now, names) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read gets the masters' addresses out of their znodes.
func (d *ZooKeeper) read(s zooKeeperSession, names []string) (Masters, error) {
	var masters Masters
	broken := map[string]bool{}
	for i, node := range masterNodes(names) {
		data, _, err := s.Get(path.Join(d.url.Path, node.name))
		switch {
		case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrNoAuth):
			// Gone since: the watch tells. Or not ours to read: others may be.
		case err != nil:
			return Masters{}, err
		}
		var address string
		if err == nil {
			address, err = node.parse(data)
		}
		if err != nil {
			if broken[node.name] = true; !d.broken[node.name] {
				d.log.Warn("a master's znode cannot be read: it is left out", "znode", node.name, "error", err)
			}
			continue
		}
		if i == 0 {
			masters.Leader = address
		}
		// A master that was restarted has two znodes until the session of its old process ends.
		if !slices.Contains(masters.All, address) {
			masters.All = append(masters.All, address)
		}
	}
	d.broken = broken
	return masters, nil
}

// tell passes on masters that are others than before.
func (d *ZooKeeper) tell(masters Masters, found func(Masters)) {
	if d.anyTold && d.told.equal(masters) {
		return
	}
	d.told, d.anyTold = masters, true
	d.log.Info("the masters have changed", "leader", masters.Leader, "masters", masters.All)
	found(masters)
}

// problem logs what is wrong, each thing once until all is well again.
func (d *ZooKeeper) problem(err error) {
	if d.problems[err.Error()] {
		return
	}
	if d.problems == nil {
		d.problems = map[string]bool{}
	}
	d.problems[err.Error()] = true
	d.log.Warn("no news of the Mesos masters; trying on", "error", err, "last_leader", d.told.Leader)
}

func (d *ZooKeeper) well() {
	if d.problems != nil {
		d.problems = nil
		d.log.Info("ZooKeeper tells of the Mesos masters again")
	}
}

// masterNode is the znode of a master.
type masterNode struct {
	name     string
	sequence int64
	parse    func([]byte) (string, error)
}

// masterNodes picks the masters out of a directory's znodes, that of the leader first: the smallest number of those
// with JSON, or of the old ones where there is none of those.
func masterNodes(names []string) []masterNode {
	var out []masterNode
	for _, name := range names {
		node := masterNode{name: name, parse: parseMasterInfoJSON}
		digits, ok := strings.CutPrefix(name, znodeJSON)
		if !ok {
			node.parse = parseMasterInfoProtobuf
			if digits, ok = strings.CutPrefix(name, znodeProtobuf); !ok {
				continue
			}
		}
		sequence, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			continue
		}
		node.sequence = sequence
		out = append(out, node)
	}
	slices.SortFunc(out, func(a, b masterNode) int {
		aOld, bOld := strings.HasPrefix(a.name, znodeProtobuf), strings.HasPrefix(b.name, znodeProtobuf)
		switch {
		case aOld != bOld && bOld:
			return -1
		case aOld != bOld:
			return 1
		}
		return cmp.Or(cmp.Compare(a.sequence, b.sequence), strings.Compare(a.name, b.name))
	})
	return out
}

// sleep waits, and returns the error of a context that ends meanwhile.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
