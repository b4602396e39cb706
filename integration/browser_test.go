package integration

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium that looks at rollcall's web page.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	problems []string // errors and warnings of the page's console
}

// openBrowser starts Chromium, until the test ends.
func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	require(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	allocated, cancelBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelTab := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		cancelTab()
		cancelBrowser()
	})
	b := &browser{t: t, ctx: ctx, url: url}
	b.do("opening the browser", chromedp.Navigate("about:blank"))
	go b.listen()
	return b
}

// listen keeps what goes wrong in the page.
func (b *browser) listen() {
	for m, err := range chromedp.Console(b.ctx) {
		if err != nil {
			return // the browser is closed
		}
		switch m.Type {
		case chromedp.ConsoleWarning, chromedp.ConsoleError, chromedp.ConsoleException:
			b.mu.Lock()
			b.problems = append(b.problems, fmt.Sprint(m.Type, ": ", m.Text, " ", m.URL))
			b.mu.Unlock()
		}
	}
}

// quiet fails the test for each problem so far that does not contain one of the texts.
func (b *browser) quiet(expected ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
problems:
	for _, p := range b.problems {
		for _, e := range expected {
			if strings.Contains(p, e) {
				continue problems
			}
		}
		b.t.Errorf("the browser's console: %s", p)
	}
	b.problems = nil
}

// do performs actions. What fails is shown as it looked.
func (b *browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if what == "opening the browser" { // the first context is the browser's own
		ctx = b.ctx
	}
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fail(what, err)
	}
}

func (b *browser) fail(what string, err error) {
	b.t.Helper()
	b.shoot("failed")
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText")) // only for the message
	b.t.Fatalf("%s: %v; the page says:\n%s", what, err, text)
}

// until waits for a JavaScript expression to be true.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		switch {
		case err == nil && holds:
			return
		case time.Now().After(deadline):
			b.fail("waiting for "+what, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// open goes to a page.
func (b *browser) open(page string) {
	b.t.Helper()
	b.do("opening "+page, chromedp.Navigate("about:blank"), chromedp.Navigate(b.url+"/ui/"+page))
	b.until("a heading", "document.querySelector('main h1') !== null")
}

// sees waits for a text in the page.
func (b *browser) sees(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%q", text), fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// misses waits until a text is not on the page.
func (b *browser) misses(text string) {
	b.t.Helper()
	b.until("no text "+text, fmt.Sprintf("!document.body.innerText.includes(%q)", text))
}

// click presses the first button or link with a text, in the dialog if there is one.
func (b *browser) click(text string) {
	b.t.Helper()
	b.until("a button "+text, fmt.Sprintf(`(() => {
		const within = document.querySelector('dialog[open]') ?? document;
		const found = [...within.querySelectorAll('button, a')].find((e) => e.innerText.trim() === %q && !e.disabled);
		found?.click();
		return found !== undefined;
	})()`, text))
}

// press presses what a selector finds.
func (b *browser) press(selector string) {
	b.t.Helper()
	b.until("a button "+selector, fmt.Sprintf(`(() => {
		const found = document.querySelector(%q);
		found?.click();
		return found !== null;
	})()`, selector))
}

// confirm presses a button, and the one of the same name in the dialog that it opens.
func (b *browser) confirm(text string) {
	b.t.Helper()
	b.click(text)
	b.until("a dialog", "document.querySelector('dialog[open]') !== null")
	b.click(text)
}

// fill types into a field, whose content is replaced.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.until("the field "+selector, fmt.Sprintf(`(() => {
		const field = document.querySelector(%q);
		if (field) field.value = '';
		return field !== null;
	})()`, selector))
	b.do("filling "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// auditScript gives what is wrong with the page that is shown.
//
//go:embed testdata/audit.js
var auditScript string

// A look is a screen and what its user likes.
type look struct {
	name          string
	width, height int64
	dark          bool
}

// looks are those in which each page is inspected: both widths, and both sets of colours.
var looks = []look{{"", 1200, 900, false}, {"-phone-dark", 375, 740, true}}

// appear has the page shown on another screen.
func (b *browser) appear(l look) {
	b.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.do("the look "+l.name, chromedp.EmulateViewport(l.width, l.height), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// inspect looks at the page on each screen, keeps pictures, and fails the test for what no page may do.
func (b *browser) inspect(name string) {
	b.t.Helper()
	for _, l := range looks {
		b.appear(l)
		b.shoot(name + l.name)
		wrong, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](auditScript))
		if err != nil {
			b.fail("inspecting "+name+l.name, err)
		}
		for _, w := range wrong {
			b.t.Errorf("%s%s: %s", name, l.name, w)
		}
	}
	b.appear(looks[0])
}

// shoot keeps a picture of the page in ROLLCALL_SCREENSHOTS, if that is set.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("ROLLCALL_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Logf("no picture of %s: %v", name, err)
		return
	}
	err = os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}
