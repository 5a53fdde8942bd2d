package fusion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

var webService = []event.Attack{
	{Tactic: "Command and Control", TacticUID: "TA0011", Technique: "Web Service", TechniqueUID: "T1102"},
}

var (
	processFlow = event.Analytic{
		UID: ProcessFlow, Name: "Process behind an unjustified connection", Version: "1", Attack: "AN1192", Attacks: webService,
		Desc: "A VM talked HTTP(S) to the internet without justification, and a sensor in it names the process.",
	}
	sensorBlind = event.Analytic{
		UID: SensorBlind, Name: "Sensor in a VM does not see its connections", Version: "1",
		Attacks: []event.Attack{{Tactic: "Defense Evasion", TacticUID: "TA0005", Technique: "Impair Defenses: Indicator Blocking", TechniqueUID: "T1562.006"}},
		Desc:    "The hypervisor sees connections of a VM that the sensor in it used to report, and does not any more.",
	}
)

// scripting are programs that run what others wrote, or fetch it: a connection
// of theirs says little of who meant it.
var scripting = []string{
	"bash", "bitsadmin", "certutil", "cmd", "cscript", "curl", "dash", "ksh", "msbuild", "mshta", "nc", "ncat", "node",
	"osascript", "perl", "php", "powershell", "powershell_ise", "pwsh", "python", "regsvr", "ruby", "rundll", "sh", "socat",
	"wget", "wscript", "zsh",
}

// program is the file name of a process, without .exe and version: "python"
// of /usr/bin/python3.11.
func program(p *event.Process) string {
	path := cmp.Or(p.Path, p.Name)
	path = path[strings.LastIndexAny(path, `/\`)+1:]
	path = strings.TrimSuffix(strings.ToLower(path), ".exe")
	return strings.TrimRight(path, "0123456789.-")
}

// words describe a connection by both its sides.
type words struct{ match }

func (w *words) key() analytics.Key {
	flow, in := w.flow.ev, w.guest.ev
	place := cmp.Or(flow.Dst.Service, flow.Dst.Hostname, in.Dst.Hostname, flow.Dst.IP.String())
	return analytics.Key{Analytic: ProcessFlow, Entity: flow.Entity(), What: place + " by " + program(&in.Process)}
}

func (w *words) severity() event.Severity {
	if slices.Contains(scripting, program(&w.guest.ev.Process)) {
		return event.SeverityHigh
	}
	return event.SeverityMedium
}

// Describe implements analytics.Describer.
func (w *words) Describe(f *event.Finding, _ *event.Event, _, _ uint32) {
	flow, in := w.flow.ev, w.guest.ev
	vm, process := flow.Src.Context.VM, &in.Process
	f.Title = fmt.Sprintf("%s on %s talked to %s without justification", image(process), vm.Name, destination(flow, in))
	f.Justification = flow.Justification
	f.Confidence, f.Risk = 3, 50
	if w.severity() == event.SeverityHigh {
		f.Risk = 75
	}
	if !w.exact {
		f.Confidence = 2
	}
	analytics.Explain(f, fmt.Sprintf("%s saw VM %s connect from port %d to %s, port %d, at %s.",
		cmp.Or(vm.Host, flow.Device.Hostname), vm.Name, flow.Src.Port, flow.Dst.IP, flow.Dst.Port, stamp(w.flow.at)))
	analytics.Explain(f, "In the guest it was "+described(process)+as(&in.User)+".")
	if parent := process.Parent; parent != nil && cmp.Or(parent.Path, parent.Name, parent.CmdLine) != "" {
		analytics.Explain(f, "Started by "+described(parent)+".")
	}
	if !w.exact {
		analytics.Explain(f, fmt.Sprintf("One record has no source port: they were joined as the only two within %s, %s apart.", near, w.apart.Round(time.Millisecond)))
	}
	if slices.Contains(scripting, program(process)) {
		analytics.Explain(f, "High: the program runs what others wrote, or fetches it.")
	}
}

func destination(flow, in *event.Event) string {
	name := cmp.Or(flow.Dst.Hostname, in.Dst.Hostname)
	switch {
	case flow.Dst.Service != "" && name != "":
		return flow.Dst.Service + " (" + name + ")"
	case flow.Dst.Service != "":
		return flow.Dst.Service
	}
	return cmp.Or(name, flow.Dst.IP.String())
}

func image(p *event.Process) string {
	path := cmp.Or(p.Path, p.Name)
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// described is a process with what is known of it.
func described(p *event.Process) string {
	text := cmp.Or(p.Path, p.Name, "a process")
	if p.PID != 0 {
		text += fmt.Sprintf(" (pid %d)", p.PID)
	}
	if p.CmdLine != "" {
		text += fmt.Sprintf(", %q", p.CmdLine)
	}
	return text
}

func as(u *event.User) string {
	switch {
	case u.Name != "" && u.Domain != "":
		return `, as ` + u.Domain + `\` + u.Name
	case u.Name != "" || u.UID != "":
		return ", as " + cmp.Or(u.Name, u.UID)
	}
	return ""
}

// blindness describes a sensor that does not see.
type blindness struct{ sensor sensor }

// Describe implements analytics.Describer.
func (w *blindness) Describe(f *event.Finding, ev *event.Event, _, _ uint32) {
	s, name := &w.sensor, ev.Src.Context.VM.Name
	f.Title = "The sensor in " + name + " does not see its connections any more"
	f.Confidence, f.Risk = 2, 60
	analytics.Explain(f, fmt.Sprintf("Its host saw %d HTTP(S) connections of %s to the internet in %s that the sensor did not report; it reported %d.",
		s.missed, name, window, s.seen))
	analytics.Explain(f, fmt.Sprintf("Before, it reported %.0f %% of them, over %d such times.", 100*s.usual, s.windows))
	analytics.Explain(f, fmt.Sprintf("Its latest record of a connection is of %s.", stamp(s.last)))
	analytics.Explain(f, "Look whether the sensor runs, what its configuration leaves out now, and whether its records arrive late (fusion.hold).")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }
