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
	case 'A', 'U', 'C', 'F', 'S', 'P':
		if sessionText(text, ev) {
			return true
		}
	}
	return vmText(text, ev) || hostText(text, ev) || accountText(text, ev)
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
	if who, rest, ok := strings.Cut(s, " logged out"); ok {
		logon(ev, event.AuthLogoff, event.StatusSuccess)
		userWhere(who, ev)
		logoutDetails(rest, ev)
		return true
	}
	if who, rest, ok := strings.Cut(s, " logged in"); ok {
		logon(ev, event.AuthLogon, event.StatusSuccess)
		if from, ok := strings.CutPrefix(rest, " from "); ok {
			from, _ = Word(from)
			SetEndpoint(&ev.Src, strings.TrimRight(from, ".,;"))
			ev.User = ParseUser(who)
			return true
		}
		userWhere(who, ev)
		ev.HTTP.UserAgent, _ = strings.CutPrefix(rest, " as ")
		return true
	}
	return false
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
	if i := strings.LastIndex(who, " from "); i > 0 {
		where, _ := Word(who[i+len(" from "):])
		if a, ok := ParseAddr(strings.Trim(where, "[]'\".,")); ok {
			ev.Src.IP, ev.User = a, ParseUser(who[:i])
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
	ev.User = ParseUser(who)
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
	ev.User = ParseUser(who)
	where, _ := Word(rest)
	where, _, _ = strings.Cut(where, ",") // behind it, the proxies on the way
	SetEndpoint(&ev.Src, where)
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

// vmPhrase is how an event about a VM reads: prefix, the VM's place, suffix.
type vmPhrase struct {
	prefix, suffix string
	operation      string
	activity       event.Activity
}

var vmPhrases = [...]vmPhrase{
	{"", " is powered on", "VmPoweredOnEvent", event.APIUpdate},
	{"", " is powered off", "VmPoweredOffEvent", event.APIUpdate},
	{"", " is starting", "VmStartingEvent", event.APIUpdate},
	{"", " is stopping", "VmStoppingEvent", event.APIUpdate},
	{"", " is suspended", "VmSuspendedEvent", event.APIUpdate},
	{"", " is being suspended", "VmSuspendingEvent", event.APIUpdate},
	{"", " is resumed", "VmResumingEvent", event.APIUpdate},
	{"", " is resuming", "VmResumingEvent", event.APIUpdate},
	{"", " is reset", "VmResettingEvent", event.APIUpdate},
	{"Guest OS reboot for ", "", "VmGuestRebootEvent", event.APIUpdate},
	{"Guest OS shut down for ", "", "VmGuestShutdownEvent", event.APIUpdate},
	{"Guest OS shutdown for ", "", "VmGuestShutdownEvent", event.APIUpdate},
	{"Guest OS standby for ", "", "VmGuestStandbyEvent", event.APIUpdate},
	{"Created virtual machine ", "", "VmCreatedEvent", event.APICreate},
	{"Created ", "", "VmCreatedEvent", event.APICreate},
	{"Creating ", "", "VmBeingCreatedEvent", event.APICreate},
	{"Registered ", "", "VmRegisteredEvent", event.APICreate},
	{"Deployed ", "", "VmDeployedEvent", event.APICreate},
	{"Reconfigured ", "", "VmReconfiguredEvent", event.APIUpdate},
	{"Removed ", "", "VmRemovedEvent", event.APIDelete},
	{"Unregistered ", "", "VmRemovedEvent", event.APIDelete},
	{"Migrating ", "", "VmMigratingEvent", event.APIUpdate},
	{"Message on ", "", "VmMessageEvent", event.ActivityOther},
	{"A ticket for ", " has been acquired", "VmAcquiredTicketEvent", event.APICreate},
	{"Guest operation ", "", "GuestOperation", event.APIUpdate},
}

func vmText(text string, ev *event.Event) bool {
	text, _, _ = strings.Cut(text, "\n") // below stands what was changed
	text, _, _ = strings.Cut(text, ".  ")
	text = strings.TrimRight(text, " ")
	for i := range vmPhrases {
		p := &vmPhrases[i]
		trimmed := text
		if p.prefix == "" {
			trimmed = strings.TrimRight(text, ".")
		}
		if strings.HasPrefix(text, p.prefix) && strings.HasSuffix(trimmed, p.suffix) &&
			vmPlace(p, trimmed[len(p.prefix):len(trimmed)-len(p.suffix)], ev) {
			ev.Class, ev.Operation, ev.Activity = event.APIActivity, p.operation, p.activity
			ev.Service, ev.Status = ev.LogName, event.StatusSuccess
			return true
		}
	}
	return false
}

// vmPlace reads what each phrase has around the VM's name.
func vmPlace(p *vmPhrase, s string, ev *event.Event) bool {
	switch p.operation {
	case "GuestOperation": // "X performed on Virtual machine VM."
		what, vm, ok := strings.Cut(s, " performed on Virtual machine ")
		if ok {
			ev.Add(fieldGuestOp, what)
			SetVM(ev, strings.TrimSuffix(vm, "."))
		}
		return ok
	case "VmMessageEvent":
		s, _, _ = strings.Cut(s, ": ")
	case "VmAcquiredTicketEvent": // "VM of type MKS on HOST in DC"
		if i := strings.LastIndex(s, " of type "); i >= 0 {
			kind, place := Word(s[i+len(" of type "):])
			ev.Add(fieldTicketType, kind)
			SetVM(ev, s[:i])
			onHost(place, ev)
			return true
		}
	case "VmRemovedEvent":
		return vmOnHost(s, " from ", ev)
	}
	if p.prefix == "" {
		s = strings.TrimPrefix(s, "Virtual machine ")
	}
	return vmOnHost(strings.TrimRight(s, ".,"), " in ", ev)
}

// vmOnHost reads "VM on HOST in DC". Names may hold " on " and " in ": the
// last ones count.
func vmOnHost(s, in string, ev *event.Event) bool {
	i := strings.LastIndex(s, " on ")
	j := strings.LastIndex(s, in)
	if i <= 0 || j < i {
		return false
	}
	SetVM(ev, s[:i])
	AddIf(ev, FieldHost, strings.TrimSpace(s[i+len(" on "):j]))
	AddIf(ev, FieldDatacenter, s[j+len(in):])
	return true
}

// onHost reads "on HOST in DC".
func onHost(s string, ev *event.Event) {
	s, _ = strings.CutPrefix(s, "on ")
	host, dc, _ := strings.Cut(s, " in ")
	AddIf(ev, FieldHost, strings.TrimSpace(host))
	AddIf(ev, FieldDatacenter, dc)
}

// SetVM names the virtual machine that something was done to.
func SetVM(ev *event.Event, name string) {
	ev.Resource, ev.Dst.VMName = name, name
}

// hostPhrases are events about a host's own doors. Operations are the ids
// that vobd gives the same events.
var hostPhrases = [...]struct{ prefix, suffix, operation, resource string }{
	{"SSH for the host ", "has been enabled", "esx.audit.ssh.enabled", "SSH"},
	{"SSH for the host ", "has been disabled", "esx.audit.ssh.disabled", "SSH"},
	{"SSH access has been enabled", "", "esx.audit.ssh.enabled", "SSH"},
	{"SSH access has been disabled", "", "esx.audit.ssh.disabled", "SSH"},
	{"SSH login enabled", "", "esx.audit.ssh.enabled", "SSH"},
	{"SSH login disabled", "", "esx.audit.ssh.disabled", "SSH"},
	{"ESXi shell login enabled", "", "esx.audit.shell.enabled", "ESXi Shell"},
	{"ESXi shell login disabled", "", "esx.audit.shell.disabled", "ESXi Shell"},
	{"ESXi Shell for the host ", "has been enabled", "esx.audit.shell.enabled", "ESXi Shell"},
	{"ESXi Shell for the host ", "has been disabled", "esx.audit.shell.disabled", "ESXi Shell"},
	{"ESXi Shell has been enabled", "", "esx.audit.shell.enabled", "ESXi Shell"},
	{"ESXi Shell has been disabled", "", "esx.audit.shell.disabled", "ESXi Shell"},
	{"The ESXi command line shell has been enabled", "", "esx.audit.shell.enabled", "ESXi Shell"},
	{"The ESXi command line shell has been disabled", "", "esx.audit.shell.disabled", "ESXi Shell"},
}

func hostText(text string, ev *event.Event) bool {
	text = strings.TrimRight(text, ".")
	for i := range hostPhrases {
		p := &hostPhrases[i]
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

// accountPhrases are events about the accounts of a host and their rights; the
// account stands between prefix and suffix.
var accountPhrases = [...]struct {
	prefix, suffix, operation string
	activity                  event.Activity
}{
	{"Account ", " was created on host ", "AccountCreatedEvent", event.APICreate},
	{"Account ", " was removed on host ", "AccountRemovedEvent", event.APIDelete},
	{"Account ", " was updated on host ", "AccountUpdatedEvent", event.APIUpdate},
	{"Password was changed for account ", " on host ", "UserPasswordChanged", event.APIUpdate},
	{"Permission created for ", " on ", "PermissionAddedEvent", event.APICreate},
	{"Permission rule removed for ", " on ", "PermissionRemovedEvent", event.APIDelete},
	{"Permission changed for ", " on ", "PermissionUpdatedEvent", event.APIUpdate},
}

// accountText: "Account bob was created on host esx01".
func accountText(text string, ev *event.Event) bool {
	for i := range accountPhrases {
		p := &accountPhrases[i]
		rest, ok := strings.CutPrefix(text, p.prefix)
		if !ok {
			continue
		}
		name, _, ok := strings.Cut(rest, p.suffix)
		if !ok {
			continue
		}
		ev.Class, ev.Operation, ev.Activity = event.APIActivity, p.operation, p.activity
		ev.Resource, ev.Service, ev.Status = name, ev.LogName, event.StatusSuccess
		return true
	}
	return false
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
