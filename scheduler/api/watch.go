package api

import (
	"os"
	"slices"
	"sync"
	"time"
)

// watchEvery is how often files are looked at that may change while rollcall runs.
const watchEvery = time.Second

// Watch notices changes of files. It asks the file system when it is asked itself: nothing runs in between. It may be
// used from any goroutine.
type Watch struct {
	paths []string

	mu     sync.Mutex
	asked  time.Time
	stamps []stamp
}

// stamp tells one content of a file from others. Files that are replaced, as they should be, differ in more than time.
type stamp struct {
	size     int64
	modified time.Time
	file     os.FileInfo
}

// NewWatch returns a watch of files as they are now. Those named "" are none.
func NewWatch(now time.Time, paths ...string) *Watch {
	paths = slices.DeleteFunc(paths, func(p string) bool { return p == "" })
	return &Watch{paths: paths, asked: now, stamps: stampsOf(paths)}
}

// Changed says whether a file has changed since it was last asked, at most once in watchEvery. Of several callers at the
// same time one is told.
func (w *Watch) Changed(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.asked) < watchEvery {
		return false
	}
	w.asked = now
	stamps := stampsOf(w.paths)
	same := slices.EqualFunc(stamps, w.stamps, func(a, b stamp) bool {
		return a.size == b.size && a.modified.Equal(b.modified) && (a.file == nil) == (b.file == nil) &&
			(a.file == nil || os.SameFile(a.file, b.file))
	})
	w.stamps = stamps
	return !same
}

// stampsOf looks at files; one that cannot be looked at has no stamp.
func stampsOf(paths []string) []stamp {
	out := make([]stamp, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{info.Size(), info.ModTime(), info}
		}
	}
	return out
}
