package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var fieldLost = event.Intern("lost_messages")

// NTP's port.
const portNTP = 123

// clock recognizes what ntpd and chronyd say of their servers: "synchronized
// to 10.0.0.2, stratum 2", "Selected source 10.0.0.2 (time.example.com)",
// "DNS time.example.com -> 10.0.0.2", "10.0.0.2 8011 81 mobilize assoc 4312".
// What they listen on is the host's own.
func clock(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	if listening(text, ev) {
		ev.Protocol = vsphere.ProtocolUDP
		return true
	}
	var server event.Endpoint
	if !timeServer(text, &server) {
		return false
	}
	if server.Port == 0 {
		server.Port = portNTP
	}
	ev.Class, ev.Activity, ev.Protocol = event.NetworkActivity, event.ActivityOther, vsphere.ProtocolUDP
	ev.Src, ev.Dst, ev.Direction = vsphere.DeviceEndpoint(ev), server, event.DirectionOutbound
	return true
}

// timeServer finds the server's address, and its name where that follows.
func timeServer(text string, server *event.Endpoint) bool {
	first, _ := vsphere.Word(text)
	if ip, ok := vsphere.ParseAddr(first); ok && !ip.IsUnspecified() {
		server.IP = ip
		return true
	}
	for _, mark := range [...]string{"ynchronized to time server ", "ynchronized to ", "elected source ", "pool server ", "server@", " -> ", "replaced with ", "peer ", "server ", "Source "} {
		before, rest, ok := strings.Cut(text, mark)
		where, rest := vsphere.Word(rest)
		var found event.Endpoint
		if !ok || !addressPort(where, &found) || !found.IP.IsValid() {
			continue
		}
		name, ok := strings.CutPrefix(rest, "(")
		name, _, _ = strings.Cut(name, ")")
		if mark == " -> " { // "DNS NAME -> ADDRESS"
			name, ok = strings.CutPrefix(before, "DNS ")
		}
		if _, address := vsphere.ParseAddr(name); ok && !address {
			found.Hostname = name
		}
		*server = found
		return true
	}
	return false
}

// maxWords bounds the words in which vmsyslogd's log host is looked for.
const maxWords = 16

// logHost recognizes what vmsyslogd says of a log host it cannot reach, a
// blind spot: "vmsyslog logger 10.0.0.5:514 lost 12 log messages",
// "vmsyslog.loggers.network : ERROR : 10.0.0.5:514 - write error, (12 messages
// lost)". Its own records name no other peer.
func logHost(m *syslog.Message, ev *event.Event) bool {
	var host event.Endpoint
	rest := m.Text
	for range maxWords {
		var w string
		if w, rest = vsphere.Word(rest); w == "" {
			return false
		}
		if url := vsphere.FindURL(w); url != "" {
			vsphere.SetURL(ev, &host, url)
			break
		}
		w = strings.Trim(w, "<>()[]'\",;:")
		if vsphere.SetEndpoint(&host, w) && (host.IP.IsValid() || host.Port != 0 && host.Hostname[0]|0x20 >= 'a') {
			break
		}
		host = event.Endpoint{}
	}
	if host.IsZero() {
		return false
	}
	ev.Class, ev.Activity, ev.Status = event.NetworkActivity, event.NetworkFail, event.StatusFailure
	ev.Src, ev.Dst, ev.Direction = vsphere.DeviceEndpoint(ev), host, event.DirectionOutbound
	if strings.Contains(m.Text, "onnected") || strings.Contains(m.Text, "estored") {
		ev.Activity, ev.Status = event.NetworkOpen, event.StatusSuccess
	}
	lost, _ := vsphere.Word(after(m.Text, "lost "))
	if before, _, ok := strings.Cut(m.Text, " messages lost"); ok {
		lost = before[strings.LastIndexAny(before, " (")+1:]
	}
	if _, number := vsphere.ParseUint(lost); number {
		vsphere.AddNumber(ev, fieldLost, lost)
	}
	return true
}

// audit recognizes the appliance's Linux audit records of logins:
//
//	type=USER_LOGIN msg=audit(1709.1:12): ... msg='op=login acct="root" exe="/usr/sbin/sshd" addr=10.0.0.5 terminal=ssh res=success'
func audit(m *syslog.Message, ev *event.Event) bool {
	kind, _ := vsphere.Word(after(m.Text, "type="))
	activity := event.AuthLogon
	switch kind {
	case "USER_LOGIN", "USER_AUTH", "USER_START", "USER_ERR":
	case "USER_LOGOUT", "USER_END":
		activity = event.AuthLogoff
	default:
		return false
	}
	value := func(key string) string {
		v, _ := vsphere.Word(after(m.Text, key))
		return strings.Trim(v, `'"?`)
	}
	status := event.StatusUnknown
	switch value(" res=") {
	case "success", "1", "yes":
		status = event.StatusSuccess
	case "failed", "0", "no":
		status = event.StatusFailure
	}
	exe := value(" exe=")
	vsphere.Logon(ev, activity, status, pamService(exe[strings.LastIndexByte(exe, '/')+1:]))
	vsphere.SetUser(ev, value(" acct="))
	if addr, ok := vsphere.ParseAddr(value(" addr=")); ok {
		ev.Src.IP = addr
	}
	vsphere.AddIf(ev, fieldTTY, value(" terminal="))
	return true
}

// listening: "Listen normally on 2 vmk0 10.0.0.7:123", "Server listening on
// 0.0.0.0 port 22.".
func listening(text string, ev *event.Event) bool {
	if !strings.HasPrefix(text, "Listen ") && !strings.HasPrefix(text, "Server listening on ") {
		return false
	}
	_, rest, ok := strings.Cut(text, " on ")
	if !ok {
		return false
	}
	var own event.Endpoint
	for range maxPrefixWords {
		if addressPort(strings.TrimRight(rest, "."), &own) && own.Port != 0 {
			ev.Class, ev.Activity, ev.Dst = event.NetworkActivity, event.NetworkListen, own
			ev.Dst.Hostname = ev.Device.Hostname
			return true
		}
		_, rest = vsphere.Word(rest)
	}
	return false
}

// maxPrefixWords bounds the words before the address that is listened on.
const maxPrefixWords = 3

// snmp recognizes who asks the SNMP agent: "Connection from UDP:
// [10.0.0.5]:40000->[10.0.0.7]:161".
func snmp(m *syslog.Message, ev *event.Event) bool {
	_, pair, ok := strings.Cut(m.Text, "from UDP: ")
	if !ok {
		return false
	}
	client, server, arrow := strings.Cut(pair, "->")
	if !bracketedEndpoint(&ev.Src, client) {
		return false
	}
	if server, _ = vsphere.Word(server); !arrow || !bracketedEndpoint(&ev.Dst, server) {
		ev.Dst = vsphere.DeviceEndpoint(ev)
	}
	ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.NetworkOpen, event.DirectionInbound
	ev.Protocol = vsphere.ProtocolUDP
	return true
}

// netfilter recognizes the packet log of the appliance's Linux kernel:
// "IN=eth0 OUT= ... SRC=10.0.0.5 DST=10.0.0.9 LEN=60 ... PROTO=TCP SPT=50111
// DPT=22".
func netfilter(m *syslog.Message, ev *event.Event) bool {
	value := func(key string) string {
		v, _ := vsphere.Word(after(m.Text, key))
		return v
	}
	var ok bool
	if ev.Src.IP, ok = vsphere.ParseAddr(value(" SRC=")); !ok {
		return false
	}
	ev.Dst.IP, _ = vsphere.ParseAddr(value(" DST="))
	ev.Src.Port, _ = vsphere.ParsePort(value(" SPT="))
	ev.Dst.Port, _ = vsphere.ParsePort(value(" DPT="))
	ev.Protocol = protocol(value(" PROTO="), "")
	ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.ActivityOther, event.DirectionInbound
	if in, _, _ := strings.Cut(after(m.Text, "IN="), " "); in == "" {
		ev.Direction = event.DirectionOutbound
	}
	return true
}

// bracketedEndpoint reads "[address]:port"; net-snmp puts IPv4 in brackets too.
func bracketedEndpoint(ep *event.Endpoint, s string) bool {
	addr, port, ok := strings.Cut(strings.TrimSpace(s), "]:")
	if !ok {
		return false
	}
	ip, ok := vsphere.ParseAddr(strings.TrimPrefix(addr, "["))
	port, _ = vsphere.Word(port)
	p, number := vsphere.ParsePort(port)
	if ok && number {
		ep.IP, ep.Port = ip, p
	}
	return ok && number
}
