package api

import (
	"strings"

	"rollcall/scheduler"
)

// containerInput is what a container says in the forms of older Marathons.
type containerInput struct {
	network  string                  // docker.network: HOST, BRIDGE, USER, NONE
	mappings []scheduler.PortMapping // docker.portMappings; nil: not given
}

func (in *appInput) decodeContainer(o *object) {
	c, ok := o.object("container")
	if !ok {
		return
	}
	container := &scheduler.Container{Type: scheduler.ContainerDocker, Volumes: []scheduler.Volume{}}
	in.app.Container = container
	var kind string
	if c.word("type", &kind, string(scheduler.ContainerDocker), string(scheduler.ContainerMesos)) {
		container.Type = scheduler.ContainerType(kind)
	}
	if d, ok := c.object("docker"); ok {
		in.decodeDocker(d)
	} else if c.has("image") {
		container.Docker = decodeOldImage(c)
	} else if container.Type == scheduler.ContainerDocker {
		in.r.refuse(c.at("docker"), "not defined")
	}
	if _, ok := c.object("linuxInfo"); ok {
		if container.Type == scheduler.ContainerDocker {
			in.r.refuse(c.at("linuxInfo"), "is for containers of type MESOS only")
		}
		in.r.warn("%s has no effect here", c.at("linuxInfo"))
	}
	container.PortMappings = decodePortMappings(c)
	container.Volumes = append(container.Volumes, decodeVolumes(c)...)
	c.end()
}

func (in *appInput) decodeDocker(d *object) {
	docker := &scheduler.Docker{Parameters: []scheduler.Parameter{}}
	in.app.Container.Docker = docker
	if !d.has("image") {
		d.missing("image")
	}
	if d.text("image", &docker.Image) && docker.Image == "" {
		in.r.refuse(d.at("image"), "must not be empty")
	}
	if !d.boolean("forcePullImage", &docker.ForcePullImage) {
		d.boolean("forcePull", &docker.ForcePullImage)
	}
	d.boolean("privileged", &docker.Privileged)
	parameters, _ := d.objects("parameters")
	for _, p := range parameters {
		var parameter scheduler.Parameter
		p.needText("key", &parameter.Key)
		p.needText("value", &parameter.Value)
		if p.has("key") && parameter.Key == "" {
			in.r.refuse(p.at("key"), "must not be empty")
		}
		p.end()
		in.r.checkParameter(p.at("key"), parameter.Key)
		docker.Parameters = append(docker.Parameters, parameter)
	}
	d.word("network", &in.container.network, "HOST", "BRIDGE", "USER", "NONE")
	in.container.mappings = decodePortMappings(d)
	if _, ok := d.take("pullConfig"); ok {
		in.r.unsupported(d.at("pullConfig"), "secrets")
	}
	if _, ok := d.take("credential"); ok {
		in.r.refuse(d.at("credential"), "is no longer supported: put registry credentials into a fetched .docker archive")
	}
	d.end()
}

// decodeOldImage reads the container of Marathon 0.6: {"image": "docker:///name", "options": ["-v", "/a:/b"]}.
func decodeOldImage(c *object) *scheduler.Docker {
	docker := &scheduler.Docker{Parameters: []scheduler.Parameter{}}
	c.text("image", &docker.Image)
	docker.Image = strings.TrimLeft(strings.TrimPrefix(docker.Image, "docker:"), "/")
	if docker.Image == "" {
		c.r.refuse(c.at("image"), "must not be empty")
	}
	var options []string
	c.texts("options", &options)
	for i := 0; i < len(options); i++ {
		name, value, joined := strings.Cut(options[i], "=")
		if !strings.HasPrefix(name, "-") {
			c.r.refuse(c.at("options"), "'%s' is not an option of docker run", options[i])
			continue
		}
		if !joined && i+1 < len(options) && !strings.HasPrefix(options[i+1], "-") {
			i++
			value = options[i]
		} else if !joined {
			value = "true"
		}
		parameter := scheduler.Parameter{Key: longOption(name), Value: value}
		c.r.checkParameter(c.at("options"), parameter.Key)
		docker.Parameters = append(docker.Parameters, parameter)
	}
	return docker
}

// checkParameter refuses an option of docker run that no engine takes, and warns of one without effect. An empty name is refused elsewhere.
func (r *reader) checkParameter(path, name string) {
	switch {
	case name == "lxc-conf":
		r.warn("%s: lxc-conf does nothing: Docker has no LXC driver any more", path)
	case name != "" && !scheduler.KnownDockerParameter(name):
		r.refuse(path, "'%s' is not supported; supported are %s", name, strings.Join(scheduler.DockerParameters(), ", "))
	}
}

// longOption is the name that parameters use for an option of docker run.
func longOption(option string) string {
	if long, ok := map[string]string{"-a": "attach", "-c": "cpu-shares", "-e": "env", "-h": "hostname", "-l": "label",
		"-m": "memory", "-p": "publish", "-u": "user", "-v": "volume", "-w": "workdir"}[option]; ok {
		return long
	}
	return strings.TrimLeft(option, "-")
}

// decodePortMappings returns nil when there is no such member.
func decodePortMappings(o *object) []scheduler.PortMapping {
	objects, ok := o.objects("portMappings")
	if !ok || tooMany(o, "portMappings", "ports", len(objects), maxPorts) {
		return nil
	}
	out := make([]scheduler.PortMapping, 0, len(objects))
	for _, m := range objects {
		mapping := scheduler.PortMapping{Protocol: "tcp"}
		m.integer("containerPort", &mapping.ContainerPort, 0, maxPort)
		m.optional("hostPort", &mapping.HostPort, 0, maxPort)
		decodeServicePort(m, &mapping.ServicePort)
		decodeTransport(m, &mapping.Protocol)
		m.text("name", &mapping.Name)
		m.textMap("labels", &mapping.Labels)
		m.texts("networkNames", &mapping.NetworkNames)
		m.end()
		out = append(out, mapping)
	}
	return out
}

// decodeServicePort reads the service port of a mapping. Here null is not the same as nothing: it says that there is to
// be none, so that a port without a load balancer takes none of the range.
func decodeServicePort(m *object, dst *scheduler.ServicePort) {
	if v, given := m.members["servicePort"]; given && v == nil {
		*dst = scheduler.NoServicePort
	}
	var number int
	if m.integer("servicePort", &number, 0, maxPort) {
		*dst = scheduler.ServicePort(number)
	}
}

// decodeTransport reads the protocol of a port.
func decodeTransport(o *object, dst *string) {
	if o.word("protocol", dst, "tcp", "udp", "udp,tcp", "tcp,udp") && *dst == "tcp,udp" {
		*dst = "udp,tcp"
	}
}

func decodeVolumes(c *object) []scheduler.Volume {
	objects, _ := c.objects("volumes")
	var out []scheduler.Volume
	for _, v := range objects {
		var volume scheduler.Volume
		if v.needText("containerPath", &volume.ContainerPath); v.has("containerPath") && volume.ContainerPath == "" {
			c.r.refuse(v.at("containerPath"), "must not be empty")
		}
		v.word("mode", &volume.Mode, "RO", "RW")
		v.text("hostPath", &volume.HostPath)
		switch {
		case v.has("persistent"):
			c.r.unsupported(v.at("persistent"), "persistent_volumes")
			v.ignore("persistent")
		case v.has("external"):
			c.r.unsupported(v.at("external"), "external_volumes")
			v.ignore("external")
		case v.has("secret"):
			c.r.unsupported(v.at("secret"), "secrets")
			v.ignore("secret")
		default:
			if !v.has("hostPath") {
				v.missing("hostPath")
			}
			if !v.has("mode") {
				v.missing("mode")
			}
		}
		v.end()
		out = append(out, volume)
	}
	return out
}
