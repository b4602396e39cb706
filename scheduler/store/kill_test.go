package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// writerEnv names the state file for a test binary that is to write to it until it is killed.
const writerEnv = "ROLLCALL_TEST_WRITE_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeForEver(path))
		os.Exit(1)
	}
	code := m.Run()
	zooKeeperServer.stop()
	os.Exit(code)
}

// writeForEver commits numbered records, from where the file leaves off, and prints each number once it is durable.
// Every commit also replaces and removes records, so that pages become free and are used again.
func writeForEver(path string) error {
	b, err := OpenBolt(path, BoltOptions{})
	if err != nil {
		return err
	}
	have, err := tryLoad(b)
	if err != nil {
		return err
	}
	for i := len(have); ; i++ {
		value := fmt.Append(nil, i, strings.Repeat(" x", i%2000))
		err := b.Commit(context.Background(), []scheduler.Record{
			{Kind: scheduler.KindInstance, Key: numbered(i), Value: value},
			{Kind: scheduler.KindApp, Key: numbered(i), Value: value},
			{Kind: scheduler.KindApp, Key: numbered(i)},
		})
		if err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func numbered(i int) string { return fmt.Sprintf("n.instance-%06d", i) }

func TestBoltKilled(t *testing.T) {
	path := statePath(t)
	acknowledged := -1
	for range 20 {
		acknowledged = writeUntilKilled(t, path, rand.IntN(60), acknowledged)
		b := openBolt(t, path)
		got := load(t, b)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range acknowledged + 1 {
			if _, ok := got["instance "+numbered(i)]; !ok {
				t.Fatalf("record %d was acknowledged and is gone", i)
			}
		}
		// The last commit may have been durable without being acknowledged.
		if extra := len(got) - (acknowledged + 1); extra < 0 || extra > 1 {
			t.Fatalf("%d records after %d were acknowledged", len(got), acknowledged+1)
		}
		acknowledged = len(got) - 1
	}
}

// writeUntilKilled has another process write and kills it when it has acknowledged some records, in the midst of
// the next. It returns the number of the last that was acknowledged.
func writeUntilKilled(t *testing.T, path string, some, last int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); some-- {
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if some == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || complaints.Len() > 0 {
		t.Fatalf("the writer ended with %v: %s", err, &complaints)
	}
	return last
}
