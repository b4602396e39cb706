package cli

import (
	"errors"
	"fmt"

	"rollcall/cmd/rollcall/client"
)

// Exit codes, beside 0.
const (
	exitFailed     = 1 // the server refuses, or cannot be reached
	exitUsage      = 2
	exitNotFound   = 3
	exitConflict   = 4 // a deployment is in the way, or what is to be created exists
	exitUnfinished = 5 // a deployment did not come to its end
)

const exitText = `Exit codes: 0 done, 1 refused or not reachable, 2 wrong arguments, 3 no such app, group, task or deployment,
4 conflict (another deployment is under way, or the app exists already), 5 the deployment did not complete.
`

// ExitCode returns the code that a command which returned err exits with.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*unfinishedError](err); ok {
		return exitUnfinished
	}
	if end, ok := errors.AsType[exitError](err); ok {
		return int(end)
	}
	switch {
	case client.IsNotFound(err):
		return exitNotFound
	case client.IsConflict(err):
		return exitConflict
	}
	return exitFailed
}

// usageError says that the arguments make no sense.
type usageError struct{ problem, help string }

// Error returns what is wrong and how to get help.
func (e *usageError) Error() string { return fmt.Sprintf("%s (see %q)", e.problem, e.help) }

// unfinishedError says that a deployment is not what was waited for.
type unfinishedError struct{ problem string }

// Error says what became of the deployment.
func (e *unfinishedError) Error() string { return e.problem }
