package risk

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Analytic is the uid of the incident.
const Analytic = "risk.entity"

var incident = event.Analytic{
	UID: Analytic, Name: "Several findings of one entity", Version: "1",
	Desc: "The findings of different analytics about one machine add up to more than the threshold.",
}

// Bounds of a Detector's memory.
const (
	maxEntities = 20_000
	maxParts    = 32 // findings of one entity
)

// lookEvery is how much of the events' time passes between two looks at which
// incidents are over.
const lookEvery = time.Minute

// Detector adds up what is found about each entity. It implements
// analytics.Keyed, Restorer and Flusher; only Stats is safe for concurrent
// use.
type Detector struct {
	opts    Options
	ledger  *analytics.Ledger
	sums    *analytics.Recent[string, *sum] // by entity
	open    map[string]*sum                 // those with an incident
	looked  time.Time
	counted atomic.Int64
}

// Stats counts what a Detector did.
type Stats struct {
	Counted   int64 // revisions of findings that were weighed
	Forgotten int64 // entities that fell off, with what they had
	Findings  []analytics.AnalyticStats
}

var (
	_ analytics.Keyed    = (*Detector)(nil)
	_ analytics.Restorer = (*Detector)(nil)
	_ analytics.Flusher  = (*Detector)(nil)
)

// New makes a Detector to which nothing was told.
func New(o Options) *Detector {
	return &Detector{
		opts: o,
		// An incident ends when its sum falls, however long that takes.
		ledger: analytics.NewLedger(analytics.LedgerOptions{QuietClose: maxHalfLife}, incident),
		sums:   analytics.NewRecent[string, *sum](maxEntities),
		open:   map[string]*sum{},
	}
}

// SetOptions puts o in force for the next observation. What is open stays
// open until its sum falls.
func (d *Detector) SetOptions(o Options) { d.opts = o }

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	return Stats{Counted: d.counted.Load(), Forgotten: d.sums.Forgotten(), Findings: d.ledger.Stats()}
}

// Observe weighs a revision of a finding, told as a *Note.
func (d *Detector) Observe(o analytics.Observation, report func(*event.Finding)) {
	if n, ok := o.(*Note); ok {
		d.note(n, report)
	}
}

func (d *Detector) note(n *Note, report func(*event.Finding)) {
	d.counted.Add(1)
	s := d.of(n.entity)
	news := s.take(n)
	key := keyOf(n.entity)
	switch total, kinds := s.weigh(n.at, d.opts.HalfLife); {
	case d.ledger.Has(key):
	case d.opts.Threshold == 0 || kinds < 2 || total < float64(d.opts.Threshold):
		return
	default:
		d.makeRoom()
		d.open[n.entity], news = s, true
	}
	if news {
		d.tell(key, s, n, report)
	}
}

// makeRoom forgets incidents that the ledger gave up.
func (d *Detector) makeRoom() {
	if len(d.open) < 2*maxEntities {
		return
	}
	maps.DeleteFunc(d.open, func(entity string, _ *sum) bool { return !d.ledger.Has(keyOf(entity)) })
}

// of finds what is known of an entity, or begins to.
func (d *Detector) of(entity string) *sum {
	if s, ok := d.open[entity]; ok {
		return s
	}
	s, ok := d.sums.Get(entity)
	if !ok {
		s = &sum{}
		d.sums.Put(entity, s)
	}
	return s
}

// tell opens the incident of s, or adds to it what n says.
func (d *Detector) tell(key analytics.Key, s *sum, n *Note, report func(*event.Finding)) {
	by, more := &words{sum: s, at: n.at, half: d.opts.HalfLife}, int64(0)
	if !d.ledger.Has(key) {
		more = int64(len(s.parts) - 1)
	}
	d.ledger.Add(d.ledger.Case(key, report), analytics.Sighting{
		Event:    &event.Event{UID: n.uid + "@" + n.revision, Time: n.at, Device: n.device, Src: n.src},
		Severity: by.severity(d.opts.Threshold), By: by, Absent: true, Retell: true, More: more,
	}, report)
}

func keyOf(entity string) analytics.Key {
	return analytics.Key{Analytic: Analytic, Entity: event.ParseEntity(entity), What: "risk"}
}

// Tick updates incidents, and closes those whose sum fell below half of the
// threshold.
func (d *Detector) Tick(now time.Time, report func(*event.Finding)) {
	d.ledger.Tick(now, report)
	if now.Sub(d.looked) < lookEvery {
		return
	}
	d.looked = now
	for entity, s := range ordered(d.open) {
		if total, _ := s.weigh(now, d.opts.HalfLife); total < float64(d.opts.Threshold)/2 || d.opts.Threshold == 0 {
			d.ledger.Close(keyOf(entity), now, "What was found counts less with time, and is below half of risk.threshold now.", report)
			d.settle(entity, s)
		}
	}
}

// settle ends an incident; what it was made of may become part of another.
func (d *Detector) settle(entity string, s *sum) {
	delete(d.open, entity)
	d.sums.Put(entity, s)
}

// Restore takes up incidents and the findings that they are made of. Findings
// that were closed before the restart are not among these.
func (d *Detector) Restore(open []event.Finding) {
	d.ledger.Restore(open)
	for i := range open {
		f := &open[i]
		if n := NoteOf(f); n != nil && f.Activity != event.FindingClose {
			d.of(n.entity).take(n)
		}
	}
	for i := range open {
		if f := &open[i]; f.Analytic.UID == Analytic && d.ledger.Has(keyOf(f.Entity)) {
			s := d.of(f.Entity)
			s.recall(f, d.opts.HalfLife)
			d.open[f.Entity] = s
		}
	}
}

// Flush reports the updates of incidents that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(report) }
