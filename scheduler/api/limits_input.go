package api

import "fmt"

// What an executor needs at least, and what it gets of a resource that is not given (Marathon reference 5.1).
const (
	leastExecutorCPUs = 0.1
	leastExecutorMem  = 32
	leastExecutorDisk = 10
)

// decodeLimits reads resourceLimits and executorResources. They are kept and shown as they were written.
func (in *appInput) decodeLimits(o *object) {
	if o.raw("executorResources", &in.app.ExecutorResources) {
		given, _ := o.object("executorResources")
		for _, r := range []struct {
			name  string
			least float64
		}{{"cpus", leastExecutorCPUs}, {"mem", leastExecutorMem}, {"disk", leastExecutorDisk}} {
			var amount float64
			given.number(r.name, &amount, r.least)
		}
	}
	if !o.raw("resourceLimits", &in.app.ResourceLimits) {
		return
	}
	given, _ := o.object("resourceLimits")
	for name, request := range map[string]float64{"cpus": in.app.CPUs, "mem": in.app.Mem} {
		if given.members[name] == "unlimited" {
			continue
		}
		limit := request
		if given.number(name, &limit, 0) && limit < request {
			in.r.refuse(given.at(name), "%s", fmt.Sprintf("must be at least the %v that the app asks for, or \"unlimited\"", request))
		}
	}
}
