package mesosmaster

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"unicode"
)

// What masters refuse, and in which words: src/master/validation.cpp, src/common/validation.cpp, src/common/roles.cpp and
// src/common/resources.cpp of Mesos 1.11.

// checkCall says what is wrong with a call in itself, and which status it is answered with.
func checkCall(r *http.Request, body []byte, c *call) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("Failed to parse body into JSON: %w", err) //nolint:staticcheck // Mesos's words, as all below
	}
	if members, ok := value.(map[string]any); ok {
		// An enum's name that is not known is none.
		if kind, ok := members["type"].(string); ok && !isOneOf(messages["Call"]["type"], kind) {
			delete(members, "type")
		}
	}
	if err := checkMessage("Call", nil, value); err != nil {
		return fmt.Errorf("Failed to convert JSON into Call protobuf: %w", err)
	}
	if err := json.Unmarshal(body, c); err != nil {
		return fmt.Errorf("Failed to convert JSON into Call protobuf: %w", err)
	}
	if err := c.validate(value.(map[string]any)); err != nil {
		return fmt.Errorf("Failed to validate scheduler::Call: %w", err)
	}
	if subscribe, ok := value.(map[string]any)["subscribe"].(map[string]any); ok {
		c.Subscribe.info, _ = subscribe["framework_info"].(map[string]any)
	}
	if c.Type == "SUBSCRIBE" && r.Header.Get("Mesos-Stream-Id") != "" {
		return errors.New("Subscribe calls should not include the 'Mesos-Stream-Id' header")
	}
	return nil
}

// validate says what is wrong with a call whose form is right.
func (c *call) validate(members map[string]any) error {
	if members["type"] == nil {
		return errors.New("Expecting 'type' to be present")
	}
	if c.Type != "SUBSCRIBE" && members["framework_id"] == nil {
		return errors.New("Expecting 'framework_id' to be present")
	}
	needed := map[string]string{"SUBSCRIBE": "subscribe", "ACCEPT": "accept", "DECLINE": "decline", "KILL": "kill", "ACKNOWLEDGE": "acknowledge",
		"RECONCILE": "reconcile", "ACCEPT_INVERSE_OFFERS": "accept_inverse_offers", "DECLINE_INVERSE_OFFERS": "decline_inverse_offers"}[c.Type]
	if needed != "" && members[needed] == nil {
		return fmt.Errorf("Expecting '%s' to be present", needed)
	}
	switch c.Type {
	case "SUBSCRIBE":
		if c.Subscribe.FrameworkInfo.ID.Value != c.FrameworkID.Value {
			return errors.New("'framework_id' differs from 'subscribe.framework_info.id'")
		}
	case "ACKNOWLEDGE":
		if uuid, err := base64.StdEncoding.DecodeString(c.Acknowledge.UUID); err != nil || len(uuid) != 16 {
			return errors.New("Not a valid UUID")
		}
	}
	return nil
}

// frameworkInfo is what is read of a FrameworkInfo.
type frameworkInfo struct {
	User            string   `json:"user"`
	ID              wrapped  `json:"id"`
	Role            *string  `json:"role"`
	Roles           []string `json:"roles"`
	FailoverTimeout float64  `json:"failover_timeout"`
	Checkpoint      bool     `json:"checkpoint"`
	Principal       string   `json:"principal"`
	Capabilities    []struct {
		Type string `json:"type"`
	} `json:"capabilities"`
}

func (i *frameworkInfo) capable(of string) bool {
	for _, c := range i.Capabilities {
		if c.Type == of {
			return true
		}
	}
	return false
}

// validate says what an ERROR event says.
func (i *frameworkInfo) validate() error {
	switch multi := i.capable("MULTI_ROLE"); {
	case multi && i.Role != nil:
		return errors.New("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable")
	case !multi && len(i.Roles) > 0:
		return errors.New("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable")
	}
	seen := map[string]bool{}
	for _, role := range i.Roles {
		if seen[role] {
			return fmt.Errorf("'FrameworkInfo.roles' contains duplicate items: { %s }", role)
		}
		seen[role] = true
		if err := validateRole(role); err != nil {
			return fmt.Errorf("'FrameworkInfo.roles' contains invalid role: %w", err)
		}
	}
	if i.ID.Value != "" {
		if err := validateID(i.ID.Value); err != nil {
			return err
		}
	}
	if math.Abs(i.FailoverTimeout) > math.MaxInt64/1e9 {
		return fmt.Errorf("The framework failover_timeout (%v) is invalid", i.FailoverTimeout)
	}
	return nil
}

func validateRole(role string) error {
	if role == "*" {
		return nil
	}
	for component := range strings.SplitSeq(role, "/") {
		switch {
		case component == "":
			return fmt.Errorf("Role '%s' has an empty component", role)
		case component == ".", component == "..", component == "*":
			return fmt.Errorf("Role component '%s' is invalid", component)
		case strings.HasPrefix(component, "-"):
			return fmt.Errorf("Role component '%s' is invalid because it begins with a dash", component)
		case strings.ContainsFunc(component, unicode.IsSpace), strings.Contains(component, "\b"):
			return fmt.Errorf("Role component '%s' is invalid because it contains backspace or whitespace", component)
		}
	}
	return nil
}

func validateID(id string) error {
	switch {
	case id == "":
		return errors.New("ID must not be empty")
	case len(id) > 255:
		return errors.New("ID must not be greater than 255 characters")
	case id == ".", id == "..":
		return fmt.Errorf("'%s' is disallowed", id)
	case strings.ContainsFunc(id, unicode.IsControl), strings.ContainsAny(id, `/\`):
		return fmt.Errorf("'%s' contains invalid characters", id)
	}
	return nil
}

// CheckCall says what is wrong with a call, which is JSON: what a master would refuse, whatever it knows, and the members
// and names that it would pass over.
func CheckCall(body []byte) error {
	var c call
	if err := checkCall(&http.Request{}, body, &c); err != nil {
		return err
	}
	for _, operation := range c.Accept.Operations {
		for _, info := range operation.Launch.TaskInfos {
			if err := info.check(); err != nil {
				return fmt.Errorf("task %q: %w", info.TaskID.Value, err)
			}
		}
	}
	return nil
}

// validate says why a task cannot be launched on an agent, with what is left of the offers that are allocated to a role.
func (t *taskInfo) validate(a *Agent, f *framework, role string, left []resource) error {
	if a.cluster.tasks[taskKey{f.id, t.TaskID.Value}] != nil {
		return fmt.Errorf("Task has duplicate ID: %s", t.TaskID.Value)
	}
	if err := t.check(); err != nil {
		return err
	}
	if t.AgentID.Value != a.id {
		return fmt.Errorf("Task uses invalid agent %s while agent %s is expected", t.AgentID.Value, a.id)
	}
	for _, r := range t.Resources {
		if r.Allocation != nil && r.Allocation.Role != role {
			return fmt.Errorf("Invalid task resources: %s is allocated to '%s', the offers to '%s'", r.Name, r.Allocation.Role, role)
		}
	}
	if _, ok := subtract(left, t.Resources); !ok {
		return fmt.Errorf("Total resources %v required by task and its executor is more than available %v", document(t.Resources), document(left))
	}
	return nil
}

// check says what is wrong with a task in itself.
func (t *taskInfo) check() error {
	if err := validateID(t.TaskID.Value); err != nil {
		return err
	}
	if t.KillPolicy != nil && t.KillPolicy.GracePeriod.Nanoseconds < 0 {
		return errors.New("Task's 'kill_policy.grace_period' must be non-negative")
	}
	if t.HealthCheck != nil {
		if err := t.HealthCheck.validate(); err != nil {
			return fmt.Errorf("Task uses invalid health check: %w", err)
		}
	}
	if len(t.Resources) == 0 {
		return errors.New("Task uses no resources")
	}
	for _, r := range t.Resources {
		if err := r.validate(); err != nil {
			return fmt.Errorf("Task uses invalid resources: Invalid resources: %w", err)
		}
	}
	if t.Command == nil {
		return errors.New("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")
	}
	if err := t.Command.validate(); err != nil {
		return fmt.Errorf("Task's `CommandInfo` is invalid: %w", err)
	}
	if t.Container != nil {
		if err := validateContainer(t.Container); err != nil {
			return fmt.Errorf("Task's `ContainerInfo` is invalid: %w", err)
		}
	}
	return nil
}

func (h *healthCheck) validate() error {
	switch h.Type {
	case "COMMAND":
		if h.Command == nil {
			return errors.New("Expecting 'command' to be set for COMMAND health check")
		}
		if h.Command.Value == nil {
			return errors.New("Command health check must contain 'shell command'")
		}
		if err := h.Command.validate(); err != nil {
			return fmt.Errorf("Health check's `CommandInfo` is invalid: %w", err)
		}
	case "HTTP":
		switch {
		case h.HTTP == nil:
			return errors.New("Expecting 'http' to be set for HTTP health check")
		case h.HTTP.Scheme != "" && h.HTTP.Scheme != "http" && h.HTTP.Scheme != "https":
			return fmt.Errorf("Unsupported HTTP health check scheme: '%s'", h.HTTP.Scheme)
		case h.HTTP.Path != "" && !strings.HasPrefix(h.HTTP.Path, "/"):
			return fmt.Errorf("The path '%s' of HTTP health check must start with '/'", h.HTTP.Path)
		}
	case "TCP":
		if h.TCP == nil {
			return errors.New("Expecting 'tcp' to be set for TCP health check")
		}
	default:
		return errors.New("HealthCheck must specify 'type'")
	}
	for name, seconds := range map[string]float64{"delay_seconds": h.DelaySeconds, "grace_period_seconds": h.GracePeriodSeconds,
		"interval_seconds": h.IntervalSeconds, "timeout_seconds": h.TimeoutSeconds} {
		if seconds < 0 {
			return fmt.Errorf("Expecting '%s' to be non-negative", name)
		}
	}
	return nil
}

func (c *command) validate() error {
	for _, v := range c.Environment.Variables {
		if v.Value == nil {
			return fmt.Errorf("Environment variable '%s' of type 'VALUE' must have a value set", v.Name)
		}
	}
	return nil
}

// validate says what is wrong with a resource, in the format that goes with RESERVATION_REFINEMENT.
func (r *resource) validate() error {
	switch {
	case r.Name == "":
		return errors.New("Empty resource name")
	case r.Role != "":
		return fmt.Errorf("'Resource.role' of %s must not be set beside RESERVATION_REFINEMENT", r.Name)
	case r.Type == "SCALAR" && (r.Scalar == nil || r.Ranges != nil), r.Type == "RANGES" && (r.Ranges == nil || r.Scalar != nil), r.Type == "SET":
		return fmt.Errorf("Invalid %s resource %s", strings.ToLower(r.Type), r.Name)
	case r.Scalar != nil && r.Scalar.Value < 0:
		return fmt.Errorf("Invalid scalar resource: value < 0 for %s", r.Name)
	case r.Name == "gpus" && r.Scalar != nil && r.Scalar.Value != math.Trunc(r.Scalar.Value):
		return errors.New("The 'gpus' resource must be an unsigned integer")
	}
	if r.Ranges == nil {
		return nil
	}
	for n, s := range r.Ranges.Range {
		if s.Begin > s.End {
			return fmt.Errorf("Invalid ranges resource: begin > end")
		}
		for _, other := range r.Ranges.Range[:n] {
			if s.Begin <= other.End && other.Begin <= s.End {
				return errors.New("Invalid ranges resource: overlapping ranges")
			}
		}
	}
	return nil
}

// validateContainer checks a ContainerInfo, and beside what masters check, that agents could run it.
func validateContainer(data []byte) error {
	var c struct {
		Type    string `json:"type"`
		Volumes []struct {
			HostPath *string `json:"host_path"`
			Image    *any    `json:"image"`
			Source   *any    `json:"source"`
		} `json:"volumes"`
		Docker *struct {
			Network    string              `json:"network"`
			Parameters []map[string]string `json:"parameters"`
		} `json:"docker"`
		Networks []struct {
			Name string `json:"name"`
		} `json:"network_infos"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return err
	}
	for _, v := range c.Volumes {
		count := 0
		for _, set := range []bool{v.HostPath != nil, v.Image != nil, v.Source != nil} {
			if set {
				count++
			}
		}
		if count != 1 {
			return errors.New("Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'")
		}
	}
	if c.Type != "DOCKER" {
		return nil
	}
	if c.Docker == nil {
		return errors.New("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo")
	}
	for _, p := range c.Docker.Parameters {
		if p["key"] == "name" {
			return errors.New("Parameter in DockerInfo must not be 'name'")
		}
	}
	// src/docker/docker.cpp: RunOptions.
	if user := c.Docker.Network == "USER"; user && (len(c.Networks) != 1 || c.Networks[0].Name == "") {
		return fmt.Errorf("Docker runs a container in one network of the user's, which has a name: there are %d", len(c.Networks))
	}
	return nil
}
