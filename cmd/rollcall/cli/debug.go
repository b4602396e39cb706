package cli

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

const bundleText = `Attach the file to a bug report. It has the version, state, queue, deployments, agents and metrics and, if rollcall runs
on this machine, its configuration, the end of its log and Go's profiles. What may be secret is left out: commands,
arguments, environments and labels of apps, and passwords in the configuration and in URLs are replaced by "(hidden)" or
"[redacted]". Check the file before you hand it on. What could not be collected is listed in problems.txt. Prints the
name of the file.`

func debugNoun() noun {
	return noun{"debug", "help for finding faults", []verb{
		{name: "bundle", args: "[FILE]", about: "collects state, log, metrics and profiles of a rollcall in a .tar.gz file",
			more: bundleText, plain: true, prepare: writeBundle},
	}}
}

// bundled are the parts of a bundle.
var bundled = []struct {
	file, path string
	query      url.Values
}{
	{"info.json", "/v2/info", nil},
	{"leader.json", "/v2/leader", nil},
	{"apps.json", "/v2/apps", url.Values{"embed": {"apps.counts", "apps.tasks", "apps.deployments", "apps.lastTaskFailure"}}},
	{"queue.json", "/v2/queue", url.Values{"embed": {"lastUnusedOffers"}}},
	{"deployments.json", "/v2/deployments", nil},
	{"agents.json", "/rollcall/agents", nil},
	{"ready.json", "/readyz", nil},
	{"metrics.txt", "/metrics", nil},
	{"config.json", "/debug/config", nil},
	{"log.txt", "/debug/log", nil},
	{"goroutines.txt", "/debug/pprof/goroutine", url.Values{"debug": {"1"}}},
	{"heap.pprof", "/debug/pprof/heap", nil},
}

// hidden are members of apps that may hold secrets.
var hidden = map[string]bool{"args": true, "cmd": true, "command": true, "credential": true, "env": true, "labels": true, "parameters": true, "uri": true, "value": true}

// inURL is the name and password in a URL, which a task's message may repeat.
var inURL = regexp.MustCompile(`://[^\s/@"]+@`)

func writeBundle(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		now := time.Now()
		name := "rollcall-" + now.UTC().Format("20060102T150405Z") + ".tar.gz"
		if len(args) > 0 {
			name = args[0]
		}
		var parts []part
		var problems bytes.Buffer
		for _, b := range bundled {
			data, err := s.client.Text(ctx, b.path, b.query)
			switch {
			case err != nil:
			case b.file == "log.txt":
				data = inURL.ReplaceAll(data, []byte("://(hidden)@"))
			case strings.HasSuffix(b.file, ".json"):
				data, err = hideSecrets(data)
			}
			if err != nil {
				fmt.Fprintf(&problems, "%s: %v\n", b.path, err)
				continue
			}
			parts = append(parts, part{b.file, data})
		}
		if len(parts) == 0 {
			return fmt.Errorf("there is nothing to write:\n%s", problems.Bytes())
		}
		parts = append(parts, part{"problems.txt", problems.Bytes()})
		// It may tell more than its reader thinks: nobody else is to read it.
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("making the bundle: %w", err)
		}
		if err := cmp.Or(packParts(f, parts, now), f.Close()); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
		return s.lines([]string{name})
	}
}

// part is a file of a bundle.
type part struct {
	name string
	data []byte
}

func packParts(w io.Writer, parts []part, at time.Time) error {
	packed := gzip.NewWriter(w)
	archive := tar.NewWriter(packed)
	for _, p := range parts {
		if err := archive.WriteHeader(&tar.Header{Name: "rollcall/" + p.name, Mode: 0o600, Size: int64(len(p.data)), ModTime: at}); err != nil {
			return err
		}
		if _, err := archive.Write(p.data); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return packed.Close()
}

// hideSecrets writes JSON anew, indented, without what may be secret.
func hideSecrets(data []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return json.MarshalIndent(hide(v), "", "  ")
}

func hide(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if hidden[key] && !empty(inner) {
				v[key] = "(hidden)"
			} else {
				v[key] = hide(inner)
			}
		}
	case []any:
		for n, inner := range v {
			v[n] = hide(inner)
		}
	}
	return v
}
