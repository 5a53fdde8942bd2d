package vcenter

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldEventType = event.Intern("event_type")
	fieldEventTime = event.Intern("event_time")
	fieldPart      = event.Intern("part")
	fieldChainID   = event.Intern("chain_id")
	fieldAlarm     = event.Intern("alarm")
	fieldLost      = event.Intern("lost_messages")
	fieldTaskText  = event.Intern("task_description")
	fieldNote      = event.Intern("note")
)

// vpxdEvent recognizes the events that vCenter forwards to syslog:
//
//	Event [ID] [PART-TOTAL] [TIME] [vim.event.X] [SEVERITY] [USER] [DATACENTER] [CHAIN] [TEXT]
//
// An event longer than about 1 KiB comes in parts, of which only the first has
// all members; the last member may lack its bracket. Types are those of the
// vSphere API's event model.
func vpxdEvent(m *syslog.Message, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(m.Text, " "), "Event [")
	if !ok {
		return false
	}
	id, rest, ok := strings.Cut(rest, "]")
	if _, number := vsphere.ParseUint(id); !ok || !number {
		return false
	}
	part, rest, ok := member(rest)
	if !ok || !isPart(part) {
		return false
	}
	vsphere.AddNumber(ev, vsphere.FieldEventID, id)
	if part != "1-1" && (m.Records <= 1 || m.Partial) {
		ev.Add(fieldPart, part)
	}
	var f forwarded
	if !f.parse(rest) {
		ev.Message = strings.TrimSpace(rest)
		return true
	}
	f.describe(ev)
	return true
}

// isPart: "1-1", "2-3".
func isPart(s string) bool {
	part, total, ok := strings.Cut(s, "-")
	_, okPart := vsphere.ParseUint(part)
	_, okTotal := vsphere.ParseUint(total)
	return ok && okPart && okTotal
}

// forwarded is an event's members behind the part.
type forwarded struct {
	time, kind, severity, user, datacenter, chain, text string
}

func (f *forwarded) parse(s string) bool {
	for _, p := range [...]*string{&f.time, &f.kind, &f.severity, &f.user, &f.datacenter, &f.chain} {
		var ok bool
		if *p, s, ok = member(s); !ok {
			return false
		}
	}
	s = strings.TrimLeft(s, " ")
	f.text = strings.TrimSuffix(strings.TrimRight(strings.TrimPrefix(s, "["), " \n"), `\n`)
	f.text = strings.TrimSuffix(f.text, "]")
	return strings.Contains(f.kind, ".")
}

// member cuts "[...]" off s. Names may hold brackets: the member ends at a
// bracket that a blank and a bracket follow, or at the end.
func member(s string) (value, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '[' {
		return "", s, false
	}
	if i := strings.Index(s, "] ["); i >= 0 {
		return s[1:i], s[i+2:], true
	}
	if i := strings.IndexByte(s, ']'); i >= 0 {
		return s[1:i], s[i+1:], true
	}
	return "", s, false
}

func (f *forwarded) describe(ev *event.Event) {
	ev.Message = f.text
	ev.Add(fieldEventTime, f.time)
	ev.Add(fieldEventType, f.kind)
	vsphere.AddIf(ev, fieldChainID, f.chain)
	ev.Severity = eventSeverity(f.severity)
	switch known := vsphere.RecognizeEventText(f.text, ev); {
	case known && (ev.Class == event.SSHActivity || ev.Service == "ssh" || strings.HasPrefix(f.text, "Remote access for ESXi")):
		ev.Dst = event.Endpoint{} // a host, which the event does not name
	case known:
	case f.general() && vsphere.RecognizeLogin(f.text, ev):
	default:
		ev.Class, ev.Service = event.APIActivity, ev.LogName
		ev.Activity = activityOf(f.name())
		vsphere.SetUser(ev, f.user)
		f.known(ev)
	}
	if ev.Class == event.APIActivity && (ev.Operation == "" || !f.general()) {
		ev.Operation = f.name()
	}
	if _, known := ev.Field(vsphere.FieldDatacenter); !known {
		vsphere.AddIf(ev, vsphere.FieldDatacenter, f.datacenter)
	}
	if ev.User.Name == "" {
		vsphere.SetUser(ev, f.user)
	}
}

// name is the type without its namespace.
// The ids of a host's observations (esx.audit.x) are names as they are.
func (f *forwarded) name() string {
	if strings.HasPrefix(f.kind, "esx.") {
		return f.kind
	}
	return f.kind[strings.LastIndexByte(f.kind, '.')+1:]
}

// general says that the type tells nothing: the text has what happened.
func (f *forwarded) general() bool {
	switch f.name() {
	case "EventEx", "ExtendedEvent", "GeneralUserEvent":
		return true
	}
	return false
}

func eventSeverity(s string) event.Severity {
	switch s {
	case "warning":
		return event.SeverityMedium
	case "error":
		return event.SeverityHigh
	}
	return event.SeverityInformational
}

// activityOf reads the kind of activity from an event type's name.
func activityOf(name string) event.Activity {
	switch {
	case strings.Contains(name, "Created"), strings.Contains(name, "Added"), strings.Contains(name, "Cloned"),
		strings.Contains(name, "Registered"), strings.Contains(name, "Deployed"):
		return event.APICreate
	case strings.Contains(name, "Removed"), strings.Contains(name, "Destroyed"), strings.Contains(name, "Deleted"):
		return event.APIDelete
	case strings.HasPrefix(name, "Vm"), strings.Contains(name, "Reconfigured"), strings.Contains(name, "Changed"),
		strings.Contains(name, "Connected"), strings.Contains(name, "Updated"):
		return event.APIUpdate
	}
	return event.ActivityOther
}

// known takes texts that only vCenter writes.
func (f *forwarded) known(ev *event.Event) {
	switch f.name() {
	case "BadUsernameSessionEvent", "NoAccessUserEvent", "UserLoginSessionEvent", "UserLogoutSessionEvent",
		"AlreadyAuthenticatedSessionEvent", "InvalidLoginEvent":
		f.session(ev)
	case "GeneralHostWarningEvent", "GeneralHostInfoEvent", "GeneralHostErrorEvent":
		issue(f.text, ev)
		if !lostMessages(f.text, ev) {
			vsphere.Fallback(f.text, ev)
		}
	case "TaskEvent":
		vsphere.AddIf(ev, fieldTaskText, strings.TrimPrefix(f.text, "Task: "))
		vsphere.Fallback(f.text, ev)
	case "GeneralUserEvent":
		vsphere.AddIf(ev, fieldNote, note(f.text))
		vsphere.Fallback(f.text, ev)
	default:
		if strings.HasPrefix(f.name(), "Alarm") {
			alarm(f.text, ev)
			return
		}
		f.object(ev)
	}
}

// maxNote bounds what is kept of a note as a field, in bytes.
const maxNote = 512

// note is the first line of what a user or a product wrote into vCenter's log
// (EventManager.LogUserEvent): "User logged event: Source: Veeam Backup ...".
func note(text string) string {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "User logged event: "), "\n")
	return text[:min(len(text), maxNote)]
}

// issue: "Issue detected on HOST in DC: TEXT", "Error detected on HOST in DC:
// TEXT".
func issue(text string, ev *event.Event) {
	where, ok := vsphere.Between(text, " detected on ", ": ")
	if !ok {
		return
	}
	if host, dc, ok := strings.Cut(where, " in "); ok {
		ev.Resource = host
		vsphere.AddIf(ev, vsphere.FieldHost, host)
		vsphere.AddIf(ev, vsphere.FieldDatacenter, dc)
	}
}

// alarm: "Alarm 'A' on ENTITY triggered an action", "Alarm 'A' on ENTITY
// changed from Green to Red", "Alarm 'A': an SNMP trap for entity ENTITY was
// sent", "Manually cleared alarm 'A' on ENTITY from Red".
func alarm(text string, ev *event.Event) {
	_, rest, _ := strings.Cut(text, "'")
	name, rest, ok := strings.Cut(rest, "'")
	if !ok {
		return
	}
	ev.Add(fieldAlarm, name)
	entity := ""
	if on, ok := strings.CutPrefix(rest, " on "); ok {
		entity = cutAny(strings.TrimPrefix(on, "entity "), " triggered ", " changed ", " is ", " has ", " from ", " sent ", " cannot ", " ran ", " did ")
	} else if _, of, ok := strings.Cut(rest, " entity "); ok {
		entity = cutAny(of, " was ", " has ", " failed")
	}
	ev.Resource = entity
}

// cutAny gives s up to the first of the marks that it has.
func cutAny(s string, marks ...string) string {
	for _, mark := range marks {
		s, _, _ = strings.Cut(s, mark)
	}
	return s
}

func (f *forwarded) session(ev *event.Event) {
	status := event.StatusFailure
	activity := event.AuthLogon
	switch f.name() {
	case "UserLoginSessionEvent":
		status = event.StatusSuccess
	case "UserLogoutSessionEvent":
		status, activity = event.StatusSuccess, event.AuthLogoff
	}
	vsphere.Logon(ev, activity, status, ev.LogName)
	if _, who, ok := strings.Cut(f.text, "login "); ok {
		vsphere.SetUserAt(ev, who)
	}
}

// object finds the VM, and the host, in "... VM on HOST in DC ..." of the Vm
// types, and the host in the Host types: "Host esx01 in DC is connected".
func (f *forwarded) object(ev *event.Event) {
	if rest, ok := strings.CutPrefix(f.text, "Host "); ok && !f.general() {
		host, _ := vsphere.Word(rest)
		ev.Resource = host
		ev.Add(vsphere.FieldHost, host)
	}
	if !strings.HasPrefix(f.name(), "Vm") {
		vsphere.Fallback(f.text, ev)
		return
	}
	for _, opening := range [...]string{"Virtual machine ", "Migrating ", "Cloning ", "Relocating ", "Renamed ", "Migration of virtual machine "} {
		if rest, ok := strings.CutPrefix(f.text, opening); ok {
			vsphere.SetVM(ev, cutAny(rest, " on ", " from ", " to ", " in ", " has ", " is ", " off "))
			break
		}
	}
	vsphere.Fallback(f.text, ev)
}

// lostMessages: "vmsyslog logger 10.0.0.5:514 lost 12 log messages".
func lostMessages(text string, ev *event.Event) bool {
	_, rest, ok := strings.Cut(text, "vmsyslog logger ")
	if !ok {
		return false
	}
	target, rest := vsphere.Word(rest)
	if _, after, ok := strings.Cut(target, "://"); ok {
		target = after
	}
	vsphere.SetEndpoint(&ev.Dst, target)
	if n, ok := vsphere.Between(rest+" ", "lost ", " "); ok {
		vsphere.AddNumber(ev, fieldLost, n)
	}
	return true
}
