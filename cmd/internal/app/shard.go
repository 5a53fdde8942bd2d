package app

import (
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// delivery is what travels to a shard: a parcel of events, or a new policy.
// A policy takes effect between two parcels, for all that follow.
type delivery struct {
	parcel *parcel
	policy *policy
}

// outlet takes what a shard lets out. Stamp gives the event its uid, which
// findings refer to, before detectors see it; Add takes it for good.
// What is handed to it after Claim holds that claim until it is stored.
type outlet interface {
	Claim(c *forward.Claim)
	Stamp(ev *event.Event)
	Add(ev *event.Event) error
	Finding(f *event.Finding) error
	Tick(now time.Time)
	Flush()
}

// shard is the second half of the pipeline, for one part of all entities: one
// goroutine, no locks.
type shard struct {
	index    int
	in       chan delivery
	analysis *analysis
	out      outlet
	clock    clock
	report   func(*event.Finding)
	keep     func(wall time.Time, end bool) // writes down what is to survive a restart; nil: nothing is
	up       chan<- message                 // to the second floor
	told     []analytics.Observation        // not sent up yet
}

// queueLength bounds the parcels that wait for a shard. It is short on purpose:
// what waits long has left the processor's caches by the time the shard reads
// it, which costs a fifth of all CPU time at full speed; and what cannot be
// taken waits as well in the sockets' buffers.
const queueLength = 4

// beat is how often a shard looks at the clock when nothing else happens; it
// bounds how late a pack leaves and a quiet finding closes.
const beat = 50 * time.Millisecond

func newShard(mine share, p *policy, out outlet, c clock, up chan<- message) *shard {
	s := &shard{index: mine.index, in: make(chan delivery, queueLength), out: out, clock: c, up: up}
	tell := func(o analytics.Observation) { s.told = append(s.told, o) }
	s.analysis = newAnalysis(p, mine, tell)
	s.report = func(f *event.Finding) {
		_ = s.out.Finding(f) // a refusal is counted there
		weigh(f, tell)
	}
	return s
}

// run handles what comes in until the channel closes, then ticks a last time
// and lets everything out.
func (s *shard) run() {
	heart := time.NewTicker(beat)
	defer heart.Stop()
	for {
		select {
		case d, open := <-s.in:
			if !open {
				s.analysis.finish(s.report)
				s.out.Flush()
				s.sendUp()
				s.remember(time.Now(), true)
				return
			}
			s.deliver(d)
		case now := <-heart.C:
			s.beat(now)
		}
	}
}

func (s *shard) deliver(d delivery) {
	if d.policy != nil {
		s.analysis.adopt(d.policy)
		return
	}
	p := d.parcel
	s.out.Claim(p.claim)
	for _, i := range p.mine[s.index] {
		if i < 0 {
			s.analysis.learn(&p.events[^i])
			continue
		}
		s.handle(&p.events[i])
	}
	s.out.Claim(nil)
	p.done()
	if len(s.told) >= maxTold {
		s.sendUp()
	}
}

// handle is the way of one event through its shard.
func (s *shard) handle(ev *event.Event) {
	s.out.Stamp(ev)
	s.analysis.see(ev, s.report)
	_ = s.out.Add(ev) // a refusal is counted there
}

// beat lets packs leave that have waited long enough, and lets time pass for
// the detectors when no event does.
func (s *shard) beat(wall time.Time) {
	s.out.Tick(wall)
	if len(s.in) == 0 {
		s.analysis.pass(s.clock.at(wall), s.report)
	}
	s.sendUp()
	s.remember(wall, false)
}

// maxTold is how many observations make a shard send them up before its beat.
const maxTold = 256

// sendUp takes to the second floor what was told, and how far time went. It
// blocks while the floor is behind.
func (s *shard) sendUp() {
	s.up <- message{shard: s.index, watermark: s.analysis.watermark, told: s.told}
	s.told = nil
}

func (s *shard) remember(wall time.Time, end bool) {
	if s.keep != nil {
		s.keep(wall, end)
	}
}
