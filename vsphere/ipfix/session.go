package ipfix

import (
	"container/list"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// sessionKey is whose templates and sequence numbers they are. A port belongs
// to it: many hosts share one address where a switch was given its own, or
// behind NAT. See kin.go for templates that came by another port.
type sessionKey struct {
	peer    netip.AddrPort
	domain  uint32
	version uint16
}

// session is one exporter's observation domain.
type session struct {
	key       sessionKey
	id        uint64
	last      time.Time // when it was heard of
	templates map[uint16]*template
	proved    bool // a flow of it was decoded

	held      []*waitingSet // for a template, the longest first
	heldBytes int

	expected uint32 // the next sequence number
	counting bool   // expected is known
	behind   uint32 // what follows a message that seemed late
	lost     int64  // since it was last asked for

	origin     *origin
	place, own *list.Element // in the queue of all, and in its origin's
	good       bool          // they are those of the proven
}

// sessions knows exporters.
type sessions struct {
	known   map[sessionKey]*session
	kin     map[kinKey][]*session
	origins origins
	every   queue
	given   uint64 // ids
	fields  int    // of all templates
	recent  *session
}

func (ss *sessions) init() {
	ss.known, ss.kin = make(map[sessionKey]*session), make(map[kinKey][]*session)
	ss.origins.known = make(map[netip.Addr]*origin)
}

// session finds the session, or begins it.
func (d *Decoder) session(k sessionKey) *session {
	ss := &d.sessions
	if s := ss.recent; s != nil && s.key == k {
		return s
	}
	s := ss.known[k]
	if s == nil {
		s = d.begin(k)
	}
	ss.touch(s)
	ss.recent = s
	return s
}

func (d *Decoder) begin(k sessionKey) *session {
	ss := &d.sessions
	if len(ss.known) >= maxSessions {
		d.makePlace(k.peer.Addr())
	}
	k.peer = netip.AddrPortFrom(k.peer.Addr().WithZone(strings.Clone(k.peer.Addr().Zone())), k.peer.Port())
	ss.given++
	s := &session{key: k, id: ss.given, templates: make(map[uint16]*template)}
	ss.known[k] = s
	ss.kin[k.kin()] = append(ss.kin[k.kin()], s)
	ss.join(s)
	d.count.exporters.Store(int64(len(ss.known)))
	return s
}

// makePlace ends a session for a new one from that address.
func (d *Decoder) makePlace(addr netip.Addr) {
	ss := &d.sessions
	o := ss.origins.known[addr]
	if o == nil {
		o = &origin{}
	}
	if s := ss.victim(o, nil, inSessions, maxSessions); s != nil {
		d.end(s)
	}
}

// end forgets a session with all that is kept for it.
func (d *Decoder) end(s *session) {
	ss := &d.sessions
	for len(s.held) > 0 {
		d.giveUp(s.held[0], undecodedForgotten)
	}
	for id := range s.templates {
		d.drop(s, id)
	}
	ss.leave(s)
	delete(ss.known, s.key)
	k := s.key.kin()
	if ss.kin[k] = slices.DeleteFunc(ss.kin[k], func(o *session) bool { return o == s }); len(ss.kin[k]) == 0 {
		delete(ss.kin, k)
	}
	if ss.recent == s {
		ss.recent = nil
	}
	d.count.exporters.Store(int64(len(ss.known)))
}

// forget ends sessions that were silent since before, and drops templates that
// nothing was heard of since then.
func (d *Decoder) forget(before time.Time) {
	for _, l := range []*list.List{&d.sessions.every.others, &d.sessions.every.proven} {
		for e := l.Front(); e != nil && e.Value.(*session).last.Before(before); e = l.Front() {
			d.end(e.Value.(*session))
		}
	}
	for _, s := range d.sessions.known {
		for id, t := range s.templates {
			if t.used.Before(before) {
				d.drop(s, id)
			}
		}
	}
}

// Loss is what an exporter's sequence numbers say was lost.
type Loss struct {
	Exporter netip.AddrPort
	Domain   uint32
	Lost     int64 // records of IPFIX, messages of NetFlow
}

// Losses gives the exporters that lost something since the last call, the
// worst first, at most n of them.
func (d *Decoder) Losses(n int) []Loss {
	var worst []Loss
	for _, s := range d.sessions.known {
		if s.lost == 0 {
			continue
		}
		l := Loss{Exporter: s.key.peer, Domain: s.key.domain, Lost: s.lost}
		s.lost = 0
		at := len(worst)
		for at > 0 && worst[at-1].Lost < l.Lost {
			at--
		}
		if at >= n {
			continue
		}
		worst = append(worst[:min(len(worst), n-1)], Loss{})
		copy(worst[at+1:], worst[at:])
		worst[at] = l
	}
	return worst
}

// Bounds of what a gap in sequence numbers can mean. A number further ahead is
// a sequence that began anew; one a little behind is late.
const (
	maxGap  = 1 << 24
	maxLate = 1 << 16
)

// sequence compares a message's number with the expected one. IPFIX counts
// data records before the message, NetFlow messages. Messages that seem late one
// after the other are those of a sequence that began anew.
func (d *Decoder) sequence(s *session, h *header, records int, whole bool) {
	next := h.sequence + uint32(records)
	if h.version == versionNetFlow {
		next, whole = h.sequence+1, true
	}
	if s.counting {
		switch gap := int32(h.sequence - s.expected); {
		case gap == 0:
		case gap > 0 && gap <= maxGap:
			d.lost(s, h.version, int64(gap))
		case gap < 0 && gap >= -maxLate && h.sequence != 0 && h.sequence != s.behind:
			d.count.late.Add(1)
			s.behind = next
			return
		default:
			d.count.restarts.Add(1)
		}
	}
	s.expected, s.counting, s.behind = next, whole, 0
}

func (d *Decoder) lost(s *session, version uint16, n int64) {
	s.lost += n
	if version == versionNetFlow {
		d.count.lostMessages.Add(n)
		return
	}
	d.count.lostRecords.Add(n)
}
