package hosts

import (
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// tellEvery is how much time of receipt passes between two Tallies. Receipt,
// not the events' time: a sender's clock that is ahead moves that of a whole
// shard, and would hold back what the others sent.
const tellEvery = time.Second

// maxTallied bounds the names that one Scout knows; a new one beyond that makes
// it begin again, with nothing lost.
const maxTallied = 20_000

// Scout adds up what each machine sends, for one shard. It implements
// analytics.Scout.
type Scout struct {
	tallies map[string]*Tally // by name, as records have it
	latest  *Tally
	busy    []*Tally // that have something to tell
	told    time.Time
}

// NewScout makes a Scout that has seen nothing.
func NewScout() *Scout { return &Scout{tallies: map[string]*Tally{}} }

// Scout counts ev for the machine that reports it. Records that did not come
// over the network as a log are passed over.
func (s *Scout) Scout(ev *event.Event, tell func(analytics.Observation)) {
	r := &ev.Receipt
	if r.At.IsZero() {
		return
	}
	t := s.latest
	if t == nil || t.Name != ev.Device.Hostname {
		t = s.find(ev.Device.Hostname, tell)
	}
	if t.Records == 0 {
		s.busy = append(s.busy, t)
	}
	t.add(ev)
	if kind := signOf(ev); kind != noSign {
		if sign, ok := readSign(kind, ev); ok {
			s.Rest(tell) // what came before it
			tell(sign)
		}
	}
	if r.At.Sub(s.told) >= tellEvery {
		s.told = r.At
		s.Rest(tell)
	}
}

func (s *Scout) find(name string, tell func(analytics.Observation)) *Tally {
	t, ok := s.tallies[name]
	if !ok {
		if len(s.tallies) >= maxTallied {
			s.Rest(tell)
			clear(s.tallies)
		}
		t = &Tally{Name: strings.Clone(name)}
		s.tallies[t.Name] = t
	}
	s.latest = t
	return t
}

func (t *Tally) add(ev *event.Event) {
	r := &ev.Receipt
	t.Host, t.Peer = ev.Device.Host, r.Peer
	t.Records++
	if r.At.After(t.Last) {
		t.Last = r.At
	}
	if r.Truncated {
		t.Truncated++
	}
	if r.Timed && (!t.Timed || r.Skew > t.Skew) {
		t.Skew, t.Timed = r.Skew, true
	}
	switch ev.LogName {
	case "hostd":
		t.Programs[hostd]++
	case "vmkernel":
		t.Programs[vmkernel]++
	case "vpxa":
		t.Programs[vpxa]++
	}
}

// Rest tells what was added up.
func (s *Scout) Rest(tell func(analytics.Observation)) {
	if len(s.busy) == 0 {
		return
	}
	all := make(Tallies, len(s.busy))
	for i, t := range s.busy {
		t.Key = keyOf(t.Host, t.Name, t.Key)
		all[i] = *t
		*t = Tally{Name: t.Name, Key: t.Key}
	}
	s.busy = s.busy[:0]
	tell(all)
}

// hostPrefix begins the entities of machines.
const hostPrefix = "host:"

// keyOf is the entity of a machine, as event.Event.Entity has it. was is what
// it was before: the same most times, which saves making it anew.
func keyOf(h *event.Host, name, was string) string {
	switch {
	case h != nil && h.Key != "":
		return h.Key
	case len(was) == len(hostPrefix)+len(name) && strings.EqualFold(was[len(hostPrefix):], name):
		return was
	}
	return hostPrefix + strings.ToLower(name)
}
