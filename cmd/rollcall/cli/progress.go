package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/cmd/rollcall/client"
)

// look is what is known of a deployment at one moment.
type look struct {
	deployment *client.Deployment // nil: is over
	apps       []*client.App
	queue      []client.QueueItem
}

// progress tells of a deployment, each thing once.
type progress struct {
	paint  paint
	since  time.Time         // failures before are of no interest
	tasks  map[string]string // by id: what was last told
	waits  map[string]string // by app: likewise
	failed map[string]bool   // tasks whose failure was told
}

func newProgress(p paint, since time.Time) *progress {
	return &progress{paint: p, since: since, tasks: map[string]string{}, waits: map[string]string{}, failed: map[string]bool{}}
}

// tell returns what is new: a line for each instance that is another than before, and why others wait.
func (p *progress) tell(l look) []string {
	var lines []string
	seen := map[string]bool{}
	for _, app := range l.apps {
		for _, t := range app.Tasks {
			seen[t.ID] = true
			text := p.describe(t, app)
			if p.tasks[t.ID] != text {
				p.tasks[t.ID] = text
				lines = append(lines, fmt.Sprintf("  %-18s %s  %s", text, where(t), t.ID))
			}
		}
		if f := app.Failure; f != nil && !f.Timestamp.Before(p.since) && !p.failed[f.TaskID] {
			p.failed[f.TaskID] = true
			lines = append(lines, p.paint.red(fmt.Sprintf("  failed             %s on %s: %s", app.ID, f.Host, cmp.Or(f.Message, f.State))))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.tasks)) {
		if !seen[id] {
			delete(p.tasks, id)
			lines = append(lines, "  ended              "+id)
		}
	}
	waits := map[string]string{}
	for _, q := range l.queue {
		text := waiting(q)
		waits[q.App.ID] = text
		if p.waits[q.App.ID] != text {
			lines = append(lines, p.paint.yellow(fmt.Sprintf("  %s: %s", q.App.ID, text)))
		}
	}
	p.waits = waits
	return lines
}

// stuck is what was last known to be in the way, by app.
func (p *progress) stuck() []string {
	var texts []string
	for _, id := range slices.Sorted(maps.Keys(p.waits)) {
		texts = append(texts, id+": "+p.waits[id])
	}
	return texts
}

// describe says how a task is, in a word or two.
func (p *progress) describe(t client.Task, app *client.App) string {
	state := strings.ToLower(strings.TrimPrefix(t.State, "TASK_"))
	if state != "running" {
		return state
	}
	for _, r := range app.Readiness {
		if r.TaskID == t.ID && !r.Ready {
			return "running, not ready"
		}
	}
	switch healthy, known := t.Healthy(); {
	case !known:
		return state
	case healthy:
		return "running, healthy"
	}
	return "running, unhealthy"
}

// where is the address of a task, as far as it has one.
func where(t client.Task) string {
	if len(t.Ports) == 0 {
		return t.Host
	}
	return t.Host + ":" + strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Ports), " ", ","), "[]")
}

// waiting says why instances of an app are not started. How long a delay still is is left out: it always changes.
func waiting(q client.QueueItem) string {
	what := "1 instance waits"
	if q.Count != 1 {
		what = fmt.Sprintf("%d instances wait", q.Count)
	}
	if isDelayed(q) {
		return what + " because tasks have failed; they are started again after a delay"
	}
	if why := refusals(q); why != "" {
		return what + " for an offer that fits: " + why
	}
	return what + " for an offer"
}

func isDelayed(q client.QueueItem) bool { return q.Delay.TimeLeftSeconds > 0 && !q.Delay.Overdue }

// refusals says why the last offers did not fit, "" if there were none: in rollcall's words, or by Marathon's codes.
func refusals(q client.QueueItem) string {
	reasons := map[string][]string{}
	for _, u := range q.LastUnusedOffers {
		why := u.Reason
		if len(u.Explanation) > 0 {
			why = u.Explanation
		}
		for _, reason := range why {
			if !slices.Contains(reasons[reason], u.Offer.Hostname) {
				reasons[reason] = append(reasons[reason], u.Offer.Hostname)
			}
		}
	}
	var texts []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		slices.Sort(reasons[reason])
		texts = append(texts, reason+" on "+enumerate(reasons[reason]))
	}
	if len(texts) == 0 {
		for _, r := range q.Summary.Last {
			if r.Declined > 0 {
				texts = append(texts, fmt.Sprintf("%s of %d offers", r.Reason, r.Declined))
			}
		}
	}
	return strings.Join(texts, "; ")
}

// enumerate names a few, and how many more there are.
func enumerate(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
