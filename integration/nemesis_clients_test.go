package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clients use the API of several rollcalls while a nemesis is at them, and keep account of what they were told.
type clients struct {
	urls   []string // of the APIs
	ledger string
	http   *http.Client

	mu     sync.Mutex
	random *rand.Rand
	wrong  []string
	told   map[string]int // answers, by status; 0: none came

	apps map[string][]bool // whether an app may be there

	written, acknowledged int          // the register's values
	open                  map[int]bool // those of which nobody knows if they were, or will be, written
}

func newClients(seed uint64, ledger string, urls []string) *clients {
	return &clients{urls: urls, ledger: ledger, http: &http.Client{Timeout: 15 * time.Second}, random: rand.New(rand.NewPCG(seed, 2)),
		told: map[string]int{}, apps: map[string][]bool{}, open: map[int]bool{}}
}

func (c *clients) intn(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

func (c *clients) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// ask sends a request to one of the rollcalls. The status is 0 when no answer came.
func (c *clients) ask(ctx context.Context, method, path, body string) (status int, answer []byte) {
	defer func() {
		c.mu.Lock()
		c.told[method+" "+strconv.Itoa(status)]++
		c.mu.Unlock()
	}()
	r, err := http.NewRequestWithContext(ctx, method, c.urls[c.intn(len(c.urls))]+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(r)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		return 0, nil
	}
	return response.StatusCode, answer
}

// done says whether an answer means that a change was made; sure is false where it may have been made, or be made yet.
func done(status int) (made, sure bool) {
	switch {
	case status == 0 || status >= 500:
		return false, false
	default:
		return status < 300, true
	}
}

// change creates and deletes apps that run nothing, each with an id of its own.
func (c *clients) change(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("/set/app-%d", n)
		status, answer := c.ask(ctx, http.MethodPut, "/v2/apps"+id+"?force=true", `{"cmd": "sleep 1", "instances": 0, "cpus": 0.01, "mem": 16}`)
		made, sure := done(status)
		if sure && !made {
			c.fault("creating %s: %d %s", id, status, answer)
		}
		possible := []bool{true}
		if !sure {
			possible = []bool{true, false}
		}
		if made && n%3 == 0 {
			status, answer := c.ask(ctx, http.MethodDelete, "/v2/apps"+id+"?force=true", "")
			made, sure := done(status)
			switch {
			case !sure:
				possible = []bool{true, false}
			case made:
				possible = []bool{false}
			default:
				c.fault("deleting %s: %d %s", id, status, answer)
			}
		}
		c.mu.Lock()
		c.apps[id] = possible
		c.mu.Unlock()
		pause(ctx, time.Duration(c.intn(300))*time.Millisecond)
	}
}

// scale scales the app /scaled.
func (c *clients) scale(ctx context.Context) {
	for ctx.Err() == nil {
		body := fmt.Sprintf(`{"instances": %d}`, 1+c.intn(scaledMost))
		status, answer := c.ask(ctx, http.MethodPut, "/v2/apps/scaled?force=true", body)
		if made, sure := done(status); sure && !made {
			c.fault("scaling: %d %s", status, answer)
		}
		pause(ctx, time.Duration(c.intn(2000))*time.Millisecond)
	}
}

// write writes one number after the other into a label of the app /register.
func (c *clients) write(ctx context.Context) {
	for n := 1; ctx.Err() == nil; n++ {
		c.mu.Lock()
		c.written = n
		c.open[n] = true
		c.mu.Unlock()
		status, answer := c.ask(ctx, http.MethodPut, "/v2/apps/register?force=true", fmt.Sprintf(`{"labels": {"n": "%d"}}`, n))
		made, sure := done(status)
		c.mu.Lock()
		if made {
			c.acknowledged = n
		}
		if sure {
			delete(c.open, n)
		}
		c.mu.Unlock()
		if sure && !made {
			c.fault("writing %d: %d %s", n, status, answer)
		}
		pause(ctx, time.Duration(c.intn(200))*time.Millisecond)
	}
}

// read reads that label: what was acknowledged before has to be seen.
func (c *clients) read(ctx context.Context) {
	for ctx.Err() == nil {
		c.mu.Lock()
		least := c.acknowledged
		c.mu.Unlock()
		status, answer := c.ask(ctx, http.MethodGet, "/v2/apps/register", "")
		if status == http.StatusOK {
			var got struct {
				App struct{ Labels map[string]string }
			}
			err := json.Unmarshal(answer, &got)
			n, _ := strconv.Atoi(got.App.Labels["n"])
			c.mu.Lock()
			late := c.open[n]
			most := c.written
			c.mu.Unlock()
			if err != nil || n < least && !late || n > most {
				c.fault("read %d (%v), after %d was acknowledged; %d was written last", n, err, least, most)
			}
		} else if status != 0 && status < 500 {
			c.fault("reading: %d %s", status, answer)
		}
		pause(ctx, time.Duration(c.intn(100))*time.Millisecond)
	}
}

// check compares the apps that there are with those that there should be.
func (c *clients) check(there map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(c.apps)) {
		if !slices.Contains(c.apps[id], there[id]) {
			c.wrong = append(c.wrong, fmt.Sprintf("%s: there is %v, possible is %v", id, there[id], c.apps[id]))
		}
	}
}

// pause lets time pass, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
