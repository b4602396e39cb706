package scheduler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ActionProgress tells how far an action of a deployment's current step is.
type ActionProgress struct {
	Action
	Done      bool
	Reason    string // what is waited for, for people; "" when Done
	Instances []InstanceProgress
}

// InstanceProgress tells how far an instance is.
type InstanceProgress struct {
	Instance  InstanceID `json:"id"`
	Condition Condition  `json:"condition"`
	Host      string     `json:"host,omitempty"`
	Done      bool       `json:"done"`
	Reason    string     `json:"reason,omitempty"` // what is waited for; "" when Done
}

// Progress tells how far each action of a deployment's current step is, and what it waits for.
func (s *State) Progress(d *Deployment, now time.Time) []ActionProgress {
	var out []ActionProgress
	for _, action := range d.Plan.Steps[d.Step].Actions {
		p := ActionProgress{Action: action, Done: d.pending.get(string(action.App)).App == ""}
		if !p.Done {
			p.Instances, p.Reason = s.appProgress(action, now)
		}
		out = append(out, p)
	}
	return out
}

// nothingKnown is the reason of an action that waits for nothing: the next step goes on with it.
const nothingKnown = "about to go on"

func (s *State) appProgress(action Action, now time.Time) ([]InstanceProgress, string) {
	app := s.App(action.App)
	instances := slices.Collect(s.Instances(action.App))
	offers := ""
	if app != nil {
		offers = s.waitingFor(app, instances, now)
	}
	out := make([]InstanceProgress, len(instances))
	counts := map[string]int{}
	for n, i := range instances {
		p, summary := progressOf(i, app, offers, now)
		if i.Condition == Killing && s.killWaits(i.TaskID()) {
			p.Reason, summary = "to be killed when others have ended: there may be no more kills at a time", "waiting for the kills of others"
		}
		out[n] = p
		if summary != "" {
			counts[summary]++
		}
	}
	var parts []string
	for _, summary := range sortedKeys(counts) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[summary], summary))
	}
	if len(parts) == 0 {
		return out, nothingKnown
	}
	return out, strings.Join(parts, "; ")
}

// progressOf tells of one instance, and in which words it is counted.
func progressOf(i *Instance, app *App, offers string, now time.Time) (InstanceProgress, string) {
	p := InstanceProgress{Instance: i.ID, Condition: i.Condition, Host: i.Hostname}
	since := now.Sub(i.Since.Time()).Truncate(time.Second)
	summary := ""
	switch h := i.Healthy(); {
	case i.Condition == Unreachable || i.Condition == UnreachableInactive:
		p.Reason, summary = fmt.Sprintf("its agent has not been heard of for %s", since), "on agents that are not heard of"
		if i.waitsForEver() {
			summary += ", and unreachableStrategy says to wait for them"
			p.Reason += ", and unreachableStrategy says to wait for it"
		}
	case i.Condition == Killing && now.Before(i.drained()):
		p.Reason, summary = fmt.Sprintf("out of DNS, SIGTERM follows in %s", i.drained().Sub(now).Truncate(time.Second)), "draining"
	case i.Condition == Killing || i.Goal == GoalDecommissioned:
		p.Reason, summary = fmt.Sprintf("ending for %s", since), "ending"
	case app != nil && outdated(i, app):
		p.Reason, summary = "of an older version: goes when a new one can take its place", "of an older version"
	case i.done():
		p.Done = true
	case i.Condition == Scheduled:
		p.Reason, summary = offers, "waiting: "+offers
	case i.Condition != Running:
		p.Reason, summary = fmt.Sprintf("starting for %s", since), "starting"
	case i.App.OneShot():
		p.Reason, summary = fmt.Sprintf("running for %s", since), "running, to end by themselves"
	case !i.Ready:
		p.Reason, summary = "not ready yet", "not ready yet"
		if i.ReadyReply != nil {
			p.Reason += fmt.Sprintf(": its readiness check answered %d", i.ReadyReply.Status)
		}
	case h == nil:
		p.Reason, summary = "no result of its health checks yet", "without a result of their health checks"
	default:
		p.Reason, summary = "unhealthy", "unhealthy"
		for _, r := range i.Health {
			if !r.Alive && r.LastFailureCause != "" {
				p.Reason += ": " + r.LastFailureCause
			}
		}
	}
	return p, summary
}

// waitingFor says what keeps an app's instances that wait from being launched.
func (s *State) waitingFor(app *App, instances []*Instance, now time.Time) string {
	q, _ := s.Queued(app.ID, now)
	switch {
	case !s.Connected && s.Refused != "":
		return s.Refused
	case !s.Connected:
		return "for the engine, which is not connected"
	case q.Delay > 0:
		return fmt.Sprintf("%s more, because its tasks failed", q.Delay.Round(time.Second))
	case room(app, s.Size(app), instances) == 0:
		return "for others to end: there may be no more at a time"
	case len(q.Offers) == 0:
		return "for offers: none came yet"
	}
	return "for offers: " + summarize(q.Offers, app)
}

// summarize tells why offers were refused: "3 agents refused: port 7000 taken on 2, hostname UNIQUE on 1".
func summarize(offers []UnusedOffer, app *App) string {
	counts := map[string]int{}
	for _, u := range offers {
		counts[u.Explain(app)[0]]++
	}
	reasons := sortedKeys(counts)
	slices.SortStableFunc(reasons, func(a, b string) int { return counts[b] - counts[a] })
	for n, r := range reasons {
		reasons[n] = fmt.Sprintf("%s on %d", r, counts[r])
	}
	agents := "agents"
	if len(offers) == 1 {
		agents = "agent"
	}
	return fmt.Sprintf("%d %s refused: %s", len(offers), agents, strings.Join(reasons, ", "))
}

// Explain words each of the reasons for which an app refused an offer.
func (u UnusedOffer) Explain(app *App) []string {
	out := make([]string, len(u.Reasons))
	for n, reason := range u.Reasons {
		out[n] = u.explain(reason, app)
	}
	return out
}

func (u UnusedOffer) explain(reason Reason, app *App) string {
	switch reason {
	case UnfulfilledRole:
		return "no resources of role " + strings.Join(app.AcceptedResourceRoles, " or ")
	case UnfulfilledConstraint:
		switch u.Constraint.Field {
		case "":
			return "in another region"
		case agentField:
			return "it has one already"
		}
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", u.Constraint.Field, u.Constraint.Operator, u.Constraint.Value))
	case AgentMaintenance:
		return "under maintenance"
	case InsufficientCpus:
		return "less than " + amount(app.CPUs) + " cpus"
	case InsufficientMemory:
		return "less than " + amount(app.Mem) + " MiB of memory"
	case InsufficientDisk:
		return "less than " + amount(app.Disk) + " MiB of disk"
	case InsufficientGpus:
		return fmt.Sprintf("less than %d gpus", app.GPUs)
	case InsufficientPorts:
		return missingPorts(app.Ports(), u.Offer.Resources.Ports)
	case ContainerEngineUnavailable:
		return "no container engine: " + u.Offer.NoContainers
	}
	return string(reason)
}

// amount words a number with as many digits as it has.
func amount(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// missingPorts says which ports an offer lacks.
func missingPorts(ports []Port, offered PortRange) string {
	var taken []string
	free := 0
	for _, p := range ports {
		switch {
		case p.Published && p.HostPort == 0:
			free++
		case p.Published && !offered.Contains(p.HostPort):
			taken = append(taken, fmt.Sprint(p.HostPort))
		}
	}
	switch len(taken) {
	case 0:
		return fmt.Sprintf("less than %d free ports", free)
	case 1:
		return "port " + taken[0] + " taken"
	}
	return "ports " + strings.Join(taken, ", ") + " taken"
}
