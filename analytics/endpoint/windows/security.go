package windows

import "github.com/vegress/vegress/event"

// security reads the records of Windows' own auditing
// (https://learn.microsoft.com/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/advanced-security-audit-policy-settings).
func (d *Decoder) security() {
	ev := &d.ev
	ev.User = d.subject()
	switch d.values[slotEventID] {
	case "4688":
		d.created()
	case "4689":
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessTerminate
		ev.Process = process(d.text(slotProcessName))
		ev.Process.PID = number(d.text(slotProcessID))
	case "5156":
		d.connection(event.NetworkOpen)
	case "5157":
		d.connection(event.NetworkRefuse)
	case "4624":
		d.logon(event.AuthLogon, event.StatusSuccess)
	case "4625":
		d.logon(event.AuthLogon, event.StatusFailure)
		ev.Severity = event.SeverityMedium
	case "4634", "4647":
		d.logon(event.AuthLogoff, event.StatusSuccess)
	}
}

func (d *Decoder) subject() event.User {
	return event.User{Name: d.text(slotSubjectUser), Domain: d.text(slotSubjectDomain), UID: d.text(slotSubjectSID)}
}

// nobody is the SID that stands for no account.
const nobody = "S-1-0-0"

// target is the account that an event is about; its name is empty where the
// record names none.
func (d *Decoder) target() event.User {
	u := event.User{Name: d.text(slotTargetUser), Domain: d.text(slotTargetDomain), UID: d.text(slotTargetSID)}
	if u.UID == nobody {
		u.UID = ""
	}
	return u
}

// created reads a new process. Its account is the creator's, unless it runs as
// another one.
func (d *Decoder) created() {
	ev := &d.ev
	ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	ev.Process = process(d.text(slotNewProcessName))
	ev.Process.PID = number(d.text(slotNewProcessID))
	ev.Process.CmdLine = d.text(slotCommandLine)
	d.parent = process(d.text(slotParentProcessName))
	d.parent.PID = number(d.text(slotProcessID))
	if d.parent != (event.Process{}) {
		ev.Process.Parent = &d.parent
	}
	ev.Session = d.text(slotSubjectLogon)
	if as := d.target(); as.Name != "" {
		ev.User, ev.Session = as, d.text(slotTargetLogon)
	}
}

// connection reads what the filtering platform allowed or blocked. The source
// is who opened the connection.
func (d *Decoder) connection(activity event.Activity) {
	ev := &d.ev
	ev.Class, ev.Activity = event.NetworkActivity, activity
	switch d.values[slotDirection] {
	case "%%14592", "Inbound":
		ev.Direction = event.DirectionInbound
	case "%%14593", "Outbound":
		ev.Direction = event.DirectionOutbound
	}
	if protocol := number(d.values[slotProtocol]); protocol < 256 {
		ev.Protocol = uint8(protocol)
	}
	ev.Src = event.Endpoint{IP: address(d.values[slotSourceAddress]), Port: port(d.values[slotSourcePort])}
	ev.Dst = event.Endpoint{IP: address(d.values[slotDestAddress]), Port: port(d.values[slotDestPort])}
	// Of an inbound connection, Microsoft's own example has this machine's end as
	// the source, and public records have the other: the service's port tells.
	if ev.Direction == event.DirectionInbound && (ev.Src.Port < ev.Dst.Port || ev.Src.IP.IsMulticast()) {
		ev.Src, ev.Dst = ev.Dst, ev.Src
	}
	ev.Process = process(d.text(slotApplication))
	ev.Process.PID = number(d.first(slotProcessIDFilter, slotProcessID))
	d.local()
}

func (d *Decoder) logon(activity event.Activity, status event.Status) {
	ev := &d.ev
	ev.Class, ev.Activity, ev.Status = event.Authentication, activity, status
	ev.User, ev.Session = d.target(), d.text(slotTargetLogon)
	ev.Src = event.Endpoint{IP: address(d.values[slotIPAddress]), Port: port(d.values[slotIPPort]), Hostname: d.text(slotWorkstation)}
	ev.Dst.Hostname = ev.Device.Hostname
	ev.Process = process(d.text(slotProcessName))
	ev.Process.PID = number(d.text(slotProcessID))
}
