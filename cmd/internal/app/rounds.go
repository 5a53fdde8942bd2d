package app

import (
	"sync"
	"time"

	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/ingest"
)

// rounds are what a decoder that joins records was given, in parts. A record
// may become part of an event that is told later, when others of it have come.
// So the messages of a round are done when nothing of it is held any more, and
// all events are stored that were told until then: those of the round itself,
// and of the rounds that began meanwhile.
type rounds struct {
	mu   sync.Mutex
	list []*round
}

type round struct {
	last     time.Time         // receipt of its latest record
	fed      int64             // records that the decoder had at its end
	messages []*ingest.Message // that its records came in
	claim    *forward.Claim    // of the events that were told in it
	ended    bool              // another one begins with the next record
	until    *round            // the round in which the last of it was told; nil: some may be held
	stored   bool              // all events that were told in it are
	lost     bool
}

// take notes a record that the decoder gets, the n-th. What is delivered again
// was received before others: a round's time does not go back.
func (rs *rounds) take(received time.Time, n int64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.newest()
	r.last, r.fed = later(r.last, received), n
}

// hold keeps a message, received at that time of the events, until nothing of
// its records is under way any more.
func (rs *rounds) hold(m *ingest.Message, received time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.newest()
	r.last = later(r.last, received)
	r.messages = append(r.messages, m)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// account is the claim for events that are told now.
func (rs *rounds) account() *forward.Claim {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.newest().claim
}

// newest gives the round that goes on, or begins one.
func (rs *rounds) newest() *round {
	r := &round{}
	if n := len(rs.list); n > 0 {
		if last := rs.list[n-1]; !last.ended {
			return last
		} else {
			r.last, r.fed = last.last, last.fed
		}
	}
	r.claim = forward.NewClaim(func(settled bool) {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		r.stored, r.lost = true, !settled
		rs.advance()
	})
	rs.list = append(rs.list, r)
	return r
}

// close ends the newest round, and closes those whose records came before that
// time (the zero time: all): the decoder holds nothing of them any more. It
// says whether there were any, and how many records the decoder had at the end
// of the last of them.
func (rs *rounds) close(before time.Time) (fed int64, closed bool) {
	rs.mu.Lock()
	if len(rs.list) == 0 {
		rs.mu.Unlock()
		return 0, false
	}
	newest := rs.list[len(rs.list)-1]
	ends := !newest.ended
	newest.ended = true
	for _, r := range rs.list {
		if r.until == nil && (before.IsZero() || r.last.Before(before)) {
			r.until, fed, closed = newest, r.fed, true
		}
	}
	rs.advance()
	rs.mu.Unlock()
	if ends {
		newest.claim.Release()
	}
	return fed, closed
}

// advance lets go of the messages at the front that are done.
func (rs *rounds) advance() {
	for len(rs.list) > 0 {
		front, lost := rs.list[0], false
		if front.until == nil {
			return
		}
		for _, r := range rs.list {
			if !r.stored {
				return
			}
			lost = lost || r.lost
			if r == front.until {
				break
			}
		}
		for _, m := range front.messages {
			m.Done(!lost)
		}
		rs.list = rs.list[1:]
	}
}

// idle says that the decoder holds nothing.
func (rs *rounds) idle() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.list) == 0 || rs.list[len(rs.list)-1].until != nil
}
