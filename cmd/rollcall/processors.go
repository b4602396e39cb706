package main

import (
	"os"
	"runtime"
)

// shareProcessor lets a question of DNS in while a long computation has the only processor. Go would let it wait until the
// computation gives way, which takes up to 10 ms, as it runs one goroutine for each processor; with two threads it is the
// kernel that decides, and gives the processor to the one that waited. GOMAXPROCS in the environment is left as it is.
//
// Go does the same where a container's share is less than two of several processors (package runtime, GOMAXPROCS).
func shareProcessor() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
}
