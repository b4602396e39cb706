package local

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"rollcall/scheduler"
)

// leftover is the directory of a task that has ended, of which the scheduler knows.
type leftover struct {
	dir   taskDir
	ended time.Time
	size  int64 // bytes
}

// surplus chooses the leftovers to remove: those that ended longer than maxAge ago, and the oldest of the rest until
// all together are not larger than maxSize. A limit of 0 is none.
func surplus(all []leftover, now time.Time, maxAge time.Duration, maxSize int64) []taskDir {
	newestFirst := slices.SortedFunc(slices.Values(all), func(a, b leftover) int { return b.ended.Compare(a.ended) })
	var out []taskDir
	var kept int64
	full := false
	for _, l := range newestFirst {
		full = full || maxSize > 0 && kept+l.size > maxSize
		if full || maxAge > 0 && now.Sub(l.ended) > maxAge {
			out = append(out, l.dir)
		} else {
			kept += l.size
		}
	}
	return out
}

// diskUse sums the sizes of the files below a directory; what cannot be read counts for nothing.
func diskUse(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// rubbish removes what ended tasks leave behind. Its methods may be called from any goroutine.
type rubbish struct {
	trash   string
	maxAge  time.Duration
	maxSize int64
	log     *slog.Logger

	mu   sync.Mutex
	left map[taskDir]ended
}

// ended is a task of whose end the scheduler knows.
type ended struct {
	id   scheduler.TaskID
	at   time.Time
	size int64 // of its directory; negative before it was measured
}

func newRubbish(o Options) *rubbish {
	return &rubbish{trash: filepath.Join(o.Dir, "trash"), maxAge: o.SandboxMaxAge, maxSize: o.SandboxMaxSize,
		log: o.Logger, left: map[taskDir]ended{}}
}

// add has a directory removed when its time has come.
func (r *rubbish) add(dir taskDir, id scheduler.TaskID, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left[dir] = ended{id, at, -1}
}

// discard removes a directory now. It goes in one step first: half a task's directory would look like a task that
// was never started.
func (r *rubbish) discard(dir taskDir) {
	away := filepath.Join(r.trash, uuid.NewString())
	err := os.Rename(string(dir), away)
	if err == nil {
		err = os.RemoveAll(away)
	}
	if err != nil {
		r.log.Error("task's directory cannot be removed", "dir", string(dir), "err", err)
	}
}

// collect removes what is too old or too much, now and at every interval, until ctx ends. It calls forgotten for each
// task of which nothing is left.
func (r *rubbish) collect(ctx context.Context, interval time.Duration, forgotten func(scheduler.TaskID)) {
	if halves, err := os.ReadDir(r.trash); err == nil {
		for _, half := range halves { // an earlier removal was cut short
			_ = os.RemoveAll(filepath.Join(r.trash, half.Name()))
		}
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		for _, dir := range r.due(time.Now()) {
			if ctx.Err() != nil {
				return
			}
			r.discard(dir)
			r.mu.Lock()
			id := r.left[dir].id
			delete(r.left, dir)
			r.mu.Unlock()
			forgotten(id)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// due measures what was not measured yet and chooses what to remove.
func (r *rubbish) due(now time.Time) []taskDir {
	r.mu.Lock()
	var unmeasured []taskDir
	for dir, e := range r.left {
		if e.size < 0 {
			unmeasured = append(unmeasured, dir)
		}
	}
	r.mu.Unlock()
	sizes := map[taskDir]int64{}
	for _, dir := range unmeasured {
		sizes[dir] = diskUse(string(dir))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []leftover
	for dir, e := range r.left {
		if size, ok := sizes[dir]; ok {
			e.size = size
			r.left[dir] = e
		}
		all = append(all, leftover{dir, e.at, max(0, e.size)})
	}
	return surplus(all, now, r.maxAge, r.maxSize)
}
