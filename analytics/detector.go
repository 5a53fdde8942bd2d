// Package analytics defines what a detector is, the memory that detectors
// share the shape of, and the life cycle of all findings: opened, updated,
// closed. The detectors themselves are in the folders below.
//
// Everything here belongs to one shard: it is used from one goroutine, and
// its time is the time of the events. Only Stats may be called from anywhere.
package analytics

import (
	"time"

	"github.com/vegress/vegress/event"
)

// Detector looks at each event of one shard, in order, from one goroutine,
// and reports findings. It may write ev.Justification; it keeps nothing of ev
// without cloning. What report gets owns its memory.
type Detector interface {
	Detect(ev *event.Event, report func(*event.Finding))
}

// Ticker is a Detector that also acts on the passing of time. Tick gets the
// shard's watermark: the time of the events, which never goes back.
type Ticker interface {
	Tick(now time.Time, report func(*event.Finding))
}

// Restorer is a Detector that takes up its open findings after a restart.
// Restore gets the last revisions of all open findings, before the first
// event; the detector picks those of its own analytics.
type Restorer interface {
	Restore(open []event.Finding)
}

// Flusher is a Detector that has revisions of findings which wait for their
// time. Flush reports them now, after the last event before a stop.
type Flusher interface {
	Flush(report func(*event.Finding))
}

// Detectors is several detectors in their order, itself a Detector, a Ticker,
// a Restorer and a Flusher.
type Detectors []Detector

// Detect shows ev to each detector.
func (d Detectors) Detect(ev *event.Event, report func(*event.Finding)) {
	for _, one := range d {
		one.Detect(ev, report)
	}
}

// Tick tells the time to those that are a Ticker.
func (d Detectors) Tick(now time.Time, report func(*event.Finding)) {
	for _, one := range d {
		if t, ok := one.(Ticker); ok {
			t.Tick(now, report)
		}
	}
}

// Restore gives the open findings to those that are a Restorer.
func (d Detectors) Restore(open []event.Finding) {
	for _, one := range d {
		if r, ok := one.(Restorer); ok {
			r.Restore(open)
		}
	}
}

// Flush tells those that are a Flusher.
func (d Detectors) Flush(report func(*event.Finding)) {
	for _, one := range d {
		if f, ok := one.(Flusher); ok {
			f.Flush(report)
		}
	}
}
