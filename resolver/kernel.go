package resolver

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// kernel is how the kernel is entered where Go's own packages are not used, and then all that it may say has to be dealt
// with here. Tests have it say what it seldom says.
type kernel struct {
	raw  func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno) // does not tell the scheduler
	read func(fd int, p []byte) (int, error)
}

func newKernel() kernel { return kernel{raw: syscall.RawSyscall6, read: unix.Read} }
