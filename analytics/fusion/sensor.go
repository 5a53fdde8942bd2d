package fusion

import (
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// sensor is the one in a VM, as far as its connections tell.
type sensor struct {
	first, last time.Time // of its records
	windows     int       // that had enough connections to learn from
	usual       float64   // which part of the connections it reported in them
	blind       int       // windows in a row in which it missed nearly all

	begun        time.Time // of the window
	seen, missed int       // connections in it
	latest       *half     // a connection that it missed
}

const (
	// window is how long connections are counted together.
	window = 10 * time.Minute
	// learned is how many windows it takes to know what a sensor reports.
	learned = 3
	// goodShare is what a sensor must usually report to be missed, and
	// blindShare what of it one that is blind still does. Between the two is
	// what a sensor's own filters leave out.
	goodShare, blindShare = 0.5, 0.1
	// inARow is how many windows make a sensor blind: one may be a start, when
	// the network is up before the sensor is.
	inARow = 2
	// leastFlows is how many connections a window must have to teach anything.
	leastFlows = 5
	// forget is how long after its last record a sensor is not expected any
	// more.
	forget = 24 * time.Hour
)

// hasSensor says that a sensor in the VM told of a connection.
func (d *Detector) hasSensor(vm string) bool {
	_, ok := d.sensors.Get(vm)
	return ok
}

// heard notes that the sensor of ev's VM told something.
func (d *Detector) heard(ev *event.Event) {
	key := ev.Src.Context.VM.Key
	s, ok := d.sensors.Get(key)
	if !ok {
		s = &sensor{first: ev.Time, begun: ev.Time}
		d.sensors.Put(key, s)
	}
	if ev.Time.After(s.last) {
		s.last = ev.Time
	}
}

// matched counts a connection that the sensor of ev's VM reported.
func (d *Detector) matched(ev *event.Event, report func(*event.Finding)) {
	vm := ev.Src.Context.VM
	if s, ok := d.sensors.Get(vm.Key); ok {
		s.seen++
		d.judge(s, vm.Key, ev.Time, report)
	}
}

// missed counts one that it did not report, though it lives.
func (d *Detector) missed(e *expiry, report func(*event.Finding)) {
	s, ok := d.sensors.Get(e.lane.vm)
	if !ok || e.half.at.Before(s.first) || e.half.at.Sub(s.last) > forget {
		return
	}
	d.stats.alone.Add(1)
	s.missed++
	if e.half.ev != nil {
		s.latest = e.half
	}
	d.judge(s, e.lane.vm, e.half.at, report)
}

// judge ends a window that is over.
func (d *Detector) judge(s *sensor, vm string, now time.Time, report func(*event.Finding)) {
	if now.Sub(s.begun) < window {
		return
	}
	total := s.seen + s.missed
	share := float64(s.seen) / float64(max(total, 1))
	switch {
	case s.windows >= learned && s.usual >= goodShare && d.opts.BlindFlows > 0 && s.missed >= d.opts.BlindFlows && share <= blindShare*s.usual:
		if s.blind++; s.blind >= inARow && s.latest != nil {
			d.blind(s, vm, report)
		}
	case total >= leastFlows:
		s.blind = 0
		s.windows++
		s.usual += (share - s.usual) / float64(min(s.windows, 50))
		d.ledger.Close(blindKey(vm), now, "The sensor reports the VM's connections again.", report)
	}
	s.begun, s.seen, s.missed, s.latest = now, 0, 0, nil
}

func blindKey(vm string) analytics.Key {
	return analytics.Key{Analytic: SensorBlind, Entity: event.Entity{Key: vm}, What: "sensor"}
}

func (d *Detector) blind(s *sensor, vm string, report func(*event.Finding)) {
	by := &blindness{sensor: *s}
	d.ledger.Add(d.ledger.Case(blindKey(vm), report), analytics.Sighting{
		Event: s.latest.ev, Severity: event.SeverityHigh, Notes: 1, By: by,
		Part: analytics.Part{Connections: int64(s.missed), Known: true},
	}, report)
}
