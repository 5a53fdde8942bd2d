package webuse

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

var (
	windowsAnalytic = about(Windows, "Windows", "AN1189")
	linuxAnalytic   = about(Linux, "Linux", "AN1190")
	macosAnalytic   = about(MacOS, "macOS", "AN1191")
)

func about(uid, system, attack string) event.Analytic {
	return event.Analytic{
		UID: uid, Name: "Unusual process at a web service (" + system + ")", Version: "1", Attack: attack,
		Attacks: []event.Attack{{Tactic: "Command and Control", TacticUID: "TA0011", Technique: "Web Service", TechniqueUID: "T1102"}},
		Desc:    "A process on " + system + " uses a web service that programs of its kind usually do not.",
	}
}

// words describe one connection, or query. They implement analytics.Describer.
type words struct {
	policy *Policy
	to     target
	name   string
	notes  uint32
	points int
}

// Describe writes the finding's title, and a sentence for each fact that is
// news.
func (w *words) Describe(f *event.Finding, ev *event.Event, all, news uint32) {
	first := len(f.Explanation) == 0
	f.Justification = ev.Justification
	f.Risk = max(f.Risk, min(w.points, 100))
	f.Confidence = 2
	if all&(noteTool|noteScripting) == 0 && w.points < grave {
		f.Confidence = 1
	}
	did := "asked for the address of"
	if all&noteConnected != 0 {
		did = "talked to"
	}
	f.Title = fmt.Sprintf("%s on %s %s %s", base(&ev.Process), machineOf(ev), did, w.place())
	if first {
		analytics.Explain(f, described(ev))
	}
	if first && w.to.meant {
		analytics.Explain(f, "The record names no host; its command line does.")
	}
	for _, fact := range facts {
		if news&fact.note != 0 {
			analytics.Explain(f, fmt.Sprintf("%s (%+d).", fact.text(w, ev), points[fact.note]))
		}
	}
	if first {
		analytics.Explain(f, fmt.Sprintf("That is %d points; %d are enough.", w.points, enough))
		analytics.Explain(f, "Expected? Justify it: a role for the machine, and a justification of that role with destination "+cmp.Or(w.to.host, w.to.service)+".")
	}
}

// place is the service and its host.
func (w *words) place() string {
	if w.to.service != "" && w.to.host != "" {
		return w.to.service + " (" + clip(w.to.host) + ")"
	}
	return cmp.Or(w.to.service, clip(w.to.host))
}

// facts are the sentences of each.
var facts = []struct {
	note uint32
	text func(*words, *event.Event) string
}{
	{noteService, func(w *words, _ *event.Event) string {
		if w.to.service == "" {
			return "The host is one of analytics.an1190.HostnamePattern"
		}
		return "It is a web service, in the catalogue as " + w.to.category
	}},
	{noteRisky, func(w *words, _ *event.Event) string {
		return "Services of that kind carry command and control, tools or stolen data"
	}},
	{noteTool, func(w *words, _ *event.Event) string {
		return w.name + " is a shell, a downloader, or a part of the system that can be made one"
	}},
	{noteScripting, func(w *words, _ *event.Event) string { return w.name + " runs what somebody wrote" }},
	{noteListed, func(w *words, _ *event.Event) string { return w.name + " is one of analytics.an1189.ProcessName" }},
	{noteDocument, func(_ *words, ev *event.Event) string {
		return "It was started by " + base(ev.Process.Parent) + ", which opens what others sent, or serves what others ask for"
	}},
	{noteParent, func(_ *words, ev *event.Event) string {
		return "It was started by " + base(ev.Process.Parent) + ", one of analytics.an1190.ParentProcess"
	}},
	{notePassing, func(*words, *event.Event) string {
		return "The program lies where any account may write, and where none is installed"
	}},
	{noteFetching, func(*words, *event.Event) string { return "Its command line fetches, or runs what it fetched" }},
	{noteUnsigned, func(*words, *event.Event) string { return "The program is not signed (ProcessSignature)" }},
	{noteModified, func(*words, *event.Event) string {
		return "The program's signature is not that of a known developer, or does not fit (ProcessSignature)"
	}},
	{noteVolume, func(*words, *event.Event) string { return "It sent more than DataTransferThreshold within the window" }},
	{noteFrequent, func(*words, *event.Event) string { return "It connects more often than RequestFrequency" }},
	{noteBeacon, func(*words, *event.Event) string { return "It connects as regularly as a clock (ConnectionInterval)" }},
	{noteOffHours, func(*words, *event.Event) string { return "It does so outside the business hours" }},
	{noteClient, func(w *words, _ *event.Event) string { return w.name + " is made for such services" }},
}

// described says which process it is, whose, and by whom it was started.
func described(ev *event.Event) string {
	p := &ev.Process
	text := clip(cmp.Or(p.Path, p.Name))
	if p.PID != 0 {
		text += fmt.Sprintf(" (pid %d)", p.PID)
	}
	if p.CmdLine != "" {
		text += fmt.Sprintf(", %q", clip(p.CmdLine))
	}
	if u := &ev.User; u.Name != "" {
		text += ", as "
		if u.Domain != "" {
			text += u.Domain + `\`
		}
		text += u.Name
	}
	if parent := p.Parent; parent != nil && cmp.Or(parent.Path, parent.Name) != "" {
		text += ", started by " + clip(cmp.Or(parent.Path, parent.Name))
		if parent.CmdLine != "" {
			text += fmt.Sprintf(", %q", clip(parent.CmdLine))
		}
	}
	return text + "."
}

func base(p *event.Process) string {
	path := cmp.Or(p.Path, p.Name)
	return clip(path[strings.LastIndexAny(path, `/\`)+1:])
}

func machineOf(ev *event.Event) string {
	if vm := ev.Src.Context.VM; vm != nil {
		return vm.Name
	}
	return cmp.Or(clip(ev.Device.Hostname), ev.Src.IP.String())
}

// maxClip bounds what is cited, in bytes.
const maxClip = 200

func clip(s string) string {
	if len(s) > maxClip {
		return strings.ToValidUTF8(s[:maxClip], "") + "..."
	}
	return s
}
