package local

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// verdict is what a check's result means for its task.
type verdict struct {
	report bool // tell the scheduler
	kill   bool
}

// healthCount counts results of the check of one task as Mesos's executors do.
type healthCount struct {
	passed   bool // at least once
	failures int  // in a row
}

// record takes in a result, age after the task began to run. Failures within the grace period count for nothing until
// the first success; every other failure is reported, and so is the first success after failures or at all.
// MaxConsecutiveFailures 0 kills at the first failure.
func (h *healthCount) record(healthy bool, age time.Duration, check scheduler.HealthCheck) verdict {
	if healthy {
		v := verdict{report: !h.passed || h.failures > 0}
		h.passed, h.failures = true, 0
		return v
	}
	if !h.passed && age <= seconds(check.GracePeriodSeconds) {
		return verdict{}
	}
	h.failures++
	return verdict{report: true, kill: h.failures >= check.MaxConsecutiveFailures}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// checker runs the health check of one task.
type checker struct {
	check   scheduler.HealthCheck
	address netip.Addr // where the port to check is
	spec    spec
	dir     taskDir
}

// run makes the check after its delay and then again and again, an interval after each result, until ctx ends.
// Results go to report, nil for a success.
func (c *checker) run(ctx context.Context, report func(error)) {
	timer := time.NewTimer(seconds(c.check.DelaySeconds))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		report(err)
		timer.Reset(max(seconds(c.check.IntervalSeconds), 100*time.Millisecond)) // an interval of 0 must not spin
	}
}

func (c *checker) once(ctx context.Context) error {
	if c.check.TimeoutSeconds > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, seconds(c.check.TimeoutSeconds),
			fmt.Errorf("no result after %d seconds", c.check.TimeoutSeconds))
		defer cancel()
		ctx = limited
	}
	var err error
	switch c.check.Protocol {
	case scheduler.ProtocolCommand:
		err = c.command(ctx)
	case scheduler.ProtocolMesosTCP:
		err = c.tcp(ctx)
	case scheduler.ProtocolMesosHTTP:
		err = c.http(ctx, "http")
	case scheduler.ProtocolMesosHTTPS:
		err = c.http(ctx, "https")
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// command runs the check as the task itself is run, but for its limits; all that it started is killed with it.
func (c *checker) command(ctx context.Context) error {
	if c.check.Command == nil {
		return errors.New("COMMAND check has no command")
	}
	if c.spec.Container != nil {
		return c.inContainer(ctx)
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.check.Command.Value)
	cmd.Dir, cmd.Env = c.dir.sandbox(), environment(c.spec, c.dir.sandbox())
	var output tail
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: c.spec.User.credential()}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for children of its own that left the group with our pipe
	err := runConfined(cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		text := strings.TrimPrefix(exitMessage(exit.Sys().(syscall.WaitStatus)), "Command ")
		if said := strings.TrimSpace(output.String()); said != "" {
			text += ": " + said
		}
		return errors.New(text)
	}
	return err
}

// runConfined runs a command that can gain no privileges and that dies with this process. Both hang on the thread that
// starts it, so that it gets one of its own, which ends with the goroutine.
func runConfined(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			done <- fmt.Errorf("giving up new privileges: %w", err)
			return
		}
		done <- cmd.Run()
	}()
	return <-done
}

func (c *checker) target() (string, error) {
	if c.check.Port == nil {
		return "", errors.New("the check has no port")
	}
	return net.JoinHostPort(c.address.String(), strconv.Itoa(*c.check.Port)), nil
}

func (c *checker) tcp(ctx context.Context) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	return conn.Close()
}

// http wants a status of 200 to 399, and does not verify certificates (Mesos's checker uses curl -k).
func (c *checker) http(ctx context.Context, scheme string) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	path, query, _ := strings.Cut(c.check.Path, "?")
	u := url.URL{Scheme: scheme, Host: target, Path: "/" + strings.TrimPrefix(path, "/"), RawQuery: query}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = reply.Body.Close()
	if reply.StatusCode < 200 || reply.StatusCode > 399 {
		return fmt.Errorf("HTTP status %s", reply.Status)
	}
	return nil
}

// tail keeps the end of what is written into it.
type tail struct{ bytes.Buffer }

const tailSize = 512

func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p)
	if extra := t.Len() - tailSize; extra > 0 {
		t.Next(extra)
	}
	return len(p), nil
}
