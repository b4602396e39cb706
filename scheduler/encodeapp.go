package scheduler

import (
	"math"
	"strconv"
)

// app adds a definition. Members that few apps have, or that are large in any case, are left to encoding/json.
func (o object) app(a *App) object {
	o = append(o, '{')
	o = o.key("id").text(string(a.ID))
	o = optionalTexts(o, "acceptedResourceRoles", a.AcceptedResourceRoles)
	o = optionalTexts(o, "args", a.Args)
	o = o.key("backoffFactor").number(a.BackoffFactor)
	o = o.key("backoffSeconds").number(a.BackoffSeconds)
	o = o.optionalJSON("check", len(a.Check) > 0, a.Check)
	o = o.optional("cmd", a.Cmd)
	for n, c := range a.Constraints {
		if n == 0 {
			o = append(o.key("constraints"), '[')
		} else {
			o = append(o, ',')
		}
		o = append(o, '[')
		o = append(o.text(c.Field), ',')
		o = o.text(string(c.Operator))
		if c.Value != "" {
			o = append(o, ',')
			o = o.text(c.Value)
		}
		o = append(o, ']')
	}
	if len(a.Constraints) > 0 {
		o = append(o, ']')
	}
	o = o.optionalJSON("container", a.Container != nil, a.Container)
	o = o.key("cpus").number(a.CPUs)
	o = optionalTexts(o, "dependencies", a.Dependencies)
	o = o.optionalNumber("deploymentTimeoutSeconds", a.DeploymentTimeout)
	o = o.key("disk").number(a.Disk)
	o = o.optionalNumber("drainSeconds", a.DrainSeconds)
	o = o.optionalJSON("env", len(a.Env) > 0, a.Env)
	o = o.key("executor").text(a.Executor)
	o = o.optionalTrue("expandEnv", a.ExpandEnv)
	o = o.optionalJSON("executorResources", len(a.ExecutorResources) > 0, a.ExecutorResources)
	o = o.optionalJSON("fetch", len(a.Fetch) > 0, a.Fetch)
	o = strconv.AppendInt(o.key("gpus"), int64(a.GPUs), 10)
	o = o.optionalJSON("healthChecks", len(a.HealthChecks) > 0, a.HealthChecks)
	o = strconv.AppendInt(o.key("instances"), int64(a.Instances), 10)
	o = o.key("killSelection").text(string(a.KillSelection))
	o = o.key("labels").textMap(a.Labels)
	o = o.key("maxLaunchDelaySeconds").number(a.MaxLaunchDelaySeconds)
	o = o.key("mem").number(a.Mem)
	o = o.key("networks").networks(a.Networks)
	o = o.optionalTrue("onePerAgent", a.OnePerAgent)
	if a.PortDefinitions != nil {
		o = o.key("portDefinitions").portDefinitions(a.PortDefinitions)
	}
	o = o.optionalJSON("readinessChecks", len(a.ReadinessChecks) > 0, a.ReadinessChecks)
	o = strconv.AppendBool(o.key("requirePorts"), a.RequirePorts)
	o = o.optionalJSON("resourceLimits", len(a.ResourceLimits) > 0, a.ResourceLimits)
	o = o.optional("restartPolicy", string(a.RestartPolicy))
	o = o.key("role").text(a.Role)
	o = o.optionalJSON("secrets", len(a.Secrets) > 0, a.Secrets)
	if a.TaskKillGracePeriod != nil {
		o = strconv.AppendInt(o.key("taskKillGracePeriodSeconds"), int64(*a.TaskKillGracePeriod), 10)
	}
	if a.TTY != nil {
		o = strconv.AppendBool(o.key("tty"), *a.TTY)
	}
	o = o.key("unreachableStrategy").unreachableStrategy(a.UnreachableStrategy)
	o = append(o.key("upgradeStrategy"), '{')
	o = o.key("maximumOverCapacity").number(a.UpgradeStrategy.MaximumOverCapacity)
	o = o.key("minimumHealthCapacity").number(a.UpgradeStrategy.MinimumHealthCapacity)
	o = append(o, '}')
	o = o.optional("user", a.User)
	o = o.key("version").time(a.Version)
	o = append(o.key("versionInfo"), '{')
	o = o.key("lastScalingAt").time(a.VersionInfo.LastScalingAt)
	o = o.key("lastConfigChangeAt").time(a.VersionInfo.LastConfigChangeAt)
	o = append(o, '}')
	return append(o, '}')
}

func (o object) networks(list []Network) object {
	if list == nil {
		return append(o, "null"...)
	}
	o = append(o, '[')
	for n, network := range list {
		if n > 0 {
			o = append(o, ',')
		}
		o = append(o, '{')
		o = o.key("mode").text(string(network.Mode))
		o = o.optional("name", network.Name)
		o = o.optionalMap("labels", network.Labels)
		o = append(o, '}')
	}
	return append(o, ']')
}

func (o object) portDefinitions(list []PortDefinition) object {
	o = append(o, '[')
	for n, p := range list {
		if n > 0 {
			o = append(o, ',')
		}
		o = append(o, '{')
		o = strconv.AppendInt(o.key("port"), int64(p.Port), 10)
		o = o.optional("name", p.Name)
		o = o.key("protocol").text(p.Protocol)
		o = o.optionalMap("labels", p.Labels)
		o = append(o, '}')
	}
	return append(o, ']')
}

func (o object) unreachableStrategy(u UnreachableStrategy) object {
	if u.Disabled {
		return o.text("disabled")
	}
	o = append(o, '{')
	o = strconv.AppendInt(o.key("inactiveAfterSeconds"), int64(u.InactiveAfterSeconds), 10)
	o = strconv.AppendInt(o.key("expungeAfterSeconds"), int64(u.ExpungeAfterSeconds), 10)
	return append(o, '}')
}

// number adds a number as encoding/json writes it; beyond these bounds it has a form of its own.
func (o object) number(f float64) object {
	if abs := math.Abs(f); abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(o, f, 'f', -1, 64)
	}
	return append(o, encode(f)...)
}

// optionalNumber adds a number, unless it is zero.
func (o object) optionalNumber(name string, number int) object {
	if number == 0 {
		return o
	}
	return strconv.AppendInt(o.key(name), int64(number), 10)
}

func (o object) optionalTrue(name string, value bool) object {
	if !value {
		return o
	}
	return append(o.key(name), "true"...)
}

// optionalMap adds a map, unless it is empty.
func (o object) optionalMap(name string, m map[string]string) object {
	if len(m) == 0 {
		return o
	}
	return o.key(name).textMap(m)
}

func (o object) textMap(m map[string]string) object {
	if m == nil {
		return append(o, "null"...)
	}
	o = append(o, '{')
	for n, key := range sortedKeys(m) {
		if n > 0 {
			o = append(o, ',')
		}
		o = append(o.text(key), ':')
		o = o.text(m[key])
	}
	return append(o, '}')
}

// optionalTexts adds a list, unless it is empty.
func optionalTexts[T ~string](o object, name string, list []T) object {
	for n, s := range list {
		if n == 0 {
			o = append(o.key(name), '[')
		} else {
			o = append(o, ',')
		}
		o = o.text(string(s))
	}
	if len(list) > 0 {
		o = append(o, ']')
	}
	return o
}
