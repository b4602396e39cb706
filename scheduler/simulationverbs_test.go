package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// simulationVerbs is what can happen; each says what it did.
var simulationVerbs = map[string]func(s *simulation, a, b uint64) string{
	"change":     (*simulation).changeApp,
	"scale":      (*simulation).scaleApp,
	"remove":     (*simulation).removeApp,
	"restart":    (*simulation).restartApp,
	"depend":     (*simulation).dependGroups,
	"again":      (*simulation).restartGroup,
	"confirm":    (*simulation).confirmLosses,
	"kill":       (*simulation).killTask,
	"cancel":     (*simulation).cancel,
	"reset":      (*simulation).resetBackoff,
	"end":        (*simulation).endTask,
	"vanish":     (*simulation).vanishTask,
	"repeat":     (*simulation).repeatStatus,
	"hold":       func(s *simulation, _, _ uint64) string { s.hold = true; return "statuses are late" },
	"release":    func(s *simulation, a, _ uint64) string { s.release(a); return "statuses arrive, in another order" },
	"leave":      (*simulation).agentLeaves,
	"return":     (*simulation).agentReturns,
	"rescind":    func(s *simulation, _, _ uint64) string { s.rescindAll(); return "offers are rescinded" },
	"disconnect": func(s *simulation, _, _ uint64) string { s.disconnect(); return "the engine is cut off" },
	"reconnect":  func(s *simulation, _, _ uint64) string { s.reconnect(); return "the engine is back" },
	"deaf": func(s *simulation, a, _ uint64) string {
		s.deaf = int(a % 4)
		return fmt.Sprintf("%d calls will be lost", s.deaf)
	},
	"leader": (*simulation).changeLeader,
	"crash":  (*simulation).armCrash,
	"full": func(s *simulation, a, _ uint64) string {
		s.full = 1 + int(a%4)
		return fmt.Sprintf("%d commits will fail", s.full)
	},
	"jump":    (*simulation).jump,
	"advance": (*simulation).letTimePass,
	"settle":  func(s *simulation, _, _ uint64) string { s.settle(); return "settled" },
	"stall":   (*simulation).stallOrGoOn,
	"stubborn": func(s *simulation, a, _ uint64) string {
		s.stubborn = a%2 == 0
		return fmt.Sprintf("tasks end slowly: %v", s.stubborn)
	},
	"unwell": (*simulation).fallIll,
	"ail":    (*simulation).ail,
	"mute": func(s *simulation, a, _ uint64) string {
		s.mute = a%2 == 0
		return fmt.Sprintf("probes get no answer: %v", s.mute)
	},
}

// simulationWeights says how often each thing happens in a random history.
var simulationWeights = []struct {
	verb   string
	weight int
}{
	{"change", 12}, {"scale", 8}, {"remove", 3}, {"restart", 3}, {"kill", 6}, {"cancel", 4}, {"reset", 2}, {"end", 8},
	{"vanish", 3}, {"repeat", 6}, {"hold", 3}, {"release", 6}, {"leave", 4}, {"return", 8}, {"rescind", 3},
	{"disconnect", 2}, {"reconnect", 6}, {"deaf", 3}, {"leader", 4}, {"crash", 4}, {"full", 4}, {"jump", 2},
	{"advance", 14}, {"settle", 40}, {"stall", 6}, {"stubborn", 4}, {"unwell", 5}, {"ail", 5}, {"depend", 2}, {"again", 2}, {"confirm", 2}, {"mute", 2},
}

func (s *simulation) appID(a uint64) PathID {
	ids := sortedKeys(s.acknowledged)
	if len(ids) == 0 {
		return "/none"
	}
	return ids[a%uint64(len(ids))]
}

func (s *simulation) taskID(a uint64) (TaskID, bool) {
	ids := slices.Sorted(maps.Keys(s.tasks))
	if len(ids) == 0 {
		return "", false
	}
	return ids[a%uint64(len(ids))], true
}

// changeApp makes an app or gives it another definition; its parts follow from the digits of b.
func (s *simulation) changeApp(a, b uint64) string {
	id := PathID(fmt.Sprintf("/g%d/a%d", a%2, a/2%3))
	wanted := app(id, int(a/6%6), func(app *App) {
		app.Cmd = fmt.Sprintf("cmd %d", b%3)
		app.Constraints = simulatedConstraints[b/3%uint64(len(simulatedConstraints))]
		app.UpgradeStrategy = UpgradeStrategy{float64(b/9%3) / 2, float64(b/27%3) / 2}
		app.UnreachableStrategy = []UnreachableStrategy{{}, {InactiveAfterSeconds: 60, ExpungeAfterSeconds: 600},
			{InactiveAfterSeconds: 60, ExpungeAfterSeconds: 600}, {Disabled: true}}[b/81%4]
		if b/3%4 == 1 {
			app.HealthChecks = []HealthCheck{{Protocol: ProtocolHTTP, GracePeriodSeconds: 5, IntervalSeconds: 20,
				TimeoutSeconds: 2, MaxConsecutiveFailures: int(b % 4)}}
		}
		if b/5%5 == 0 {
			app.ReadinessChecks = []ReadinessCheck{{Protocol: ProtocolHTTP, PortName: "default", IntervalSeconds: 5,
				TimeoutSeconds: 2, HTTPStatusCodesForReady: []int{200}}}
		}
		if b/7%5 == 0 {
			app.KillSelection = OldestFirst
		}
		app.DrainSeconds = int(b / 13 % 3 * 10)
		if b/19%6 == 0 {
			app.DeploymentTimeout = 100
		}
		switch b / 17 % 8 {
		case 0:
			app.RestartPolicy = RestartNever
		case 1:
			app.RestartPolicy = RestartOnFailure
		case 2:
			app.OnePerAgent = true
			app.Instances = min(1, app.Instances)
		}
		if app.OneShot() {
			app.ReadinessChecks = nil
		}
		if b/11%7 == 0 {
			app.Dependencies = []PathID{s.appID(a / 36)}
		}
	})
	update := put(wanted)
	update.Force = b%2 == 0
	return fmt.Sprintf("change %s: %d instances, %s, constraints %v, upgrade %v, unreachable %v, %d+%d checks, drain %d s, restart %s, one per agent %v, at most %d s, force %v: %s", id,
		wanted.Instances, wanted.Cmd, wanted.Constraints, wanted.UpgradeStrategy, wanted.UnreachableStrategy,
		len(wanted.HealthChecks), len(wanted.ReadinessChecks), wanted.DrainSeconds, wanted.RestartPolicy, wanted.OnePerAgent, wanted.DeploymentTimeout, update.Force, s.ask(update))
}

// simulatedConstraints has each operator, on agents of three racks and two zones.
var simulatedConstraints = [][]Constraint{{{"hostname", Unique, ""}}, nil, nil, {{"rack", GroupBy, "3"}}, {{"@zone", GroupBy, ""}},
	{{"rack", MaxPer, "2"}}, {{"rack", Cluster, ""}}, {{"@zone", Cluster, "z1"}}, {{"rack", Like, "rack-[01]"}},
	{{"rack", Unlike, "rack-0"}, {"hostname", MaxPer, "1"}}, {{"@zone", Is, "z0"}}}

// dependGroups makes one group depend on another, or on none.
func (s *simulation) dependGroups(a, b uint64) string {
	g := &Group{ID: PathID(fmt.Sprintf("/g%d", a%2))}
	if b%3 > 0 {
		g.Dependencies = []PathID{PathID(fmt.Sprintf("/g%d", 1-a%2))}
	}
	return fmt.Sprintf("group %s depends on %v, force %v: %s", g.ID, g.Dependencies, b%2 == 0,
		s.ask(Update{Force: b%2 == 0, Change: func(d *Draft) error { d.PutGroup(g); return nil }}))
}

// restartGroup replaces all instances of a group's apps, in one deployment.
func (s *simulation) restartGroup(a, b uint64) string {
	group := PathID(fmt.Sprintf("/g%d", a%2))
	return fmt.Sprintf("restart all of %s, force %v: %s", group, b%2 == 0,
		s.ask(Update{Force: b%2 == 0, Change: func(d *Draft) error {
			for _, app := range d.AppsWithin(group) {
				d.RestartApp(app.ID)
			}
			return nil
		}}))
}

func (s *simulation) confirmLosses(_, _ uint64) string {
	return "the losses are confirmed: " + s.ask(ConfirmLosses{})
}

func (s *simulation) scaleApp(a, b uint64) string {
	id, instances := s.appID(a), int(b/2%7)
	return fmt.Sprintf("scale %s to %d, force %v: %s", id, instances, b%2 == 0,
		s.ask(Update{Force: b%2 == 0, Change: func(d *Draft) error {
			if before := d.App(id); before != nil {
				n := *before
				n.Instances = instances
				if n.OnePerAgent {
					n.Instances = min(1, instances)
				}
				d.PutApp(&n)
			}
			return nil
		}}))
}

func (s *simulation) removeApp(a, _ uint64) string {
	return fmt.Sprintf("remove %s: %s", s.appID(a), s.ask(remove(s.appID(a))))
}

func (s *simulation) restartApp(a, _ uint64) string {
	return fmt.Sprintf("restart %s: %s", s.appID(a), s.ask(restart(s.appID(a))))
}

func (s *simulation) killTask(a, b uint64) string {
	id, ok := s.taskID(a)
	if !ok {
		return "nothing to kill"
	}
	kill := KillTasks{Tasks: []TaskID{id}, Wipe: b%3 == 1, Scale: b%3 == 2, Force: b%2 == 0}
	return fmt.Sprintf("kill %s, wipe %v, scale %v: %s", id, kill.Wipe, kill.Scale, s.ask(kill))
}

func (s *simulation) cancel(a, b uint64) string {
	deployments := slices.Collect(s.core.State().Deployments())
	if len(deployments) == 0 {
		return "nothing to cancel"
	}
	d := deployments[a%uint64(len(deployments))]
	return fmt.Sprintf("cancel a deployment of %v, force %v: %s", d.Plan.AffectedApps(), b%2 == 0,
		s.ask(CancelDeployment{ID: d.Plan.ID, Force: b%2 == 0}))
}

func (s *simulation) resetBackoff(a, _ uint64) string {
	return fmt.Sprintf("reset the delay of %s: %s", s.appID(a), s.ask(ResetDelay{s.appID(a)}))
}

func (s *simulation) endTask(a, b uint64) string {
	id, ok := s.taskID(a)
	if !ok {
		return "nothing to end"
	}
	state := []TaskState{TaskFailed, TaskFinished, TaskKilled, TaskGone}[b%4]
	s.move(id, state)
	return fmt.Sprintf("%s becomes %s", id, state)
}

func (s *simulation) vanishTask(a, _ uint64) string {
	id, ok := s.taskID(a)
	if ok {
		s.vanish(id)
	}
	return fmt.Sprintf("%s vanishes", id)
}

// repeatStatus sends a status once more, at whatever time.
func (s *simulation) repeatStatus(a, _ uint64) string {
	if len(s.said) == 0 || s.cut {
		return "nothing to repeat"
	}
	status := s.said[len(s.said)-1-int(a)%min(len(s.said), 60)]
	if status.Status.State == TaskUnreachable && s.tasks[status.Status.TaskID] == nil {
		return "nothing to repeat"
	}
	s.send(status)
	return fmt.Sprintf("%s of %s is told again", status.Status.State, status.Status.TaskID)
}

// release hands out the statuses that were kept back, in an order of its own.
func (s *simulation) release(order uint64) {
	s.hold = false
	held := s.held
	s.held = nil
	for len(held) > 0 {
		n := order % uint64(len(held))
		s.sendUnlessCut(held[n])
		held = slices.Delete(held, int(n), int(n)+1)
		order = order/3 + 1
	}
}

func (s *simulation) agentLeaves(a, _ uint64) string {
	id := sortedKeys(s.agents)[a%uint64(len(s.agents))]
	s.leave(s.agents[id])
	return fmt.Sprintf("%s leaves", id)
}

func (s *simulation) agentReturns(a, b uint64) string {
	for _, id := range sortedKeys(s.agents) {
		if s.agents[id].away {
			s.comeBack(s.agents[id], b%3 == 0)
			return fmt.Sprintf("%s returns, rebooted: %v", id, b%3 == 0)
		}
	}
	return "all agents are there"
}

// rescindAll takes all offers back and makes new ones.
func (s *simulation) rescindAll() {
	for _, id := range sortedKeys(s.offers) {
		s.sendUnlessCut(OfferRescinded{id})
	}
	s.withdrawOffers()
	s.offerAll()
}

// changeLeader goes on from the store, with the engine as it is.
func (s *simulation) changeLeader(_, b uint64) string {
	if len(s.pending) == 0 || b%2 == 0 {
		s.step()
	}
	if s.full == 0 {
		s.checkStore()
	}
	s.boot(s.random.Uint64()) // never the seed of another run: ids would repeat
	return "another leader"
}

func (s *simulation) armCrash(a, _ uint64) string {
	s.crash = crash(1 + a%3)
	return fmt.Sprintf("the process will die %s", []string{"before a commit", "after a commit", "after its calls"}[a%3])
}

// jump sets the clock, forwards or backwards.
func (s *simulation) jump(a, b uint64) string {
	by := time.Duration(a%60) * 20 * time.Second
	if b%2 == 0 {
		by = -by
	}
	s.now = s.now.Add(by)
	s.step()
	return fmt.Sprintf("the clock jumps by %s", by)
}

func (s *simulation) letTimePass(a, b uint64) string {
	d := time.Duration(a*30) * time.Millisecond
	if b%5 == 0 {
		d *= 30
	}
	s.advance(d)
	return "time passes"
}

func (s *simulation) stallOrGoOn(_, _ uint64) string {
	s.stall = !s.stall
	if !s.stall {
		s.comeUp()
	}
	return fmt.Sprintf("new tasks do not come up: %v", s.stall)
}

// comeUp lets tasks run that were stuck before.
func (s *simulation) comeUp() {
	for _, id := range slices.Sorted(maps.Keys(s.tasks)) {
		if s.tasks[id].state == TaskStaging {
			s.move(id, TaskRunning)
		}
	}
}

// endOneShots lets tasks that are meant to end do so.
func (s *simulation) endOneShots() {
	for _, id := range slices.Sorted(maps.Keys(s.tasks)) {
		if i := s.core.State().Instance(InstanceIDOf(id)); i != nil && i.App.OneShot() && s.tasks[id].state == TaskRunning {
			s.move(id, TaskFinished)
		}
	}
}

// ail makes one task unhealthy for good.
func (s *simulation) ail(a, _ uint64) string {
	id, ok := s.taskID(a)
	if ok {
		s.ailing[id] = true
	}
	return fmt.Sprintf("%s ails", id)
}

func (s *simulation) fallIll(a, b uint64) string {
	id := s.appID(a)
	s.unwell[id] = b%3 > 0
	return fmt.Sprintf("%s is unwell: %v", id, s.unwell[id])
}
