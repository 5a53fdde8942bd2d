package fusion

import (
	"net/netip"
	"slices"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// lane is where connections of a VM lead.
type lane struct {
	vm       string // its key
	addr     netip.Addr
	port     uint16
	protocol uint8
}

func laneOf(ev *event.Event) lane {
	return lane{ev.Src.Context.VM.Key, ev.Dst.IP.Unmap(), ev.Dst.Port, ev.Protocol}
}

// side says who tells of a connection.
type side uint8

const (
	noSide     side = iota
	hypervisor      // an ESXi host: a firewall's line, or a flow
	guest           // a sensor in the VM, which names the process
)

// sideOf tells the two halves. What a management agent or a router tells is
// neither.
func sideOf(ev *event.Event) side {
	if ev.Class != event.NetworkActivity && ev.Class != event.HTTPActivity ||
		ev.Src.Context.VM == nil || !ev.Dst.IP.IsValid() || ev.Justification.Verdict == event.VerdictNone {
		return noSide
	}
	named := ev.Process.Path != "" || ev.Process.Name != ""
	switch h := ev.Device.Host; {
	case h == nil && named:
		return guest
	case h != nil && !h.IsVCenter && !named:
		return hypervisor
	}
	return noSide
}

// half is one side of a connection that waits for the other.
type half struct {
	side   side
	at     time.Time      // when the connection began, as far as the record says
	source uint16         // port; 0: not told
	part   analytics.Part // what is counted of it so far
	ev     *event.Event   // a copy, where it may be part of a finding; nil: it is justified
}

// add counts what a record adds to what is known of the connection.
func (h *half) add(p analytics.Part) {
	h.part.Known = true
	h.part.BytesIn = analytics.AddCount(h.part.BytesIn, p.BytesIn)
	h.part.BytesOut = analytics.AddCount(h.part.BytesOut, p.BytesOut)
}

// sensed says that a sensor in a VM tells of a process.
func sensed(ev *event.Event) bool {
	return ev.Device.Host == nil && (ev.Process.Path != "" || ev.Process.Name != "")
}

// began is when the connection of ev began.
func began(ev *event.Event) time.Time {
	if !ev.Start.IsZero() && ev.Start.Before(ev.Time) {
		return ev.Start
	}
	return ev.Time
}

// near is how far two records may be apart of which one has no source port.
const near = 5 * time.Second

// fits says how far apart two halves are, and whether they can be one
// connection.
func (h *half) fits(o *half, hold time.Duration) (apart time.Duration, exact, ok bool) {
	apart = h.at.Sub(o.at).Abs()
	exact = h.source != 0 && o.source != 0
	switch {
	case h.side == o.side, exact && h.source != o.source:
		return apart, exact, false
	case exact:
		return apart, true, apart <= hold
	}
	return apart, false, apart <= min(near, hold)
}

// bundle is what is known of the connections of one lane.
type bundle struct {
	waiting []*half
	pairs   []*pair
}

// Bounds of a bundle.
const (
	maxHalves = 128
	maxPairs  = 32
)

// pair is a connection of which both sides came.
type pair struct {
	source   uint16
	at, last time.Time
	key      analytics.Key // of its finding; zero: it has none
}

// match is how two halves were found to be one connection.
type match struct {
	guest, flow *half
	exact       bool // by their source ports
	apart       time.Duration
}

// take finds the other half of h, and takes it out of those that wait.
// Without source ports there must be just one.
func (b *bundle) take(h *half, hold time.Duration) (m match, ok bool) {
	best, others := -1, 0
	var distance time.Duration
	var sure bool
	for i, o := range b.waiting {
		apart, exact, ok := h.fits(o, hold)
		switch {
		case !ok, sure && !exact:
			continue
		case !exact:
			others++
		}
		if best < 0 || exact && !sure || apart < distance {
			best, distance, sure = i, apart, exact
		}
	}
	if best < 0 || !sure && others > 1 {
		return m, false
	}
	m = match{guest: h, flow: b.waiting[best], exact: sure, apart: distance}
	if h.side == hypervisor {
		m.guest, m.flow = m.flow, m.guest
	}
	b.waiting = slices.Delete(b.waiting, best, best+1)
	return m, true
}

// pair keeps a connection, for what is told of it later.
func (b *bundle) pair(p *pair) {
	if len(b.pairs) == maxPairs {
		b.pairs = slices.Delete(b.pairs, 0, 1)
	}
	b.pairs = append(b.pairs, p)
}

// joined finds the pair that ev tells more of: a flow record each minute, the
// firewall's line at the end.
func (b *bundle) joined(ev *event.Event, at time.Time) *pair {
	for _, p := range b.pairs {
		if p.source != 0 && p.source == ev.Src.Port && !at.Before(p.at.Add(-time.Minute)) && ev.Time.Sub(p.last) < keepPair {
			return p
		}
	}
	return nil
}

// repeated finds the half of a host that ev tells more of: a switch and a
// firewall both do, and the firewall again at the end.
func (b *bundle) repeated(ev *event.Event, at time.Time) *half {
	if ev.Src.Port == 0 {
		return nil
	}
	for _, h := range b.waiting {
		if h.side == hypervisor && h.source == ev.Src.Port && (h.at.Sub(at).Abs() < time.Minute || ev.Activity == event.NetworkClose) {
			return h
		}
	}
	return nil
}

// keepPair is how long after its last record a connection may still have more.
const keepPair = time.Hour

// wait adds h to those that wait; full says that another gave up its place.
func (b *bundle) wait(h *half) (full bool) {
	if full = len(b.waiting) == maxHalves; full {
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
	b.waiting = append(b.waiting, h)
	return full
}
