package integration

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// keys presses keys, wherever the focus is.
func (b *browser) keys(keys string) {
	b.t.Helper()
	b.do("pressing a key", chromedp.KeyEvent(keys))
}

// focuses waits until the element that has the focus fulfils a condition.
func (b *browser) focuses(what, condition string) {
	b.t.Helper()
	b.until("the focus on "+what, "((e) => "+condition+")(document.activeElement)")
}

// tabTo presses Tab until a button, link or field of a name has the focus, as somebody without a mouse does.
func (b *browser) tabTo(name string) {
	b.t.Helper()
	for range 40 {
		b.keys(kb.Tab)
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](
			`(document.activeElement.labels?.[0]?.firstChild.data ?? document.activeElement.innerText).trim()`))
		if err != nil {
			b.fail("looking where the focus is", err)
		}
		if at == name {
			return
		}
	}
	b.fail("pressing Tab until the focus is on "+name, nil)
}

// An app is created, scaled and destroyed without a mouse, in the order in which a reader meets the fields; the focus is never
// lost.
func TestUIByKeyboard(t *testing.T) {
	c := newConfig(t.TempDir())
	c["externalon"], c["resolvers"] = true, []string{"127.0.0.1:" + freePort(t)} // where nobody answers
	d := start(t, c)
	b := openBrowser(t, d.api)
	b.open("#/create")
	b.focuses("the page", `e.id === "main"`)
	b.tabTo("Id")
	b.keys("/web")
	b.tabTo("Command")
	b.keys("exec sleep 1000")
	b.tabTo("Memory per instance, MiB")
	b.keys(kb.Backspace + kb.Enter) // an empty field is no 0
	b.focuses("the field that is wrong", `e.id === "field-mem" && !e.validity.valid`)
	b.do("a memory", chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`))
	b.keys("16" + kb.Enter)
	b.sees("1 of 1 run")
	b.focuses("the next page", `e.id === "main"`)

	b.tabTo("Scale")
	b.keys(kb.Enter)
	b.focuses("the dialog's field", `e.name === "instances" && e.closest("dialog[open]") !== null`)
	b.keys("2" + kb.Enter) // what is there is selected, and replaced
	d.eventually("two tasks run", func() bool { return len(d.tasks("/web")) == 2 })
	b.sees("2 of 2 run")
	b.focuses("what opened the dialog", `e.innerText === "Scale"`)
	b.keys(kb.Enter)
	b.focuses("the dialog's field", `e.name === "instances"`)
	b.keys(kb.Escape)
	b.until("no dialog", `document.querySelector("dialog") === null`)
	b.focuses("what opened the dialog", `e.innerText === "Scale"`)

	// The link that leaves the menu out stays on its page.
	b.open("#/dns")
	b.sees("Upstream servers")
	b.do("going to the first link", chromedp.Evaluate[chromedp.Void](`document.querySelector(".skip").focus()`))
	b.keys(kb.Enter)
	b.focuses("the page", `e.id === "main"`)
	b.until("the same page", `location.hash === "#/dns" && document.querySelector("h1").innerText === "DNS"`)
	b.tabTo("Name")
	b.do("another name", chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`))
	b.keys("elsewhere.example" + kb.Enter)
	b.sees("SERVFAIL")
	b.until("the server that does not answer", `document.body.innerText.includes("does not answer")`)
	b.inspect("dns-upstream")
	b.quiet()
}
