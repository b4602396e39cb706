package mesosmaster

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// defaultAgentPort is that of an agent that serves nothing.
const defaultAgentPort = 5051

func (a *Agent) port() int {
	if a.files == nil {
		return defaultAgentPort
	}
	return a.files.Addr().(*net.TCPAddr).Port
}

func (a *Agent) pid() string {
	return "slave(1)@" + net.JoinHostPort(a.options.IP, strconv.Itoa(a.port()))
}

// serveFiles serves the sandboxes of the agent's tasks, which are processes, as far as READ_FILE of the v1 API does.
func (a *Agent) serveFiles() error {
	listener, err := net.Listen("tcp", net.JoinHostPort(a.options.IP, "0"))
	if err != nil {
		return err
	}
	a.files = listener
	server := &http.Server{Handler: http.HandlerFunc(a.readFile), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) //nolint:errcheck // it ends with the cluster
	go func() {
		<-a.cluster.closed
		server.Close()
	}()
	return nil
}

// virtual is the path of a file in the sandbox of a task's last run, as agents attach it. The executor of a task that
// brings none has the task's id.
var virtual = regexp.MustCompile(`^/frameworks/([^/]+)/executors/([^/]+)/runs/latest/(.+)$`)

func (a *Agent) readFile(w http.ResponseWriter, r *http.Request) {
	var c struct {
		Type     string `json:"type"`
		ReadFile struct {
			Path   string `json:"path"`
			Offset int64  `json:"offset"`
			Length *int64 `json:"length"`
		} `json:"read_file"`
	}
	if r.URL.Path != "/api/v1" || r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&c) != nil || c.Type != "READ_FILE" {
		plain(w, http.StatusBadRequest, "Failed to validate agent::Call")
		return
	}
	path := virtual.FindStringSubmatch(c.ReadFile.Path)
	if path == nil {
		plain(w, http.StatusNotFound, "")
		return
	}
	a.cluster.mu.Lock()
	ran := a.sandboxes[path[2]] == path[1]
	a.cluster.mu.Unlock()
	file, err := os.OpenInRoot(a.cluster.options.Dir, filepath.Join(path[2], path[3]))
	if err == nil {
		defer file.Close()
	}
	if !ran || errors.Is(err, fs.ErrNotExist) {
		plain(w, http.StatusNotFound, "")
		return
	}
	const most = 16 * 4096 // of one answer
	length := int64(most)
	if c.ReadFile.Length != nil {
		length = min(length, *c.ReadFile.Length)
	}
	info, err := file.Stat()
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	data, err := io.ReadAll(io.NewSectionReader(file, c.ReadFile.Offset, length))
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(object{"type": "READ_FILE", "read_file": object{"size": info.Size(), "data": data}}) //nolint:errcheck // the client sees
}
