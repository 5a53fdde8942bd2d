package inventory

import (
	"time"

	"github.com/vegress/vegress/event"
)

// When an answer of vCenter counts as old.
const (
	staleAfter = 3 * time.Minute
	deadAfter  = time.Hour
)

// A freshness is a state and an age in one word, so that reading both costs
// one load: the state in the top byte, the age in nanoseconds below (a word of
// 56 bits holds two years).
const ageBits = 56

func pack(st event.State, age time.Duration) uint64 {
	return uint64(st)<<ageBits | min(uint64(max(age, 0)), 1<<ageBits-1)
}

func unpack(f uint64) (event.State, time.Duration) {
	return event.State(f >> ageBits), time.Duration(f & (1<<ageBits - 1))
}

// refresh computes every vCenter's state and age, and the worst of them. It
// runs each second; between two runs an age is up to a second behind.
func (inv *Inventory) refresh(now time.Time) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	var worst uint64
	for _, s := range inv.sources {
		f := s.freshness(now.UnixNano())
		s.fresh.Store(f)
		worst = max(worst, f) // states are numbered from good to bad
	}
	inv.worst.Store(worst)
}

func (s *source) freshness(now int64) uint64 {
	if s.lastOK == forever { // a static inventory is as fresh as it ever gets
		return pack(event.StateLive, 0)
	}
	if !s.synced && !s.loaded {
		return pack(event.StateNever, 0)
	}
	age := time.Duration(now - s.lastOK)
	switch {
	case age > deadAfter:
		return pack(event.StateDead, age)
	case age > staleAfter, !s.synced:
		return pack(event.StateStale, age)
	}
	return pack(event.StateLive, age)
}
