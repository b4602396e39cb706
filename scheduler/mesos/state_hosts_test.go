package mesos

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lookups atomic.Int32
		var fails atomic.Bool
		addr := netip.MustParseAddr("10.0.0.7")
		h := NewHosts(func(ctx context.Context, host string) ([]netip.Addr, error) {
			lookups.Add(1)
			if host == "slow" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if fails.Load() {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{addr}, nil
		})
		want := func(host string, addrs ...netip.Addr) {
			t.Helper()
			if got := h.Addrs(host); !slices.Equal(got, addrs) {
				t.Errorf("%s: %v, want %v", host, got, addrs)
			}
		}
		started := time.Now()
		h.Prepare([]string{"a", "slow", "b", "a", "", "10.0.0.8"})
		if took := time.Since(started); took != hostsWait {
			t.Errorf("waited %v for a slow one, want %v", took, hostsWait)
		}
		want("a", addr)
		want("b", addr)
		want("slow")
		want("10.0.0.8", netip.MustParseAddr("10.0.0.8"))
		h.Prepare([]string{"a"})
		if n := lookups.Load(); n != 3 {
			t.Errorf("%d lookups, want 3", n)
		}
		fails.Store(true)
		time.Sleep(hostsFresh)
		h.Prepare([]string{"a"})
		want("a", addr) // the last that is known
		if n := lookups.Load(); n != 4 {
			t.Errorf("%d lookups, want 4", n)
		}
		time.Sleep(hostsKept)
		h.Prepare([]string{"c"})
		want("a")
	})
}
