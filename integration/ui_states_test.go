package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"rollcall/integration/mesosmaster"
)

// A hundred apps in groups, some with the longest names that there may be: what does not run says why, in one look. The
// page goes on by itself when rollcall was away.
func TestUIOfManyApps(t *testing.T) {
	c := newConfig(t.TempDir())
	port, err := strconv.Atoi(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	c["scheduler"].(map[string]any)["port"] = port // the page has to find it again
	d := start(t, c)
	b := openBrowser(t, d.api)
	label := strings.Repeat("long", 15)
	groups := []map[string]any{{"id": "stuck", "apps": []map[string]any{
		{"id": "huge", "cmd": "sleep 1", "cpus": 100000, "mem": 16},
		{"id": "failing", "cmd": "exit 3", "cpus": 0.01, "mem": 16, "backoffSeconds": 3600},
	}}}
	for g := range 10 {
		var apps []map[string]any
		for a := range 10 {
			apps = append(apps, map[string]any{"id": fmt.Sprintf("%s-%d", label, a), "cmd": "exec sleep 1000", "cpus": 0.001, "mem": 16, "instances": g / 9})
		}
		groups = append(groups, map[string]any{"id": fmt.Sprintf("%s-%d", label, g), "apps": apps})
	}
	body, err := json.Marshal(map[string]any{"id": "/", "groups": groups})
	if err != nil {
		t.Fatal(err)
	}
	d.must(200, "PUT", "/v2/groups", string(body))

	b.open("#/apps")
	b.sees("too few CPUs: 3 of 3 offers")
	b.sees("Command exited with status 3, on 127.0.1.")
	b.until("all apps", `document.querySelectorAll("main tbody tr:not(.group)").length === 102`)
	b.inspect("apps-many")
	b.until("a button for those that wait", `(() => {
		const found = [...document.querySelectorAll(".filters button")].find((e) => e.innerText.startsWith("Waiting"));
		found?.click();
		return found !== undefined;
	})()`)
	b.until("only what waits", `document.querySelectorAll("main tbody tr:not(.group)").length === 1`)

	b.open("#/deployments")
	b.sees("and 97 more")
	b.sees("less than 100000 cpus on 3")
	b.until("what waits before what is done", `document.querySelector(".steps .now").innerText.includes("/stuck/huge")`)
	b.inspect("deployments-many")

	// An app that a deployment has locked: the user is asked, and may have the deployment cancelled.
	b.open("#/app/" + label + "-9/" + label + "-0")
	b.confirm("Restart")
	b.sees("Another deployment is under way")
	b.inspect("app-locked")
	b.click("Cancel")
	b.misses("Another deployment is under way")
	if n := deployments(d); n != 1 {
		t.Errorf("%d deployments are under way although the user changed nothing", n)
	}
	b.confirm("Restart")
	b.sees("Another deployment is under way")
	b.click("Replace it")
	d.eventually("the restart took the deployment's place", func() bool { return deployments(d) == 0 })
	b.quiet("409")

	b.open("#/agents")
	b.sees("127.0.1.1")
	b.inspect("agents-many")
	b.open("#/apps")
	d.kill()
	b.sees("Live updates are interrupted")
	b.inspect("interrupted")
	d.run()
	b.misses("Live updates are interrupted")
	b.sees("too few CPUs")
	b.quiet("ERR_", "Failed to load")
}

// as has the browser say who asks.
func (b *browser) as(name, password string) {
	b.t.Helper()
	b.do("asking as "+name, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, cdpnetwork.Enable, cdpnetwork.EnableParams{}); err != nil {
			return err
		}
		header := "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
		_, err := chromedp.Call(ctx, cdpnetwork.SetExtraHTTPHeaders, cdpnetwork.SetExtraHTTPHeadersParams{Headers: cdpnetwork.Headers{"Authorization": json.RawMessage(strconv.Quote(header))}})
		return err
	}))
}

// Who may look and not change is told so when trying.
func TestUIRights(t *testing.T) {
	dir := t.TempDir()
	users := filepath.Join(dir, "users.json")
	if err := os.WriteFile(users, []byte(`{"users": [{"name": "ops", "password": "correct horse", "roles": [{"role": "admin", "path": "/"}]},
		{"name": "guest", "password": "battery", "roles": [{"role": "read", "path": "/"}]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newConfig(dir)
	c["scheduler"].(map[string]any)["auth"] = map[string]any{"usersFile": users}
	d := start(t, c)
	b := openBrowser(t, d.api)
	b.as("ops", "correct horse")
	b.open("#/create")
	b.fill("#field-id", "/web")
	b.fill("#field-cmd", "exec sleep 1000")
	b.fill("#field-mem", "16")
	b.click("Create")
	b.sees("running")
	b.quiet()

	b.as("guest", "battery")
	b.open("#/app/web")
	b.sees("running")
	b.confirm("Restart")
	b.until("the refusal", `document.querySelector(".toast.bad") !== null`)
	b.inspect("forbidden")
	b.quiet("403")
	if status, _, _ := d.request(http.MethodGet, "/v2/apps/web", ""); status != http.StatusUnauthorized {
		t.Errorf("without a password the API answers %d", status)
	}
}

// The page of a rollcall that follows is as live as that of the leader, changes apps through it, and says so while nobody
// leads.
func TestUIOfAFollower(t *testing.T) {
	z := startZooKeeper(t)
	session := registerMaster(t, z, newStandIn(t, mesosmaster.Options{}).Leader())
	t.Cleanup(session.Close)
	p := &peers{t: t}
	for range 2 {
		p.all = append(p.all, start(t, newPeerConfig(t, z)))
	}
	leader := p.leader(p.all...)
	follower := p.others(leader)[0]
	b := openBrowser(t, follower.api)
	b.open("#/apps")
	b.sees("There are no apps yet.")
	b.sees(strings.TrimPrefix(leader.api, "http://") + " leads")
	b.sees("Live")

	leader.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/web", "cmd": "exec sleep 1000", "cpus": 0.01, "mem": 16}`)
	b.sees("1 of 1")
	b.inspect("follower")
	b.click("Scale")
	b.fill("dialog input", "2")
	b.click("Scale")
	leader.running("/web", 2)
	b.sees("2 of 2")
	b.open("#/agents")
	b.until("what both tasks use, wherever they run", `[...document.querySelectorAll("main .meter > span:last-child")].map((e) => e.innerText)
		.filter((text) => text.endsWith(" of 4")).reduce((sum, text) => sum + parseFloat(text), 0).toFixed(2) === "0.02"`)
	b.inspect("agents-mesos")
	b.open("#/server")
	b.sees(strings.TrimPrefix(leader.api, "http://"))
	b.inspect("server-follower")
	b.quiet()

	// ZooKeeper is away: nobody leads, which the page says, and it goes on when somebody does.
	b.open("#/apps")
	b.sees("2 of 2")
	z.kill()
	follower.eventually("nobody leads", func() bool { return follower.try(http.MethodGet, "/v2/apps", "") >= 500 })
	b.open("#/apps")
	b.sees("Try again")
	b.inspect("no-leader")
	z.start()
	p.leader(p.all...)
	b.sees("2 of 2")
	b.quiet("502", "503", "ERR_", "Failed to load")
}
