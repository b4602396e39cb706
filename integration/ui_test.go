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
	b.inspect("apps-empty")

	// Creating an app: what is wrong is said at the field.
	b.click("Create app")
	b.fill("#field-id", "/shop/Web")
	b.fill("#field-cmd", "while true; do echo served $(date +%s); echo trouble >&2; sleep 1; done")
	b.click("Create")
	b.until("the id to be refused", `document.querySelector("#field-id[aria-invalid=true]") !== null`)
	b.sees("use lower-case letters")
	b.inspect("create-refused")
	b.quiet("422")
	b.fill("#field-id", "/shop/web")
	b.fill("#field-instances", "2")
	b.fill("#field-mem", "32")
	b.fill("#field-ports", "99999")
	b.click("Create")
	b.until("the port to be refused", `document.querySelector("#field-ports[aria-invalid=true]") !== null`)
	b.sees("must be at most 65535")
	b.quiet("422")
	b.fill("#field-ports", "http=zero")
	b.click("Create")
	b.sees("'http=zero' is not a port")
	b.fill("#field-ports", "http=0")
	b.fill("#field-env", "COLOUR=green")
	b.click("Edit as JSON")
	b.until("the form's values in the JSON", `JSON.parse(document.getElementById('json').value).env.COLOUR === 'green'`)
	b.fill("#json", "{\"id\": ")
	b.click("Create")
	b.sees("Not valid JSON")
	b.inspect("create-json")
	b.fill("#json", `{"id": "/shop/web", "instances": 2, "cpus": -1, "mem": 32, "cmd": "while true; do echo served $(date +%s); echo trouble >&2; sleep 1; done", "env": {"COLOUR": "green"}, "portDefinitions": [{"name": "http", "port": 0}]}`)
	b.click("Create")
	b.sees("/cpus: must be at least 0.001")
	b.quiet("422")
	b.do("JSON that is right", chromedp.Evaluate[chromedp.Void](`document.getElementById('json').value = document.getElementById('json').value.replace('-1', '0.1')`))
	b.click("Back to the form")
	b.until("the JSON's values in the form", `document.getElementById('field-cpus').value === '0.1' && document.getElementById('field-ports').value === 'http=0'`)
	b.click("Create")
	b.sees("Running for")
	b.sees("running")
	d.eventually("two tasks run", func() bool { return len(d.tasks("/shop/web")) == 2 })
	b.until("both, without a reload", `document.querySelectorAll('main tbody tr').length === 2`)
	b.inspect("app")

	// Logs, followed.
	b.click("Logs")
	b.sees("served")
	b.until("more lines of the log", `document.querySelector('pre.log').textContent.split('\n').length > 3`)
	b.click("stderr")
	b.sees("trouble")
	b.inspect("logs")

	// Names.
	b.open("#/app/shop/web?tab=names")
	b.sees("web.shop.marathon.mesos")
	b.sees("2 A records")
	b.sees("dig +short @127.0.0.1 -p")
	b.sees("_http._web.shop._tcp.marathon.mesos")
	b.do("pressing Copy", chromedp.Click(chromedp.CSS(`button[aria-label="Copy the name web.shop.marathon.mesos"]`)))
	b.sees("Copied")
	b.inspect("names")

	// Scaling, by keyboard.
	b.open("#/app/shop/web")
	b.click("Scale")
	b.fill("dialog input", "3")
	b.do("enter", chromedp.SendKeys(chromedp.CSS("dialog input"), kb.Enter))
	d.eventually("three tasks run", func() bool { return len(d.tasks("/shop/web")) == 3 })

	// Editing, versions, rolling back.
	b.open("#/edit/shop/web")
	b.fill("#field-env", "COLOUR=blue")
	b.click("Preview the change")
	b.sees(`+     "COLOUR": "blue"`)
	b.inspect("edit")
	b.click("Deploy the change")
	b.sees("Running for")
	d.eventually("the change is there", func() bool { return appEnv(d, "/shop/web")["COLOUR"] == "blue" })
	d.eventually("the deployment is done", func() bool { return deployments(d) == 0 })
	b.open("#/app/shop/web?tab=versions")
	b.click("Compare")
	b.sees(`-     "COLOUR": "green"`)
	b.sees(`+     "COLOUR": "blue"`)
	b.inspect("versions")
	b.confirm("Roll back")
	d.eventually("it is rolled back", func() bool { return appEnv(d, "/shop/web")["COLOUR"] == "green" })
	d.eventually("the deployment is done", func() bool { return deployments(d) == 0 })

	// Restarting and killing.
	b.open("#/app/shop/web")
	tasksBefore := strings.Join(taskIDs(d.tasks("/shop/web")), " ")
	b.confirm("Restart")
	d.eventually("all tasks are others", func() bool {
		now := taskIDs(d.tasks("/shop/web"))
		return len(now) > 0 && !strings.Contains(tasksBefore, now[0]) && deployments(d) == 0
	})
	for _, id := range taskIDs(d.tasks("/shop/web")) {
		b.sees(id)
	}
	for id := range strings.FieldsSeq(tasksBefore) {
		b.misses(id)
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
	b.inspect("debug")
	b.open("#/deployments")
	b.sees("Scale /huge")
	b.sees("less than 100000 cpus on 3")
	b.inspect("deployments")
	b.confirm("Roll back")
	b.sees("No deployment is under way")

	b.open("#/agents")
	b.sees("127.0.1.1")
	b.inspect("agents")

	b.open("#/dns")
	b.fill("#name", "web.shop.marathon.mesos")
	b.click("Look up")
	b.sees("NOERROR")
	b.fill("#name", "absent.marathon.mesos")
	b.click("Look up")
	b.sees("NXDOMAIN")
	b.inspect("dns")

	b.sees("Recent changes")
	b.sees("_web.shop._tcp.marathon.mesos")

	b.open("#/server")
	b.sees("127.0.0.1:")
	b.sees("no: this rollcall runs alone")
	b.inspect("server")

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

	// Groups: found, folded, scaled, destroyed. Long ids fit a phone.
	d.must(201, "POST", "/v2/apps", `{"id": "/a-group/with-a-rather-long-name/and-an-app-whose-name-goes-on", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}`)
	d.must(201, "POST", "/v2/apps", `{"id": "/other", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}`)
	d.eventually("both run", func() bool { return deployments(d) == 0 })
	b.open("#/apps")
	b.sees("and-an-app-whose-name-goes-on")
	b.inspect("apps")
	b.fill("#find", "rather")
	b.until("only the app that is looked for", `!document.body.innerText.includes("other")`)
	b.until("the place to type at kept", `document.activeElement.id === "find" && location.hash.includes("find=rather")`)
	b.click("/a-group/with-a-rather-long-name")
	b.until("the group folded", `!document.body.innerText.includes("and-an-app")`)
	b.click("/a-group/with-a-rather-long-name")
	b.press(`button[aria-label="Scale the group /a-group/with-a-rather-long-name"]`)
	b.fill("dialog input", "2")
	b.inspect("dialog")
	b.click("Scale")
	d.eventually("two tasks run", func() bool {
		return len(d.tasks("/a-group/with-a-rather-long-name/and-an-app-whose-name-goes-on")) == 2
	})
	b.sees("2 of 2")
	d.eventually("the deployment is done", func() bool { return deployments(d) == 0 })
	b.press(`button[aria-label="Destroy the group /a-group/with-a-rather-long-name"]`)
	b.fill("dialog input", "/a-group/with-a-rather-long-name")
	b.click("Destroy")
	b.sees("No app matches.")
	b.quiet()

	// What changes does not take the focus, or what was typed, away.
	b.open("#/dns")
	b.fill("#name", "half a na")
	serial := `[...document.querySelectorAll('dt')].find((e) => e.innerText === 'Serial').nextSibling.innerText`
	before, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](serial))
	if err != nil {
		t.Fatal(err)
	}
	d.must(200, "PUT", "/v2/apps/other", `{"instances": 2}`)
	b.until("another serial, by an event", serial+` !== "`+before+`"`)
	b.until("what was typed", `document.activeElement.id === "name" && document.activeElement.value === "half a na"`)

	// An app that is not there.
	b.open("#/app/absent")
	b.sees("App '/absent' does not exist")
	b.inspect("absent")
	b.quiet("404")

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
