// Package ipfix makes events of the flows that a Distributed Switch or the NSX
// firewall exports: IPFIX (RFC 7011) and NetFlow version 9 (RFC 3954), as
// datagrams bring them. It knows the elements that VMware added.
//
// A message says how its records are laid out only now and then. A Decoder
// therefore keeps templates for each exporter and observation domain, holds
// records that come before theirs for a while, counts what got lost on the way
// by the sequence numbers, and leaves out the second report of a flow that a
// switch exports for two pairs of ports. Whatever a sender makes grow has a
// bound.
//
// Templates are decoded by goflow2; records are read in place, as strings that
// share the datagram's memory. The package opens no socket, looks nothing up
// and decides nothing.
package ipfix

import (
	"net/netip"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// Options of a Decoder. Zero members mean the default.
type Options struct {
	// MaxSkew is how far an exporter's time may be from the time of receipt,
	// to either side, to be believed; default 10 minutes.
	MaxSkew time.Duration
	// Replay believes every exporter's time: the records are old.
	Replay bool

	// Hold is how long data waits for its template; default 5 minutes.
	Hold time.Duration
	// Forget is after how long an exporter that sends nothing, and a template
	// that is neither announced nor used, is forgotten; default one hour.
	Forget time.Duration
}

// Bounds of a Decoder's memory.
const (
	maxSessions         = 8192    // exporters with their observation domains
	maxSessionTemplates = 256     // a vDS has 13, NSX 10
	maxFields           = 1 << 19 // of all templates together
	maxTemplateFields   = 256
	maxLayouts          = 1024 // known layouts, which templates share
	maxHeld             = 16 << 20
	maxSessionHeld      = 512 << 10
	maxOriginHeld       = 4 << 20 // of all exporters of one address
	maxTwins            = 1 << 16 // flows remembered for their second report, twice
)

// Message is one datagram's payload, and where it came from.
type Message struct {
	// Data is read in place: a Record's texts are parts of it.
	Data     string
	Peer     netip.AddrPort // the exporter; zero in a file that does not say
	Received time.Time      // zero in a file that does not say: the message's own time counts
}

// Decoder makes flow records of messages. It is not safe for concurrent use;
// only Stats is.
type Decoder struct {
	opts  Options
	count counters

	sessions sessions
	layouts  layouts
	waiting  waiting
	twins    twins
	now      time.Time // of the latest message
	swept    time.Time

	header header // of the message that is read
	record Record
	texts  texts
}

const (
	defaultSkew   = 10 * time.Minute
	defaultHold   = 5 * time.Minute
	defaultForget = time.Hour
	sweepEvery    = 15 * time.Second
)

// New makes a Decoder.
func New(o Options) *Decoder {
	if o.MaxSkew <= 0 {
		o.MaxSkew = defaultSkew
	}
	if o.Hold <= 0 {
		o.Hold = defaultHold
	}
	if o.Forget <= 0 {
		o.Forget = defaultForget
	}
	d := &Decoder{opts: o}
	d.sessions.init()
	d.layouts.known = make(map[string]*layout)
	d.twins.init()
	return d
}

// Decode reads m and gives take each flow in it, and in messages before it
// whose template m brings. A Record, and the events that it fills, are parts of
// m.Data and of the Decoder: the Record is good until take returns, an event's
// texts for as long as anything refers to them. take may block.
func (d *Decoder) Decode(m Message, take func(*Record)) {
	d.count.messages.Add(1)
	h, body, why := readHeader(m.Data)
	if why != 0 {
		d.malformed(why)
		return
	}
	h.received = m.Received
	if h.received.IsZero() {
		h.received = h.exported
	}
	if h.received.After(d.now) {
		d.now = h.received
	}
	d.sweep()
	s := d.session(sessionKey{peer: m.Peer, domain: h.domain, version: h.version})
	s.last = d.now
	d.header = h
	d.message(s, &d.header, body, take)
}

// malformed counts a message, or the rest of a set, that makes no sense: one
// record is lost, or more.
func (d *Decoder) malformed(why Malformed) {
	d.count.malformed[why].Add(1)
	d.count.dropped.malformed.Add(1)
}

// Idle lets time pass: data whose template did not come is given up, and what
// has not been heard of is forgotten. It returns how long it wants to wait at
// most for the next call; 0: nothing waits.
func (d *Decoder) Idle(now time.Time) time.Duration {
	if now.After(d.now) {
		d.now = now
	}
	d.sweep()
	return d.Wait()
}

// Wait is how long the Decoder wants to wait at most for Idle; 0: for ever.
func (d *Decoder) Wait() time.Duration {
	if d.waiting.bytes == 0 {
		return 0
	}
	return sweepEvery
}

// Close gives up all data that still waits for a template.
func (d *Decoder) Close() {
	for w := d.waiting.first(); w != nil; w = d.waiting.first() {
		d.giveUp(w, undecodedClosed)
	}
}

func (d *Decoder) sweep() {
	if d.now.Sub(d.swept) < sweepEvery {
		return
	}
	d.swept = d.now
	d.giveUpBefore(d.now.Add(-d.opts.Hold), undecodedExpired)
	d.forget(d.now.Add(-d.opts.Forget))
	d.twins.turn(d.now)
}

// Record is one data record that is a flow; Fill makes an event of it.
type Record struct {
	Raw string // as it came

	d    *Decoder
	h    *header
	s    *session
	seen seen
}

// Fill makes ev, which must be empty (Reset), the event of this flow.
func (r *Record) Fill(ev *event.Event) { r.seen.fill(r, ev) }

// texts makes strings of bytes without an allocation for each. What it gave
// stays: memory is never written twice.
type texts struct{ b strings.Builder }

const textsAtOnce = 8 << 10

// add gives b as a string.
func (t *texts) add(b []byte) string {
	if t.b.Cap()-t.b.Len() < len(b) {
		t.b = strings.Builder{}
		t.b.Grow(max(textsAtOnce, len(b)))
	}
	at := t.b.Len()
	t.b.Write(b)
	return t.b.String()[at:]
}
