package sigma

import (
	"cmp"
	"slices"

	"github.com/vegress/vegress/event"
)

// Engine is rules compiled into one index. It is immutable and safe for
// concurrent use, each goroutine through a Matcher of its own.
//
// Each distinct test of all rules is one bit. Tests of plain text are answered
// for all rules at once, by looking each field up once; a rule is looked at
// only when a bit was set that it cannot hold without. All other tests
// (regular expressions, wildcards inside, address ranges, numbers, other
// fields) are answered when a rule under evaluation asks.
type Engine struct {
	rules    []ruleCode
	slots    []slot
	slotOf   map[string]int32 // by field name
	literals []string

	sets  csr // literal -> bits that it sets
	wakes csr // bit -> rules to look at

	bits     int
	lazies   []lazy
	nodes    []node
	kids     []uint32
	always   []uint32 // rules that no bit wakes
	keywords bool     // some rule looks at any value
}

// csr is many short lists in two slices.
type csr struct {
	start []uint32
	items []uint32
}

func newCSR(lists [][]uint32) csr {
	c := csr{start: make([]uint32, len(lists)+1)}
	for i, list := range lists {
		c.items = append(c.items, list...)
		c.start[i+1] = uint32(len(c.items))
	}
	c.items = slices.Clip(c.items)
	return c
}

func (c *csr) of(i uint32) []uint32 { return c.items[c.start[i]:c.start[i+1]] }

// slot is a field that some rule looks at. Slot 0 is any field: keywords.
type slot struct {
	name    string
	exists  int32 // bit, or -1
	present int32 // bit, or -1
	plain   *view
	dash    *view
}

const anySlot = 0

// lazy is a test that is answered when asked.
type lazy struct {
	test  *test
	slot  int32
	other int32    // of testRef
	gates []uint32 // bits without all of which the answer is no
}

// node is a part of a rule's logic. Negations are pushed down to the tests.
type node struct {
	op   nodeOp
	a, b uint32 // bit, lazy, or a range of kids
}

type nodeOp uint8

const (
	nodeBit nodeOp = iota
	nodeNotBit
	nodeLazy
	nodeNotLazy
	nodeAnd
	nodeOr
)

type ruleCode struct {
	rule *Rule
	root uint32
}

// Compile makes one Engine of rules.
func Compile(rules []*Rule) *Engine {
	b := &builder{
		e:        &Engine{slotOf: map[string]int32{}},
		tests:    map[string]uint32{},
		literals: map[literalKey]uint32{},
		made:     map[made]uint32{},
		shared:   map[node]uint32{},
	}
	b.slot("")
	for _, rule := range rules {
		b.e.rules = append(b.e.rules, ruleCode{rule: rule, root: b.build(rule.when, false)})
	}
	return b.finish()
}

// Rules gives the rules of the engine in their order.
func (e *Engine) Rules() []*Rule {
	rules := make([]*Rule, len(e.rules))
	for i := range e.rules {
		rules[i] = e.rules[i].rule
	}
	return rules
}

// Fields are the names of the fields that some rule looks at; any says that one
// looks at all there are: it has keywords.
func (e *Engine) Fields() (names []string, any bool) {
	for _, s := range e.slots[anySlot+1:] {
		names = append(names, s.name)
	}
	return names, e.keywords
}

// EngineStats says what an Engine is made of.
type EngineStats struct {
	Rules    int
	Fields   int
	Tests    int // distinct tests of plain text
	Lazy     int // distinct other tests
	Literals int
	Always   int // rules that are looked at for every record
}

// Stats says what e is made of.
func (e *Engine) Stats() EngineStats {
	return EngineStats{
		Rules: len(e.rules), Fields: len(e.slots) - 1, Tests: e.bits, Lazy: len(e.lazies),
		Literals: len(e.literals), Always: len(e.always),
	}
}

// builder makes an Engine.
type builder struct {
	e        *Engine
	tests    map[string]uint32 // test key -> node
	literals map[literalKey]uint32
	sets     [][]uint32 // by literal
	members  [][]uint32 // bit -> its literals
	users    []int      // bit -> places that ask for it
	made     map[made]uint32
	shared   map[node]uint32 // leaves
}

type literalKey struct {
	slot  int32
	dash  bool
	shape shape
	text  string
}

type made struct {
	e   *expr
	not bool
}

func (b *builder) slot(name string) int32 {
	if i, ok := b.e.slotOf[name]; ok {
		return i
	}
	i := int32(len(b.e.slots))
	b.e.slots = append(b.e.slots, slot{name: name, exists: -1, present: -1})
	b.e.slotOf[name] = i
	if name != "" {
		event.Intern(name) // before records fill the table
	}
	return i
}

func (b *builder) newBit() uint32 {
	b.e.bits++
	b.members = append(b.members, nil)
	b.users = append(b.users, 0)
	return uint32(b.e.bits - 1)
}

func (b *builder) leaf(op nodeOp, a uint32) uint32 {
	n := node{op: op, a: a}
	if i, ok := b.shared[n]; ok {
		return i
	}
	b.e.nodes = append(b.e.nodes, n)
	i := uint32(len(b.e.nodes) - 1)
	b.shared[n] = i
	return i
}

// group joins nodes; the cheap ones come first.
func (b *builder) group(op nodeOp, kids []uint32) uint32 {
	if len(kids) == 1 {
		return kids[0]
	}
	slices.SortStableFunc(kids, func(x, y uint32) int { return cmp.Compare(b.effort(x), b.effort(y)) })
	n := node{op: op, a: uint32(len(b.e.kids)), b: uint32(len(kids))}
	b.e.kids = append(b.e.kids, kids...)
	b.e.nodes = append(b.e.nodes, n)
	return uint32(len(b.e.nodes) - 1)
}

// effort guesses what it takes to evaluate a node.
func (b *builder) effort(i uint32) int {
	switch n := b.e.nodes[i]; n.op {
	case nodeBit, nodeNotBit:
		return 1
	case nodeLazy, nodeNotLazy:
		if l := &b.e.lazies[n.a]; l.test.kind == testRegex {
			return 1000
		}
		return 100
	default:
		effort := 2
		for _, kid := range b.e.kids[n.a : n.a+n.b] {
			effort = min(effort+b.effort(kid), 2000)
		}
		return effort
	}
}

// build makes the nodes of e, or of not e.
func (b *builder) build(e *expr, not bool) uint32 {
	key := made{e, not}
	if i, ok := b.made[key]; ok {
		return i
	}
	var i uint32
	switch e.op {
	case opTest:
		i = b.buildTest(e.test, not)
	case opNot:
		i = b.build(e.kids[0], !not)
	default:
		kids := make([]uint32, len(e.kids))
		for k, kid := range e.kids {
			kids[k] = b.build(kid, not)
		}
		i = b.group(groupOp(e.op, not), kids)
	}
	b.made[key] = i
	return i
}

func groupOp(op exprOp, not bool) nodeOp {
	if (op == opAnd) != not {
		return nodeAnd
	}
	return nodeOr
}

// invert gives the negation of a leaf or of an or of leaves.
func (b *builder) invert(i uint32) uint32 {
	n := b.e.nodes[i]
	switch n.op {
	case nodeBit:
		return b.leaf(nodeNotBit, n.a)
	case nodeLazy:
		return b.leaf(nodeNotLazy, n.a)
	}
	kids := make([]uint32, n.b)
	for k, kid := range b.e.kids[n.a : n.a+n.b] {
		kids[k] = b.invert(kid)
	}
	return b.group(nodeAnd, kids)
}

func (b *builder) buildTest(t *test, not bool) uint32 {
	key := t.key()
	i, ok := b.tests[key]
	if !ok {
		i = b.newTest(t)
		b.tests[key] = i
	}
	if n := b.e.nodes[i]; n.op == nodeBit {
		b.users[n.a]++
	}
	if not {
		return b.invert(i)
	}
	return i
}

// newTest makes a test's node: a bit, a lazy, or an or of them.
func (b *builder) newTest(t *test) uint32 {
	s := b.slot(t.field)
	b.e.keywords = b.e.keywords || s == anySlot
	switch t.kind {
	case testText:
		return b.newText(t, s)
	case testPresent:
		return b.leaf(nodeBit, b.presentBit(s))
	case testExists:
		if b.e.slots[s].exists < 0 {
			b.e.slots[s].exists = int32(b.newBit())
		}
		return b.leaf(nodeBit, uint32(b.e.slots[s].exists))
	case testRef:
		return b.newLazy(lazy{test: t, slot: s, other: b.slot(t.other)})
	case testRegex:
		return b.newLazy(lazy{test: t, slot: s, gates: b.gates(s, false, t.plan.need)})
	}
	return b.newLazy(lazy{test: t, slot: s})
}

func (b *builder) newLazy(l lazy) uint32 {
	b.e.lazies = append(b.e.lazies, l)
	return b.leaf(nodeLazy, uint32(len(b.e.lazies)-1))
}

func (b *builder) presentBit(s int32) uint32 {
	if b.e.slots[s].present < 0 {
		b.e.slots[s].present = int32(b.newBit())
	}
	return uint32(b.e.slots[s].present)
}

// gates makes for each list the bit that says one of its literals is in the
// field.
func (b *builder) gates(s int32, dash bool, lists [][]string) []uint32 {
	var gates []uint32
	for _, literals := range lists {
		t := &test{kind: testText, field: b.e.slots[s].name, dash: dash}
		for _, literal := range literals {
			t.patterns = append(t.patterns, pattern{shape: shapeContains, text: literal})
		}
		gates = append(gates, b.e.nodes[b.buildTest(t, false)].a)
	}
	return gates
}

// newText splits a list of values into those that bits can answer and others.
func (b *builder) newText(t *test, s int32) uint32 {
	if t.cased {
		return b.newCased(t, s)
	}
	var kids []uint32
	var globs []pattern
	bit := int64(-1)
	for _, p := range t.patterns {
		switch p.shape {
		case shapeAny:
			kids = append(kids, b.leaf(nodeBit, b.presentBit(s)))
		case shapeGlob:
			globs = append(globs, p)
		default:
			if bit < 0 {
				bit = int64(b.newBit())
				kids = append(kids, b.leaf(nodeBit, uint32(bit)))
			}
			b.addLiteral(uint32(bit), literalKey{slot: s, dash: t.dash, shape: p.shape, text: p.text})
		}
	}
	if len(globs) > 0 {
		glob := &test{kind: testText, field: t.field, patterns: globs, dash: t.dash}
		kids = append(kids, b.newLazy(lazy{test: glob, slot: s, gates: b.gates(s, t.dash, globNeeds(globs, false))}))
	}
	return b.group(nodeOr, kids)
}

// newCased makes a test that looks at the text as it is, behind a gate that
// looks at it folded.
func (b *builder) newCased(t *test, s int32) uint32 {
	return b.newLazy(lazy{test: t, slot: s, gates: b.gates(s, t.dash, globNeeds(t.patterns, true))})
}

// globNeeds gives for each pattern its longest literal, folded; nil if one
// has none.
func globNeeds(patterns []pattern, folding bool) [][]string {
	needs := make([]string, 0, len(patterns))
	for i := range patterns {
		longest := patterns[i].text
		for _, p := range patterns[i].pieces {
			if len(p.text) > len(longest) {
				longest = p.text
			}
		}
		if longest == "" {
			return nil
		}
		if folding {
			longest = fold(longest)
		}
		needs = append(needs, longest)
	}
	slices.Sort(needs)
	return [][]string{slices.Compact(needs)}
}

func (b *builder) addLiteral(bit uint32, key literalKey) {
	id, ok := b.literals[key]
	if !ok {
		id = uint32(len(b.e.literals))
		b.literals[key] = id
		b.e.literals = append(b.e.literals, key.text)
		b.sets = append(b.sets, nil)
	}
	if set := b.sets[id]; len(set) == 0 || set[len(set)-1] != bit {
		b.sets[id] = append(set, bit)
		b.members[bit] = append(b.members[bit], id)
	}
}
