package sigma

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Bounds of a regular expression. RE2 needs time in proportion to its size
// times the text's length, never more.
const (
	maxRegexBytes = 16 << 10
	maxRegexSize  = 5_000 // instructions, about
	maxRegexDepth = 200

	maxNeeds      = 24 // literals in one list of necessary ones
	maxNeedLength = 64
	maxNeedLists  = 4
	minNeedRun    = 8 // shorter runs are found as fast by the expression
)

// planRegex reads a regular expression (RE2) and turns it into something
// cheaper where that says the same.
func planRegex(field, source string) (*expr, error) {
	if len(source) > maxRegexBytes {
		return nil, fmt.Errorf("regular expression with %d bytes, more than %d", len(source), maxRegexBytes)
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression %s: %s", quoted(source), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if size := regexSize(tree, 0); size > maxRegexSize {
		return nil, fmt.Errorf("regular expression %s needs more than %d steps a character", quoted(source), maxRegexSize)
	}
	tree = trimRegex(tree)
	if t := literalRegex(tree); t != nil {
		t.field = field
		return leaf(t), nil
	}
	plan := &regexPlan{source: source, run: findRun(tree), series: findSeries(tree)}
	if plan.re, err = regexp.Compile(source); err != nil {
		return nil, fmt.Errorf("regular expression %s: %w", quoted(source), err)
	}
	plan.need = needOf(tree).lists()
	plan.within = needRun(tree)
	return leaf(&test{kind: testRegex, field: field, plan: plan}), nil
}

// regexSize estimates the compiled size, repetitions written out.
func regexSize(re *syntax.Regexp, depth int) int {
	if depth > maxRegexDepth {
		return maxRegexSize + 1
	}
	size := 1 + len(re.Rune)/8
	if re.Op == syntax.OpLiteral {
		size = 1 + len(re.Rune)
	}
	for _, sub := range re.Sub {
		if size += regexSize(sub, depth+1); size > maxRegexSize {
			return size
		}
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return size
}

// trimRegex takes away groups, and ".*" at either end: whether an unanchored
// search finds something does not depend on them.
func trimRegex(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op != syntax.OpConcat {
		return re
	}
	parts := make([]*syntax.Regexp, 0, len(re.Sub))
	for _, sub := range re.Sub {
		for sub.Op == syntax.OpCapture {
			sub = sub.Sub[0]
		}
		parts = append(parts, sub)
	}
	for len(parts) > 1 && isAnyRun(parts[0]) {
		parts = parts[1:]
	}
	for len(parts) > 1 && isAnyRun(parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 1 {
		return parts[0]
	}
	trimmed := *re
	trimmed.Sub = parts
	return &trimmed
}

func isAnyRun(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && (re.Sub[0].Op == syntax.OpAnyCharNotNL || re.Sub[0].Op == syntax.OpAnyChar)
}

// literalRegex gives the test on plain text that re is, or nil.
func literalRegex(re *syntax.Regexp) *test {
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	pieces := []piece{{kind: pieceMany}}
	if parts[0].Op == syntax.OpBeginText {
		pieces, parts = nil, parts[1:]
	}
	closed := len(parts) > 0 && parts[len(parts)-1].Op == syntax.OpEndText
	if closed {
		parts = parts[:len(parts)-1]
	}
	if len(parts) != 1 || !isLiteral(parts[0]) {
		return nil
	}
	pieces = append(pieces, piece{text: string(parts[0].Rune)})
	if !closed {
		pieces = append(pieces, piece{kind: pieceMany})
	}
	cased := parts[0].Flags&syntax.FoldCase == 0
	return &test{kind: testText, cased: cased, patterns: []pattern{newPattern(pieces, cased, false)}}
}

// isLiteral says that re is text which can be looked for byte by byte. The
// replacement character is not: in expressions it stands for broken bytes, too.
func isLiteral(re *syntax.Regexp) bool {
	if re.Op != syntax.OpLiteral {
		return false
	}
	for _, r := range re.Rune {
		if r == utf8.RuneError {
			return false
		}
	}
	return true
}

// classRun is an expression like ".{1000,}": so many characters of one class
// in a row, as many as there are characters or at an end of the text.
type classRun struct {
	ranges   []rune // pairs, as in syntax.Regexp; nil: any character
	ascii    [utf8.RuneSelf]bool
	line     bool // any character but a line's end
	least    int
	most     int  // -1: no limit
	from, to bool // the run begins at the text's start, ends at its end
}

// findRun recognizes a classRun.
func findRun(re *syntax.Regexp) *classRun {
	run := &classRun{}
	if re.Op == syntax.OpConcat {
		parts := re.Sub
		if parts[0].Op == syntax.OpBeginText {
			run.from, parts = true, parts[1:]
		}
		if n := len(parts); n > 0 && parts[n-1].Op == syntax.OpEndText {
			run.to, parts = true, parts[:n-1]
		}
		if len(parts) != 1 {
			return nil
		}
		re = parts[0]
	}
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op != syntax.OpRepeat || re.Min < 1 {
		return nil
	}
	run.least, run.most = re.Min, re.Max
	if !run.from || !run.to {
		run.most = -1 // a longer run has a shorter one in it
	}
	class := re.Sub[0]
	for class.Op == syntax.OpCapture {
		class = class.Sub[0]
	}
	switch class.Op {
	case syntax.OpAnyChar:
	case syntax.OpAnyCharNotNL:
		run.line = true
	case syntax.OpCharClass:
		run.ranges = class.Rune
	default:
		return nil
	}
	for r := range run.ascii {
		run.ascii[r] = run.has(rune(r))
	}
	return run
}

func (c *classRun) has(r rune) bool {
	if c.line {
		return r != '\n'
	}
	if c.ranges == nil {
		return true
	}
	for i := 0; i+1 < len(c.ranges); i += 2 {
		if r < c.ranges[i] {
			return false
		}
		if r <= c.ranges[i+1] {
			return true
		}
	}
	return false
}

func (c *classRun) match(text string) bool {
	if len(text) < c.least {
		return false
	}
	count, start := 0, true // start: the run goes on from the text's start
	for i := 0; i < len(text); {
		in, size := false, 1
		if text[i] < utf8.RuneSelf {
			in = c.ascii[text[i]]
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			in = c.has(r)
		}
		i += size
		if !in {
			if c.from {
				return false
			}
			count, start = 0, false
			continue
		}
		if count++; count >= c.least && !c.to && (start || !c.from) {
			return true
		}
	}
	return c.to && count >= c.least && (c.most < 0 || count <= c.most)
}

// literalChain is an expression like "a.*b.*c": literals in their order.
type literalChain struct {
	literals []string
	line     bool // all within one line
}

// findSeries recognizes a literalChain.
func findSeries(re *syntax.Regexp) *literalChain {
	if re.Op != syntax.OpConcat || len(re.Sub) < 3 {
		return nil
	}
	chain := &literalChain{}
	between := re.Sub[1]
	for i, sub := range re.Sub {
		if i%2 == 0 {
			if !isLiteral(sub) || sub.Flags&syntax.FoldCase != 0 {
				return nil
			}
			chain.literals = append(chain.literals, string(sub.Rune))
		} else if !isAnyRun(sub) || sub.Sub[0].Op != between.Sub[0].Op {
			return nil
		}
	}
	chain.line = between.Sub[0].Op == syntax.OpAnyCharNotNL
	if len(re.Sub)%2 == 0 {
		return nil
	}
	for _, literal := range chain.literals {
		if chain.line && strings.Contains(literal, "\n") {
			return nil
		}
	}
	return chain
}

func (c *literalChain) match(text string) bool {
	if !c.line {
		return c.inOrder(text)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if c.inOrder(line) {
			return true
		}
	}
	return false
}

func (c *literalChain) inOrder(text string) bool {
	for _, literal := range c.literals {
		_, after, found := strings.Cut(text, literal)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// match says that text has a match of the expression.
func (p *regexPlan) match(text string) bool {
	switch {
	case p.run != nil:
		return p.run.match(text)
	case p.series != nil:
		return p.series.match(text)
	case p.within != nil && !p.within.match(text):
		return false
	}
	return p.re.MatchString(text)
}
