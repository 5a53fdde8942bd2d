package hosts

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// attacks is what silence may be: an adversary who keeps a host's records from
// its collector. AN0670 is the ESXi analytic of detection strategy DET0239
// (attack.mitre.org).
var attacks = []event.Attack{
	{Tactic: "Defense Evasion", TacticUID: "TA0005", Technique: "Impair Defenses: Indicator Blocking", TechniqueUID: "T1562.006"},
}

var (
	silentAnalytic = event.Analytic{
		UID: "host.silent", Name: "Log source went silent", Version: "1", Attack: "AN0670", Attacks: attacks,
		Desc: "A machine, a program on it, or a relay sends nothing any more, against its own habit at this hour of the day.",
	}
	lossAnalytic = event.Analytic{
		UID: "host.loss", Name: "Log source loses records", Version: "1", Attack: "AN0670", Attacks: attacks,
		Desc: "A host reports that it could not send some of its log messages.",
	}
	misdirectedAnalytic = event.Analytic{
		UID: "host.misdirected", Name: "Log source sends elsewhere", Version: "1", Attack: "AN0670", Attacks: attacks,
		Desc: "A host's list of log hosts lost one that it had, or was set and its records stopped.",
	}
)

// noteSeen makes the ledger ask for the words of a finding once.
const noteSeen = 1

// describer words a finding of this package, and says how bad it is.
type describer interface {
	analytics.Describer
	severity() event.Severity
}

// open opens the finding of k, or tells it again. m is nil for a group.
func (d *Detector) open(m *machine, k analytics.Key, by describer, report func(*event.Finding)) {
	if !d.opts.Watch {
		return
	}
	ev := &event.Event{Time: d.now}
	what := k.Entity.String() + "/" + k.What
	absent := true
	if m != nil {
		m.reminded = d.now
		ev.Device = event.Device{Hostname: m.name, Host: m.host}
		if c := m.changed.sign; k.Analytic == misdirectedAnalytic.UID && c != nil {
			ev, absent = &c.Event, false
		}
	}
	if absent {
		ev.UID = what + "@" + d.now.UTC().Format(time.RFC3339Nano)
	}
	d.ledger.Add(d.ledger.Case(k, report), analytics.Sighting{
		Event: ev, Severity: by.severity(), Notes: noteSeen, By: by, Absent: absent,
	}, report)
}

// closeAll closes all findings about a machine.
func (d *Detector) closeAll(m *machine, why string, report func(*event.Finding)) {
	for _, analytic := range []string{silentAnalytic.UID, lossAnalytic.UID, misdirectedAnalytic.UID} {
		d.ledger.Close(m.aspect(analytic, ""), d.now, why, report)
	}
	for _, name := range programNames {
		d.ledger.Close(m.aspect(silentAnalytic.UID, name), d.now, why, report)
	}
}

// Confidence ids of OCSF.
const (
	low uint8 = 1 + iota
	medium
	high
)

// silence words that a machine sends nothing any more.
type silence struct {
	d *Detector
	m *machine
}

func (s silence) severity() event.Severity {
	h := s.m.host
	switch {
	case s.m.changed.sign != nil:
		return event.SeverityHigh
	case h == nil:
		return event.SeverityMedium
	case h.Connection == "notResponding":
		return event.SeverityLow
	case s.d.fresh[h.VCenter] != event.StateLive, s.m.last.IsZero():
		return event.SeverityMedium
	}
	return event.SeverityHigh
}

// Describe implements analytics.Describer.
func (s silence) Describe(f *event.Finding, _ *event.Event, _, _ uint32) {
	m := s.m
	f.Title = m.name + " sends no logs any more"
	f.Confidence, f.Risk = s.confidence(), risk(s.severity())
	switch {
	case f.Analytic.UID == misdirectedAnalytic.UID:
		f.Title = m.name + " sends its logs elsewhere"
	case m.last.IsZero():
		f.Title = m.name + " has never sent logs, though it is set to"
		analytics.Explain(f, fmt.Sprintf("Its log hosts name %s, to which other hosts send; not one record came in %s.",
			s.d.ours(m), spell(s.d.now.Sub(m.begun))))
	}
	if !m.last.IsZero() {
		analytics.Explain(f, fmt.Sprintf("The latest record came at %s; nothing in the %s since.", stamp(m.last), spell(m.habit.gap)))
		analytics.Explain(f, fmt.Sprintf("At this hour it usually sends %s records a minute: about %.0f are missing.", rate(m.habit.run.usual), m.habit.missed))
	}
	s.vcenter(f)
	if c := &m.changed; c.sign != nil {
		analytics.Explain(f, c.words())
	}
}

func (s silence) confidence() uint8 {
	h := s.m.host
	switch {
	case s.m.changed.sign != nil:
		return high
	case h == nil || s.d.fresh[h.VCenter] != event.StateLive:
		return low
	case h.Connection == connected && !s.m.last.IsZero():
		return high
	}
	return medium
}

// vcenter adds what vCenter says of the host.
func (s silence) vcenter(f *event.Finding) {
	h := s.m.host
	switch {
	case h == nil && s.m.known:
		analytics.Explain(f, "It is a vCenter: nobody else says whether it is up.")
	case h == nil:
		analytics.Explain(f, "No vCenter's inventory knows it: whether it is only switched off cannot be told.")
	case s.d.fresh[h.VCenter] != event.StateLive:
		analytics.Explain(f, fmt.Sprintf("vCenter %s does not answer either: a planned outage of the host would not be known.", h.VCenter))
	case h.Connection == connected:
		analytics.Explain(f, fmt.Sprintf("vCenter %s is connected to it, so it is up; it is not in maintenance mode.", h.VCenter))
	case h.Connection == "notResponding":
		analytics.Explain(f, fmt.Sprintf("vCenter %s gets no answer from it either: the host or its network is down.", h.VCenter))
	}
}

// words says what changed the way out.
func (c *change) words() string {
	by := ""
	if c.sign.Event.User.Name != "" {
		by = " by " + c.sign.Event.User.Name
	}
	switch {
	case c.sign.Kind == signBlocked:
		return fmt.Sprintf("Its way out was closed%s at %s.", by, stamp(c.at))
	case c.sign.Targets == nil:
		return fmt.Sprintf("Its log hosts were set%s at %s.", by, stamp(c.at))
	}
	return fmt.Sprintf("Its log hosts were set%s to %s at %s.", by, list(c.sign.Targets), stamp(c.at))
}

// muteness words that one program of a host that sends is silent.
type muteness struct {
	d *Detector
	m *machine
	i int
}

func (s muteness) severity() event.Severity { return event.SeverityMedium }

// Describe implements analytics.Describer.
func (s muteness) Describe(f *event.Finding, _ *event.Event, _, _ uint32) {
	p := &s.m.programs[s.i]
	f.Title = fmt.Sprintf("%s on %s writes no logs any more", programNames[s.i], s.m.name)
	f.Confidence, f.Risk = medium, risk(s.severity())
	analytics.Explain(f, fmt.Sprintf("No record of %s came in the last %s, while the host's other programs send.", programNames[s.i], spell(p.gap)))
	analytics.Explain(f, fmt.Sprintf("At this hour it usually writes %s records a minute: about %.0f are missing.", rate(p.run.usual), p.missed))
}

// redirection words that the list of log hosts lost one.
type redirection struct {
	d    *Detector
	m    *machine
	gone []string
}

func (s redirection) severity() event.Severity { return event.SeverityHigh }

// Describe implements analytics.Describer.
func (s redirection) Describe(f *event.Finding, _ *event.Event, _, _ uint32) {
	f.Title = s.m.name + " sends its logs elsewhere"
	f.Confidence, f.Risk = high, risk(s.severity())
	analytics.Explain(f, fmt.Sprintf("Its list of log hosts was %s and is %s: %s is gone.", list(s.m.before), list(s.m.targets), list(s.gone)))
	if s.m.changed.sign != nil {
		analytics.Explain(f, s.m.changed.words())
	}
}

// losses words what a host reports to be lost.
type losses struct {
	d              *Detector
	m              *machine
	lost, failures int64
}

func (s losses) severity() event.Severity { return event.SeverityLow }

// Describe implements analytics.Describer.
func (s losses) Describe(f *event.Finding, ev *event.Event, _, _ uint32) {
	f.Title = s.m.name + " loses log records"
	f.Confidence, f.Risk = high, risk(f.Severity)
	to := ""
	if !ev.Dst.IsZero() {
		to = " to " + cmp.Or(ev.Dst.Hostname, ev.Dst.IP.String())
	}
	if s.lost > 0 {
		analytics.Explain(f, fmt.Sprintf("It reports %d log messages lost in an hour%s; hosts.loss is %d.", s.lost, to, s.d.opts.Loss))
	}
	if s.failures > 0 {
		analytics.Explain(f, fmt.Sprintf("It could not reach a log host%s %d times in an hour.", to, s.failures))
	}
}

// outage words that nothing comes from many at once.
type outage struct {
	d    *Detector
	g    *group
	peer string // of the relay; empty: it is all
}

func (s outage) severity() event.Severity { return event.SeverityHigh }

// Describe implements analytics.Describer.
func (s outage) Describe(f *event.Finding, _ *event.Event, _, _ uint32) {
	f.Confidence, f.Risk = high, risk(s.severity())
	if s.peer == "" {
		f.Title = "No machine's logs arrive any more"
		analytics.Explain(f, fmt.Sprintf("All %d machines that usually send fell silent at once, %s ago: look at this collector's network first.", s.g.members, spell(s.g.habit.gap)))
	} else {
		f.Title = "The relay " + s.peer + " sends no logs any more"
		analytics.Explain(f, fmt.Sprintf("All %d machines whose records came through %s fell silent at once, %s ago: look at the relay, or the way from there.", s.g.members, s.peer, spell(s.g.habit.gap)))
	}
	analytics.Explain(f, fmt.Sprintf("About %.0f records are missing. The machines themselves have no finding each.", s.g.habit.missed))
}

// risk is a score for a severity.
func risk(s event.Severity) int { return min(20*int(s), 100) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// spell writes a duration for people.
func spell(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.0f seconds", d.Seconds())
}

func rate(perMinute float64) string {
	if perMinute < 10 {
		return fmt.Sprintf("%.2g", perMinute)
	}
	return fmt.Sprintf("%.0f", perMinute)
}

// list writes log hosts for people.
func list(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
