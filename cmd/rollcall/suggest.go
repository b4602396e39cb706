package main

import (
	"strings"

	"rollcall/cmd/rollcall/cli"
)

// suggestion returns what to add to a message about an unknown key: the nearest known one, or when nothing is near
// and the choice is small, all of them.
func suggestion(key string, fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	if best := cli.Nearest(key, names); best != "" {
		return "; did you mean " + quoteBrief(best) + "?"
	}
	if len(names) <= 16 {
		return "; the known ones are " + strings.Join(names, ", ")
	}
	return ""
}
