package simulator

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"slices"
	"time"
)

// FlowOptions say how the hosts of a Site export flows.
type FlowOptions struct {
	// LateTemplates is how long each exporter's templates come after its first
	// records; 0: before them.
	LateTemplates time.Duration
	// LoseTemplates loses so many of each exporter's announcements, of which
	// there is one every ten minutes.
	LoseTemplates int
	// LoseMessages loses every n-th message with records; 0: none.
	LoseMessages int
	// Gather is how long a message gathers records, unless it is full before; 0:
	// five seconds.
	Gather time.Duration
}

// Flows is what the hosts of a Site export in the night of a Traffic: the same
// connections that its firewall lines tell of, as IPFIX of the Distributed
// Switch, of the NSX firewall, or as NetFlow 9, in turn by host. The switch
// reports what goes between two of its VMs twice.
type Flows struct {
	packets []FlowPacket
	truth   FlowTruth
}

// FlowPacket is one datagram of an exporter.
type FlowPacket struct {
	Time     time.Time
	Exporter int        // index in the Site's hosts
	Source   netip.Addr // of the host
	Data     []byte
}

// FlowTruth is what a collector should make of Flows.
type FlowTruth struct {
	// Stories are those of the Traffic that flows tell of, with the records
	// that do, and their bytes.
	Stories []Story `json:"stories"`

	Records    int `json:"records"`    // data records sent
	Duplicates int `json:"duplicates"` // second reports among them
	// Lost is what was exported and not sent, as sequence numbers tell it: data
	// records of IPFIX, messages of NetFlow.
	LostRecords  int `json:"lost_records"`
	LostMessages int `json:"lost_messages"`
}

// passage is a connection of a VM, as flows are made of it.
type passage struct {
	at time.Time
	connection
}

// report is one data record.
type report struct {
	host         *Host
	at           time.Time // of export
	src, dst     netip.AddrPort
	srcVM, dstVM *VM // nil: outside
	vm           *VM // whose vNIC saw it
	leaves       bool
	protocol     uint8
	start, end   time.Time
	bytes        int64
	packets      int64
	reason       uint8
	rule         int
	event        uint8
	id, segment  uint64
	in, out      switchPort
	tunnel       struct{ src, dst netip.Addr }
}

// switchPort is a port of the Distributed Switch, and VMware's word for what
// it leads to.
type switchPort struct {
	number uint32
	kind   uint16
}

const (
	uplinkPort = 1
	accessPort = 2
)

const (
	activeTimeout = time.Minute      // a flow that goes on is reported that often
	idleTimeout   = 15 * time.Second // ... and that long after its end
	announceEvery = 10 * time.Minute
	exportEvery   = 5 * time.Second
	exportBytes   = 1350
)

// Flows exports the connections of the night.
func (t *Traffic) Flows(o FlowOptions) *Flows {
	f := &Flows{}
	byAddr := make(map[netip.Addr]*VM)
	for _, vm := range t.site.VMs {
		byAddr[vm.Address], byAddr[vm.Address6] = vm, vm
	}
	reports := make([][]report, len(t.site.Hosts))
	for i, p := range t.passages {
		for _, r := range p.reports(uint64(i), byAddr) {
			if r.at.Before(t.end) {
				at := slices.Index(t.site.Hosts, r.host)
				reports[at] = append(reports[at], r)
			}
		}
	}
	for i, h := range t.site.Hosts {
		e := newExporter(h, exportStyle(i)%exportStyles, t.start.Add(-40*24*time.Hour))
		slices.SortStableFunc(reports[i], func(a, b report) int { return a.at.Compare(b.at) })
		f.export(i, e, t.start, reports[i], o)
	}
	slices.SortStableFunc(f.packets, func(a, b FlowPacket) int { return a.Time.Compare(b.Time) })
	f.stories(t.truth.Stories, reports)
	return f
}

// reports are the records of a connection, both ways: one a minute, of each
// host that one of its ends is on.
func (p *passage) reports(id uint64, byAddr map[netip.Addr]*VM) (all []report) {
	src, dst := byAddr[p.from.Addr()], byAddr[p.to.Addr()]
	parts := int64(max((p.lasts+activeTimeout-1)/activeTimeout, 1))
	for k := range parts {
		r := report{
			host: p.vm.host, src: p.from, dst: p.to, srcVM: src, dstVM: dst, vm: p.vm, leaves: !p.inbound,
			protocol: 6, rule: p.rule, id: id, reason: 2, event: 5,
			start: p.at.Add(time.Duration(k) * activeTimeout), bytes: share(p.out, int(k), int(parts)),
		}
		r.end = r.start.Add(activeTimeout)
		r.at = r.end
		if k == 0 {
			r.event = 1
		}
		if k == parts-1 {
			r.end, r.reason, r.event = p.at.Add(p.lasts), 1, 2
			r.at = r.end.Add(idleTimeout)
		}
		r.packets = 2 + r.bytes/1400
		back := r
		back.src, back.dst, back.srcVM, back.dstVM, back.leaves = r.dst, r.src, r.dstVM, r.srcVM, !r.leaves
		back.bytes = share(p.in, int(k), int(parts))
		back.packets = 2 + back.bytes/1400
		all = append(all, r, back)
	}
	for i := range all {
		all[i].place()
	}
	return all
}

// place says how a flow goes through the switch of its host. Between VMs of two
// hosts it goes within VXLAN.
func (r *report) place() {
	port := func(vm *VM) switchPort {
		if vm == nil || vm.host != r.host {
			return switchPort{1, uplinkPort}
		}
		return switchPort{vm.port, accessPort}
	}
	r.in, r.out = port(r.srcVM), port(r.dstVM)
	if r.srcVM != nil && r.dstVM != nil && r.srcVM.host != r.dstVM.host {
		r.segment = 5001
		r.tunnel.src, r.tunnel.dst = r.srcVM.host.tunnel(), r.dstVM.host.tunnel()
	}
}

// tunnel is the host's address for VXLAN.
func (h *Host) tunnel() netip.Addr {
	a := h.Address.As4()
	a[1] = 9
	return netip.AddrFrom4(a)
}

// batch is a message that is being put together.
type batch struct {
	at      time.Time
	sets    []byte
	set     []byte
	id      uint16
	records int
	twice   int // second reports among them
}

func (b *batch) close() {
	if len(b.set) > 0 {
		b.sets = appendSet(b.sets, b.id, b.set)
		b.set = nil
	}
}

// export writes the messages of one host.
func (f *Flows) export(index int, e *exporter, start time.Time, reports []report, o FlowOptions) {
	announced := start.Add(o.LateTemplates)
	if len(reports) > 0 && o.LateTemplates > 0 {
		announced = reports[0].at.Add(o.LateTemplates)
	}
	lost, messages := 0, 0
	announce := func(until time.Time) {
		for ; !announced.After(until); announced = announced.Add(announceEvery) {
			m := e.announcement(announced)
			if lost < o.LoseTemplates {
				lost++
				if e.style == exportNetFlow {
					f.truth.LostMessages++
				}
				continue
			}
			f.send(index, e, announced, m)
		}
	}
	var b batch
	flush := func() {
		if b.records == 0 {
			return
		}
		b.close()
		announce(b.at)
		m := e.message(b.at, b.records, b.sets)
		if messages++; o.LoseMessages > 0 && messages%o.LoseMessages == 0 {
			if e.style == exportNetFlow {
				f.truth.LostMessages++
			} else {
				f.truth.LostRecords += b.records
			}
		} else {
			f.truth.Records += b.records
			f.truth.Duplicates += b.twice
			f.send(index, e, b.at, m)
		}
		b = batch{}
	}
	for i := range reports {
		r := &reports[i]
		if b.records > 0 && (r.at.Sub(b.at) > cmp.Or(o.Gather, exportEvery) || len(b.sets)+len(b.set) > exportBytes) {
			flush()
		}
		f.add(&b, e, r)
	}
	flush()
}

// add puts a record into a message; the switch's second report of it too. Only
// the switch sees the packets around VXLAN.
func (f *Flows) add(b *batch, e *exporter, r *report) {
	if e.style != exportSwitch {
		r.segment, r.tunnel.src, r.tunnel.dst = 0, netip.Addr{}, netip.Addr{}
	}
	t := e.templateOf(r)
	if b.id != t.id {
		b.close()
		b.id = t.id
	}
	b.at = r.at
	b.set = e.append(b.set, t, r)
	b.records++
	if r.twice(e) {
		second := *r
		second.in.number, second.out.number = r.in.number+1000, r.out.number+1000
		b.set = e.append(b.set, t, &second)
		b.records++
		b.twice++
	}
}

// twice says that a switch reports a flow for two pairs of ports.
func (r *report) twice(e *exporter) bool {
	return e.style == exportSwitch && r.srcVM != nil && r.dstVM != nil && r.srcVM.host == r.dstVM.host
}

func (f *Flows) send(index int, e *exporter, at time.Time, data []byte) {
	f.packets = append(f.packets, FlowPacket{Time: at, Exporter: index, Source: e.host.Address, Data: data})
}

// stories keeps those that flows tell of, with the reports that do.
func (f *Flows) stories(all []Story, reports [][]report) {
	for _, s := range all {
		if s.InstanceUUID == "" || !s.Destination.IsValid() {
			continue
		}
		var a account
		for _, r := range slices.Concat(reports...) {
			if r.srcVM != nil && r.srcVM.InstanceUUID == s.InstanceUUID && r.dst.Addr() == s.Destination {
				a.add(r.at, 1)
				a.bytesOut += r.bytes
			}
		}
		s.Records, s.BytesOut, s.First, s.Last = a.records, a.bytesOut, a.first, a.last
		f.truth.Stories = append(f.truth.Stories, s)
	}
}

// Packets is every datagram in order of time.
func (f *Flows) Packets() iter.Seq[FlowPacket] { return slices.Values(f.packets) }

// Truth is what there is to find.
func (f *Flows) Truth() FlowTruth { return f.truth }

// Flow datagrams in a capture come from this port, and go to this one.
const (
	exportPort  = 49152
	collectPort = 4739
)

// WriteCapture writes the datagrams as a packet capture (pcap, raw IP), from
// the hosts' addresses to the collector's.
func (f *Flows) WriteCapture(w io.Writer, collector netip.Addr) error {
	head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	head = binary.LittleEndian.AppendUint16(head, 2)
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = binary.LittleEndian.AppendUint64(head, 0)
	head = binary.LittleEndian.AppendUint32(head, 1<<16)
	head = binary.LittleEndian.AppendUint32(head, 101)
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	for i := range f.packets {
		if _, err := w.Write(f.packets[i].captured(collector)); err != nil {
			return fmt.Errorf("write capture: %w", err)
		}
	}
	return nil
}

// captured is a packet in its record of a capture.
func (p *FlowPacket) captured(to netip.Addr) []byte {
	length := 20 + 8 + len(p.Data)
	b := binary.LittleEndian.AppendUint32(nil, uint32(p.Time.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Time.Nanosecond()/1000))
	b = binary.LittleEndian.AppendUint32(b, uint32(length))
	b = binary.LittleEndian.AppendUint32(b, uint32(length))
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, 0, 0, 0, 0, 64, 17, 0, 0)
	b = append(b, p.Source.AsSlice()...)
	b = append(b, to.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, exportPort)
	b = binary.BigEndian.AppendUint16(b, collectPort)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(p.Data)))
	b = append(b, 0, 0)
	return append(b, p.Data...)
}

// Play sends the datagrams over UDP to a target ("udp://host:port"), each
// exporter from a socket of its own, in order, at most so many a second (0:
// 20,000). Counts has datagrams as records.
func (f *Flows) Play(ctx context.Context, to string, rate int) (Counts, error) {
	t, err := parseTarget(to)
	if err == nil && t.network != "udp" {
		err = fmt.Errorf("target %q: flows go over udp", to)
	}
	if err != nil {
		return Counts{}, fmt.Errorf("play flows: %w", err)
	}
	rate = cmp.Or(rate, 20_000)
	conns := make(map[int]net.Conn)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	var counts Counts
	began := time.Now()
	for i := range f.packets {
		p := &f.packets[i]
		if err := wait(ctx, began.Add(time.Duration(i)*time.Second/time.Duration(rate))); err != nil {
			return counts, err
		}
		if conns[p.Exporter] == nil {
			if conns[p.Exporter], err = (&net.Dialer{}).DialContext(ctx, "udp", t.address); err != nil {
				return counts, fmt.Errorf("play flows: %w", err)
			}
		}
		if _, err := conns[p.Exporter].Write(p.Data); err != nil {
			counts.Errors++
			continue
		}
		counts.Records++
		counts.Bytes += int64(len(p.Data))
	}
	return counts, nil
}
