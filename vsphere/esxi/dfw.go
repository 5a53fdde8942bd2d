package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldFilter    = event.Intern("filter")
	fieldAction    = event.Intern("action")
	fieldRuleset   = event.Intern("ruleset")
	fieldRule      = event.Intern("rule")
	fieldLength    = event.Intern("length")
	fieldEndReason = event.Intern("end_reason")
	fieldPackets   = event.Intern("packets")
	fieldBytes     = event.Intern("bytes")
	fieldTag       = event.Intern("tag")
	fieldAppID     = event.Intern("app_id")
	fieldVRF       = event.Intern("vrf")
	fieldInterface = event.Intern("interface")
)

// firewall recognizes the packet log of the NSX distributed firewall
// (dfwpktlogs, FIREWALL-PKTLOG) and of the NSX gateway firewall:
//
//	[FILTER] (INET|INET6) REASON [ACTION] [RULESET/]RULE DIR [LEN] PROTO [END] SRC[/PORT]->DST[/PORT] [FLAGS] [PKTS/PKTS BYTES/BYTES] [TAG]
//
// The format is in the NSX Administration Guide ("Distributed Firewall Packet
// Logs"). Direction is seen from the virtual NIC: OUT is what the VM sends.
// In a TERM record the first number of each pair belongs to the source, as pf
// keeps its states; both are kept as fields too.
func firewall(m *syslog.Message, ev *event.Event) bool {
	text := m.Text
	inet := strings.Index(text, "INET")
	if inet < 0 || inet > maxPrefix {
		return firewallCSV(text, ev)
	}
	var r rule
	rest, ok := r.parse(text[inet:])
	if !ok {
		return false
	}
	src, dst, ok := flow(r.flow)
	if !ok {
		return false
	}
	ev.Src, ev.Dst = src, dst
	r.describe(ev)
	origin(strings.TrimSpace(text[:inet]), ev)
	tail(rest, &r, ev)
	return true
}

// maxPrefix bounds what may stand before INET: a filter, or the gateway's
// <vrf interface>.
const maxPrefix = 96

// rule is the part of a record up to the flow.
type rule struct {
	reason, action, rule, direction string
	length, proto, protoNumber      string
	end, flow                       string
}

// parse reads the words of s, which begins with INET or INET6, and gives what
// follows the flow.
func (r *rule) parse(s string) (rest string, ok bool) {
	_, s = next(s)
	r.reason, s = next(s)
	w, s := next(s)
	if isAction(w) {
		r.action = w
		w, s = next(s)
	}
	r.rule = w
	r.direction, s = next(s)
	if r.action == "" && r.direction != "IN" && r.direction != "OUT" { // an action of another release: LB, PBR
		r.action, r.rule = r.rule, r.direction
		r.direction, s = next(s)
	}
	if r.direction != "IN" && r.direction != "OUT" {
		return "", false
	}
	w, s = next(s)
	if w != "" && w[0]-'0' <= 9 {
		r.length = w
		w, s = next(s)
	}
	r.proto = w
	if w == "PROTO" {
		r.protoNumber, s = next(s)
	}
	r.flow, s = next(s)
	for range maxEnd { // the way a TCP connection ended, or ICMP's type and code
		if strings.Contains(r.flow, "->") {
			break
		}
		if r.end == "" && r.proto == "TCP" {
			r.end = r.flow
		}
		r.flow, s = next(s)
	}
	return s, true
}

// maxEnd bounds the words between protocol and flow.
const maxEnd = 2

// next cuts the next word off s.
func next(s string) (word, rest string) {
	for len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	i := strings.IndexByte(s, ' ')
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+1:]
}

func isAction(s string) bool {
	switch s {
	case "PASS", "DROP", "REJECT", "NAT", "NONAT", "RDR", "NORDR", "PUNT", "REDIRECT", "COPY":
		return true
	}
	return false
}

// flow reads SRC[/PORT]->DST[/PORT].
func flow(s string) (src, dst event.Endpoint, ok bool) {
	i := strings.Index(s, "->")
	if i < 0 {
		return src, dst, false
	}
	ok = slashEndpoint(&src, s[:i]) && slashEndpoint(&dst, s[i+2:])
	return src, dst, ok
}

func slashEndpoint(ep *event.Endpoint, s string) bool {
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		port, ok := vsphere.ParsePort(s[i+1:])
		if !ok {
			return false
		}
		ep.Port, s = port, s[:i]
	}
	var ok bool
	ep.IP, ok = vsphere.ParseAddr(s)
	return ok
}

// describe says what the rule did.
func (r *rule) describe(ev *event.Event) {
	ev.Class, ev.Message = event.NetworkActivity, ""
	ev.Activity, ev.Status = r.outcome()
	ev.Direction = event.DirectionInbound
	if r.direction == "OUT" {
		ev.Direction = event.DirectionOutbound
	}
	ev.Protocol = protocol(r.proto, r.protoNumber)
	ev.Add(vsphere.FieldReason, r.reason)
	vsphere.AddIf(ev, fieldAction, r.action)
	id := r.rule
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		ev.Add(fieldRuleset, id[:i])
		id = id[i+1:]
	}
	ev.Add(fieldRule, id)
	vsphere.AddNumber(ev, fieldLength, r.length)
	vsphere.AddIf(ev, fieldEndReason, r.end)
}

func (r *rule) outcome() (event.Activity, event.Status) {
	switch {
	case r.reason == "TERM":
		return event.NetworkClose, event.StatusSuccess
	case r.action == "DROP", r.action == "REJECT":
		return event.NetworkRefuse, event.StatusFailure
	case r.action == "" && r.reason != "match":
		return event.NetworkRefuse, event.StatusFailure
	}
	return event.NetworkOpen, event.StatusSuccess
}

func protocol(name, number string) uint8 {
	switch name {
	case "TCP":
		return vsphere.ProtocolTCP
	case "UDP":
		return vsphere.ProtocolUDP
	case "ICMP":
		return vsphere.ProtocolICMP
	case "ICMP6", "ICMPv6", "IPV6-ICMP":
		return vsphere.ProtocolICMPv6
	case "IGMP":
		return 2
	case "PROTO":
		if n, ok := vsphere.ParseUint(number); ok && n <= 255 {
			return uint8(n)
		}
	}
	return 0
}

// origin reads what stands before INET: the filter, of which eight hex digits
// are the end of the VIF's id, the end of the flow on the virtual NIC's side;
// or the gateway's <vrf interface>.
func origin(s string, ev *event.Event) {
	switch {
	case s == "":
	case s[0] == '<':
		vrf, iface := next(strings.Trim(s, "<>"))
		vsphere.AddIf(ev, fieldVRF, vrf)
		vsphere.AddIf(ev, fieldInterface, iface)
	case !vsphere.IsHex(s, 8):
		ev.Add(fieldFilter, s)
		if ev.Direction == event.DirectionOutbound {
			ev.Src.World = worldOfFilter(s)
		} else {
			ev.Dst.World = worldOfFilter(s)
		}
	case ev.Direction == event.DirectionOutbound:
		ev.Src.VIF = s
	default:
		ev.Dst.VIF = s
	}
}

// worldOfFilter is the world id in "nic-36933-eth0-vmware-sfw.2".
func worldOfFilter(s string) string {
	if !strings.HasPrefix(s, "nic-") {
		return ""
	}
	return vsphere.WorldOf(s)
}

// tail reads what follows the flow: flags, counters, tag.
func tail(s string, r *rule, ev *event.Event) {
	w, rest := next(s)
	if r.proto == "TCP" && r.reason != "TERM" {
		if flags, ok := tcpFlags(w); ok {
			ev.TCPFlags = flags
			s = rest
			w, rest = next(s)
		}
	}
	if in, out, ok := pair(w); ok {
		bytes, after := next(rest)
		if first, second, ok := pair(bytes); ok {
			ev.Traffic = event.Traffic{PacketsOut: in, PacketsIn: out, BytesOut: first, BytesIn: second, Known: true}
			ev.Add(fieldPackets, w)
			ev.Add(fieldBytes, bytes)
			s = after
		}
	}
	tag(strings.TrimSpace(s), ev)
}

// tag reads the end of a record: the name that an FQDN rule matched with its
// id in brackets, an application id, or the rule's tag.
func tag(s string, ev *event.Event) {
	if s == "" {
		return
	}
	for range maxMarks {
		w, rest := next(s)
		switch name, ok := fqdn(w); {
		case ok:
			ev.Dst.Hostname = name
		case strings.HasPrefix(w, "APP_"):
			ev.Add(fieldAppID, w)
		default:
			vsphere.AddIf(ev, fieldTag, s)
			return
		}
		s = rest
	}
	vsphere.AddIf(ev, fieldTag, s)
}

// maxMarks bounds the words before the tag that say what was matched.
const maxMarks = 4

// fqdn reads "NAME(uuid)". A pattern ("*.example.com(uuid)") is no name.
func fqdn(w string) (name string, ok bool) {
	i := strings.IndexByte(w, '(')
	if i <= 0 || w[len(w)-1] != ')' || len(w)-i != len("(00000000-0000-0000-0000-000000000000)") {
		return "", false
	}
	var named event.Endpoint
	return w[:i], vsphere.SetEndpoint(&named, w[:i])
}

// pair reads "9/8".
func pair(s string) (first, second int64, ok bool) {
	i := strings.IndexByte(s, '/')
	if i < 0 {
		return 0, 0, false
	}
	a, okA := vsphere.ParseUint(s[:i])
	b, okB := vsphere.ParseUint(s[i+1:])
	return int64(a), int64(b), okA && okB
}

// tcpFlags reads pf's letters: S, SA, R, SEW ...
func tcpFlags(s string) (flags uint8, ok bool) {
	if s == "" || len(s) > 8 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		bit := strings.IndexByte("FSRPAUEW", s[i])
		if bit < 0 {
			return 0, false
		}
		flags |= 1 << bit
	}
	return flags, true
}

// firewallCSV takes the comma separated form that some relays make of a
// record: ACTION, RULE, DIR, LEN, PROTO, SRC, SPORT, DST, DPORT, FLAGS.
func firewallCSV(text string, ev *event.Event) bool {
	var r rule
	var src, sport, dst, dport string
	for _, p := range [...]*string{&r.action, &r.rule, &r.direction, &r.length, &r.proto, &src, &sport, &dst, &dport} {
		var ok bool
		*p, text, ok = strings.Cut(text, ",")
		if !ok && p != &dport {
			return false
		}
		*p = strings.TrimSpace(*p)
	}
	if !isAction(r.action) || r.direction != "IN" && r.direction != "OUT" {
		return false
	}
	s, okS := vsphere.ParseAddr(src)
	d, okD := vsphere.ParseAddr(dst)
	if !okS || !okD {
		return false
	}
	ev.Src.IP, ev.Dst.IP = s, d
	ev.Src.Port, _ = vsphere.ParsePort(sport)
	ev.Dst.Port, _ = vsphere.ParsePort(dport)
	r.reason = "match"
	r.describe(ev)
	tail(strings.ReplaceAll(text, ",", " "), &r, ev)
	return true
}
