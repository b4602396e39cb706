package scheduler

// Notice is an event of Marathon's event stream (GET /v2/events). Body is one of the types below; its JSON together
// with eventType and timestamp is what subscribers get.
type Notice struct {
	Type      string
	Timestamp Timestamp
	Body      any
}

// The types of notices that the core gives, with the type of their bodies.
const (
	NoticeAPIPost             = "api_post_event"                // APIPost
	NoticeStatusUpdate        = "status_update_event"           // StatusUpdate
	NoticeInstanceChanged     = "instance_changed_event"        // InstanceChanged
	NoticeInstanceHealth      = "instance_health_changed_event" // InstanceHealthChanged
	NoticeUnknownTerminated   = "unknown_instance_terminated_event"
	NoticeAppTerminated       = "app_terminated_event" // AppTerminated
	NoticeAddHealthCheck      = "add_health_check_event"
	NoticeRemoveHealthCheck   = "remove_health_check_event"
	NoticeFailedHealthCheck   = "failed_health_check_event"   // FailedHealthCheck
	NoticeHealthStatusChanged = "health_status_changed_event" // HealthStatusChanged
	NoticeUnhealthyKill       = "unhealthy_instance_kill_event"
	NoticeGroupSuccess        = "group_change_success" // GroupChange
	NoticeGroupFailed         = "group_change_failed"  // GroupChange
	NoticeDeploymentInfo      = "deployment_info"      // DeploymentProgress
	NoticeStepSuccess         = "deployment_step_success"
	NoticeStepFailure         = "deployment_step_failure"
	NoticeDeploymentSuccess   = "deployment_success" // DeploymentEnd
	NoticeDeploymentFailed    = "deployment_failed"  // DeploymentEnd
	NoticeRegistered          = "scheduler_registered_event"
	NoticeReregistered        = "scheduler_reregistered_event"
	NoticeDisconnected        = "scheduler_disconnected_event"
)

// Notices that Marathon does not have. A client gets them only if it asks for them: python-marathon fails on events that
// it does not know.
const (
	NoticeBreakerOpened = "health_breaker_opened_event" // Breaker
	NoticeBreakerClosed = "health_breaker_closed_event" // Breaker
)

// OwnNotice says whether Marathon has no such events.
func OwnNotice(kind string) bool { return kind == NoticeBreakerOpened || kind == NoticeBreakerClosed }

// Address is an address of a task, as Marathon writes it.
type Address struct {
	IPAddress string `json:"ipAddress"`
	Protocol  string `json:"protocol"` // "IPv4" or "IPv6"
}

// APIPost is the body of api_post_event.
type APIPost struct {
	ClientIP string `json:"clientIp"`
	URI      string `json:"uri"`
	App      *App   `json:"appDefinition"`
}

// StatusUpdate is the body of status_update_event.
type StatusUpdate struct {
	SlaveID     AgentID   `json:"slaveId"`
	TaskID      TaskID    `json:"taskId"`
	TaskStatus  TaskState `json:"taskStatus"`
	Message     string    `json:"message"`
	AppID       PathID    `json:"appId"`
	Host        string    `json:"host"`
	IPAddresses []Address `json:"ipAddresses"`
	Ports       []int     `json:"ports"`
	Version     Timestamp `json:"version"`
}

// InstanceChanged is the body of instance_changed_event.
type InstanceChanged struct {
	InstanceID     InstanceID `json:"instanceId"`
	Condition      Condition  `json:"condition"`
	RunSpecID      PathID     `json:"runSpecId"`
	AgentID        AgentID    `json:"agentId,omitempty"`
	Host           string     `json:"host,omitempty"`
	RunSpecVersion Timestamp  `json:"runSpecVersion"`
}

// InstanceHealthChanged is the body of instance_health_changed_event.
type InstanceHealthChanged struct {
	InstanceID     InstanceID `json:"instanceId"`
	RunSpecID      PathID     `json:"runSpecId"`
	Healthy        *bool      `json:"healthy"`
	RunSpecVersion Timestamp  `json:"runSpecVersion"`
}

// UnknownTerminated is the body of unknown_instance_terminated_event.
type UnknownTerminated struct {
	InstanceID InstanceID `json:"instanceId"`
	RunSpecID  PathID     `json:"runSpecId"`
	Condition  string     `json:"condition"`
}

// AppTerminated is the body of app_terminated_event.
type AppTerminated struct {
	AppID PathID `json:"appId"`
}

// HealthCheckAdded is the body of add_health_check_event.
type HealthCheckAdded struct {
	AppID       PathID      `json:"appId"`
	HealthCheck HealthCheck `json:"healthCheck"`
	Version     Timestamp   `json:"version"`
}

// HealthCheckRemoved is the body of remove_health_check_event.
type HealthCheckRemoved struct {
	AppID PathID `json:"appId"`
}

// FailedHealthCheck is the body of failed_health_check_event; TaskID holds the instance's id, as in Marathon.
type FailedHealthCheck struct {
	AppID       PathID      `json:"appId"`
	TaskID      InstanceID  `json:"taskId"`
	InstanceID  InstanceID  `json:"instanceId"`
	HealthCheck HealthCheck `json:"healthCheck"`
}

// HealthStatusChanged is the body of health_status_changed_event.
type HealthStatusChanged struct {
	AppID      PathID     `json:"appId"`
	InstanceID InstanceID `json:"instanceId"`
	TaskID     TaskID     `json:"taskId"` // read by older clients
	Version    Timestamp  `json:"version"`
	Alive      bool       `json:"alive"`
}

// UnhealthyKill is the body of unhealthy_instance_kill_event.
type UnhealthyKill struct {
	AppID      PathID     `json:"appId"`
	TaskID     TaskID     `json:"taskId"`
	InstanceID InstanceID `json:"instanceId"`
	Version    Timestamp  `json:"version"`
	Reason     string     `json:"reason"`
	Host       string     `json:"host"`
	SlaveID    AgentID    `json:"slaveId"`
}

// GroupChange is the body of group_change_success and group_change_failed; Reason is given for the latter.
type GroupChange struct {
	GroupID PathID    `json:"groupId"`
	Version Timestamp `json:"version"`
	Reason  string    `json:"reason,omitempty"`
}

// PlanSummary is a plan as events carry it.
type PlanSummary struct {
	ID      DeploymentID `json:"id"`
	Version Timestamp    `json:"version"`
	Steps   []Step       `json:"steps"`
	Plan    *Plan        `json:"-"` // all of it, for subscribers that want to know what it changes
}

// DeploymentProgress is the body of deployment_info, deployment_step_success and deployment_step_failure.
type DeploymentProgress struct {
	Plan        PlanSummary `json:"plan"`
	CurrentStep Step        `json:"currentStep"`
}

// DeploymentEnd is the body of deployment_success and deployment_failed; Reason is given for the latter.
type DeploymentEnd struct {
	ID     DeploymentID `json:"id"`
	Plan   PlanSummary  `json:"plan"`
	Reason string       `json:"reason,omitempty"`
}

// SchedulerRegistered is the body of scheduler_registered_event; of scheduler_reregistered_event without FrameworkID.
type SchedulerRegistered struct {
	FrameworkID string `json:"frameworkId,omitempty"`
	Master      string `json:"master"`
}

// SchedulerDisconnected is the body of scheduler_disconnected_event.
type SchedulerDisconnected struct{}
