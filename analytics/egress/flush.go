package egress

import "github.com/vegress/vegress/event"

// Flush reports the updates of findings that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(report) }
