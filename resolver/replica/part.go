package replica

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rollcall/records"
)

// heartbeat is how often a feed says something, and silence how long a follower waits for it.
const (
	heartbeat = 2 * time.Second
	silence   = 3 * heartbeat
)

// part is a line of a feed.
type part struct {
	Source string          `json:"source,omitempty"` // whose update it is; "": the one of the part before
	Update *records.Update `json:"update,omitempty"`
	More   bool            `json:"more,omitempty"` // the version goes on in the next part

	// Of the last part of a version.
	Serials     map[string]uint32 `json:"serials,omitempty"` // by zone; nil: it is no version, but a heartbeat
	Provisional bool              `json:"provisional,omitempty"`
	Wording     string            `json:"wording,omitempty"`
	Whole       bool              `json:"whole,omitempty"`
}

const (
	// tasksMost bounds a part, so that neither side needs much memory at once.
	tasksMost = 1000

	// partMost is how long a line may be, in bytes.
	partMost = 16 << 20
)

// parts divides a version. Of each update removals come before additions, as within one update.
func parts(v records.Version) []part {
	var out []part
	for _, said := range v.Updates {
		u := said.Update
		tasks := u.Tasks
		u.Tasks = nil
		out = append(out, part{Source: said.Source, Update: &u})
		for chunk := range slices.Chunk(tasks, tasksMost) {
			out = append(out, part{Update: &records.Update{Tasks: chunk}})
		}
	}
	if len(out) == 0 {
		out = append(out, part{})
	}
	for i := range out[:len(out)-1] {
		out[i].More = true
	}
	last := &out[len(out)-1]
	last.Serials, last.Provisional, last.Wording, last.Whole = v.Serials, v.Provisional, v.Wording, v.Whole
	return out
}

// assembler puts the parts of versions together again.
type assembler struct{ updates []records.SourceUpdate }

// add takes a line. It returns a version when the line was its last part.
func (a *assembler) add(line []byte) (*records.Version, error) {
	var p part
	if err := json.Unmarshal(line, &p); err != nil {
		return nil, fmt.Errorf("reading the names' feed: %w", err)
	}
	switch last := len(a.updates) - 1; {
	case p.Update == nil:
	case p.Source != "":
		a.updates = append(a.updates, records.SourceUpdate{Source: p.Source, Update: *p.Update})
	case last < 0:
		return nil, fmt.Errorf("reading the names' feed: an update without its source")
	default:
		a.updates[last].Update.Tasks = append(a.updates[last].Update.Tasks, p.Update.Tasks...)
	}
	if p.More || p.Serials == nil {
		return nil, nil
	}
	v := &records.Version{Updates: a.updates, Serials: p.Serials, Provisional: p.Provisional, Wording: p.Wording, Whole: p.Whole}
	a.updates = nil
	return v, nil
}
