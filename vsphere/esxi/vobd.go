package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldCorrelator = event.Intern("correlator")
	fieldVobID      = event.Intern("vob")
)

// vobd recognizes the VMkernel observations:
//
//	[netCorrelator] 73154456us: [esx.audit.net.firewall.config.changed] Firewall configuration has changed. ...
//
// ESX 4 repeats the time instead of the correlator and has no id; ESX 9 names
// the correlator in structured data and may write "The event ([id] text) ...".
// The ids are documented in VMware's list of VOBs (esx.audit, esx.problem,
// esx.clear) of each release.
func vobd(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	correlator, rest := inBrackets(text)
	if !strings.HasSuffix(correlator, "orrelator") {
		correlator, _ = vsphere.Between(m.Data, `threadName="`, `"`)
		rest = text
	}
	rest = strings.TrimPrefix(skipMicroseconds(rest), "The event (")
	id, message := inBrackets(rest)
	if !isVob(id) {
		id, message = "", rest
	}
	if id == "" && correlator == "" && rest == text {
		return false
	}
	vsphere.AddIf(ev, fieldCorrelator, correlator)
	vsphere.AddIf(ev, fieldVobID, id)
	ev.Message = message
	observation(id, message, ev)
	return true
}

// observation says what id and text mean.
func observation(id, text string, ev *event.Event) {
	switch {
	case strings.HasPrefix(id, "esx.problem."), strings.HasPrefix(id, "vob.") && strings.HasSuffix(id, "failed"):
		ev.Severity = max(ev.Severity, event.SeverityMedium)
	}
	known := lockout(id, text, ev) || loghost(id, text, ev) || nfsArguments(id, text, ev) || vsphere.RecognizeEventText(text, ev)
	switch {
	case known && ev.Class != event.APIActivity:
	case !known && fellBack(text, ev):
	case known || strings.HasPrefix(id, "esx.audit."):
		ev.Class, ev.Service = event.APIActivity, ev.LogName
		if ev.Activity == event.ActivityUnknown {
			ev.Activity = event.ActivityOther
		}
		if id != "" {
			ev.Operation = id
		}
	}
}

// fellBack says that the words of an observation made it a connection.
func fellBack(text string, ev *event.Event) bool {
	hardware(text, ev)
	vsphere.Fallback(text, ev)
	if ev.Class == event.BaseEvent && !ev.Src.IP.IsValid() {
		ev.Src.World = vsphere.WorldOf(text)
	}
	return ev.Class != event.BaseEvent
}

// lockout: "Remote access for ESXi local user account 'root' has been locked
// for 900 seconds after 5 failed login attempts."
func lockout(id, text string, ev *event.Event) bool {
	user, ok := vsphere.Between(text, "user account '", "'")
	if !ok || !strings.Contains(id, "account") && !strings.Contains(text, "locked") {
		return false
	}
	vsphere.Logon(ev, event.ActivityOther, event.StatusFailure, ev.LogName)
	ev.User = vsphere.ParseUser(user)
	return true
}

// loghost: "The host "10.0.0.5:514" has become unreachable. Remote logging to
// this host has stopped.": a blind spot.
func loghost(id, text string, ev *event.Event) bool {
	if !strings.Contains(id, "vmsyslogd.remote") {
		return false
	}
	target, ok := vsphere.Between(text, `"`, `"`)
	if !ok {
		_, target, _ = strings.Cut(text, "he host ")
		target, _ = vsphere.Word(target)
	}
	if _, rest, ok := strings.Cut(target, "://"); ok {
		target = rest
	}
	if !vsphere.SetEndpoint(&ev.Dst, target) {
		return false
	}
	ev.Class, ev.Activity, ev.Status = event.NetworkActivity, event.NetworkFail, event.StatusFailure
	ev.Src, ev.Direction = vsphere.DeviceEndpoint(ev), event.DirectionOutbound
	if strings.HasSuffix(id, "success") || strings.HasSuffix(id, "recovered") {
		ev.Activity, ev.Status = event.NetworkOpen, event.StatusSuccess
	}
	return true
}

// nfsArguments takes an NFS observation that is only its arguments:
// "[esx.problem.vmfs.nfs.server.disconnect] 10.0.0.9 /vol 1fe3-... ds1".
func nfsArguments(id, text string, ev *event.Event) bool {
	if !strings.Contains(id, ".nfs.") {
		return false
	}
	server, rest := vsphere.Word(text)
	var dst event.Endpoint
	if !strings.HasPrefix(rest, "/") || !vsphere.SetEndpoint(&dst, server) {
		return false
	}
	path, _ := vsphere.Word(rest)
	ev.Add(fieldMountPoint, path)
	ev.Class, ev.Activity = event.NetworkActivity, event.ActivityOther
	ev.Src, ev.Dst, ev.Direction = vsphere.DeviceEndpoint(ev), dst, event.DirectionOutbound
	switch {
	case strings.HasSuffix(id, "disconnect"):
		ev.Activity = event.NetworkClose
	case strings.HasSuffix(id, "restored"):
		ev.Activity, ev.Status = event.NetworkOpen, event.StatusSuccess
	case strings.Contains(id, "fail"), strings.Contains(id, "error"), strings.Contains(id, "denied"):
		ev.Activity, ev.Status = event.NetworkFail, event.StatusFailure
	}
	return true
}

// isVob: "esx.audit.x", "vob.net.x".
func isVob(id string) bool {
	return (strings.HasPrefix(id, "esx.") || strings.HasPrefix(id, "vob.")) && strings.IndexByte(id, ' ') < 0
}

// inBrackets cuts "[word]" off s.
func inBrackets(s string) (word, rest string) {
	if s == "" || s[0] != '[' {
		return "", s
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", s
	}
	return s[1:end], strings.TrimLeft(s[end+1:], " ")
}

// skipMicroseconds drops "73154456us: ", with the time that ESX 4 has before.
func skipMicroseconds(s string) string {
	i := strings.Index(s[:min(len(s), 64)], "us: ")
	if i <= 0 || s[i-1]-'0' > 9 {
		return s
	}
	return strings.TrimLeft(s[i+len("us: "):], " ")
}
