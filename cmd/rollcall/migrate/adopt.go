package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"rollcall/scheduler"
)

// Lookup finds the addresses of a host, as net.Resolver.LookupNetIP does.
type Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// Settled says what is in the way of adopting the tasks of a dump, all of it: what is under way in Marathon, and what
// cannot be brought over. Tasks of the framework that rollcall does not know it would kill.
func (d *Dump) Settled(t *Tree) error {
	var all []error
	if d.Info.FrameworkID == "" {
		all = append(all, errors.New("Marathon's framework id is not known: a dump of /v2/groups or /v2/apps alone has neither that nor the tasks"))
	}
	if n := len(d.Deployments); n > 0 {
		all = append(all, fmt.Errorf("%d deployments are under way in Marathon: wait until they have ended", n))
	}
	for _, l := range t.Left {
		all = append(all, fmt.Errorf("%s; remove it from Marathon first, or its tasks would be killed", l))
	}
	return errors.Join(all...)
}

// Instances makes instances of the tasks, for the apps that rollcall has read. The error lists every task that cannot
// be one. Tasks that were never launched are none. Changed is what Tree.Changed says.
func (d *Dump) Instances(ctx context.Context, app func(scheduler.PathID) *scheduler.App, changed map[string]string,
	lookup Lookup) ([]*scheduler.Instance, error) {
	tasks := slices.Clone(d.Tasks)
	slices.SortFunc(tasks, func(a, b Task) int { return strings.Compare(a.ID, b.ID) })
	var out []*scheduler.Instance
	var all []error
	next := map[scheduler.PathID]int{}
	known := map[string]netip.Addr{}
	for _, task := range tasks {
		if task.SlaveID == "" && task.state() == scheduler.TaskStaging {
			continue // it waits for an offer
		}
		i, err := task.instance(app, changed)
		if err == nil {
			i.Address, err = task.agentAddress(ctx, app(i.AppID), known, lookup)
		}
		if err != nil {
			all = append(all, fmt.Errorf("task %s of %s cannot be adopted: %w", task.ID, task.AppID, err))
			continue
		}
		i.Index = next[i.AppID]
		next[i.AppID]++
		out = append(out, i)
	}
	return out, errors.Join(all...)
}

var conditions = map[scheduler.TaskState]scheduler.Condition{
	scheduler.TaskStaging: scheduler.Staging, scheduler.TaskStarting: scheduler.Starting,
	scheduler.TaskRunning: scheduler.Running, scheduler.TaskUnreachable: scheduler.Unreachable,
}

// state is the task's state, which the oldest Marathons tell by whether it has started.
func (task *Task) state() scheduler.TaskState {
	switch {
	case task.State != "":
		return scheduler.TaskState(task.State)
	case task.StartedAt != "":
		return scheduler.TaskRunning
	}
	return scheduler.TaskStaging
}

func (task *Task) instance(find func(scheduler.PathID) *scheduler.App, changed map[string]string) (*scheduler.Instance, error) {
	app := find(scheduler.PathID(task.AppID))
	if app == nil {
		return nil, errors.New("its app is not among the apps")
	}
	condition, ok := conditions[task.state()]
	if !ok {
		return nil, fmt.Errorf("it is %s: wait until it has ended", task.State)
	}
	i := &scheduler.Instance{AppID: app.ID, Condition: condition, Ready: true, AgentID: scheduler.AgentID(task.SlaveID),
		Hostname: task.Host, Region: task.Region, Zone: task.Zone}
	if err := task.identify(i, app.ID); err != nil {
		return nil, err
	}
	if task.SlaveID == "" {
		return nil, errors.New("Marathon does not say on which agent it runs")
	}
	if err := task.isPresent(changed[task.AppID]); err != nil {
		return nil, err
	}
	var err error
	if i.HostPorts, err = task.hostPorts(app); err != nil {
		return nil, err
	}
	for _, a := range task.IPAddresses {
		addr, err := netip.ParseAddr(a.IPAddress)
		if err != nil {
			return nil, fmt.Errorf("its address is %q", a.IPAddress)
		}
		i.Addresses = append(i.Addresses, addr.Unmap())
	}
	if i.StagedAt, err = timestamp(task.StagedAt); err != nil {
		return nil, err
	}
	i.StartedAt, err = timestamp(task.StartedAt)
	return i, err
}

// identify gives an instance its id by that of its task, and keeps the task's where rollcall would give it another.
func (task *Task) identify(i *scheduler.Instance, app scheduler.PathID) error {
	id := scheduler.TaskID(task.ID)
	i.ID, i.Incarnation = scheduler.InstanceIDOf(id), 1
	if !strings.HasPrefix(string(i.ID), app.Safe()+".instance-") {
		return fmt.Errorf("its id is of no form that Marathon gives the tasks of an app: %s.UUID, or with instance-UUID", app.Safe())
	}
	if number, ok := strings.CutPrefix(task.ID, string(i.ID)+"._app."); ok {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			i.Incarnation = n
		}
	}
	if i.TaskID() != id {
		i.Adopted = id
	}
	return nil
}

// isPresent refuses a task of a definition that is not the app's any more.
func (task *Task) isPresent(changed string) error {
	ran, err := timestamp(task.Version)
	if err != nil {
		return err
	}
	since, err := timestamp(changed)
	if err != nil {
		return err
	}
	if ran < since {
		return fmt.Errorf("it runs the app's definition of %s, which was changed at %s: restart the app in Marathon first", ran, since)
	}
	return nil
}

// hostPorts lays a task's ports, which are those that have a host port, beside those of its app.
func (task *Task) hostPorts(app *scheduler.App) ([]int, error) {
	var out []int
	ports := task.Ports
	for _, p := range app.Ports() {
		switch {
		case !p.Published && p.ContainerPort == 0:
			return nil, errors.New("Marathon does not tell the container port that it made up for it")
		case !p.Published:
			out = append(out, 0)
		case len(ports) == 0:
			return nil, fmt.Errorf("it has the ports %v, its app more", task.Ports)
		default:
			out, ports = append(out, ports[0]), ports[1:]
		}
	}
	if len(ports) > 0 {
		return nil, fmt.Errorf("it has the ports %v, its app fewer", task.Ports)
	}
	return out, nil
}

// agentAddress is the address of a task's agent.
func (task *Task) agentAddress(ctx context.Context, app *scheduler.App, known map[string]netip.Addr, lookup Lookup) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(task.Host); err == nil {
		return addr.Unmap(), nil
	}
	if app.HostNetwork() && len(task.IPAddresses) > 0 {
		return netip.MustParseAddr(task.IPAddresses[0].IPAddress).Unmap(), nil
	}
	if addr, ok := known[task.Host]; ok {
		return addr, nil
	}
	addrs, err := lookup(ctx, "ip", task.Host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking up its host: %w", err)
	}
	if len(addrs) == 0 {
		return netip.Addr{}, fmt.Errorf("its host %s has no address", task.Host)
	}
	known[task.Host] = addrs[0].Unmap()
	return known[task.Host], nil
}

// timestamp reads a moment; "" is none.
func timestamp(text string) (scheduler.Timestamp, error) {
	if text == "" {
		return 0, nil
	}
	return scheduler.ParseTimestamp(text)
}

// Changed maps apps to when their definitions were last changed other than scaled, as far as Marathon says.
func (t *Tree) Changed() map[string]string {
	out := map[string]string{}
	t.root.each(func(app object) {
		info, _ := app["versionInfo"].(object)
		if at, ok := info["lastConfigChangeAt"].(string); ok {
			out[app["id"].(string)] = at
		}
	})
	return out
}
