package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asked are the scripts that have a shell say what it completes the line $1 to, by the script $2: a candidate a line.
var asked = map[string][]string{
	"bash": {"bash", "-c", `. "$2"; read -ra COMP_WORDS <<<"$1"; [[ $1 == *" " ]] && COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _rollcall; printf '%s\n' "${COMPREPLY[@]}"`, "ask"},
	"fish": {"fish", "--no-config", "-c", `source $argv[2]; complete -C $argv[1] | string replace -r '\t.*' ''; true`},
	// A shell with a terminal of its own, in which what is completed goes to a file instead.
	"zsh": {"zsh", "-f", "-c", `zmodload zsh/zpty; zpty shell zsh -f -i
		zpty -w shell "PS1=; autoload -U compinit; compinit -D; source $2; unsetopt autolist beep
			compadd() { builtin compadd -A hits \"\$@\"; print -l -- \$hits >>$3; return 0 }; bindkey '^I' complete-word; print ready >$3.ready"
		until [[ -e $3.ready ]]; do sleep 0.02; done
		zpty -w -n shell "$1"$'\t'$'\C-U'; zpty -w shell exit; zpty -r shell rest 'this never comes'; cat $3 2>/dev/null`, "ask"},
}

// Each shell completes commands, flags, their values, and the ids that the API knows.
func TestCompletion(t *testing.T) {
	const fake = "#!/bin/sh\n[ \"$*\" = 'app list -q' ] && echo /web && echo /worker\n[ \"$*\" = 'group list -q' ] && echo /g\n"
	usages := append([]Usage{{Words: []string{"dev"}, About: "it's a: test", Text: "  -example  x\n"}, {Words: []string{"tell"}, Choices: []string{"this", "that"}}}, Usages()...)
	for _, shell := range Shells() {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("%v: make deps installs it", err)
				}
				t.Skipf("SKIPPED: %v: make deps installs it", err)
			}
			dir := t.TempDir()
			script := filepath.Join(dir, "script")
			if err := os.WriteFile(filepath.Join(dir, "rollcall"), []byte(fake), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(script, []byte(Completion(shell, usages)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "file.json"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, tt := range []struct{ line, want string }{
				{"rollcall d", "debug deployment dev dns"},
				{"rollcall dev -", "-example"},
				{"rollcall tell th", "that this"},
				{"rollcall app s", "scale show stop"},
				{"rollcall app -url http://h:1 s", "scale show stop"},
				{"rollcall app scale /w", "/web /worker"},
				{"rollcall app scale -force /we", "/web"},
				{"rollcall task list /we", "/web"},
				{"rollcall app list /", "/g"},
				{"rollcall app scale -fo", "-force"},
				{"rollcall app list -o ", "json text"},
				{"rollcall app apply -f file", "file.json"},
				{"rollcall nonsense x", ""},
			} {
				ask := asked[shell]
				c := exec.CommandContext(t.Context(), ask[0], append(slices.Clone(ask[1:]), tt.line, script, filepath.Join(t.TempDir(), "found"))...)
				c.Dir = dir
				c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "TERM=dumb")
				out, err := c.Output()
				if err != nil {
					t.Fatalf("%s: %v\n%s", tt.line, err, out)
				}
				found := strings.Fields(string(out))
				slices.Sort(found)
				if diff := cmp.Diff(tt.want, strings.Join(slices.Compact(found), " ")); diff != "" {
					t.Errorf("%q (-want +got):\n%s", tt.line, diff)
				}
			}
		})
	}
}
