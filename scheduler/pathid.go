package scheduler

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// PathID is the absolute id of an app or group: "/" or "/a/b", without empty or dot segments.
type PathID string

// Root is the id of the root group.
const Root PathID = "/"

// segment is Marathon's rule for one segment of an id. The dot forms that it allows besides are resolved before an id
// is absolute.
var segment = regexp.MustCompile(`^` + letters + `$`)

const letters = `(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])`

// Bounds of ids. Marathon has none; names in DNS, directories and keys of the store, which ids become a part of, do.
const (
	maxID       = 1000 // characters
	maxSegments = 64
)

// ErrLongID is the error for an id beyond the bounds.
var ErrLongID = fmt.Errorf("must have at most %d characters and %d segments", maxID, maxSegments)

// reserved are the last segments that an app id may not have, because they are routes of the API.
var reserved = []string{"restart", "tasks", "versions", ".", ".."}

// ErrSegment is the error for a segment with letters that an id may not have; its text is Marathon's.
var ErrSegment = errors.New("must fully match regular expression '^" + letters + `|(\.|\.\.)$'`)

// ResolvePathID makes a path absolute below base: empty segments are dropped, "." and ".." resolved (".." of the
// root is the root). It does not check the letters of the segments; Validate does.
func ResolvePathID(path string, base PathID) PathID {
	var out []string
	if !strings.HasPrefix(path, "/") {
		out = base.Segments()
	}
	for s := range strings.SplitSeq(path, "/") {
		switch s {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, s)
		}
	}
	return PathID("/" + strings.Join(out, "/"))
}

// Validate says whether each segment is made of the letters Marathon allows.
func (p PathID) Validate() error {
	if len(p) > maxID || strings.Count(string(p), "/") > maxSegments {
		return ErrLongID
	}
	for _, s := range p.Segments() {
		if !segment.MatchString(s) {
			return ErrSegment
		}
	}
	return nil
}

// ValidateAppID checks an id as it was given for an app, relative or absolute: letters, not the root, and not
// ending in a word that the API's routes use.
func ValidateAppID(given string) error {
	if len(given) > maxID {
		return ErrLongID
	}
	segments := strings.FieldsFunc(given, func(r rune) bool { return r == '/' })
	if len(segments) > maxSegments {
		return ErrLongID
	}
	if len(segments) == 0 {
		return errors.New("Path must contain at least one path element")
	}
	if slices.Contains(reserved, segments[len(segments)-1]) {
		return fmt.Errorf("must not end with any of the following reserved keywords: %s", strings.Join(reserved, ", "))
	}
	for _, s := range segments {
		if s != "." && s != ".." && !segment.MatchString(s) {
			return ErrSegment
		}
	}
	return nil
}

// Segments returns the parts of the id, none for the root. The slice is the caller's.
func (p PathID) Segments() []string {
	if p == Root || p == "" {
		return nil
	}
	return strings.Split(string(p)[1:], "/")
}

// Parent is the group that the id is in; the root's parent is the root.
func (p PathID) Parent() PathID {
	i := strings.LastIndexByte(string(p), '/')
	if i <= 0 {
		return Root
	}
	return p[:i]
}

// Base is the last segment, "" for the root.
func (p PathID) Base() string {
	return string(p)[strings.LastIndexByte(string(p), '/')+1:]
}

// Within says whether p is group itself or below it.
func (p PathID) Within(group PathID) bool {
	return group == Root || p == group || strings.HasPrefix(string(p), string(group)+"/")
}

// Safe is the id as task ids carry it: "/a/b" is "a_b". Segments hold no underscore, so it can be undone.
func (p PathID) Safe() string {
	return strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", "_")
}

// Hostname is the id as Mesos task names carry it: "/a/b/c" is "c.b.a".
func (p PathID) Hostname() string {
	s := p.Segments()
	slices.Reverse(s)
	return strings.Join(s, ".")
}
