package mesos

import (
	"log/slog"
	"slices"
	"strings"
)

// brokenShown is how many broken items are described.
const brokenShown = 5

// Broken are items of a state that could not be read, or not all of them.
type Broken struct {
	Count int
	First []string // what and where, of the first few
}

func (b *Broken) add(where, what string) {
	b.Count++
	if len(b.First) < brokenShown {
		b.First = append(b.First, where+": "+what)
	}
}

// addFirst is add unless there is more than there was before: of one item the first fault is told.
func (b *Broken) addFirst(before int, where, what string) {
	if b.Count == before {
		b.add(where, what)
	}
}

func (b Broken) equal(c Broken) bool { return b.Count == c.Count && slices.Equal(b.First, c.First) }

// LogValue implements slog.LogValuer.
func (b Broken) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("count", b.Count), slog.String("first", strings.Join(b.First, "; ")))
}
