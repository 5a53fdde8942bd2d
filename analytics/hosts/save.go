package hosts

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// saveVersion is that of the form of what Save gives; another one is refused.
const saveVersion = 1

type savedState struct {
	Version  int                       `json:"version"`
	Machines []savedMachine            `json:"machines"`
	All      savedHabit                `json:"all"`              // of all together
	Relays   map[netip.Addr]savedHabit `json:"relays,omitempty"` // of all behind an address
}

type savedMachine struct {
	Key      string                `json:"key"`
	Name     string                `json:"name"`
	VCenter  bool                  `json:"vcenter,omitempty"` // an inventory knows it
	Last     time.Time             `json:"last,omitzero"`
	Peer     netip.Addr            `json:"peer,omitzero"`
	Habit    savedHabit            `json:"habit"`
	Programs map[string]savedHabit `json:"programs,omitempty"`
	Targets  []string              `json:"targets,omitempty"`
	Before   []string              `json:"before,omitempty"`
}

type savedHabit struct {
	Heard  time.Duration `json:"heard"`
	Lines  int64         `json:"lines"`
	Recent float64       `json:"recent"`
	Burst  float64       `json:"burst"`
	Hours  [24]hour      `json:"hours"`
}

func (h *habit) saved() savedHabit {
	s := savedHabit{Heard: h.heard, Lines: h.lines, Recent: round(h.recent), Burst: round(h.burst), Hours: h.hours}
	for i := range s.Hours { // short numbers make a short file
		t := &s.Hours[i]
		t.Rate, t.Gap = float32(math.Round(float64(t.Rate)*1000)/1000), float32(math.Ceil(float64(t.Gap)))
	}
	return s
}

func (s *savedHabit) habit() habit {
	h := habit{heard: max(s.Heard, 0), lines: max(s.Lines, 0), recent: max(s.Recent, 0), burst: max(s.Burst, 0), hours: s.Hours}
	for i := range h.hours {
		t := &h.hours[i]
		t.Rate, t.Gap, t.Days = max(t.Rate, 0), max(t.Gap, 0), min(t.Days, weighed)
	}
	return h
}

// Save gives what was learned, for Load after a restart: about 1 KB for a
// machine. Those that never sent, and are as their vCenter says, are left out.
func (d *Detector) Save() ([]byte, error) {
	s := savedState{Version: saveVersion, Machines: []savedMachine{}}
	d.each(func(m *machine) {
		if m.last.IsZero() && m.targets == nil {
			return
		}
		one := savedMachine{
			Key: m.key, Name: m.name, VCenter: m.known, Last: m.last, Peer: m.peer,
			Habit: m.habit.saved(), Targets: m.targets, Before: m.before,
		}
		for i := range m.programs {
			if p := &m.programs[i]; p.lines > 0 {
				if one.Programs == nil {
					one.Programs = map[string]savedHabit{}
				}
				one.Programs[programNames[i]] = p.saved()
			}
		}
		s.Machines = append(s.Machines, one)
	})
	s.All, s.Relays = d.everyone.habit.saved(), map[netip.Addr]savedHabit{}
	for peer, g := range d.relays {
		if g.members >= leastRelay {
			s.Relays[peer] = g.habit.saved()
		}
	}
	data, err := json.Marshal(&s)
	if err != nil {
		return nil, fmt.Errorf("write the habits of hosts: %w", err)
	}
	return data, nil
}

// Load takes up what Save gave, before the first observation. What cannot be
// read changes nothing.
func (d *Detector) Load(data []byte) error {
	var s savedState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read the habits of hosts: %w", err)
	}
	if s.Version != saveVersion {
		return fmt.Errorf("read the habits of hosts: version is %d, want %d", s.Version, saveVersion)
	}
	d.everyone.habit = s.All.habit()
	for peer, h := range s.Relays {
		if len(d.relays) < maxMachines {
			d.relayOf(peer).habit = h.habit()
		}
	}
	for i := range s.Machines {
		one := &s.Machines[i]
		m := d.machine(one.Key, one.Name, one.VCenter)
		if m == nil || !strings.HasPrefix(one.Key, hostPrefix) {
			continue
		}
		m.last, m.peer, m.habit = one.Last, one.Peer, one.Habit.habit()
		m.targets, m.before, m.misdirected = one.Targets, one.Before, one.Before != nil
		for i, name := range programNames {
			if p, ok := one.Programs[name]; ok {
				m.programs[i] = p.habit()
			}
		}
	}
	return nil
}

// Restore takes up the findings that were open when the process ended, after
// Load and before the first observation.
func (d *Detector) Restore(open []event.Finding) {
	d.ledger.Restore(open)
	for i := range open {
		f := &open[i]
		if f.Activity != event.FindingClose && strings.HasPrefix(f.Analytic.UID, "host.") {
			d.restore(f)
		}
	}
}

func (d *Detector) restore(f *event.Finding) {
	entity := event.ParseEntity(f.Entity)
	switch {
	case entity.Addr.IsValid():
		d.relayOf(entity.Addr).silent = true
		return
	case entity.Key == "":
		d.everyone.silent = true
		return
	}
	m := d.machine(entity.Key, strings.TrimPrefix(entity.Key, hostPrefix), false)
	if m == nil {
		return
	}
	m.reminded = f.Time
	program := slices.Index(programNames[:], f.Key)
	switch {
	case f.Analytic.UID == silentAnalytic.UID && program >= 0:
		m.mute[program] = true
	case f.Analytic.UID == silentAnalytic.UID:
		m.silent = true
	case f.Analytic.UID == lossAnalytic.UID:
		m.losing = true
		m.failures.add(f.LastSeen, 1) // so that it closes when it would have
	case f.Analytic.UID == misdirectedAnalytic.UID:
		m.misdirected = true
	}
}
