package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldComponent = event.Intern("component")
	fieldNSXError  = event.Intern("nsx_error")
)

// nsx recognizes NSX components, whose structured data is [nsx@6876
// comp="nsx-edge" subcomp="..." level="INFO" ...]; the gateway firewall's
// packets are among them.
func nsx(m *syslog.Message, ev *event.Event) bool {
	if i := strings.Index(m.Text, "[nsx@"); m.Data == "" && i > 0 && i < maxPrefix {
		inner := *m // behind a tag stands NSX's own header: "NSX 2101378 - [nsx@6876 ...]"
		inner.Text = m.Text[i:]
		m = &inner
	}
	b, ok := vsphere.ParseBody(m)
	if !ok {
		return firewall(m, ev)
	}
	element := m.Data
	if element == "" {
		element = m.Text
	}
	if strings.Contains(b.Text, "INET") {
		packet := *m
		packet.Text = b.Text
		if firewall(&packet, ev) {
			return true
		}
	}
	b.Describe(ev)
	if comp, ok := sdValue(element, "comp"); ok {
		ev.Add(fieldComponent, comp)
	}
	if code, ok := sdValue(element, "errorCode"); ok {
		ev.Add(fieldNSXError, code)
	}
	if !nsxAudit(b.Text, ev) {
		vsphere.Fallback(b.Text, ev)
	}
	return true
}

// nsxAudit takes the manager's audit records: UserName="admin@10.0.0.5",
// ModuleName="AccessControl", Operation="LOGIN", Operation status="success";
// older managers write UserName:'admin', and so on.
func nsxAudit(text string, ev *event.Event) bool {
	operation, ok := auditValue(text, "Operation")
	if !ok {
		return false
	}
	outcome, _ := auditValue(text, "Operation status")
	status := event.StatusUnknown
	switch outcome {
	case "success":
		status = event.StatusSuccess
	case "failure":
		status = event.StatusFailure
	}
	vsphere.Fallback(text, ev)
	if user, ok := auditValue(text, "UserName"); ok && ev.User.Name == "" {
		vsphere.SetUser(ev, user)
	}
	switch {
	case strings.EqualFold(operation, "LOGIN"):
		vsphere.Logon(ev, event.AuthLogon, status, ev.LogName)
	case strings.EqualFold(operation, "LOGOUT"):
		vsphere.Logon(ev, event.AuthLogoff, status, ev.LogName)
	default:
		vsphere.SetMethod(ev, operation)
		ev.Class, ev.Service, ev.Status = event.APIActivity, ev.LogName, status
		ev.Resource, _ = auditValue(text, "ModuleName")
	}
	return true
}

// auditValue reads key="value" and key:'value'.
func auditValue(text, key string) (string, bool) {
	if value, ok := vsphere.Between(text, key+`="`, `"`); ok {
		return value, true
	}
	return vsphere.Between(text, key+`:'`, `'`)
}
