package local

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/scheduler"
)

// artifacts serves what the tests fetch; "outside" is what hostile archives aim at.
func artifacts(t *testing.T) *httptest.Server {
	file := member{name: "dir/file", content: "packed\n"}
	plain := tarOf(t, file)
	files := map[string][]byte{
		"plain.txt":     []byte("plain\n"),
		"a.tar":         plain,
		"a.tar.gz":      gzipOf(t, plain),
		"a.tgz":         gzipOf(t, plain),
		"a.tar.xz":      xzOf(t, plain),
		"a.txz":         xzOf(t, plain),
		"a.tar.bz2":     bzip2Of(t),
		"a.tbz2":        bzip2Of(t),
		"a.zip":         zipOf(t, file),
		"file.gz":       gzipOf(t, []byte("packed\n")),
		"broken.tar.gz": []byte("this is no gzip"),
		"short.tar":     plain[:515],
		"links.tar":     tarOf(t, file, member{name: "in/soft", kind: tar.TypeSymlink, link: "../dir/file"}, member{name: "hard", kind: tar.TypeLink, link: "dir/file"}),
		"dirs.tar":      tarOf(t, member{name: "./", kind: tar.TypeDir, mode: 0o755}, member{name: "./ro/", kind: tar.TypeDir, mode: 0o555}, member{name: "./ro/x", content: "x", mode: 0o4755}),
		"parent.tar":    tarOf(t, member{name: "../outside", content: "x"}),
		"inner.tar":     tarOf(t, member{name: "a/../../outside", content: "x"}),
		"absolute.tar":  tarOf(t, member{name: "/tmp/outside", content: "x"}),
		"softout.tar":   tarOf(t, member{name: "l", kind: tar.TypeSymlink, link: ".."}, member{name: "l/outside", content: "x"}),
		"softabs.tar":   tarOf(t, member{name: "l", kind: tar.TypeSymlink, link: "/etc/passwd"}),
		"softdeep.tar":  tarOf(t, member{name: "a/b", kind: tar.TypeSymlink, link: "../.."}, member{name: "a/b/outside", content: "x"}),
		"softchain.tar": tarOf(t, member{name: "d/e/x", content: "x"}, member{name: "s", kind: tar.TypeSymlink, link: "d/e"}, member{name: "u", kind: tar.TypeSymlink, link: "s/../.."}, member{name: "u/../outside", content: "x"}),
		"hardout.tar":   tarOf(t, member{name: "h", kind: tar.TypeLink, link: "../outside"}),
		"device.tar":    tarOf(t, member{name: "d", kind: tar.TypeChar}),
		"fifo.tar":      tarOf(t, member{name: "f", kind: tar.TypeFifo}),
		"parent.zip":    zipOf(t, member{name: "../outside", content: "x"}),
		"absolute.zip":  zipOf(t, member{name: "/tmp/outside", content: "x"}),
		"soft.zip":      zipOf(t, member{name: "l", link: "../.."}),
		"bomb.gz":       gzipOf(t, make([]byte, 1<<20)),
		"large.bin":     make([]byte, 1<<20),
		"hidden/run.sh": []byte("#!/bin/sh\necho ran\n"),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		content, ok := files[strings.TrimPrefix(path.Clean(q.URL.Path), "/")]
		if !ok {
			http.NotFound(w, q)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestFetch(t *testing.T) {
	server := artifacts(t)
	onDisk := filepath.Join(t.TempDir(), "local.txt")
	if err := os.WriteFile(onDisk, []byte("local\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		uri   string
		fetch scheduler.Fetch // URI is filled in
		want  map[string]string
		err   string
	}{
		{uri: "/plain.txt?query=x", want: map[string]string{"plain.txt": "plain\n"}},
		{uri: "/plain.txt", fetch: scheduler.Fetch{DestPath: "conf/renamed"}, want: map[string]string{"conf/renamed": "plain\n"}},
		{uri: "file://" + onDisk, want: map[string]string{"local.txt": "local\n"}},
		{uri: onDisk, want: map[string]string{"local.txt": "local\n"}},
		{uri: "/a.tar", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/a.tar.gz", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/a.tgz", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/a.tar.xz", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/a.txz", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/a.tar.bz2", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/a.tbz2", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/a.zip", want: map[string]string{"dir/file": "packed\n"}},
		{uri: "/file.gz", want: map[string]string{"file": "packed\n"}},
		{uri: "/a.tar", fetch: scheduler.Fetch{DestPath: "below/b.tar"}, want: map[string]string{"below/dir/file": "packed\n"}},
		{uri: "/links.tar", want: map[string]string{"in/soft": "packed\n", "hard": "packed\n"}},
		{uri: "/dirs.tar", want: map[string]string{"ro/x": "x"}},

		{uri: "/nowhere.tar", err: "404 Not Found"},
		{uri: "/", err: "does not end with the name of a file"},
		{uri: "/plain.txt", fetch: scheduler.Fetch{DestPath: "../outside"}, err: "not a path within the sandbox"},
		{uri: "/plain.txt", fetch: scheduler.Fetch{DestPath: "/tmp/outside"}, err: "not a path within the sandbox"},
		{uri: "http://127.0.0.1:1/x", err: "connection refused"},
		{uri: "hdfs://host/x", err: "not hdfs"},
		{uri: "file:///no/such/file", err: "no such file"},
		{uri: "file://elsewhere/x", err: "another machine"},
		{uri: "file:///dev/zero", err: "is not a file"},
		{uri: "relative/x", err: "is not absolute"},
		{uri: "http://[bad/x", err: "missing ']'"},
		{uri: "/broken.tar.gz", err: "unpacking: gzip"},
		{uri: "/short.tar", err: "unpacking"},
		{uri: "/parent.tar", err: "outside the sandbox"},
		{uri: "/inner.tar", err: "outside the sandbox"},
		{uri: "/absolute.tar", err: "outside the sandbox"},
		{uri: "/softout.tar", err: "outside the sandbox"},
		{uri: "/softabs.tar", err: "outside the sandbox"},
		{uri: "/softdeep.tar", err: "outside the sandbox"},
		{uri: "/softchain.tar", err: "outside the sandbox"},
		{uri: "/hardout.tar", err: "outside the sandbox"},
		{uri: "/device.tar", err: "neither file, directory nor link"},
		{uri: "/fifo.tar", err: "neither file, directory nor link"},
		{uri: "/parent.zip", err: "outside the sandbox"},
		{uri: "/absolute.zip", err: "outside the sandbox"},
		{uri: "/soft.zip", err: "outside the sandbox"},
		{uri: "/bomb.gz", err: "larger than the limit"},
		{uri: "/large.bin", err: "larger than the limit"},
	}
	for _, test := range tests {
		t.Run(test.uri, func(t *testing.T) {
			home := t.TempDir()
			sandbox := filepath.Join(home, "sandbox")
			if err := os.MkdirAll(filepath.Join(sandbox, "outside"), 0o755); err != nil {
				t.Fatal(err)
			}
			f := test.fetch
			f.URI, f.Extract = test.uri, true
			if strings.HasPrefix(f.URI, "/") && f.URI != onDisk {
				f.URI = server.URL + f.URI
			}
			err := runPlan(t, fetchPlan{Sandbox: sandbox, Fetch: []scheduler.Fetch{f}, MaxSize: 100_000})
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %q", err, test.err)
			}
			for name, want := range test.want {
				if got, err := os.ReadFile(filepath.Join(sandbox, name)); err != nil || string(got) != want {
					t.Errorf("%s is %q, %v, want %q", name, got, err, want)
				}
			}
			if names, _ := os.ReadDir(home); len(names) != 1 {
				t.Errorf("outside the sandbox there are %v", names)
			}
		})
	}
}

// runPlan does what a fetching process does, in this one.
func runPlan(t *testing.T, plan fetchPlan) error {
	t.Helper()
	file, err := plan.file()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return runFetcher(file, io.Discard)
}

func TestFetchWithoutExtracting(t *testing.T) {
	server, sandbox := artifacts(t), t.TempDir()
	err := runPlan(t, fetchPlan{Sandbox: sandbox, MaxSize: 1 << 20, Fetch: []scheduler.Fetch{
		{URI: server.URL + "/a.tar.gz"}, {URI: server.URL + "/a.zip", Executable: true, Extract: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(sandbox, "dir")) {
		t.Error("an archive was unpacked")
	}
	if info, err := os.Stat(filepath.Join(sandbox, "a.zip")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestUnpackedFilesHaveNoSetuid(t *testing.T) {
	server, sandbox := artifacts(t), t.TempDir()
	if err := runPlan(t, fetchPlan{Sandbox: sandbox, MaxSize: 1 << 20,
		Fetch: []scheduler.Fetch{{URI: server.URL + "/dirs.tar", Extract: true}}}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(sandbox, "ro/x")); err != nil || info.Mode()&fs.ModeSetuid != 0 || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestFetchTimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	err := runPlan(t, fetchPlan{Sandbox: t.TempDir(), Timeout: 10 * time.Millisecond, Fetch: []scheduler.Fetch{{URI: server.URL + "/x"}}})
	if err == nil || !strings.HasSuffix(err.Error(), "/x: it takes longer than 10ms") {
		t.Errorf("got %v", err)
	}
}

func TestPasswordsOfURIsAreNotTold(t *testing.T) {
	err := runPlan(t, fetchPlan{Sandbox: t.TempDir(), Fetch: []scheduler.Fetch{{URI: "http://joe:secret@127.0.0.1:1/x"}}})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestTaskFetches(t *testing.T) {
	server := artifacts(t)
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "cat dir/file && ./run.sh", Fetch: []scheduler.Fetch{
		{URI: server.URL + "/a.tar.gz", Extract: true}, {URI: server.URL + "/hidden/run.sh", Executable: true}}})
	r.status("a", scheduler.TaskFinished)
	if got := r.sandboxFile("a", "stdout"); got != "packed\nran\n" {
		t.Errorf("stdout is %q", got)
	}
	if got := r.sandboxFile("a", "stderr"); !strings.Contains(got, "Fetching "+server.URL+"/a.tar.gz\n") {
		t.Errorf("stderr is %q", got)
	}

	uri := server.URL + "/nowhere"
	r.launch(scheduler.TaskInfo{ID: "b", Shell: "true", Fetch: []scheduler.Fetch{{URI: uri}}})
	if s := r.status("b", scheduler.TaskFailed); s.Message != "Failed to fetch "+uri+": 404 Not Found" {
		t.Errorf("got %+v", s)
	}
}

func TestKillWhileFetching(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(asked); <-release }))
	defer server.Close()
	defer close(release)
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "true", Fetch: []scheduler.Fetch{{URI: server.URL + "/x"}}})
	r.status("a", scheduler.TaskStarting)
	<-asked
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	if s := r.status("a", scheduler.TaskKilled); s.Message != "Task was killed while its files were fetched" {
		t.Errorf("got %+v", s)
	}
}

// Whatever bytes a fetched archive is made of, nothing appears outside the sandbox.
func FuzzUnpack(f *testing.F) {
	evil := member{name: "../outside", content: "x"}
	f.Add(tarOf(f, evil), uint8(0))
	f.Add(tarOf(f, member{name: "l", kind: tar.TypeSymlink, link: ".."}, member{name: "l/outside"}), uint8(0))
	f.Add(gzipOf(f, tarOf(f, evil)), uint8(1))
	f.Add(zipOf(f, evil), uint8(2))
	f.Add(xzOf(f, tarOf(f, evil)), uint8(3))
	f.Add(bzip2Of(f), uint8(4))
	names := []string{"a.tar", "a.tgz", "a.zip", "a.txz", "a.tbz2", "a.gz"}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		home := t.TempDir()
		sandbox := filepath.Join(home, "sandbox")
		if err := os.Mkdir(sandbox, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(sandbox)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		name := names[int(kind)%len(names)]
		file, err := root.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := io.Copy(file, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		_ = (&unpacker{root: root, dir: ".", left: 1 << 20}).unpack(file, name)
		if names, _ := os.ReadDir(home); len(names) != 1 {
			t.Errorf("outside the sandbox there are %v", names)
		}
	})
}
