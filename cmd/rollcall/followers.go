package main

import (
	"time"

	"rollcall/scheduler"
)

// followersHear is for how long a task goes on, out of DNS, until it is told to end: within that time followers have heard that
// it has no name any more, unless they are kept from it.
const followersHear = 100 * time.Millisecond

// afterFollowers is an engine that kills no task before the followers' DNS, too, is done with its name.
type afterFollowers struct{ scheduler.Engine }

func (e afterFollowers) Kill(task scheduler.TaskRef) {
	time.AfterFunc(followersHear, func() { e.Engine.Kill(task) })
}
