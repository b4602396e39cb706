package local

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"rollcall/scheduler"
)

// dockerOptions is a container's configuration while parameters are put into it.
type dockerOptions struct {
	config  *container.Config
	host    *container.HostConfig
	aliases []string // on the container's network
}

// apply puts a parameter, an option of "docker run", into the configuration.
func (o *dockerOptions) apply(p scheduler.Parameter) error {
	set, known := dockerParameters[p.Key]
	if !known {
		return fmt.Errorf("docker parameter %q is not supported; supported are %s", p.Key, strings.Join(scheduler.DockerParameters(), ", "))
	}
	if err := set(o, p.Value); err != nil {
		return fmt.Errorf("docker parameter %s=%q: %w", p.Key, p.Value, err)
	}
	return nil
}

// dockerParameters are the supported ones, those of scheduler.DockerParameters.
var dockerParameters = map[string]func(*dockerOptions, string) error{
	"add-host":      appending(func(o *dockerOptions) *[]string { return &o.host.ExtraHosts }),
	"cap-add":       appending(func(o *dockerOptions) *[]string { return &o.host.CapAdd }),
	"cap-drop":      appending(func(o *dockerOptions) *[]string { return &o.host.CapDrop }),
	"device":        (*dockerOptions).device,
	"dns":           (*dockerOptions).nameserver,
	"dns-opt":       appending(func(o *dockerOptions) *[]string { return &o.host.DNSOptions }),
	"dns-option":    appending(func(o *dockerOptions) *[]string { return &o.host.DNSOptions }),
	"dns-search":    appending(func(o *dockerOptions) *[]string { return &o.host.DNSSearch }),
	"entrypoint":    (*dockerOptions).entrypoint,
	"env":           appending(func(o *dockerOptions) *[]string { return &o.config.Env }),
	"group-add":     appending(func(o *dockerOptions) *[]string { return &o.host.GroupAdd }),
	"hostname":      func(o *dockerOptions, v string) error { o.config.Hostname = v; return nil },
	"init":          (*dockerOptions).init,
	"ipc":           func(o *dockerOptions, v string) error { o.host.IpcMode = container.IpcMode(v); return nil },
	"label":         (*dockerOptions).label,
	"lxc-conf":      func(*dockerOptions, string) error { return nil }, // of a driver that Docker had until 1.10
	"memory-swap":   (*dockerOptions).memorySwap,
	"net":           (*dockerOptions).network,
	"net-alias":     appending(func(o *dockerOptions) *[]string { return &o.aliases }),
	"network":       (*dockerOptions).network,
	"network-alias": appending(func(o *dockerOptions) *[]string { return &o.aliases }),
	"pid":           func(o *dockerOptions, v string) error { o.host.PidMode = container.PidMode(v); return nil },
	"pids-limit":    (*dockerOptions).pidsLimit,
	"read-only":     (*dockerOptions).readOnly,
	"rm":            func(*dockerOptions, string) error { return nil }, // every container is removed after its end
	"security-opt":  appending(func(o *dockerOptions) *[]string { return &o.host.SecurityOpt }),
	"shm-size":      (*dockerOptions).shmSize,
	"sysctl":        (*dockerOptions).sysctl,
	"tmpfs":         (*dockerOptions).tmpfs,
	"ulimit":        (*dockerOptions).ulimit,
	"user":          func(o *dockerOptions, v string) error { o.config.User = v; return nil },
	"volume":        (*dockerOptions).volume,
	"volumes-from":  appending(func(o *dockerOptions) *[]string { return &o.host.VolumesFrom }),
	"workdir":       func(o *dockerOptions, v string) error { o.config.WorkingDir = v; return nil },
}

func appending(list func(*dockerOptions) *[]string) func(*dockerOptions, string) error {
	return func(o *dockerOptions, value string) error {
		*list(o) = append(*list(o), value)
		return nil
	}
}

// device is /dev/on/host[:/dev/in/container[:rwm]].
func (o *dockerOptions) device(value string) error {
	parts := strings.Split(value, ":")
	if len(parts) > 3 || !strings.HasPrefix(parts[0], "/") {
		return errors.New(`want "/dev/on/host[:/dev/in/container[:rwm]]"`)
	}
	d := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	if len(parts) > 1 {
		d.PathInContainer = parts[1]
	}
	if len(parts) > 2 {
		d.CgroupPermissions = parts[2]
	}
	o.host.Devices = append(o.host.Devices, d)
	return nil
}

func (o *dockerOptions) nameserver(value string) error {
	address, err := netip.ParseAddr(value)
	if err != nil {
		return err
	}
	o.host.DNS = append(o.host.DNS, address)
	return nil
}

// entrypoint is one program; "" takes the image's away.
func (o *dockerOptions) entrypoint(value string) error {
	o.config.Entrypoint = []string{value}
	return nil
}

func (o *dockerOptions) init(value string) error {
	on, err := strconv.ParseBool(value)
	o.host.Init = &on
	return err
}

func (o *dockerOptions) label(value string) error {
	name, text, _ := strings.Cut(value, "=")
	if strings.HasPrefix(name, labelPrefix) {
		return fmt.Errorf("labels that begin with %s are the engine's own", labelPrefix)
	}
	o.config.Labels[name] = text
	return nil
}

func (o *dockerOptions) memorySwap(value string) (err error) {
	if value == "-1" {
		o.host.MemorySwap = -1
		return nil
	}
	o.host.MemorySwap, err = parseBytes(value)
	return err
}

// network takes no network away by another name: which one it is, the app's networks say.
func (o *dockerOptions) network(value string) error {
	if value != "none" && value != string(o.host.NetworkMode) {
		return fmt.Errorf(`want "none" or the app's own network (%s); the app's "networks" choose it`, o.host.NetworkMode)
	}
	o.host.NetworkMode = container.NetworkMode(value)
	return nil
}

func (o *dockerOptions) pidsLimit(value string) error {
	limit, err := strconv.ParseInt(value, 10, 64)
	o.host.PidsLimit = &limit
	return err
}

func (o *dockerOptions) readOnly(value string) (err error) {
	o.host.ReadonlyRootfs, err = strconv.ParseBool(value)
	return err
}

func (o *dockerOptions) shmSize(value string) (err error) {
	o.host.ShmSize, err = parseBytes(value)
	return err
}

func (o *dockerOptions) sysctl(value string) error {
	name, text, ok := strings.Cut(value, "=")
	if !ok {
		return errors.New(`want "name=value"`)
	}
	put(&o.host.Sysctls, name, text)
	return nil
}

func (o *dockerOptions) tmpfs(value string) error {
	path, options, _ := strings.Cut(value, ":")
	put(&o.host.Tmpfs, path, options)
	return nil
}

// ulimit is name=soft[:hard]; -1 is no limit.
func (o *dockerOptions) ulimit(value string) error {
	name, limits, ok := strings.Cut(value, "=")
	low, high, both := strings.Cut(limits, ":")
	if !both {
		high = low
	}
	soft, err := strconv.ParseInt(low, 10, 64)
	hard, err2 := strconv.ParseInt(high, 10, 64)
	if !ok || name == "" || err != nil || err2 != nil {
		return errors.New(`want "name=soft[:hard]"`)
	}
	o.host.Ulimits = append(o.host.Ulimits, &container.Ulimit{Name: name, Soft: soft, Hard: hard})
	return nil
}

// volume is [name-or-path:]path[:options]; a path alone is a volume that goes with the container.
func (o *dockerOptions) volume(value string) error {
	if !strings.Contains(value, ":") {
		if o.config.Volumes == nil {
			o.config.Volumes = map[string]struct{}{}
		}
		o.config.Volumes[value] = struct{}{}
		return nil
	}
	o.host.Binds = append(o.host.Binds, value)
	return nil
}

func put(m *map[string]string, key, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}

// parseBytes reads a size as "docker run" takes it: bytes, or with one of the units b, k, m and g.
func parseBytes(text string) (int64, error) {
	digits := strings.ToLower(text)
	shift := 0
	for unit, bits := range map[string]int{"b": 0, "k": 10, "m": 20, "g": 30} {
		if rest, ok := strings.CutSuffix(strings.TrimSuffix(digits, "b"), unit); ok && unit != "b" {
			digits, shift = rest, bits
			break
		}
	}
	digits = strings.TrimSuffix(digits, "b")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0, fmt.Errorf("%q is not a size, such as 1048576, 64m or 1g", text)
	}
	return n << shift, nil
}
