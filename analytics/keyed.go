package analytics

import "github.com/vegress/vegress/event"

// A detector whose state belongs to no entity of one shard (who uses a
// vCenter's API, which host sends nothing any more) works on the second floor,
// in one goroutine above all shards. It has two halves: a Scout in each shard
// says what was seen there, a Keyed above weighs what all of them said.
// Nothing is told downward.

// Observation is what a Scout tells its Keyed, or the service from its own
// knowledge. It owns its memory and is not changed once told. Each detector
// has types of its own.
type Observation any

// Scout is the half of a detector that sees the events of one shard, after
// the shard's own Detectors. It is used from that shard's goroutine, keeps
// nothing of ev without cloning, and tells little: what it can add up, it
// tells in Rest. It may write into ev what it knows of who acted.
type Scout interface {
	Scout(ev *event.Event, tell func(Observation))
	// Rest is called once in a second of the events' time, and at the end:
	// what was held back to be told in one is told now.
	Rest(tell func(Observation))
}

// Keyed is the half of a detector on the second floor. Its Ticks come with
// the earliest watermark of all shards, so that what a shard saw before is
// there. It may as well be a Restorer and a Flusher.
type Keyed interface {
	Ticker
	// Observe takes an observation; it passes over those of other detectors.
	Observe(o Observation, report func(*event.Finding))
}
