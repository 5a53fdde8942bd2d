package windows

import (
	"strings"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// sysmon makes the typed members of a record of Sysmon. GUIDs go without the
// braces that some shippers leave away.
func (d *Decoder) sysmon() {
	ev := &d.ev
	channel, host, at, severity := ev.LogName, ev.Device.Hostname, ev.Time, ev.Severity
	endpoint.Sysmon(ev, &d.parent)
	ev.LogName, ev.Device.Hostname, ev.Time, ev.Severity = channel, host, at, severity
	ev.Process.UID, d.parent.UID = guid(ev.Process.UID), guid(d.parent.UID)
	switch ev.Class {
	case event.NetworkActivity:
		d.local()
	case event.ProcessActivity:
		ev.Session = d.text(slotLogonID)
	}
}

// guid is a GUID without braces; empty for one of zeros, which says that there
// is none.
func guid(text string) string {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	if text == "00000000-0000-0000-0000-000000000000" {
		return ""
	}
	return text
}
