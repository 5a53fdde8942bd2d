//go:build !(linux || darwin || freebsd)

package app

import "time"

var started = time.Now()

// ownCPU is the time since the start, where a process does not learn its CPU
// time this way.
func ownCPU() time.Duration { return time.Since(started) }
