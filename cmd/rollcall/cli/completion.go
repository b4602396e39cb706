package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Shells are those that Completion knows.
func Shells() []string { return []string{"bash", "fish", "zsh"} }

// flagsOf finds the flags that a help describes.
var flagsOf = regexp.MustCompile(`(?m)^  (-[a-z][a-z-]*)`)

// completions lists what can follow the words of each command, as "words of the command: what follows".
func completions(all []Usage) (keys []string, next map[string][]string) {
	next = map[string][]string{}
	for _, u := range all {
		before := ""
		for _, word := range u.Words {
			if !slices.Contains(next[before], word) {
				next[before] = append(next[before], word)
			}
			before = strings.TrimSpace(before + " " + word)
		}
		for _, m := range flagsOf.FindAllStringSubmatch(u.Text, -1) {
			next[before] = append(next[before], m[1])
		}
	}
	for key := range next {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, next
}

// Completion is a script that has a shell complete the commands whose help is given, and the ids that they take: those
// it asks the API for. The shell is one of Shells.
func Completion(shell string, all []Usage) string {
	keys, next := completions(all)
	var b strings.Builder
	if shell == "fish" {
		b.WriteString("# fish completion of rollcall\ncomplete -c rollcall -f\n")
		for _, key := range keys {
			condition := "__fish_use_subcommand"
			if words := strings.Fields(key); len(words) > 0 {
				condition = "__fish_seen_subcommand_from " + words[0]
				if len(words) > 1 {
					condition += "; and __fish_seen_subcommand_from " + words[1]
				} else if Has(words[0]) {
					condition += "; and not __fish_seen_subcommand_from " + strings.Join(next[key], " ")
				}
			}
			fmt.Fprintf(&b, "complete -c rollcall -n '%s' -a '%s'\n", condition, strings.Join(next[key], " "))
		}
		for _, noun := range withIDs {
			fmt.Fprintf(&b, "complete -c rollcall -n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s' -a '(rollcall %s list -q 2>/dev/null)'\n",
				noun, strings.Join(next[noun], " "), noun)
		}
		return b.String()
	}
	if shell == "zsh" {
		b.WriteString("(( $+functions[compdef] )) || { autoload -U compinit && compinit -D }\nautoload -U +X bashcompinit && bashcompinit\n")
	}
	b.WriteString(bashHead)
	for _, key := range keys {
		fmt.Fprintf(&b, "\t\"%s\") words=\"%s\" ;;\n", key, strings.Join(next[key], " "))
	}
	b.WriteString(bashTail)
	return b.String()
}
