package egress

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// The reasons that a finding's words are made of, a bit each. The first 16
// are event.Reason.
const (
	noteConnected uint32 = 1 << (16 + iota)
	noteRefused
	noteManagement
	noteCategory
	noteFirstContact
	noteVolume
	noteOffHours
	noteCommand
)

func noteOf(r event.Reason) uint32 { return 1 << (r & 15) }

// volumeStep is how much one machine must have sent within a finding for its
// severity to rise.
const volumeStep = 100e6

// Risky says that services of a category carry command and control, tools or
// loot (T1102, T1567, T1572, T1496).
func Risky(category string) bool {
	switch category {
	case "paste", "file_share", "tunnel", "messaging", "webhook", "mining", "dynamic_dns", "blockchain", "suspicious":
		return true
	}
	return false
}

// severity weighs an unjustified connection, and says by which steps. A VM
// starts at low and a management agent at high; a risky kind of service, a
// first contact, a large volume and the off-hours raise a VM by one each, up
// to high. An agent rises to critical by a risky service or a large volume.
// What the destination or a firewall refused counts one less.
func (d *Detector) severity(ev *event.Event, a *actor, sent int64, first bool) (event.Severity, uint32) {
	notes, raise := uint32(0), event.Severity(0)
	step := func(holds bool, note uint32) {
		if holds {
			notes |= note
			raise++
		}
	}
	step(Risky(ev.Dst.Category), noteCategory)
	step(sent >= volumeStep, noteVolume)
	base, limit := event.SeverityLow, event.SeverityHigh
	if a.agent != noAgent && a.vm == nil {
		base, limit = event.SeverityHigh, event.SeverityCritical
		notes |= noteManagement
	} else {
		step(first, noteFirstContact)
		step(d.offHours(ev.Time), noteOffHours)
	}
	s := min(base+raise, limit)
	if attempt(ev) {
		return max(s-1, event.SeverityLow), notes | noteRefused
	}
	if ev.Class == event.ProcessActivity {
		return s, notes | noteCommand
	}
	return s, notes | noteConnected
}

// attempt says that ev is a connection that did not come about: a firewall or a
// proxy refused it, or it failed.
func attempt(ev *event.Event) bool {
	switch ev.Class {
	case event.NetworkActivity:
		return ev.Activity == event.NetworkRefuse || ev.Activity == event.NetworkFail
	case event.HTTPActivity:
		result, ok := ev.Field(fieldProxyResult)
		return ok && strings.Contains(result.Value, "DENIED")
	}
	return false
}

var fieldProxyResult = event.Intern("proxy_result")
