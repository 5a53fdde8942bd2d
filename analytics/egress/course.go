package egress

import (
	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// maxCourses bounds the connections that are followed.
const maxCourses = 50000

// part is what ev adds to what is known of its connection already.
func (d *Detector) part(ev *event.Event, t *target) (p analytics.Part) {
	if attempt(ev) || !carries(ev.Class) || ev.Class == event.HTTPActivity || ev.Src.Port == 0 {
		p.Known = true
		if ev.Traffic.Known {
			p.BytesIn, p.BytesOut = ev.Traffic.BytesIn, ev.Traffic.BytesOut
		}
		if carries(ev.Class) && !attempt(ev) {
			p.Connections = 1 // a request, or what has no other report that could be told
		}
		return p
	}
	return d.courses.Part(ev, connectionOf(ev, t))
}

// carries says that events of a class are connections.
func carries(c event.Class) bool { return c == event.NetworkActivity || c == event.HTTPActivity }
