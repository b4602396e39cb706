// Package cli is the commands that ask a running rollcall, or a Marathon, over its HTTP API: apps, groups, deployments,
// tasks, agents and names. What they print is for people, with -o json for programs.
//
// A command is a noun and a verb. The table of nouns is all there is: parsing, help, completion and the manual page
// are made from it.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"rollcall/cmd/rollcall/client"
)

// Environment is what a command has to work with.
type Environment struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer // results, and what is told while they are waited for
	Getenv         func(string) string
	Interval       time.Duration // between two looks at what changes
}

// Interval is how often what changes is looked at, for people to see it happen.
const Interval = 500 * time.Millisecond

// noun is what commands are about.
type noun struct {
	name, about string
	verbs       []verb
}

// verb is what can be done to a noun.
type verb struct {
	name  string
	args  string // "ID [VERSION]", "ID..."
	about string // a line
	more  string // the rest of its help
	plain bool   // it has no JSON form
	rest  bool   // what follows its first argument is another command's, flags included
	// prepare defines the verb's flags and returns what it does with them.
	prepare func(flags *flag.FlagSet) action
}

// action does what a command says. There are as many arguments as the verb wants.
type action func(ctx context.Context, s *session, args []string) error

func nouns() []noun {
	return []noun{appNoun(), groupNoun(), deploymentNoun(), taskNoun(), agentNoun(), dnsNoun(), debugNoun()}
}

// Has tells whether a word is the noun of commands of this package.
func Has(name string) bool {
	return slices.ContainsFunc(nouns(), func(n noun) bool { return n.name == name })
}

// Nouns are the words that begin commands of this package.
func Nouns() []string {
	var names []string
	for _, n := range nouns() {
		names = append(names, n.name)
	}
	return names
}

// Run does what the arguments, the first of which is a noun, ask for. ExitCode says what its error means to a shell.
func Run(ctx context.Context, args []string, env Environment) error {
	all := nouns()
	at := slices.IndexFunc(all, func(n noun) bool { return len(args) > 0 && n.name == args[0] })
	if at < 0 {
		return &usageError{"no such command", "rollcall -h"}
	}
	n, help := all[at], "rollcall "+args[0]+" -h"
	if len(args) == 1 {
		return &usageError{"a command is missing; " + n.has(), help}
	}
	if isHelp(args[1]) {
		if len(args) > 2 {
			return Run(ctx, []string{args[0], args[2], "-h"}, env)
		}
		_, err := io.WriteString(env.Stdout, n.usage())
		return err
	}
	at = slices.IndexFunc(n.verbs, func(v verb) bool { return v.name == args[1] })
	if at < 0 {
		return &usageError{n.unknown(args[1]), help}
	}
	return n.verbs[at].run(ctx, n.name, args[2:], env)
}

// synonyms are words that others use for our verbs.
var synonyms = map[string][]string{"ls": {"list"}, "get": {"show"}, "describe": {"show"}, "inspect": {"show"}, "status": {"show", "list"},
	"delete": {"remove", "cancel", "kill"}, "rm": {"remove", "cancel", "kill"}, "destroy": {"remove"}, "kill": {"stop", "cancel"},
	"suspend": {"stop"}, "start": {"create"}, "run": {"create", "exec"}, "add": {"create"}, "update": {"apply"}, "deploy": {"apply"},
	"edit": {"apply"}, "undo": {"rollback", "cancel"}, "wait": {"watch"}, "follow": {"watch"}, "query": {"lookup"}, "resolve": {"lookup"}}

// unknown says that there is no such verb, and which one may have been meant.
func (n noun) unknown(word string) string {
	text := fmt.Sprintf("unknown command %q; ", n.name+" "+word)
	names := n.verbNames()
	for _, other := range append(synonyms[word], Nearest(word, names)) {
		if slices.Contains(names, other) {
			return text + fmt.Sprintf("did you mean %q?", n.name+" "+other)
		}
	}
	return text + n.has()
}

// has lists the verbs.
func (n noun) has() string { return "rollcall " + n.name + " has " + strings.Join(n.verbNames(), ", ") }

func isHelp(arg string) bool { return slices.Contains([]string{"help", "-h", "-help", "--help"}, arg) }

func (n noun) verbNames() []string {
	var names []string
	for _, v := range n.verbs {
		names = append(names, v.name)
	}
	return names
}

func (v verb) run(ctx context.Context, noun string, args []string, env Environment) error {
	help := "rollcall " + noun + " " + v.name + " -h"
	flags, choice, output, do := v.flags(noun)
	words, err := parse(flags, args, v.rest)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(env.Stdout, v.usage(noun))
		return err
	}
	if err == nil {
		err = v.count(words)
	}
	if err != nil {
		return &usageError{err.Error(), help}
	}
	address, err := client.Find(*choice, env.Getenv)
	if err != nil {
		return err
	}
	c, err := client.New(address)
	if err != nil {
		return err
	}
	return do(ctx, newSession(env, c, *output == outputJSON, help), words)
}

// Forms of the output.
const (
	outputText = "text"
	outputJSON = "json"
)

// flags are those of a verb together with the ones that all have.
func (v verb) flags(noun string) (flags *flag.FlagSet, choice *client.Choice, output *string, do action) {
	flags = flag.NewFlagSet(noun+" "+v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	choice, output = &client.Choice{}, new(string)
	do = v.prepare(flags)
	flags.StringVar(&choice.URL, "url", "", "`URL` of the API, such as http://host:8080")
	flags.StringVar(&choice.Profile, "profile", "", "`NAME` of the profile to use")
	flags.StringVar(&choice.CACert, "cacert", "", "`FILE` of certificates to trust, in PEM form")
	if !v.plain {
		flags.Func("o", "`FORM` of the output: text or json (default text)", func(text string) error {
			if text != outputText && text != outputJSON {
				return errors.New("use text or json")
			}
			*output = text
			return nil
		})
	}
	return flags, choice, output, do
}

// parse reads flags, which may stand before, between and after the other arguments, and returns those; where the rest is
// another command's, only before the second.
func parse(flags *flag.FlagSet, args []string, rest bool) (words []string, err error) {
	for {
		if rest && len(words) == 1 && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			return append(words, args...), nil
		}
		if err := flags.Parse(args); err != nil {
			return nil, unknownFlag(err)
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return words, nil
		}
		if taken := len(args) - len(rest); taken > 0 && args[taken-1] == "--" {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// unknownFlag is an error of package flag in our words.
func unknownFlag(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
		return fmt.Errorf("unknown flag %s", name)
	}
	return err
}

// count refuses too few and too many arguments.
func (v verb) count(words []string) error {
	least, most := 0, 0
	for arg := range strings.FieldsSeq(v.args) {
		most++
		if !strings.HasPrefix(arg, "[") {
			least++
		}
		if strings.Contains(arg, "...") {
			most = len(words) + 1
		}
	}
	switch {
	case len(words) < least:
		return fmt.Errorf("%s is missing", strings.Fields(v.args)[len(words)])
	case len(words) > most:
		return fmt.Errorf("unexpected argument %q", words[most])
	}
	return nil
}
