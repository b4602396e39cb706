package integration

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Everything that can be done on the web page, in a real browser.
func TestUI(t *testing.T) {
	d := start(t, newConfig(t.TempDir()))
	b := openBrowser(t, d.api)
	b.do("opening /", chromedp.Navigate(d.api))
	b.sees("There are no apps yet.")
	b.shoot("apps-empty")

	// Creating an app: what is wrong is said at the field.
	b.click("Create app")
	b.fill("#field-id", "/shop/Web")
	b.fill("#field-cmd", "while true; do echo served $(date +%s); echo trouble >&2; sleep 1; done")
	b.click("Create")
	b.until("the id to be refused", `document.querySelector("#field-id[aria-invalid=true]") !== null`)
	b.shoot("create-refused")
	b.quiet("422")
	b.fill("#field-id", "/shop/web")
	b.fill("#field-instances", "2")
	b.fill("#field-mem", "32")
	b.fill("#field-ports", "0")
	b.fill("#field-env", "COLOUR=green")
	b.click("Edit as JSON")
	b.until("the form's values in the JSON", `JSON.parse(document.getElementById('json').value).env.COLOUR === 'green'`)
	b.click("Back to the form")
	b.click("Create")
	b.sees("Runs for")
	b.sees("running")
	d.eventually("two tasks run", func() bool { return len(d.tasks("/shop/web")) == 2 })
	b.until("both, without a reload", `document.querySelectorAll('main tbody tr').length === 2`)
	b.shoot("app")

	// Logs, followed.
	b.click("Logs")
	b.sees("served")
	b.until("more lines of the log", `document.querySelector('pre.log').textContent.split('\n').length > 3`)
	b.click("stderr")
	b.sees("trouble")
	b.shoot("logs")

	// Names.
	b.open("#/app/shop/web?tab=names")
	b.sees("web.shop.marathon.mesos")
	b.sees("2 A records")
	b.sees("dig +short @127.0.0.1 -p")
	b.shoot("names")

	// Scaling, by keyboard.
	b.open("#/app/shop/web")
	b.click("Scale")
	b.fill("dialog input", "3")
	b.do("enter", chromedp.SendKeys(chromedp.CSS("dialog input"), kb.Enter))
	d.eventually("three tasks run", func() bool { return len(d.tasks("/shop/web")) == 3 })

	// Editing, versions, rolling back.
	b.open("#/edit/shop/web")
	b.fill("#field-env", "COLOUR=blue")
	b.click("Deploy the change")
	b.sees("Runs for")
	d.eventually("the change is there", func() bool { return appEnv(d, "/shop/web")["COLOUR"] == "blue" })
	d.eventually("the deployment is done", func() bool { return deployments(d) == 0 })
	b.open("#/app/shop/web?tab=versions")
	b.click("Compare")
	b.sees(`-     "COLOUR": "green"`)
	b.sees(`+     "COLOUR": "blue"`)
	b.shoot("versions")
	b.confirm("Roll back")
	d.eventually("it is rolled back", func() bool { return appEnv(d, "/shop/web")["COLOUR"] == "green" })
	d.eventually("the deployment is done", func() bool { return deployments(d) == 0 })

	// Restarting and killing.
	b.open("#/app/shop/web")
	before := strings.Join(taskIDs(d.tasks("/shop/web")), " ")
	b.confirm("Restart")
	d.eventually("all tasks are others", func() bool {
		now := taskIDs(d.tasks("/shop/web"))
		return len(now) > 0 && !strings.Contains(before, now[0]) && deployments(d) == 0
	})
	for _, id := range taskIDs(d.tasks("/shop/web")) {
		b.sees(id)
	}
	b.click("Kill")
	b.until("a box", `(() => {
		document.querySelector("dialog input[name=scale]")?.click();
		return document.querySelector("dialog input[name=scale]")?.checked === true;
	})()`)
	b.click("Kill")
	d.eventually("one is killed and the app scaled down", func() bool { return deployments(d) == 0 && len(d.tasks("/shop/web")) < 3 })

	// An app that cannot start says why, and its deployment can be rolled back.
	d.must(201, "POST", "/v2/apps", `{"id": "/huge", "cmd": "sleep 1", "cpus": 100000, "mem": 16}`)
	b.open("#/app/huge?tab=debug")
	b.sees("too few CPUs")
	b.shoot("debug")
	b.open("#/deployments")
	b.sees("ScaleApplication /huge")
	b.shoot("deployments")
	b.confirm("Roll back")
	b.sees("None is under way")

	b.open("#/agents")
	b.sees("127.0.1.1")
	b.shoot("agents")

	b.open("#/dns")
	b.fill("#name", "web.shop.marathon.mesos")
	b.click("Look up")
	b.sees("NOERROR")
	b.fill("#name", "absent.marathon.mesos")
	b.click("Look up")
	b.sees("NXDOMAIN")
	b.shoot("dns")

	// Suspending and destroying; the latter wants the id typed.
	b.open("#/app/shop/web")
	b.confirm("Suspend")
	d.eventually("no task runs", func() bool { return len(d.tasks("/shop/web")) == 0 && deployments(d) == 0 })
	b.sees("Suspended")
	b.click("Destroy")
	b.until("a button that does nothing yet", `document.querySelector("dialog button.danger[disabled]") !== null`)
	b.fill("dialog input", "/shop/web")
	b.click("Destroy")
	d.eventually("the app is gone", func() bool { status, _, _ := d.request("GET", "/v2/apps/shop/web", ""); return status == 404 })
	b.quiet()

	// On a phone nothing is wider than the screen, in the dark as well.
	d.must(201, "POST", "/v2/apps", `{"id": "/a-group/with-a-long-name/and-an-app", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}`)
	b.do("a phone", chromedp.EmulateViewport(360, 740))
	for _, page := range []string{"#/apps", "#/app/a-group/with-a-long-name/and-an-app", "#/create", "#/dns", "#/agents"} {
		b.open(page)
		width, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth`))
		if err != nil || width > 360 {
			t.Errorf("%s is %d wide on a phone, %v", page, width, err)
		}
	}
	b.shoot("phone")

	// When rollcall is away the page says so, and goes on by itself when it is back.
	b.open("#/apps")
	d.kill()
	b.sees("Live updates are interrupted")
	b.quiet("ERR_", "Failed to load")
}

func appEnv(d *daemon, id string) map[string]string {
	var got struct {
		App struct {
			Env map[string]string `json:"env"`
		} `json:"app"`
	}
	d.get("/v2/apps"+id, &got)
	return got.App.Env
}

func deployments(d *daemon) int {
	var got []any
	d.get("/v2/deployments", &got)
	return len(got)
}
