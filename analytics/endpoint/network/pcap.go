package network

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/vegress/vegress/capture"
	"github.com/vegress/vegress/event"
)

// PcapOptions are the bounds of a Pcap. Zero values stand for the defaults.
type PcapOptions struct {
	// Idle is how long a flow may be without packets, in the capture's time,
	// before it counts as ended; default 2 min.
	Idle time.Duration
	// Active is after how long a flow that goes on is told of, and counted
	// anew; default 10 min.
	Active time.Duration
	// MaxFlows bounds the flows at one time, about 500 bytes each; above it
	// those are told of that had no packet for longest. Default 65,536.
	MaxFlows int
	// MaxBuffered bounds the bytes in all of the streams that are put together,
	// in which names are looked for; default 32 MiB.
	MaxBuffered int
}

func (o PcapOptions) withDefaults() PcapOptions {
	if o.Idle <= 0 {
		o.Idle = 2 * time.Minute
	}
	if o.Active <= 0 {
		o.Active = 10 * time.Minute
	}
	if o.MaxFlows <= 0 {
		o.MaxFlows = 1 << 16
	}
	if o.MaxBuffered <= 0 {
		o.MaxBuffered = 32 << 20
	}
	return o
}

// PcapStats counts what was in a capture. Flows are present ones.
type PcapStats struct {
	Packets   int64
	Other     int64 // packets that are not IP, or of a link that is not known
	Malformed int64 // IP packets whose headers cannot be
	Fragments int64 // of IP packets; those behind the first are counted with it, but not looked into
	Truncated int64 // packets that were not captured whole
	Events    int64
	Evicted   int64 // flows that were told of early for want of room
	Skipped   int64 // streams that were not looked into for want of room
	Flows     int
}

// Pcap reads a packet capture (pcap or pcapng): a Network event for each flow
// with packets and bytes both ways, begin and end, one for each TLS ClientHello
// with its server name, a DNS event for each message, and an HTTP event for
// each request in clear. What follows each other in the file is not sorted by
// time: a flow is told of when it is known to have ended.
//
// A capture is no record: events have no Raw, but the number of the packet that
// completed them in the field "packet". QUIC's names are encrypted and not
// read. A Pcap is not safe for concurrent use.
type Pcap struct {
	opts    PcapOptions
	reader  *capture.Reader
	ev      event.Event
	stats   PcapStats
	flows   flowTable
	streams streamPool
	dns     dnsReader
	clock   time.Time // of the packets: it does not go back

	ip      ipPacket // of the packet at hand
	segment segment
}

// NewPcap reads the head of a capture. in is read as far as Next was called for.
func NewPcap(in io.Reader, opts PcapOptions) (*Pcap, error) {
	reader, err := capture.NewReader(bufio.NewReaderSize(in, 1<<16))
	if err != nil {
		return nil, err
	}
	p := &Pcap{opts: opts.withDefaults(), reader: reader}
	p.flows = newFlowTable()
	p.streams.free = p.opts.MaxBuffered
	return p, nil
}

// Next reads a packet and gives tell what it completes, under the terms of
// endpoint.Decoder. At the end of the file it tells the flows that are left
// and gives io.EOF; a file that is cut short or damaged ends there as well,
// with another error.
func (p *Pcap) Next(tell func(*event.Event)) error {
	packet, err := p.reader.Next()
	if err != nil {
		p.rest(tell)
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return io.EOF
		}
		return fmt.Errorf("read capture: %w", err)
	}
	p.stats.Packets++
	if len(packet.Data) < packet.Length {
		p.stats.Truncated++
	}
	if packet.Time.After(p.clock) {
		p.clock = packet.Time
		p.expire(tell)
	}
	p.packet(&packet, tell)
	return nil
}

// Stats says what was read so far.
func (p *Pcap) Stats() PcapStats {
	s := p.stats
	s.Flows = p.flows.len()
	return s
}

// packet is the way of one packet.
func (p *Pcap) packet(raw *capture.Packet, tell func(*event.Event)) {
	data, ok := raw.IP()
	if !ok {
		p.stats.Other++
		return
	}
	if p.ip, ok = parseIP(data); !ok {
		p.stats.Malformed++
		return
	}
	ip, s := &p.ip, &p.segment
	*s = segment{at: raw.Time, ip: ip}
	if ip.fragment {
		p.stats.Fragments++
	}
	if ip.offset > 0 {
		p.laterFragment()
		return
	}
	if !s.parse() {
		p.stats.Malformed++
		return
	}
	f := p.flow(s, tell)
	if ip.fragment {
		p.flows.remember(ip.datagram(), f)
	}
	f.count(s)
	p.look(f, s, tell)
	p.flows.touch(f)
}

// laterFragment counts a fragment, which has no ports, with its first one.
func (p *Pcap) laterFragment() {
	f, ok := p.flows.fragments[p.ip.datagram()]
	if !ok || f.gone {
		return
	}
	if p.segment.src = f.server; p.ip.src == f.client.Addr() {
		p.segment.src = f.client
	}
	f.count(&p.segment)
	p.flows.touch(f)
}

// begin empties the event for flow f.
func (p *Pcap) begin(f *flow, log string, at time.Time) *event.Event {
	ev := &p.ev
	ev.Reset()
	ev.Records, ev.Severity, ev.LogName, ev.Time = 1, event.SeverityInformational, log, at
	ev.Src = event.Endpoint{IP: f.client.Addr(), Port: f.client.Port()}
	ev.Dst = event.Endpoint{IP: f.server.Addr(), Port: f.server.Port()}
	ev.Protocol = f.protocol
	ev.Direction = direction(ev.Src.IP, ev.Dst.IP)
	return ev
}

var fieldPacket = event.Intern("packet")

// tell gives the event away.
func (p *Pcap) tell(tell func(*event.Event)) {
	p.ev.AddNumber(fieldPacket, strconv.FormatInt(p.stats.Packets, 10))
	p.stats.Events++
	tell(&p.ev)
}

// look reads what the payload says of names.
func (p *Pcap) look(f *flow, s *segment, tell func(*event.Event)) {
	switch f.protocol {
	case protoUDP:
		if f.server.Port() == portDNS || f.client.Port() == portDNS {
			p.message(f, s.payload, s.at, tell)
		}
	case protoTCP:
		p.stream(f, s, tell)
	}
}

// rest tells of all flows that are left.
func (p *Pcap) rest(tell func(*event.Event)) {
	for _, q := range [...]*flowQueue{&p.flows.closing, &p.flows.open} {
		for f := q.oldest(); f != nil; f = q.oldest() {
			p.end(f, tell)
		}
	}
}

// closedFor is how long the packets behind the last FIN or RST of a flow are
// waited for.
const closedFor = 5 * time.Second

// expire tells of the flows that ended.
func (p *Pcap) expire(tell func(*event.Event)) {
	for f := p.flows.closing.oldest(); f != nil && p.clock.Sub(f.last) > closedFor; f = p.flows.closing.oldest() {
		p.end(f, tell)
	}
	for f := p.flows.open.oldest(); f != nil && p.clock.Sub(f.last) > p.opts.Idle; f = p.flows.open.oldest() {
		p.end(f, tell)
	}
}

// end tells of a flow and forgets it.
func (p *Pcap) end(f *flow, tell func(*event.Event)) {
	p.report(f, tell)
	p.streams.drop(f)
	p.flows.remove(f)
}

// report tells of a flow.
func (p *Pcap) report(f *flow, tell func(*event.Event)) {
	ev := p.begin(f, "pcap.flow", f.last)
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkTraffic
	span(ev, f.start, f.last)
	ev.Traffic, ev.TCPFlags = f.traffic, f.flagsOut|f.flagsIn
	ev.Traffic.Known = true
	if f.protocol == protoTCP {
		switch {
		case f.flagsIn&flagSYN != 0:
			ev.Status = event.StatusSuccess
		case f.flagsOut&flagSYN == 0: // began before the capture
		case f.flagsIn&flagRST != 0:
			ev.Activity, ev.Status = event.NetworkRefuse, event.StatusFailure
		case f.traffic.PacketsIn == 0:
			ev.Activity, ev.Status = event.NetworkFail, event.StatusFailure
		}
	}
	ev.Dst.Hostname, ev.Dst.NameVia = f.host, f.via
	p.tell(tell)
}

// flow finds the flow of a packet, or begins one.
func (p *Pcap) flow(s *segment, tell func(*event.Event)) *flow {
	f := p.flows.get(s)
	switch {
	case f == nil:
	case f.closed && s.flags&(flagSYN|flagACK) == flagSYN: // the ports are used again
		p.end(f, tell)
		f = nil
	case s.at.Sub(f.start) > p.opts.Active:
		p.report(f, tell)
		f.again(s.at)
	}
	if f != nil {
		return f
	}
	for p.flows.len() >= p.opts.MaxFlows {
		oldest := p.flows.closing.oldest()
		if oldest == nil {
			oldest = p.flows.open.oldest()
		}
		p.stats.Evicted++
		p.end(oldest, tell)
	}
	return p.flows.add(s)
}
