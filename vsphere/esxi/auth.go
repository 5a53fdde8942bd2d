package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldAuthMethod = event.Intern("auth_method")
	fieldSSHKey     = event.Intern("ssh_key")
)

// auth recognizes logins outside the API: OpenSSH's sshd and dropbear, the
// direct console (DCUI), login, and the lines of PAM that all of them write.
// What logs a user in or refuses one is Authentication; the coming and going
// of a connection is SSH Activity.
func auth(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	if strings.Contains(text[:min(len(text), maxAuthPrefix)], ": ") {
		for i := range authPrefixes {
			text = strings.TrimPrefix(text, authPrefixes[i])
		}
	}
	if text == "" {
		return false
	}
	return logonText(text, ev) || connectionText(text, ev) || pamText(text, ev) ||
		consoleText(text, ev) || sessionText(text, ev) || suText(text, ev) || listening(text, ev) || forwarded(text, ev) ||
		vsphere.RecognizeEventText(text, ev)
}

// authPrefixes are levels, and functions of OpenSSH, in front of a text.
var authPrefixes = [...]string{
	"error: ", "fatal: ", "debug1: ", "info: ", "vmware-authd: ", "banner exchange: ", "ssh_dispatch_run_fatal: ",
	"packet_write_wait: ", "packet_write_poll: ", "ssh_packet_write_poll: ", "ssh_packet_write_wait: ", "ssh_packet_read: ",
	"kex_exchange_identification: ", "input_userauth_request: ",
}

// maxAuthPrefix is the length of the longest of them.
const maxAuthPrefix = len("kex_exchange_identification: ")

// loginService is what a login was to: "ssh", or the program's own name.
func loginService(ev *event.Event) string {
	switch ev.LogName {
	case "sshd", "dropbear", "sshd-session", "sshd-auth", "sftp-server", "internal-sftp":
		return "ssh"
	}
	return ev.LogName
}

// logonText: "Accepted METHOD for U from IP port P ssh2: KEY", "Failed METHOD
// for [invalid user ]U from IP port P ssh2", "Invalid user U from IP port P".
func logonText(s string, ev *event.Event) bool {
	verb, rest := vsphere.Word(s)
	status := event.StatusFailure
	switch verb {
	case "Accepted", "Postponed", "Partial":
		if verb == "Accepted" {
			status = event.StatusSuccess
		} else {
			status = event.StatusUnknown
		}
	case "Failed":
	case "Invalid", "Illegal":
		rest = strings.TrimPrefix(rest, "user ")
		return logonFrom("", rest, status, ev)
	case "invalid": // "invalid user U [preauth]"
		user, ok := strings.CutPrefix(rest, "user ")
		if ok {
			vsphere.Logon(ev, event.AuthLogon, status, loginService(ev))
			ev.User = vsphere.ParseUser(strings.TrimSuffix(user, " [preauth]"))
		}
		return ok
	case "PAM:": // "PAM: Authentication failure for U from IP"
		_, rest, ok := strings.Cut(rest, " for ")
		return ok && logonFrom("pam", rest, status, ev)
	case "User": // "User U from IP not allowed because not listed in AllowUsers"
		if i := strings.Index(rest, " not allowed because "); i >= 0 {
			return logonFrom("", rest[:i], status, ev)
		}
		return false
	case "maximum":
		_, rest, ok := strings.Cut(rest, "exceeded for ")
		return ok && logonFrom("", rest, status, ev)
	default:
		return false
	}
	method, who, ok := strings.Cut(rest, " for ")
	return ok && logonFrom(method, who, status, ev)
}

// logonFrom reads "[invalid user ]U from IP [port P] ...".
func logonFrom(method, who string, status event.Status, ev *event.Event) bool {
	who = strings.TrimPrefix(strings.TrimPrefix(who, "invalid user "), "illegal user ")
	i := strings.LastIndex(who, " from ")
	if i < 0 || !addressPort(who[i+len(" from "):], &ev.Src) {
		return false
	}
	vsphere.Logon(ev, event.AuthLogon, status, loginService(ev))
	ev.User = vsphere.ParseUser(who[:i])
	vsphere.AddIf(ev, fieldAuthMethod, method)
	if _, key, ok := strings.Cut(who[i:], "ssh2: "); ok {
		ev.Add(fieldSSHKey, key)
	}
	return true
}

// addressPort reads "IP port P ...", "IP:P" or "IP".
func addressPort(s string, ep *event.Endpoint) bool {
	where, rest := vsphere.Word(s)
	if where = strings.Trim(where, "<>,."); !strings.HasSuffix(where, "::") {
		where = strings.TrimRight(where, ":>")
	}
	if strings.HasPrefix(where, "[") && strings.HasSuffix(where, "]") {
		where = where[1 : len(where)-1]
	}
	var found event.Endpoint
	if !vsphere.SetEndpoint(&found, where) || !found.IP.IsValid() && rest != "" && !strings.HasPrefix(rest, "port ") {
		return false
	}
	if port, ok := strings.CutPrefix(rest, "port "); ok {
		port, _ = vsphere.Word(port)
		if i := strings.IndexAny(port, ":,."); i >= 0 {
			port = port[:i]
		}
		found.Port, _ = vsphere.ParsePort(port)
	}
	*ep = found
	return true
}

// connections are the openings of lines about a connection.
var connections = [...]struct {
	opening  string
	activity event.Activity
}{
	{"Connection from ", event.NetworkOpen},
	{"Child connection from ", event.NetworkOpen},
	{"Disconnected from ", event.NetworkClose},
	{"Connection closed by ", event.NetworkClose},
	{"Received disconnect from ", event.NetworkClose},
	{"Connection reset by ", event.NetworkReset},
	{"Disconnecting ", event.NetworkClose},
	{"Timeout, client not responding from ", event.NetworkClose},
	{"Starting session: ", event.NetworkOpen},
	{"Close session: ", event.NetworkClose},
	{"Unable to negotiate with ", event.NetworkFail},
	{"Did not receive identification string from ", event.NetworkFail},
	{"Bad protocol version identification ", event.NetworkFail},
	{"Address ", event.ActivityOther},
	{"reverse mapping checking getaddrinfo for ", event.ActivityOther},
	{"refused connect from ", event.NetworkRefuse},
	{"drop connection ", event.NetworkRefuse},
	{"Read error from remote host ", event.NetworkFail},
	{"Write failed: ", event.NetworkFail},
	{"Connection to ", event.NetworkClose}, // the client's: sshd opens none
	{"Closing connection to ", event.NetworkClose},
	{"Disconnect from ", event.NetworkClose},
	{"Exit before auth from ", event.NetworkClose},
	{"subsystem request for ", event.ActivityOther},
	{"Timeout before authentication for ", event.NetworkFail},
	{"Protocol major versions differ for ", event.NetworkFail},
	{"Connect from remote socket ", event.NetworkOpen},
	{"Connect from ", event.NetworkOpen},
	{"session opened for local user ", event.NetworkOpen},
	{"session closed for local user ", event.NetworkClose},
}

func connectionText(s string, ev *event.Event) bool {
	for i := range connections {
		c := &connections[i]
		if strings.HasPrefix(s, c.opening) {
			return connectionWith(s[len(c.opening):], c.activity, ev)
		}
	}
	return false
}

// connectionWith reads "[authenticating user U | invalid user U | user U ]IP
// port P [on IP port P] [preauth]", or words before " from IP port P".
func connectionWith(s string, activity event.Activity, ev *event.Event) bool {
	user, peer := connectionUser(strings.TrimPrefix(s, "connection from "))
	if _, who, ok := strings.Cut(s, " by user "); ok { // "sftp by user U"
		sshActivity(ev, activity)
		who, _ = vsphere.Word(who)
		ev.User = vsphere.ParseUser(who)
		return true
	}
	if !addressPort(strings.Trim(peer, "()."), &ev.Src) {
		if addr, ok := vsphere.Between(s, " [", "] failed"); ok && addressPort(addr, &ev.Src) {
			sshActivity(ev, activity)
			return true
		}
		i := strings.LastIndex(s, " from ")
		if i < 0 || !addressPort(s[i+len(" from "):], &ev.Src) {
			return false
		}
		if _, who, ok := strings.Cut(s[:i], " for "); ok {
			user = who
		} else if user == "" && strings.IndexByte(s[:i], ' ') < 0 && s[0] != '\'' && s[0] != '#' {
			user = s[:i]
		}
	}
	sshActivity(ev, activity)
	if user != "" {
		ev.User = vsphere.ParseUser(user)
	}
	_, local, ok := strings.Cut(s, " on ")
	if !ok {
		_, local, ok = strings.Cut(s, " to ")
	}
	var dst event.Endpoint
	if ok && addressPort(local, &dst) && dst.IP.IsValid() {
		ev.Dst = dst
	}
	return true
}

func connectionUser(s string) (user, peer string) {
	for _, p := range [...]string{"authenticating user ", "invalid user ", "user "} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			user, peer = vsphere.Word(rest)
			return user, strings.TrimPrefix(peer, "from ")
		}
	}
	return "", s
}

func sshActivity(ev *event.Event, activity event.Activity) {
	ev.Class, ev.Activity, ev.Service = event.SSHActivity, activity, "ssh"
	if service := loginService(ev); strings.HasPrefix(service, "vm") { // vmauthd: remote consoles
		ev.Class, ev.Service = event.NetworkActivity, service
	}
	ev.Protocol, ev.Direction = vsphere.ProtocolTCP, event.DirectionInbound
	dst := vsphere.DeviceEndpoint(ev)
	ev.Dst = dst
	if activity == event.NetworkFail || activity == event.NetworkRefuse {
		ev.Status = event.StatusFailure
	}
}

// pamText: "pam_unix(sshd:session): session opened for user root by (uid=0)",
// "pam_unix(sshd:auth): authentication failure; ... rhost=IP  user=root",
// "pam_per_user: create_subrequest_handle(): doing map lookup for user "root"".
func pamText(s string, ev *event.Event) bool {
	service := loginService(ev)
	if strings.HasPrefix(s, "PAM ") && strings.Contains(s, " more authentication failure") {
		return pamFailure(s, service, ev)
	}
	if !strings.HasPrefix(s, "pam_") {
		return false
	}
	if inner, ok := vsphere.Between(s[:min(len(s), 64)], "(", ":"); ok && strings.HasPrefix(s, "pam_unix(") {
		service = pamService(inner)
	}
	switch {
	case strings.Contains(s, "session opened for user "):
		return pamUser(s, "session opened for user ", service, event.AuthLogon, event.StatusSuccess, ev)
	case strings.Contains(s, "session closed for user "):
		return pamUser(s, "session closed for user ", service, event.AuthLogoff, event.StatusSuccess, ev)
	case strings.Contains(s, "authentication failure;"):
		return pamFailure(s, service, ev)
	case strings.Contains(s, `for user "`):
		return pamUser(s, "for user ", service, event.AuthLogon, event.StatusUnknown, ev)
	case strings.Contains(s, `(user="`):
		return pamUser(s, "(user=", service, event.AuthLogon, event.StatusUnknown, ev)
	case strings.Contains(s, "check pass; user unknown"):
		vsphere.Logon(ev, event.AuthLogon, event.StatusFailure, service)
		return true
	case strings.Contains(s, "[user:"):
		user, _ := vsphere.Between(s, "[user:", "]")
		status := event.StatusUnknown
		if strings.Contains(s, "denied") || strings.Contains(s, "ailed") {
			status = event.StatusFailure
		}
		vsphere.Logon(ev, event.AuthLogon, status, service)
		vsphere.SetUser(ev, user)
		return true
	case strings.Contains(s, ": user "):
		return pamUser(s, ": user ", service, event.AuthLogon, event.StatusFailure, ev)
	}
	return false
}

// pamService is what a login was to by the name of PAM's configuration.
func pamService(name string) string {
	if name == "sshd" || name == "dropbear" {
		return "ssh"
	}
	return strings.ToLower(name)
}

func pamUser(s, mark, service string, activity event.Activity, status event.Status, ev *event.Event) bool {
	_, name, _ := strings.Cut(s, mark)
	if i := strings.IndexAny(name, " ,("); i >= 0 {
		name = name[:i]
	}
	vsphere.Logon(ev, activity, status, service)
	ev.User = vsphere.ParseUser(name)
	return true
}

func pamFailure(s, service string, ev *event.Event) bool {
	vsphere.Logon(ev, event.AuthLogon, event.StatusFailure, service)
	if host, _ := vsphere.Word(after(s, "rhost=")); host != "" && !strings.Contains(host, "=") {
		vsphere.SetEndpoint(&ev.Src, host)
	}
	name, _ := vsphere.Word(after(s, " user="))
	ev.User = vsphere.ParseUser(name)
	return true
}

// consoleText: "Authentication of user root succeeded", "User root logged in",
// "root login on 'UNKNOWN'", "login from IP as NAME", "FAILED LOGIN ...".
func consoleText(s string, ev *event.Event) bool {
	service := loginService(ev)
	if rest, ok := strings.CutPrefix(s, "Authentication of user "); ok {
		user, outcome := vsphere.Word(rest)
		status := event.StatusFailure
		if strings.HasPrefix(outcome, "succe") {
			status = event.StatusSuccess
		}
		vsphere.Logon(ev, event.AuthLogon, status, service)
		ev.User = vsphere.ParseUser(user)
		return true
	}
	if rest, ok := strings.CutPrefix(s, "login from "); ok {
		where, user, ok := strings.Cut(rest, " as ")
		if ok && vsphere.SetEndpoint(&ev.Src, where) {
			vsphere.Logon(ev, event.AuthLogon, event.StatusSuccess, service)
			ev.User.Name = user
			return true
		}
	}
	if user, where, ok := strings.Cut(s, " login on "); ok && !strings.Contains(user, " ") {
		vsphere.Logon(ev, event.AuthLogon, event.StatusSuccess, service)
		ev.User = vsphere.ParseUser(user)
		vsphere.AddIf(ev, fieldTTY, vsphere.Unquote(where))
		return true
	}
	return ttyText(s, ev) || dropbearExit(s, ev) || dropbearText(s, ev)
}

// ttyText takes login's "ROOT LOGIN ON tty1 FROM IP", "LOGIN ON tty1 BY jane
// FROM IP" and sshd's "ROOT LOGIN REFUSED FROM IP port P".
func ttyText(s string, ev *event.Event) bool {
	rest, root := strings.CutPrefix(s, "ROOT ")
	rest, ok := strings.CutPrefix(rest, "LOGIN ")
	if !ok {
		return false
	}
	status := event.StatusSuccess
	if strings.HasPrefix(rest, "REFUSED") {
		status = event.StatusFailure
	}
	vsphere.Logon(ev, event.AuthLogon, status, loginService(ev))
	if tty, ok := strings.CutPrefix(rest, "ON "); ok {
		tty, _ = vsphere.Word(tty)
		vsphere.AddIf(ev, fieldTTY, tty)
	}
	if _, from, ok := strings.Cut(rest, "FROM "); ok {
		addressPort(from, &ev.Src)
	}
	if root {
		ev.User.Name = "root"
	} else {
		user, _ := vsphere.Word(after(rest, "BY "))
		ev.User = vsphere.ParseUser(user)
	}
	return true
}

// dropbearExit takes the ends of dropbear's sessions: "Exit (root) from
// <IP:P>: Disconnect received", "Exit before auth (user 'root', 3 fails): ...
// from IP:P".
func dropbearExit(s string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(s, "Exit ")
	if !ok {
		return false
	}
	rest, early := strings.CutPrefix(rest, "before auth ")
	who, rest, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
	if !ok {
		return false
	}
	user, _, _ := strings.Cut(strings.TrimPrefix(who, "user "), ",")
	if early {
		vsphere.Logon(ev, event.AuthLogon, event.StatusFailure, "ssh")
	} else {
		sshActivity(ev, event.NetworkClose)
	}
	ev.User = vsphere.ParseUser(user)
	if i := strings.LastIndex(rest, "from "); i >= 0 {
		addressPort(rest[i+len("from "):], &ev.Src)
	}
	return true
}

// dropbearText: "Password auth succeeded for 'root' from IP:P", "Bad password
// attempt for 'root' from IP:P", "Login attempt for nonexistent user from
// IP:P".
func dropbearText(s string, ev *event.Event) bool {
	status := event.StatusFailure
	switch {
	case strings.Contains(s, " auth succeeded for "):
		status = event.StatusSuccess
	case strings.HasPrefix(s, "Bad "), strings.HasPrefix(s, "bad "), strings.HasPrefix(s, "Login attempt for "), strings.HasPrefix(s, "login attempt for "):
	default:
		return false
	}
	_, who, ok := strings.Cut(s, " for ")
	if !ok {
		return false
	}
	user, where, ok := strings.Cut(who, " from ")
	if !ok || !addressPort(where, &ev.Src) {
		return false
	}
	vsphere.Logon(ev, event.AuthLogon, status, loginService(ev))
	user, key, _ := strings.Cut(user, " with key ")
	vsphere.AddIf(ev, fieldSSHKey, key)
	if user != "nonexistent user" {
		ev.User = vsphere.ParseUser(user)
	}
	return true
}

// suText: su's "(to root) jane on pts/0", "FAILED SU (to root) jane on pts/0",
// and login's "FAILED LOGIN (1) on '/dev/tty1' FOR 'root', ...".
func suText(s string, ev *event.Event) bool {
	status := event.StatusSuccess
	if rest, ok := strings.CutPrefix(s, "FAILED LOGIN "); ok {
		where, user, ok := strings.Cut(rest, " FOR ")
		if !ok {
			return false
		}
		user, _, _ = strings.Cut(user, ",")
		vsphere.Logon(ev, event.AuthLogon, event.StatusFailure, loginService(ev))
		ev.User = vsphere.ParseUser(user)
		if from := after(where, "FROM "); from != "" && from[0] != '(' {
			addressPort(from, &ev.Src)
		}
		return true
	}
	if rest, ok := strings.CutPrefix(s, "Successful su for "); ok {
		return substitute(rest, " by ", status, ev)
	}
	if rest, ok := strings.CutPrefix(s, "FAILED su for "); ok {
		return substitute(rest, " by ", event.StatusFailure, ev)
	}
	if ev.LogName == "su" && (strings.HasPrefix(s, "+ ") || strings.HasPrefix(s, "- ")) {
		return substituteShort(s, ev)
	}
	if rest, ok := strings.CutPrefix(s, "FAILED SU "); ok {
		s, status = rest, event.StatusFailure
	}
	target, ok := strings.CutPrefix(s, "(to ")
	if !ok {
		return false
	}
	target, who, ok := strings.Cut(target, ") ")
	who, _, _ = strings.Cut(who, " on ")
	if !ok || who == "" {
		return false
	}
	vsphere.Logon(ev, event.AuthLogon, status, "su")
	ev.User = vsphere.ParseUser(who)
	vsphere.AddIf(ev, vsphere.FieldRunAs, target)
	return true
}

// substitute reads "TARGET by NAME", whoever of su's authors wrote it.
func substitute(s, by string, status event.Status, ev *event.Event) bool {
	target, who, ok := strings.Cut(s, by)
	if !ok {
		return false
	}
	vsphere.Logon(ev, event.AuthLogon, status, "su")
	ev.User = vsphere.ParseUser(who)
	vsphere.AddIf(ev, vsphere.FieldRunAs, target)
	return true
}

// substituteShort reads su's "+ pts/0 jane:root"; "-" is a failure.
func substituteShort(s string, ev *event.Event) bool {
	tty, pair := vsphere.Word(s[1:])
	user, target, ok := strings.Cut(pair, ":")
	if !ok {
		return false
	}
	status := event.StatusSuccess
	if s[0] == '-' {
		status = event.StatusFailure
	}
	vsphere.Logon(ev, event.AuthLogon, status, "su")
	ev.User.Name = user
	vsphere.AddIf(ev, fieldTTY, tty)
	vsphere.AddIf(ev, vsphere.FieldRunAs, target)
	return true
}

// forwarded takes sshd's "connect_to HOST port P: failed.": a client's tunnel
// goes on from the host.
func forwarded(s string, ev *event.Event) bool {
	target, ok := strings.CutPrefix(s, "connect_to ")
	var dst event.Endpoint
	if !ok || !addressPort(target, &dst) {
		return false
	}
	ev.Class, ev.Activity, ev.Status = event.NetworkActivity, event.NetworkFail, event.StatusFailure
	ev.Src, ev.Dst = vsphere.DeviceEndpoint(ev), dst
	ev.Direction, ev.Protocol = event.DirectionOutbound, vsphere.ProtocolTCP
	return true
}

// sessionText: "User 'root' running command 'CMD'", "Session closed for
// 'root' on /dev/char/pty/t0".
func sessionText(s string, ev *event.Event) bool {
	if rest, ok := strings.CutPrefix(s, "User '"); ok {
		user, line, ok := strings.Cut(rest, "' running command '")
		if ok {
			vsphere.SetCommand(ev, strings.TrimSuffix(line, "'"))
			ev.User, ev.Process.PID = vsphere.ParseUser(user), 0
			return true
		}
	}
	rest, activity := s, event.NetworkClose
	switch {
	case strings.HasPrefix(s, "Session opened for '"):
		activity = event.NetworkOpen
	case strings.HasPrefix(s, "Session closed for '"):
	default:
		return false
	}
	user, rest, _ := strings.Cut(rest[len("Session opened for '"):], "'")
	sshActivity(ev, activity)
	ev.User = vsphere.ParseUser(user)
	vsphere.AddIf(ev, fieldTTY, strings.TrimPrefix(rest, " on "))
	return true
}
