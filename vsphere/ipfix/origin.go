package ipfix

import (
	"container/list"
	"net/netip"
)

// origin is one address that exporters send from, with what it takes of the
// Decoder's memory: whoever can send from one address can send from all its
// ports, for any number of domains, and with flows that can be decoded. What
// is full makes room at the address that takes more than its share of it.
type origin struct {
	addr   netip.Addr
	mine   queue
	place  *list.Element
	fields int // of templates
	held   int // bytes that wait for a template
}

// measure is what an origin takes of something that has a bound.
type measure int

const (
	inSessions measure = iota
	inFields
	measures
)

func (o *origin) taken(m measure) int {
	if m == inSessions {
		return o.mine.len()
	}
	return o.fields
}

// origins knows addresses, and of each measure one that takes much.
type origins struct {
	known map[netip.Addr]*origin
	order list.List
	most  [measures]*origin
}

// grew notes that an origin takes more.
func (os *origins) grew(o *origin, m measure) {
	if most := os.most[m]; most == nil || o.taken(m) > most.taken(m) {
		os.most[m] = o
	}
}

// above is an origin that takes more than that; nil: none is known.
func (os *origins) above(share int, m measure) *origin {
	if o := os.most[m]; o != nil && o.taken(m) > share {
		return o
	}
	left := maxLook
	for e := os.order.Front(); e != nil && left > 0; e = e.Next() {
		if o := e.Value.(*origin); o.taken(m) > share {
			os.most[m] = o
			return o
		}
		left--
	}
	return nil
}

// queue is sessions, the one that was silent for longest first. Those of whom a
// flow was decoded are kept before those that only say that they exist.
type queue struct{ proven, others list.List }

// list is the one of the two that s belongs in.
func (q *queue) list(s *session) *list.List {
	if s.good {
		return &q.proven
	}
	return &q.others
}

func (q *queue) len() int { return q.proven.Len() + q.others.Len() }

// first is the session to give up first, of those that may be; nil: there is
// none among those that it looks at.
func (q *queue) first(may func(*session) bool) *session {
	left := maxLook
	for _, l := range []*list.List{&q.others, &q.proven} {
		for e := l.Front(); e != nil && left > 0; e = e.Next() {
			if s := e.Value.(*session); may(s) {
				return s
			}
			left--
		}
	}
	return nil
}

// maxLook bounds the search for what is to be given up.
const maxLook = 1024

// victim is the session to give up for what an origin brings: one of its own
// when it has its share of what is full, else one of an origin that has more;
// but never keep, nor the one whose message is read. Nil: there is none.
func (ss *sessions) victim(o *origin, keep *session, m measure, all int) *session {
	may := func(s *session) bool { return s != keep && s != ss.recent }
	share := all / max(len(ss.origins.known), 1)
	if o.taken(m) < share {
		o = ss.origins.above(share, m)
	}
	if o != nil {
		if s := o.mine.first(may); s != nil {
			return s
		}
	}
	return ss.every.first(may)
}

// join puts a session into the lists.
func (ss *sessions) join(s *session) {
	os := &ss.origins
	o := os.known[s.key.peer.Addr()]
	if o == nil {
		o = &origin{addr: s.key.peer.Addr()}
		o.place = os.order.PushBack(o)
		os.known[o.addr] = o
	}
	s.origin = o
	s.place, s.own = ss.every.others.PushBack(s), o.mine.others.PushBack(s)
	os.grew(o, inSessions)
}

// leave takes it out of them.
func (ss *sessions) leave(s *session) {
	ss.every.list(s).Remove(s.place)
	s.origin.mine.list(s).Remove(s.own)
	if s.origin.mine.len() > 0 {
		return
	}
	delete(ss.origins.known, s.origin.addr)
	ss.origins.order.Remove(s.origin.place)
	for m, most := range ss.origins.most {
		if most == s.origin {
			ss.origins.most[m] = nil
		}
	}
}

// touch makes s the latest of its lists.
func (ss *sessions) touch(s *session) {
	if s.proved == s.good {
		ss.every.list(s).MoveToBack(s.place)
		s.origin.mine.list(s).MoveToBack(s.own)
		return
	}
	ss.every.others.Remove(s.place)
	s.origin.mine.others.Remove(s.own)
	s.good = true
	s.place, s.own = ss.every.proven.PushBack(s), s.origin.mine.proven.PushBack(s)
}
