package scheduler

import (
	"bytes"
	"net/netip"
	"strconv"
)

// The records that a step writes most are put together here, and not by encoding/json, which takes several times as
// long. What comes out is the same, letter by letter.

// object is a JSON object that is being written.
type object []byte

func (o object) key(name string) object {
	if len(o) == 0 || o[len(o)-1] == '{' {
		o = append(o, '"')
	} else {
		o = append(o, ',', '"')
	}
	o = append(o, name...)
	return append(o, '"', ':')
}

// optional adds a text, unless it is empty.
func (o object) optional(name, value string) object {
	if value == "" {
		return o
	}
	return o.key(name).text(value)
}

func (o object) text(s string) object {
	for n := range len(s) {
		if c := s[n]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return append(o, encode(s)...)
		}
	}
	o = append(o, '"')
	o = append(o, s...)
	return append(o, '"')
}

// optionalTime adds a timestamp, unless it is zero.
func (o object) optionalTime(name string, t Timestamp) object {
	if t == 0 {
		return o
	}
	return o.key(name).time(t)
}

func (o object) time(t Timestamp) object {
	o = append(o, '"')
	o = t.append(o)
	return append(o, '"')
}

// optionalNumbers adds a list, unless it is empty.
func (o object) optionalNumbers(name string, list []int) object {
	for n, number := range list {
		if n == 0 {
			o = append(o.key(name), '[')
		} else {
			o = append(o, ',')
		}
		o = strconv.AppendInt(o, int64(number), 10)
	}
	if len(list) > 0 {
		o = append(o, ']')
	}
	return o
}

// optionalJSON adds what encoding/json makes of a value, if given.
func (o object) optionalJSON(name string, given bool, v any) object {
	if !given {
		return o
	}
	return append(o.key(name), encode(v)...)
}

func encodeInstance(i *Instance) []byte {
	o := append(make(object, 0, 512), '{')
	o = o.key("id").text(string(i.ID))
	o = o.key("appId").text(string(i.AppID))
	o = o.key("appVersion").time(i.AppVersion)
	o = o.key("goal").text(string(i.Goal))
	o = o.key("condition").text(string(i.Condition))
	o = o.key("since").time(i.Since)
	o = strconv.AppendInt(o.key("incarnation"), int64(i.Incarnation), 10)
	o = o.optional("adopted", string(i.Adopted))
	if i.Index != 0 {
		o = strconv.AppendInt(o.key("index"), int64(i.Index), 10)
	}
	o = o.optional("agentId", string(i.AgentID))
	o = o.optional("hostname", i.Hostname)
	if i.Address != (netip.Addr{}) {
		o = append(i.Address.AppendTo(append(o.key("address"), '"')), '"')
	}
	o = o.optionalJSON("attributes", len(i.Attributes) > 0, i.Attributes)
	o = o.optional("region", i.Region)
	o = o.optional("zone", i.Zone)
	o = o.optionalNumbers("hostPorts", i.HostPorts)
	o = o.optionalNumbers("generated", i.Generated)
	o = o.optionalJSON("addresses", len(i.Addresses) > 0, i.Addresses)
	o = o.optionalTime("stagedAt", i.StagedAt)
	o = o.optionalTime("startedAt", i.StartedAt)
	if i.Ready {
		o = append(o.key("ready"), "true"...)
	}
	return append(o, '}')
}

// encoder encodes what holds apps. A definition is in several records of a step: it is encoded once.
type encoder struct {
	apps    map[*App][]byte
	scratch object
}

func (e *encoder) app(a *App) []byte {
	if data, known := e.apps[a]; known {
		return data
	}
	if e.apps == nil {
		e.apps = map[*App][]byte{}
	}
	e.scratch = e.scratch[:0].app(a)
	data := bytes.Clone(e.scratch)
	e.apps[a] = data
	return data
}

// size is about how much addApps adds.
func (e *encoder) size(apps map[PathID]*App) int {
	size := 0
	for id, a := range apps {
		size += len(`"":null,`) + len(id)
		if a != nil {
			size += len(e.app(a))
		}
	}
	return size
}

func (e *encoder) addApps(o object, name string, apps map[PathID]*App) object {
	if apps == nil {
		return append(o.key(name), "null"...)
	}
	o = append(o.key(name), '{')
	for _, id := range sortedKeys(apps) {
		o = o.key(string(id)) // an id has no letter that is not to be in a key as it is
		if a := apps[id]; a != nil {
			o = append(o, e.app(a)...)
		} else {
			o = append(o, "null"...)
		}
	}
	return append(o, '}')
}

func (e *encoder) change(c *RootChange) []byte {
	o := append(make(object, 0, 1024+e.size(c.Apps)), '{')
	o = o.key("version").time(c.Version)
	o = o.key("previous").time(c.Previous)
	o = e.addApps(o, "apps", c.Apps)
	o = o.optionalJSON("groups", true, c.Groups)
	return append(o, '}')
}

func (e *encoder) deployment(d *Deployment) []byte {
	p := d.Plan
	o := append(make(object, 0, 1024+100*len(p.Before)+e.size(p.Before)+e.size(p.After)), '{')
	o = append(o.key("plan"), '{')
	o = o.key("id").text(string(p.ID))
	o = o.key("version").time(p.Version)
	o = o.key("steps").steps(p.Steps)
	o = e.addApps(o, "before", p.Before)
	o = e.addApps(o, "after", p.After)
	o = o.optionalJSON("groupsBefore", len(p.GroupsBefore) > 0, p.GroupsBefore)
	o = o.optionalJSON("groupsAfter", len(p.GroupsAfter) > 0, p.GroupsAfter)
	o = append(o, '}')
	o = o.key("started").time(d.Started)
	if d.Rollback {
		o = append(o.key("rollback"), "true"...)
	}
	return append(o, '}')
}

func (o object) steps(steps []Step) object {
	if steps == nil {
		return append(o, "null"...)
	}
	o = append(o, '[')
	for n, step := range steps {
		if n > 0 {
			o = append(o, ',')
		}
		o = append(o, `{"actions":`...)
		if step.Actions == nil {
			o = append(o, "null}"...)
			continue
		}
		o = append(o, '[')
		for m, a := range step.Actions {
			if m > 0 {
				o = append(o, ',')
			}
			o = append(o, '{')
			o = o.key("action").text(string(a.Kind))
			o = o.key("app").text(string(a.App))
			o = append(o, '}')
		}
		o = append(o, "]}"...)
	}
	return append(o, ']')
}
