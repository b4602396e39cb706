package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

const (
	dockerIsOff    = "containers are turned off on this machine (scheduler.local.docker)"
	dockerNotAsked = "the Docker Engine has not answered yet"

	// pingWithin is how soon a daemon in working order answers.
	pingWithin = 3 * time.Second
	// sweepEvery is how often containers are looked for that have nobody any more.
	sweepEvery = time.Minute
)

// watchDocker begins to ask the Docker Engine, again and again, whether it can be used; offers say so. It is never
// waited for.
func (r *run) watchDocker(ctx context.Context) {
	if r.docker == nil {
		r.setDocker(dockerIsOff)
		return
	}
	r.setDocker(dockerNotAsked)
	r.keepers.Go(func() {
		last, swept := dockerNotAsked, time.Time{}
		ticker := time.NewTicker(r.dockerInterval)
		defer ticker.Stop()
		for {
			now := r.docker.state(ctx)
			if ctx.Err() != nil {
				return
			}
			if now == "" && last != "" {
				r.makeNetworks(ctx)
			}
			if now != last {
				r.inbox.put(func(r *run) { r.dockerIs(now) })
			}
			if now == "" && (last != "" || time.Since(swept) > sweepEvery) {
				r.findOrphans(ctx)
				swept = time.Now()
			}
			last = now
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

// state is why no containers can be run, "" when they can.
func (d *docker) state(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	_, err := d.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("the Docker Engine at %s does not answer", d.host)
	}
	return fmt.Sprintf("the Docker Engine at %s cannot be used: %v", d.host, err)
}

// makeNetworks makes the container networks that are to be there. One that cannot be made fails those tasks that want
// it, and no others.
func (r *run) makeNetworks(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(r.options.Networks)) {
		if made, err := r.docker.makeNetwork(ctx, name, r.options.Networks[name]); err != nil {
			r.log.Error("container network cannot be made", "network", name, "err", err)
		} else if made {
			r.log.Info("made a container network", "network", name)
		}
	}
}

// makeNetwork makes a container network, unless there is one of that name.
func (d *docker) makeNetwork(ctx context.Context, name string, subnet netip.Prefix) (made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	_, err = d.api.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
	if !cerrdefs.IsNotFound(err) {
		return false, err
	}
	options := client.NetworkCreateOptions{Driver: network.NetworkBridge, Labels: map[string]string{labelPrefix + "network": name}}
	if subnet.IsValid() {
		enable := subnet.Addr().Is6()
		options.EnableIPv6 = &enable
		options.IPAM = &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: subnet}}}
	}
	_, err = d.api.NetworkCreate(ctx, name, options)
	return err == nil, err
}

// dockerIs takes in that the Docker Engine came or went. What it changes for offers shows in new ones.
func (r *run) dockerIs(down string) {
	if down == "" {
		r.log.Info("containers can be run", "docker", r.docker.host)
	} else {
		r.log.Warn("containers cannot be run", "why", down)
	}
	r.setDocker(down)
	r.revive()
}

// setDocker notes why no containers can be run, "" that they can.
func (r *run) setDocker(down string) {
	r.dockerDown = down
	r.noContainers.Store(&down)
}

// findOrphans has those containers of this engine removed that belong to no task it still looks after, and whose
// supervisor is gone.
func (r *run) findOrphans(ctx context.Context) {
	labels := containerLabels(r.framework, r.options.Dir, "")
	delete(labels, labelTask)
	there, err := r.docker.list(ctx, labels)
	if err != nil {
		r.log.Warn("containers cannot be listed", "err", err)
		return
	}
	var tasks []scheduler.TaskID
	for _, c := range there {
		if id := scheduler.TaskID(c.Labels[labelTask]); id != "" {
			tasks = append(tasks, id)
		}
	}
	if len(tasks) > 0 {
		r.inbox.put(func(r *run) { r.orphaned(ctx, tasks) })
	}
}

// orphaned removes the containers of those tasks that nobody looks after.
func (r *run) orphaned(ctx context.Context, tasks []scheduler.TaskID) {
	for _, id := range tasks {
		dir := taskDir(filepath.Join(r.options.Dir, "tasks", dirName(id)))
		if r.tasks[id] != nil || r.unreadable[dir.name()] {
			continue
		}
		r.keepers.Go(func() {
			if held, err := dir.lock(); err == nil {
				defer held.Close()
			} else if !errors.Is(err, os.ErrNotExist) {
				return // its supervisor still does it
			}
			ctx, cancel := context.WithTimeout(ctx, removeWithin)
			defer cancel()
			if err := r.docker.removeTask(ctx, containerLabels(r.framework, r.options.Dir, id)); err != nil {
				r.taskLog(id).Warn("container of an ended task cannot be removed", "err", err)
				return
			}
			r.taskLog(id).Info("container of an ended task was removed")
		})
	}
}

// warnOfNetwork says, once each, what does not work for containers on the network of a task: names in our DNS, and
// tasks of agents on loopback.
func (r *run) warnOfNetwork(info scheduler.TaskInfo) {
	mode := networkMode(info)
	// Which gateway it is does not matter to whether there is a server.
	if _, err := r.options.DNS.nameserver(mode, r.options.Agents[0].Address); err != nil && !r.dnsWarned {
		r.dnsWarned = true
		r.log.Warn("containers keep Docker's own resolver", "task", info.ID, "network", mode, "why", err)
	}
	if mode == scheduler.NetworkHost || r.loopbackWarned {
		return
	}
	for _, a := range r.options.Agents {
		if a.Address.IsLoopback() {
			r.loopbackWarned = true
			r.log.Warn("containers on networks of their own do not reach tasks of agents on loopback; give the agents other "+
				"addresses of this machine (scheduler.local.agents)", "task", info.ID, "agent", a.ID, "address", a.Address)
			return
		}
	}
}
