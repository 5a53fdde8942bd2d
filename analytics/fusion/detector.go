package fusion

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Uids of the analytics.
const (
	ProcessFlow = "fusion.process_flow"
	SensorBlind = "fusion.sensor_blind"
)

// Bounds of a Detector's memory.
const (
	maxLanes   = 32768
	maxWaiting = 8192
	maxSensors = 20_000
	maxRaw     = 4096 // bytes of a record that is kept with a half
)

// Detector joins the events of one shard, after they were judged. It
// implements analytics.Detector, Ticker, Restorer and Flusher; only Stats is
// safe for concurrent use.
type Detector struct {
	opts    Options
	courses *analytics.Courses
	ledger  *analytics.Ledger
	bundles *analytics.Recent[lane, *bundle]
	sensors *analytics.Recent[string, *sensor] // by VM
	waiting []expiry                           // in the order in which they came; some have been joined since
	stats   counters
}

// expiry is a half that waits for the other, and where.
type expiry struct {
	lane lane
	half *half
}

type counters struct{ joined, alone, dropped atomic.Int64 }

// Stats counts connections.
type Stats struct {
	Joined    int64 // both sides came
	Alone     int64 // only the hypervisor's came, of a VM with a sensor
	Dropped   int64 // halves that gave up their place
	Forgotten int64 // destinations and sensors that fell off
	Findings  []analytics.AnalyticStats
}

var (
	_ analytics.Detector = (*Detector)(nil)
	_ analytics.Ticker   = (*Detector)(nil)
	_ analytics.Restorer = (*Detector)(nil)
	_ analytics.Flusher  = (*Detector)(nil)
)

// New makes a Detector that waits for nothing. courses are the connections that
// detectors of the shard follow.
func New(o Options, courses *analytics.Courses) *Detector {
	return &Detector{
		opts: o, courses: courses,
		ledger:  analytics.NewLedger(analytics.LedgerOptions{}, processFlow, sensorBlind),
		bundles: analytics.NewRecent[lane, *bundle](maxLanes),
		sensors: analytics.NewRecent[string, *sensor](maxSensors),
	}
}

// SetOptions puts o in force for the next event.
func (d *Detector) SetOptions(o Options) { d.opts = o }

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	return Stats{
		Joined: d.stats.joined.Load(), Alone: d.stats.alone.Load(), Dropped: d.stats.dropped.Load(),
		Forgotten: d.bundles.Forgotten() + d.sensors.Forgotten(), Findings: d.ledger.Stats(),
	}
}

// Detect takes ev as one side of a connection, if it is.
func (d *Detector) Detect(ev *event.Event, report func(*event.Finding)) {
	if d.opts.Hold == 0 {
		return
	}
	if ev.Src.Context.VM == nil {
		return
	}
	if sensed(ev) {
		d.heard(ev)
	}
	if s := sideOf(ev); s != noSide {
		d.side(ev, s, report)
	}
}

func (d *Detector) side(ev *event.Event, s side, report func(*event.Finding)) {
	at, k := began(ev), laneOf(ev)
	if s == hypervisor && !d.hasSensor(k.vm) {
		return // nobody will tell the other side; a sensor's first connection is lost by that
	}
	b := d.bundle(k)
	if s == hypervisor {
		if p := b.joined(ev, at); p != nil {
			p.last = ev.Time
			d.more(p, ev, report)
			return
		}
		if h := b.repeated(ev, at); h != nil {
			h.add(d.part(ev))
			return
		}
	}
	h := &half{side: s, at: at, source: ev.Src.Port, ev: keep(ev)}
	h.add(d.part(ev))
	if m, ok := b.take(h, d.opts.Hold); ok {
		d.join(b, &m, ev, report)
		return
	}
	if b.wait(h) {
		d.stats.dropped.Add(1)
	}
	if len(d.waiting) >= maxWaiting {
		d.stats.dropped.Add(1)
		d.expire(false, report)
	}
	d.waiting = append(d.waiting, expiry{k, h})
}

func (d *Detector) bundle(k lane) *bundle {
	b, ok := d.bundles.Get(k)
	if !ok {
		b = &bundle{}
		d.bundles.Put(k, b)
	}
	return b
}

// keep copies an event that may become part of a finding; nil: it may not.
func keep(ev *event.Event) *event.Event {
	if ev.Justification.Verdict != event.VerdictUnjustified {
		return nil
	}
	c := *ev
	if len(c.Raw) > maxRaw {
		c.Raw, c.Fields = "", nil // the finding names it all the same
	}
	c = c.Clone()
	return &c
}

// join counts a connection of which both sides came, and reports it when
// nothing justifies it.
func (d *Detector) join(b *bundle, m *match, ev *event.Event, report func(*event.Finding)) {
	d.stats.joined.Add(1)
	d.matched(ev, report)
	p := &pair{source: max(m.guest.source, m.flow.source), at: m.flow.at, last: ev.Time}
	b.pair(p)
	if m.guest.ev == nil || m.flow.ev == nil {
		return
	}
	by := &words{*m}
	p.key = by.key()
	c := d.ledger.Case(p.key, report)
	told := m.flow.part
	told.Connections = 1
	for _, one := range []analytics.Sighting{{Event: m.flow.ev, Part: told}, {Event: m.guest.ev, Part: m.guest.part}} {
		one.Severity, one.Notes, one.By = by.severity(), 1, by
		d.ledger.Add(c, one, report)
	}
}

// more tells more of a connection, while its finding is open.
func (d *Detector) more(p *pair, ev *event.Event, report func(*event.Finding)) {
	if p.key.Analytic == "" || !d.ledger.Has(p.key) {
		return
	}
	part := d.part(ev)
	part.Connections = 0
	d.ledger.Add(d.ledger.Case(p.key, report), analytics.Sighting{Event: ev, Part: part}, report)
}

// part is what ev adds to what others told of its connection.
func (d *Detector) part(ev *event.Event) analytics.Part {
	if ev.Src.Port == 0 { // nothing tells which others those are
		return analytics.Part{Known: true}
	}
	return d.courses.Part(ev, analytics.ConnectionTo(ev, ev.Dst.IP.Unmap()))
}

// Tick gives up halves that waited for long enough.
func (d *Detector) Tick(now time.Time, report func(*event.Finding)) {
	d.ledger.Tick(now, report)
	for len(d.waiting) > 0 && now.Sub(d.waiting[0].half.at) > d.opts.Hold {
		d.expire(true, report)
	}
}

// expire gives up the half that came first. A flow for which no guest record
// came says something of the sensor, if it waited for as long as it should.
func (d *Detector) expire(due bool, report func(*event.Finding)) {
	e := d.waiting[0]
	d.waiting[0] = expiry{} // its memory goes, though the slice begins behind it
	d.waiting = d.waiting[1:]
	b, ok := d.bundles.Get(e.lane)
	if !ok {
		return
	}
	i := slices.Index(b.waiting, e.half)
	if i < 0 {
		return // it was joined
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	if e.half.side == hypervisor && due {
		d.missed(&e, report)
	}
}

// Restore takes up findings that were open before a restart.
func (d *Detector) Restore(open []event.Finding) { d.ledger.Restore(open) }

// Flush reports the updates of findings that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(report) }
