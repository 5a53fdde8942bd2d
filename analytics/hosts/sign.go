package hosts

import (
	"strconv"
	"strings"

	"github.com/vegress/vegress/event"
)

var (
	fieldVob       = event.Intern("vob")
	fieldLost      = event.Intern("lost_messages")
	fieldEventType = event.Intern("event_type")
	fieldHost      = event.Intern("host")
	fieldValue     = event.Intern("value")
	fieldOperation = event.Intern("firewall_operation")
)

// logHostOption is the advanced option that has a host's list of log hosts
// (ESXi syslog options, docs.vmware.com).
const logHostOption = "Syslog.global.logHost"

// signOf says what ev may be a sign of. It is quick for all others.
func signOf(ev *event.Event) SignKind {
	switch ev.Class {
	case event.NetworkActivity:
		return signOfLogHost(ev)
	case event.ProcessActivity:
		if ev.LogName == "shell" {
			return signOfCommand(ev.Process.CmdLine)
		}
	case event.APIActivity:
		return signOfCall(ev)
	case event.BaseEvent:
		if ev.LogName == "vmkernel" && strings.Contains(ev.Message, "Log request HWM") {
			return signLost
		}
	}
	return noSign
}

// signOfLogHost reads what vmsyslogd says of its log hosts, by its own lines
// and by vobd's.
func signOfLogHost(ev *event.Event) SignKind {
	switch ev.LogName {
	case "vobd":
		if id, _ := ev.Field(fieldVob); !strings.Contains(id.Value, "vmsyslogd.remote") {
			return noSign
		}
	case "vmsyslogd", "vmsyslog":
	default:
		return noSign
	}
	switch _, lost := ev.Field(fieldLost); {
	case lost:
		return signLost
	case ev.Status == event.StatusFailure:
		return signUnreachable
	}
	return noSign
}

// signOfCommand reads a command of the ESXi shell.
func signOfCommand(line string) SignKind {
	if !strings.Contains(line, "yslog") {
		return noSign
	}
	folded := strings.ToLower(line)
	switch has := func(part string) bool { return strings.Contains(folded, part) }; {
	case has("loghost") && (has("syslog config set") || has("settings advanced set") || has("updatevalues")):
		return signTargets
	case has("vmsyslogd") && (has("stop") || has("kill")):
		return signBlocked
	case has("firewall ruleset set") && (has("-r syslog") || has("-r=syslog") || has("ruleset-id syslog") || has("ruleset-id=syslog")) &&
		(has("-e false") || has("-e=false") || has("enabled false") || has("enabled=false") || has("-e 0") || has("-e=0")):
		return signBlocked
	}
	return noSign
}

// signOfCall reads what hostd, vobd and vCenter report as calls and events.
func signOfCall(ev *event.Event) SignKind {
	if ev.Device.Host != nil && ev.Device.Host.IsVCenter {
		return signOfVCenter(ev)
	}
	switch {
	case strings.EqualFold(ev.Resource, logHostOption):
		return signTargets
	case strings.EqualFold(ev.Resource, "syslog"):
		f, _ := ev.Field(fieldOperation)
		if op := strings.ToLower(f.Value); op == "disable" || op == "disableruleset" {
			return signBlocked
		}
	case ev.LogName == "vobd" && strings.HasPrefix(ev.Operation, "esx.audit.host.stop."):
		return signReboot
	}
	return noSign
}

// signOfVCenter reads the events of vCenter about its hosts (vSphere API, event
// types).
func signOfVCenter(ev *event.Event) SignKind {
	kind, ok := ev.Field(fieldEventType)
	if !ok {
		return noSign
	}
	switch kind.Value[strings.LastIndexByte(kind.Value, '.')+1:] {
	case "EnteringMaintenanceModeEvent", "EnteredMaintenanceModeEvent":
		return signMaintenance
	case "ExitMaintenanceModeEvent":
		return signMaintenanceEnd
	case "HostShutdownEvent", "EnteringStandbyModeEvent", "EnteredStandbyModeEvent", "DrsEnteredStandbyModeEvent":
		return signReboot
	case "HostDisconnectedEvent":
		return signDisconnected
	case "HostConnectedEvent", "HostReconnectedEvent":
		return signConnected
	}
	if _, lost := ev.Field(fieldLost); lost {
		return signLost
	}
	return noSign
}

// maxSignRaw bounds a record that is kept as a sign, in bytes. Longer ones are
// no line of what is read here.
const maxSignRaw = 16 << 10

// maxName bounds the name of a machine that vCenter reports of, in bytes; those
// that report themselves are bounded with their record's header.
const maxName = 255

// readSign makes the sign of that kind of ev, and false when ev says not enough.
func readSign(kind SignKind, ev *event.Event) (Sign, bool) {
	if len(ev.Raw) > maxSignRaw {
		return Sign{}, false
	}
	s := Sign{Kind: kind, Name: ev.Device.Hostname}
	if host := ev.Device.Host; host == nil || !host.IsVCenter {
		s.Key = keyOf(host, ev.Device.Hostname, "")
	} else if about, ok := ev.Field(fieldHost); ok && about.Value != "" {
		s.Name = about.Value[:min(len(about.Value), maxName)]
		s.Key = keyOf(nil, s.Name, "")
	} else {
		return Sign{}, false
	}
	switch kind {
	case signLost:
		if s.Lost = lost(ev); s.Lost <= 0 {
			return Sign{}, false
		}
	case signTargets:
		s.Targets = targetsOf(ev)
	}
	s.Event, s.Name = ev.Clone(), strings.Clone(s.Name)
	return s, true
}

// lost is how many messages ev says were lost: by vmsyslogd, or of the firewall
// log, "VSIP DFW: Log request HWM during 1800 sec period = 12000 LPS. Rate limit
// = 10000 LPS. Logged = 700000. Dropped = 1234."
func lost(ev *event.Event) int64 {
	text := ""
	if f, ok := ev.Field(fieldLost); ok {
		text = f.Value
	} else if _, rest, ok := strings.Cut(ev.Message, "Dropped = "); ok {
		text = rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// targetsOf is the list that was set: the value of the option, or what stands
// behind --loghost or -s in a command.
func targetsOf(ev *event.Event) []string {
	if f, ok := ev.Field(fieldValue); ok {
		return splitTargets(f.Value)
	}
	words := strings.Fields(strings.NewReplacer("=", " ", "'", "", `"`, "").Replace(ev.Process.CmdLine))
	for i, w := range words {
		switch strings.ToLower(w) {
		case "--loghost", "-s", "--string-value":
			if i+1 == len(words) || strings.HasPrefix(words[i+1], "-") {
				return []string{} // none: it sends nowhere
			}
			return splitTargets(words[i+1])
		}
	}
	return nil
}

// maxTargets bounds the log hosts of one machine, and maxTarget each of them,
// in bytes.
const (
	maxTargets = 32
	maxTarget  = 256
)

// splitTargets takes a list with commas apart. It is not nil.
func splitTargets(list string) []string {
	all := []string{}
	for one := range strings.SplitSeq(strings.Trim(list, `"' `), ",") {
		if one = strings.TrimSpace(one); one != "" && len(one) <= maxTarget && len(all) < maxTargets {
			all = append(all, strings.Clone(one))
		}
	}
	return all
}
