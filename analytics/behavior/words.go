package behavior

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

var webService = event.Attack{Tactic: "Command and Control", TacticUID: "TA0011", Technique: "Web Service", TechniqueUID: "T1102"}

var (
	beaconAnalytic = event.Analytic{
		UID: Beacon, Name: "Regular connections to the internet", Version: "1", Attack: "AN1191", Attacks: []event.Attack{webService},
		Desc: "A machine, or a process on it, connects to a destination on the internet as regularly as a clock, and nothing justifies it.",
	}
	volumeAnalytic = event.Analytic{
		UID: Volume, Name: "Much sent to the internet", Version: "1", Attack: "AN1189", Attacks: []event.Attack{
			webService,
			{Tactic: "Exfiltration", TacticUID: "TA0010", Technique: "Exfiltration Over Web Service", TechniqueUID: "T1567"},
		},
		Desc: "A machine sent more to the internet within a short time than the threshold, to where no known service is or where loot goes.",
	}
	hoursAnalytic = event.Analytic{
		UID: Hours, Name: "Connections at an unusual hour", Version: "1", Attack: "AN1189", Attacks: []event.Attack{webService},
		Desc: "A machine connects to the internet outside the business hours, at an hour at which it hardly ever does, and nothing justifies it.",
	}
)

// words describe one occurrence. They implement analytics.Describer.
type words struct {
	policy *Policy
	o      *occurrence
}

// Describe writes the finding's title and adds the sentences that are news.
func (w *words) Describe(f *event.Finding, ev *event.Event, all, news uint32) {
	f.Justification = ev.Justification
	f.Risk = max(f.Risk, analytics.RiskOf(f.Severity))
	first := len(f.Explanation) == 0
	switch f.Analytic.UID {
	case Beacon:
		w.beacon(f, ev, first)
	case Volume:
		w.volume(f, ev, first)
	case Hours:
		w.hours(f, ev, first)
	}
	for _, s := range steps {
		if news&s.note != 0 {
			analytics.Explain(f, s.text(ev))
		}
	}
	if first {
		analytics.Explain(f, remedy(ev))
	}
}

func (w *words) beacon(f *event.Finding, ev *event.Event, first bool) {
	r := w.o.pair.evaluate()
	every := spell(r.period)
	f.Title = machineOf(ev) + " connects to " + destinationOf(ev, f.Key) + " every " + every
	f.Confidence = 2
	if r.score >= 2*threshold {
		f.Confidence = 3
	}
	if !first {
		return
	}
	analytics.Explain(f, fmt.Sprintf("%s%s connected %d times so far; of the latest %d: every %s, and that varies by %.0f %% (jitter); %d did not come when they were due, and it paused %d times for longer than six periods.",
		machineOf(ev), by(ev), w.o.pair.beats, r.beats, every, 100*r.jitter, r.missed, r.pauses))
	if r.spread >= 0 {
		analytics.Explain(f, fmt.Sprintf("What a connection sends varies by %.0f %%.", 100*r.spread))
	}
	analytics.Explain(f, fmt.Sprintf("A clock explains that better than chance does, by %.1f nats (%d are enough).", r.score, threshold))
}

func (w *words) volume(f *event.Finding, ev *event.Event, first bool) {
	sent, to := w.o.pairSent, destinationOf(ev, f.Key)
	if f.Key == manyDestinations {
		sent, to = w.o.sent, "the internet"
	}
	f.Title = fmt.Sprintf("%s sent more than %s within %s to %s", machineOf(ev), bytes(w.policy.threshold), spell(w.policy.window), to)
	f.Confidence = 2
	if !first {
		return
	}
	analytics.Explain(f, fmt.Sprintf("%s%s sent %s to %s within %s; analytics.an1189.DataTransferThreshold is %s.",
		machineOf(ev), by(ev), bytes(sent), to, spell(w.policy.window/(windowSlots-1)*windowSlots), bytes(w.policy.threshold)))
	if f.Key == manyDestinations {
		analytics.Explain(f, "That is to all its destinations together, what is justified left out; the latest is "+destinationOf(ev, "")+".")
	}
}

func (w *words) hours(f *event.Finding, ev *event.Event, first bool) {
	f.Title = machineOf(ev) + " connects to " + destinationOf(ev, f.Key) + " at an unusual hour"
	f.Confidence = 1
	if !first {
		return
	}
	h, m := &w.o.source.habit, w.o.moment
	days := "days off"
	if m.Workday {
		days = "workdays"
	}
	analytics.Explain(f, fmt.Sprintf("%s%s connected to the internet %d times on this day at hours around which it does so on one in ten of its %s at most; the latest is at %02d h by the clocks of business_hours, outside of them.",
		machineOf(ev), by(ev), h.unusual, days, m.Hour))
	analytics.Explain(f, fmt.Sprintf("%d %s of it were watched so far, what is justified left out.", h.seen[kind(m.Workday)], days))
}

// steps are the sentences that tell of one step each.
var steps = []struct {
	note uint32
	text func(*event.Event) string
}{
	{noteManagement, func(*event.Event) string {
		return "High: a host or vCenter manages virtual machines, and talks to few hosts outside."
	}},
	{noteCategory, func(ev *event.Event) string {
		return fmt.Sprintf("Raised: services of category %s carry command and control, tools or stolen data.", ev.Dst.Category)
	}},
	{noteVolume, func(*event.Event) string {
		return saysVolume
	}},
	{noteUnlisted, func(*event.Event) string {
		return "The catalogue knows no service there."
	}},
	{noteProcess, func(ev *event.Event) string {
		return fmt.Sprintf("Raised: %s is one of analytics.an1189.ProcessName.", baseName(processName(&ev.Process)))
	}},
	{noteParent, func(ev *event.Event) string {
		return fmt.Sprintf("Raised: it was started by %s, which is one of analytics.an1190.ParentProcess.", baseName(processName(ev.Process.Parent)))
	}},
	{noteOffHours, func(*event.Event) string {
		return saysOffHours
	}},
	{noteFailed, func(*event.Event) string {
		return "Some of it was refused or failed."
	}},
	{noteUnknown, func(*event.Event) string {
		return "Low: the inventory does not know the machine."
	}},
}

// Sentences of the steps that are about an amount.
const (
	saysVolume   = "Raised: it sent more there than analytics.an1189.DataTransferThreshold within the window."
	saysOffHours = "Raised: nearly all of it is outside the business hours."
)

// RaisedByAmount says that the severity of f, a finding of this package, was
// raised by nothing but how much was sent, and at what hour.
func RaisedByAmount(f *event.Finding) bool {
	return !slices.ContainsFunc(f.Explanation, func(s string) bool {
		return s != saysVolume && s != saysOffHours && (strings.HasPrefix(s, "Raised:") || strings.HasPrefix(s, "High:"))
	})
}

// remedy says what would have made it expected.
func remedy(ev *event.Event) string {
	if ev.Justification.Verdict == event.VerdictNone {
		return "Expected? It is no HTTP(S), which justifications are about: add the port to analytics.ignore, or the address to networks.internal if it is the estate's."
	}
	return fmt.Sprintf("Expected? Give %s a role and a justification with destination %s: what is justified is not looked at.", machineOf(ev), place(ev))
}

// machineOf names who acts.
func machineOf(ev *event.Event) string {
	c := &ev.Src.Context
	switch {
	case c.VM != nil:
		return c.VM.Name
	case c.Host != nil:
		return c.Host.Name
	case ev.Src.IP.IsValid():
		return ev.Src.IP.Unmap().String()
	case ev.Src.Hostname != "":
		return strings.Clone(ev.Src.Hostname)
	case ev.Device.Hostname != "":
		return strings.Clone(ev.Device.Hostname)
	}
	return "an unknown machine"
}

// by names the process, where it is known.
func by(ev *event.Event) string {
	name := processName(&ev.Process)
	if name == "" {
		return ""
	}
	if p := ev.Process.Parent; p != nil && processName(p) != "" {
		return fmt.Sprintf(" (process %s, started by %s)", name, processName(p))
	}
	return fmt.Sprintf(" (process %s)", name)
}

// destinationOf is the destination in words.
func destinationOf(ev *event.Event, key string) string {
	if key == manyDestinations {
		return key
	}
	if s := ev.Dst.Service; s != "" && s != place(ev) {
		return s + " (" + place(ev) + ")"
	}
	return place(ev)
}

// place is the host, else the address.
func place(ev *event.Event) string {
	if host := hostOf(ev); host != "" {
		return strings.ToLower(host)
	}
	return ev.Dst.IP.Unmap().String()
}

// spell writes a duration in two units at most.
func spell(d time.Duration) string {
	switch {
	case d >= 100*time.Minute:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= 100*time.Second:
		return fmt.Sprintf("%.1f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.1f seconds", d.Seconds())
}

func bytes(n uint64) string {
	switch f := float64(n); {
	case f >= 1e9:
		return fmt.Sprintf("%.1f GB", f/1e9)
	case f >= 1e6:
		return fmt.Sprintf("%.1f MB", f/1e6)
	case f >= 1e3:
		return fmt.Sprintf("%.1f kB", f/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
