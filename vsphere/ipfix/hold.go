package ipfix

import (
	"container/list"
	"slices"
	"strings"
	"time"
)

// waitingSet is a data set whose template has not come.
type waitingSet struct {
	session *session
	id      uint16
	header  header
	data    string
	place   *list.Element
}

// waiting is all of them, the longest first.
type waiting struct {
	list  list.List
	bytes int
}

// setCost is what a set takes beside its data.
const setCost = 256

func (w *waitingSet) size() int { return len(w.data) + setCost }

// hold keeps a set until its template comes. When all of them take too much,
// the oldest go; when those of one exporter or address do, the newest.
func (d *Decoder) hold(s *session, h *header, id uint16, data string) {
	size := len(data) + setCost
	if s.heldBytes+size > maxSessionHeld || s.origin.held+size > maxOriginHeld {
		d.undecodable(undecodedFull)
		return
	}
	w := &waitingSet{session: s, id: id, header: *h, data: strings.Clone(data)} // a datagram's memory is its batch's
	w.place = d.waiting.list.PushBack(w)
	s.held = append(s.held, w)
	s.heldBytes += w.size()
	s.origin.held += w.size()
	d.waiting.bytes += w.size()
	d.count.held.Add(1)
	for d.waiting.bytes > maxHeld {
		d.giveUp(d.waiting.first(), undecodedFull)
	}
	d.count.heldBytes.Store(int64(d.waiting.bytes))
}

// undecodable counts a set that is given up.
func (d *Decoder) undecodable(why undecoded) {
	d.count.undecoded[why].Add(1)
	d.count.dropped.noTemplate.Add(1)
}

func (d *Decoder) giveUp(w *waitingSet, why undecoded) {
	s := w.session
	s.held = slices.DeleteFunc(s.held, func(o *waitingSet) bool { return o == w })
	d.release(w)
	d.undecodable(why)
}

// giveUpBefore gives up what came before then: sets wait in the order in which
// they came.
func (d *Decoder) giveUpBefore(then time.Time, why undecoded) {
	for w := d.waiting.first(); w != nil && w.header.received.Before(then); w = d.waiting.first() {
		d.giveUp(w, why)
	}
}

// release takes a set out of those that wait, but not out of its session's.
func (d *Decoder) release(w *waitingSet) {
	d.waiting.list.Remove(w.place)
	w.session.heldBytes -= w.size()
	w.session.origin.held -= w.size()
	d.waiting.bytes -= w.size()
	d.count.held.Add(-1)
	d.count.heldBytes.Store(int64(d.waiting.bytes))
}

func (w *waiting) first() *waitingSet {
	if e := w.list.Front(); e != nil {
		return e.Value.(*waitingSet)
	}
	return nil
}

// decodeHeld reads what waited for a template that has come.
func (d *Decoder) decodeHeld(s *session, id uint16, take func(*Record)) {
	if len(s.held) == 0 {
		return
	}
	var mine []*waitingSet
	s.held = slices.DeleteFunc(s.held, func(w *waitingSet) bool {
		if w.id == id {
			mine = append(mine, w)
		}
		return w.id == id
	})
	for _, w := range mine {
		d.release(w)
	}
	for _, w := range mine {
		d.data(s, &w.header, s.templates[id].layout, w.data, take)
	}
}
