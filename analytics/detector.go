// Package analytics defines what a detector is, and the life cycle that all
// findings share: opened, updated, closed. The detectors themselves are in
// the folders below.
package analytics

import (
	"time"

	"github.com/vegress/vegress/event"
)

// Annotator adds what it knows to an event before detectors see it. Annotate
// is called from one goroutine, the shard's.
type Annotator interface {
	Annotate(ev *event.Event)
}

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
