package api

import "rollcall/scheduler"

// progressView tells how far an action of a deployment is. It is rollcall's own, and given only when it is asked for
// with embed=progress: python-marathon refuses members that it does not know.
type progressView struct {
	Done      bool                         `json:"done"`
	Reason    string                       `json:"reason,omitempty"`
	Instances []scheduler.InstanceProgress `json:"instances"`
}

func (v *deploymentView) addProgress(progress []scheduler.ActionProgress) {
	for n, p := range progress {
		if p.Instances == nil {
			p.Instances = []scheduler.InstanceProgress{}
		}
		v.CurrentActions[n].progressView = &progressView{p.Done, p.Reason, p.Instances}
	}
}
