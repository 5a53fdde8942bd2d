package ipfix

import (
	"net/netip"
	"slices"
)

// kinKey is what sessions have in common that may well be one exporter's, on
// other ports: it takes a new one at each start, and some for each message.
type kinKey struct {
	addr    netip.Addr
	domain  uint32
	version uint16
}

func (k sessionKey) kin() kinKey { return kinKey{k.peer.Addr(), k.domain, k.version} }

// maxKin bounds how many relatives are asked.
const maxKin = 64

// borrow gives s the template that its relatives have under that number, when
// they agree on it and data fits it; nil: it has to wait for its own. What s
// announces itself replaces it.
func (d *Decoder) borrow(s *session, id uint16, data string) *template {
	l := d.agreed(s, id)
	if l == nil || !l.fits(data) {
		return nil
	}
	d.keep(s, id, l)
	return s.templates[id]
}

// agreed is the layout that the relatives of s have under a number, all that
// have any; nil: there is none, or there are two.
func (d *Decoder) agreed(s *session, id uint16) (l *layout) {
	kin := d.sessions.kin[s.key.kin()]
	for _, other := range kin[max(0, len(kin)-maxKin):] {
		t := other.templates[id]
		switch {
		case t == nil:
		case l != nil && l != t.layout:
			return nil
		default:
			l = t.layout
		}
	}
	return l
}

// fits says that data is made of such records, and no more padding than a set
// may have.
func (l *layout) fits(data string) bool {
	const most = 3
	if !l.fixed {
		n, ok := l.length(data)
		return ok && n > 0
	}
	rest := len(data) % l.least
	return len(data) >= l.least && rest <= most && padding(data[len(data)-rest:])
}

// lend decodes what relatives of s hold for a template that it announced.
func (d *Decoder) lend(s *session, id uint16, take func(*Record)) {
	kin := d.sessions.kin[s.key.kin()]
	if len(kin) == 1 {
		return
	}
	for _, other := range slices.Clone(kin[max(0, len(kin)-maxKin):]) { // room for a template may end some
		for _, w := range other.held {
			if w.id == id && other.templates[id] == nil && d.borrow(other, id, w.data) != nil {
				d.decodeHeld(other, id, take)
				break
			}
		}
	}
}
