package scheduler

import "slices"

// dockerParameters are the options of "docker run" that apps may give in container.docker.parameters, by their long
// names; "lxc-conf", which Marathon's documentation has, does nothing since Docker 1.10. Those that would take a container out of the engine's hands (name, detach, restart, publish, the limits that
// cpus and mem set, log drivers that keep the output from the sandbox) are not among them.
var dockerParameters = []string{
	"add-host", "cap-add", "cap-drop", "device", "dns", "dns-opt", "dns-option", "dns-search", "entrypoint", "env",
	"group-add", "hostname", "init", "ipc", "label", "lxc-conf", "memory-swap", "net", "net-alias", "network", "network-alias", "pid",
	"pids-limit", "read-only", "rm", "security-opt", "shm-size", "sysctl", "tmpfs", "ulimit", "user", "volume", "volumes-from", "workdir",
}

// DockerParameters lists the names that an engine takes in container.docker.parameters, in ascending order.
func DockerParameters() []string { return slices.Clone(dockerParameters) }

// KnownDockerParameter says whether a name is one of DockerParameters.
func KnownDockerParameter(name string) bool {
	_, known := slices.BinarySearch(dockerParameters, name)
	return known
}
