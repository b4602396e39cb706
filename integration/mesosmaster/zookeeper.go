package mesosmaster

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
)

// Register writes what a master that starts writes into ZooKeeper, below a path: its MasterInfo, as an ephemeral node
// with a number, and its replica of the registry. They go away with the session, which Kill does not end: as with a
// real master that dies, that is for ZooKeeper to notice.
func (m *Master) Register(servers []string, path string) (*zk.Conn, error) {
	conn, _, err := zk.Connect(servers, 4*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		return nil, err
	}
	m.cluster.mu.Lock()
	info, err := json.Marshal(m.info())
	m.cluster.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for _, node := range []struct {
		path  string
		data  []byte
		flags int32
	}{
		{path, nil, 0}, {path + "/log_replicas", nil, 0}, {path + "/json.info_", info, zk.FlagEphemeral | zk.FlagSequence},
		{path + "/log_replicas/", fmt.Appendf(nil, "log-replica(1)@%s", m.Address()), zk.FlagEphemeral | zk.FlagSequence},
	} {
		if _, err := conn.Create(node.path, node.data, node.flags, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			conn.Close()
			return nil, fmt.Errorf("creating %s: %w", node.path, err)
		}
	}
	return conn, nil
}

// silent drops the messages of the ZooKeeper client.
type silent struct{}

func (silent) Printf(string, ...any) {}
