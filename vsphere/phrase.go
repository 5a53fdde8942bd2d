package vsphere

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// phrase is how the text of a vSphere event reads: words around slots, as
// "{vm} on {host} in {dc} is powered on". The formats are those of the event
// catalogue of the vSphere API; the names in them may hold the words that stand
// between them, so that a slot ends at the last such word. A format that ends
// with ": {reason}" is matched up to the first colon with a blank.
type phrase struct {
	words     []string // one more than slots
	slots     []slot
	operation string
	activity  event.Activity
	outcome   event.Status
	reason    bool
}

// slot is what a name in a phrase is.
type slot uint8

const (
	slotAny slot = iota
	slotVM
	slotTargetVM
	slotHost
	slotTargetHost
	slotDatacenter
	slotCluster
	slotObject
	slotEntity
	slotRole
	slotGroup
	slotGuestOp
	slotTicket
	slotPeer
	slotMAC
	slotESX
)

var slotNames = map[string]slot{
	"": slotAny, "vm": slotVM, "newvm": slotTargetVM, "host": slotHost, "newhost": slotTargetHost,
	"dc": slotDatacenter, "cluster": slotCluster, "object": slotObject, "entity": slotEntity,
	"role": slotRole, "group": slotGroup, "guestop": slotGuestOp, "ticket": slotTicket, "peer": slotPeer,
	"mac": slotMAC, "esx": slotESX,
}

// phraseBook holds phrases by the first byte of their words; those that begin
// with a name are under 0.
type phraseBook [128][]phrase

func newPhraseBook(table []format) *phraseBook {
	var all phraseBook
	for i := range table {
		p := table[i].compile()
		first := byte(0)
		if p.words[0] != "" {
			first = p.words[0][0]
		}
		all[first] = append(all[first], p)
	}
	return &all
}

// format is a phrase as it is written down.
type format struct {
	text      string
	operation string
	activity  event.Activity
	outcome   event.Status
}

func (f format) compile() phrase {
	p := phrase{operation: f.operation, activity: f.activity, outcome: f.outcome}
	text, reason := strings.CutSuffix(f.text, ": {reason}")
	p.reason = reason
	for {
		word, rest, ok := strings.Cut(text, "{")
		p.words = append(p.words, word)
		if !ok {
			return p
		}
		name, rest, _ := strings.Cut(rest, "}")
		p.slots = append(p.slots, slotNames[name])
		text = rest
	}
}

// maxSlots is the most slots of one phrase.
const maxSlots = 8

// match cuts text into the slots, from the right.
func (p *phrase) match(text string, found *[maxSlots]string) bool {
	last := len(p.slots)
	if len(text) < len(p.words[0])+len(p.words[last]) || !strings.HasPrefix(text, p.words[0]) || !strings.HasSuffix(text, p.words[last]) {
		return false
	}
	if last == 0 {
		return len(text) == len(p.words[0])
	}
	text = text[len(p.words[0]) : len(text)-len(p.words[last])]
	for i := last - 1; i > 0; i-- {
		at := strings.LastIndex(text, p.words[i])
		if at <= 0 {
			return false
		}
		found[i], text = text[at+len(p.words[i]):], text[:at]
	}
	found[0] = text
	return text != ""
}

// recognize finds the phrase that text is, and fills ev.
func (all *phraseBook) recognize(text string, ev *event.Event) bool {
	text, _, _ = strings.Cut(text, "\n") // below stands what was changed
	text, _, _ = strings.Cut(text, ".  ")
	text, _, _ = strings.Cut(text, `.\n`) // escaped on the way
	text = strings.TrimRight(text, " .,")
	if text == "" {
		return false
	}
	head, reason, _ := strings.Cut(text, ": ")
	if first := text[0]; first < 128 && matchAny(all[first], text, head, reason, ev) {
		return true
	}
	return matchAny(all[0], text, head, reason, ev)
}

func matchAny(some []phrase, text, head, reason string, ev *event.Event) bool {
	var found [maxSlots]string
	for i := range some {
		p := &some[i]
		whole := text
		if p.reason {
			whole = head
		}
		if !p.match(whole, &found) {
			continue
		}
		ev.Class, ev.Operation, ev.Activity = event.APIActivity, p.operation, p.activity
		ev.Service, ev.Status = ev.LogName, p.outcome
		for j, s := range p.slots {
			fill(s, found[j], ev)
		}
		switch {
		case p.reason && ev.Dst.VMName != "": // an address in it is not the VM's
			mentions(reason, ev)
		case p.reason:
			phrases(reason, ev)
		}
		if p.reason && p.outcome == event.StatusFailure {
			AddIf(ev, FieldError, reason)
		}
		return true
	}
	return false
}

func fill(s slot, value string, ev *event.Event) {
	value = Unquote(strings.Trim(value, " "))
	switch s {
	case slotAny:
		mentions(value, ev)
	case slotVM:
		value = strings.TrimPrefix(strings.TrimPrefix(value, "Virtual machine "), "virtual machine ")
		SetVM(ev, Unquote(value))
	case slotTargetVM:
		AddIf(ev, fieldTargetVM, value)
	case slotHost:
		AddIf(ev, FieldHost, hostName(value, ev))
	case slotTargetHost:
		AddIf(ev, fieldTargetHost, hostName(value, ev))
	case slotDatacenter:
		AddIf(ev, FieldDatacenter, value)
	case slotCluster:
		AddIf(ev, fieldCluster, value)
	case slotObject:
		ev.Resource = value
	case slotEntity:
		AddIf(ev, fieldEntity, value)
	case slotRole:
		AddIf(ev, fieldRole, value)
	case slotGroup:
		AddIf(ev, fieldGroup, value)
	case slotGuestOp:
		AddIf(ev, fieldGuestOp, value)
	case slotTicket:
		AddIf(ev, fieldTicketType, value)
	case slotPeer:
		hostPeer(hostName(value, ev), ev)
	case slotMAC:
		AddIf(ev, fieldMAC, value)
	case slotESX:
		ev.Resource = hostName(value, ev)
		AddIf(ev, FieldHost, ev.Resource)
	}
}

// hostName takes a host's name out of "host NAME in cluster C", and "NAME,
// DATASTORE".
func hostName(s string, ev *event.Event) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "host "), "the host ")
	s, cluster, ok := strings.Cut(s, " in cluster ")
	if ok {
		AddIf(ev, fieldCluster, cluster)
	}
	s, _, _ = strings.Cut(s, ", ")
	return strings.TrimSpace(s)
}

// hostPeer: vCenter connected, or failed to connect, to a host.
func hostPeer(host string, ev *event.Event) {
	AddIf(ev, FieldHost, host)
	ev.Resource = host
	if SetEndpoint(&ev.Dst, host) {
		ev.Src, ev.Direction = DeviceEndpoint(ev), event.DirectionOutbound
	}
}
