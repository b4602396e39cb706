package api

import (
	"net/http"

	"rollcall/scheduler"
)

// lossesView says how many agents were lost at once while the replacement of their tasks waits.
type lossesView struct {
	Agents int  `json:"agents"`
	Held   bool `json:"held"`
}

// getLosses answers GET /rollcall/losses.
func (a *API) getLosses(w http.ResponseWriter, r *http.Request) error {
	return respond(w, r, http.StatusOK, lossesOf(a.state()))
}

func lossesOf(s *scheduler.State) lossesView {
	n := s.Braked()
	return lossesView{Agents: n, Held: n > 0}
}

// confirmLosses answers POST /rollcall/losses/confirm: the agents are gone, their tasks are to be replaced.
func (a *API) confirmLosses(w http.ResponseWriter, r *http.Request) error {
	n, err := a.o.Scheduler.Do(r.Context(), scheduler.ConfirmLosses{})
	if err != nil {
		return err
	}
	agents, _ := n.(int)
	return respond(w, r, http.StatusOK, lossesView{Agents: agents})
}
