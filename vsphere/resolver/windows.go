package resolver

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// windowsDNS recognizes the two logs of the DNS server of Windows, as an agent
// (NXLog, Winlogbeat and their like) sends their lines: the debug log, and the
// analytic events of Microsoft-Windows-DNSServer.
func windowsDNS(m *syslog.Message, ev *event.Event) bool {
	return windowsDebug(m.Text, ev) || windowsAnalytic(m.Text, ev)
}

// windowsDebug reads a line of the debug log, whose key the file itself has at
// its top. Between date and name stand the thread, the packet's id, the
// transport, the direction, the other end, the transaction, R for a response,
// the operation, flags and code, and the type:
//
//	6/5/2026 10:00:32 AM 0E70 PACKET  00000000033397A0 UDP Rcv 10.0.1.15       5b47   Q [0001   D   NOERROR] A      (3)www(7)example(3)com(0)
//	6/5/2026 10:00:32 AM 0E70 PACKET  00000000033397A0 UDP Snd 10.0.1.15       5b47 R Q [8081   DR  NOERROR] A      (3)www(7)example(3)com(0)
//
// A question that is received, and an answer that is sent, are the client's;
// the other two are the server's own with whom it asks. The line has no
// addresses of the answer.
func windowsDebug(text string, ev *event.Event) bool {
	_, rest, ok := strings.Cut(text, "PACKET ")
	if !ok {
		return false
	}
	var p debugPacket
	if !p.parse(rest) {
		return false
	}
	other, ok := vsphere.ParseAddr(p.remote)
	name, okName := pascalName(p.name)
	if !ok || !okName || !isType(p.kind) {
		return false
	}
	question(ev, event.Endpoint{IP: other}, name, p.kind)
	if p.received == p.response { // with the server that it asks
		server := ev.Dst
		server.Port = 0
		ev.Src, ev.Dst = server, event.Endpoint{IP: other, Port: 53}
	}
	if p.response {
		answered(ev, p.rcode)
	}
	setTransport(ev, p.transport == "TCP")
	return true
}

func setTransport(ev *event.Event, tcp bool) {
	ev.Protocol = vsphere.ProtocolUDP
	if tcp {
		ev.Protocol = vsphere.ProtocolTCP
	}
}

// debugPacket is what stands behind PACKET.
type debugPacket struct {
	transport, remote, rcode, kind, name string
	received, response                   bool
}

func (p *debugPacket) parse(s string) bool {
	w, s := vsphere.Word(s)
	if w != "UDP" && w != "TCP" { // the packet's id
		w, s = vsphere.Word(s)
	}
	p.transport = w
	direction, s := vsphere.Word(s)
	p.remote, s = vsphere.Word(s)
	_, s = vsphere.Word(s) // the transaction
	w, s = vsphere.Word(s)
	if p.response = w == "R"; p.response {
		w, s = vsphere.Word(s)
	}
	flags, s, ok := strings.Cut(s, "]")
	if !ok || w != "Q" || p.transport != "UDP" && p.transport != "TCP" || direction != "Rcv" && direction != "Snd" {
		return false
	}
	p.received = direction == "Rcv"
	p.rcode = strings.TrimSpace(flags)
	p.rcode = p.rcode[strings.LastIndexByte(p.rcode, ' ')+1:]
	p.kind, s = vsphere.Word(s)
	p.name, _ = vsphere.Word(s)
	return isUpper(p.rcode, 16)
}

// pascalName reads "(3)www(7)example(3)com(0)". It refuses lengths that are not
// right, and a label with a dot in it, which would look like two.
func pascalName(s string) (string, bool) {
	var b strings.Builder
	for s != "" && b.Len() <= maxName {
		digits, rest, ok := strings.Cut(strings.TrimPrefix(s, "("), ")")
		n, okN := vsphere.ParseUint(digits)
		if !ok || !okN || s[0] != '(' || n > uint64(len(rest)) || n > 63 {
			return "", false
		}
		if n == 0 {
			return b.String(), rest == "" && b.Len() > 0
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		label := rest[:n]
		if strings.IndexByte(label, '.') >= 0 {
			return "", false
		}
		b.WriteString(label)
		s = rest[n:]
	}
	return "", false
}

// maxName is the length of the longest host name.
const maxName = 253

// analytic are the events that clients cause; the others are between servers.
var analytic = [...]struct {
	mark     string
	client   string // the key of the client's address
	response bool
}{
	{"QUERY_RECEIVED: ", "Source", false},
	{"RESPONSE_SUCCESS: ", "Destination", true},
	{"RESPONSE_FAILURE: ", "Destination", true},
}

// windowsAnalytic reads the text of events 256 to 258 ("DNS Logging and
// Diagnostics", learn.microsoft.com):
//
//	RESPONSE_SUCCESS: TCP=0; InterfaceIP=10.0.0.53; Destination=10.0.1.15; AA=0; AD=0; QNAME=www.example.com.; QTYPE=1; XID=4242; DNSSEC=0; RCODE=0; Port=57943; Flags=33152; Scope=Default; Zone=..Cache; PolicyName=NULL; PacketData=0x1092818000010001...
//
// PacketData is the packet itself: the addresses of an answer are in it.
func windowsAnalytic(text string, ev *event.Event) bool {
	for i := range analytic {
		a := &analytic[i]
		at := strings.Index(text, a.mark)
		if at < 0 {
			continue
		}
		if at > maxPreface {
			return false
		}
		return analyticEvent(text[at+len(a.mark):], a.client, a.response, ev)
	}
	return false
}

// maxPreface bounds what an agent puts before an event's text.
const maxPreface = 256

func analyticEvent(s, client string, response bool, ev *event.Event) bool {
	var from, to, name, kind, code, port, packet, tcp, policy string
	keys := map[string]*string{
		client: &from, "InterfaceIP": &to, "QNAME": &name, "QTYPE": &kind, "RCODE": &code,
		"Port": &port, "PacketData": &packet, "TCP": &tcp, "PolicyName": &policy,
	}
	for s != "" {
		var pair string
		pair, s, _ = strings.Cut(s, ";")
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if p := keys[key]; p != nil && *p == "" {
			*p = strings.TrimSpace(value)
		}
	}
	ip, ok := vsphere.ParseAddr(from)
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		return false
	}
	src := event.Endpoint{IP: ip}
	src.Port, _ = vsphere.ParsePort(port)
	question(ev, src, name, typeName(kind))
	if server, ok := vsphere.ParseAddr(to); ok && !server.IsUnspecified() {
		ev.Dst.IP = server
	}
	setTransport(ev, tcp == "1")
	if policy != "NULL" {
		vsphere.AddIf(ev, fieldPolicy, policy)
	}
	if response {
		answered(ev, codeName(code))
		packetAnswers(packet, ev)
	}
	return true
}

// typeName is the name of a record type (IANA, DNS Parameters); rare ones stay
// numbers.
func typeName(number string) string {
	switch number {
	case "1":
		return "A"
	case "2":
		return "NS"
	case "5":
		return "CNAME"
	case "6":
		return "SOA"
	case "12":
		return "PTR"
	case "15":
		return "MX"
	case "16":
		return "TXT"
	case "28":
		return "AAAA"
	case "33":
		return "SRV"
	case "64":
		return "SVCB"
	case "65":
		return "HTTPS"
	case "255":
		return "ANY"
	}
	return number
}

// codeName is the name of a response code.
func codeName(number string) string {
	names := [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
	if n, ok := vsphere.ParseUint(number); ok && n < uint64(len(names)) {
		return names[n]
	}
	return number
}
