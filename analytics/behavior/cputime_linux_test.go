package behavior

import (
	"syscall"
	"time"
)

// threadTime is the CPU time of the calling thread, which other work on the
// machine hardly touches.
func threadTime() time.Duration {
	const thisThread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thisThread, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
