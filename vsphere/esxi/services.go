package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// NTP's port.
const portNTP = 123

// clock recognizes what ntpd and chronyd say of their servers: "synchronized
// to 10.0.0.2, stratum 2", "Selected source 10.0.0.2 (time.example.com)",
// "Soliciting pool server 10.0.0.2". What they listen on is the host's own.
func clock(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	if listening(text, ev) {
		ev.Protocol = vsphere.ProtocolUDP
		return true
	}
	for _, mark := range [...]string{"ynchronized to ", "elected source ", "pool server ", "replaced with ", "peer ", "server ", "Source "} {
		_, rest, ok := strings.Cut(text, mark)
		where, rest := vsphere.Word(rest)
		if !ok || !addressPort(where, &ev.Dst) || !ev.Dst.IP.IsValid() {
			continue
		}
		if ev.Dst.Port == 0 {
			ev.Dst.Port = portNTP
		}
		if name, ok := strings.CutPrefix(rest, "("); ok {
			ev.Dst.Hostname, _, _ = strings.Cut(name, ")")
		}
		ev.Class, ev.Activity, ev.Protocol = event.NetworkActivity, event.ActivityOther, vsphere.ProtocolUDP
		ev.Src, ev.Direction = vsphere.DeviceEndpoint(ev), event.DirectionOutbound
		return true
	}
	return false
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
	for range maxPrefixWords {
		if addressPort(strings.TrimRight(rest, "."), &ev.Dst) && ev.Dst.Port != 0 {
			ev.Class, ev.Activity = event.NetworkActivity, event.NetworkListen
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
