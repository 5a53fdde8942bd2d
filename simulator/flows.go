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
	"sync"
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
	ways    sync.Map // netip.AddrPort of a socket -> that of its exporter
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
	// that do, and their bytes: some of Traffic.Truth, and such that no line
	// tells of.
	Stories []Story `json:"stories"`

	Records    int `json:"records"`    // data records sent
	Duplicates int `json:"duplicates"` // second reports among them
	// Lost is what was exported and not sent, as far as sequence numbers tell
	// it: data records of IPFIX, messages of NetFlow after the exporter's first.
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
		e := newExporter(h, exportsAs(i), t.start.Add(-40*24*time.Hour))
		slices.SortStableFunc(reports[i], func(a, b report) int { return a.at.Compare(b.at) })
		f.export(i, e, t.start, t.end, reports[i], o)
	}
	slices.SortStableFunc(f.packets, func(a, b FlowPacket) int { return a.Time.Compare(b.Time) })
	f.stories(slices.Concat(t.truth.Stories, t.unlogged), reports)
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

// export writes the messages of one host, and at the end of the night once
// more its templates: their sequence number tells of what was lost last.
func (f *Flows) export(index int, e *exporter, start, end time.Time, reports []report, o FlowOptions) {
	announced := start.Add(o.LateTemplates)
	if len(reports) > 0 && o.LateTemplates > 0 {
		announced = reports[0].at.Add(o.LateTemplates)
	}
	w := &outbox{flows: f, index: index, exporter: e, options: o, announced: announced}
	for i := range reports {
		r := &reports[i]
		if w.records > 0 && (r.at.Sub(w.at) > cmp.Or(o.Gather, exportEvery) || len(w.sets)+len(w.set) > exportBytes) {
			w.flush()
		}
		f.add(&w.batch, e, r)
	}
	w.flush()
	w.announce(end)
	f.send(index, e, end, e.announcement(end))
}

// outbox is one host's way out, with what gets lost on it.
type outbox struct {
	batch
	flows    *Flows
	index    int
	exporter *exporter
	options  FlowOptions

	announced      time.Time // of the next templates
	lost, messages int
	began          bool // something was sent
}

// announce sends the templates that are due until then.
func (w *outbox) announce(until time.Time) {
	for ; !w.announced.After(until); w.announced = w.announced.Add(announceEvery) {
		m := w.exporter.announcement(w.announced)
		if w.lost < w.options.LoseTemplates {
			w.lost++
			w.lose(0)
			continue
		}
		w.flows.send(w.index, w.exporter, w.announced, m)
		w.began = true
	}
}

// flush sends what was gathered.
func (w *outbox) flush() {
	if w.records == 0 {
		return
	}
	w.close()
	w.announce(w.at)
	m := w.exporter.message(w.at, w.records, w.sets)
	if w.messages++; w.options.LoseMessages > 0 && w.messages%w.options.LoseMessages == 0 {
		w.lose(w.records)
	} else {
		w.flows.truth.Records += w.records
		w.flows.truth.Duplicates += w.twice
		w.flows.send(w.index, w.exporter, w.at, m)
		w.began = true
	}
	w.batch = batch{}
}

// lose counts a message with so many records that is not sent.
func (w *outbox) lose(records int) {
	switch {
	case w.exporter.style != exportNetFlow:
		w.flows.truth.LostRecords += records
	case w.began:
		w.flows.truth.LostMessages++
	}
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
		if a.records == 0 {
			continue
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
	rate = cmp.Or(rate, 20_000)
	began := time.Now()
	return f.play(ctx, to, func(i int) error {
		return wait(ctx, began.Add(time.Duration(i)*time.Second/time.Duration(rate)))
	})
}

// PlayWith is Play, each datagram when t's Clock has come to its time.
func (f *Flows) PlayWith(ctx context.Context, to string, t *Traffic) (Counts, error) {
	const look = 2 * time.Millisecond
	return f.play(ctx, to, func(i int) error {
		for t.Clock(time.Now()).Before(f.packets[i].Time) {
			if err := wait(ctx, time.Now().Add(look)); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// play sends each datagram when due, which gets its index, returns.
func (f *Flows) play(ctx context.Context, to string, due func(int) error) (counts Counts, err error) {
	t, err := parseTarget(to)
	if err == nil && t.network != "udp" {
		err = fmt.Errorf("target %q: flows go over udp", to)
	}
	if err != nil {
		return counts, fmt.Errorf("play flows: %w", err)
	}
	conns := make(map[int]net.Conn)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range f.packets {
		p := &f.packets[i]
		if err := due(i); err != nil {
			return counts, err
		}
		if conns[p.Exporter] == nil {
			if conns[p.Exporter], err = f.dial(ctx, t.address, p.Source); err != nil {
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

// dial opens the socket of the exporter at that address.
func (f *Flows) dial(ctx context.Context, to string, exporter netip.Addr) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", to)
	if err != nil {
		return nil, err
	}
	if from, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		f.ways.Store(from.AddrPort(), netip.AddrPortFrom(exporter, exportPort))
	}
	return conn, nil
}

// Exporter is who sends from that address while the Flows are played: hosts
// that share a machine share its address. Other addresses stay what they are.
// It is safe for concurrent use.
func (f *Flows) Exporter(peer netip.AddrPort) netip.AddrPort {
	if host, ok := f.ways.Load(netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())); ok {
		return host.(netip.AddrPort)
	}
	return peer
}
