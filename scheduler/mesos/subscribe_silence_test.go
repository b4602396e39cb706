package mesos

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silentAt time.Duration
		start := time.Now()
		in, out := io.Pipe()
		s := newSilence(time.Minute, func() { silentAt = time.Since(start) })
		s.Reader = in
		go io.Copy(io.Discard, s) //nolint:errcheck // it ends with the pipe
		for range 4 {
			time.Sleep(50 * time.Second)
			io.WriteString(out, "x") //nolint:errcheck // likewise
		}
		synctest.Wait()
		s.allow(10 * time.Second)
		time.Sleep(time.Hour)
		synctest.Wait()
		if want := 210 * time.Second; silentAt != want {
			t.Errorf("silent after %v, not %v", silentAt, want)
		}
		out.Close()
		s.stop()
		synctest.Wait()
	})
}

func TestHeartbeatInterval(t *testing.T) {
	for seconds, want := range map[float64]time.Duration{
		0: 15 * time.Second, -1: 15 * time.Second, // not told
		0.001: time.Second, 15: 15 * time.Second, 2.5: 2500 * time.Millisecond,
		3600: time.Hour, 86400: time.Hour, 1e300: time.Hour,
	} {
		if got := heartbeatInterval(seconds); got != want {
			t.Errorf("%v seconds: %v, not %v", seconds, got, want)
		}
	}
}
