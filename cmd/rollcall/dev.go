package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/sync/errgroup"
)

// runDev is rollcall dev: everything on this machine, and a word on what to try.
func runDev(ctx context.Context, c command, stdout, stderr io.Writer) error {
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
	if c.Dev.Example {
		if err := submitExample(ctx, s.apiURL()); err != nil {
			s.log.Warn("the example app was not submitted", "error", err)
			c.Dev.Example = false
		}
	}
	if err := s.welcome(stdout, c.Dev); err != nil {
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
rollcall runs on this machine, on loopback addresses only. Stop it with Ctrl-C; its tasks go on and are found again.

  Marathon API        {{.API}}
  web page            {{.API}}/ui/
  DNS                 {{.DNS}} (UDP and TCP), domain {{.Domain}}
  Mesos-DNS HTTP API  {{.HTTP}}
  agents              {{.Agents}}
  state               {{.Dir}}

Try:
{{if .Example}}
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} hello.marathon.{{.Domain}}
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} _hello._tcp.marathon.{{.Domain}} SRV
  $ curl -X PUT {{.API}}/v2/apps/hello -d '{"instances": 1}'
{{else}}
  $ curl -X POST {{.API}}/v2/apps -d '{"id": "hello", "cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "instances": 3}'
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} hello.marathon.{{.Domain}}
{{end}}  $ curl {{.API}}/v2/apps
  $ curl {{.HTTP}}/v1/hosts/hello.marathon.{{.Domain}}
  $ dig +short -p {{.DNSPort}} @{{.DNSHost}} debian.org

`))

// welcome prints where everything is and what to try.
func (s *server) welcome(w io.Writer, dev devOptions) error {
	dir, err := filepath.Abs(s.config.Scheduler.DataDir)
	if err != nil {
		return err
	}
	var agents []string
	for _, a := range s.config.Scheduler.Local.Agents {
		agents = append(agents, a.Address.String())
	}
	at := s.dnsAddr()
	return welcomeText.Execute(w, map[string]any{
		"API": s.apiURL(), "HTTP": s.httpURL(), "Domain": s.config.Zone.Domain, "Dir": dir, "Example": dev.Example,
		"DNS": at, "DNSHost": at.Addr(), "DNSPort": at.Port(), "Agents": strings.Join(agents, ", "),
	})
}
