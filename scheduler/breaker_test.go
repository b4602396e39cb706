package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func checkedEvery10s(a *App) {
	a.HealthChecks = []HealthCheck{{Protocol: ProtocolHTTP, IntervalSeconds: 10, TimeoutSeconds: 2, MaxConsecutiveFailures: 2}}
}

// ended counts the tasks that are over.
func (c *cluster) ended() int { return len(c.started) - len(c.tasks) }

func (c *cluster) told(kind string) int {
	n := 0
	for _, notice := range c.notices {
		if notice.Type == kind {
			n++
		}
	}
	return n
}

func TestBreakerKeepsAnAppAlive(t *testing.T) {
	c := newCluster(t, 61, 3)
	c.must(put(app("/a", 4, checkedEvery10s), app("/small", 2, checkedEvery10s)))
	c.settle()
	c.advance(time.Minute)
	c.unwell["/a"] = true
	c.advance(9 * time.Minute)
	open := slices.Collect(c.core.State().Breakers())
	if c.ended() != 0 || len(open) != 1 || open[0].App != "/a" || open[0].Checked != 4 || open[0].Unhealthy != 4 {
		t.Fatalf("%d ended; open: %+v", c.ended(), open)
	}
	if c.told(NoticeBreakerOpened) != 1 {
		t.Errorf("told %d times", c.told(NoticeBreakerOpened))
	}
	// When it lasts, one is tried; while that does not get healthy, no other is.
	c.advance(20 * time.Minute)
	left := 0
	for _, task := range c.started {
		if c.tasks[task] != nil && InstanceIDOf(task).TaskID(1) == task && c.core.State().Instance(InstanceIDOf(task)).AppID == "/a" {
			left++
		}
	}
	if left != 3 {
		t.Errorf("%d of 4 are left after half an hour", left)
	}
	ended := c.ended()
	c.unwell["/a"] = false
	c.advance(time.Minute)
	if n := len(slices.Collect(c.core.State().Breakers())); n != 0 || c.told(NoticeBreakerClosed) != 1 || c.ended() != ended {
		t.Errorf("%d open, closed %d times, %d ended", n, c.told(NoticeBreakerClosed), c.ended())
	}
	// Of two instances most says nothing.
	c.unwell["/small"] = true
	c.advance(2 * time.Minute)
	if c.ended() < ended+2 {
		t.Errorf("%d ended", c.ended())
	}
}

func TestBreakerOfAllApps(t *testing.T) {
	c := newCluster(t, 62, 3)
	for n := range 12 {
		c.must(put(app(PathID(fmt.Sprintf("/a%d", n)), 1, checkedEvery10s)))
	}
	c.settle()
	c.advance(time.Minute)
	sicken := func(count int) {
		for n := range 12 {
			c.unwell[PathID(fmt.Sprintf("/a%d", n))] = n < count
		}
	}
	sicken(5) // less than half: each on its own
	c.advance(time.Minute)
	if c.ended() < 5 {
		t.Errorf("%d ended, of 5 that are sick", c.ended())
	}
	sicken(0)
	c.advance(20 * time.Minute)
	before := c.ended()
	sicken(12)
	c.advance(5 * time.Minute)
	open := slices.Collect(c.core.State().Breakers())
	if c.ended() != before || len(open) != 1 || open[0].App != Root || open[0].Unhealthy != 12 {
		t.Errorf("%d ended; open: %v", c.ended()-before, open)
	}
}

// A version that never gets healthy is killed as ever: that is not the checks' fault.
func TestBreakerIgnoresWhatNeverWasHealthy(t *testing.T) {
	c := newCluster(t, 63, 3)
	c.unwell["/a"] = true
	c.must(put(app("/a", 4, checkedEvery10s)))
	c.settle()
	c.advance(5 * time.Minute)
	if c.ended() < 4 || c.told(NoticeBreakerOpened) != 0 {
		t.Errorf("%d ended, breaker told %d times", c.ended(), c.told(NoticeBreakerOpened))
	}
}
