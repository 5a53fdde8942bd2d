package vsphere

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// RecognizeEventText takes the text of a vSphere event, as hostd writes it
// behind "Event N :", vpxd forwards it, and vobd repeats it. It fills class,
// user, client, VM and operation, and reports false when it does not know the
// text. Operations are named after the event types of the vSphere API
// (VmPoweredOnEvent ...), whoever writes them.
func RecognizeEventText(text string, ev *event.Event) bool {
	text = strings.TrimSpace(text)
	if text == "" {
		return false
	}
	switch text[0] {
	case 'A', 'U', 'C', 'F', 'S', 'P', 'R':
		if sessionText(text, ev) {
			return true
		}
	}
	return doorText(text, ev) || catalogue.recognize(text, ev)
}

func sessionText(text string, ev *event.Event) bool {
	switch {
	case strings.HasPrefix(text, "User "):
		return userText(text[len("User "):], ev)
	case strings.HasPrefix(text, "Authentication of DCUI user "):
		return consoleLogon(text[len("Authentication of DCUI user "):], ev)
	case strings.HasPrefix(text, "Cannot login "):
		return failedLogon(text[len("Cannot login "):], ev)
	case strings.HasPrefix(text, "Failed login attempt for "):
		return failedLogon(text[len("Failed login attempt for "):], ev)
	case strings.HasPrefix(text, "Failed login "):
		return ssoText(text[len("Failed login "):], event.StatusFailure, ev)
	case strings.HasPrefix(text, "Successful login "):
		return ssoText(text[len("Successful login "):], event.StatusSuccess, ev)
	case strings.HasPrefix(text, "SSH session was "):
		return sshText(text[len("SSH session was "):], ev)
	case strings.HasPrefix(text, "Remote access for ESXi local user account '"):
		return lockedOut(text[len("Remote access for ESXi local user account '"):], ev)
	case strings.HasPrefix(text, "SSH login has failed for "):
		ok := failedLogon(text[len("SSH login has failed for "):], ev)
		ev.Service = "ssh"
		return ok
	}
	return false
}

// userText: "U@IP logged in as AGENT", "U@IP logged out (login time: T,
// number of API invocations: N, user agent: A)", "U IP logged in".
func userText(s string, ev *event.Event) bool {
	who, rest, ok := strings.Cut(s, " logged ")
	if !ok {
		return false
	}
	verb, rest := Word(rest)
	switch strings.TrimRight(verb, ".,;") {
	case "out":
		logon(ev, event.AuthLogoff, event.StatusSuccess)
		userWhere(who, ev)
		logoutDetails(rest, ev)
	case "in":
		logon(ev, event.AuthLogon, event.StatusSuccess)
		userLogon(who, rest, ev)
	default:
		return false
	}
	return true
}

// userLogon reads what stands around "logged in": "U@IP" and "as AGENT", "U"
// and "from IP".
func userLogon(who, rest string, ev *event.Event) {
	switch word, after := Word(rest); word {
	case "from":
		from, _ := Word(after)
		SetEndpoint(&ev.Src, strings.TrimRight(from, ".,;"))
		SetUser(ev, who)
	case "as":
		userWhere(who, ev)
		ev.HTTP.UserAgent = after
	default:
		userWhere(who, ev)
	}
}

// lockedOut: "root' has been locked for 900 seconds after 5 failed login
// attempts".
func lockedOut(s string, ev *event.Event) bool {
	user, outcome, ok := strings.Cut(s, "'")
	if !ok || !strings.HasPrefix(outcome, " has been locked") {
		return false
	}
	logon(ev, event.ActivityOther, event.StatusFailure)
	SetUser(ev, user)
	return true
}

// consoleLogon: "U has failed", "U has succeeded".
func consoleLogon(s string, ev *event.Event) bool {
	user, outcome := Word(s)
	status := event.StatusFailure
	if strings.Contains(outcome, "succeeded") {
		status = event.StatusSuccess
	}
	Logon(ev, event.AuthLogon, status, "dcui")
	ev.User = ParseUser(user)
	return true
}

func logoutDetails(s string, ev *event.Event) {
	if t, ok := Between(s, "login time: ", ", number of"); ok {
		AddIf(ev, fieldLoginTime, t)
	}
	if n, ok := Between(s, "API invocations: ", ","); ok {
		AddNumber(ev, fieldAPICalls, n)
	}
	if _, agent, ok := strings.Cut(s, "user agent: "); ok {
		ev.HTTP.UserAgent = strings.TrimSuffix(agent, ")")
	}
}

// userWhere reads "user@address", "user from address", "user address" (ESX 4),
// or a user alone.
func userWhere(who string, ev *event.Event) {
	if names, ok := Between(who, "{Name: ", "}"); ok { // single sign-on
		ev.User.Name, ev.User.Domain, _ = strings.Cut(names, ", Domain: ")
		return
	}
	if i := strings.LastIndex(who, " from "); i > 0 {
		where, _ := Word(who[i+len(" from "):])
		if a, ok := ParseAddr(strings.Trim(where, "[]'\".,")); ok {
			ev.Src.IP = a
			SetUser(ev, who[:i])
			return
		}
	}
	if SetUserAt(ev, who) {
		return
	}
	name, where := Word(who)
	if where != "" {
		if a, ok := ParseAddr(where); ok {
			ev.Src.IP, who = a, name
		}
	}
	SetUser(ev, who)
}

func failedLogon(who string, ev *event.Event) bool {
	logon(ev, event.AuthLogon, event.StatusFailure)
	who, reason, _ := strings.Cut(strings.TrimPrefix(who, "user "), ": ")
	AddIf(ev, FieldError, reason)
	userWhere(strings.TrimRight(who, "."), ev)
	return true
}

// ssoText: "USER from IP at TIME in SSO".
func ssoText(s string, status event.Status, ev *event.Event) bool {
	who, rest, ok := strings.Cut(s, " from ")
	if !ok {
		return false
	}
	logon(ev, event.AuthLogon, status)
	SetUser(ev, who)
	where, _ := Word(rest)
	where, _, _ = strings.Cut(where, ",")
	SetEndpoint(&ev.Src, where)
	mentions(rest, ev) // the proxies on the way
	return true
}

// sshText: "opened for 'root@1.2.3.4'.", "closed for root@1.2.3.4.".
func sshText(s string, ev *event.Event) bool {
	verb, who, ok := strings.Cut(s, " for ")
	if !ok {
		return false
	}
	ev.Class, ev.Service, ev.Protocol = event.SSHActivity, "ssh", ProtocolTCP
	ev.Status, ev.Direction, ev.Dst = event.StatusSuccess, event.DirectionInbound, DeviceEndpoint(ev)
	ev.Activity = event.NetworkOpen
	if verb == "closed" {
		ev.Activity = event.NetworkClose
	}
	userWhere(strings.TrimRight(who, "."), ev)
	return true
}

// Logon makes ev a logon to, or a logoff from, service on the device.
func Logon(ev *event.Event, activity event.Activity, status event.Status, service string) {
	ev.Class, ev.Activity, ev.Status = event.Authentication, activity, status
	ev.Direction, ev.Dst, ev.Service = event.DirectionInbound, DeviceEndpoint(ev), service
	ev.Severity = event.SeverityInformational // DCUI logs a success as an emergency
	if status == event.StatusFailure {
		ev.Severity = event.SeverityMedium
	}
}

func logon(ev *event.Event, activity event.Activity, status event.Status) {
	Logon(ev, activity, status, ev.LogName)
}

// SetVM names the virtual machine that something was done to.
func SetVM(ev *event.Event, name string) {
	ev.Resource, ev.Dst.VMName = name, name
}

func doorText(text string, ev *event.Event) bool {
	text = strings.TrimRight(text, ".")
	for i := range doors {
		p := &doors[i]
		if strings.HasPrefix(text, p.prefix) && strings.HasSuffix(text, p.suffix) {
			ev.Class, ev.Activity, ev.Status = event.APIActivity, event.APIUpdate, event.StatusSuccess
			ev.Operation, ev.Resource, ev.Service = p.operation, p.resource, ev.LogName
			host := text[len(p.prefix) : len(text)-len(p.suffix)]
			AddIf(ev, FieldHost, strings.TrimSpace(host))
			return true
		}
	}
	return firewallText(text, ev)
}

var fieldFirewallOp = event.Intern("firewall_operation")

// firewallText: "Firewall configuration has changed. Operation 'add' for rule
// set webAccess succeeded". Opening the rule set httpClient is what lets a
// host's own programs out.
func firewallText(text string, ev *event.Event) bool {
	if !strings.HasPrefix(text, "Firewall configuration ") {
		return false
	}
	ev.Class, ev.Activity, ev.Service = event.APIActivity, event.APIUpdate, ev.LogName
	ev.Operation = "esx.audit.net.firewall.config.changed"
	if op, ok := Between(text, "Operation '", "'"); ok {
		ev.Add(fieldFirewallOp, op)
	}
	if _, rest, ok := strings.Cut(text, " for rule set "); ok {
		var outcome string
		ev.Resource, outcome = Word(rest)
		ev.Status = event.StatusFailure
		if strings.HasPrefix(outcome, "succeeded") {
			ev.Status = event.StatusSuccess
		}
	}
	return true
}
