package evidence

import (
	"slices"
	"time"

	"github.com/vegress/vegress/analytics"
)

// Bounds of what is kept of one subject.
const (
	maxPast    = 4 // spans that are over: late records fall into them
	maxRecords = 4 // cited of a span: its first ones
)

// span is a time in which something was going on, with its past ones.
type span struct {
	name     string
	from, to time.Time
	records  []string
	past     []span // without a past of their own, latest last
}

// late is by how much one report may come after another that is younger, and
// still move the beginning. Older ones tell of another span, and are left out.
const late = 5 * time.Minute

// extend lets the span go on until hold after at, or begins another when the
// last one is over. A span lasts limit at most.
func (s *span) extend(name string, at time.Time, hold, limit time.Duration, record func() string) {
	switch {
	case s.from.IsZero() || at.After(s.to):
		s.begin(name, at)
	case s.from.Sub(at) > late:
		return
	case at.Before(s.from):
		s.from = at
	}
	to := at.Add(hold)
	if last := s.from.Add(limit); to.After(last) {
		to = last
	}
	if to.After(s.to) {
		s.to = to
	}
	if len(s.records) < maxRecords { // a new slice: the old one is out in verdicts
		s.records = append(slices.Clip(s.records), record())
	}
}

// begin keeps what is over as the past.
func (s *span) begin(name string, at time.Time) {
	if !s.from.IsZero() {
		old := *s
		old.past = nil
		if len(s.past) == maxPast {
			s.past = slices.Delete(s.past, 0, 1)
		}
		s.past = append(s.past, old)
	}
	s.name, s.from, s.to, s.records = name, at, at, nil
}

// end closes the span at that time.
func (s *span) end(at time.Time) {
	if !s.from.IsZero() && at.Before(s.to) && !at.Before(s.from) {
		s.to = at
	}
}

// at gives the run that covers the moment.
func (s *span) at(moment time.Time) (analytics.Run, bool) {
	if s == nil {
		return analytics.Run{}, false
	}
	if r := s.run(); r.Covers(moment) {
		return r, true
	}
	for i := range s.past {
		if r := s.past[i].run(); r.Covers(moment) {
			return r, true
		}
	}
	return analytics.Run{}, false
}

func (s *span) run() analytics.Run {
	return analytics.Run{Name: s.name, From: s.from, To: s.to, Records: s.records}
}
