package network

import (
	"net/netip"
	"time"

	"github.com/vegress/vegress/event"
)

// flow is a connection, or what looks like one. client is who began it.
type flow struct {
	key            flowKey
	client, server netip.AddrPort
	protocol       uint8

	start, last       time.Time
	traffic           event.Traffic // of the packets, IP headers included
	flagsOut, flagsIn uint8         // of all packets that way
	closed            bool          // both sides said that they are done
	finOut, finIn     bool
	gone              bool // from the table

	host string // that a TLS handshake or a request named
	via  string

	out, in stream // what the client says; the server

	queue        *flowQueue
	older, newer *flow
}

// flowKey is the same both ways.
type flowKey struct {
	low, high netip.AddrPort
	protocol  uint8
}

func keyOf(s *segment) flowKey {
	if s.src.Compare(s.dst) <= 0 {
		return flowKey{s.src, s.dst, s.ip.protocol}
	}
	return flowKey{s.dst, s.src, s.ip.protocol}
}

// count adds a packet.
func (f *flow) count(s *segment) {
	if s.at.Before(f.start) {
		f.start = s.at
	}
	if s.at.After(f.last) {
		f.last = s.at
	}
	t := &f.traffic
	if s.src == f.client {
		t.BytesOut, t.PacketsOut = t.BytesOut+int64(s.ip.length), t.PacketsOut+1
		f.flagsOut |= s.flags
		f.finOut = f.finOut || s.flags&flagFIN != 0
	} else {
		t.BytesIn, t.PacketsIn = t.BytesIn+int64(s.ip.length), t.PacketsIn+1
		f.flagsIn |= s.flags
		f.finIn = f.finIn || s.flags&flagFIN != 0
	}
	f.closed = f.closed || s.flags&flagRST != 0 || f.finOut && f.finIn
}

// again begins to count anew, after the flow was told of in part.
func (f *flow) again(at time.Time) {
	f.start, f.last, f.traffic = at, at, event.Traffic{}
}

// flowTable holds the flows that did not end, by key and by the time of their
// last packet.
type flowTable struct {
	flows         map[flowKey]*flow
	open, closing flowQueue
	fragments     map[datagramKey]*flow // of datagrams whose first fragment was seen
}

func newFlowTable() flowTable {
	return flowTable{flows: map[flowKey]*flow{}, fragments: map[datagramKey]*flow{}}
}

func (t *flowTable) len() int { return len(t.flows) }

func (t *flowTable) get(s *segment) *flow { return t.flows[keyOf(s)] }

// add begins a flow with a packet: its sender is the client, unless the packet
// shows that it answers.
func (t *flowTable) add(s *segment) *flow {
	f := &flow{key: keyOf(s), client: s.src, server: s.dst, protocol: s.ip.protocol, start: s.at, last: s.at}
	if s.answers() {
		f.client, f.server = f.server, f.client
	}
	t.flows[f.key] = f
	return f
}

// answers says that a packet that is the first of its flow here answers one
// that was not captured: it accepts a connection, or comes from a port that only
// servers have.
func (s *segment) answers() bool {
	switch s.flags & (flagSYN | flagACK) {
	case flagSYN:
		return false
	case flagSYN | flagACK:
		return true
	}
	const servers = 1024
	return s.src.Port() != 0 && s.src.Port() < servers && s.dst.Port() >= servers
}

// touch makes f the one with the newest packet.
func (t *flowTable) touch(f *flow) {
	if f.queue != nil {
		f.queue.remove(f)
	}
	if f.queue = &t.open; f.closed {
		f.queue = &t.closing
	}
	f.queue.push(f)
}

func (t *flowTable) remove(f *flow) {
	if f.queue != nil {
		f.queue.remove(f)
	}
	f.gone = true
	delete(t.flows, f.key)
}

// maxFragments bounds the datagrams in pieces that are known at one time.
const maxFragments = 1024

func (t *flowTable) remember(d datagramKey, f *flow) {
	if len(t.fragments) >= maxFragments {
		clear(t.fragments)
	}
	t.fragments[d] = f
}

// flowQueue is flows by the time of their last packet.
type flowQueue struct{ first, last *flow }

func (q *flowQueue) oldest() *flow { return q.first }

func (q *flowQueue) push(f *flow) {
	f.older, f.newer = q.last, nil
	if q.last != nil {
		q.last.newer = f
	} else {
		q.first = f
	}
	q.last = f
}

func (q *flowQueue) remove(f *flow) {
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		q.first = f.newer
	}
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		q.last = f.older
	}
	f.older, f.newer = nil, nil
}
