package api

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"rollcall/scheduler"
)

// appSettings is what the reading of an app definition depends on besides the definition.
type appSettings struct {
	defaultNetwork string // name of container networks that were given none; "" refuses those
	maxInstances   int
	role           string // of apps that name none
	policy         Policy
	secrets        bool // there is a place where secrets are kept
}

// appInput is an app definition while it is read. Members that need no conversion are in app already, over the
// defaults; the rest is what legacy.go and app_normal.go bring into normal form.
type appInput struct {
	r    *reader
	path string
	app  *scheduler.App
	id   string

	uris      []string // with storeUrls
	ports     []int    // nil: not given
	ipAddress *ipAddressInput
	container containerInput

	upgradeGiven, networksGiven bool
	dependencies                []string
}

func (in *appInput) at(name string) string { return in.path + "/" + name }

// executor is what Marathon takes for a custom executor.
var executor = regexp.MustCompile(`^((//cmd)|(/?[^/]+(/[^/]+)*)|)$`)

// defaultApp is an app of which nothing is said (Marathon reference 5.1).
func defaultApp() *scheduler.App {
	return &scheduler.App{
		BackoffFactor: 1.15, BackoffSeconds: 1, CPUs: 1, Mem: 128, Instances: 1,
		KillSelection: scheduler.YoungestFirst, Labels: map[string]string{}, MaxLaunchDelaySeconds: 300,
		UpgradeStrategy: scheduler.UpgradeStrategy{MaximumOverCapacity: 1, MinimumHealthCapacity: 1},
	}
}

// readApp reads an app definition in any form that Marathon ever took, and brings it into normal form. The id is
// resolved against group; service ports given as 0 stay 0. What is wrong is in r afterwards, and the app is of no use
// then.
func readApp(o *object, group scheduler.PathID, s appSettings) *scheduler.App {
	if !o.has("id") {
		o.missing("id")
	}
	in := decodeApp(o, s)
	if o.has("id") {
		if err := scheduler.ValidateAppID(in.id); err != nil {
			o.r.refuse(o.at("id"), "%s", err)
		}
	}
	in.app.ID = scheduler.ResolvePathID(in.id, group)
	if size := definitionSize(in.app); size > maxDefinition {
		o.r.refuse(o.path, "%s", tooLarge(size))
		return in.app
	}
	if len(o.r.mistyped) == 0 {
		in.normalise(s)
		in.validate()
	}
	return in.app
}

// decodeApp reads the members of an app definition without asking whether they fit together.
func decodeApp(o *object, s appSettings) *appInput {
	in := &appInput{r: o.r, path: o.path, app: defaultApp()}
	a := in.app
	o.text("id", &in.id)
	if o.text("cmd", &a.Cmd) && a.Cmd == "" {
		o.r.mistype(o.at("cmd"), "error.minLength", "must not be empty")
	}
	o.texts("args", &a.Args)
	o.number("cpus", &a.CPUs, 0.001)
	o.number("mem", &a.Mem, 0)
	o.number("disk", &a.Disk, 0)
	o.integer("instances", &a.Instances, 0, s.maxInstances)
	o.text("user", &a.User)
	if o.text("executor", &a.Executor) && !executor.MatchString(a.Executor) {
		o.r.mistype(o.at("executor"), "error.pattern", "must be '//cmd', a path or empty")
	}
	o.textMap("labels", &a.Labels)
	o.number("backoffSeconds", &a.BackoffSeconds, 0)
	o.number("backoffFactor", &a.BackoffFactor, 1)
	var delay int
	if o.integer("maxLaunchDelaySeconds", &delay, 0, maxInteger) {
		a.MaxLaunchDelaySeconds = float64(delay)
	}
	o.optional("taskKillGracePeriodSeconds", &a.TaskKillGracePeriod, 0, maxInteger)
	o.boolean("requirePorts", &a.RequirePorts)
	o.text("role", &a.Role)
	in.decodeRoles(o)
	var tty bool
	if o.boolean("tty", &tty) {
		a.TTY = &tty
	}
	var selection string
	if o.word("killSelection", &selection, string(scheduler.YoungestFirst), string(scheduler.OldestFirst)) {
		a.KillSelection = scheduler.KillSelection(selection)
	}
	o.raw("check", &a.Check)
	in.decodeLimits(o)
	in.decodeExtensions(o)
	in.decodeEnv(o)
	in.decodeSecrets(o, s)
	in.decodeStrategies(o)
	in.decodeFetch(o)
	a.Constraints = decodeConstraints(o)
	a.HealthChecks = decodeHealthChecks(o)
	a.ReadinessChecks = decodeReadinessChecks(o)
	in.decodeContainer(o)
	in.decodeNetworks(o)
	in.decodePorts(o)
	o.texts("dependencies", &in.dependencies)
	in.decodeUnsupported(o)
	o.ignore("version", "versionInfo", "residency", "tasks", "tasksStaged", "tasksRunning", "tasksHealthy",
		"tasksUnhealthy", "deployments", "lastTaskFailure", "taskStats", "readinessCheckResults")
	o.end()
	return in
}

func (in *appInput) decodeRoles(o *object) {
	var roles []string
	if !o.texts("acceptedResourceRoles", &roles) {
		return
	}
	if len(roles) == 0 {
		in.r.refuse(o.at("acceptedResourceRoles"), "acceptedResourceRoles must either not be set, or be non-empty")
	}
	in.app.AcceptedResourceRoles = roles
}

func (in *appInput) decodeEnv(o *object) {
	env, ok := o.object("env")
	if !ok {
		return
	}
	in.app.Env = make(map[string]scheduler.EnvValue, len(env.members))
	for _, name := range slices.Sorted(maps.Keys(env.members)) {
		if name == "" {
			in.r.refuse(env.path, "the name of a variable must not be empty")
		}
		if _, isObject := env.members[name].(map[string]any); isObject {
			in.decodeEnvSecret(env, name)
			continue
		}
		var value string
		if env.text(name, &value) {
			in.app.Env[name] = scheduler.EnvValue{Text: value}
		}
	}
}

func (in *appInput) decodeStrategies(o *object) {
	if u, ok := o.object("upgradeStrategy"); ok {
		in.upgradeGiven = true
		readShare(u, "minimumHealthCapacity", &in.app.UpgradeStrategy.MinimumHealthCapacity)
		readShare(u, "maximumOverCapacity", &in.app.UpgradeStrategy.MaximumOverCapacity)
		u.end()
	}
	if strategy, _ := o.take("unreachableStrategy"); strategy == "disabled" {
		in.app.UnreachableStrategy.Disabled = true
	} else if u, ok := o.object("unreachableStrategy"); ok {
		u.integer("inactiveAfterSeconds", &in.app.UnreachableStrategy.InactiveAfterSeconds, 0, maxInteger)
		u.integer("expungeAfterSeconds", &in.app.UnreachableStrategy.ExpungeAfterSeconds, 0, maxInteger)
		u.end()
	}
}

// readShare reads a number from 0 to 1 that has to be there.
func readShare(o *object, name string, dst *float64) {
	if !o.has(name) {
		o.missing(name)
	}
	if o.number(name, dst, -maxInteger) && (*dst < 0 || *dst > 1) {
		o.r.refuse(o.at(name), "must be between 0 and 1")
	}
}

func (in *appInput) decodeFetch(o *object) {
	fetches, _ := o.objects("fetch")
	for _, f := range fetches {
		fetch := scheduler.Fetch{Extract: true}
		if !f.has("uri") {
			f.missing("uri")
		}
		if f.text("uri", &fetch.URI) {
			o.r.checkURI(f.at("uri"), fetch.URI)
		}
		f.boolean("extract", &fetch.Extract)
		f.boolean("executable", &fetch.Executable)
		f.boolean("cache", &fetch.Cache)
		f.text("destPath", &fetch.DestPath)
		f.end()
		in.app.Fetch = append(in.app.Fetch, fetch)
	}
	var uris, storeURLs []string
	o.texts("uris", &uris)
	o.texts("storeUrls", &storeURLs)
	in.uris = append(uris, storeURLs...)
	for i, uri := range in.uris {
		o.r.checkURI(fmt.Sprintf("%s(%d)", o.at("uris"), i), uri)
	}
	if len(in.uris) > 0 && len(in.app.Fetch) > 0 {
		in.r.refuse(o.at("uris"), "may not be set in conjunction with fetch")
	}
}

// checkURI refuses URIs that are not 1 to 1024 characters long.
func (r *reader) checkURI(path, uri string) {
	switch n := utf8.RuneCountInString(uri); {
	case n == 0:
		r.mistype(path, "error.minLength", "must not be empty")
	case n > 1024:
		r.mistype(path, "error.maxLength", "must have at most 1024 characters")
	}
}

// decodeUnsupported refuses members that ask for what there is not, and explains two that beginners expect here.
func (in *appInput) decodeUnsupported(o *object) {
	var gpus int
	if o.integer("gpus", &gpus, 0, maxInteger); gpus > 0 {
		in.r.unsupported(o.at("gpus"), "gpu_resources")
	}
	if _, ok := o.take("apps"); ok {
		in.r.refuse(o.at("apps"), `an app holds no apps: "apps" inside "apps" should be "groups"`)
	}
	if _, ok := o.take("groups"); ok {
		in.r.refuse(o.at("groups"), `an app holds no groups: this object should be in "groups" instead of "apps"`)
	}
	if _, ok := o.take("scaleBy"); ok {
		in.r.refuse(o.at("scaleBy"), "is for groups only: PUT /v2/groups/{id} {\"scaleBy\": 2}; "+
			"of an app, set instances: PUT /v2/apps/{id} {\"instances\": 2}")
	}
}

// decodeConstraints reads constraints; the operator may be in any letter case.
func decodeConstraints(o *object) []scheduler.Constraint {
	elements, _ := o.elements("constraints")
	if tooMany(o, "constraints", "constraints", len(elements), maxConstraints) {
		return nil
	}
	var out []scheduler.Constraint
	seen := map[scheduler.Constraint]bool{}
	for _, e := range elements {
		parts, ok := o.r.elements(e.value, e.path)
		if !ok {
			continue
		}
		texts := make([]string, len(parts))
		for i, p := range parts {
			if n, isNumber := p.value.(interface{ String() string }); isNumber && i == 2 {
				texts[i] = n.String() // ["rack", "MAX_PER", 2] says plainly what it means
			} else {
				texts[i], _ = o.r.text(p.value, p.path)
			}
		}
		if len(texts) < 2 || len(texts) > 3 {
			o.r.refuse(e.path, "Each constraint must have either 2 or 3 fields")
			continue
		}
		c := scheduler.Constraint{Field: texts[0], Operator: scheduler.Operator(strings.ToUpper(texts[1]))}
		if len(texts) == 3 {
			c.Value = texts[2]
		}
		validateConstraint(o.r, e.path, c)
		if !seen[c] {
			out = append(out, c)
		}
		seen[c] = true
	}
	return out
}
