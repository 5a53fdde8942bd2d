package ipfix

import (
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// end is one end of a flow, as the record has it.
type end struct {
	ip   netip.Addr
	port uint16
	mac  string // bytes
}

// stamp is a time as a record has it.
type stamp struct {
	raw uint64
	of  element
}

// seen is what was read of a record.
type seen struct {
	src, dst             end // the ends that count
	outerSrc, outerDst   end // of the VXLAN packet around them
	tenantSrc, tenantDst end // as the record has them
	protocol, flags      uint8
	tenantProtocol       uint8
	tos, ttl             uint8
	icmpType, icmpCode   uint8

	bytes, packets               uint64
	reverseBytes, reversePackets uint64
	counted, total, both         bool

	start, end stamp
	boot       uint64

	ingress, egress         uint32
	ingressAttr, egressAttr uint16
	segment, flowID         uint64
	direction, endReason    uint8
	role                    uint8
	has                     [elementEnd]bool

	rule, vnic              uint32
	firewallEvent           uint8
	firewallDirection       uint8
	sessionFlags, algType   uint8
	latency, retransmission uint32
	vmUUID, vif, vifText    string
}

// read takes a record apart. It has the length that the layout says.
func (f *seen) read(l *layout, raw string) {
	*f = seen{}
	at := 0
	for i := range l.fields {
		n := int(l.fields[i].length)
		if n == variable {
			n, at, _ = variableLength(raw, at)
		}
		if e := l.fields[i].element; e != other {
			f.has[e] = true
			f.take(e, raw[at:at+n])
		}
		at += n
	}
	if l.tenant {
		f.inner()
	}
}

// take keeps the value of one field.
func (f *seen) take(e element, v string) {
	switch {
	case e <= postDstMAC:
		f.takeEnd(e, v)
	case e <= reversePackets:
		f.takeCount(e, number(v))
	case e <= bootMillis:
		f.takeTime(e, number(v))
	case e <= firewallEvent:
		f.takePath(e, number(v))
	case e <= exportRole:
		f.takeTenant(e, v)
	default:
		f.takeFirewall(e, v)
	}
}

func (f *seen) takeEnd(e element, v string) {
	switch e {
	case srcIP:
		setAddr(&f.src.ip, v)
	case dstIP:
		setAddr(&f.dst.ip, v)
	case srcPort:
		f.src.port = uint16(number(v))
	case dstPort:
		f.dst.port = uint16(number(v))
	case protocol:
		f.protocol = uint8(number(v))
	case tcpFlags:
		f.flags = uint8(number(v))
	case tos:
		f.tos = uint8(number(v))
	case ttl:
		f.ttl = uint8(number(v))
	case icmpType:
		f.icmpType = uint8(number(v))
	case icmpCode:
		f.icmpCode = uint8(number(v))
	case icmpBoth:
		n := number(v)
		f.icmpType, f.icmpCode = uint8(n>>8), uint8(n)
	case srcMAC:
		f.src.mac = v
	case dstMAC:
		f.dst.mac = v
	case postSrcMAC:
		if f.src.mac == "" {
			f.src.mac = v
		}
	case postDstMAC:
		if f.dst.mac == "" {
			f.dst.mac = v
		}
	}
}

// setAddr reads an address of either family. A layout with both has zeros in
// the one that does not count.
func setAddr(to *netip.Addr, v string) {
	var a netip.Addr
	switch len(v) {
	case 4:
		a = netip.AddrFrom4([4]byte{v[0], v[1], v[2], v[3]})
	case 16:
		var b [16]byte
		copy(b[:], v)
		a = netip.AddrFrom16(b).Unmap()
	default:
		return
	}
	if !to.IsValid() || to.IsUnspecified() {
		*to = a
	}
}

func (f *seen) takeCount(e element, n uint64) {
	switch e {
	case octets:
		f.bytes, f.counted = n, true
	case packets:
		f.packets, f.counted = n, true
	case octetsTotal:
		if !f.has[octets] {
			f.bytes, f.total = n, true
		}
	case packetsTotal:
		if !f.has[packets] {
			f.packets, f.total = n, true
		}
	case reverseOctets:
		f.reverseBytes, f.both = n, true
	case reversePackets:
		f.reversePackets, f.both = n, true
	}
}

func (f *seen) takeTime(e element, n uint64) {
	switch e {
	case bootMillis:
		f.boot = n
	case startSeconds, startMillis, startMicros, startNanos, startDelta, startUptime:
		f.start = stamp{n, e}
	default:
		f.end = stamp{n, e}
	}
}

func (f *seen) takePath(e element, n uint64) {
	switch e {
	case ingress:
		f.ingress = uint32(n)
	case egress:
		f.egress = uint32(n)
	case segment:
		f.segment = n
	case direction:
		f.direction = uint8(n)
	case endReason:
		f.endReason = uint8(n)
	case flowID:
		f.flowID = n
	case firewallEvent:
		f.firewallEvent = uint8(n)
	}
}

func (f *seen) takeTenant(e element, v string) {
	switch e {
	case tenantSrc:
		setAddr(&f.tenantSrc.ip, v)
	case tenantDst:
		setAddr(&f.tenantDst.ip, v)
	case tenantSrcPort:
		f.tenantSrc.port = uint16(number(v))
	case tenantDstPort:
		f.tenantDst.port = uint16(number(v))
	case tenantProtocol:
		f.tenantProtocol = uint8(number(v))
	case ingressAttr:
		f.ingressAttr = uint16(number(v))
	case egressAttr:
		f.egressAttr = uint16(number(v))
	case exportRole:
		f.role = uint8(number(v))
	}
}

// inner lets the ends within VXLAN count. A record whose inner ends are zero is
// of a packet without any. The flags are the inner TCP's where it has ports.
func (f *seen) inner() {
	if f.tenantSrc.ip.IsUnspecified() && f.tenantDst.ip.IsUnspecified() {
		return
	}
	f.outerSrc, f.outerDst = f.src, f.dst
	f.src, f.dst, f.protocol = f.tenantSrc, f.tenantDst, f.tenantProtocol
}

func (f *seen) takeFirewall(e element, v string) {
	switch e {
	case ruleID:
		f.rule = uint32(number(v))
	case vmUUID:
		f.vmUUID = v
	case vnicIndex:
		f.vnic = uint32(number(v))
	case sessionFlags:
		f.sessionFlags = uint8(number(v))
	case firewallDirection:
		f.firewallDirection = uint8(number(v))
	case algType:
		f.algType = uint8(number(v))
	case averageLatency:
		f.latency = uint32(number(v))
	case retransmissions:
		f.retransmission = uint32(number(v))
	case vifUUID:
		f.vif = v
	case vifID:
		f.vifText = v
	}
}

// fill makes the event.
func (f *seen) fill(r *Record, ev *event.Event) {
	ev.Class, ev.Activity, ev.Severity = event.NetworkActivity, event.NetworkTraffic, event.SeverityInformational
	ev.LogName = "ipfix"
	if r.h.version == versionNetFlow {
		ev.LogName = "netflow"
	}
	ev.Raw, ev.Records = r.Raw, 1
	ev.Device.IP = r.s.key.peer.Addr().Unmap()
	ev.Protocol, ev.TCPFlags = f.protocol, f.flags
	f.fillEnd(r.d, &ev.Src, &f.src)
	f.fillEnd(r.d, &ev.Dst, &f.dst)
	f.fillTraffic(ev)
	f.fillTimes(r, ev)
	f.fillPath(r, ev)
	if f.has[firewallEvent] || f.has[ruleID] {
		f.fillFirewall(r.d, ev)
	}
	f.fillMachine(r.d, ev)
}

func (f *seen) fillEnd(d *Decoder, to *event.Endpoint, from *end) {
	if !from.ip.IsUnspecified() {
		to.IP = from.ip
	}
	to.Port = from.port
	if len(from.mac) == 6 && from.mac != "\x00\x00\x00\x00\x00\x00" {
		to.MAC = d.mac(from.mac)
	}
}

func (d *Decoder) mac(v string) string {
	var b [17]byte
	for i := range 6 {
		if i > 0 {
			b[3*i-1] = ':'
		}
		b[3*i], b[3*i+1] = digits[v[i]>>4], digits[v[i]&15]
	}
	return d.texts.add(b[:])
}

const digits = "0123456789abcdef"

func (f *seen) fillTraffic(ev *event.Event) {
	// Totals go on over several records of one flow: only the last one's may be
	// added to those of other flows.
	if !f.counted && !f.both && (!f.total || f.endReason == endActive) {
		return
	}
	ev.Traffic = event.Traffic{
		BytesOut: count(f.bytes), PacketsOut: count(f.packets),
		BytesIn: count(f.reverseBytes), PacketsIn: count(f.reversePackets), Known: true,
	}
}

func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// longest bounds the time that a flow is believed to have lasted.
const longest = 366 * 24 * time.Hour

// fillTimes says when the flow was. What the exporter says counts while it is
// near the time of receipt; else the time of receipt, and the flow's length. A
// begin that cannot be is left to the raw record.
func (f *seen) fillTimes(r *Record, ev *event.Event) {
	start, end := f.start.time(r.h, f.boot), f.end.time(r.h, f.boot)
	if lasted := end.Sub(start); end.IsZero() || lasted < 0 || lasted > longest {
		start = time.Time{}
	}
	said := end
	if said.IsZero() {
		said = r.h.exported
	}
	ev.Time = said
	if !r.d.opts.Replay && !near(said, r.h.received, r.d.opts.MaxSkew) {
		ev.Time, ev.OriginalTime = r.h.received, said.Format(time.RFC3339Nano)
		start, end = moved(start, said, ev.Time), moved(end, said, ev.Time)
	}
	ev.Start, ev.End = start, end
}

// moved is t as it would be if from were to; zero stays.
func moved(t, from, to time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return to.Add(t.Sub(from))
}

// near says that a is not further than d from b.
func near(a, b time.Time, d time.Duration) bool { return a.Sub(b).Abs() <= d }

// time is the moment that s means; zero: none.
func (s stamp) time(h *header, boot uint64) time.Time {
	switch s.of {
	case startSeconds, endSeconds:
		return unix(s.raw, 0)
	case startMillis, endMillis:
		return millis(s.raw)
	case startMicros, endMicros, startNanos, endNanos:
		return ntp(s.raw)
	case startDelta, endDelta:
		return h.exported.Add(-time.Duration(uint32(s.raw)) * time.Microsecond)
	case startUptime, endUptime:
		if h.version == versionNetFlow {
			return h.exported.Add(-time.Duration(int32(h.uptime-uint32(s.raw))) * time.Millisecond)
		}
		if boot != 0 {
			return millis(boot + uint64(uint32(s.raw)))
		}
	}
	return time.Time{}
}

// latest bounds the seconds since 1970 that are a date: the end of 9999.
const latest = 253402300799

func unix(seconds uint64, nanos int64) time.Time {
	if seconds == 0 || seconds > latest {
		return time.Time{}
	}
	return time.Unix(int64(seconds), nanos).UTC()
}

func millis(ms uint64) time.Time { return unix(ms/1000, int64(ms%1000)*int64(time.Millisecond)) }

// ntp is a time of RFC 5905: seconds since 1900, and their fraction.
func ntp(raw uint64) time.Time {
	const to1970 = 2208988800
	seconds := raw >> 32
	if seconds < to1970 {
		return time.Time{}
	}
	return unix(seconds-to1970, int64((raw&math.MaxUint32)*uint64(time.Second)>>32))
}

var (
	fieldDomain        = event.Intern("observation_domain")
	fieldDirection     = event.Intern("flow_direction")
	fieldEndReason     = event.Intern("flow_end_reason")
	fieldIngress       = event.Intern("ingress_interface")
	fieldIngressKind   = event.Intern("ingress_interface_kind")
	fieldEgress        = event.Intern("egress_interface")
	fieldEgressKind    = event.Intern("egress_interface_kind")
	fieldSegment       = event.Intern("segment_id")
	fieldRole          = event.Intern("vxlan_export_role")
	fieldTOS           = event.Intern("tos")
	fieldTTL           = event.Intern("ttl")
	fieldICMPType      = event.Intern("icmp_type")
	fieldICMPCode      = event.Intern("icmp_code")
	fieldOuterSrc      = event.Intern("outer_src")
	fieldOuterDst      = event.Intern("outer_dst")
	fieldRule          = event.Intern("rule")
	fieldFirewallEvent = event.Intern("firewall_event")
	fieldVNIC          = event.Intern("vnic_index")
	fieldSessionFlags  = event.Intern("session_flags")
	fieldALG           = event.Intern("alg_type")
	fieldLatency       = event.Intern("average_latency")
	fieldRetransmitted = event.Intern("retransmissions")
	fieldVMUUID        = event.Intern("vm_uuid")
	fieldVIF           = event.Intern("vif_uuid")
)

// Why a flow ended (RFC 5102 section 5.11.3).
const endActive = 2

var endReasons = [...]string{"", "idle_timeout", "active_timeout", "end_of_flow", "forced_end", "lack_of_resources"}

// portKinds are what VMware's interface attributes say of a switch port.
var portKinds = [...]string{"", "uplink", "access", "vxlan_tunnel"}

const accessPort = 2

// fillPath says how the flow went through the switch. An access port is the
// one that the VM at that end is connected to.
func (f *seen) fillPath(r *Record, ev *event.Event) {
	d := r.d
	d.number(ev, fieldDomain, uint64(r.h.domain))
	if f.has[direction] {
		ev.Add(fieldDirection, named(f.direction, "ingress", "egress"))
	}
	if f.endReason > 0 && int(f.endReason) < len(endReasons) {
		ev.Add(fieldEndReason, endReasons[f.endReason])
	}
	d.port(ev, fieldIngress, fieldIngressKind, f.ingress, f.ingressAttr, &ev.Src)
	d.port(ev, fieldEgress, fieldEgressKind, f.egress, f.egressAttr, &ev.Dst)
	d.number(ev, fieldSegment, f.segment)
	d.number(ev, fieldRole, uint64(f.role))
	d.number(ev, fieldTOS, uint64(f.tos))
	d.number(ev, fieldTTL, uint64(f.ttl))
	if f.has[icmpType] || f.has[icmpBoth] && isICMP(f.protocol) {
		ev.AddNumber(fieldICMPType, strconv.Itoa(int(f.icmpType)))
		ev.AddNumber(fieldICMPCode, strconv.Itoa(int(f.icmpCode)))
	}
	d.outer(ev, fieldOuterSrc, &f.outerSrc)
	d.outer(ev, fieldOuterDst, &f.outerDst)
}

func isICMP(protocol uint8) bool { return protocol == 1 || protocol == 58 }

// port adds a port of the switch: the VM's own as a part of its end.
func (d *Decoder) port(ev *event.Event, id, kindID event.FieldID, port uint32, attr uint16, at *event.Endpoint) {
	if port == 0 {
		return
	}
	var b [20]byte
	text := d.texts.add(strconv.AppendUint(b[:0], uint64(port), 10))
	if attr == accessPort {
		at.SwitchPort = text
		return
	}
	ev.AddNumber(id, text)
	if attr > 0 && int(attr) < len(portKinds) {
		ev.Add(kindID, portKinds[attr])
	}
}

// number adds a number that is not zero.
func (d *Decoder) number(ev *event.Event, id event.FieldID, n uint64) {
	if n == 0 {
		return
	}
	if n < 100 { // strconv has these
		ev.AddNumber(id, strconv.Itoa(int(n)))
		return
	}
	var b [20]byte
	ev.AddNumber(id, d.texts.add(strconv.AppendUint(b[:0], n, 10)))
}

func (d *Decoder) outer(ev *event.Event, id event.FieldID, e *end) {
	if !e.ip.IsValid() {
		return
	}
	var b [64]byte
	text := e.ip.AppendTo(b[:0])
	if e.port != 0 {
		text = netip.AddrPortFrom(e.ip, e.port).AppendTo(b[:0])
	}
	ev.Add(id, d.texts.add(text))
}

// named is the name of a number, the number where it has none.
func named(n uint8, names ...string) string {
	if int(n) < len(names) {
		return names[n]
	}
	return strconv.Itoa(int(n))
}

// What the NSX firewall says happened to a flow.
const flowDenied = 3

func (f *seen) fillFirewall(d *Decoder, ev *event.Event) {
	if f.firewallEvent != 0 {
		ev.Add(fieldFirewallEvent, named(f.firewallEvent, "", "created", "deleted", "denied", "alert", "update"))
	}
	if f.firewallEvent == flowDenied {
		ev.Activity, ev.Status = event.NetworkRefuse, event.StatusFailure
	}
	d.number(ev, fieldRule, uint64(f.rule))
	if f.has[vnicIndex] {
		var b [20]byte
		ev.AddNumber(fieldVNIC, d.texts.add(strconv.AppendUint(b[:0], uint64(f.vnic), 10)))
	}
	d.number(ev, fieldSessionFlags, uint64(f.sessionFlags))
	d.number(ev, fieldALG, uint64(f.algType))
	d.number(ev, fieldLatency, uint64(f.latency))
	d.number(ev, fieldRetransmitted, uint64(f.retransmission))
}

// Directions of the NSX firewall, seen from the VM's virtual NIC.
const (
	intoVM  = 0
	outOfVM = 1
)

// fillMachine tells which VM the record is about: the source of what leaves
// it, the destination of what comes to it.
func (f *seen) fillMachine(d *Decoder, ev *event.Event) {
	uuid, vif := d.uuid(f.vmUUID), d.uuid(f.vif)
	if vif == "" {
		vif = strings.ToValidUTF8(f.vifText[:min(len(f.vifText), maxVIF)], "\uFFFD")
	}
	var at *event.Endpoint
	switch {
	case !f.has[firewallDirection]:
	case f.firewallDirection == outOfVM:
		ev.Direction, at = event.DirectionOutbound, &ev.Src
	case f.firewallDirection == intoVM:
		ev.Direction, at = event.DirectionInbound, &ev.Dst
	}
	if vif != "" {
		ev.Add(fieldVIF, vif)
	}
	if at == nil {
		if uuid != "" {
			ev.Add(fieldVMUUID, uuid)
		}
		return
	}
	at.VMUUID, at.VIF = uuid, lastEight(vif)
}

// maxVIF bounds the text of a VIF id: a UUID, or a bit more.
const maxVIF = 64

// lastEight is the part of a VIF id that NSX writes into its logs; empty when
// it does not end in that many hex digits.
func lastEight(vif string) string {
	if len(vif) < 8 {
		return ""
	}
	vif = vif[len(vif)-8:]
	for i := range len(vif) {
		if c := vif[i]; !(c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return ""
		}
	}
	return vif
}

// uuid is a UUID of 16 bytes, or one that is a text already; empty when it is
// neither, or zero.
func (d *Decoder) uuid(v string) string {
	const textLength = 36
	switch len(v) {
	case 16:
	case textLength:
		if _, err := hex.DecodeString(strings.ReplaceAll(v, "-", "")); err != nil {
			return ""
		}
		return strings.ToLower(v)
	default:
		return ""
	}
	if padding(v) {
		return ""
	}
	var b [textLength]byte
	at := 0
	for i := range 16 {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b[at] = '-'
			at++
		}
		b[at], b[at+1] = digits[v[i]>>4], digits[v[i]&15]
		at += 2
	}
	return d.texts.add(b[:])
}
