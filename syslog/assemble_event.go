package syslog

import (
	"net/netip"
	"strings"
)

// eventKey names an event that vpxd split. Two hosts behind one relay may
// have events of the same number: group.same links them.
type eventKey struct {
	peer netip.Addr
	id   string
}

// maxSame bounds the events of one number that one peer may have open.
const maxSame = 8

// eventPiece reads "Event [ID] [number-total] ..." (vCenter's forwarded
// events). total is 0 when m is none.
func eventPiece(m *Message) (p piece, id string, total int) {
	s, ok := strings.CutPrefix(m.Text, "Event [")
	if !ok {
		return piece{}, "", 0
	}
	id, s, ok = strings.Cut(s, "] [")
	if !ok || !allDigits(id) || len(id) > 20 {
		return piece{}, "", 0
	}
	number, s, ok := strings.Cut(s, "-")
	count, s, ok2 := strings.Cut(s, "]")
	n, ok3 := decimal(number)
	total, ok4 := decimal(count)
	if !ok || !ok2 || !ok3 || !ok4 || n < 1 || n > total {
		return piece{}, "", 0
	}
	s = strings.TrimPrefix(s, " ")
	return piece{raw: m.Raw, text: m.Text, number: n, tail: len(m.Text) - len(s)}, id, total
}

// addEvent takes a piece of an event; it goes on with its others.
func (a *Assembler) addEvent(m *Message, p piece, id string, total int, emit func(*Message)) {
	if g := a.lines[lineKey{m.Peer.Addr(), m.Host, m.App, m.ProcID}]; g != nil {
		a.finish(g, emit)
	}
	if total == 1 {
		emit(m)
		return
	}
	key := eventKey{m.Peer.Addr(), id}
	g, others := a.findEvent(key, m, total)
	switch {
	case total > MaxPieces || g == nil && others >= maxSame || g != nil && g.has(p.number):
		m.Partial = true
		a.stats.Orphans++
		emit(m)
		return
	case g == nil:
		g = a.newEvent(key, m, total)
		g.pieces = append(g.pieces, p)
	default:
		a.joinPiece(g, m, p)
	}
	switch {
	case len(g.pieces) == total:
		a.finish(g, emit)
	case g.size > MaxJoined:
		a.stats.Overflow++
		a.finish(g, emit)
	default:
		a.bound(emit)
	}
}

// findEvent gives the event that a piece belongs to. A piece without a header
// belongs to the only one of its number; when two hosts have one, to none.
func (a *Assembler) findEvent(key eventKey, m *Message, total int) (found *group, others int) {
	bare := m.Host == "" && m.App == ""
	var only *group
	for g := a.events[key]; g != nil; g = g.same {
		others++
		if g.total != total {
			continue
		}
		if g.msg.Host == m.Host && g.msg.App == m.App && g.msg.ProcID == m.ProcID {
			return g, others
		}
		only = g
	}
	if only != nil && others == 1 && (bare || only.msg.Host == "" && only.msg.App == "") {
		return only, others
	}
	return nil, others
}

func (a *Assembler) newEvent(key eventKey, m *Message, total int) *group {
	g := a.group()
	key.id = strings.Clone(key.id)
	g.event, g.total = key, total
	g.msg, g.due = *m, a.due(m)
	if a.events == nil {
		a.events = make(map[eventKey]*group)
	}
	g.same = a.events[key]
	a.events[key] = g
	a.count++
	a.charge(g, len(m.Raw))
	a.link(g)
	a.share(g)
	return g
}

// joinPiece puts p in its place. The header is the first piece's, or the only
// one that any piece has.
func (a *Assembler) joinPiece(g *group, m *Message, p piece) {
	if g.msg.Host == "" && g.msg.App == "" || p.number == 1 && m.App != "" {
		head := *m
		head.Records, head.Truncated, head.Ordinal = g.msg.Records, g.msg.Truncated, g.msg.Ordinal
		g.msg = head
	}
	a.append(g, m, p)
	for i := len(g.pieces) - 1; i > 0 && g.pieces[i-1].number > p.number; i-- {
		g.pieces[i], g.pieces[i-1] = g.pieces[i-1], g.pieces[i]
	}
}

func (g *group) has(number int) bool {
	for _, p := range g.pieces {
		if p.number == number {
			return true
		}
	}
	return false
}

// joinEvent makes one text of the pieces: vpxd cuts anywhere, so nothing
// comes between them, except where one is missing.
func (g *group) joinEvent() {
	raw := make([]string, 0, MaxPieces)
	var text strings.Builder
	before := 0
	for _, p := range g.pieces {
		raw = append(raw, p.raw)
		switch {
		case before > 0 && p.number == before+1:
			text.WriteString(p.text[p.tail:])
		case before > 0:
			text.WriteString("\n")
			fallthrough
		default:
			text.WriteString(p.text)
		}
		before = p.number
	}
	g.msg.Raw, g.msg.Text = strings.Join(raw, "\n"), text.String()
	g.msg.Partial = len(g.pieces) < g.total
}

func (a *Assembler) dropEvent(g *group) {
	first := a.events[g.event]
	if first == g {
		if g.same == nil {
			delete(a.events, g.event)
		} else {
			a.events[g.event] = g.same
		}
		return
	}
	for before := first; before != nil; before = before.same {
		if before.same == g {
			before.same = g.same
			return
		}
	}
}
