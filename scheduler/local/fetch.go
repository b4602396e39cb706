package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// fetchPlan is what a fetching process has to bring into a sandbox. The fetcher runs as the task's user, so that
// file: URIs and links give it nothing that the task could not get at itself.
type fetchPlan struct {
	Sandbox string            `json:"sandbox"`
	Fetch   []scheduler.Fetch `json:"fetch"`
	Timeout time.Duration     `json:"timeout"` // of all together; 0: none
	MaxSize int64             `json:"maxSize"` // of each file, packed and unpacked
}

var errTooLarge = errors.New("it is larger than the limit for fetched files")

// runFetcher is the fetching process: it reads its plan from in, tells what it does on out, and returns what failed.
func runFetcher(in io.Reader, out io.Writer) error {
	var plan fetchPlan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return fmt.Errorf("reading what to fetch: %w", err)
	}
	ctx := context.Background()
	if plan.Timeout > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, plan.Timeout,
			fmt.Errorf("it takes longer than %s", plan.Timeout))
		defer cancel()
		ctx = limited
	}
	sandbox, err := os.OpenRoot(plan.Sandbox)
	if err != nil {
		return fmt.Errorf("opening the sandbox: %w", err)
	}
	defer sandbox.Close()
	for _, f := range plan.Fetch {
		_, _ = fmt.Fprintf(out, "Fetching %s\n", redact(f.URI))
		if err := fetch(ctx, sandbox, f, plan.MaxSize); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return fmt.Errorf("%s: %w", redact(f.URI), err)
		}
	}
	return nil
}

// redact hides the password in a URI.
func redact(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	return u.Redacted()
}

// fetch brings one file into the sandbox and unpacks it there, or makes it executable.
func fetch(ctx context.Context, sandbox *os.Root, f scheduler.Fetch, maxSize int64) error {
	u, err := url.Parse(f.URI)
	if err != nil {
		return err
	}
	name, err := fetchName(u, f.DestPath)
	if err != nil {
		return err
	}
	source, err := openSource(ctx, u)
	if err != nil {
		return err
	}
	defer source.Close()
	dir := path.Dir(name)
	if err := sandbox.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if f.Executable {
		mode = 0o755
	}
	file, err := sandbox.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Chmod(mode); err != nil {
		return err
	}
	content := &unpacker{root: sandbox, dir: dir, left: maxSize}
	if err := content.copy(file, source); err != nil {
		return err
	}
	if f.Executable || !f.Extract {
		return nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	content.left = maxSize
	if err := content.unpack(file, path.Base(name)); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	return nil
}

// fetchName is where in the sandbox a file goes: its destPath, or the last part of its URI.
func fetchName(u *url.URL, destPath string) (string, error) {
	if destPath != "" {
		if !filepath.IsLocal(destPath) || hasParent(destPath) || path.Clean(destPath) == "." {
			return "", fmt.Errorf("destPath %q is not a path within the sandbox", destPath)
		}
		return path.Clean(destPath), nil
	}
	name := path.Base(u.Path)
	if name == "." || name == "/" || name == ".." || strings.ContainsRune(name, 0) {
		return "", errors.New("the URI does not end with the name of a file (destPath can give one)")
	}
	return name, nil
}

// openSource begins to read what a URI (http, https, file, or a path) leads to.
func openSource(ctx context.Context, u *url.URL) (io.ReadCloser, error) {
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return openHTTP(ctx, u)
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("file is on another machine, %s", u.Host)
		}
		return openLocal(u.Path)
	case "":
		return openLocal(u.Path)
	}
	return nil, fmt.Errorf("rollcall fetches http, https and file URIs, not %s", u.Scheme)
}

func openHTTP(ctx context.Context, u *url.URL) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	// Artifacts are wanted as they are: a transport that asks for gzip by itself would unpack them on the way.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	reply, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		var wrapped *url.Error // which repeats method and URI
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	if reply.StatusCode != http.StatusOK {
		return nil, errors.Join(errors.New(reply.Status), reply.Body.Close())
	}
	return reply.Body, nil
}

// openLocal opens a regular file only: a FIFO would wait for ever, a device never end.
func openLocal(name string) (io.ReadCloser, error) {
	if !path.IsAbs(name) {
		return nil, fmt.Errorf("path %q is not absolute", name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	return os.Open(name)
}

// fetchArg, instead of a task's directory, makes a supervisor's process a fetcher.
const fetchArg = "fetch"

// runFetchProcess is the whole life of a fetching process: its plan is on standard input, and what failed goes to
// descriptor 3.
func runFetchProcess() error {
	err := runFetcher(os.Stdin, os.Stderr)
	if err != nil {
		result := os.NewFile(3, "result")
		_, _ = io.WriteString(result, err.Error()) // the exit status tells of the failure all the same
	}
	return err
}

// file puts the plan into a file that exists in memory only.
func (p fetchPlan) file() (*os.File, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("fetch", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "fetch")
	if _, err := file.WriteAt(data, 0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
