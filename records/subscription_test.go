package records

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A zone that is told what a subscriber of another is told answers as that one does, whenever the subscription began.
func TestSubscriptionCopiesTheZone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		from, to := newTestZone(t), newTestZone(t)
		began := rapid.IntRange(0, 10).Draw(rt, "began")
		for step := range rapid.IntRange(0, 20).Draw(rt, "steps") {
			if step == began {
				defer from.Subscribe("source", func(u Update) { to.Update("copy", u) })()
			}
			from.Update("source", drawUpdate.Draw(rt, "update"))
			from.Update("other", Update{}) // not subscribed to
			if step >= began {
				if diff := cmp.Diff(lines(from.Snapshot()), lines(to.Snapshot())); diff != "" {
					rt.Fatalf("step %d (-zone +copy):\n%s", step, diff)
				}
			}
		}
	})
}

func TestSubscriptionEnds(t *testing.T) {
	z := newTestZone(t)
	told := 0
	cancel := z.Subscribe("source", func(Update) { told++ })
	z.Update("source", Update{})
	cancel()
	z.Update("source", Update{})
	if told != 2 {
		t.Errorf("told %d times", told)
	}
}
