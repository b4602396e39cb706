package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rollcall/scheduler"
)

func TestLogsAreRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stdout")
	log, err := newLogFiles(path, 10, 3, identity{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		fmt.Fprintf(log, "line%d", i)
	}
	log.close()
	for name, want := range map[string]string{"": "line8", ".1": "line6line7", ".2": "line4line5"} {
		if got, err := os.ReadFile(path + name); err != nil || string(got) != want {
			t.Errorf("stdout%s is %q, %v, want %q", name, got, err, want)
		}
	}
	if exists(path + ".3") {
		t.Error("there is a fourth file")
	}
}

func TestRotationKeepsLinesTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stdout")
	log, err := newLogFiles(path, 8, 9, identity{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	fmt.Fprint(log, "one\ntwo\nthree\n", "elevenletters")
	for name, want := range map[string]string{"": "tters", ".1": "elevenle", ".2": "three\n", ".3": "one\ntwo\n"} {
		if got, err := os.ReadFile(path + name); err != nil || string(got) != want {
			t.Errorf("stdout%s is %q, %v, want %q", name, got, err, want)
		}
	}
}

// A task may put into its sandbox what it likes.
func TestLogsLeadNowhereElse(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "stdout"), filepath.Join(dir, "victim")
	log, err := newLogFiles(path, 4, 2, identity{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	traps := map[string]func() error{
		"symlink":  func() error { return os.Symlink(victim, path) },
		"hardlink": func() error { return os.Link(victim, path) },
		"fifo":     func() error { return syscall.Mkfifo(path, 0o600) },
		"nothing":  func() error { return nil },
	}
	for name, trap := range traps {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(victim, []byte("safe"), 0o600); err != nil {
				t.Fatal(err)
			}
			_ = os.RemoveAll(path)
			if err := trap(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				fmt.Fprint(log, "data")
			}
			if got, _ := os.ReadFile(victim); string(got) != "safe" {
				t.Errorf("the file outside is %q now", got)
			}
			if got, _ := os.ReadFile(path); string(got) != "data" {
				t.Errorf("log is %q", got)
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		_ = os.Remove(path)
		if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			fmt.Fprint(log, "data")
		}
	})
}

func TestTaskWritesMoreThanItsLogsHold(t *testing.T) {
	r := newRig(t, Options{LogMaxSize: 1000, LogFiles: 2})
	r.shell("a", "i=0; while [ $i -lt 300 ]; do echo line$i; i=$((i+1)); done")
	r.status("a", scheduler.TaskFinished)
	all := r.sandboxFile("a", "stdout.1") + r.sandboxFile("a", "stdout")
	if len(all) > 3000 || !strings.HasSuffix(all, "line298\nline299\n") {
		t.Errorf("logs have %d bytes, the last are %q", len(all), all[max(0, len(all)-20):])
	}
}
