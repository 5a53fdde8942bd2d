package simulator

import (
	"fmt"
	"net/netip"
	"strings"
)

// flow is what the distributed firewall says about one connection at a vNIC.
type flow struct {
	vif      string // the last eight digits are the filter id
	nic      string // filter by world id instead, as it is without NSX's ids; empty: by vif
	src, dst netip.AddrPort
	inbound  bool
	proto    string // "TCP", "UDP"
	rule     int
	tag      string
	drop     bool

	packetsOut, packetsIn int64
	bytesOut, bytesIn     int64 // out: what src sent
	end                   string
}

// message is the firewall's line: the program is "dfwpktlogs" up to ESXi 7,
// "FIREWALL-PKTLOG" since. (VMware NSX documentation, "Distributed Firewall
// Packet Logs".)
func (f *flow) message(st style, text string) message {
	m := message{pri: 13, prog: "FIREWALL-PKTLOG", plain: true, text: text}
	switch st {
	case styleESX7:
		m.prog = "dfwpktlogs"
	case styleESX8:
		m.pid = 1069031
	}
	return m
}

// opened is the line at a connection's first packet.
func (f *flow) opened(st style) message {
	action, flags := "PASS", " S"
	if f.drop {
		action = "DROP"
	}
	length := 60
	if f.proto != "TCP" {
		flags, length = "", 78
	}
	text := fmt.Sprintf("%s %s match %s %s %s %d %s %s->%s%s%s",
		f.filter(), f.family(), action, f.ruleName(st), f.direction(), length, f.proto,
		endpoint(f.src), endpoint(f.dst), flags, f.tail())
	return f.message(st, text)
}

// closed is the line at a connection's end, with its counts: first what the
// source sent, then what it got.
func (f *flow) closed(st style) message {
	action, end := "PASS ", ""
	if st == styleESX7 {
		action = ""
	}
	if f.proto == "TCP" {
		end = " " + f.end
	}
	text := fmt.Sprintf("%s %s TERM %s%s %s %s%s %s->%s %d/%d %d/%d%s",
		f.filter(), f.family(), action, f.ruleName(st), f.direction(), f.proto, end,
		endpoint(f.src), endpoint(f.dst), f.packetsOut, f.packetsIn, f.bytesOut, f.bytesIn, f.tail())
	return f.message(st, text)
}

// atGateway is the same first packet as an NSX edge's gateway firewall logs
// it: nothing in it says which VM it was.
func (f *flow) atGateway() message {
	return message{pri: 181, prog: "NSX", pid: 2802, msgID: "FIREWALL", sd: edgeElement, text: fmt.Sprintf(
		`<1 55f1af2f487544e9:b0e059132ad7753d> %s reason-match PASS %d OUT 60 %s %s->%s S`,
		f.family(), f.rule, f.proto, endpoint(f.src), endpoint(f.dst))}
}

// edgeElement is the structured data of an NSX edge's firewall line.
const edgeElement = `[nsx@6876 comp="nsx-edge" subcomp="datapathd.firewallpkt" level="INFO"]`

func (f *flow) filter() string {
	if f.nic != "" {
		return f.nic
	}
	if len(f.vif) < 8 {
		return "50047"
	}
	return f.vif[len(f.vif)-8:]
}

func (f *flow) family() string {
	if f.src.Addr().Is4() {
		return "INET"
	}
	return "INET6"
}

func (f *flow) ruleName(st style) string {
	if st == styleESX7 {
		return fmt.Sprintf("domain-c8/%d", f.rule)
	}
	return fmt.Sprint(f.rule)
}

func (f *flow) direction() string {
	if f.inbound {
		return "IN"
	}
	return "OUT"
}

func (f *flow) tail() string {
	if f.tag == "" {
		return ""
	}
	return " " + f.tag
}

// endpoint writes address and port with a slash between; IPv6 is not
// compressed.
func endpoint(a netip.AddrPort) string {
	ip := a.Addr().String()
	if a.Addr().Is6() {
		ip = a.Addr().StringExpanded()
	}
	return fmt.Sprintf("%s/%d", strings.ToLower(ip), a.Port())
}
