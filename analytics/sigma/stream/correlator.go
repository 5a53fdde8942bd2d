package stream

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/event"
)

// maxRemembered bounds the events that are kept for the findings of
// correlations; those told of longest ago are named there without their
// records.
const maxRemembered = 8192

// maxRaw is how long a record may be that is kept with them, in bytes; findings
// name longer ones by their uids only.
const maxRaw = 4096

// sighted is a hit that correlations count.
type sighted struct {
	ev        event.Event
	sightings []*sigma.Sighting
}

// Correlator weighs on the second floor what the Detectors of all shards hit.
// It implements analytics.Keyed, Restorer and Flusher; only Stats is safe for
// concurrent use.
type Correlator struct {
	policy *Policy
	book   *book
	weigh  *sigma.Correlator
	events *analytics.Recent[string, *event.Event] // by uid

	current *event.Event // that is told of; nil: it is time that passes
	report  func(*event.Finding)
	emit    func(*sigma.Correlated)
	words   correlatedWords
	stats   atomic.Pointer[sigma.CorrelatorStats]
}

// CorrelatorStats counts what a Correlator did.
type CorrelatorStats struct {
	sigma.CorrelatorStats
	Unremembered int64 // events that fell out before a finding could show them
	Rules        []RuleStats
	Findings     []analytics.AnalyticStats
}

var (
	_ analytics.Keyed    = (*Correlator)(nil)
	_ analytics.Restorer = (*Correlator)(nil)
	_ analytics.Flusher  = (*Correlator)(nil)
)

// NewCorrelator makes a Correlator that has seen nothing.
func NewCorrelator(p *Policy) *Correlator {
	c := &Correlator{
		policy: p, book: newBook(p), weigh: sigma.NewCorrelator(p.correlations, sigma.CorrelatorOptions{}),
		events: analytics.NewRecent[string, *event.Event](maxRemembered),
	}
	c.emit = c.holds
	c.stats.Store(new(sigma.CorrelatorStats))
	return c
}

// SetPolicy puts p in force for the next observation. The windows of
// correlations that count the same as before, and open findings, stay.
func (c *Correlator) SetPolicy(p *Policy) {
	c.policy = p
	c.weigh.Replace(p.correlations)
	c.book.adopt(p)
}

// Observe takes what a Detector tells.
func (c *Correlator) Observe(o analytics.Observation, report func(*event.Finding)) {
	seen, ok := o.(*sighted)
	if !ok {
		return
	}
	c.events.Put(seen.ev.UID, &seen.ev)
	c.current, c.report = &seen.ev, report
	for _, s := range seen.sightings {
		c.weigh.Observe(s, c.emit)
	}
	c.current, c.report = nil, nil
}

// Tick lets windows end, and updates and closes findings.
func (c *Correlator) Tick(now time.Time, report func(*event.Finding)) {
	c.report = report
	c.weigh.Tick(now, c.emit)
	c.report = nil
	c.book.tick(now, report)
	stats := c.weigh.Stats()
	c.stats.Store(&stats)
}

// Flush reports the updates of findings that wait for their time.
func (c *Correlator) Flush(report func(*event.Finding)) { c.book.ledger.Flush(report) }

// Restore takes up findings that were open before a restart.
func (c *Correlator) Restore(open []event.Finding) {
	c.book.restore(open, byUID(c.policy.weighed), func(*event.Finding) bool { return false }) // those that are gone, a shard closes
}

// Stats may be called from any goroutine. What the correlations count is as of
// the last Tick.
func (c *Correlator) Stats() CorrelatorStats {
	return CorrelatorStats{
		CorrelatorStats: *c.stats.Load(), Unremembered: c.events.Forgotten(),
		Rules: c.book.stats(), Findings: c.book.ledger.Stats(),
	}
}

// holds makes a finding of a correlation that holds.
func (c *Correlator) holds(hit *sigma.Correlated) {
	r := c.policy.weighed[hit.Correlation]
	c.book.state(r).hits.Add(1)
	events := c.made(hit)
	c.words = correlatedWords{rule: r, hit: hit, flood: c.policy.flood}
	s := analytics.Sighting{Until: hit.Last, By: &c.words}
	if len(events) == 0 { // all forgotten: the finding says when and what
		s.Event, s.Absent = &event.Event{UID: hit.Events[0], Time: hit.First}, true
	} else {
		last := len(events) - 1
		s.Event, s.Earlier = events[last], events[:last]
	}
	s.More = max(0, int64(hit.Count-max(len(events), 1)))
	c.book.add(r, analytics.Key{Entity: entityOf(events), What: groupName(hit.Group)}, s, c.report)
}

// made gives the events that are known of those that made a correlation hold,
// oldest first, and the one that completed it.
func (c *Correlator) made(hit *sigma.Correlated) []*event.Event {
	var events []*event.Event
	for _, uid := range hit.Events {
		if ev, ok := c.events.Get(uid); ok && !slices.Contains(events, ev) {
			events = append(events, ev)
		}
	}
	if c.current != nil && !slices.Contains(events, c.current) {
		events = append(events, c.current)
	}
	slices.SortStableFunc(events, func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// entityOf is who acted in the last of the events.
func entityOf(events []*event.Event) event.Entity {
	if len(events) == 0 {
		return event.Entity{}
	}
	return events[len(events)-1].Entity()
}

// groupName is what a correlation grouped by: "SourceIp 192.0.2.7, User root".
func groupName(group []sigma.GroupValue) string {
	parts := make([]string, len(group))
	for i, g := range group {
		parts[i] = g.Field + " " + g.Value
	}
	return strings.Join(parts, ", ")
}
