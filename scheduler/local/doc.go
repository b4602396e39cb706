// Package local is the scheduler.Engine for one machine: it makes offers of what the machine has, as one or several
// agents, and runs tasks as processes or, through the machine's Docker Engine, in containers. It is for Linux only.
//
// Three kinds of process take part, all of one program:
//
//	engine      Engine, in rollcall itself: offers, statuses, health checks; it may die at any time
//	supervisor  Supervise, one for each task: starts it, limits it, kills it, writes its end down
//	fetcher     a child of the supervisor that brings files into the sandbox as the task's user
//
// Engine and supervisor share a directory (taskDir) and nothing else: what is to be done and what has been done are
// files that are replaced in one step. A supervisor tells of a change by touching a file that the engine watches
// (doorbell), and the engine asks for a task's end by a file and a signal. So either side may be killed, or be of
// another version, and the task's story goes on where it was.
//
// A task with an image has a supervisor too, which has the Docker Engine run a container instead of running a process
// (containerRun). The container is known by three labels and by its name, which follows from the task.
//
// Nobody is ever signalled on the strength of a pid. A process is named by pid, start time and boot (processID), held
// by a pidfd before it is signalled, and belongs to a task if it is in the task's control group, descends from the
// task's supervisor, or carries the task's sandbox in its environment.
package local
