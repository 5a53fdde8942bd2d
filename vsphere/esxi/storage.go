package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var fieldTarget = event.Intern("target")

// iscsi recognizes the iSCSI initiator's daemon:
//
//	Login Success: iqn.2010-09.org.x:y if=default addr=192.168.1.107:3260 (TPGT:1 ISID:0x1)
//	connection 4:0 (iqn... addr=10.0.0.1:3260 (TPGT:1 ISID:0x1)  (T3 C0)) has recovered (2 attempts)
func iscsi(m *syslog.Message, ev *event.Event) bool {
	text := m.Text
	addr, _ := vsphere.Word(after(text, "addr="))
	if addr == "" {
		addr, _ = vsphere.Word(after(text, "onnect to "))
	}
	if addr == "" {
		addr, _ = vsphere.Word(after(text, "onnection to "))
	}
	if addr == "" || !vsphere.SetEndpoint(&ev.Dst, strings.TrimRight(addr, ")")) {
		return false
	}
	ev.Class, ev.Activity, ev.Protocol = event.NetworkActivity, event.ActivityOther, vsphere.ProtocolTCP
	ev.Src, ev.Direction = vsphere.DeviceEndpoint(ev), event.DirectionOutbound
	switch {
	case strings.Contains(text, "ailed"), strings.Contains(text, "rror"), strings.Contains(text, "imeout"), strings.Contains(text, "annot "):
		ev.Activity, ev.Status = event.NetworkFail, event.StatusFailure
	case strings.Contains(text, "Success"), strings.Contains(text, "recovered"), strings.Contains(text, "operational"):
		ev.Activity, ev.Status = event.NetworkOpen, event.StatusSuccess
	}
	if i := strings.Index(text, "iqn."); i >= 0 {
		target, _ := vsphere.Word(text[i:])
		ev.Add(fieldTarget, target)
	}
	return true
}

// dhcp recognizes the DHCP client: "DHCPDISCOVER on vmk1 to 255.255.255.255
// port 67 interval 1", "DHCPACK from 10.0.0.1", "bound to 10.0.0.5 -- ...".
func dhcp(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	verb, rest := vsphere.Word(text)
	if lease, ok := strings.CutPrefix(rest, "to "); ok && verb == "bound" {
		return bound(lease, ev)
	}
	if !strings.HasPrefix(verb, "DHCP") {
		return false
	}
	if lease, ok := strings.CutPrefix(rest, "for "); ok && strings.Contains(lease, " on ") {
		lease, rest = vsphere.Word(lease)
		ev.Add(vsphere.FieldAddress, lease)
	}
	if nic, ok := strings.CutPrefix(rest, "on "); ok {
		nic, rest = vsphere.Word(nic)
		ev.Add(fieldInterface, nic)
	}
	switch {
	case strings.HasPrefix(rest, "to ") && addressPort(rest[len("to "):], &ev.Dst):
		ev.Src, ev.Direction = vsphere.DeviceEndpoint(ev), event.DirectionOutbound
	case strings.Contains(rest, "from ") && addressPort(after(rest, "from "), &ev.Src):
		ev.Dst, ev.Direction = vsphere.DeviceEndpoint(ev), event.DirectionInbound
	default:
		return false
	}
	ev.Class, ev.Activity, ev.Protocol = event.NetworkActivity, event.NetworkTraffic, vsphere.ProtocolUDP
	ev.Operation = verb
	if lease, ok := strings.CutPrefix(rest, "of "); ok {
		lease, _ = vsphere.Word(lease)
		ev.Add(vsphere.FieldAddress, lease)
	}
	return true
}

// bound: the address that the host got is its own.
func bound(lease string, ev *event.Event) bool {
	addr, _ := vsphere.Word(lease)
	var own event.Endpoint
	if !vsphere.SetEndpoint(&own, addr) || !own.IP.IsValid() {
		return false
	}
	ev.Class, ev.Activity, ev.Protocol = event.NetworkActivity, event.ActivityOther, vsphere.ProtocolUDP
	own.Hostname = ev.Device.Hostname
	ev.Src = own
	return true
}
