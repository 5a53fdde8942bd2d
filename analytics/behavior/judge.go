package behavior

import (
	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// The reasons that a finding's words are made of, a bit each.
const (
	noteMade   uint32 = 1 << iota // a connection came about
	noteFailed                    // one did not
	noteManagement
	noteCategory
	noteVolume
	noteUnlisted
	noteOffHours
	noteProcess
	noteParent
	noteUnknown
)

// judge reports what o completes.
func (d *Detector) judge(ev *event.Event, o *occurrence, report func(*event.Finding)) {
	beacon := o.pair != nil && o.pair.flags&flagBeacon != 0
	pairVolume := d.over(o.pairSent) && o.part.BytesOut > 0
	allVolume := !pairVolume && d.over(o.sent) && o.part.BytesOut > 0
	if !beacon && !pairVolume && !allVolume && !o.unusual {
		return
	}
	severity, notes := d.weigh(ev, o, pairVolume)
	d.words = words{policy: d.policy, o: o}
	if beacon {
		d.add(ev, d.key(Beacon, ev), severity, notes, o, report)
	}
	if o.unusual {
		d.add(ev, d.key(Hours, ev), max(severity-1, event.SeverityLow), notes, o, report)
	}
	// Much sent is a finding only to where nobody is known, or to where loot
	// goes, or by what should not send at all; else it raises others.
	if notes&(noteUnlisted|noteCategory|noteProcess|noteParent) == 0 {
		return
	}
	switch {
	case pairVolume:
		d.add(ev, d.key(Volume, ev), severity, notes, o, report)
	case allVolume:
		d.add(ev, analytics.Key{Analytic: Volume, Entity: ev.Entity(), What: manyDestinations}, severity, notes, o, report)
	}
}

func (d *Detector) over(sent uint64) bool { return d.policy.threshold > 0 && sent > d.policy.threshold }

func (d *Detector) add(ev *event.Event, k analytics.Key, s event.Severity, notes uint32, o *occurrence, report func(*event.Finding)) {
	crowd := analytics.Key{Analytic: k.Analytic, Entity: k.Entity, What: manyDestinations}
	d.ledger.Add(d.ledger.CaseAmong(k, crowd, ofOneMachine, report), analytics.Sighting{
		Event: ev, Severity: s, Part: o.part, Notes: notes, By: &d.words,
	}, report)
}

// key is what findings are one for: the machine and the service, else the
// registrable domain, else the address.
func (d *Detector) key(analytic string, ev *event.Event) analytics.Key {
	k := analytics.Key{Analytic: analytic, Entity: ev.Entity()}
	switch host := hostOf(ev); {
	case ev.Dst.Service != "" && ev.Dst.Category != "cloud" && ev.Dst.Category != "cdn":
		k.What = ev.Dst.Service
	case host != "":
		k.What = d.policy.Domain(host)
	default:
		k.Addr = ev.Dst.IP.Unmap().WithZone("")
	}
	return k
}

// weigh says how bad it is, and by which steps. A machine that nothing
// identifies starts at low, a VM at medium, a host or vCenter at high; each
// step raises a VM by one, up to high, and the others to one more than they
// start with.
func (d *Detector) weigh(ev *event.Event, o *occurrence, volume bool) (event.Severity, uint32) {
	var notes uint32
	raise := event.Severity(0)
	step := func(holds bool, note uint32) {
		if holds {
			notes |= note
			raise++
		}
	}
	step(d.policy.Risky(ev.Dst.Category), noteCategory)
	step(volume, noteVolume)
	step(d.policy.processes[baseName(processName(&ev.Process))], noteProcess)
	step(ev.Process.Parent != nil && d.policy.parents[baseName(processName(ev.Process.Parent))], noteParent)
	step(o.pair != nil && mostlyOff(o.pair), noteOffHours)
	if ev.Dst.Service == "" {
		notes |= noteUnlisted
	}
	if attempt(ev) {
		notes |= noteFailed
	} else {
		notes |= noteMade
	}
	base, most := event.SeverityMedium, event.SeverityHigh
	switch c := &ev.Src.Context; {
	case c.VM != nil:
	case c.Host != nil:
		base, most, notes = event.SeverityHigh, event.SeverityCritical, notes|noteManagement
	default:
		base, most, notes = event.SeverityLow, event.SeverityMedium, notes|noteUnknown
	}
	return min(base+raise, most), notes
}

// mostlyOff says that a pair beats outside the business hours for the better
// part: more than a clock that never stops, which does so for about two thirds.
func mostlyOff(p *pair) bool {
	return p.beats >= 2*minBeats && uint32(p.off)*5 >= min(p.beats, 1<<15)*4
}
