package analytics

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/event"
)

// Courses follows connections, so that what several sensors tell of one counts
// once. It is used from one goroutine; only Forgotten may be called from any.
type Courses struct {
	buckets []courseBucket
	size    int // of buckets, a power of two
	seed    Digest
	lost    atomic.Int64

	asked *event.Event // the latest one, its uid and the answer
	uid   string
	told  Part
}

// bucketCourses are the places that a connection may have.
const bucketCourses = 8

// courseBucket is the connections of one place; what a search needs of them
// stands together. Key 0: free.
type courseBucket struct {
	keys    [bucketCourses]uint64
	last    [bucketCourses]int64 // Unix seconds of the latest event
	courses [bucketCourses]course
}

// NewCourses follows at most bound connections, or a little more, in about 160
// bytes each, which are taken when the first one is followed.
func NewCourses(bound int) *Courses {
	s := &Courses{size: 1, seed: Digest(rand.Uint64())}
	for s.size*bucketCourses < bound {
		s.size *= 2
	}
	return s
}

// SetSeed makes it depend on seed alone where connections are kept, and with it
// which one gives way: a replay repeats itself. It is for the time before the
// first event.
func (s *Courses) SetSeed(seed uint64) { s.seed = Digest(seed) }

// find gives the course of key, of which an event at that time tells: its own,
// else an empty one. The one that was quiet for longest gives way.
func (s *Courses) find(key uint64, at int64) (c *course, known bool) {
	if s.buckets == nil {
		s.buckets = make([]courseBucket, s.size)
	}
	b := &s.buckets[key&uint64(s.size-1)]
	key |= 1 << 63
	place := slices.Index(b.keys[:], key)
	if known = place >= 0; !known {
		if place = slices.Index(b.keys[:], 0); place < 0 {
			place = slices.Index(b.last[:], slices.Min(b.last[:]))
			s.lost.Add(1)
		}
		b.keys[place], b.last[place], b.courses[place] = key, at, course{}
	}
	b.last[place] = max(b.last[place], at)
	return &b.courses[place], known
}

// Connection is a flow's 5-tuple.
type Connection struct {
	Src, Dst netip.AddrPort
	Protocol uint8
}

// ConnectionTo is that of ev, whose destination is at dst.
func ConnectionTo(ev *event.Event, dst netip.Addr) Connection {
	return Connection{
		Src:      netip.AddrPortFrom(ev.Src.IP.Unmap(), ev.Src.Port),
		Dst:      netip.AddrPortFrom(dst, ev.Dst.Port),
		Protocol: ev.Protocol,
	}
}

// Forgotten counts the connections that were given up for newer ones.
func (s *Courses) Forgotten() int64 { return s.lost.Load() }

// course is a connection while it goes on: what each sort of sensor told of
// it. A firewall's line, the firewall's flow and the switch's flow of one
// connection are three reports of the same bytes: what counts is the most that
// one sort told. Times are Unix seconds.
type course struct {
	told          [sensors]share
	counted       share
	last, closed  int64
	begun         int64
	countedTo     int64 // up to when its bytes are counted
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

// key tells connections apart. Machines of two tenants may have the same
// address.
func (s *Courses) key(ev *event.Event, c *Connection) uint64 {
	var entity [128]byte
	d := s.seed.Bytes(ev.AppendEntity(entity[:0])).Addr(c.Src.Addr()).Addr(c.Dst.Addr())
	return uint64(d.Word(uint64(c.Src.Port())<<32 | uint64(c.Dst.Port())<<16 | uint64(c.Protocol)))
}

// Part is what ev adds to what is known of its connection already. Several
// detectors may ask about the same event, one after the other.
func (s *Courses) Part(ev *event.Event, conn Connection) Part {
	if ev == s.asked && ev.UID == s.uid && ev.UID != "" {
		return s.told
	}
	k := s.key(ev, &conn)
	c, known := s.find(k, ev.Time.Unix())
	from := sensorOf(ev)
	p := Part{Known: true, Connections: 1}
	if known && c.goesOn(ev, from) {
		p.Connections = 0
	} else {
		*c = course{begun: begin(ev)}
	}
	p.Since = time.Unix(max(c.begun, c.countedTo), 0)
	if !ev.Start.IsZero() && ev.Start.After(p.Since) {
		p.Since = ev.Start
	}
	c.hear(ev, from)
	p.BytesIn, p.BytesOut = c.count()
	s.asked, s.uid, s.told = ev, ev.UID, p
	return p
}

// begin is when what ev tells of began.
func begin(ev *event.Event) int64 {
	if !ev.Start.IsZero() && ev.Start.Before(ev.Time) {
		return ev.Start.Unix()
	}
	return ev.Time.Unix()
}

// goesOn says that ev is of this connection, and not of a later one with the
// same addresses and ports.
func (c *course) goesOn(ev *event.Event, from sensor) bool {
	at := ev.Time.Unix()
	switch ev.Activity {
	case event.NetworkOpen:
		return !c.opened.has(from) && at <= c.last+LongestPause && (c.ended == 0 || at <= c.closed)
	case event.NetworkClose:
		return !c.ended.has(from) && (c.opened.has(from) || at <= c.last+LongestPause)
	}
	if !ev.Start.IsZero() {
		at = ev.Start.Unix()
	}
	return at <= c.last+LongestPause && (c.ended == 0 || at <= c.closed)
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
		c.told[from].in = AddCount(c.told[from].in, ev.Traffic.BytesIn)
		c.told[from].out = AddCount(c.told[from].out, ev.Traffic.BytesOut)
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
	if in+out > 0 {
		c.countedTo = c.last
	}
	return in, out
}

// LongestPause is more than a switch may wait between two records of a
// connection that goes on, in seconds.
const LongestPause = int64(10 * time.Minute / time.Second)
