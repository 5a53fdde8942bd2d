package egress

import (
	"strings"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

var httpClientAnalytic = event.Analytic{
	UID:     HTTPClientOpened,
	Name:    "ESXi firewall opened for outbound HTTP(S)",
	Version: "1",
	Desc:    "The httpClient rule set of an ESXi host's firewall was opened: from then on, programs on the host reach any web server.",
	Attack:  "AN1192",
	Rule:    true,
	Attacks: []event.Attack{
		{Tactic: "Defense Evasion", TacticUID: "TA0005", Technique: "Impair Defenses: Disable or Modify System Firewall", TechniqueUID: "T1562.004"},
		{Tactic: "Command and Control", TacticUID: "TA0011", Technique: "Web Service", TechniqueUID: "T1102"},
	},
}

// firewall reports when ev opens the httpClient rule set. While vSphere says
// that an administrator is at work on the host, that is part of the work.
func (d *Detector) firewall(ev *event.Event, report func(*event.Finding)) {
	if analytics.HTTPClientChange(ev) != analytics.RuleSetOpened || d.evidence.Maintenance(ev.Device.Host, ev.Time) {
		return
	}
	severity, notes := event.SeverityMedium, uint32(0)
	if d.offHours(ev.Time) {
		severity, notes = event.SeverityHigh, noteOffHours
	}
	if ev.Status == event.StatusFailure {
		severity, notes = event.SeverityLow, notes|noteRefused
	} else {
		notes |= noteConnected
	}
	c := d.ledger.Case(analytics.Key{Analytic: HTTPClientOpened, Entity: ev.Entity(), What: analytics.RuleSetHTTPClient}, report)
	d.ledger.Add(c, analytics.Sighting{Event: ev, Severity: severity, Notes: notes, By: opening{}}, report)
}

// opening describes the finding.
type opening struct{}

// Describe implements analytics.Describer.
func (opening) Describe(f *event.Finding, ev *event.Event, all, news uint32) {
	host := ev.Device.Hostname
	if ev.Device.Host != nil {
		host = ev.Device.Host.Name
	}
	f.Title = host + " opened httpClient in its firewall: it can reach any web server now"
	if all&noteConnected == 0 {
		f.Title = host + " failed to open httpClient in its firewall"
	}
	f.Title = strings.Clone(f.Title)
	f.Confidence, f.Risk = 3, max(f.Risk, analytics.RiskOf(f.Severity))
	analytics.Explain(f, "The httpClient rule set is closed by default; open, it lets programs on the host connect to any address on ports 80 and 443.")
	switch {
	case ev.Class == event.ProcessActivity && ev.User.Name != "":
		analytics.Explain(f, ev.User.Name+" ran "+clip(ev.Process.CmdLine)+".")
	case ev.Class == event.ProcessActivity:
		analytics.Explain(f, "The command was "+clip(ev.Process.CmdLine)+".")
	}
	if news&noteOffHours != 0 {
		analytics.Explain(f, "High: it was outside the business hours.")
	}
	if news&noteRefused != 0 {
		analytics.Explain(f, "Lower: an attempt failed.")
	}
	analytics.Explain(f, "Expected during a manual update; close it afterwards: esxcli network firewall ruleset set -r httpClient -e false.")
}
