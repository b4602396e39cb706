package mesosmaster

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// healthCheck is what an executor reads of a HealthCheck.
type healthCheck struct {
	Type    string   `json:"type"`
	Command *command `json:"command,omitempty"`
	HTTP    *struct {
		Scheme string `json:"scheme"`
		Port   int    `json:"port"`
		Path   string `json:"path"`
	} `json:"http,omitempty"`
	TCP *struct {
		Port int `json:"port"`
	} `json:"tcp,omitempty"`
	DelaySeconds        float64 `json:"delay_seconds"`
	IntervalSeconds     float64 `json:"interval_seconds"`
	TimeoutSeconds      float64 `json:"timeout_seconds"`
	GracePeriodSeconds  float64 `json:"grace_period_seconds"`
	ConsecutiveFailures int     `json:"consecutive_failures"`
}

// process is a task's process.
type process struct {
	command *exec.Cmd
	done    chan struct{}
}

func (p *process) pid() int { return p.command.Process.Pid }

// end sends SIGTERM, and SIGKILL after the grace.
func (p *process) end(grace time.Duration) {
	pid := p.command.Process.Pid
	if grace > 0 {
		syscall.Kill(-pid, syscall.SIGTERM) //nolint:errcheck // it may have ended
		select {
		case <-p.done:
		case <-time.After(grace):
		}
	}
	syscall.Kill(-pid, syscall.SIGKILL) //nolint:errcheck // likewise
	<-p.done
}

// start starts the task's process in a sandbox of its own, as the command executor does.
func (t *task) start() {
	c := t.info.Command.build()
	dir := filepath.Join(t.agent.cluster.options.Dir, t.info.TaskID.Value)
	t.agent.sandboxes[t.info.TaskID.Value] = t.framework
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.update("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", err.Error())
		return
	}
	for _, uri := range t.info.Command.URIs {
		if fetch := t.agent.cluster.options.Fetch; fetch != nil {
			if err := fetch(uri.Value, dir); err != nil {
				t.update("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", "Failed to fetch all URIs: "+err.Error())
				return
			}
		}
	}
	c.Dir, c.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Env = append(os.Environ(), "MESOS_SANDBOX="+dir)
	c.Env = append(c.Env, t.info.Command.environment()...)
	for name, output := range map[string]*io.Writer{"stdout": &c.Stdout, "stderr": &c.Stderr} {
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.update("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", err.Error())
			return
		}
		defer file.Close()
		*output = file
	}
	t.update("TASK_STARTING", "", "")
	if err := c.Start(); err != nil {
		t.update("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", err.Error())
		return
	}
	t.process = &process{command: c, done: make(chan struct{})}
	t.update("TASK_RUNNING", "", "")
	go t.wait(t.process)
	if t.info.HealthCheck != nil {
		go t.check(t.process, t.info.HealthCheck)
	}
}

func (c *command) build() *exec.Cmd {
	var program string
	if c.Value != nil {
		program = *c.Value
	}
	if c.Shell == nil || *c.Shell {
		return exec.Command("/bin/sh", "-c", program)
	}
	built := exec.Command(program)
	if len(c.Arguments) > 0 {
		built.Args = c.Arguments
	}
	return built
}

// wait tells how the process ended.
func (t *task) wait(p *process) {
	err := p.command.Wait()
	close(p.done)
	t.agent.cluster.mu.Lock()
	defer t.agent.cluster.mu.Unlock()
	switch {
	case t.state == "TASK_KILLING":
		t.update("TASK_KILLED", "", "Command terminated with signal Terminated")
	case err == nil:
		t.update("TASK_FINISHED", "", "Command exited with status 0")
	default:
		t.update("TASK_FAILED", "REASON_COMMAND_EXECUTOR_FAILED", "Command exited with "+err.Error())
	}
}

// check makes the task's health check and tells of each change, and kills it as the executor does.
func (t *task) check(p *process, h *healthCheck) {
	time.Sleep(duration(h.DelaySeconds))
	began, failures := time.Now(), 0
	for {
		healthy := t.probe(h)
		t.agent.cluster.mu.Lock()
		if healthy {
			failures = 0
		} else if t.healthy != nil || time.Since(began) > duration(h.GracePeriodSeconds) {
			failures++
		}
		changed := t.healthy == nil || *t.healthy != healthy || !healthy
		if changed && (healthy || failures > 0) && t.state == "TASK_RUNNING" {
			t.healthy = &healthy
			t.update("TASK_RUNNING", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", "")
		}
		kill := failures > 0 && failures >= h.ConsecutiveFailures
		if kill {
			t.kill()
		}
		t.agent.cluster.mu.Unlock()
		select {
		case <-p.done:
			return
		case <-time.After(duration(h.IntervalSeconds)):
		}
		if kill {
			return
		}
	}
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (t *task) probe(h *healthCheck) bool {
	timeout := duration(h.TimeoutSeconds)
	switch {
	case h.Command != nil:
		c := h.Command.build()
		c.Env = append(os.Environ(), t.info.Command.environment()...)
		return c.Run() == nil
	case h.HTTP != nil:
		client := http.Client{Timeout: timeout}
		response, err := client.Get(fmt.Sprintf("%s://%s%s", h.HTTP.Scheme,
			net.JoinHostPort(t.agent.options.IP, strconv.Itoa(h.HTTP.Port)), "/"+strings.TrimPrefix(h.HTTP.Path, "/")))
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode < 400
	case h.TCP != nil:
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(t.agent.options.IP, strconv.Itoa(h.TCP.Port)), timeout)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	return false
}
