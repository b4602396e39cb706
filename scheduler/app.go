package scheduler

import (
	"encoding/json"
	"fmt"
)

// App is an app definition in its normal form, the one Marathon writes (older forms are converted by the API before
// they get here). Its JSON is Marathon's. Apps are immutable once they are part of a State: change a Clone.
type App struct {
	ID                    PathID              `json:"id"`
	AcceptedResourceRoles []string            `json:"acceptedResourceRoles,omitempty"`
	Args                  []string            `json:"args,omitempty"`
	BackoffFactor         float64             `json:"backoffFactor"`
	BackoffSeconds        float64             `json:"backoffSeconds"`
	Check                 json.RawMessage     `json:"check,omitempty"` // accepted, without effect
	Cmd                   string              `json:"cmd,omitempty"`
	Constraints           []Constraint        `json:"constraints,omitempty"`
	Container             *Container          `json:"container,omitempty"`
	CPUs                  float64             `json:"cpus"`
	Dependencies          []PathID            `json:"dependencies,omitempty"`
	DeploymentTimeout     int                 `json:"deploymentTimeoutSeconds,omitempty"` // 0: none
	Disk                  float64             `json:"disk"`                               // MiB
	DrainSeconds          int                 `json:"drainSeconds,omitempty"`             // between leaving DNS and SIGTERM
	Env                   map[string]EnvValue `json:"env,omitempty"`
	Executor              string              `json:"executor"`
	ExpandEnv             bool                `json:"expandEnv,omitempty"`         // ${NAME} in Env is a variable that tasks have
	ExecutorResources     json.RawMessage     `json:"executorResources,omitempty"` // accepted, without effect
	Fetch                 []Fetch             `json:"fetch,omitempty"`
	GPUs                  int                 `json:"gpus"`
	HealthChecks          []HealthCheck       `json:"healthChecks,omitempty"`
	Instances             int                 `json:"instances"`
	KillSelection         KillSelection       `json:"killSelection"`
	Labels                map[string]string   `json:"labels"`
	MaxLaunchDelaySeconds float64             `json:"maxLaunchDelaySeconds"`
	Mem                   float64             `json:"mem"` // MiB
	Networks              []Network           `json:"networks"`
	OnePerAgent           bool                `json:"onePerAgent,omitempty"`    // Instances follow the agents; 0 stops all
	PortDefinitions       []PortDefinition    `json:"portDefinitions,omitzero"` // host networking only; empty: no ports
	ReadinessChecks       []ReadinessCheck    `json:"readinessChecks,omitempty"`
	RequirePorts          bool                `json:"requirePorts"`
	ResourceLimits        json.RawMessage     `json:"resourceLimits,omitempty"` // accepted, without effect
	RestartPolicy         RestartPolicy       `json:"restartPolicy,omitempty"`
	Role                  string              `json:"role"`
	Secrets               map[string]Secret   `json:"secrets,omitempty"`
	TaskKillGracePeriod   *int                `json:"taskKillGracePeriodSeconds,omitempty"` // seconds
	TTY                   *bool               `json:"tty,omitempty"`
	UnreachableStrategy   UnreachableStrategy `json:"unreachableStrategy"`
	UpgradeStrategy       UpgradeStrategy     `json:"upgradeStrategy"`
	User                  string              `json:"user,omitempty"`
	Version               Timestamp           `json:"version"`
	VersionInfo           VersionInfo         `json:"versionInfo"`
}

// VersionInfo tells when an app was last scaled and when anything else of it was last changed (or it was restarted).
type VersionInfo struct {
	LastScalingAt      Timestamp `json:"lastScalingAt"`
	LastConfigChangeAt Timestamp `json:"lastConfigChangeAt"`
}

// KillSelection says which running instance goes first when an app is scaled down.
type KillSelection string

const (
	YoungestFirst KillSelection = "YOUNGEST_FIRST"
	OldestFirst   KillSelection = "OLDEST_FIRST"
)

// UpgradeStrategy bounds a rolling restart; both are fractions of the instances, 0 to 1.
type UpgradeStrategy struct {
	MaximumOverCapacity   float64 `json:"maximumOverCapacity"`
	MinimumHealthCapacity float64 `json:"minimumHealthCapacity"`
}

// UnreachableStrategy says when an instance on a lost agent is replaced and when it is forgotten; its JSON is the
// text "disabled" or an object.
type UnreachableStrategy struct {
	Disabled             bool // wait for ever
	InactiveAfterSeconds int
	ExpungeAfterSeconds  int
}

type unreachableJSON struct {
	InactiveAfterSeconds int `json:"inactiveAfterSeconds"`
	ExpungeAfterSeconds  int `json:"expungeAfterSeconds"`
}

// MarshalJSON implements json.Marshaler.
func (u UnreachableStrategy) MarshalJSON() ([]byte, error) {
	if u.Disabled {
		return []byte(`"disabled"`), nil
	}
	return json.Marshal(unreachableJSON{u.InactiveAfterSeconds, u.ExpungeAfterSeconds})
}

// UnmarshalJSON implements json.Unmarshaler.
func (u *UnreachableStrategy) UnmarshalJSON(data []byte) error {
	if string(data) == `"disabled"` {
		*u = UnreachableStrategy{Disabled: true}
		return nil
	}
	var v unreachableJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*u = UnreachableStrategy{InactiveAfterSeconds: v.InactiveAfterSeconds, ExpungeAfterSeconds: v.ExpungeAfterSeconds}
	return nil
}

// Constraint restricts where instances may run: a field ("hostname", "@zone", an attribute), an operator and for some
// operators a value. Its JSON is an array of two or three strings.
type Constraint struct {
	Field    string
	Operator Operator
	Value    string
}

// Operator is the verb of a Constraint.
type Operator string

const (
	Unique  Operator = "UNIQUE"
	Cluster Operator = "CLUSTER"
	GroupBy Operator = "GROUP_BY"
	MaxPer  Operator = "MAX_PER"
	Like    Operator = "LIKE"
	Unlike  Operator = "UNLIKE"
	Is      Operator = "IS"
)

// MarshalJSON implements json.Marshaler.
func (c Constraint) MarshalJSON() ([]byte, error) {
	if c.Value == "" {
		return json.Marshal([]string{c.Field, string(c.Operator)})
	}
	return json.Marshal([]string{c.Field, string(c.Operator), c.Value})
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *Constraint) UnmarshalJSON(data []byte) error {
	var v []string
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	if len(v) != 2 && len(v) != 3 {
		return fmt.Errorf("constraint has %d fields: each constraint must have either 2 or 3 fields", len(v))
	}
	*c = Constraint{Field: v[0], Operator: Operator(v[1])}
	if len(v) == 3 {
		c.Value = v[2]
	}
	return nil
}

// Fetch is a file to bring into the sandbox before the task starts.
type Fetch struct {
	URI        string `json:"uri"`
	Cache      bool   `json:"cache"`
	DestPath   string `json:"destPath,omitempty"`
	Executable bool   `json:"executable"`
	Extract    bool   `json:"extract"`
}

// Clone returns a copy that shares no slice, map or pointer with the app.
func (a *App) Clone() *App {
	data, err := json.Marshal(a)
	if err != nil {
		panic("internal error: an app that cannot be written as JSON: " + err.Error())
	}
	c := new(App)
	if err := json.Unmarshal(data, c); err != nil {
		panic("internal error: an app that cannot be read back: " + err.Error())
	}
	return c
}
