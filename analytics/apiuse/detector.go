package apiuse

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Uids of the analytics.
const (
	ExternalAPI = "vpxd.external_api"
	NewTriple   = "vpxd.new_triple"
	GuestOps    = "vpxd.guest_ops"
	Bulk        = "vpxd.bulk"
)

// Bounds of a Detector's memory.
const (
	maxTriples = 20000
	maxDevices = 20000
	maxWindows = 1024
)

// newFor is how long after it was first seen a triple is new.
const newFor = 24 * time.Hour

// Detector weighs what the Scouts tell. It implements analytics.Keyed,
// Restorer and Flusher; only Stats is safe for concurrent use.
type Detector struct {
	policy *Policy
	ledger *analytics.Ledger

	since   *analytics.Recent[string, time.Time] // when each machine was first heard of
	known   *analytics.Recent[triple, *period]
	windows *analytics.Recent[deed, *window]
	changed bool // since the last Save

	privileged, backups atomic.Int64
}

// period is when a triple was seen first, and last.
type period struct{ first, last time.Time }

// Stats counts what the Detector saw.
type Stats struct {
	Privileged int64 // operations
	Backups    int64 // of them, snapshots that backup products removed
	Findings   []analytics.AnalyticStats
	Forgotten  int64 // triples and counts given up for newer ones
}

var (
	_ analytics.Keyed    = (*Detector)(nil)
	_ analytics.Restorer = (*Detector)(nil)
	_ analytics.Flusher  = (*Detector)(nil)
)

// New makes a Detector that knows nobody yet.
func New(p *Policy) *Detector {
	d := &Detector{
		ledger: analytics.NewLedger(analytics.LedgerOptions{QuietClose: p.quiet}, externalAnalytic, tripleAnalytic, guestAnalytic, bulkAnalytic),
		since:  analytics.NewRecent[string, time.Time](maxDevices),
		known:  analytics.NewRecent[triple, *period](maxTriples),
	}
	d.windows = analytics.NewRecent[deed, *window](maxWindows)
	d.SetPolicy(p)
	return d
}

// SetPolicy puts p in force for the next observation. What is known, and open
// findings, stay.
func (d *Detector) SetPolicy(p *Policy) {
	d.policy = p
	d.ledger.SetQuietClose(p.quiet)
}

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	return Stats{
		Privileged: d.privileged.Load(), Backups: d.backups.Load(), Findings: d.ledger.Stats(),
		Forgotten: d.known.Forgotten() + d.windows.Forgotten() + d.since.Forgotten(),
	}
}

// Tick updates and closes findings.
func (d *Detector) Tick(now time.Time, report func(*event.Finding)) {
	d.ledger.Tick(now, narrowed(report))
}

// Restore takes up findings that were open before a restart.
func (d *Detector) Restore(open []event.Finding) { d.ledger.Restore(open) }

// Flush reports the updates of findings that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(narrowed(report)) }

// Observe takes what a Scout tells.
func (d *Detector) Observe(o analytics.Observation, report func(*event.Finding)) {
	switch o := o.(type) {
	case *sighting:
		d.watched(o.device, o.at)
		d.learn(o.triple, o.at)
	case *operation:
		d.operation(o, narrowed(report))
	}
}

func (d *Detector) operation(o *operation, report func(*event.Finding)) {
	d.watched(o.device, o.ev.Time)
	if !o.late {
		d.told(o, report)
	}
	if o.kind == noKind {
		return
	}
	if t, fresh := d.fresh(o); fresh {
		d.find(o, NewTriple, t.String(), tripleSeverity(o.kind), noteOf(o.kind), report)
	}
	for _, t := range o.triples {
		d.learn(t, o.ev.Time)
	}
}

// told is for what does not depend on who else is known.
func (d *Detector) told(o *operation, report func(*event.Finding)) {
	if o.outside {
		d.fromOutside(o, report)
	}
	if o.kind == noKind {
		return
	}
	d.privileged.Add(1)
	switch {
	case o.backup != "":
		d.backups.Add(1)
	case o.kind.guest() && !d.policy.mayGuest.match(o.account):
		severity, notes := event.SeverityMedium, noteOf(o.kind)
		if o.ev.Status == event.StatusFailure {
			notes |= noteFailed
		} else if o.kind != guestRead {
			severity = event.SeverityHigh
		}
		d.find(o, GuestOps, o.account.String(), severity, notes, report)
	case d.policy.limits[o.kind] > 0 && o.ev.Status != event.StatusFailure && !d.policy.mayDo.match(o.account):
		d.bulk(o, report)
	}
}

func (d *Detector) fromOutside(o *operation, report func(*event.Finding)) {
	severity, notes := event.SeverityHigh, noteUsed
	switch {
	case o.kind != noKind:
		severity, notes = event.SeverityCritical, noteUsed|noteOf(o.kind)
	case o.ev.Status == event.StatusFailure:
		severity, notes = event.SeverityMedium, noteFailed
	}
	key := analytics.Key{Analytic: ExternalAPI, Entity: o.ev.Entity(), Addr: placeOf(o.ev.Src.IP)}
	d.add(key, o, severity, notes, 0, report)
}

// find is for findings of the machine whose API it is.
func (d *Detector) find(o *operation, analytic, what string, severity event.Severity, notes uint32, report func(*event.Finding)) {
	d.add(analytics.Key{Analytic: analytic, Entity: o.ev.Entity(), What: what}, o, severity, notes, 0, report)
}

func (d *Detector) add(key analytics.Key, o *operation, severity event.Severity, notes uint32, count int, report func(*event.Finding)) {
	d.ledger.Add(d.ledger.Case(key, report), analytics.Sighting{
		Event: &o.ev, Severity: severity, Notes: notes, By: &words{op: o, policy: d.policy, count: count},
	}, report)
}

// watched notes since when a machine is watched.
func (d *Detector) watched(device string, at time.Time) {
	if first, ok := d.since.Get(device); !ok || at.Before(first) {
		d.since.Put(device, at)
		d.changed = true
	}
}

func (d *Detector) learn(t triple, at time.Time) {
	p, ok := d.known.Get(t)
	switch {
	case !ok:
		d.known.Put(t, &period{at, at})
	case at.Before(p.first):
		p.first = at
	case at.Sub(p.last) < time.Hour:
		return
	default:
		p.last = at
	}
	d.changed = true
}

// fresh gives the triple that is new, when everything that it can have been
// is: of several sessions of an account a known one may be meant. A machine
// that its records do not name has no habits.
func (d *Detector) fresh(o *operation) (triple, bool) {
	if len(o.triples) == 0 || o.device == "" || d.policy.learning <= 0 || d.policy.mayBeNew.match(o.account) {
		return triple{}, false
	}
	since, _ := d.since.Get(o.device)
	learned := since.Add(d.policy.learning)
	if o.ev.Time.Before(learned) {
		return triple{}, false
	}
	for _, t := range o.triples {
		p, ok := d.known.Get(t)
		if ok && (p.first.Before(learned) || o.ev.Time.Sub(p.first) >= newFor) {
			return triple{}, false
		}
	}
	return o.triples[0], true
}

func tripleSeverity(k kind) event.Severity {
	switch k {
	case destroy, export, clone, guestRun, guestWrite, access:
		return event.SeverityHigh
	}
	return event.SeverityMedium
}

// deed is what is counted: what an account does, by one teller's word.
type deed struct {
	account account
	kind    kind
	teller  uint8
}

// window is what an account did lately, at most as much as the limit: from
// then on it is a finding.
type window struct {
	entity event.Entity // of the finding; zero: none yet
	last   time.Time
	count  int // targets since the finding was opened
	recent []*operation
}

// bulk counts an operation, and reports when there are too many: with those
// that made it so.
func (d *Detector) bulk(o *operation, report func(*event.Finding)) {
	k := deed{o.account, o.kind, tellerOf(&o.ev)}
	w, ok := d.windows.Get(k)
	if !ok {
		w = &window{}
		d.windows.Put(k, w)
	}
	at := o.ev.Time
	if w.entity != (event.Entity{}) && at.Sub(w.last) < d.policy.window {
		w.count++
		d.tooMany(w, o, report)
		return
	}
	w.entity = event.Entity{}
	w.add(o, at.Add(-d.policy.window))
	if len(w.recent) < d.policy.limits[o.kind] {
		return
	}
	w.entity, w.count = o.ev.Entity(), len(w.recent)
	for _, one := range w.recent {
		d.tooMany(w, one, report)
	}
	w.recent = nil
}

// add takes o in, forgets what is older than from, and counts each target
// once.
func (w *window) add(o *operation, from time.Time) {
	kept := w.recent[:0]
	for _, one := range w.recent {
		if !one.ev.Time.Before(from) && targetOf(one) != targetOf(o) {
			kept = append(kept, one)
		}
	}
	clear(w.recent[len(kept):])
	w.recent = append(kept, o)
}

// targetOf is what it was done to. A TaskEvent does not say: each is one.
func targetOf(o *operation) string {
	if name := o.ev.Dst.VMName; name != "" {
		return name
	}
	if o.ev.Resource != "" {
		return o.device + "\x00" + o.ev.Resource
	}
	return o.ev.UID
}

// farMore is by how much more than the limit is critical.
const farMore = 5

func (d *Detector) tooMany(w *window, o *operation, report func(*event.Finding)) {
	if o.ev.Time.After(w.last) {
		w.last = o.ev.Time
	}
	severity, notes := event.SeverityHigh, noteOf(o.kind)
	if w.count >= farMore*d.policy.limits[o.kind] {
		severity, notes = event.SeverityCritical, notes|noteFarMore
	}
	key := analytics.Key{Analytic: Bulk, Entity: w.entity, What: o.account.String() + " " + phrases[o.kind]}
	d.add(key, o, severity, notes, w.count, report)
}

// narrowed lets a finding of bulk operations name only the techniques of what
// was done.
func narrowed(report func(*event.Finding)) func(*event.Finding) {
	return func(f *event.Finding) {
		if f.Analytic.UID == Bulk {
			for k, attack := range bulkAttacks {
				if strings.HasSuffix(f.Key, phrases[k]) {
					f.Analytic.Attacks = []event.Attack{attack}
				}
			}
		}
		report(f)
	}
}
