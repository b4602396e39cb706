package local

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

// containerRun is one task's container, from its image to its end.
type containerRun struct {
	*docker
	spec   spec
	labels map[string]string
	create client.ContainerCreateOptions
	id     string
	log    containerLog
}

// container runs the task in a container. It is told to end by s.signals, like every other.
func (s *supervisor) container() status {
	d, err := connectDocker(s.spec.Container.Docker)
	if err != nil {
		return failedToStart(err)
	}
	c := &containerRun{docker: d, spec: s.spec, log: containerLog{stdout: s.stdout, stderr: s.stderr},
		labels: containerLabels(s.spec.Task.FrameworkID, s.dir.engine(), s.spec.Task.ID)}
	s.cleanUp = func() {
		ctx, cancel := context.WithTimeout(context.Background(), removeWithin)
		defer cancel()
		_ = c.removeTask(ctx, c.labels) // what is left the engine sweeps up
		c.close()
	}
	if end, ok := s.step(func(ctx context.Context) error { return c.getImage(ctx, s.dir.sandbox()) }); !ok {
		return end
	}
	if end, ok := s.step(func(ctx context.Context) error { return c.configure(ctx, s.dir) }); !ok {
		return end
	}
	s.advance(status{State: scheduler.TaskStarting})
	if end, ok := s.step(c.make); !ok {
		return end
	}
	// From here on the container may run: however this ends, it is looked at what became of it.
	err = s.attend(func(context.Context) error { return c.start() })
	if err != nil {
		return failedToStart(err)
	}
	addresses, err := c.addresses()
	if err != nil {
		fmt.Fprintf(os.Stderr, "container's addresses cannot be found out: %v\n", err)
	}
	s.advance(status{State: scheduler.TaskRunning, Addresses: addresses})
	return c.outcome(s.follow(c), s.kill)
}

// step does a part of what comes before the start. It returns false, and how the task ended by that, when the task
// is not to go on.
func (s *supervisor) step(work func(context.Context) error) (status, bool) {
	err := s.attend(work)
	switch {
	case s.kill != nil:
		return killed(s.kill, "Task was killed before it started"), false
	case s.stopped:
		return failedToStart(errors.New("the supervisor was told to end")), false
	case err != nil:
		return failedToStart(err), false
	}
	return status{}, true
}

// attend lets work go on while the supervisor listens for the engine. The context of work ends when the task is to.
func (s *supervisor) attend(work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.stopped {
		cancel()
	}
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	for {
		var retry <-chan time.Time
		if s.unsaved {
			retry = time.After(saveRetry)
		}
		select {
		case err := <-done:
			return err
		case <-s.signals:
			s.stopped = true
			s.readKill()
			cancel()
		case <-retry:
			s.save()
		}
	}
}

// getImage has the image pulled if it is absent, or is to be pulled in any case.
func (c *containerRun) getImage(ctx context.Context, sandbox string) error {
	image := c.spec.Task.Container.Docker
	if !image.ForcePullImage {
		_, err := ask(ctx, func(ctx context.Context) (client.ImageInspectResult, error) {
			return c.api.ImageInspect(ctx, image.Image)
		})
		if err == nil || !cerrdefs.IsNotFound(err) {
			return err
		}
	}
	auth, err := registryAuth(image.Image, sandbox)
	if err != nil {
		return fmt.Errorf("pulling image %s: %w", image.Image, err)
	}
	// The time limit is the registry's: it does not run while there is no daemon to ask it.
	if _, err := ask(ctx, func(ctx context.Context) (client.PingResult, error) {
		return c.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.spec.Container.PullTimeout,
		fmt.Errorf("it is not there after %s", c.spec.Container.PullTimeout))
	defer cancel()
	err = insist(ctx, func() error {
		progress, err := c.api.ImagePull(ctx, image.Image, client.ImagePullOptions{RegistryAuth: auth})
		if err != nil {
			return err
		}
		defer progress.Close()
		return progress.Wait(ctx)
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("pulling image %s: %w", image.Image, err)
	}
	return nil
}

// configure makes up what Docker is to create, for which it has to know the networks.
func (c *containerRun) configure(ctx context.Context, dir taskDir) (err error) {
	gateways := map[string]netip.Addr{}
	names := []string{string(dockerNetwork(c.spec.Task))}
	if networkMode(c.spec.Task) == scheduler.NetworkContainer {
		names = networkNames(c.spec.Task)
	}
	for _, name := range names {
		n, err := ask(ctx, func(ctx context.Context) (client.NetworkInspectResult, error) {
			return c.api.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
		})
		switch {
		case cerrdefs.IsNotFound(err):
			return fmt.Errorf("%w: %q; make it with \"docker network create %s\"", errNoNetwork, name, name)
		case err != nil:
			return err
		}
		gateways[name] = gatewayOf(n.Network)
	}
	if err := c.makeVolumes(dir.sandbox()); err != nil {
		return err
	}
	c.create, err = containerConfig(c.spec, dir, gateways)
	return err
}

// makeVolumes makes the directories of the sandbox that are mounted elsewhere, as the sandbox's owner's.
func (c *containerRun) makeVolumes(sandbox string) error {
	root, err := os.OpenRoot(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, v := range c.spec.Task.Container.Volumes {
		if v.HostPath == "" || !filepath.IsLocal(v.HostPath) {
			continue
		}
		if err := root.MkdirAll(v.HostPath, 0o755); err != nil {
			return fmt.Errorf("volume %s: %w", v.ContainerPath, err)
		}
		if c.spec.User.Switch {
			if err := root.Lchown(v.HostPath, int(c.spec.User.UID), int(c.spec.User.GID)); err != nil {
				return fmt.Errorf("volume %s: %w", v.ContainerPath, err)
			}
		}
	}
	return nil
}

func networkNames(task scheduler.TaskInfo) []string {
	var names []string
	for _, n := range task.Networks {
		names = append(names, n.Name)
	}
	return names
}

// make creates the container and joins its networks. A container of that name is the one that an earlier try created
// whose answer got lost.
func (c *containerRun) make(ctx context.Context) error {
	err := insist(ctx, func() error {
		made, err := c.api.ContainerCreate(context.Background(), c.create)
		c.id = made.ID
		for _, warning := range made.Warnings {
			fmt.Fprintln(os.Stderr, warning)
		}
		return err
	})
	if cerrdefs.IsConflict(err) {
		there, err := c.inspect(ctx, c.create.Name)
		if err != nil {
			return err
		}
		if !carries(there.Config.Labels, c.labels) {
			return fmt.Errorf("a container named %s is there already, and is not this task's", c.create.Name)
		}
		c.id = there.ID
	} else if err != nil {
		return err
	}
	if names := networkNames(c.spec.Task); len(names) > 1 {
		for _, name := range names[1:] {
			err := insist(ctx, func() error {
				_, err := c.api.NetworkConnect(context.Background(), name, client.NetworkConnectOptions{Container: c.id})
				return err
			})
			if err != nil && !cerrdefs.IsConflict(err) && !cerrdefs.IsPermissionDenied(err) {
				return err
			}
		}
	}
	return nil
}

// start starts the container, once: after a try whose answer got lost it is looked whether that was done. It is not
// interrupted, for a start that is under way cannot be taken back.
func (c *containerRun) start() error {
	ctx := context.Background()
	return insist(ctx, func() error {
		there, err := c.inspect(ctx, c.id)
		if err != nil || there.State.Status != container.StateCreated || there.State.ExitCode != 0 {
			if err == nil && there.State.Status == container.StateCreated {
				err = errors.New(there.State.Error)
			}
			return err
		}
		_, err = c.api.ContainerStart(ctx, c.id, client.ContainerStartOptions{})
		return err
	})
}

func (c *containerRun) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	answer, err := ask(ctx, func(ctx context.Context) (client.ContainerInspectResult, error) {
		return c.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	})
	return answer.Container, err
}

// addresses are the container's own, when it is on container networks; elsewhere it is reached by its agent's.
func (c *containerRun) addresses() ([]netip.Addr, error) {
	if networkMode(c.spec.Task) != scheduler.NetworkContainer {
		return nil, nil
	}
	there, err := c.inspect(context.Background(), c.id)
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, name := range networkNames(c.spec.Task) {
		end := there.NetworkSettings.Networks[name]
		if end == nil {
			continue
		}
		for _, a := range []netip.Addr{end.IPAddress, end.GlobalIPv6Address} {
			if a.IsValid() {
				all = append(all, a)
			}
		}
	}
	return all, nil
}
