package hosts

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/vegress/vegress/event"
)

// settleState works out the state of a machine, and tells it when it is
// another.
func (d *Detector) settleState(m *machine) {
	state, reasons := d.stateOf(m)
	if state != m.state {
		m.state, m.since = state, d.now
	}
	m.reasons = reasons
	switch {
	case state == m.announced:
	case state == event.PathNever && d.now.Sub(m.begun) < d.opts.Never: // it may still be about to begin
	case state == event.PathSending && m.announced == "":
		m.announced = state // no news
	default:
		m.announced = state
		h := d.path(m)
		d.tell(&h)
	}
}

func (d *Detector) stateOf(m *machine) (state event.PathState, reasons []string) {
	if n := m.truncated.sum(d.now); n > 0 {
		reasons = append(reasons, fmt.Sprintf("%d of its records were cut in the last hour: Syslog.global.remoteHost.maxMsgLen is too small for them.", n))
	}
	excuse := d.excuse(m)
	switch {
	case m.misdirected && m.before != nil:
		return event.PathMisdirected, append(reasons, fmt.Sprintf("Its log hosts are %s, and were %s.", list(m.targets), list(m.before)))
	case m.misdirected && m.changed.sign == nil:
		return event.PathMisdirected, append(reasons, "Its records stopped after its log hosts were set.")
	case m.misdirected:
		return event.PathMisdirected, append(reasons, m.changed.words())
	case excuse != "":
		return event.PathExcused, append(reasons, excuse)
	case m.silent && m.last.IsZero():
		return event.PathSilent, append(reasons, "It is set to send here, and never did.")
	case m.silent:
		return event.PathSilent, append(reasons, fmt.Sprintf("Nothing came since %s.", stamp(m.last)))
	case m.last.IsZero():
		return event.PathNever, append(reasons, d.neverReason(m))
	case d.everyone.silent && d.counts(m):
		return event.PathSilent, append(reasons, "Nothing arrives from any machine.")
	case d.relaySilent(m):
		return event.PathSilent, append(reasons, fmt.Sprintf("Nothing arrives through %s, nor from the other machines behind it.", m.peer))
	case m.losing:
		return event.PathLosing, append(reasons, fmt.Sprintf("It reported %d messages lost in the last hour.", m.lost.sum(d.now)))
	case d.quiet(m):
		return event.PathQuiet, append(reasons, fmt.Sprintf("Nothing came for %s.", spell(m.habit.gap)))
	}
	for i, mute := range m.mute {
		if mute {
			reasons = append(reasons, fmt.Sprintf("Nothing of %s came for %s.", programNames[i], spell(m.programs[i].gap)))
		}
	}
	return event.PathSending, reasons
}

func (d *Detector) neverReason(m *machine) string {
	if waited := d.now.Sub(m.begun); !m.begun.IsZero() && waited < d.opts.Never {
		return fmt.Sprintf("No record came yet, %s after it was first known.", spell(waited))
	}
	return "vCenter has it, and not one record came."
}

func (d *Detector) relaySilent(m *machine) bool {
	g := d.relays[m.peer]
	return g != nil && g.silent && d.counts(m)
}

// quiet says that a machine is on its way to silence.
func (d *Detector) quiet(m *machine) bool {
	l := d.limits()
	return d.judged(m) && m.habit.missed >= m.habit.needed(l)/2 && m.habit.gap >= m.habit.allowed(l)/2
}

// path is the log path of a machine, as others read it.
func (d *Detector) path(m *machine) event.HostPath {
	h := event.HostPath{
		Host: m.name, State: m.state, Since: m.since, Time: d.now, Reasons: m.reasons, LastSeen: m.last,
		Records: m.records, Truncated: m.cut, Lost: m.gave,
		Skew: round(m.skew.value().Seconds()), Targets: slices.Clone(m.targets),
	}
	if m.host != nil {
		h.VCenter = m.host.VCenter
	}
	if m.habit.gap < max(d.opts.Shortest, time.Minute) {
		h.Rate = round(m.habit.recent)
	}
	if m.habit.learned(d.opts.Learn) {
		h.Habit = round(m.habit.run.usual)
	}
	return h
}

func round(f float64) float64 { return math.Round(f*100) / 100 }
