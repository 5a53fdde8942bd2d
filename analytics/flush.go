package analytics

import "github.com/vegress/vegress/event"

// Flusher is a Detector that has revisions of findings which wait for their
// time. Flush reports them now, after the last event before a stop.
type Flusher interface {
	Flush(report func(*event.Finding))
}

// Flush tells those that are a Flusher.
func (d Detectors) Flush(report func(*event.Finding)) {
	for _, one := range d {
		if f, ok := one.(Flusher); ok {
			f.Flush(report)
		}
	}
}

// Flush reports the updates that wait for their time, so that the last
// revision of each finding counts all its events.
func (l *Ledger) Flush(report func(*event.Finding)) {
	for len(l.due) > 0 {
		c := l.due[0]
		l.reviseUpdate(c, c.finding.LastSeen, report)
	}
}
