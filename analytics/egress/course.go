package egress

import (
	"hash/maphash"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// course is a connection while it goes on: what each sort of sensor told of
// it. A firewall's line, the firewall's flow and the switch's flow of one
// connection are three reports of the same bytes: what counts is the most that
// one sort told. Times are Unix seconds.
type course struct {
	told          [sensors]share
	counted       share
	last, closed  int64
	opened, ended sensorSet
}

// share is bytes, as the machine that acts got and sent them.
type share struct{ in, out int64 }

// sensor is a sort of sensor. Two hosts are one: a connection is told of by the
// one that the VM is on, and after vMotion by the other.
type sensor uint8

const (
	sensorLine         sensor = iota // a line of a firewall or of an agent
	sensorFlow                       // a switch's or router's flow
	sensorFirewallFlow               // the NSX firewall's flow

	elsewhere // added to these: not on an ESXi host, but on an edge or a router
	sensors   = 2 * elsewhere
)

type sensorSet uint8

func (s sensorSet) has(o sensor) bool { return s&(1<<o) != 0 }
func (s *sensorSet) add(o sensor)     { *s |= 1 << o }

func sensorOf(ev *event.Event) (s sensor) {
	if ev.Activity == event.NetworkTraffic {
		s = sensorFlow
		if ev.Direction != event.DirectionUnknown { // a switch tells none
			s = sensorFirewallFlow
		}
	}
	if h := ev.Device.Host; h == nil || h.IsVCenter {
		s += elsewhere
	}
	return s
}

// maxCourses bounds the connections that are followed, of 64 bits and a course
// each.
const maxCourses = 50000

// courseKey tells connections apart. Machines of two tenants may have the same
// address.
type courseKey struct {
	entity event.Entity
	connection
}

// part is what ev adds to what is known of its connection already.
func (d *Detector) part(ev *event.Event, t *target) (p analytics.Part) {
	p.Known = true
	if ev.Traffic.Known {
		p.BytesIn, p.BytesOut = ev.Traffic.BytesIn, ev.Traffic.BytesOut
	}
	if attempt(ev) || ev.Class != event.NetworkActivity && ev.Class != event.HTTPActivity {
		return p
	}
	p.Connections = 1
	if ev.Class == event.HTTPActivity || ev.Src.Port == 0 {
		return p // a request, or what has no other report that could be told
	}
	k := maphash.Comparable(d.seed, courseKey{ev.Entity(), connectionOf(ev, t)})
	c, known := d.courses.Get(k)
	from := sensorOf(ev)
	if known && c.goesOn(ev, from) {
		p.Connections = 0
	} else {
		c = course{}
	}
	c.hear(ev, from)
	p.BytesIn, p.BytesOut = c.count()
	d.courses.Put(k, c)
	return p
}

// goesOn says that ev is of this connection, and not of a later one with the
// same addresses and ports.
func (c *course) goesOn(ev *event.Event, from sensor) bool {
	at := ev.Time.Unix()
	switch ev.Activity {
	case event.NetworkOpen:
		return !c.opened.has(from) && at <= c.last+longestPause && (c.ended == 0 || at <= c.closed)
	case event.NetworkClose:
		return !c.ended.has(from) && (c.opened.has(from) || at <= c.last+longestPause)
	}
	if !ev.Start.IsZero() {
		at = ev.Start.Unix()
	}
	return at <= c.last+longestPause && (c.ended == 0 || at <= c.closed)
}

// hear notes what ev says.
func (c *course) hear(ev *event.Event, from sensor) {
	at := ev.Time.Unix()
	c.last = max(c.last, at)
	switch ev.Activity {
	case event.NetworkOpen:
		c.opened.add(from)
	case event.NetworkClose:
		c.ended.add(from)
		c.closed = max(c.closed, at)
	}
	if ev.Traffic.Known {
		c.told[from].in = analytics.AddCount(c.told[from].in, ev.Traffic.BytesIn)
		c.told[from].out = analytics.AddCount(c.told[from].out, ev.Traffic.BytesOut)
	}
}

// count is how much more it is now than when it was last asked.
func (c *course) count() (in, out int64) {
	most := c.counted
	for _, s := range c.told {
		most.in, most.out = max(most.in, s.in), max(most.out, s.out)
	}
	in, out = most.in-c.counted.in, most.out-c.counted.out
	c.counted = most
	return in, out
}
