package integration

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// treeWithin is how long it may take to walk over one ZooKeeper's tree.
const treeWithin = 20 * time.Second

// tree is what one ZooKeeper has below a path: for each node how often and when it was changed last, and its data's hash.
type tree map[string]string

// treeOf walks over what one ZooKeeper has, and asks no other one.
func treeOf(address, root string) (tree, error) {
	conn, _, err := zk.Connect([]string{address}, treeWithin, zk.WithLogger(quiet{}))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	late := time.AfterFunc(treeWithin, conn.Close)
	defer late.Stop()
	if _, err := conn.Sync(root); err != nil { // what it has not been told yet is not missing
		return nil, err
	}
	out := tree{}
	var walk func(node string) error
	walk = func(node string) error {
		data, stat, err := conn.Get(node)
		if errors.Is(err, zk.ErrNoNode) {
			out[node] = "listed and not there"
			return nil
		}
		if err != nil {
			return err
		}
		out[node] = fmt.Sprintf("version %d by %x, made by %x, %d bytes %.4x", stat.Version, stat.Mzxid, stat.Czxid, len(data), sha256.Sum256(data))
		names, _, err := conn.Children(node)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		for _, name := range names {
			if err := walk(path.Join(node, name)); err != nil {
				return err
			}
		}
		return nil
	}
	return out, walk(root)
}

// differences are the nodes below a path that the servers have not alike, a line each, and what each server has; "" for
// none. What changes while it is looked at is left out.
func (z *zooKeeperEnsemble) differences(root string) string {
	var twice [2][]tree
	var out strings.Builder
	for i := range twice {
		for n, address := range z.clients {
			found, err := treeOf(address, root)
			if err != nil {
				fmt.Fprintf(&out, "ZooKeeper %d: %v after %d nodes\n", n+1, err, len(found))
				return out.String()
			}
			twice[i] = append(twice[i], found)
		}
	}
	nodes := map[string]bool{}
	for _, found := range twice[1] {
		for node := range found {
			nodes[node] = true
		}
	}
	for _, node := range slices.Sorted(maps.Keys(nodes)) {
		settled, alike := true, true
		for n, found := range twice[1] {
			settled = settled && twice[0][n][node] == found[node]
			alike = alike && found[node] == twice[1][0][node]
		}
		if alike || !settled {
			continue
		}
		fmt.Fprintf(&out, "%s\n", node)
		for n, found := range twice[1] {
			has := found[node]
			if has == "" {
				has = "nothing"
			}
			fmt.Fprintf(&out, "  ZooKeeper %d: %s\n", n+1, has)
		}
	}
	return out.String()
}

// The servers of an ensemble have the same, unless one of them does not: what differs is told node by node.
func TestTreesOfZooKeepers(t *testing.T) {
	z := startZooKeeper(t)
	conn := z.client()
	for _, node := range []string{"/a", "/a/b"} {
		eventually(t, "there is "+node, func() bool {
			_, err := conn.Create(node, []byte("1"), 0, zk.WorldACL(zk.PermAll))
			return err == nil || errors.Is(err, zk.ErrNodeExists)
		})
	}
	eventually(t, "all servers answer", func() bool { return z.differences("/a") == "" })
	// A server of another ensemble is one that has lost everything.
	other := startZooKeeper(t)
	eventually(t, "the other ensemble answers", func() bool {
		_, err := other.client().Create("/a", []byte("2"), 0, zk.WorldACL(zk.PermAll))
		return err == nil || errors.Is(err, zk.ErrNodeExists)
	})
	mixed := &zooKeeperEnsemble{t: t, clients: []string{z.clients[0], z.clients[1], other.clients[0]}}
	got := mixed.differences("/a")
	for _, want := range []string{"/a\n", "/a/b\n", "ZooKeeper 1: version 0 by", "ZooKeeper 3: nothing"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing from:\n%s", want, got)
		}
	}
}
