package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

// containerSpec is what a supervisor has to know to run a task in a container.
type containerSpec struct {
	Docker      string        `json:"docker"` // address of the Docker Engine
	PullTimeout time.Duration `json:"pullTimeout"`
	DNS         ContainerDNS  `json:"dns,omitzero"`
	NoLimits    bool          `json:"noLimits,omitempty"`
}

// Labels by which a container is known to be a task's. All three have to be right before it is touched.
const (
	labelPrefix    = "rollcall."
	labelFramework = labelPrefix + "framework"
	labelTask      = labelPrefix + "task"
	labelDir       = labelPrefix + "dir" // Options.Dir of the engine
)

// containerSandbox is where a container finds its sandbox, as in Mesos.
const containerSandbox = "/mnt/mesos/sandbox"

// containerLabels are those of a task's container.
func containerLabels(framework, engineDir string, task scheduler.TaskID) map[string]string {
	return map[string]string{labelFramework: framework, labelDir: engineDir, labelTask: string(task)}
}

// carries says whether a container's labels are those of a task.
func carries(have, want map[string]string) bool {
	for name, value := range want {
		if have[name] != value {
			return false
		}
	}
	return true
}

// containerName is the one name that a task's container can have, so that Docker itself sees to it that there are
// never two.
func containerName(labels map[string]string) string {
	readable := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-' {
			return c
		}
		return '-'
	}, labels[labelTask])
	digest := sha256.Sum256([]byte(labels[labelFramework] + "\x00" + labels[labelDir] + "\x00" + labels[labelTask]))
	return "rollcall-" + readable[:min(len(readable), 150)] + "-" + hex.EncodeToString(digest[:4])
}

// runsContainer says whether a task runs in an image.
func runsContainer(task scheduler.TaskInfo) bool {
	return task.Container != nil && task.Container.Docker != nil
}

// wantsContainer says whether a task asks for what only a container can give it.
func wantsContainer(task scheduler.TaskInfo) bool {
	return task.Container != nil && len(task.Container.Volumes) > 0 ||
		slices.ContainsFunc(task.Networks, func(n scheduler.Network) bool { return n.Mode != scheduler.NetworkHost })
}

// containerConfig is what Docker is asked to create for a task whose directory is dir. gateways are those of the
// networks, by name.
func containerConfig(s spec, dir taskDir, gateways map[string]netip.Addr) (client.ContainerCreateOptions, error) {
	task := s.Task
	labels := containerLabels(task.FrameworkID, dir.engine(), task.ID)
	o := &dockerOptions{
		config: &container.Config{Image: task.Container.Docker.Image, Labels: maps.Clone(labels), User: task.User},
		host: &container.HostConfig{
			NetworkMode: dockerNetwork(task), Privileged: task.Container.Docker.Privileged,
			// Docker keeps output for "docker logs" only until the supervisor has copied it.
			LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": strconv.FormatInt(max(1<<20, s.LogMaxSize), 10), "max-file": "2"}},
			Binds:     []string{dir.sandbox() + ":" + containerSandbox},
		},
	}
	if strings.Contains(string(dir), ":") {
		return client.ContainerCreateOptions{}, fmt.Errorf("directory %s has a colon in it, with which Docker cannot mount it", dir)
	}
	env := maps.Clone(task.Env)
	if env == nil {
		env = map[string]string{}
	}
	env["MESOS_SANDBOX"], env["MESOS_CONTAINER_NAME"] = containerSandbox, containerName(labels)
	o.config.Env = list(env)
	if !s.Container.NoLimits {
		o.limit(task.Resources)
	}
	if err := o.mount(task.Container.Volumes, dir.sandbox()); err != nil {
		return client.ContainerCreateOptions{}, err
	}
	if err := o.publish(task.Container.PortMappings, s.Address); err != nil {
		return client.ContainerCreateOptions{}, err
	}
	for _, p := range task.Container.Docker.Parameters {
		if err := o.apply(p); err != nil {
			return client.ContainerCreateOptions{}, err
		}
	}
	// What the app runs goes over the image's and over a parameter, as Mesos puts them together.
	switch {
	case task.Shell != "":
		o.config.Entrypoint, o.config.Cmd = []string{"/bin/sh", "-c", task.Shell}, []string{}
	case len(task.Args) > 0:
		o.config.Cmd = task.Args
	}
	o.resolve(s.Container.DNS, task, gateways)
	create := client.ContainerCreateOptions{Config: o.config, HostConfig: o.host, Name: containerName(labels)}
	if name := string(o.host.NetworkMode); networkMode(task) == scheduler.NetworkContainer && name != "none" {
		create.NetworkingConfig = &network.NetworkingConfig{
			EndpointsConfig: map[string]*network.EndpointSettings{name: {Aliases: o.aliases}}}
	}
	return create, nil
}

// dockerNetwork is the task's network, in Docker's words.
func dockerNetwork(task scheduler.TaskInfo) container.NetworkMode {
	switch networkMode(task) {
	case scheduler.NetworkBridge:
		return network.NetworkBridge
	case scheduler.NetworkContainer:
		return container.NetworkMode(task.Networks[0].Name)
	}
	return network.NetworkHost
}

// limit holds the container to its resources, as cgroupPaths.create does with processes.
func (o *dockerOptions) limit(r scheduler.Resources) {
	o.host.CPUShares = max(2, min(262144, int64(r.CPUs*1024)))
	o.host.Memory = max(minMemory, int64(r.Mem*(1<<20)))
	o.host.MemorySwap = o.host.Memory
}

// mount makes paths of the host and of the sandbox appear in the container.
func (o *dockerOptions) mount(volumes []scheduler.Volume, sandbox string) error {
	for _, v := range volumes {
		inside, source := v.ContainerPath, v.HostPath
		if !filepath.IsAbs(inside) {
			inside = filepath.Join(containerSandbox, inside)
		}
		if source == "" {
			if err := o.volume(inside); err != nil {
				return err
			}
			continue
		}
		if !filepath.IsAbs(source) {
			if !filepath.IsLocal(source) {
				return fmt.Errorf("volume %s: host path %s leaves the sandbox", v.ContainerPath, source)
			}
			source = filepath.Join(sandbox, source)
		}
		if strings.Contains(inside+source, ":") {
			return fmt.Errorf("volume %s: Docker mounts no paths with a colon in them", v.ContainerPath)
		}
		mode := "rw"
		if v.Mode == "RO" {
			mode = "ro"
		}
		o.host.Binds = append(o.host.Binds, source+":"+inside+":"+mode)
	}
	return nil
}

// publish binds host ports on the agent's own address, so that each agent of a machine has all ports.
func (o *dockerOptions) publish(mappings []scheduler.PortMapping, agent netip.Addr) error {
	for _, m := range mappings {
		for protocol := range strings.SplitSeq(m.Protocol, ",") {
			port, ok := network.PortFrom(uint16(m.ContainerPort), network.IPProtocol(protocol))
			if !ok || m.ContainerPort < 1 {
				return fmt.Errorf("container port %d/%s cannot be had", m.ContainerPort, protocol)
			}
			if o.config.ExposedPorts == nil {
				o.config.ExposedPorts, o.host.PortBindings = network.PortSet{}, network.PortMap{}
			}
			o.config.ExposedPorts[port] = struct{}{}
			if m.HostPort != nil {
				o.host.PortBindings[port] = append(o.host.PortBindings[port],
					network.PortBinding{HostIP: agent, HostPort: strconv.Itoa(*m.HostPort)})
			}
		}
	}
	return nil
}

// resolve names the DNS server, unless parameters have named one.
func (o *dockerOptions) resolve(dns ContainerDNS, task scheduler.TaskInfo, gateways map[string]netip.Addr) {
	if o.host.NetworkMode.IsNone() || len(o.host.DNS) > 0 {
		return
	}
	server, err := dns.nameserver(networkMode(task), gateways[string(o.host.NetworkMode)])
	if err != nil || !server.IsValid() {
		return
	}
	o.host.DNS = []netip.Addr{server}
	if len(o.host.DNSSearch) == 0 {
		o.host.DNSSearch = slices.Clone(dns.Search)
	}
}

// gatewayOf is the machine as containers on a network see it.
func gatewayOf(n network.Inspect) netip.Addr {
	for _, c := range n.IPAM.Config {
		switch {
		case c.Gateway.IsValid():
			return c.Gateway
		case c.Subnet.IsValid() && c.Subnet.Addr().Is4():
			return c.Subnet.Masked().Addr().Next()
		}
	}
	return netip.Addr{}
}

// errNoNetwork says that an app wants a network that nobody has made.
var errNoNetwork = errors.New("no such container network")
