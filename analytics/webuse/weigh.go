package webuse

import (
	"cmp"

	"github.com/vegress/vegress/event"
)

// The facts that add points, a bit each, in the order in which they are told.
const (
	noteService uint32 = 1 << iota
	noteRisky
	noteTool
	noteScripting
	noteListed
	noteDocument
	noteParent
	notePassing
	noteFetching
	noteUnsigned
	noteModified
	noteVolume
	noteFrequent
	noteBeacon
	noteOffHours
	noteClient    // takes points away
	noteConnected // more than a query; no points
)

// points are what the facts count.
var points = map[uint32]int{
	noteService: 20, noteRisky: 15, noteTool: 35, noteScripting: 30, noteListed: 35, noteDocument: 25, noteParent: 25, notePassing: 15,
	noteFetching: 10, noteUnsigned: 20, noteModified: 30, noteVolume: 20, noteFrequent: 10, noteBeacon: 25, noteOffHours: 10,
	noteClient: -45,
}

// From so many points on it is a finding: of medium, high and critical
// severity.
const (
	enough, grave, gravest = 50, 75, 110
)

func severityOf(points int) event.Severity {
	switch {
	case points >= gravest:
		return event.SeverityCritical
	case points >= grave:
		return event.SeverityHigh
	}
	return event.SeverityMedium
}

// weigh finds the facts of ev, and what they count together.
func (d *Detector) weigh(ev *event.Event, to *target, name string) (notes uint32, sum int) {
	p := &ev.Process
	fact := func(holds bool, note uint32) {
		if holds {
			notes |= note
			sum += points[note]
		}
	}
	k := kindOf(name)
	fact(true, noteService)
	fact(d.policy.Risky(to.category), noteRisky)
	fact(k == tool, noteTool)
	fact(k == scripting, noteScripting)
	fact(d.policy.processes[name], noteListed)
	if p.Parent != nil {
		parent := program(cmp.Or(p.Parent.Path, p.Parent.Name))
		fact(k != client && documents[parent] && parent != name, noteDocument)
		fact(d.policy.parents[parent], noteParent)
	}
	passing := inPassing(p.Path)
	fact(passing, notePassing)
	fact(fetching(p.CmdLine), noteFetching)
	signed := signatureOf(ev)
	fact(d.policy.unsigned && signed == unsigned, noteUnsigned)
	fact(d.policy.modified && signed == modified, noteModified)
	if !to.asked {
		h := d.habit()
		fact(h.Volume, noteVolume)
		fact(h.Frequent, noteFrequent)
		fact(h.Beacon, noteBeacon)
		fact(h.OffHours, noteOffHours)
	}
	// A client is one only where it is installed, and as it was made.
	honest := !passing && signed < unsigned && !d.policy.processes[name]
	fact(honest && (k == client || k == developer && to.category == codeCategory), noteClient)
	if !to.asked {
		notes |= noteConnected
	}
	return notes, sum
}

// codeCategory is the catalogue's of places of source code.
const codeCategory = "code_hosting"
