package network

import (
	"github.com/vegress/vegress/event"
)

// Bounds of one direction of a connection.
const (
	maxStream  = 32 << 10 // bytes that are put together: a ClientHello or a request's head is shorter
	maxPending = 8        // segments that came before their turn
)

// stream is one direction of a TCP connection, as far as it is looked into.
type stream struct {
	state   streamState
	known   bool   // next is
	next    uint32 // number of the byte that is due
	data    []byte // that was not read yet
	pending []piece
	skip    int64 // bytes of a request's body that are due
}

type streamState uint8

const (
	streamNew  streamState = iota
	streamTLS              // waits for the whole of a ClientHello
	streamHTTP             // requests
	streamDNS              // messages
	streamBody             // of a request without a known length: waits for a segment that begins with a request
	streamDone             // nothing more is looked for
)

// piece is a segment that came before its turn.
type piece struct {
	seq  uint32
	data []byte
}

// streamPool bounds what all streams hold.
type streamPool struct{ free int }

// drop gives back what a flow's streams hold.
func (p *streamPool) drop(f *flow) {
	p.done(&f.out)
	p.done(&f.in)
}

// done ends the look into a stream.
func (p *streamPool) done(s *stream) {
	p.free += cap(s.data)
	for _, piece := range s.pending {
		p.free += len(piece.data)
	}
	*s = stream{state: streamDone}
}

// stream puts the segments of a connection together, and looks for names in
// what the client says; of DNS, in what both say.
func (p *Pcap) stream(f *flow, s *segment, tell func(*event.Event)) {
	side := &f.out
	if s.src != f.client {
		side = &f.in
	}
	if s.flags&flagSYN != 0 {
		side.next, side.known = s.seq+1, true
		return
	}
	if side.state == streamDone || len(s.payload) == 0 {
		return
	}
	if side == &f.in && f.server.Port() != portDNS {
		side.state = streamDone
		return
	}
	if !side.known {
		side.next, side.known = s.seq, true
	}
	p.insert(f, side, piece{s.seq, s.payload}, s, tell)
	for i := 0; i < len(side.pending); i++ {
		if piece := side.pending[i]; int32(piece.seq-side.next) <= 0 {
			side.pending = append(side.pending[:i], side.pending[i+1:]...)
			p.streams.free += len(piece.data)
			p.insert(f, side, piece, s, tell)
			i = -1
		}
	}
	if s.missing > 0 && side.state != streamDone { // the bytes behind these will not come
		p.read(f, side, s, true, tell)
		p.streams.done(side)
	}
}

// insert takes a piece in its turn: what is new of it.
func (p *Pcap) insert(f *flow, side *stream, in piece, s *segment, tell func(*event.Event)) {
	if side.state == streamDone {
		return
	}
	switch ahead := int32(in.seq - side.next); {
	case ahead > 0:
		p.wait(side, in)
		return
	case -int64(ahead) >= int64(len(in.data)):
		return // was there before
	default:
		in.data = in.data[-ahead:]
	}
	side.next += uint32(len(in.data))
	if n := min(side.skip, int64(len(in.data))); n > 0 {
		side.skip -= n
		in.data = in.data[n:]
	}
	if len(in.data) == 0 || side.state == streamBody && !beginsRequest(in.data) {
		return
	}
	if !p.append(side, in.data) {
		p.stats.Skipped++
		p.streams.done(side)
		return
	}
	p.read(f, side, s, false, tell)
}

// append adds to the bytes of a stream; not ok: there is no room.
func (p *Pcap) append(side *stream, data []byte) bool {
	before := cap(side.data)
	if len(side.data)+len(data) > maxStream || len(side.data)+len(data)-before > p.streams.free {
		return false
	}
	side.data = append(side.data, data...)
	p.streams.free -= cap(side.data) - before
	return true
}

// wait keeps a segment that came before its turn. Without room for it the
// stream cannot be followed.
func (p *Pcap) wait(side *stream, in piece) {
	if len(side.pending) >= maxPending || len(in.data) > min(p.streams.free, maxStream) || int32(in.seq-side.next) > maxStream {
		p.stats.Skipped++
		p.streams.done(side)
		return
	}
	p.streams.free -= len(in.data)
	side.pending = append(side.pending, piece{in.seq, append([]byte(nil), in.data...)})
}

// read looks at what a stream has. last says that there will be no more.
func (p *Pcap) read(f *flow, side *stream, s *segment, last bool, tell func(*event.Event)) {
	if len(side.data) == 0 {
		return
	}
	switch side.state {
	case streamNew:
		side.state = p.guess(f, side)
	case streamBody:
		side.state = streamHTTP
	}
	for more := true; more && side.state != streamDone && len(side.data) > 0; {
		var n int
		n, more = p.take(f, side, s, last, tell)
		side.data = side.data[:copy(side.data, side.data[n:])]
	}
	if side.state == streamDone {
		p.streams.done(side)
	}
}

// take reads one unit off the front of a stream, and gives its length; not
// more: it waits for the rest of it.
func (p *Pcap) take(f *flow, side *stream, s *segment, last bool, tell func(*event.Event)) (n int, more bool) {
	switch side.state {
	case streamTLS:
		return p.handshake(f, side, s, last, tell), false
	case streamHTTP:
		return p.httpRequest(f, side, s, last, tell)
	case streamDNS:
		return p.dnsStream(f, side, s, tell)
	}
	return 0, false
}

// guess says what a stream is by how it begins.
func (p *Pcap) guess(f *flow, side *stream) streamState {
	switch {
	case f.server.Port() == portDNS:
		return streamDNS
	case side.data[0] == recordHandshake && (len(side.data) < 2 || side.data[1] == 3):
		return streamTLS
	case maybeRequest(side.data):
		return streamHTTP
	}
	return streamDone
}
