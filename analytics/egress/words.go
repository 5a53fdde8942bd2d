package egress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

var unjustifiedAnalytic = event.Analytic{
	UID:     Unjustified,
	Name:    "External HTTP(S) without justification",
	Version: "1",
	Desc:    "A virtual machine, an ESXi host or vCenter talked HTTP(S) to the internet, and no role, window or rule says that it may.",
	Attack:  "AN1192",
	Attacks: []event.Attack{
		{Tactic: "Command and Control", TacticUID: "TA0011", Technique: "Web Service", TechniqueUID: "T1102"},
	},
}

// words describe one connection. They implement analytics.Describer.
type words struct {
	actor   actor
	target  target
	verdict verdict
	policy  *Policy
}

// Describe writes the finding's title and adds the sentences that are news.
func (w *words) Describe(f *event.Finding, ev *event.Event, all, news uint32) {
	f.Justification = w.verdict.Justification
	f.Risk = max(f.Risk, analytics.RiskOf(f.Severity))
	f.Confidence = w.confidence()
	if f.Key == noInventory {
		w.noInventory(f)
		return
	}
	f.Title = w.title(f, ev, all)
	first := len(f.Explanation) == 0
	if first {
		w.opens(f, ev)
	}
	if news&noteOf(w.verdict.Reason) != 0 {
		analytics.Explain(f, w.reason(ev))
		if w.target.sharedHost && w.verdict.Verdict == event.VerdictUnjustified {
			analytics.Explain(f, "The name is known only from other machines' DNS answers, which justify nothing.")
		}
		analytics.Explain(f, w.remedy(ev))
	}
	if first && w.target.host == "" && w.target.addr.IsValid() {
		analytics.Explain(f, w.noName(ev))
	}
	for _, s := range steps {
		if news&s.note != 0 {
			analytics.Explain(f, s.text(w, ev))
		}
	}
}

// opens says what was seen first, and for how much the finding stands.
func (w *words) opens(f *event.Finding, ev *event.Event) {
	if f.Key == manyDestinations {
		analytics.Explain(f, fmt.Sprintf("%d findings of %s are open: this one stands in for all its other destinations, and counts their connections.", maxUnknown, w.actor.name(ev)))
	}
	analytics.Explain(f, w.fact(ev))
}

// noName says that there is only an address.
func (w *words) noName(ev *event.Event) string {
	if ev.Dst.Service != "" {
		return fmt.Sprintf("No name is known for %s; in the catalogue it is in a range of %s.", w.target.addr, ev.Dst.Service)
	}
	return fmt.Sprintf("No name is known for %s.", w.target.addr)
}

func (w *words) confidence() uint8 {
	switch {
	case !w.actor.known():
		return 1
	case w.actor.vm != nil && (w.actor.ctx.Via >= event.ViaIP || w.actor.ctx.State >= event.StateStale):
		return 2
	}
	return 3
}

func (w *words) title(f *event.Finding, ev *event.Event, all uint32) string {
	verb := " talked to "
	if all&noteConnected == 0 {
		verb = " tried to talk to "
	}
	if all&(noteConnected|noteRefused) == 0 {
		verb = " ran a command that talks to "
	}
	what := f.Key
	if what != manyDestinations {
		what = w.target.name(ev)
	}
	return w.actor.name(ev) + verb + what + " over " + w.target.scheme + w.ending()
}

func (w *words) ending() string {
	switch w.verdict.Reason {
	case event.ReasonAmbiguous:
		return ", and it may be any of several VMs"
	case event.ReasonNoVM:
		return ", and no VM or host is known for it"
	case event.ReasonStaleInventory:
		return ", and the inventory cannot say what it is"
	}
	return " without justification"
}

// fact is what was seen first.
func (w *words) fact(ev *event.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s%s)", w.actor.name(ev), w.actor.kind(), w.roles())
	if ev.Class == event.ProcessActivity {
		fmt.Fprintf(&b, " ran %q", clip(ev.Process.CmdLine))
	} else {
		fmt.Fprintf(&b, " to %s", w.target.name(ev))
	}
	if w.target.host != "" && w.target.addr.IsValid() {
		fmt.Fprintf(&b, " at %s", w.target.addr)
	}
	if w.target.port != 0 {
		fmt.Fprintf(&b, ", port %d", w.target.port)
	}
	if ev.Dst.NameVia != "" && ev.Dst.Hostname != "" {
		fmt.Fprintf(&b, " (name by %s%s)", ev.Dst.NameVia, age(ev.Dst.NameAge))
	}
	if ev.Dst.Category != "" {
		fmt.Fprintf(&b, ", in the catalogue as %s", ev.Dst.Category)
	}
	b.WriteByte('.')
	return b.String()
}

// age says how old a name is, when that may matter.
func age(seconds uint32) string {
	if seconds < 3600 {
		return ""
	}
	return fmt.Sprintf(", %d h old", seconds/3600)
}

func (w *words) roles() string {
	roles := slices.Concat(w.actor.roles(), w.actor.builtin())
	if len(roles) == 0 {
		return ""
	}
	return ", " + strings.Join(roles, ", ")
}

// maxClip bounds what is cited of a command line, in bytes.
const maxClip = 200

func clip(s string) string {
	if len(s) > maxClip {
		return strings.ToValidUTF8(s[:maxClip], "") + "..."
	}
	return s
}

// reason says why the verdict is what it is.
func (w *words) reason(ev *event.Event) string {
	r := w.verdict.rule
	switch w.verdict.Reason {
	case event.ReasonNoRole:
		return fmt.Sprintf("No justification names a role of %s.", w.actor.name(ev))
	case event.ReasonDestination:
		return fmt.Sprintf("%s, not this destination.", allows(r))
	case event.ReasonExpired:
		return fmt.Sprintf("%s, but that expired at %s.", allows(r), r.expires.Format("2006-01-02 15:04 MST"))
	case event.ReasonWindow:
		return fmt.Sprintf("%s; this was %s.", allows(r), w.when(r))
	case event.ReasonBytes:
		return fmt.Sprintf("%s up to %s in one window; that is used up.", allows(r), r.MaxBytes)
	case event.ReasonAmbiguous:
		return fmt.Sprintf("%s may be any of: %s. An ambiguous match never justifies.", w.actor.name(ev), w.actor.candidates())
	case event.ReasonStaleInventory:
		return "The inventory has not heard from vCenter for long, or never: it cannot say who this is."
	}
	return fmt.Sprintf("The inventory knows no VM and no host for %s.", w.actor.name(ev))
}

// allows cites a rule.
func allows(r *rule) string {
	s := fmt.Sprintf("Justification %q allows role %s to %s", r.Name, r.Role, strings.Join(r.Destinations, ", "))
	if len(r.Ports) > 0 {
		s += fmt.Sprintf(" port %s", strings.Trim(fmt.Sprint(r.Ports), "[]"))
	}
	if len(r.Windows) > 0 {
		s += " " + strings.Join(r.Windows, " or ")
	}
	if r.Ticket != "" {
		s += fmt.Sprintf(" (%s)", r.Ticket)
	}
	return s
}

// when is the moment of the connection on the clocks of the rule's first
// window.
func (w *words) when(r *rule) string {
	return time.Unix(w.verdict.at, 0).In(w.policy.zones[r.windows[0].zone]).Format("Mon 15:04")
}

// remedy says what would have justified it.
func (w *words) remedy(ev *event.Event) string {
	place := w.target.place()
	if w.target.sharedHost {
		place = w.target.addr.String() // the name would not do
	}
	reason := w.verdict.Reason
	if place == invalidHost && (reason == event.ReasonNoRole || reason == event.ReasonDestination) {
		return "A host name has at most 253 bytes: no justification can name this one."
	}
	switch reason {
	case event.ReasonNoRole:
		role := "a role"
		if w.actor.vm == nil {
			role = "role " + w.actor.builtin()[0]
		}
		return fmt.Sprintf("Expected? Give %s %s and a justification with destination %s.", w.actor.name(ev), role, place)
	case event.ReasonDestination:
		return fmt.Sprintf("Expected? Add %s to the destinations of %q, or a justification of its own.", place, w.verdict.rule.Name)
	case event.ReasonExpired, event.ReasonWindow, event.ReasonBytes:
		return fmt.Sprintf("Expected? Change that limit of justification %q.", w.verdict.rule.Name)
	case event.ReasonAmbiguous:
		return "To tell them apart, give each VM its own address, or log with NSX, whose records name the virtual NIC."
	case event.ReasonStaleInventory:
		return "Look at the connection to vCenter; what comes then is judged by its inventory."
	}
	return "If it is the estate's, let its vCenter be configured under vcenters, with VMware Tools running in the VM."
}

// steps are the sentences that tell of one step of the severity each.
var steps = []struct {
	note uint32
	text func(*words, *event.Event) string
}{
	{noteManagement, func(w *words, _ *event.Event) string {
		return fmt.Sprintf("High: %s manages virtual machines, and talks to few hosts outside.", article(w.actor.kind()))
	}},
	{noteCategory, func(_ *words, ev *event.Event) string {
		return fmt.Sprintf("Raised: services of category %s carry command and control, tools or stolen data.", ev.Dst.Category)
	}},
	{noteFirstContact, func(*words, *event.Event) string {
		return "Raised: it never talked to this before."
	}},
	{noteVolume, func(*words, *event.Event) string {
		return saysVolume
	}},
	{noteOffHours, func(*words, *event.Event) string {
		return saysOffHours
	}},
	{noteRefused, func(*words, *event.Event) string {
		return "Lower: an attempt was refused or failed."
	}},
	{noteCommand, func(*words, *event.Event) string {
		return "A command line says so; whether it got through is not known."
	}},
}

// Sentences of the steps that are about an amount.
const (
	saysVolume   = "Raised: it sent more than 100 MB."
	saysOffHours = "Raised: some of it was outside the business hours."
)

// RaisedByAmount says that the severity of f, a finding of Unjustified, was
// raised by nothing but how much was sent, and at what hour.
func RaisedByAmount(f *event.Finding) bool {
	for _, s := range f.Explanation {
		switch {
		case s == saysVolume, s == saysOffHours:
		case strings.HasPrefix(s, "Raised:"), strings.HasPrefix(s, "High:"):
			return false
		}
	}
	return true
}

func article(kind string) string {
	if kind == "ESXi host" {
		return "an ESXi host"
	}
	return kind
}

// noInventory are the words of the one finding that stands in for all.
func (w *words) noInventory(f *event.Finding) {
	f.Title = "Machines talk HTTP(S) to the internet, and no vCenter is configured that could say which they are"
	analytics.Explain(f, "No inventory is configured: addresses have no VM, no role and no justification. This one finding stands in for all of them.")
	analytics.Explain(f, "Configure it: vcenters: [{name: vc1, url: \"https://vc1.example.com/sdk\", username: vegress@vsphere.local, password_file: /etc/vegress/vc1.password}]. A read-only account is enough.")
	analytics.Explain(f, "Then name roles (by tag, folder or name) and justifications; each connection is judged from then on.")
}
