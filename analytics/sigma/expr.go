package sigma

import (
	"net/netip"
	"regexp"
)

// exprOp is what an expr does with its parts.
type exprOp uint8

const (
	opTest exprOp = iota
	opAnd
	opOr
	opNot
)

// expr is a rule's logic: tests joined by and, or, not. Parts may be shared
// between places of one tree.
type expr struct {
	op        exprOp
	kids      []*expr
	test      *test
	selection string // the search identifier that this part is the whole of
	item      *item  // the line of a search that this part is the whole of
	size      int    // number of nodes below, as if nothing were shared
}

func leaf(t *test) *expr { return &expr{op: opTest, test: t, size: 1} }

func negate(e *expr) *expr { return &expr{op: opNot, kids: []*expr{e}, size: e.size + 1} }

// join is the and, or the or, of kids; of one kid it is the kid.
func join(op exprOp, kids []*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	size := 1
	for _, kid := range kids {
		size += kid.size
	}
	return &expr{op: op, kids: kids, size: size}
}

// testKind is what a test looks at.
type testKind uint8

const (
	testText    testKind = iota // the value is like one of patterns
	testRegex                   // the value matches plan
	testCIDR                    // the value is an address in one of prefixes
	testNumber                  // the value, or a part of it as a date, compares to one of numbers
	testRef                     // the value compares to another field's
	testPresent                 // the field has a value that is not null
	testExists                  // the field is there, be it null
	testRule                    // in a correlation's condition: the reference was seen
)

// test is one question to one field of a record. A field that comes several
// times answers yes when one of its values does.
type test struct {
	kind  testKind
	field string // without spaces; empty: any value of the record (keywords)

	patterns []pattern // testText
	cased    bool      // testText, testRef
	dash     bool      // testText: all dashes are alike

	plan     *regexPlan     // testRegex
	prefixes []netip.Prefix // testCIDR

	compare comparison // testNumber
	part    datePart
	numbers []number

	other string // testRef: the other field
	shape shape

	rule int // testRule
}

// regexPlan is a regular expression and what is known of it beforehand.
type regexPlan struct {
	source string // with its flags in front
	re     *regexp.Regexp
	run    *classRun     // instead of re: a run of characters of one class
	series *literalChain // instead of re: literals in their order
	// need: of each of these lists, a text that matches contains at least one
	// literal, case folded.
	need [][]string
	// within: a run of characters that a text that matches has in it, or nil.
	within *classRun
}
