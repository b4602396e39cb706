package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rollcall/cmd/rollcall/migrate"
	"rollcall/scheduler"
	"rollcall/scheduler/api"
	"rollcall/scheduler/store"
)

// adopt writes apps with their tasks into the empty state of the configuration at path.
func (o *migrateOptions) adopt(ctx context.Context, path string, dump *migrate.Dump, tree *migrate.Tree, stdout, stderr io.Writer) error {
	configured, warnings, err := loadConfig(path)
	for _, w := range warnings {
		if err := say(stderr, "%s: warning: %s\n", path, w); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	c := configured.Scheduler
	if c == nil || c.Engine != engineMesos {
		return fmt.Errorf("%s: tasks of a Marathon run on Mesos, and only scheduler.engine \"mesos\" can adopt them", path)
	}
	if err := dump.Settled(tree); err != nil {
		return fmt.Errorf("nothing was adopted:\n%w", err)
	}
	if !isMesosFrameworkID(dump.Info.FrameworkID) {
		return fmt.Errorf("nothing was adopted: %q is no framework id that a Mesos master gives", dump.Info.FrameworkID)
	}
	records, tasks, err := c.adopted(ctx, dump, tree)
	if err != nil {
		return fmt.Errorf("nothing was adopted:\n%w", err)
	}
	if o.DryRun {
		return say(stdout, "%d apps with %d tasks of framework %s would be adopted\n", len(tree.Apps()), tasks, dump.Info.FrameworkID)
	}
	if err := c.begin(ctx, configured.Mesos.ZKTLS, records, stderr); err != nil {
		return fmt.Errorf("nothing was adopted: %w", err)
	}
	return say(stdout, "%d apps with %d tasks of framework %s are adopted: stop Marathon, then start rollcall\n",
		len(tree.Apps()), tasks, dump.Info.FrameworkID)
}

// adopted makes the records of what is adopted, and counts the tasks.
func (s *schedulerConfig) adopted(ctx context.Context, dump *migrate.Dump, tree *migrate.Tree) ([]scheduler.Record, int, error) {
	document, err := json.Marshal(tree.Document())
	if err != nil {
		return nil, 0, fmt.Errorf("writing the groups: %w", err)
	}
	change, err := api.ReadRoot(document, api.Options{Role: s.appRole(), Policy: s.API.TaskPolicy.policy(), Secrets: s.API.SecretsDir != ""})
	if err != nil {
		return nil, 0, explain(err)
	}
	limits, tasks := scheduler.DefaultLimits(), 0
	limits.ServicePorts = s.servicePorts()
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, 0, fmt.Errorf("seeding the scheduler: %w", err)
	}
	records, err := scheduler.Adopt(limits, scheduler.Adoption{
		FrameworkID: dump.Info.FrameworkID, Change: change,
		Instances: func(app func(scheduler.PathID) *scheduler.App) ([]*scheduler.Instance, error) {
			instances, err := dump.Instances(ctx, app, tree.Changed(), net.DefaultResolver.LookupNetIP)
			tasks = len(instances)
			return instances, err
		},
	}, time.Now(), seed)
	return records, tasks, explain(err)
}

// explain adds to an error of the API the problems that it found.
func explain(err error) error {
	refused, ok := errors.AsType[*api.Error](err)
	if !ok {
		return err
	}
	problems, _ := refused.Details.([]scheduler.Problem)
	lines := []string{refused.Message}
	for _, p := range problems {
		lines = append(lines, p.Path+": "+strings.Join(p.Errors, "; "))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// begin commits records to a store that must hold none, and that no rollcall may be using.
func (s *schedulerConfig) begin(ctx context.Context, zkTLS zkTLSConfig, records []scheduler.Record, stderr io.Writer) error {
	if s.ZK != "" {
		return s.beginShared(ctx, zkTLS, records, stderr)
	}
	if err := os.MkdirAll(s.DataDir, 0o711); err != nil {
		return fmt.Errorf("making scheduler.dataDir: %w", err)
	}
	b, err := store.OpenBolt(filepath.Join(s.DataDir, "state.db"), store.BoltOptions{Logger: newLogging(0).logger(stderr)})
	if err != nil {
		return err
	}
	return errors.Join(commitFirst(ctx, b, records), b.Close())
}

// commitFirst commits records to a store that must hold none.
func commitFirst(ctx context.Context, st scheduler.Store, records []scheduler.Record) error {
	err := st.Load(ctx, func(scheduler.Record) error {
		return errors.New("the state is not empty: choose another scheduler.dataDir (or path in scheduler.zk), or move the old state away")
	})
	if err != nil {
		return err
	}
	return st.Commit(ctx, records)
}

// beginShared does it in ZooKeeper, as the leader for as long as it takes.
func (s *schedulerConfig) beginShared(ctx context.Context, zkTLS zkTLSConfig, records []scheduler.Record, stderr io.Writer) error {
	log := newLogging(0).logger(stderr)
	at, err := zkTLS.url("scheduler.zk", string(s.ZK), log)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	first := &firstTerm{self: store.Member{ID: rand.Text()}, records: records, end: end}
	election := store.NewZooKeeper(store.ZooKeeperOptions{URL: at, SessionTimeout: s.ZKSessionTimeout, Self: first.self,
		Logger: log})
	if err := election.Run(ctx, first); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, errBegun) {
		return cause
	}
	return nil
}

// errBegun ends an election in which the records were committed.
var errBegun = errors.New("the state has begun")

// firstTerm leads in order to commit the first records, and then no more.
type firstTerm struct {
	self    store.Member
	records []scheduler.Record
	end     context.CancelCauseFunc
}

var _ store.Election = (*firstTerm)(nil)

// Follow implements store.Election: where somebody leads there is nothing to begin.
func (f *firstTerm) Follow(leader store.Member, ok bool) {
	if ok && leader.ID != f.self.ID {
		f.end(fmt.Errorf("a rollcall at %s uses the state in ZooKeeper: stop all of them first", leader.URL))
	}
}

// Lead implements store.Election.
func (f *firstTerm) Lead(ctx context.Context, term *store.Term) error {
	if err := commitFirst(ctx, term, f.records); err != nil {
		return err
	}
	f.end(errBegun)
	return nil
}
