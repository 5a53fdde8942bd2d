package simulator

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
)

// flowField is an element of an export template: IANA's, or with VMware's
// enterprise number one of VMware's.
type flowField struct {
	vmware bool
	id     uint16
	length uint16
}

const vmwareNumber = 6876

// flowTemplate is the layout of data records.
type flowTemplate struct {
	id     uint16
	fields []flowField
}

func iana(id, length uint16) flowField   { return flowField{false, id, length} }
func vmware(id, length uint16) flowField { return flowField{true, id, length} }

// switchTemplates are the thirteen of a Distributed Switch: TCP and UDP, other
// protocols, and packets within VXLAN, of both families. The same layout has
// several numbers.
func switchTemplates() []flowTemplate {
	v4 := []flowField{iana(8, 4), iana(12, 4)}
	v6 := []flowField{iana(27, 16), iana(28, 16)}
	counts := []flowField{iana(1, 8), iana(2, 8), iana(152, 8), iana(153, 8)}
	ports := []flowField{iana(7, 2), iana(11, 2)}
	path := []flowField{iana(10, 4), iana(14, 4)}
	attrs := []flowField{vmware(890, 2), vmware(888, 2), vmware(889, 1)}
	with := func(parts ...[]flowField) (all []flowField) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	transport := func(ends []flowField) []flowField {
		return with(ends, counts, ports, path, []flowField{
			iana(351, 8), iana(4, 1), iana(136, 1), iana(6, 1), iana(5, 1), iana(53, 1), iana(61, 1),
		}, attrs, []flowField{iana(210, 1)})
	}
	others := func(ends []flowField) []flowField {
		return with(ends, counts, path, []flowField{
			iana(4, 1), iana(136, 1), iana(5, 1), iana(53, 1), iana(61, 1), iana(351, 8),
		}, attrs, []flowField{iana(210, 2)})
	}
	outer := with(v4, counts, ports, path, []flowField{iana(4, 1), iana(136, 1)})
	tail := []flowField{iana(5, 1), iana(53, 1), iana(61, 1), iana(351, 8)}
	tenant4, tenant6 := []flowField{vmware(881, 4), vmware(882, 4)}, []flowField{vmware(883, 16), vmware(884, 16)}
	tenantPorts := []flowField{vmware(886, 2), vmware(887, 2)}
	protocol, flags, pad := []flowField{vmware(880, 1)}, []flowField{iana(6, 1)}, []flowField{iana(210, 1)}
	return []flowTemplate{
		{256, transport(v4)},
		{257, others(v4)},
		{258, transport(v6)},
		{259, others(v6)},
		{260, with(outer, flags, tail, tenant4, tenantPorts, protocol, attrs)},
		{261, with(outer, tail, tenant4, protocol, attrs, pad)},
		{262, with(outer, flags, tail, tenant6, tenantPorts, protocol, attrs)},
		{263, with(outer, tail, tenant6, protocol, attrs, pad)},
		{264, transport(v4)},
		{265, transport(v6)},
		{266, transport(v4)},
		{267, transport(v6)},
		{268, others(v4)},
	}
}

// firewallTemplates are those of the NSX distributed firewall.
func firewallTemplates() []flowTemplate {
	rest := []flowField{
		iana(7, 2), iana(11, 2), iana(4, 1), iana(150, 4), iana(151, 4), iana(1, 8), iana(2, 8), iana(148, 8), iana(233, 1),
		vmware(954, 1), vmware(950, 4), vmware(951, 16), vmware(952, 4), vmware(953, 1), vmware(960, 16), vmware(961, variableLength),
	}
	return []flowTemplate{
		{256, append([]flowField{iana(8, 4), iana(12, 4)}, rest...)},
		{257, append([]flowField{iana(27, 16), iana(28, 16)}, rest...)},
	}
}

const variableLength = 0xffff

// netflowTemplates are of NetFlow version 9, with the machines' MACs.
func netflowTemplates() []flowTemplate {
	rest := []flowField{
		iana(7, 2), iana(11, 2), iana(4, 1), iana(6, 1), iana(22, 4), iana(21, 4), iana(1, 4), iana(2, 4),
		iana(56, 6), iana(80, 6), iana(10, 2), iana(14, 2), iana(61, 1),
	}
	return []flowTemplate{
		{300, append([]flowField{iana(8, 4), iana(12, 4)}, rest...)},
		{301, append([]flowField{iana(27, 16), iana(28, 16)}, rest...)},
	}
}

// exporter writes the messages of one host.
type exporter struct {
	host      *Host
	style     exportStyle
	templates []flowTemplate
	boot      time.Time
	sequence  uint32
}

// exportStyle is what a host exports.
type exportStyle int

const (
	exportSwitch   exportStyle = iota // IPFIX of the Distributed Switch
	exportFirewall                    // IPFIX of the NSX firewall
	exportNetFlow                     // NetFlow version 9
	exportStyles
)

// exportsAs is what the host at that place in the estate exports.
func exportsAs(i int) exportStyle { return exportStyle(i) % exportStyles }

func newExporter(h *Host, style exportStyle, boot time.Time) *exporter {
	e := &exporter{host: h, style: style, boot: boot}
	e.templates = [...]func() []flowTemplate{switchTemplates, firewallTemplates, netflowTemplates}[style]()
	return e
}

// announcement is a message with all templates.
func (e *exporter) announcement(at time.Time) []byte {
	var set []byte
	for _, t := range e.templates {
		set = binary.BigEndian.AppendUint16(set, t.id)
		set = binary.BigEndian.AppendUint16(set, uint16(len(t.fields)))
		for _, f := range t.fields {
			if f.vmware {
				set = binary.BigEndian.AppendUint16(set, f.id|0x8000)
				set = binary.BigEndian.AppendUint16(set, f.length)
				set = binary.BigEndian.AppendUint32(set, vmwareNumber)
				continue
			}
			set = binary.BigEndian.AppendUint16(set, f.id)
			set = binary.BigEndian.AppendUint16(set, f.length)
		}
	}
	id := uint16(2)
	if e.style == exportNetFlow {
		id = 0
	}
	return e.message(at, 0, appendSet(nil, id, set))
}

// message puts a header before sets with so many data records.
func (e *exporter) message(at time.Time, records int, sets []byte) []byte {
	var m []byte
	if e.style == exportNetFlow {
		m = binary.BigEndian.AppendUint16(m, 9)
		m = binary.BigEndian.AppendUint16(m, uint16(max(records, len(e.templates))))
		m = binary.BigEndian.AppendUint32(m, e.uptime(at))
		m = binary.BigEndian.AppendUint32(m, uint32(at.Unix()))
		m = binary.BigEndian.AppendUint32(m, e.sequence)
		m = binary.BigEndian.AppendUint32(m, 0)
		e.sequence++
		return append(m, sets...)
	}
	m = binary.BigEndian.AppendUint16(m, 10)
	m = binary.BigEndian.AppendUint16(m, uint16(16+len(sets)))
	m = binary.BigEndian.AppendUint32(m, uint32(at.Unix()))
	m = binary.BigEndian.AppendUint32(m, e.sequence)
	m = binary.BigEndian.AppendUint32(m, uint32(e.style)) // the observation domain
	e.sequence += uint32(records)
	return append(m, sets...)
}

// uptime is an exporter's clock in NetFlow: milliseconds since its boot, as of
// the whole second that the header has.
func (e *exporter) uptime(at time.Time) uint32 {
	return uint32(at.Truncate(time.Second).Sub(e.boot).Milliseconds())
}

func appendSet(b []byte, id uint16, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(data)))
	return append(b, data...)
}

// templateOf picks the layout of a record.
func (e *exporter) templateOf(r *report) *flowTemplate {
	at := 0
	switch {
	case e.style != exportSwitch:
		if r.src.Addr().Is6() {
			at = 1
		}
	case r.tunnel.src.IsValid():
		at = 4 // 260
		if r.src.Addr().Is6() {
			at = 6
		}
	case r.src.Addr().Is6():
		at = 9 // 265
	default:
		at = 10 // 266
	}
	return &e.templates[at]
}

// append writes a record by its layout.
func (e *exporter) append(b []byte, t *flowTemplate, r *report) []byte {
	for _, f := range t.fields {
		if f.vmware {
			b = r.appendVMware(b, f)
			continue
		}
		b = e.appendField(b, f, r)
	}
	return b
}

func (e *exporter) appendField(b []byte, f flowField, r *report) []byte {
	src, dst := r.src, r.dst
	if r.tunnel.src.IsValid() {
		src, dst = netip.AddrPortFrom(r.tunnel.src, 52000), netip.AddrPortFrom(r.tunnel.dst, 8472)
	}
	switch f.id {
	case 8, 27:
		return append(b, src.Addr().AsSlice()...)
	case 12, 28:
		return append(b, dst.Addr().AsSlice()...)
	case 56:
		return append(b, macBytes(r.srcVM)...)
	case 80:
		return append(b, macBytes(r.dstVM)...)
	}
	numbers := map[uint16]uint64{
		1: uint64(r.bytes), 2: uint64(r.packets), 4: uint64(r.protocol), 6: 0x1b, 7: uint64(src.Port()), 11: uint64(dst.Port()),
		10: uint64(r.in.number), 14: uint64(r.out.number), 53: 64, 61: 1, 136: uint64(r.reason), 148: r.id, 351: r.segment,
		152: uint64(r.start.UnixMilli()), 153: uint64(r.end.UnixMilli()),
		150: uint64(r.start.Unix()), 151: uint64(r.end.Unix()),
		22: uint64(uint32(r.start.Sub(e.boot).Milliseconds())), 21: uint64(uint32(r.end.Sub(e.boot).Milliseconds())),
		233: uint64(r.event),
	}
	if r.tunnel.src.IsValid() {
		numbers[4] = 17
	}
	return appendNumber(b, numbers[f.id], int(f.length))
}

func (r *report) appendVMware(b []byte, f flowField) []byte {
	switch f.id {
	case 881, 883:
		return append(b, r.src.Addr().AsSlice()...)
	case 882, 884:
		return append(b, r.dst.Addr().AsSlice()...)
	case 951:
		return append(b, uuidBytes(r.vm.InstanceUUID)...)
	case 960:
		return append(b, uuidBytes(r.vm.VIF)...)
	case 961:
		return append(append(b, byte(len(r.vm.VIF))), r.vm.VIF...)
	}
	var leaves uint64
	if r.leaves {
		leaves = 1
	}
	n := map[uint16]uint64{
		880: uint64(r.protocol), 886: uint64(r.src.Port()), 887: uint64(r.dst.Port()),
		888: uint64(r.out.kind), 890: uint64(r.in.kind), 889: 1, 950: uint64(r.rule), 954: leaves,
	}[f.id]
	return appendNumber(b, n, int(f.length))
}

func appendNumber(b []byte, n uint64, length int) []byte {
	for i := length - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// macBytes is a VM's MAC; what is outside comes by the router's.
func macBytes(vm *VM) []byte {
	text := "02:00:5e:00:00:01"
	if vm != nil {
		text = vm.MAC
	}
	b, _ := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return b
}

func uuidBytes(uuid string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	return b
}
