package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"rollcall/scheduler"
)

// prepare logs in and sees that the path is there, is rollcall's, and has a layout that this rollcall knows.
func (c *candidacy) prepare() error {
	if c.o.URL.Credentials != "" && !c.loggedIn {
		if err := c.conn.AddAuth("digest", []byte(c.o.URL.Credentials)); err != nil {
			return fmt.Errorf("logging in at ZooKeeper: %w", err)
		}
		c.loggedIn = true
	}
	if c.prepared {
		return nil
	}
	if err := c.checkLayout(); err != nil {
		return err
	}
	for _, node := range []string{nodeCandidates, nodeTerm, nodeJournal, nodeState, nodeSerials} {
		if err := c.create(c.path(node), nil); err != nil {
			return err
		}
	}
	c.prepared = true
	return nil
}

// checkLayout refuses a path that holds what this rollcall does not know, and marks an empty one as its own.
func (c *candidacy) checkLayout() error {
	data, _, err := c.conn.Get(c.path(nodeLayout))
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return c.claim()
	case err != nil:
		return fmt.Errorf("reading %s: %w", c.path(nodeLayout), err)
	case string(data) == layoutVersion:
		return nil
	case strings.HasPrefix(string(data), "rollcall "):
		return fmt.Errorf("%w: %s is %q, this rollcall knows %q", scheduler.ErrNewer, c.path(nodeLayout), data, layoutVersion)
	}
	return fmt.Errorf("%w: %s is %.40q; scheduler.zk has to name a path of rollcall's own", ErrForeign, c.path(nodeLayout), data)
}

// claim marks an empty path as rollcall's own.
func (c *candidacy) claim() error {
	for dir := range ancestors(c.path()) {
		if err := c.create(dir, nil); err != nil {
			return err
		}
	}
	names, _, err := c.conn.Children(c.path())
	if err != nil {
		return fmt.Errorf("listing %s: %w", c.path(), err)
	}
	if len(names) > 0 && !slices.Contains(names, nodeLayout) {
		return fmt.Errorf("%w: %s; scheduler.zk has to name a path of rollcall's own", ErrForeign, c.path(names[0]))
	}
	return c.create(c.path(nodeLayout), []byte(layoutVersion))
}

// create makes a node unless it is there.
func (c *candidacy) create(node string, data []byte) error {
	_, err := c.conn.Create(node, data, 0, c.acl)
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("creating %s: %w", node, err)
	}
	return nil
}

// ancestors are the nodes on the way to a path, from the top on, and it itself; without the root.
func ancestors(node string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for at := 1; at < len(node); at++ {
			end := strings.IndexByte(node[at:], '/')
			if end < 0 {
				end = len(node) - at
			}
			if at += end; !yield(node[:at]) {
				return
			}
		}
	}
}

// buckets is how many directories share the records of a kind, so that none gets too long to be listed.
const buckets = 256

// recordPath is the znode of a record below the state's, as kind/bucket/name.
func recordPath(kind scheduler.Kind, key string) string {
	h := fnv.New32a()
	h.Write([]byte(key))
	return path.Join(string(kind), fmt.Sprintf("%02x", h.Sum32()%buckets), escape(key))
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@:+="

// escape makes any key the name of a znode: bytes that are not plain are %XX. The dot is plain but for the first, for
// ZooKeeper has no "." and "..".
func escape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; strings.IndexByte(plain, c) >= 0 && (c != '.' || i > 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unescape is escape's inverse.
func unescape(name string) (string, error) {
	key, err := url.PathUnescape(name)
	if err != nil || escape(key) != name {
		return "", fmt.Errorf("%q is not the name of a record", name)
	}
	return key, nil
}

// A value is kept as it is, or compressed where that is worth the time; its first byte says which.
const (
	valuePlain = 'p'
	valueGzip  = 'z'

	compressFrom = 4 << 10

	// valueMost is how long a znode may become, in bytes, well below ZooKeeper's limit of 1 MiB for a request.
	valueMost = 900 << 10
)

func encodeValue(value []byte) ([]byte, error) {
	if len(value) < compressFrom {
		return append([]byte{valuePlain}, value...), nil
	}
	out := bytes.NewBuffer([]byte{valueGzip})
	w := gzip.NewWriter(out)
	if _, err := w.Write(value); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if out.Len() > valueMost {
		return nil, fmt.Errorf("it has %d bytes when compressed, %d are possible", out.Len(), valueMost)
	}
	return out.Bytes(), nil
}

func decodeValue(data []byte) ([]byte, error) {
	switch {
	case len(data) > 0 && data[0] == valuePlain:
		return data[1:], nil
	case len(data) > 0 && data[0] == valueGzip:
		r, err := gzip.NewReader(bytes.NewReader(data[1:]))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	return nil, errors.New("neither plain nor compressed")
}
