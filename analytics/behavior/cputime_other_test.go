//go:build !linux

package behavior

import "time"

var began = time.Now()

// threadTime is the wall clock where no clock of a thread is at hand.
func threadTime() time.Duration { return time.Since(began) }
