package local

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// defaultPath is used when rollcall itself was started without a PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is what a task finds: a few of rollcall's own variables (never more: others may hold secrets), those of
// its user, then those it was given, then Mesos's, which say where the sandbox really is.
func environment(s spec, sandbox string) []string {
	env := map[string]string{
		"PATH":    cmp.Or(os.Getenv("PATH"), defaultPath),
		"HOME":    s.User.Home,
		"USER":    s.User.Name,
		"LOGNAME": s.User.Name,
		"SHELL":   "/bin/sh",
	}
	for _, name := range []string{"LANG", "LC_ALL", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	maps.Copy(env, s.Task.Env)
	env["PWD"] = sandbox
	env["MESOS_DIRECTORY"] = sandbox
	env["MESOS_SANDBOX"] = sandbox
	return list(env)
}

// fetchEnvironment is what the fetcher finds: what it takes to get through a proxy.
func fetchEnvironment() []string {
	env := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ":
			env[name] = value
		}
	}
	return list(env)
}

// list leaves out what execve(2) cannot carry.
func list(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if name != "" && !strings.ContainsAny(name, "=\x00") && !strings.Contains(env[name], "\x00") {
			out = append(out, name+"="+env[name])
		}
	}
	return out
}

// commandLine is what to execute for a task, with the program as a path.
func commandLine(task scheduler.TaskInfo, sandbox string, env []string) ([]string, error) {
	if task.Shell != "" {
		return []string{"/bin/sh", "-c", task.Shell}, nil
	}
	if len(task.Args) == 0 || task.Args[0] == "" {
		return nil, errors.New("the task has neither a command nor arguments")
	}
	program := task.Args[0]
	if strings.Contains(program, "/") {
		if !filepath.IsAbs(program) {
			program = filepath.Join(sandbox, program)
		}
		return append([]string{program}, task.Args[1:]...), nil
	}
	for _, entry := range env {
		search, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(search) {
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(sandbox, dir)
			}
			candidate := filepath.Join(dir, program)
			if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return append([]string{candidate}, task.Args[1:]...), nil
			}
		}
	}
	return nil, fmt.Errorf("executable %q is not found in PATH", program)
}
