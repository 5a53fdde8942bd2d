package app

import (
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/apiuse"
	"github.com/vegress/vegress/analytics/risk"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/event"
)

// floor is the second floor: the detectors whose state is no entity's. The
// service runs it in a goroutine of its own, replay in its only one.
type floor struct {
	api    *apiuse.Detector
	rules  *stream.Correlator
	risk   *risk.Detector
	keyed  []analytics.Keyed
	marks  []time.Time // the watermark of each shard
	ticked time.Time
	report func(*event.Finding)
	in     chan message
	keep   func(wall time.Time, end bool) // writes down what is to survive a restart; nil: nothing is
}

// message is what a shard, or the service, sends up: observations in their
// order, and how far the shard's time went; or a new policy.
type message struct {
	shard     int // or theService
	watermark time.Time
	told      []analytics.Observation
	policy    *policy
}

// theService is who sends a message that is of no shard.
const theService = -1

// floorQueue bounds the messages that wait for the floor.
const floorQueue = 16

// newFloor makes the floor above that many shards.
func newFloor(shards int, p *policy, report func(*event.Finding)) *floor {
	f := &floor{marks: make([]time.Time, shards), in: make(chan message, floorQueue)}
	f.api = apiuse.New(p.apiuse)
	f.rules = stream.NewCorrelator(p.rules)
	f.risk = risk.New(p.risk)
	f.keyed = []analytics.Keyed{f.api, f.rules, f.risk}
	f.report = func(finding *event.Finding) {
		report(finding)
		weigh(finding, func(o analytics.Observation) { f.risk.Observe(o, report) })
	}
	return f
}

// weigh tells what a finding adds to the risk of its entity.
func weigh(f *event.Finding, tell func(analytics.Observation)) {
	if note := risk.NoteOf(f); note != nil {
		tell(note)
	}
}

// run takes messages until the channel closes, then gives the last word.
func (f *floor) run() {
	for m := range f.in {
		f.take(m)
		f.remember(false)
	}
	f.finish()
	f.remember(true)
}

func (f *floor) remember(end bool) {
	if f.keep != nil {
		f.keep(time.Now(), end)
	}
}

func (f *floor) take(m message) {
	if m.policy != nil {
		f.api.SetPolicy(m.policy.apiuse)
		f.rules.SetPolicy(m.policy.rules)
		f.risk.SetOptions(m.policy.risk)
		return
	}
	for _, o := range m.told {
		f.observe(o)
	}
	if m.shard >= 0 {
		f.pass(m.shard, m.watermark)
	}
}

func (f *floor) observe(o analytics.Observation) {
	for _, k := range f.keyed {
		k.Observe(o, f.report)
	}
}

// pass notes how far a shard's time went. The floor's is that of the shard
// that is furthest behind.
func (f *floor) pass(shard int, watermark time.Time) {
	f.marks[shard] = watermark
	now := watermark
	for _, mark := range f.marks {
		if mark.Before(now) {
			now = mark
		}
	}
	if now.Sub(f.ticked) < tickEvery {
		return
	}
	f.ticked = now
	for _, k := range f.keyed {
		k.Tick(now, f.report)
	}
}

// restore gives all open findings to the detectors, before the first message.
func (f *floor) restore(open []event.Finding) {
	for _, k := range f.keyed {
		if r, ok := k.(analytics.Restorer); ok {
			r.Restore(open)
		}
	}
}

func (f *floor) finish() {
	for _, k := range f.keyed {
		if one, ok := k.(analytics.Flusher); ok {
			one.Flush(f.report)
		}
	}
}
