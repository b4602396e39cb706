package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/cmd/rollcall/cli"
	"rollcall/cmd/rollcall/client"
	"rollcall/scheduler"
)

// runDev is rollcall dev: everything on this machine, and a word on what to try.
func runDev(ctx context.Context, c command, stdout, stderr io.Writer) error {
	began := time.Now()
	configured, err := devConfig(c.Dev)
	if err != nil {
		return err
	}
	l := newLogging(c.Verbosity)
	s, err := newServer(configured, l.logger(stderr))
	if err != nil {
		return err
	}
	s.logging = l
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.run(ctx, nil) })
	running := 0
	if c.Dev.Example {
		if err := submitExample(ctx, s.apiURL()); err != nil {
			s.log.Warn("the example app was not submitted", "error", err)
			c.Dev.Example = false
		} else {
			running = s.exampleTasks(ctx)
		}
	}
	if err := s.welcome(stdout, c.Dev, running, time.Since(began)); err != nil {
		return fmt.Errorf("printing what to try: %w", err)
	}
	return group.Wait()
}

// exampleApp is what "rollcall dev -example" submits: it needs nothing but a shell.
const exampleApp = `{
  "id": "/hello",
  "cmd": "while sleep 5; do echo $(date -u +%T) hello from $HOST:$PORT0; done",
  "cpus": 0.1,
  "mem": 32,
  "instances": 3,
  "constraints": [["hostname", "UNIQUE"]]
}`

const (
	exampleID     = "/hello"
	exampleWithin = 5 * time.Second // until the welcome says what there is
)

// exampleTasks waits until the tasks of the example run, and returns how many do.
func (s *server) exampleTasks(ctx context.Context) (running int) {
	ctx, cancel := context.WithTimeout(ctx, exampleWithin)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		state := s.scheduling.Load().loop.State()
		app := state.App(exampleID)
		running = 0
		for i := range state.Instances(exampleID) {
			if i.Condition == scheduler.Running {
				running++
			}
		}
		if app == nil || running >= app.Instances {
			return running
		}
		select {
		case <-ctx.Done():
			return running
		case <-look.C:
		}
	}
}

// submitExample posts the example app to the API. That it is there already, from an earlier run, is fine.
func submitExample(ctx context.Context, apiURL string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, apiURL+"/v2/apps", strings.NewReader(exampleApp))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusCreated || response.StatusCode == http.StatusConflict {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(body))
}

// welcomeText tells where everything is and what to try; each line of it that begins with $ is a command.
var welcomeText = template.Must(template.New("welcome").Parse(`
{{.Bold}}rollcall is running{{.Plain}}, on loopback addresses only. Stop it with Ctrl-C; its tasks keep running and are found again.
{{if .Example}}{{if .Running}}
The example app /hello is running: {{.Running}} tasks, whose names resolved {{.Seconds}} s after the start.
{{else}}
No task of the example app /hello is running yet. Its page says why: {{.API}}/ui/#/app/hello?tab=debug
{{end}}{{end}}
  {{.Bold}}Web page{{.Plain}}            {{.API}}/ui/
  {{.Bold}}DNS{{.Plain}}                 {{.DNS}} (UDP and TCP), domain {{.Domain}}
  Marathon API        {{.API}}
  Mesos-DNS HTTP API  {{.HTTP}}
  agents              {{.Agents}}
  state               {{.Dir}}

{{.Bold}}Look up names:{{.Plain}}
{{if .Example}}
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} hello.marathon.{{.Domain}}
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} _hello._tcp.marathon.{{.Domain}} SRV
  $ curl {{.HTTP}}/v1/hosts/hello.marathon.{{.Domain}}
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} debian.org

{{.Bold}}Change what runs, and look again:{{.Plain}}

  $ curl -X PUT {{.API}}/v2/apps/hello -d '{"instances": 1}'
{{else}}
  $ curl -X POST {{.API}}/v2/apps -d '{"id": "hello", "cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "instances": 3}'
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} hello.marathon.{{.Domain}}
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} debian.org

{{.Bold}}See what runs:{{.Plain}}

{{end}}  $ curl {{.API}}/v2/apps
  $ {{.Self}} app list{{.URL}}
  $ {{.Self}} app logs{{.URL}} -follow hello

rollcall's log follows.

`))

// welcome prints where everything is and what to try. running is how many tasks of the example run, passed how long the
// start took.
func (s *server) welcome(w io.Writer, dev devOptions, running int, passed time.Duration) error {
	dir, err := filepath.Abs(s.config.Scheduler.DataDir)
	if err != nil {
		return err
	}
	var agents []string
	for _, a := range s.config.Scheduler.Local.Agents {
		agents = append(agents, a.Address.String())
	}
	bold, plain := cli.Bold(w, os.Getenv)
	url := ""
	if s.apiURL() != client.DefaultURL {
		url = " -url " + s.apiURL()
	}
	at := s.dnsAddr()
	return welcomeText.Execute(w, map[string]any{
		"API": s.apiURL(), "HTTP": s.httpURL(), "Domain": s.config.Zone.Domain, "Dir": dir, "Example": dev.Example,
		"DNS": at, "DNSHost": at.Addr(), "DNSPort": at.Port(), "Agents": strings.Join(agents, ", "),
		"Running": running, "Seconds": fmt.Sprintf("%.1f", passed.Seconds()), "Bold": bold, "Plain": plain, "Self": os.Args[0], "URL": url,
	})
}
