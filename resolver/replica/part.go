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
	Update *records.Update `json:"update,omitempty"` // nil: a heartbeat
	More   bool            `json:"more,omitempty"`   // the update goes on in the next part
}

const (
	// tasksMost bounds a part, so that neither side needs much memory at once.
	tasksMost = 1000

	// partMost is how long a line may be, in bytes.
	partMost = 16 << 20
)

// parts divides an update. Removals come before additions, as within one update.
func parts(u records.Update) []part {
	tasks := u.Tasks
	u.Tasks = nil
	out := []part{{Update: &u}}
	for chunk := range slices.Chunk(tasks, tasksMost) {
		out = append(out, part{Update: &records.Update{Tasks: chunk}})
	}
	for i := range out[:len(out)-1] {
		out[i].More = true
	}
	return out
}

// assembler puts the parts of updates together again.
type assembler struct{ update *records.Update }

// add takes a line. It returns an update when the line was its last part.
func (a *assembler) add(line []byte) (*records.Update, error) {
	var p part
	if err := json.Unmarshal(line, &p); err != nil {
		return nil, fmt.Errorf("reading the names' feed: %w", err)
	}
	switch {
	case p.Update == nil:
		return nil, nil
	case a.update == nil:
		a.update = p.Update
	default:
		a.update.Tasks = append(a.update.Tasks, p.Update.Tasks...)
	}
	if p.More {
		return nil, nil
	}
	u := a.update
	a.update = nil
	return u, nil
}
