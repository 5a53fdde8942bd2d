package sigma

import (
	"slices"
	"time"

	"github.com/vegress/vegress/event"
)

// maxScratch is how many bytes of folded text a Matcher keeps between records.
const maxScratch = 1 << 20

// Matcher evaluates an Engine's rules on records. It is used from one
// goroutine at a time and keeps nothing of a record.
type Matcher struct {
	// Cost, where it is set, is told what each rule that was looked at cost,
	// without the lookups that all rules share. It makes Match slower.
	Cost func(rule *Rule, took time.Duration)

	engine *Engine
	slots  []int32 // field id -> slot: 0 not known yet, -1 none

	bits      []uint64
	seen      []uint64 // rules that are woken
	lazyKnown []uint64
	lazyTrue  []uint64

	values  []fieldValue
	heads   []int32 // slot -> its last value, or -1
	touched []int32 // slots whose head is set
	folded  []byte
	scratch []byte
	woken   []uint32
	hit     Hit
	stats   MatcherStats
}

// MatcherStats counts what a Matcher did.
type MatcherStats struct {
	Records   uint64
	Evaluated uint64 // rules looked at
	Lazy      uint64 // tests answered one by one
	Hits      uint64
}

// fieldValue is one value of the record under evaluation. Its folded texts
// lie in the Matcher's folded.
type fieldValue struct {
	raw              string
	number           bool
	slot             int32 // or -1
	next             int32 // value of the same slot, or -1
	start, end       int32
	dashFrom, dashTo int32 // with dashes folded; dashFrom is -1 until made
}

// NewMatcher makes a Matcher of e.
func (e *Engine) NewMatcher() *Matcher {
	words := func(n int) []uint64 { return make([]uint64, (n+63)/64) }
	m := &Matcher{
		engine: e, bits: words(e.bits), seen: words(len(e.rules)),
		lazyKnown: words(len(e.lazies)), lazyTrue: words(len(e.lazies)),
		heads: make([]int32, len(e.slots)),
	}
	for i := range m.heads {
		m.heads[i] = -1
	}
	m.hit.m = m
	return m
}

// Stats says what m did so far.
func (m *Matcher) Stats() MatcherStats { return m.stats }

// Match calls yield for each rule that holds for r. The Hit is good until
// yield returns.
func (m *Matcher) Match(r *Record, yield func(*Hit)) {
	m.begin(r)
	for _, rule := range m.engine.always {
		m.evaluate(rule, yield)
	}
	for _, rule := range m.woken {
		m.evaluate(rule, yield)
	}
}

func (m *Matcher) evaluate(rule uint32, yield func(*Hit)) {
	m.stats.Evaluated++
	code := &m.engine.rules[rule]
	holds := false
	if m.Cost == nil {
		holds = m.eval(code.root)
	} else {
		start := time.Now()
		holds = m.eval(code.root)
		m.Cost(code.rule, time.Since(start))
	}
	if holds {
		m.stats.Hits++
		m.hit.Rule = code.rule
		yield(&m.hit)
	}
}

// begin forgets the record before and looks every field of r up.
func (m *Matcher) begin(r *Record) {
	clear(m.bits)
	clear(m.seen)
	clear(m.lazyKnown)
	for _, slot := range m.touched {
		m.heads[slot] = -1
	}
	m.touched, m.values, m.woken = m.touched[:0], m.values[:0], m.woken[:0]
	if cap(m.folded) > maxScratch {
		m.folded, m.scratch = nil, nil
	}
	m.folded = m.folded[:0]
	m.stats.Records++
	for i := range r.Typed {
		m.add(&r.Typed[i])
	}
	for i := range r.Fields {
		m.add(&r.Fields[i])
	}
	if r.Text != "" && m.engine.keywords {
		m.push(r.Text, -1)
		m.look(&m.engine.slots[anySlot])
	}
	if bit := m.engine.slots[anySlot].present; bit >= 0 && len(m.values) > 0 {
		m.set(uint32(bit))
	}
}

// slotOf finds the slot of a field once and keeps it.
func (m *Matcher) slotOf(id event.FieldID) int32 {
	if int(id) < len(m.slots) && m.slots[id] != 0 {
		return m.slots[id]
	}
	for int(id) >= len(m.slots) {
		m.slots = append(m.slots, 0)
	}
	m.slots[id] = -1
	if slot, ok := m.engine.slotOf[fieldName(id.Name())]; ok && slot != anySlot {
		m.slots[id] = slot
	}
	return m.slots[id]
}

// add looks one field up.
func (m *Matcher) add(f *event.Field) {
	slot := m.slotOf(f.ID)
	if slot >= 0 {
		if bit := m.engine.slots[slot].exists; bit >= 0 {
			m.set(uint32(bit))
		}
	}
	if f.Kind == event.KindNull || slot < 0 && !m.engine.keywords {
		return
	}
	m.push(f.Value, slot)
	m.values[len(m.values)-1].number = f.Kind == event.KindNumber
	if slot >= 0 {
		s := &m.engine.slots[slot]
		if s.present >= 0 {
			m.set(uint32(s.present))
		}
		m.look(s)
		if s.plain != nil && s.plain.exact != nil && f.Kind == event.KindNumber {
			m.lookNumber(s.plain, f.Value)
		}
	}
	if m.engine.keywords {
		m.look(&m.engine.slots[anySlot])
	}
}

// push takes a value up, folded.
func (m *Matcher) push(raw string, slot int32) {
	v := fieldValue{raw: raw, slot: slot, next: -1, start: int32(len(m.folded)), dashFrom: -1}
	m.folded = appendFold(m.folded, raw)
	v.end = int32(len(m.folded))
	if slot >= 0 {
		if v.next = m.heads[slot]; v.next < 0 {
			m.touched = append(m.touched, slot)
		}
		m.heads[slot] = int32(len(m.values))
	}
	m.values = append(m.values, v)
}

// look looks the last value up in a slot's views.
func (m *Matcher) look(s *slot) {
	v := &m.values[len(m.values)-1]
	if s.plain != nil {
		s.plain.look(m, m.text(v, false))
	}
	if s.dash != nil {
		s.dash.look(m, m.text(v, true))
	}
}

func (v *view) look(m *Matcher, text []byte) {
	if v.exact != nil {
		if literal, ok := v.exact[string(text)]; ok {
			m.mark(literal)
		}
	}
	if v.prefix != nil {
		v.prefix.lookup(m, text)
	}
	if v.suffix != nil {
		v.suffix.lookup(m, text)
	}
	if v.scan != nil {
		v.scan.find(m, text)
	}
}

// lookNumber looks a JSON number up as it is written in short.
func (m *Matcher) lookNumber(v *view, number string) {
	short, other := appendCanonical(m.scratch[:0], number)
	m.scratch = short
	if literal, ok := v.exact[string(short)]; other && ok {
		m.mark(literal)
	}
}

// text gives a value's folded text.
func (m *Matcher) text(v *fieldValue, dash bool) []byte {
	plain := m.folded[v.start:v.end]
	if !dash {
		return plain
	}
	if v.dashFrom < 0 {
		v.dashFrom, v.dashTo = v.start, v.end
		if hasDashToFold(plain) {
			v.dashFrom = int32(len(m.folded))
			m.folded = appendDashFold(m.folded, plain)
			v.dashTo = int32(len(m.folded))
		}
	}
	return m.folded[v.dashFrom:v.dashTo]
}

// mark notes that a literal is there.
func (m *Matcher) mark(literal uint32) {
	for _, bit := range m.engine.sets.of(literal) {
		m.set(bit)
	}
}

func (m *Matcher) set(bit uint32) {
	if m.bits[bit/64]>>(bit%64)&1 != 0 {
		return
	}
	m.bits[bit/64] |= 1 << (bit % 64)
	for _, rule := range m.engine.wakes.of(bit) {
		if m.seen[rule/64]>>(rule%64)&1 == 0 {
			m.seen[rule/64] |= 1 << (rule % 64)
			m.woken = append(m.woken, rule)
		}
	}
}

func (m *Matcher) has(bit uint32) bool { return m.bits[bit/64]>>(bit%64)&1 != 0 }

// eval evaluates a node on the bits of the record.
func (m *Matcher) eval(i uint32) bool {
	switch n := &m.engine.nodes[i]; n.op {
	case nodeBit:
		return m.has(n.a)
	case nodeNotBit:
		return !m.has(n.a)
	case nodeLazy:
		return m.ask(n.a)
	case nodeNotLazy:
		return !m.ask(n.a)
	case nodeAnd:
		for _, kid := range m.engine.kids[n.a : n.a+n.b] {
			if !m.eval(kid) {
				return false
			}
		}
		return true
	default:
		for _, kid := range m.engine.kids[n.a : n.a+n.b] {
			if m.eval(kid) {
				return true
			}
		}
		return false
	}
}

// ask answers a lazy test, once for each record.
func (m *Matcher) ask(i uint32) bool {
	word, mask := i/64, uint64(1)<<(i%64)
	if m.lazyKnown[word]&mask != 0 {
		return m.lazyTrue[word]&mask != 0
	}
	m.lazyKnown[word] |= mask
	m.lazyTrue[word] &^= mask
	l := &m.engine.lazies[i]
	for _, gate := range l.gates {
		if !m.has(gate) {
			return false
		}
	}
	m.stats.Lazy++
	if m.answer(l) {
		m.lazyTrue[word] |= mask
		return true
	}
	return false
}

// answer puts the question to each value of the field.
func (m *Matcher) answer(l *lazy) bool {
	if l.slot == anySlot {
		for i := range m.values {
			if m.holds(l.test, l.other, &m.values[i]) {
				return true
			}
		}
		return false
	}
	for i := m.heads[l.slot]; i >= 0; i = m.values[i].next {
		if m.holds(l.test, l.other, &m.values[i]) {
			return true
		}
	}
	return false
}

// holds says that t holds for one value.
func (m *Matcher) holds(t *test, other int32, v *fieldValue) bool {
	switch t.kind {
	case testText:
		return m.isLike(t, v)
	case testRegex:
		return t.plan.match(v.raw)
	case testCIDR:
		return inPrefixes(t.prefixes, v.raw)
	case testNumber:
		return t.compares(v.raw)
	case testRef:
		for i := m.heads[other]; i >= 0; i = m.values[i].next {
			if m.refers(t, v, &m.values[i]) {
				return true
			}
		}
		return false
	}
	return true // present
}

// isLike says that v is like one of t's patterns. A number may be written in
// another way than the rule's.
func (m *Matcher) isLike(t *test, v *fieldValue) bool {
	text := m.comparable(v, t)
	for i := range t.patterns {
		if t.patterns[i].match(text) {
			return true
		}
	}
	if !v.number || t.cased {
		return false
	}
	short, other := appendCanonical(m.scratch[:0], v.raw)
	m.scratch = short
	return other && slices.ContainsFunc(t.patterns, func(p pattern) bool {
		return p.shape == shapeExact && p.text == string(short)
	})
}

// comparable gives the text of v as t's patterns are.
func (m *Matcher) comparable(v *fieldValue, t *test) []byte {
	if !t.cased {
		return m.text(v, t.dash)
	}
	m.scratch = append(m.scratch[:0], v.raw...)
	if t.dash && hasDashToFold(m.scratch) {
		length := len(m.scratch)
		m.scratch = appendDashFold(m.scratch, m.scratch)
		return m.scratch[length:]
	}
	return m.scratch
}

// refers compares two fields' values.
func (m *Matcher) refers(t *test, v, other *fieldValue) bool {
	if t.cased {
		return t.shape.holdsFor(v.raw, other.raw)
	}
	return t.shape.holdsForBytes(m.text(v, false), m.text(other, false))
}
