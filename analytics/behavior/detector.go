package behavior

import (
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Uids of the analytics.
const (
	Beacon = "behavior.beacon"
	Volume = "behavior.volume"
	Hours  = "behavior.hours"
)

// Bounds of a Detector's memory, beside the pairs.
const (
	maxSources   = 65536
	maxOpen      = 2000 // findings
	ofOneMachine = 64   // findings; what else it talks to is in one, manyDestinations
)

// manyDestinations is the Key of what is about no single destination.
const manyDestinations = "many destinations"

// scoreUnit is how many of a pair's score are a nat.
const scoreUnit = 64

// Detector follows the pairs of one shard. It implements analytics.Detector,
// Ticker, Restorer and Flusher; only Stats is safe for concurrent use. Its
// place is behind what judges connections: it goes by ev.Justification.
type Detector struct {
	policy    *Policy
	seed      uint64
	shards    int
	moment    func(time.Time) analytics.Moment
	courses   *analytics.Courses
	ledger    *analytics.Ledger
	pairs     table
	probation probation
	sources   *analytics.Recent[uint64, *source]

	now      occurrence // that is being looked at
	followed bool       // now is the event that Detect was last given
	words    words      // of what is being reported
	stats    counters
}

// counters are written by the shard and read by Stats.
type counters struct {
	pairs, admitted, evicted, refused, flooded, lost, late, evaluated, beacons atomic.Int64
}

// Stats counts what a Detector follows, and what fell off.
type Stats struct {
	Pairs     int64 // followed now
	Admitted  int64 // taken up since the start
	Evaluated int64 // scores made
	Beacons   int64 // scores that said beacon
	// Evicted pairs gave way to others, Refused ones found a table full of pairs
	// that matter, Flooded ones were of a machine with too many of them, Lost
	// ones gave way while on probation. Late events were older than all that is
	// kept of their pair. ForgottenSources are machines.
	Evicted, Refused, Flooded, Lost, Late, ForgottenSources int64
	Findings                                                []analytics.AnalyticStats
}

var (
	_ analytics.Detector = (*Detector)(nil)
	_ analytics.Ticker   = (*Detector)(nil)
	_ analytics.Restorer = (*Detector)(nil)
	_ analytics.Flusher  = (*Detector)(nil)
)

// New makes the Detector of one of that many shards, which share the bound on
// pairs. courses are the connections that detectors of the shard follow. seed
// goes into the keys of all that is kept.
func New(p *Policy, courses *analytics.Courses, seed uint64, shards int) *Detector {
	d := &Detector{
		courses: courses, seed: seed, shards: max(shards, 1),
		ledger:  analytics.NewLedger(analytics.LedgerOptions{QuietClose: p.quiet(), MaxOpen: maxOpen}, beaconAnalytic, volumeAnalytic, hoursAnalytic),
		sources: analytics.NewRecent[uint64, *source](maxSources),
	}
	bound := p.maxPairs / d.shards
	d.pairs, d.probation = newTable(bound), newProbation(bound)
	d.SetPolicy(p)
	return d
}

// SetPolicy puts p in force for the next event. What is known of pairs stays,
// but for what was sent of late when the length of the window changes. A lower
// bound on pairs holds from the next start.
func (d *Detector) SetPolicy(p *Policy) {
	if d.policy != nil && d.policy.slot != p.slot {
		d.forgetWindows()
	}
	d.policy, d.moment = p, p.Calendar()
	d.ledger.SetQuietClose(p.quiet())
}

func (d *Detector) forgetWindows() {
	for p := range d.pairs.all() {
		p.window = window{}
	}
	for _, s := range d.sources.All() {
		s.window = window{}
	}
}

// Detect follows ev when it goes from the estate to the internet, and nothing
// justifies it.
func (d *Detector) Detect(ev *event.Event, report func(*event.Finding)) {
	if d.followed = d.concerns(ev); !d.followed {
		return
	}
	o := &d.now
	*o = occurrence{keys: d.keysOf(ev), part: d.part(ev), at: ev.Time.UnixMilli()}
	o.begun = o.at
	if !ev.Start.IsZero() {
		o.begun = min(o.at, ev.Start.UnixMilli())
	}
	o.source = d.source(o.keys.source)
	if o.part.Connections > 0 {
		o.moment = d.moment(ev.Time)
		o.unusual = o.source.habit.connect(o.moment, ev.Time, d.moment)
	}
	if o.part.BytesOut > 0 {
		o.sent = o.source.window.add(o.part.BytesOut, o.since(), o.at, d.policy.slot)
	}
	if o.pair = d.follow(o); o.pair == nil {
		d.judge(ev, o, report)
		return
	}
	if o.part.BytesOut > 0 {
		o.pairSent = o.pair.window.add(o.part.BytesOut, o.since(), o.at, d.policy.slot)
		o.pair.size(o.part.BytesOut)
	}
	if o.part.Connections > 0 && d.beat(o.pair, o.begun) {
		d.count(o)
	}
	d.judge(ev, o, report)
}

// occurrence is an event as this package sees it.
type occurrence struct {
	keys
	part   analytics.Part
	at     int64 // Unix milliseconds
	begun  int64 // when the connection began
	source *source
	pair   *pair // nil: not followed

	moment  analytics.Moment // where a connection began
	unusual bool             // it is one of several at an hour that is not its machine's

	sent, pairSent uint64 // the most within TimeWindow: by the machine, by the pair
}

// since is from when on the bytes went.
func (o *occurrence) since() int64 {
	if o.part.Since.IsZero() {
		return o.at
	}
	return min(o.part.Since.UnixMilli(), o.at)
}

// concerns says that ev is a connection to the internet that nothing justifies.
// What has no address is external when the judge of HTTP(S) took it for that.
func (d *Detector) concerns(ev *event.Event) bool {
	if ev.Class != event.NetworkActivity && ev.Class != event.HTTPActivity || ev.Activity == event.NetworkListen && ev.Class == event.NetworkActivity {
		return false
	}
	if v := ev.Justification.Verdict; v == event.VerdictJustified || v == event.VerdictNone && !ev.Dst.IP.IsValid() {
		return false
	}
	if ev.Dst.IP.IsValid() && !d.policy.External(ev.Dst.IP) || ev.Direction == event.DirectionInbound {
		return false
	}
	return !d.policy.ignores(ev.Protocol, ev.Dst.Port) && d.ours(ev)
}

// ours says that the source is the estate's.
func (d *Detector) ours(ev *event.Event) bool {
	c := &ev.Src.Context
	if c.VM != nil || c.Host != nil || len(c.Candidates) > 0 || ev.Direction == event.DirectionOutbound {
		return true
	}
	return !ev.Src.IP.IsValid() || !d.policy.External(ev.Src.IP)
}

// part is what ev adds to what is known of its connection. A request and an
// attempt are each one of their own.
func (d *Detector) part(ev *event.Event) analytics.Part {
	if ev.Class == event.HTTPActivity || attempt(ev) || ev.Src.Port == 0 {
		p := analytics.Part{Known: true, Connections: 1}
		if ev.Traffic.Known {
			p.BytesIn, p.BytesOut = ev.Traffic.BytesIn, ev.Traffic.BytesOut
		}
		return p
	}
	return d.courses.Part(ev, analytics.ConnectionTo(ev, ev.Dst.IP.Unmap()))
}

// attempt says that ev is a connection that did not come about.
func attempt(ev *event.Event) bool {
	return ev.Class == event.NetworkActivity && (ev.Activity == event.NetworkRefuse || ev.Activity == event.NetworkFail)
}

func (d *Detector) source(key uint64) *source {
	s, ok := d.sources.Get(key)
	if !ok {
		s = new(source)
		d.sources.Put(key, s)
	}
	return s
}

// follow finds the pair of o, or takes it up at its second beat, or when it
// sends much. Until then it is on probation.
func (d *Detector) follow(o *occurrence) *pair {
	if p := d.pairs.find(o.keys.pair); p != nil {
		return p
	}
	t := d.probation.find(o.keys.pair)
	if t == nil {
		if !o.source.mayBegin(o.at) {
			d.stats.flooded.Add(1)
			return nil
		}
		d.probation.begin(o.keys.pair, o.begun, o.part.BytesOut)
		d.stats.lost.Store(d.probation.lost)
		if !d.heavy(o.part.BytesOut) {
			return nil
		}
		t = d.probation.find(o.keys.pair)
	} else {
		t.send(o.part.BytesOut)
	}
	began := t.began(o.at)
	if apart := o.begun - began; (o.part.Connections == 0 || apart < gap && apart > -gap) && !d.heavy(int64(t.bytes.decode())) {
		return nil
	}
	return d.take(o, t, began)
}

// heavy says that a pair must not stay on probation, which knows no windows: it
// sent a quarter of what may be too much.
func (d *Detector) heavy(bytes int64) bool {
	return d.policy.threshold > 0 && uint64(max(bytes, 0)) >= d.policy.threshold/4
}

// take ends a probation.
func (d *Detector) take(o *occurrence, t *trial, began int64) *pair {
	if !o.source.mayTake(o.at) {
		d.stats.flooded.Add(1)
		return nil
	}
	p, evicted := d.pairs.add(o.keys.pair, o.at)
	if p == nil {
		d.stats.refused.Add(1)
		return nil
	}
	if evicted {
		d.stats.evicted.Add(1)
	}
	d.stats.admitted.Add(1)
	d.stats.pairs.Store(int64(d.pairs.used))
	p.begin(o.keys.pair, began)
	p.seen = max(began, o.at)
	// What o sends is added behind this, with its own times.
	before := int64(t.bytes.decode()) - o.part.BytesOut
	if before > 0 {
		p.window.add(before, began, began, d.policy.slot)
	}
	*t = trial{}
	return p
}

// beat tells p of a beat; those that came too late to be of use are counted.
func (d *Detector) beat(p *pair, at int64) bool {
	late := p.late
	fresh := p.beat(at)
	d.stats.late.Add(int64(p.late - late))
	return fresh
}

// count notes a new beat of o's pair, and looks at its rhythm when that is due.
func (d *Detector) count(o *occurrence) {
	p := o.pair
	if p.off < 1<<15 && o.moment.Off {
		p.off++
	}
	if !p.due() {
		return
	}
	r := p.evaluate()
	d.stats.evaluated.Add(1)
	p.score = int16(min(max(r.score, 0)*scoreUnit, 1<<15-1))
	p.flags &^= flagBeacon
	if r.score >= threshold && r.period >= d.policy.interval.Min && r.period <= d.policy.interval.Max {
		p.flags |= flagBeacon
		d.stats.beacons.Add(1)
	}
}

// Tick updates and closes findings.
func (d *Detector) Tick(now time.Time, report func(*event.Finding)) { d.ledger.Tick(now, report) }

// Restore takes up findings that were open before a restart.
func (d *Detector) Restore(open []event.Finding) { d.ledger.Restore(open) }

// Flush reports the updates of findings that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(report) }

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	s := &d.stats
	return Stats{
		Pairs: s.pairs.Load(), Admitted: s.admitted.Load(), Evaluated: s.evaluated.Load(), Beacons: s.beacons.Load(),
		Evicted: s.evicted.Load(), Refused: s.refused.Load(), Flooded: s.flooded.Load(), Lost: s.lost.Load(),
		Late: s.late.Load(), ForgottenSources: d.sources.Forgotten(), Findings: d.ledger.Stats(),
	}
}
