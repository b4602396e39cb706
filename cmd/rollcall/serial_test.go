package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/records"
)

// keptZone is a zone as newServer makes it, at a time.
func keptZone(t *testing.T, path string, now time.Time) (*records.Zone, *serialKeeper, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	k := &serialKeeper{path: path, log: slog.New(slog.NewTextHandler(&log, nil))}
	o := records.DefaultOptions("mesos")
	o.Serial, o.Reserve = k.first(now), k.reserve
	z, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return z, k, &log
}

// change changes the zone so many times.
func change(z *records.Zone, times int) {
	for i := range times {
		z.Update("s", records.Update{Agents: []records.Agent{{ID: "a-S1",
			Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}}}})
	}
}

// Whatever happens between two runs, a serial of the second is later than all of the first.
func TestSerialNeverGoesBack(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	for _, changes := range []int{0, 1, 10, serialsReserved - 1, serialsReserved, 3*serialsReserved + 7} {
		for _, orderly := range []bool{true, false} {
			for _, later := range []time.Duration{time.Second, -24 * time.Hour, 24 * time.Hour} {
				t.Run(fmt.Sprintf("%d changes, orderly %v, %v later", changes, orderly, later), func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "serial")
					z, k, _ := keptZone(t, path, start)
					if got := z.Snapshot().Serial(); got != uint32(start.Unix()) {
						t.Errorf("the first serial is %d, want the time of day", got)
					}
					change(z, changes)
					last := z.Snapshot().Serial()
					if orderly {
						k.close(last)
					}
					z, _, _ = keptZone(t, path, start.Add(later))
					next := z.Snapshot().Serial()
					if !records.Later(next, last) {
						t.Errorf("after %d comes %d", last, next)
					}
					if waste := next - last; waste > 2*serialsReserved+1 && later < time.Hour {
						t.Errorf("%d serials are wasted", waste)
					}
					if orderly && later < 0 && next != last+1 {
						t.Errorf("after an orderly end at %d comes %d", last, next)
					}
				})
			}
		}
	}
}

// The clock's 32 bits end in 2106, and serials go round (RFC 1982).
func TestSerialGoesRound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "serial")
	z, _, _ := keptZone(t, path, time.Unix(1<<32-3, 0))
	for range 5 {
		before := z.Snapshot().Serial()
		change(z, 1)
		change(z, 2)
		if after := z.Snapshot().Serial(); !records.Later(after, before) || after == 0 {
			t.Errorf("after %d comes %d", before, after)
		}
	}
	last := z.Snapshot().Serial()
	if z, _, _ = keptZone(t, path, time.Unix(1<<32-2, 0)); !records.Later(z.Snapshot().Serial(), last) {
		t.Errorf("after %d comes %d", last, z.Snapshot().Serial())
	}
}

// Without a file, or with a damaged one, the time of day has to do; failures to write are told once.
func TestSerialWithoutFile(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	damaged := filepath.Join(t.TempDir(), "serial")
	if err := os.WriteFile(damaged, []byte("many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	z, _, log := keptZone(t, damaged, start)
	if z.Snapshot().Serial() != uint32(start.Unix()) || !strings.Contains(log.String(), damaged) {
		t.Errorf("serial %d; log: %s", z.Snapshot().Serial(), log)
	}
	z, k, log := keptZone(t, "", start)
	change(z, 2*serialsReserved)
	k.close(z.Snapshot().Serial())
	if log.Len() > 0 {
		t.Errorf("log: %s", log)
	}
	z, _, log = keptZone(t, filepath.Join(t.TempDir(), "missing", "serial"), start)
	change(z, 3*serialsReserved)
	if z.Snapshot().Serial() != uint32(start.Unix())+3*serialsReserved || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("serial %d; log: %s", z.Snapshot().Serial(), log)
	}
}
