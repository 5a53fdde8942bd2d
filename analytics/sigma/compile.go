package sigma

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// key is the same for tests that ask the same.
func (t *test) key() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d\x00%s\x00", t.kind, t.field)
	switch t.kind {
	case testText:
		fmt.Fprintf(&s, "%t%t", t.cased, t.dash)
		values := make([]string, len(t.patterns))
		for i, p := range t.patterns {
			values[i] = p.key()
		}
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			fmt.Fprintf(&s, "\x00%d:%s", len(value), value)
		}
	case testRegex:
		s.WriteString(t.plan.source)
	case testCIDR:
		fmt.Fprint(&s, t.prefixes)
	case testNumber:
		fmt.Fprint(&s, t.compare, t.part, t.numbers)
	case testRef:
		fmt.Fprintf(&s, "%s\x00%d%t", t.other, t.shape, t.cased)
	}
	return s.String()
}

func (p *pattern) key() string {
	if p.shape != shapeGlob {
		return string(rune('0'+p.shape)) + p.text
	}
	var s strings.Builder
	s.WriteString("g")
	for _, piece := range p.pieces {
		fmt.Fprintf(&s, "%d:%d:%s", piece.kind, len(piece.text), piece.text)
	}
	return s.String()
}

// finish lays out what the rules need and hangs each on what wakes it.
func (b *builder) finish() *Engine {
	e := b.e
	for i := range e.lazies {
		// A rule that only a lazy could wake is woken by its field's presence.
		if l := &e.lazies[i]; len(l.gates) == 0 && l.slot != anySlot {
			b.presentBit(l.slot)
		}
	}
	w := &waker{b: b, cost: make([]float64, e.bits), clauses: make(map[uint32]clause, len(e.nodes))}
	for bit := range w.cost {
		w.cost[bit] = b.frequency(uint32(bit))
	}
	wakes := make([][]uint32, e.bits)
	for i := range e.rules {
		clause := w.clause(e.rules[i].root)
		if !clause.known {
			e.always = append(e.always, uint32(i))
			continue
		}
		for _, bit := range clause.bits {
			wakes[bit] = append(wakes[bit], uint32(i))
		}
	}
	e.sets, e.wakes = newCSR(b.sets), newCSR(wakes)
	b.buildViews()
	e.nodes, e.kids = slices.Clip(e.nodes), slices.Clip(e.kids)
	return e
}

func (b *builder) buildViews() {
	type place struct {
		slot int32
		dash bool
	}
	byShape := map[place]*[shapeGlob][]uint32{}
	for key, id := range b.literals {
		at := place{key.slot, key.dash}
		if byShape[at] == nil {
			byShape[at] = &[shapeGlob][]uint32{}
		}
		byShape[at][key.shape] = append(byShape[at][key.shape], id)
	}
	for at, ids := range byShape {
		for _, list := range ids {
			slices.Sort(list)
		}
		v := &view{
			prefix: newTrie(ids[shapePrefix], b.e.literals, false),
			suffix: newTrie(ids[shapeSuffix], b.e.literals, true),
			scan:   newScanner(ids[shapeContains], b.e.literals),
		}
		if len(ids[shapeExact]) > 0 {
			v.exact = make(map[string]uint32, len(ids[shapeExact]))
			for _, id := range ids[shapeExact] {
				v.exact[b.e.literals[id]] = id
			}
		}
		if at.dash {
			b.e.slots[at.slot].dash = v
		} else {
			b.e.slots[at.slot].plain = v
		}
	}
}

// frequency guesses how often a bit is set: short literals often, and those
// that many rules ask for, since rules are about what is there.
func (b *builder) frequency(bit uint32) float64 {
	if len(b.members[bit]) == 0 {
		return 1 // presence
	}
	sum := 0.0
	for _, id := range b.members[bit] {
		users := 0
		for _, set := range b.sets[id] {
			users += b.users[set]
		}
		length := float64(min(len(b.e.literals[id]), 12))
		sum += math.Pow(0.6, length) + 0.0005*float64(users)
	}
	return min(sum, 1)
}

// clause is bits one of which is set whenever a node is true.
type clause struct {
	known bool
	bits  []uint32
	cost  float64
}

// waker finds for each node the clause that wakes it least often.
type waker struct {
	b       *builder
	cost    []float64 // by bit
	clauses map[uint32]clause
}

func (w *waker) clause(i uint32) clause {
	if c, ok := w.clauses[i]; ok {
		return c
	}
	c := w.find(w.b.e.nodes[i])
	w.clauses[i] = c
	return c
}

func (w *waker) of(bit int32) clause {
	return clause{known: true, bits: []uint32{uint32(bit)}, cost: w.cost[bit]}
}

func (w *waker) find(n node) clause {
	switch n.op {
	case nodeBit:
		return w.of(int32(n.a))
	case nodeLazy:
		l := &w.b.e.lazies[n.a]
		switch {
		case len(l.gates) > 0:
			rarest := slices.MinFunc(l.gates, func(a, b uint32) int { return cmp.Compare(w.cost[a], w.cost[b]) })
			return w.of(int32(rarest))
		case l.slot != anySlot:
			return w.of(w.b.e.slots[l.slot].present)
		}
	case nodeAnd:
		return w.cheapest(n)
	case nodeOr:
		return w.union(n)
	}
	return clause{}
}

func (w *waker) cheapest(n node) clause {
	var best clause
	for _, kid := range w.b.e.kids[n.a : n.a+n.b] {
		if c := w.clause(kid); c.known && (!best.known || c.cost < best.cost) {
			best = c
		}
	}
	return best
}

func (w *waker) union(n node) clause {
	all := clause{known: true}
	for _, kid := range w.b.e.kids[n.a : n.a+n.b] {
		c := w.clause(kid)
		if !c.known {
			return clause{}
		}
		all.bits = append(all.bits, c.bits...)
		all.cost += c.cost
	}
	slices.Sort(all.bits)
	all.bits = slices.Compact(all.bits)
	return all
}
