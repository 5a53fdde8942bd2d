package hosts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// What must be missing. A source that sends at random, on average as its habit
// says, is without a record where 20 are due once in 500 million times
// (e^-20); sources that come in bursts are held back by their longest usual
// gap and the most that is usually missing in one.
const (
	missedMachine = 20
	missedProgram = 60
	missedChanged = 5 // after its log hosts were changed
	timesMachine  = 3
	timesProgram  = 4

	shortestProgram = 15 * time.Minute
	// leastRate is the records in a minute that a machine which no inventory
	// knows must usually send to be judged.
	leastRate = 1
)

func (d *Detector) limits() limits {
	return limits{shortest: d.opts.Shortest, missed: missedMachine, times: timesMachine}
}

func (d *Detector) programLimits() limits {
	return limits{shortest: max(d.opts.Shortest, shortestProgram), missed: missedProgram, times: timesProgram}
}

// pass lets the time since the last look go by for one machine, and closes what
// its records end.
func (d *Detector) pass(m *machine, report func(*event.Finding)) {
	t := m.told
	m.told = Tally{}
	if t.Records > 0 {
		d.everyone.came += t.Records
		if m.peer.IsValid() {
			d.relayOf(m.peer).came += t.Records
		}
	}
	if m.begun.IsZero() {
		m.begun = d.now
	}
	teaches := d.deaf == "" && d.excuse(m) == ""
	learn := func(h *habit, n int64, l limits, silent bool) {
		if !teaches {
			l = limits{}
		}
		h.pass(d.now, d.dt, n, teaches && !silent, l)
	}
	back := t.Records > 0 && m.habit.gap >= d.opts.Shortest // its programs were as silent as itself
	learn(&m.habit, t.Records, d.limits(), m.silent)
	for i := range m.programs {
		if m.programs[i].lines == 0 && t.Programs[i] == 0 {
			continue // it has none
		}
		if back {
			m.programs[i].pardon()
		}
		learn(&m.programs[i], t.Programs[i], d.programLimits(), m.silent || m.mute[i])
		if t.Programs[i] > 0 && m.mute[i] {
			d.ledger.Close(m.aspect(silentAnalytic.UID, programNames[i]), d.now, programNames[i]+" writes again.", report)
			m.mute[i] = false
		}
	}
	if t.Truncated > 0 {
		m.truncated.add(d.now, t.Truncated)
		m.cut += t.Truncated
	}
	if t.Records > 0 && m.silent {
		d.ledger.Close(m.aspect(silentAnalytic.UID, ""), d.now, "Records come from it again.", report)
		m.silent = false
	}
	if m.losing && m.lost.sum(d.now)+m.failures.sum(d.now) == 0 {
		d.ledger.Close(m.aspect(lossAnalytic.UID, ""), d.now, fmt.Sprintf("It has reported no loss for %s.", spell(lossQuiet)), report)
		m.losing = false
	}
	if m.misdirected && m.before == nil && t.Records > 0 {
		d.ledger.Close(m.aspect(misdirectedAnalytic.UID, ""), d.now, "Records come from it again.", report)
		m.misdirected, m.changed = false, change{}
	}
}

// aspect is the key of a finding about the machine.
func (m *machine) aspect(analytic, what string) analytics.Key {
	return analytics.Key{Analytic: analytic, Entity: m.entity, What: what}
}

// excuse says why the machine may be as quiet as it likes; empty: it may not.
func (d *Detector) excuse(m *machine) string {
	h := m.host
	switch {
	case d.opts.ignores(m.name):
		return "hosts.ignore names it."
	case m.gone:
		return "It is not in vCenter any more."
	case h != nil && h.Maintenance:
		return "It is in maintenance mode."
	case d.now.Before(m.maintenance):
		return "It is in maintenance mode, by vCenter's events."
	case h != nil && h.Standby:
		return "It is in standby."
	case h != nil && h.Connection == "disconnected", d.now.Before(m.disconnected):
		return "An administrator disconnected it from vCenter."
	case d.now.Before(m.reboot):
		return "It said that it reboots or shuts down."
	}
	return ""
}

// judge opens what is to be opened about one machine.
func (d *Detector) judge(m *machine, report func(*event.Finding)) {
	if d.excuse(m) != "" {
		d.pardon(m, report)
		return
	}
	d.judgeNever(m, report)
	if m.silent {
		if d.now.Sub(m.reminded) >= remind {
			d.open(m, m.aspect(silentAnalytic.UID, ""), silence{d, m}, report)
		}
		return
	}
	if !d.judged(m) {
		return
	}
	if m.last.Sub(m.changed.at) > believed {
		m.changed = change{} // it sends on
	}
	l, changed := d.limits(), m.changed.sign != nil
	if changed {
		l.missed, l.times = missedChanged, 1
	}
	switch {
	case m.misdirected || !m.habit.silent(l) || d.shared(m):
	case changed && m.changed.sign.Kind == signTargets:
		d.misdirect(m, silence{d, m}, report)
	default:
		d.open(m, m.aspect(silentAnalytic.UID, ""), silence{d, m}, report)
		m.silent = true
	}
	if !m.silent && !m.misdirected && m.host != nil && m.habit.gap < d.opts.Shortest {
		d.judgePrograms(m, report)
	}
}

// judged says that enough is known of a machine to call it silent.
func (d *Detector) judged(m *machine) bool {
	return m.habit.learned(d.opts.Learn) && (m.host != nil || m.habit.run.usual >= leastRate)
}

// pardon closes the silence of a machine that has an excuse now.
func (d *Detector) pardon(m *machine, report func(*event.Finding)) {
	if m.silent {
		d.ledger.Close(m.aspect(silentAnalytic.UID, ""), d.now, d.excuse(m), report)
		m.silent = false
	}
	m.habit.pardon()
	for i := range m.programs {
		if m.mute[i] {
			d.ledger.Close(m.aspect(silentAnalytic.UID, programNames[i]), d.now, d.excuse(m), report)
			m.mute[i] = false
		}
		m.programs[i].pardon()
	}
}

// judgePrograms looks for agents that went silent while their host sends.
func (d *Detector) judgePrograms(m *machine, report func(*event.Finding)) {
	for i := range m.programs {
		p := &m.programs[i]
		if m.mute[i] || !p.learned(d.opts.Learn) || !p.silent(d.programLimits()) {
			continue
		}
		d.open(m, m.aspect(silentAnalytic.UID, programNames[i]), muteness{d, m, i}, report)
		m.mute[i] = true
	}
}

// judgeNever opens a finding about a host that should send here, by its own
// list of log hosts, and never did.
func (d *Detector) judgeNever(m *machine, report func(*event.Finding)) {
	if !m.last.IsZero() || m.host == nil || m.host.Connection != connected || m.silent || d.now.Sub(m.begun) < d.opts.Never {
		return
	}
	if d.ours(m) == "" {
		return
	}
	d.open(m, m.aspect(silentAnalytic.UID, ""), silence{d, m}, report)
	m.silent = true
}

// ours gives the one of a machine's log hosts that leads here: it is the only
// one of another machine, and that one's records come. Empty: none is known to.
func (d *Detector) ours(m *machine) string {
	for _, target := range m.targets {
		if d.own[target] {
			return target
		}
	}
	return ""
}

// sign takes a record that says something of a way.
func (d *Detector) sign(s *Sign, report func(*event.Finding)) {
	m := d.machine(s.Key, s.Name, false)
	if m == nil {
		return
	}
	at := later(s.Event.Receipt.At, d.now)
	switch s.Kind {
	case signLost:
		m.lost.add(at, s.Lost)
		m.gave = analytics.AddCount(m.gave, s.Lost)
		d.lose(m, s, report)
	case signUnreachable:
		m.failures.add(at, 1)
		d.lose(m, s, report)
	case signTargets, signBlocked:
		if s.Kind == signTargets && s.Targets != nil && len(missing(m.targets, s.Targets)) == 0 && len(m.targets) > 0 {
			return // it keeps all that it had
		}
		m.changed = change{at, s}
	case signReboot:
		m.reboot = at.Add(d.opts.Reboot)
	case signMaintenance:
		m.maintenance = at.Add(byEvent)
	case signMaintenanceEnd:
		m.maintenance = time.Time{}
	case signDisconnected:
		m.disconnected = at.Add(byEvent)
	case signConnected:
		m.disconnected, m.reboot = time.Time{}, time.Time{}
	}
}

// failuresLose is how many times in an hour a log host must be out of reach to
// be a loss without a count.
const failuresLose = 3

// lose opens or revises host.loss when that much was lost.
func (d *Detector) lose(m *machine, s *Sign, report func(*event.Finding)) {
	lost, failures := m.lost.sum(d.now), m.failures.sum(d.now)
	if d.opts.Loss == 0 || d.opts.ignores(m.name) || lost < d.opts.Loss && failures < failuresLose {
		return
	}
	m.losing = true
	if !d.opts.Watch {
		return
	}
	severity := event.SeverityLow
	if lost >= 10*d.opts.Loss {
		severity = event.SeverityMedium
	}
	d.ledger.Add(d.ledger.Case(m.aspect(lossAnalytic.UID, ""), report), analytics.Sighting{
		Event: &s.Event, Severity: severity, Notes: noteSeen, By: losses{d, m, lost, failures},
	}, report)
}

// targets takes the log hosts of a host, and holds them against what they were.
func (d *Detector) targets(t Targets, report func(*event.Finding)) {
	m := d.machine(hostPrefix+strings.ToLower(t.Host), t.Host, true)
	if m == nil {
		return
	}
	was := m.targets
	if m.before != nil {
		was = m.before
	}
	m.targets = slices.Clone(t.Targets)
	if m.targets == nil {
		m.targets = []string{}
	}
	switch gone := missing(was, m.targets); {
	case len(gone) > 0 && !m.misdirected:
		m.before = was
		d.misdirect(m, redirection{d, m, gone}, report)
	case len(gone) > 0:
		m.before = was
	case m.before != nil:
		m.before = nil
		if d.ledger.Has(m.aspect(misdirectedAnalytic.UID, "")) {
			d.ledger.Close(m.aspect(misdirectedAnalytic.UID, ""), d.now, "Its log hosts are again what they were.", report)
		}
		m.misdirected, m.changed = false, change{}
	}
}

// missing are those of was that now does not have, in any case of letters.
func missing(was, now []string) (gone []string) {
	for _, one := range was {
		if !slices.ContainsFunc(now, func(other string) bool { return strings.EqualFold(one, other) }) {
			gone = append(gone, one)
		}
	}
	return gone
}

func (d *Detector) misdirect(m *machine, by describer, report func(*event.Finding)) {
	d.open(m, m.aspect(misdirectedAnalytic.UID, ""), by, report)
	m.misdirected = true
}
