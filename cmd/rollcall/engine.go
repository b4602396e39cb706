package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/user"
	"path/filepath"
	"regexp"
	"time"

	"github.com/google/uuid"

	"rollcall/scheduler"
	"rollcall/scheduler/local"
	"rollcall/scheduler/mesos"
)

// openEngine returns what runs the tasks, and the limits that follow from it. Nothing is sent to a cluster while mayAct
// says no.
func (s *server) openEngine(state *scheduler.State, mayAct func() bool) (scheduler.Engine, scheduler.Limits, error) {
	c, limits := s.config.Scheduler, scheduler.DefaultLimits()
	if err := checkEngine(c.Engine, state); err != nil {
		return nil, limits, err
	}
	if c.Engine == engineMesos {
		engine, err := s.newMesosEngine(state.FrameworkID, mayAct)
		return engine, limits, err
	}
	options := localOptions(c, component(s.log, logEngine))
	options.DNS = s.containerDNS()
	engine, err := local.New(options)
	if err != nil {
		return nil, limits, fmt.Errorf("preparing the local engine: %w", err)
	}
	limits.LaunchTimeout = max(limits.LaunchTimeout, c.Local.FetchTimeout+c.Local.PullTimeout+time.Minute)
	return engine, limits, nil
}

// numbered matches ids that end in a number, as those do that Mesos masters give: theirs, and a number.
var numbered = regexp.MustCompile(`-[0-9]{4,}$`)

// isMesosFrameworkID tells ids that Mesos masters give from those of the local engine, which are UUIDs; one of some hundreds
// of them happens to end in digits, too.
func isMesosFrameworkID(id string) bool {
	return numbered.MatchString(id) && uuid.Validate(id) != nil
}

// checkEngine refuses tasks of another engine: this one would not know them, and start all a second time.
func checkEngine(engine string, state *scheduler.State) error {
	if state.FrameworkID == "" || isMesosFrameworkID(state.FrameworkID) == (engine == engineMesos) {
		return nil
	}
	for i := range state.AllInstances() {
		if i.Condition.Active() {
			return fmt.Errorf("scheduler.engine is %q, but scheduler.dataDir has tasks of another engine, such as %s: scale the "+
				"apps to 0 with that engine first, or choose another dataDir", engine, i.TaskID())
		}
	}
	state.FrameworkID = ""
	return nil
}

// newMesosEngine returns the engine that runs tasks on the cluster that is followed. The names of its tasks are told by
// the scheduler itself, so that following leaves them out.
func (s *server) newMesosEngine(frameworkID string, mayAct func() bool) (*mesos.Engine, error) {
	c := s.config.Scheduler
	client, err := newMesosClient(s.config.Mesos, s.meters.transport)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask the Mesos masters: %w", err)
	}
	who, err := taskUser(c.Mesos.User)
	if err != nil {
		return nil, err
	}
	s.mesos.others.Leave(frameworkID)
	engine := mesos.NewEngine(mesos.EngineOptions{
		Client: client, Logger: component(s.log, logEngine), MayAct: mayAct, Reregister: c.Mesos.Removed == removedReregister, Registered: s.mesos.others.Leave,
		Framework: mesos.FrameworkInfo{
			Name: c.Framework, User: who, Roles: c.Mesos.Roles, FailoverTimeout: c.Mesos.FailoverTimeout,
			Checkpoint: c.Mesos.Checkpoint, Hostname: c.Hostname, Principal: s.config.Mesos.principal(),
			WebUIURL: "http://" + s.apiAddress(), GPUs: c.Mesos.GPUs,
		},
	})
	s.mesos.setEngine(engine)
	return engine, nil
}

// taskUser is whom tasks run as that name no user: agents refuse a framework without one.
func taskUser(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	current, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("looking up the user that rollcall runs as: %w; name one in scheduler.mesos.user", err)
	}
	return cmp.Or(current.Username, current.Uid), nil
}

// appRole is the Mesos role of apps that name none.
func (s *schedulerConfig) appRole() string {
	if s.Engine != engineMesos {
		return ""
	}
	return s.Mesos.Roles[0]
}

func localOptions(c *schedulerConfig, log *slog.Logger) local.Options {
	return local.Options{
		Dir: filepath.Join(c.DataDir, "local"), User: c.Local.User, NoCgroups: c.Local.Cgroups == "off",
		Docker: c.Local.Docker, Networks: c.Local.Networks, PullTimeout: c.Local.PullTimeout,
		FetchTimeout: c.Local.FetchTimeout, LogMaxSize: c.Local.LogMaxBytes, LogFiles: c.Local.LogFiles,
		SandboxMaxAge: c.Local.SandboxMaxAge, SandboxMaxSize: c.Local.SandboxMaxBytes, Logger: log,
		Agents: localAgents(c, net.DefaultResolver.LookupNetIP, log),
	}
}

// containerDNS is where containers look up names: here, if DNS is served and they are to.
func (s *server) containerDNS() local.ContainerDNS {
	c := s.config
	if !c.DNS.On || c.Scheduler.Local.DNS == "off" {
		return local.ContainerDNS{}
	}
	return local.ContainerDNS{Server: netip.AddrPortFrom(c.DNS.Listener, c.DNS.Port),
		Search: []string{s.zone.FrameworkDomain(c.Scheduler.Framework)}}
}
