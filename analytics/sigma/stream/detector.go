package stream

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

// sampleEvery is of how many events one is measured.
const sampleEvery = 1024

// Detector evaluates the rules on the events of one shard. It implements
// analytics.Detector, Ticker, Restorer and Flusher; only Stats is safe for
// concurrent use.
type Detector struct {
	policy  *Policy
	inForce atomic.Pointer[Policy] // the same, for other goroutines
	eval    *Evaluator
	book    *book
	tell    func(analytics.Observation)

	// The event under evaluation, and which rules hit it.
	ev     *event.Event
	hits   []*sigma.Rule
	report func(*event.Finding)
	yield  func(*sigma.Hit)
	cost   func(*sigma.Rule, time.Duration)
	words  hitWords

	seen, sampled atomic.Int64
	sample        uint32
}

// Stats counts what a Detector did.
type Stats struct {
	Events   int64         // that are of a log source which some rule is for
	Cost     time.Duration // of all, estimated from samples
	Rules    []RuleStats   // those that hit, or that a sample found to cost something
	Findings []analytics.AnalyticStats
}

var (
	_ analytics.Detector = (*Detector)(nil)
	_ analytics.Ticker   = (*Detector)(nil)
	_ analytics.Restorer = (*Detector)(nil)
	_ analytics.Flusher  = (*Detector)(nil)
)

// New makes a Detector. tell gets the hits that correlations count.
func New(p *Policy, tell func(analytics.Observation)) *Detector {
	d := &Detector{book: newBook(p), tell: tell}
	d.yield = d.hit
	d.cost = func(r *sigma.Rule, took time.Duration) { d.book.state(d.policy.rules[r]).cost.Add(int64(took)) }
	d.SetPolicy(p)
	return d
}

// SetPolicy puts p in force for the next event. Open findings stay.
func (d *Detector) SetPolicy(p *Policy) {
	d.policy = p
	d.inForce.Store(p)
	d.eval = p.NewEvaluator()
	d.book.adopt(p)
}

// Policy is the one in force. It may be called from any goroutine.
func (d *Detector) Policy() *Policy { return d.inForce.Load() }

// Detect evaluates the rules of the log sources that ev is of. A rule hits an
// event once, of however many sources it is.
func (d *Detector) Detect(ev *event.Event, report func(*event.Finding)) {
	ids := d.eval.look(ev)
	if len(ids) == 0 {
		return
	}
	d.seen.Add(1)
	d.ev, d.report, d.hits = ev, report, d.hits[:0]
	if d.sample++; d.sample%sampleEvery == 0 {
		d.measure(ids)
	} else {
		d.eval.match(ev, ids, d.yield)
	}
	d.ev, d.report = nil, nil
}

// measure is match with a look at the clock. That decides nothing.
func (d *Detector) measure(ids []source.ID) {
	start := time.Now()
	d.eval.Cost = d.cost
	d.eval.match(d.ev, ids, d.yield)
	d.eval.Cost = nil
	d.sampled.Add(int64(time.Since(start)))
}

// hit is what becomes of a rule that holds for the event.
func (d *Detector) hit(h *sigma.Hit) {
	if slices.Contains(d.hits, h.Rule) {
		return
	}
	d.hits = append(d.hits, h.Rule)
	r := d.policy.rules[h.Rule]
	if r.excused && d.ev.Justification.Verdict == event.VerdictJustified {
		return
	}
	d.book.state(r).hits.Add(1)
	if r.feeds {
		d.sight(h.Rule)
	}
	if r.silent {
		return
	}
	d.words = hitWords{rule: r, hit: h, flood: d.policy.flood}
	d.book.add(r, analytics.Key{Entity: d.ev.Entity()}, analytics.Sighting{Event: d.ev, By: &d.words}, d.report)
}

// sight tells the second floor of a hit.
func (d *Detector) sight(r *sigma.Rule) {
	kept := *d.ev
	kept.Fields = nil // findings show none
	if len(kept.Raw) > maxRaw {
		kept.Raw = ""
	}
	seen := &sighted{ev: kept.Clone()}
	d.policy.correlations.Sightings(r, &d.eval.record, d.ev.Time, d.ev.UID, func(s *sigma.Sighting) {
		seen.sightings = append(seen.sightings, s)
	})
	d.tell(seen)
}

// Tick updates and closes findings.
func (d *Detector) Tick(now time.Time, report func(*event.Finding)) { d.book.tick(now, report) }

// Flush reports the updates of findings that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.book.ledger.Flush(report) }

// Restore takes up findings that were open before a restart. Those of rules
// that are not in force any more close when they have been quiet for long.
func (d *Detector) Restore(open []event.Finding) {
	above := byUID(d.policy.weighed)
	d.book.restore(open, byUID(d.policy.rules), func(f *event.Finding) bool { return IsRule(f) && above[f.Analytic.UID] == nil })
}

func byUID[K comparable](rules map[K]*rule) map[string]*rule {
	all := make(map[string]*rule, len(rules))
	for _, r := range rules {
		all[r.uid] = r
	}
	return all
}

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	return Stats{
		Events: d.seen.Load(), Cost: time.Duration(d.sampled.Load()) * sampleEvery,
		Rules: d.book.stats(), Findings: d.book.ledger.Stats(),
	}
}
