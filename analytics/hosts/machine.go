package hosts

import (
	"net/netip"
	"time"

	"github.com/vegress/vegress/event"
)

// machine is one that sends logs, or that an inventory says should.
type machine struct {
	key    string // "host:<name in lower case>"
	entity event.Entity
	name   string
	known  bool        // an inventory knows it, or a vCenter is it
	host   *event.Host // of the inventory; nil: not known there
	gone   bool        // the inventory had it once
	begun  time.Time   // when it was first heard of; zero: at the first Pulse

	habit    habit
	programs [programs]habit
	told     Tally // since the last look

	peer      netip.Addr
	last      time.Time // receipt of its latest record
	records   int64
	truncated window
	lost      window
	failures  window // log hosts that could not be reached
	cut, gave int64  // truncated and lost, since the start
	skew      skew

	maintenance  time.Time // until when vCenter's events say so
	disconnected time.Time
	reboot       time.Time
	changed      change

	targets []string // of the vCenter; nil: not read
	before  []string // what they were before they changed to others; nil: they did not

	silent      bool // a finding is open
	mute        [programs]bool
	losing      bool
	misdirected bool
	reminded    time.Time

	state     event.PathState
	announced event.PathState // the latest that was told
	since     time.Time
	reasons   []string
}

// change is what a record said of the way out.
type change struct {
	at   time.Time
	sign *Sign // nil: none
}

const connected = "connected"

// add takes what was told.
func (m *machine) add(t *Tally) {
	m.records += t.Records
	m.told.Records += t.Records
	m.told.Truncated += t.Truncated
	for i, n := range t.Programs {
		m.told.Programs[i] += n
	}
	if t.Peer.IsValid() {
		m.peer = t.Peer
	}
	m.last = later(m.last, t.Last)
	if t.Timed {
		m.skew.add(t.Last, t.Skew)
	}
}

// window adds up what happened in the last hour, give or take a quarter.
type window struct {
	parts [4]int64
	begun time.Time // of parts[0]
}

const windowPart = 15 * time.Minute

func (w *window) add(now time.Time, n int64) {
	w.turn(now)
	w.parts[0] += n
}

func (w *window) sum(now time.Time) (n int64) {
	w.turn(now)
	for _, p := range w.parts {
		n += p
	}
	return n
}

func (w *window) turn(now time.Time) {
	if w.begun.IsZero() || now.Sub(w.begun) >= time.Duration(len(w.parts))*windowPart {
		*w = window{begun: now}
	}
	for now.Sub(w.begun) >= windowPart {
		copy(w.parts[1:], w.parts[:])
		w.parts[0], w.begun = 0, w.begun.Add(windowPart)
	}
}

// skew is the clock of a sender against ours: of the quickest records lately.
// A record that was long on its way only seems to be of a clock behind.
type skew struct {
	now, before time.Duration
	has, had    bool
	begun       time.Time
}

func (s *skew) add(at time.Time, v time.Duration) {
	if at.Sub(s.begun) >= windowPart {
		*s = skew{before: s.now, had: s.has, begun: at}
	}
	if !s.has || v > s.now {
		s.now, s.has = v, true
	}
}

func (s *skew) value() time.Duration {
	switch {
	case s.has && s.had:
		return max(s.now, s.before)
	case s.had:
		return s.before
	}
	return s.now
}
