package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// listTasks answers GET /v2/tasks, as JSON or in the text form that HAProxy scripts read.
func (a *API) listTasks(w http.ResponseWriter, r *http.Request) error {
	s := a.state()
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, "text/plain") && !strings.Contains(accept, "application/json") {
		return deliver(w, r, http.StatusOK, "text/plain; charset=utf-8", []byte(plainTasks(s, userOf(r))))
	}
	wanted := a.taskStatuses(r)
	return respondList(w, r, "tasks", func(yield func(taskView) bool) {
		for t := range eachTask(visibleInstances(userOf(r), s.AllInstances()), true) {
			if (len(wanted) == 0 || wanted[t.State]) && !yield(t) {
				return
			}
		}
	})
}

// taskStatuses reads the query's status; unknown values are ignored.
func (a *API) taskStatuses(r *http.Request) map[scheduler.TaskState]bool {
	out := map[scheduler.TaskState]bool{}
	for _, status := range a.query(r, "status") {
		switch status {
		case "running":
			out[scheduler.TaskRunning] = true
		case "staging":
			out[scheduler.TaskStaging], out[scheduler.TaskStarting] = true, true
		}
	}
	return out
}

// plainTasks writes one line for each service port of each app: id, port, and where its running tasks are.
func plainTasks(s *scheduler.State, u *User) string {
	var b strings.Builder
	for app := range visible(u, s.Apps()) {
		var running []*scheduler.Instance
		for i := range s.Instances(app.ID) {
			if i.Condition == scheduler.Running {
				running = append(running, i)
			}
		}
		listed := false
		for n, port := range app.ServicePorts() {
			if port == scheduler.NoServicePort {
				continue
			}
			listed = true
			plainLine(&b, app.ID, fmt.Sprint(port), running, func(i *scheduler.Instance) string {
				return fmt.Sprintf("%s:%d", i.Hostname, i.EffectivePort(n))
			})
		}
		if !listed {
			plainLine(&b, app.ID, " ", running, func(i *scheduler.Instance) string { return i.Hostname })
		}
	}
	return b.String()
}

func plainLine(b *strings.Builder, app scheduler.PathID, port string, running []*scheduler.Instance,
	where func(*scheduler.Instance) string) {
	addresses := make([]string, len(running))
	for n, i := range running {
		addresses[n] = where(i)
	}
	slices.Sort(addresses)
	fmt.Fprintf(b, "%s\t%s\t", app.Safe(), port)
	for _, address := range addresses {
		b.WriteString(address + "\t")
	}
	b.WriteByte('\n')
}

// listAppTasks answers GET /v2/apps/{id}/tasks.
func (a *API) listAppTasks(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		if s.App(id) == nil {
			return noApp(id)
		}
		return respondList(w, r, "tasks", eachTask(s.Instances(id), false))
	}
}

// listTasksWithin answers GET /v2/apps/{group}/*/tasks.
func (a *API) listTasksWithin(group scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		if s.Group(group) == nil {
			return noGroup(group)
		}
		return respondList(w, r, "tasks", func(yield func(taskView) bool) {
			for app := range visible(userOf(r), s.AppsWithin(group)) {
				for t := range eachTask(s.Instances(app.ID), false) {
					if !yield(t) {
						return
					}
				}
			}
		})
	}
}

// killAppTasks answers DELETE /v2/apps/{id}/tasks.
func (a *API) killAppTasks(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s := a.state()
		if s.App(id) == nil {
			return noApp(id)
		}
		host := cmp.Or(a.word(r, "host"), "*")
		var tasks []scheduler.TaskID
		for i := range s.Instances(id) {
			if i.Condition.Active() && (host == "*" || host == i.Hostname) {
				tasks = append(tasks, i.TaskID())
			}
		}
		killed, err := a.kill(w, r, tasks)
		if err != nil {
			return err
		}
		return respondKilled(w, r, killed)
	}
}

// killTask answers DELETE /v2/apps/{id}/tasks/{task}. The task's own id says it all: some clients work the app's id
// out of it, and get it wrong.
func (a *API) killTask(id scheduler.TaskID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		killed, err := a.kill(w, r, []scheduler.TaskID{id})
		if err != nil {
			return err
		}
		if len(killed.Instances) == 0 {
			return notFound("Task '" + string(id) + "' does not exist")
		}
		if killed.Deployed != nil {
			return respondKilled(w, r, killed)
		}
		return respond(w, r, http.StatusOK, map[string]taskView{"task": viewTask(killed.Instances[0], false)})
	}
}

// killTasks answers POST /v2/tasks/delete.
func (a *API) killTasks(w http.ResponseWriter, r *http.Request) error {
	v, err := document(r)
	if err != nil {
		return err
	}
	rd := &reader{}
	var ids []string
	if o, ok := rd.object(v, ""); ok {
		if !o.has("ids") {
			o.missing("ids")
		}
		o.texts("ids", &ids)
		o.end()
	}
	if err := rd.err(); err != nil {
		return err
	}
	a.report(w, r, rd)
	tasks := make([]scheduler.TaskID, len(ids))
	for n, id := range ids {
		if !strings.ContainsAny(id, "._") || strings.ContainsAny(id, "/ ") {
			return badRequest("Invalid task id '" + id + "'. Expected the form 'group_app.instance-<uuid>._app.1'.")
		}
		tasks[n] = scheduler.TaskID(id)
	}
	killed, err := a.kill(w, r, tasks)
	if err != nil {
		return err
	}
	return respondKilled(w, r, killed)
}

// kill ends tasks as the query's scale, wipe and force say.
func (a *API) kill(w http.ResponseWriter, r *http.Request, tasks []scheduler.TaskID) (*scheduler.Killed, error) {
	k := scheduler.KillTasks{Tasks: tasks, Scale: a.flag(r, "scale", false), Wipe: a.flag(r, "wipe", false),
		Force: a.flag(r, "force", false)}
	if k.Scale && k.Wipe {
		return nil, badRequest("You cannot use scale and wipe at the same time.")
	}
	s := a.state()
	k.Tasks = slices.DeleteFunc(slices.Clone(tasks), func(task scheduler.TaskID) bool { // unknown ones are not the loop's concern
		return s.Instance(scheduler.InstanceIDOf(task)) == nil
	})
	for _, task := range k.Tasks {
		if err := require(r, roleDeploy, s.Instance(scheduler.InstanceIDOf(task)).AppID); err != nil {
			return nil, err
		}
	}
	reply, err := a.o.Scheduler.Do(r.Context(), k)
	if err != nil {
		return nil, err
	}
	killed := reply.(*scheduler.Killed)
	if killed.Deployed != nil {
		w.Header().Set(deploymentHeader, string(killed.Deployed.Deployment))
	}
	return killed, nil
}

func respondKilled(w http.ResponseWriter, r *http.Request, killed *scheduler.Killed) error {
	if killed.Deployed != nil {
		return respond(w, r, http.StatusOK, deploymentOf(killed.Deployed))
	}
	return respond(w, r, http.StatusOK, map[string][]taskView{"tasks": viewTasks(slices.Values(killed.Instances), false)})
}
