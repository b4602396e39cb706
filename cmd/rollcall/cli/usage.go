package cli

import (
	"flag"
	"fmt"
	"strings"
)

// Overview lists the nouns, a line each, for the help of the whole program.
func Overview() string {
	var b strings.Builder
	for _, n := range nouns() {
		fmt.Fprintf(&b, "  %-11s %s: %s\n", n.name, n.about, strings.Join(n.verbNames(), ", "))
	}
	return b.String()
}

// Usage is the help of one command.
type Usage struct {
	Words   []string // "app", "scale"
	About   string   // a line
	Choices []string // what it takes, if that is one of a few words
	Text    string
}

// Usages are the help of all commands.
func Usages() []Usage {
	var all []Usage
	for _, n := range nouns() {
		for _, v := range n.verbs {
			all = append(all, Usage{Words: []string{n.name, v.name}, About: v.about, Text: v.usage(n.name)})
		}
	}
	return all
}

func (n noun) usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: rollcall %s COMMAND ...\n\n", n.name)
	width := 0
	for _, v := range n.verbs {
		width = max(width, len(v.name)+1+len(v.args))
	}
	for _, v := range n.verbs {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, strings.TrimSpace(v.name+" "+v.args), v.about)
	}
	fmt.Fprintf(&b, "\n\"rollcall %s COMMAND -h\" tells more.\n\n%s", n.name, exitText)
	return b.String()
}

func (v verb) usage(noun string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s [flags]\n\n%s.\n", strings.TrimSpace("rollcall "+noun+" "+v.name+" "+v.args), sentence(v.about))
	if v.more != "" {
		fmt.Fprintf(&b, "%s\n", v.more)
	}
	b.WriteString("\n")
	flags, _, _, _ := v.flags(noun)
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "  %-24s %s\n", strings.TrimSpace("-"+f.Name+" "+value), text)
	})
	b.WriteString("\n" + exitText)
	return b.String()
}

// sentence begins with a capital letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
