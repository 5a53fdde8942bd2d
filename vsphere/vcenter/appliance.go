package vcenter

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldAuthMethod = event.Intern("auth_method")
	fieldServiceOf  = event.Intern("unit")
)

// appliance recognizes the services of the vCenter appliance:
//
//	<vpxd-healthcmd> Constructed command: /usr/bin/python ...          vmon
//	2021-09-06T14:40:05.753: INFO AuthorizationResponse = { ... }      applmgmt-audit
//	t@140161560082176: VMCACheckAccessKrb: Authenticated user u@dom    vmcad
//	[2376]DEBUG:vmware.vherd.base.detwist:method = com.vmware.x.list, args = ()
func appliance(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	return monitor(text, ev) || authorization(text, ev) || authenticated(text, ev) || bind(text, ev) || detwist(text, ev)
}

func monitor(text string, ev *event.Event) bool {
	unit := ""
	if strings.HasPrefix(text, "<") {
		var ok bool
		if unit, text, ok = strings.Cut(text[1:], "> "); !ok {
			return false
		}
	}
	if !vsphere.RecognizeCommand(text, ev) {
		return false
	}
	ev.Message = ""
	vsphere.AddIf(ev, fieldServiceOf, unit)
	return true
}

// maxFacts bounds what is read between the braces.
const maxFacts = 512

// authorization reads "AuthorizationRequest = { user=u, ... }" and
// "AuthorizationResponse = { authorized=True, method=LOCAL }".
func authorization(text string, ev *event.Event) bool {
	i := strings.Index(text, "Authorization")
	if i < 0 {
		return false
	}
	name, _ := vsphere.Word(text[i:])
	facts, ok := vsphere.Between(text[i:], "{", "}")
	if !ok {
		return false
	}
	ev.Class, ev.Activity, ev.Service = event.APIActivity, event.ActivityOther, ev.LogName
	ev.Operation, ev.Message = name, text[i:]
	for fact := range strings.SplitSeq(facts[:min(len(facts), maxFacts)], ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(fact), "=")
		authorizationFact(key, vsphere.Unquote(value), ev)
	}
	return true
}

func authorizationFact(key, value string, ev *event.Event) {
	switch key {
	case "authorized":
		ev.Status = event.StatusFailure
		if strings.EqualFold(value, "true") {
			ev.Status = event.StatusSuccess
		}
	case "method":
		vsphere.AddIf(ev, fieldAuthMethod, value)
	case "user", "username", "principal":
		vsphere.SetUser(ev, value)
	case "operation", "api":
		ev.Operation = value
	case "ip", "remote", "client":
		vsphere.SetEndpoint(&ev.Src, value)
	}
}

// authenticated: "VMCACheckAccessKrb: Authenticated user u@dom".
func authenticated(text string, ev *event.Event) bool {
	_, user, ok := strings.Cut(text, "uthenticated user ")
	if !ok {
		return false
	}
	user, _ = vsphere.Word(user)
	vsphere.Logon(ev, event.AuthLogon, event.StatusSuccess, ev.LogName)
	vsphere.SetUser(ev, user)
	return true
}

// bind: vmdird's "Bind Request Failed (10.0.0.5) error 49: Protocol version: 3,
// Bind DN: "cn=bob,dc=x", Method: SASL".
func bind(text string, ev *event.Event) bool {
	_, rest, ok := strings.Cut(text, "Bind Request Failed (")
	if !ok {
		return false
	}
	client, rest, _ := strings.Cut(rest, ")")
	vsphere.Logon(ev, event.AuthLogon, event.StatusFailure, "ldap")
	vsphere.SetEndpoint(&ev.Src, client)
	if dn, ok := vsphere.Between(rest, `Bind DN: "`, `"`); ok {
		name, _, _ := strings.Cut(dn, ",")
		_, ev.User.Name, _ = strings.Cut(name, "=")
	}
	reason, _, _ := strings.Cut(rest, ":")
	vsphere.AddIf(ev, vsphere.FieldError, strings.TrimSpace(reason))
	return true
}

// detwist: the appliance's API logs each method.
func detwist(text string, ev *event.Event) bool {
	_, rest, ok := strings.Cut(text, "method = ")
	if !ok || !strings.Contains(text, "DEBUG:") && !strings.Contains(text, "INFO:") {
		return false
	}
	method, _, _ := strings.Cut(rest, ",")
	ev.Class, ev.Service = event.APIActivity, ev.LogName
	vsphere.SetMethod(ev, method)
	return true
}
