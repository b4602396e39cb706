package api

import (
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"

	"rollcall/scheduler"
)

// queueItem is an app with instances that wait to be launched.
type queueItem struct {
	App              appView             `json:"app"`
	Count            int                 `json:"count"`
	Role             string              `json:"role,omitempty"` // left out when *: some clients do not know it
	Delay            delayView           `json:"delay"`
	Since            scheduler.Timestamp `json:"since"`
	Summary          summaryView         `json:"processedOffersSummary"`
	LastUnusedOffers []unusedOfferView   `json:"lastUnusedOffers,omitzero"`
}

// delayView tells whether the app backs off, or (overdue) waits for an offer that fits.
type delayView struct {
	TimeLeftSeconds int  `json:"timeLeftSeconds"`
	Overdue         bool `json:"overdue"`
}

type summaryView struct {
	Processed    int                 `json:"processedOffersCount"`
	Unused       int                 `json:"unusedOffersCount"`
	LastUnusedAt scheduler.Timestamp `json:"lastUnusedOfferAt,omitzero"`
	LastUsedAt   scheduler.Timestamp `json:"lastUsedOfferAt,omitzero"`
	LastOffers   []rejection         `json:"rejectSummaryLastOffers"`
	Attempt      []rejection         `json:"rejectSummaryLaunchAttempt"`
}

// rejection is one stage of the funnel: how many offers came to it and how many it refused.
type rejection struct {
	Reason    scheduler.Reason `json:"reason"`
	Declined  int              `json:"declined"`
	Processed int              `json:"processed"`
}

type unusedOfferView struct {
	Offer     offerView           `json:"offer"`
	Timestamp scheduler.Timestamp `json:"timestamp"`
	Reason    []scheduler.Reason  `json:"reason"`
	// Explanation words each reason. It is rollcall's own.
	Explanation []string `json:"explanation"`
}

type offerView struct {
	ID         scheduler.OfferID `json:"id"`
	AgentID    scheduler.AgentID `json:"agentId"`
	Hostname   string            `json:"hostname"`
	Resources  []resourceView    `json:"resources"`
	Attributes []attributeView   `json:"attributes"`
}

type resourceView struct {
	Name   string            `json:"name"`
	Role   string            `json:"role"`
	Scalar *float64          `json:"scalar,omitempty"`
	Ranges []scheduler.Range `json:"ranges,omitempty"`
}

type attributeView struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// listQueue answers GET /v2/queue.
func (a *API) listQueue(w http.ResponseWriter, r *http.Request) error {
	s, now := a.state(), a.o.Now()
	offers := slices.Contains(a.query(r, "embed"), "lastUnusedOffers")
	out := []queueItem{}
	for q := range s.Queue(now) {
		if !userOf(r).mayRead(q.App) {
			continue
		}
		item := queueItem{App: viewApp(s, q.App, embeds{}, now), Count: q.Count, Since: q.Since,
			Delay: delayView{int(math.Ceil(q.Delay.Seconds())), q.Delay <= 0},
			Summary: summaryView{Processed: q.Processed, Unused: q.Unused, LastUnusedAt: q.LastUnused,
				LastUsedAt: q.LastUsed, LastOffers: funnel(q.RejectedLast, total(q.RejectedLast)),
				Attempt: funnel(q.RejectedSince, max(q.Processed, total(q.RejectedSince)))}}
		if q.App.Role != "*" {
			item.Role = q.App.Role
		}
		if offers {
			item.LastUnusedOffers = viewUnused(q.App, q.Offers)
		}
		out = append(out, item)
	}
	return respond(w, r, http.StatusOK, map[string][]queueItem{"queue": out})
}

func total(rejected map[scheduler.Reason]int) int {
	n := 0
	for count := range maps.Values(rejected) {
		n += count
	}
	return n
}

// funnel lists every reason in the order in which offers are looked at; each sees what the ones before let through.
func funnel(rejected map[scheduler.Reason]int, processed int) []rejection {
	var out []rejection
	for _, reason := range scheduler.Reasons() {
		out = append(out, rejection{reason, rejected[reason], processed})
		processed -= rejected[reason]
	}
	return out
}

func viewUnused(app *scheduler.App, offers []scheduler.UnusedOffer) []unusedOfferView {
	out := []unusedOfferView{}
	for _, u := range offers {
		o := u.Offer
		view := offerView{ID: o.ID, AgentID: o.AgentID, Hostname: o.Hostname, Attributes: []attributeView{},
			Resources: []resourceView{scalar("cpus", o.Resources.CPUs), scalar("mem", o.Resources.Mem),
				scalar("disk", o.Resources.Disk)}}
		if o.Resources.GPUs > 0 {
			view.Resources = append(view.Resources, scalar("gpus", float64(o.Resources.GPUs)))
		}
		if len(o.Resources.Ports) > 0 {
			view.Resources = append(view.Resources, resourceView{Name: "ports", Role: "*", Ranges: o.Resources.Ports})
		}
		for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
			view.Attributes = append(view.Attributes, attributeView{name, o.Attributes[name]})
		}
		out = append(out, unusedOfferView{view, u.At, u.Reasons, u.Explain(app)})
	}
	return out
}

func scalar(name string, v float64) resourceView {
	return resourceView{Name: name, Role: "*", Scalar: &v}
}

// resetDelay answers DELETE /v2/queue/{id}/delay.
func (a *API) resetDelay(id scheduler.PathID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, err := a.o.Scheduler.Do(r.Context(), scheduler.ResetDelay{App: id})
		if errors.Is(err, scheduler.ErrNotQueued) {
			return notFound("Application " + string(id) + " not found in tasks queue.")
		}
		if err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}
