package api

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// Policy is what apps may ask of the machines they run on. The zero value allows everything. It binds whoever defines
// an app, administrators too: it is the operator's word, not a matter of rights.
type Policy struct {
	// Users are whom apps may name as the user that they run as; nil: anybody. Apps that name nobody run as the
	// engine's default, whoever that is.
	Users []string
	// ContainersOnly refuses apps without an image: those see all files and networks of the machine.
	ContainersOnly bool
	// NoPrivileged refuses privileged containers, and parameters of Docker that come to the same.
	NoPrivileged bool
	// HostPaths are directories of the host that apps may use, as volumes or to fetch files from; nil: all of them.
	// Relative paths are in the sandbox, and always allowed.
	HostPaths []string
	// Networks are the networks that apps may use: "host", "container/bridge", or the name of a container network;
	// nil: all of them.
	Networks []string
	// NoExec refuses to run commands inside tasks.
	NoExec bool
}

// privileges are parameters of Docker that give a container rights over its host.
var privileges = []string{"cap-add", "device", "ipc", "pid", "security-opt", "sysctl", "group-add"}

// check refuses what an app asks for against the policy.
func (p Policy) check(r *reader, at string, app *scheduler.App) {
	image := app.Container != nil && app.Container.Docker != nil && app.Container.Docker.Image != ""
	if p.ContainersOnly && !image {
		r.refuse(at, "apps without a container image are not allowed here (scheduler.taskPolicy.containersOnly)")
	}
	p.checkUser(r, at+"/user", app.User)
	for _, n := range app.Networks {
		name := string(n.Mode)
		if n.Mode == scheduler.NetworkContainer {
			name = n.Name
		}
		p.checkNetwork(r, at+"/networks", name)
	}
	for _, f := range app.Fetch {
		if u, err := url.Parse(f.URI); err == nil && (u.Scheme == "file" || u.Scheme == "") && path.IsAbs(u.Path) {
			p.checkHostPath(r, at+"/fetch", u.Path)
		}
	}
	if app.Container == nil {
		return
	}
	for _, v := range app.Container.Volumes {
		p.checkHostPath(r, at+"/container/volumes", v.HostPath)
	}
	if app.Container.Docker == nil {
		return
	}
	if p.NoPrivileged && app.Container.Docker.Privileged {
		r.refuse(at+"/container/docker/privileged", "privileged containers are not allowed here (scheduler.taskPolicy.privileged)")
	}
	for _, parameter := range app.Container.Docker.Parameters {
		p.checkParameter(r, at+"/container/docker/parameters", parameter)
	}
}

func (p Policy) checkUser(r *reader, at, user string) {
	if name, _, _ := strings.Cut(user, ":"); user != "" && p.Users != nil && !slices.Contains(p.Users, name) {
		r.refuse(at, "'%s' is not one of the users that apps may run as here: %q (scheduler.taskPolicy.users)", user, p.Users)
	}
}

func (p Policy) checkNetwork(r *reader, at, name string) {
	if p.Networks != nil && !slices.Contains(p.Networks, name) {
		r.refuse(at, "'%s' is not one of the networks that apps may use here: %q (scheduler.taskPolicy.networks)", name, p.Networks)
	}
}

func (p Policy) checkHostPath(r *reader, at, hostPath string) {
	if p.HostPaths == nil || !path.IsAbs(hostPath) && !strings.HasPrefix(path.Clean(hostPath), "..") {
		return
	}
	clean := path.Clean(hostPath)
	for _, allowed := range p.HostPaths {
		if clean == allowed || strings.HasPrefix(clean, strings.TrimSuffix(allowed, "/")+"/") {
			return
		}
	}
	r.refuse(at, "'%s' is not within the directories that apps may use here: %q (scheduler.taskPolicy.hostPaths)", hostPath, p.HostPaths)
}

// checkParameter sees to it that nothing is had by way of Docker's parameters that cannot be had directly. The network
// among them can only be the app's own.
func (p Policy) checkParameter(r *reader, at string, parameter scheduler.Parameter) {
	switch key := parameter.Key; {
	case key == "user":
		p.checkUser(r, at, parameter.Value)
	case key == "volume":
		source, _, _ := strings.Cut(parameter.Value, ":")
		p.checkHostPath(r, at, source)
	case key == "volumes-from" && p.HostPaths != nil:
		r.refuse(at, "'volumes-from' is not allowed here: other containers may have any directory (scheduler.taskPolicy.hostPaths)")
	case p.NoPrivileged && slices.Contains(privileges, key):
		r.refuse(at, "'%s' is not allowed here: it comes to the same as a privileged container (scheduler.taskPolicy.privileged)", key)
	}
}
