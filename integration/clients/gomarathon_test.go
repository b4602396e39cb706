package clients

import (
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	marathon "github.com/gambol99/go-marathon"
)

// patience bounds every wait.
const patience = 30 * time.Second

// connect returns a client of the rollcall that ROLLCALL_API names.
func connect(t *testing.T) marathon.Marathon {
	t.Helper()
	api := os.Getenv("ROLLCALL_API")
	if api == "" {
		t.Skip("SKIPPED: ROLLCALL_API does not say where a rollcall is; the tests in integration do")
	}
	config := marathon.NewDefaultConfig()
	config.URL = api
	config.EventsTransport = marathon.EventsTransportSSE
	config.PollingWaitTime = 20 * time.Millisecond
	client, err := marathon.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// check ends the test at an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused wants an error of the API with a code.
func refused(t *testing.T, err error, code int) {
	t.Helper()
	if e, ok := err.(*marathon.APIError); !ok || e.ErrCode != code {
		t.Errorf("error %v, want one of code %d", err, code)
	}
}

func sleeper(id string, instances int) *marathon.Application {
	return marathon.NewDockerApplication().Name(id).Command("sleep 1000").CPU(0.01).Memory(16).Count(instances)
}

// process makes an application run without a container.
func process(id string, instances int) *marathon.Application {
	app := sleeper(id, instances)
	app.Container = nil
	return app
}

func TestServer(t *testing.T) {
	m := connect(t)
	if up, err := m.Ping(); err != nil || !up {
		t.Error(up, err)
	}
	info, err := m.Info()
	check(t, err)
	leader, err := m.Leader()
	check(t, err)
	if info.Name != "marathon" || info.Leader == "" || info.Leader != leader {
		t.Errorf("info %+v, leader %q", info, leader)
	}
	if pods, err := m.SupportsPods(); err != nil || pods {
		t.Error("pods:", pods, err)
	}
	_, err = m.Subscriptions()
	refused(t, err, marathon.ErrCodeNotFound)
	if _, err := m.AbdicateLeader(); err == nil {
		t.Error("who leads alone abdicated")
	}
	if up, err := m.Ping(); err != nil || !up { // none of the refusals made the client think that the server is down
		t.Error(up, err)
	}
}

func TestApplication(t *testing.T) {
	m := connect(t)
	const id = "/go/web"
	events, err := m.AddEventsListener(marathon.EventIDApplications | marathon.EventIDDeploymentSuccess | marathon.EventIDStatusUpdate)
	check(t, err)
	defer m.RemoveEventsListener(events)

	app := process(id, 2).AddLabel("tier", "front")
	app.HealthChecks = nil
	created, err := m.CreateApplication(app)
	check(t, err)
	if created.ID != id || len(created.Deployments) != 1 {
		t.Errorf("created %+v", created)
	}
	check(t, m.WaitOnApplication(id, patience))
	seen := map[int]bool{}
	for deadline := time.After(patience); !seen[marathon.EventIDDeploymentSuccess] || !seen[marathon.EventIDStatusUpdate]; {
		select {
		case event := <-events:
			seen[event.ID] = true
		case <-deadline:
			t.Fatalf("events seen: %v", seen)
		}
	}

	if ok, err := m.ApplicationOK(id); err != nil || !ok {
		t.Error("not ok:", err)
	}
	_, err = m.CreateApplication(process(id, 1))
	refused(t, err, marathon.ErrCodeDuplicateID)
	_, err = m.CreateApplication(process("/go/Bad", 1))
	refused(t, err, marathon.ErrCodeInvalidBean)
	_, err = m.Application("/go/none")
	refused(t, err, marathon.ErrCodeNotFound)

	list, err := m.ListApplications(url.Values{"label": {"tier==front"}})
	if err != nil || !slices.Equal(list, []string{id}) {
		t.Error(list, err)
	}
	all, err := m.Applications(url.Values{"id": {"go/web"}, "embed": {"apps.taskStats", "apps.readiness", "apps.tasks"}})
	check(t, err)
	if got := all.Apps[0]; got.TaskStats["totalSummary"].Stats.Counts["running"] != 2 || len(got.Tasks) != 2 || got.TasksRunning != 2 {
		t.Errorf("%+v, stats %+v", got, got.TaskStats)
	}

	one, err := m.ApplicationBy(id, &marathon.GetAppOpts{Embed: []string{"app.taskStats", "app.readiness"}})
	check(t, err)
	if one.ID != id || one.TaskStats["totalSummary"].Stats.Counts["running"] != 2 {
		t.Errorf("%+v, stats %+v", one, one.TaskStats)
	}
	if deployments, err := m.ApplicationDeployments(id); err != nil || len(deployments) != 0 {
		t.Error(deployments, err)
	}

	scaled, err := m.ScaleApplicationInstances(id, 3, false)
	check(t, err)
	check(t, m.WaitOnDeployment(scaled.DeploymentID, patience))
	versions, err := m.ApplicationVersions(id)
	check(t, err)
	if len(versions.Versions) != 2 || versions.Versions[0] != scaled.Version {
		t.Errorf("versions %v, scaled in %s", versions.Versions, scaled.Version)
	}
	first := versions.Versions[1]
	if there, err := m.HasApplicationVersion(id, first); err != nil || !there {
		t.Error("the first version is not there:", err)
	}
	old, err := m.ApplicationByVersion(id, first)
	check(t, err)
	if *old.Instances != 2 {
		t.Errorf("%d instances at first", *old.Instances)
	}
	back, err := m.SetApplicationVersion(id, &marathon.ApplicationVersion{Version: first})
	check(t, err)
	check(t, m.WaitOnDeployment(back.DeploymentID, patience))

	before, err := m.Tasks(id)
	check(t, err)
	restarted, err := m.RestartApplication(id, false)
	check(t, err)
	check(t, m.WaitOnDeployment(restarted.DeploymentID, patience))
	after, err := m.Tasks(id)
	check(t, err)
	for _, task := range after.Tasks {
		if slices.Contains(ids(before), task.ID) {
			t.Errorf("%s was not restarted", task.ID)
		}
	}
	changed, err := m.UpdateApplication(process(id, 1), true)
	check(t, err)
	check(t, m.WaitOnDeployment(changed.DeploymentID, patience))
	removed, err := m.DeleteApplication(id, false)
	check(t, err)
	check(t, m.WaitOnDeployment(removed.DeploymentID, patience))
}

func ids(tasks *marathon.Tasks) []string {
	var out []string
	for _, task := range tasks.Tasks {
		out = append(out, task.ID)
	}
	return out
}

func TestTasks(t *testing.T) {
	m := connect(t)
	const id = "/go/tasks/app"
	_, err := m.CreateApplication(process(id, 3))
	check(t, err)
	check(t, m.WaitOnApplication(id, patience))

	container := sleeper("/go/tasks/container", 0) // the client looks for the port in a Docker container
	container.Container.Docker.Container("image").Bridged()
	container.Container.ExposePort(marathon.PortMapping{ContainerPort: 80, ServicePort: 18080, Protocol: "tcp"})
	_, err = m.CreateApplication(container)
	check(t, err)
	if endpoints, err := m.TaskEndpoints(container.ID, 80, false); err != nil || len(endpoints) != 0 {
		t.Error(endpoints, err)
	}
	tasks, err := m.AllTasks(&marathon.AllTasksOpts{Status: "running"})
	check(t, err)
	mine := slices.DeleteFunc(ids(tasks), func(task string) bool { return !strings.HasPrefix(task, "go_tasks_app.") })
	if len(mine) != 3 {
		t.Fatalf("tasks %v", ids(tasks))
	}
	killed, err := m.KillTask(mine[0], &marathon.KillTaskOpts{Scale: true, Force: true})
	check(t, err)
	check(t, m.KillTasks(mine[1:2], &marathon.KillTaskOpts{Scale: true, Force: true}))
	wait(t, "one task is left", func() bool {
		now, err := m.Application(id)
		check(t, err)
		return *now.Instances == 1 && now.TasksRunning == 1 && len(now.Deployments) == 0
	})
	_ = killed
	if _, err := m.KillApplicationTasks(id, &marathon.KillApplicationTasksOpts{Force: true}); err != nil {
		t.Error(err)
	}
	wait(t, "the task is replaced", func() bool {
		now, err := m.Tasks(id)
		check(t, err)
		return len(now.Tasks) == 1 && now.Tasks[0].ID != mine[2] && now.Tasks[0].State == "TASK_RUNNING"
	})
	_, err = m.DeleteApplication(id, true)
	check(t, err)
}

// wait looks at something in another process until it is as it should be.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("it never happened that %s", what)
		}
	}
}

func TestGroup(t *testing.T) {
	m := connect(t)
	const id = "/go/group"
	group := marathon.NewApplicationGroup(id)
	group.App(process(id+"/a", 1))
	check(t, m.CreateGroup(group))
	check(t, m.WaitOnGroup(id, patience))
	if there, err := m.HasGroup(id); err != nil || !there {
		t.Error(there, err)
	}
	got, err := m.Group(id)
	check(t, err)
	if len(got.Apps) != 1 || got.Apps[0].ID != id+"/a" {
		t.Errorf("%+v", got)
	}
	got, err = m.GroupBy(id, &marathon.GetGroupOpts{Embed: []string{"group.apps", "group.apps.counts"}})
	check(t, err)
	if len(got.Apps) != 1 || got.Apps[0].TasksRunning != 1 {
		t.Errorf("%+v", got)
	}
	all, err := m.GroupsBy(&marathon.GetGroupOpts{Embed: []string{"group.groups", "group.apps", "group.apps.tasks"}})
	check(t, err)
	if !slices.ContainsFunc(all.Groups, func(g *marathon.Group) bool { return g.ID == "/go" }) {
		t.Errorf("%+v", all)
	}
	if _, err := m.Groups(); err != nil {
		t.Error(err)
	}
	group.App(process(id+"/b", 1))
	updated, err := m.UpdateGroup(id, group, false)
	check(t, err)
	check(t, m.WaitOnDeployment(updated.DeploymentID, patience))
	removed, err := m.DeleteGroup(id, false)
	check(t, err)
	check(t, m.WaitOnDeployment(removed.DeploymentID, patience))
	if there, err := m.HasGroup(id); err != nil || there {
		t.Error(there, err)
	}
}

// TestWaiting is an app that fits nowhere: its deployment, its place in the queue, and the ways out.
func TestWaiting(t *testing.T) {
	m := connect(t)
	const id = "/go/big"
	app := process(id, 5)
	app.AddConstraint("hostname", "LIKE", "nowhere")
	_, err := m.CreateApplication(app)
	check(t, err)
	queue, err := m.Queue()
	check(t, err)
	if len(queue.Items) != 1 || queue.Items[0].Count != 5 || queue.Items[0].Application.ID != id || !queue.Items[0].Delay.Overdue {
		t.Errorf("queue %+v", queue.Items)
	}
	check(t, m.DeleteQueueDelay(id))
	locks, err := m.ApplicationDeployments(id)
	check(t, err)
	deployments, err := m.Deployments()
	check(t, err)
	if len(locks) != 1 || len(deployments) != 1 || locks[0].DeploymentID != deployments[0].ID || deployments[0].CurrentStep != 2 || deployments[0].TotalSteps != 2 || len(deployments[0].CurrentActions) != 1 {
		t.Fatalf("%+v", deployments)
	}
	_, err = m.UpdateApplication(process(id, 6), false)
	refused(t, err, marathon.ErrCodeAppLocked)
	if there, err := m.HasDeployment(deployments[0].ID); err != nil || !there {
		t.Error(there, err)
	}
	if _, err := m.DeleteDeployment(deployments[0].ID, true); err != nil {
		t.Error(err)
	}
	_, err = m.DeleteApplication(id, false)
	check(t, err)

	_, err = m.CreateApplication(app)
	check(t, err)
	deployments, err = m.Deployments()
	check(t, err)
	undone, err := m.DeleteDeployment(deployments[0].ID, false)
	check(t, err)
	check(t, m.WaitOnDeployment(undone.DeploymentID, patience))
	_, err = m.Application(id)
	refused(t, err, marathon.ErrCodeNotFound)
	refused(t, m.DeleteQueueDelay(id), marathon.ErrCodeNotFound)
}

// TestNotThere asks for what rollcall does not have. Each answer is an error that says so, and none makes the client take
// the server for broken.
func TestNotThere(t *testing.T) {
	m := connect(t)
	if at := m.GetMarathonURL(); at != os.Getenv("ROLLCALL_API") {
		t.Errorf("the client asks %s", at)
	}
	const id = "/go/pod"
	pod := marathon.NewPod().Name(id)
	for name, call := range map[string]func() error{
		"Subscribe":          func() error { return m.Subscribe("http://127.0.0.1:9/") },
		"Unsubscribe":        func() error { return m.Unsubscribe("http://127.0.0.1:9/") },
		"Pod":                func() error { _, err := m.Pod(id); return err },
		"Pods":               func() error { _, err := m.Pods(); return err },
		"PodStatus":          func() error { _, err := m.PodStatus(id); return err },
		"PodStatuses":        func() error { _, err := m.PodStatuses(); return err },
		"CreatePod":          func() error { _, err := m.CreatePod(pod); return err },
		"UpdatePod":          func() error { _, err := m.UpdatePod(pod, true); return err },
		"DeletePod":          func() error { _, err := m.DeletePod(id, true); return err },
		"PodVersions":        func() error { _, err := m.PodVersions(id); return err },
		"PodByVersion":       func() error { _, err := m.PodByVersion(id, "2026-01-02T03:04:05.000Z"); return err },
		"DeletePodInstances": func() error { _, err := m.DeletePodInstances(id, []string{"a"}); return err },
		"DeletePodInstance":  func() error { _, err := m.DeletePodInstance(id, "a"); return err },
	} {
		t.Run(name, func(t *testing.T) { refused(t, call(), marathon.ErrCodeNotFound) })
	}
	if m.PodIsRunning(id) {
		t.Error("a pod runs")
	}
	if err := m.WaitOnPod(id, time.Millisecond); err == nil {
		t.Error("a pod came")
	}
	if up, err := m.Ping(); err != nil || !up {
		t.Error(up, err)
	}
}

// TestWholeSurface looks for each method of the client in this file.
func TestWholeSurface(t *testing.T) {
	source, err := os.ReadFile("gomarathon_test.go")
	check(t, err)
	surface := reflect.TypeFor[marathon.Marathon]()
	for n := range surface.NumMethod() {
		if name := surface.Method(n).Name; !strings.Contains(string(source), "m."+name+"(") {
			t.Errorf("%s is called nowhere", name)
		}
	}
}
