package sigma

import (
	"cmp"
	"math"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// need is what a text must contain to match an expression, case folded.
type need struct {
	// exact: the whole match is one of these; nil: not known, or too many.
	exact []string
	// all: of each of these lists the match contains at least one.
	all [][]string
}

// lists gives the lists that tell something, the most telling first.
func (n need) lists() [][]string {
	var telling [][]string
	for _, list := range append(n.all, n.exact) {
		if rarity(list) < 1 {
			telling = append(telling, list)
		}
	}
	slices.SortStableFunc(telling, func(a, b []string) int { return cmp.Compare(rarity(a), rarity(b)) })
	return telling[:min(len(telling), maxNeedLists)]
}

// best is the most telling list, nil if nothing tells anything.
func (n need) best() []string {
	if lists := n.lists(); len(lists) > 0 {
		return lists[0]
	}
	return nil
}

// everywhere are characters that tell nothing by themselves.
const everywhere = `abcdefghijklmnopqrstuvwxyz0123456789 \\/-.:_"`

// rarity guesses how often one of literals is found in a text: the less the
// better; 1 for nothing known.
func rarity(literals []string) float64 {
	if len(literals) == 0 {
		return 1
	}
	sum := 0.0
	for _, literal := range literals {
		if len(literal) == 1 && strings.Contains(everywhere, literal) {
			return 1
		}
		sum += math.Pow(0.1, float64(min(len(literal), 12)))
	}
	return min(sum, 1)
}

// needOf works out the need of an expression from its parts.
func needOf(re *syntax.Regexp) need {
	switch re.Op {
	case syntax.OpLiteral:
		return needOfLiteral(re)
	case syntax.OpCharClass:
		return needOfClass(re)
	case syntax.OpCapture:
		return needOf(re.Sub[0])
	case syntax.OpConcat:
		return needOfConcat(re.Sub)
	case syntax.OpAlternate:
		return needOfAlternate(re.Sub)
	case syntax.OpPlus:
		return need{all: needOf(re.Sub[0]).lists()}
	case syntax.OpRepeat:
		if re.Min >= 1 {
			return needOfRepeat(re)
		}
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return need{exact: []string{""}}
	}
	return need{}
}

func needOfLiteral(re *syntax.Regexp) need {
	if !isLiteral(re) {
		return need{}
	}
	return need{exact: []string{fold(string(re.Rune))}}
}

func needOfClass(re *syntax.Regexp) need {
	var exact []string
	for i := 0; i+1 < len(re.Rune); i += 2 {
		low, high := re.Rune[i], re.Rune[i+1]
		if high-low > 2*maxNeeds || low <= utf8.RuneError && utf8.RuneError <= high {
			return need{}
		}
		for r := low; r <= high; r++ {
			exact = append(exact, fold(string(r)))
		}
	}
	slices.Sort(exact)
	if exact = slices.Compact(exact); len(exact) > maxNeeds {
		return need{}
	}
	return need{exact: exact}
}

// needOfConcat strings exact parts together for as long as they stay few and
// short.
func needOfConcat(parts []*syntax.Regexp) need {
	running, whole := []string{""}, true
	var all [][]string
	for _, part := range parts {
		n := needOf(part)
		all = append(all, n.all...)
		if next := product(running, n.exact); next != nil {
			running = next
			continue
		}
		all = append(all, running)
		whole = false
		running = []string{""}
		if len(n.exact) > 0 {
			running = n.exact
		}
	}
	if whole {
		return need{exact: running, all: all}
	}
	return need{all: need{all: all, exact: running}.lists()}
}

// product is each start with each end, nil if those are too many or long.
func product(starts, ends []string) []string {
	if len(ends) == 0 || len(starts)*len(ends) > maxNeeds {
		return nil
	}
	var all []string
	for _, start := range starts {
		for _, end := range ends {
			if len(start)+len(end) > maxNeedLength {
				return nil
			}
			all = append(all, start+end)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func needOfAlternate(parts []*syntax.Regexp) need {
	var exact, any []string
	exactKnown, anyKnown := true, true
	for _, part := range parts {
		n := needOf(part)
		exactKnown = exactKnown && n.exact != nil
		exact = append(exact, n.exact...)
		literals := n.best()
		anyKnown = anyKnown && literals != nil
		any = append(any, literals...)
	}
	var n need
	if exactKnown && len(exact) <= maxNeeds {
		n.exact = exact
	}
	if anyKnown && len(any) <= maxNeeds {
		n.all = [][]string{any}
	}
	return n
}

// needOfRepeat writes out small fixed counts; else one turn is needed.
func needOfRepeat(re *syntax.Regexp) need {
	sub := needOf(re.Sub[0])
	exact := []string{""}
	for range re.Min {
		next := product(exact, sub.exact)
		if next == nil {
			return need{all: sub.lists()}
		}
		exact = next
	}
	if re.Max == re.Min {
		return need{exact: exact, all: sub.all}
	}
	return need{all: append(sub.lists(), exact)}
}

// needRun finds the longest run of one class that a match must have in it.
func needRun(re *syntax.Regexp) *classRun {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	var longest *classRun
	for _, part := range parts {
		run := findRun(part)
		if run != nil && run.least >= minNeedRun && (longest == nil || run.least > longest.least) {
			run.from, run.to, run.most = false, false, -1
			longest = run
		}
	}
	return longest
}
