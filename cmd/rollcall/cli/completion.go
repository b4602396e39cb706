package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Shells are those that Completion knows.
func Shells() []string { return []string{"bash", "fish", "zsh"} }

// flagsOf finds the flags that a help describes: name, value if it takes one, and what it is for.
var flagsOf = regexp.MustCompile(`(?m)^  (-[a-z][a-z-]*)(\[=N\]| [A-Z]\S*)?  +(\S.*)`)

// Flags with a value that a shell can complete.
var (
	fileFlags = []string{"-config", "-f", "-cacert", "-data-dir", "-save", "-from-file"}
	formFlags = []string{"-o"}
)

// candidate is what a word can be completed to.
type candidate struct{ word, about string }

// completions are what can follow the words of each command, and the flags that take a value.
type completions struct {
	keys   []string // the words of commands, "app scale"
	next   map[string][]candidate
	valued []string
}

func newCompletions(all []Usage) completions {
	c := completions{next: map[string][]candidate{}}
	add := func(key, word, about string) {
		if !slices.ContainsFunc(c.next[key], func(have candidate) bool { return have.word == word }) {
			c.next[key] = append(c.next[key], candidate{word, about})
		}
	}
	for _, u := range all {
		before := ""
		for n, word := range u.Words {
			about := u.About
			if n < len(u.Words)-1 {
				about = aboutNoun(word)
			}
			add(before, word, about)
			before = strings.TrimSpace(before + " " + word)
		}
		for _, word := range u.Choices {
			add(before, word, "")
		}
		for _, m := range flagsOf.FindAllStringSubmatch(u.Text, -1) {
			add(before, m[1], m[3])
			if strings.HasPrefix(m[2], " ") && !slices.Contains(c.valued, m[1]) {
				c.valued = append(c.valued, m[1])
			}
		}
	}
	for key := range c.next {
		c.keys = append(c.keys, key)
	}
	slices.Sort(c.keys)
	slices.Sort(c.valued)
	return c
}

func aboutNoun(word string) string {
	for _, n := range nouns() {
		if n.name == word {
			return n.about
		}
	}
	return ""
}

// Completion is a script that has a shell complete the commands whose help is given, and the ids that they take: those
// it asks the API for. The shell is one of Shells.
func Completion(shell string, all []Usage) string {
	c := newCompletions(all)
	switch shell {
	case "fish":
		return fishScript(c)
	case "zsh":
		var cases strings.Builder
		for _, key := range c.keys {
			fmt.Fprintf(&cases, "\t%q)\n\t\tfound=(\n", key)
			for _, next := range c.next[key] {
				fmt.Fprintf(&cases, "\t\t\t%s\n", quoted(strings.ReplaceAll(next.word, ":", `\:`)+":"+next.about))
			}
			cases.WriteString("\t\t)\n\t\t;;\n")
		}
		return strings.NewReplacer("VALUED", strings.Join(c.valued, " | "), "FILES", strings.Join(fileFlags, " | "), "FORMS", strings.Join(formFlags, " | "),
			"\tCASES\n", cases.String()).Replace(zshScript)
	}
	var cases strings.Builder
	for _, key := range c.keys {
		var words []string
		for _, next := range c.next[key] {
			words = append(words, next.word)
		}
		fmt.Fprintf(&cases, "\t%q) words=\"%s\" ;;\n", key, strings.Join(words, " "))
	}
	return strings.NewReplacer("VALUED", strings.Join(c.valued, " | "), "FILES", strings.Join(fileFlags, " | "), "FORMS", strings.Join(formFlags, " | "),
		"\tCASES\n", cases.String()).Replace(bashScript)
}

func fishScript(c completions) string {
	var cases strings.Builder
	for _, key := range c.keys {
		fmt.Fprintf(&cases, "\tcase %s\n\t\tprintf '%%s\\t%%s\\n'", quoted(key))
		for _, next := range c.next[key] {
			fmt.Fprintf(&cases, " \\\n\t\t\t%s %s", next.word, quoted(next.about))
		}
		cases.WriteString("\n")
	}
	return strings.NewReplacer("VALUED", strings.Join(c.valued, " "), "FILES", strings.Join(fileFlags, " "), "FORMS", strings.Join(formFlags, " "),
		"\tCASES\n", cases.String()).Replace(fishTemplate)
}

// quoted is a text as one word of zsh and fish.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`'`, `'\''`).Replace(text) + "'"
}
