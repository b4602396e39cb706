package api

import "encoding/json"

// What an executor needs at least (Marathon reference 5.1).
const (
	leastExecutorCPUs = 0.1
	leastExecutorMem  = 32
	leastExecutorDisk = 10
)

// amount is an amount of a resource that an app may name, and how much it has to be at least.
type amount struct {
	resource string
	least    float64
}

// decodeLimits reads resourceLimits and executorResources, which are kept and shown.
func (in *appInput) decodeLimits(o *object) {
	if given, ok := o.object("executorResources"); ok {
		amounts := map[string]any{}
		for _, a := range []amount{{"cpus", leastExecutorCPUs}, {"mem", leastExecutorMem}, {"disk", leastExecutorDisk}} {
			var n float64
			if given.number(a.resource, &n, a.least) {
				amounts[a.resource] = n
			}
		}
		in.app.ExecutorResources = given.kept(amounts)
	}
	given, ok := o.object("resourceLimits")
	if !ok {
		return
	}
	limits := map[string]any{}
	for _, a := range []amount{{"cpus", in.app.CPUs}, {"mem", in.app.Mem}} {
		if limit, _ := given.take(a.resource); limit == "unlimited" {
			limits[a.resource] = limit
			continue
		}
		var n float64
		if !given.number(a.resource, &n, 0) {
			continue
		}
		if n < a.least {
			in.r.refuse(given.at(a.resource), "must be at least the %v that the app asks for, or \"unlimited\"", a.least)
		}
		limits[a.resource] = n
	}
	in.app.ResourceLimits = given.kept(limits)
}

// kept ends an object of which some members are kept.
func (o *object) kept(members map[string]any) json.RawMessage {
	o.end()
	data, err := json.Marshal(members)
	if err != nil {
		o.r.mistype(o.path, err.Error())
	}
	return data
}
