package main

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/scheduler"
)

// killingEngine tells which tasks it kills.
type killingEngine struct {
	scheduler.Engine
	killed chan scheduler.TaskRef
}

func (e killingEngine) Kill(task scheduler.TaskRef) { e.killed <- task }

// A task goes on until followers have heard of its end, and is left to whoever leads then if that is another rollcall.
func TestAfterFollowers(t *testing.T) {
	for _, leads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			killing := killingEngine{killed: make(chan scheduler.TaskRef, 1)}
			var valid atomic.Bool
			valid.Store(true)
			e := afterFollowers{fenced{killing, valid.Load}}
			e.Kill(scheduler.TaskRef{TaskID: "a"})
			time.Sleep(followersHear - 1)
			synctest.Wait()
			if len(killing.killed) > 0 {
				t.Error("it was killed at once")
			}
			valid.Store(leads)
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if got := len(killing.killed) == 1; got != leads {
				t.Errorf("killed: %t; this rollcall leads: %t", got, leads)
			}
		})
	}
}
