package sigma

import (
	"net/netip"
	"slices"
	"strconv"
)

// Logic is one part of a rule's condition, for reading: what a rule asks for,
// its filters and overrides applied, so that others can write it down in
// another language. Parts that a condition names twice appear twice.
type Logic struct{ e *expr }

// Logic gives the whole of the rule's condition.
func (r *Rule) Logic() Logic { return Logic{r.when} }

// Operator is what a Logic does with its parts.
type Operator uint8

// The operators. An OperatorTest has a Test and no parts, an OperatorNot one
// part.
const (
	OperatorTest Operator = iota
	OperatorAnd
	OperatorOr
	OperatorNot
)

// Operator gives what l does with its parts.
func (l Logic) Operator() Operator {
	return [...]Operator{opTest: OperatorTest, opAnd: OperatorAnd, opOr: OperatorOr, opNot: OperatorNot}[l.e.op]
}

// Selection is the search identifier that l is the whole of, or empty.
func (l Logic) Selection() string { return l.e.selection }

// Parts gives what l joins or negates, in the order of the rule.
func (l Logic) Parts() []Logic {
	parts := make([]Logic, len(l.e.kids))
	for i, kid := range l.e.kids {
		parts[i] = Logic{kid}
	}
	return parts
}

// TestKind is what a Test asks.
type TestKind uint8

// The kinds of tests, with the members of Test that each has.
const (
	TestText    TestKind = iota // the value is like one of Patterns: Cased, Windash
	TestRegex                   // the value has a match of Regex
	TestCIDR                    // the value is an address in one of Prefixes
	TestNumber                  // the value, or DatePart of it, stands to one of Numbers as Compare says
	TestRef                     // the value is like that of Other, as Shape says: Cased
	TestPresent                 // the field has a value that is not null
	TestExists                  // the field is there, be it null
)

// Test is one question to one field. A field with several values answers yes
// when one of them does. Where the field is absent the answer is no.
type Test struct {
	Kind  TestKind
	Field string // without spaces; empty: any value of the record, or its text

	Patterns []Pattern
	Cased    bool // as written; else without regard to case
	Windash  bool // all of - / – — ― are alike, wherever they stand

	Regex    string // RE2, not anchored, flags in front; see regexp/syntax
	Prefixes []netip.Prefix

	Compare  string // "=", "<", "<=", ">" or ">="
	DatePart string // minute, hour, day, week, month or year; else empty
	Numbers  []string

	Other string
	Shape Shape
}

// Shape is how much of a value counts.
type Shape uint8

// The shapes: the whole value, its start, its end, any part of it.
const (
	ShapeExact Shape = iota
	ShapePrefix
	ShapeSuffix
	ShapeContains
)

// Pattern is a value with its wildcards, as the rule has it after its
// modifiers. No piece is the empty value. It is not to be changed.
type Pattern []Piece

// Piece is literal text, "?" or "*".
type Piece struct {
	Kind PieceKind
	Text string // of PieceText
}

// PieceKind is what a Piece stands for.
type PieceKind uint8

// The kinds of pieces.
const (
	PieceText PieceKind = iota
	PieceOne            // exactly one character
	PieceMany           // any run of characters, also none
)

// Test gives the test that l is. It is for an OperatorTest only.
func (l Logic) Test() Test {
	t := l.e.test
	view := Test{
		Field: t.field, Cased: t.cased, Windash: t.dash, Prefixes: slices.Clone(t.prefixes), Other: t.other,
		Kind: [...]TestKind{
			testText: TestText, testRegex: TestRegex, testCIDR: TestCIDR, testNumber: TestNumber,
			testRef: TestRef, testPresent: TestPresent, testExists: TestExists,
		}[t.kind],
		Shape: [...]Shape{shapeExact: ShapeExact, shapePrefix: ShapePrefix, shapeSuffix: ShapeSuffix, shapeContains: ShapeContains}[t.shape],
	}
	for i := range t.patterns {
		view.Patterns = append(view.Patterns, t.patterns[i].view())
	}
	if t.plan != nil {
		view.Regex = t.plan.source
	}
	if t.kind == testNumber {
		view.Compare = [...]string{
			compareEqual: "=", compareLess: "<", compareLessEqual: "<=", compareGreater: ">", compareGreaterEqual: ">=",
		}[t.compare]
		for _, n := range t.numbers {
			view.Numbers = append(view.Numbers, n.decimal())
		}
	}
	for name, part := range dateParts {
		if part == t.part {
			view.DatePart = name
		}
	}
	return view
}

// view gives the pieces of p, as the rule has them.
func (p *pattern) view() Pattern {
	pieces := p.written
	if pieces == nil {
		text, many := piece{text: p.text}, piece{kind: pieceMany}
		switch p.shape {
		case shapeExact:
			pieces = []piece{text}
			if p.text == "" {
				pieces = nil
			}
		case shapePrefix:
			pieces = []piece{text, many}
		case shapeSuffix:
			pieces = []piece{many, text}
		case shapeContains:
			pieces = []piece{many, text, many}
		case shapeAny:
			pieces = []piece{many}
		case shapeGlob:
			pieces = p.pieces
		}
	}
	view := make(Pattern, len(pieces))
	for i, one := range pieces {
		view[i] = Piece{Kind: [...]PieceKind{pieceText: PieceText, pieceOne: PieceOne, pieceMany: PieceMany}[one.kind], Text: one.text}
	}
	return view
}

// decimal writes n, for readers.
func (n number) decimal() string {
	if n.whole {
		return strconv.FormatInt(n.i, 10)
	}
	return strconv.FormatFloat(n.f, 'f', -1, 64)
}
