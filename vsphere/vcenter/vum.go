package vcenter

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// updateManager recognizes the older form of Update Manager's lines, which
// opens with a time of its own, or with a bracket around all of it:
//
//	2021-09-06T14:40:25:001Z 'Activation' 140154046465792 INFO  [activationValidator, 368] text
func updateManager(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " [")
	if !strings.HasPrefix(text, "'") {
		_, text = vsphere.Word(text) // its own time
	}
	category, rest, ok := strings.Cut(strings.TrimPrefix(text, "'"), "' ")
	if !ok || !strings.HasPrefix(text, "'") {
		return false
	}
	_, rest = vsphere.Word(rest) // the thread
	level, rest := vsphere.Word(rest)
	level = strings.TrimRight(level, "]")
	severity := javaSeverity(level)
	if severity == event.SeverityUnknown {
		return false
	}
	rest = strings.TrimLeft(rest, " ")
	if strings.HasPrefix(rest, "[") {
		_, rest, _ = strings.Cut(rest, "] ")
	}
	ev.Add(vsphere.FieldModule, category)
	ev.Severity, ev.Message = severity, rest
	if !manager(rest, ev) {
		vsphere.Fallback(rest, ev)
	}
	return true
}

// manager takes the downloads of Update Manager and Lifecycle Manager: a URL
// is where vCenter fetches from.
func manager(text string, ev *event.Event) bool {
	url := vsphere.FindURL(text)
	if url == "" || !strings.Contains(text, "ownload") && !strings.Contains(text, "etch") && !strings.Contains(text, "depot") {
		return false
	}
	vsphere.SetDownload(ev, url)
	if strings.Contains(text, "ailed") || strings.Contains(text, "rror") {
		ev.Status = event.StatusFailure
	}
	return true
}
