package sigma

import (
	"math"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// need is what a text must contain to match an expression, case folded.
type need struct {
	// exact: the whole match is one of these; nil: not known, or too many.
	exact []string
	// any: the match contains one of these; nil: nothing is known.
	any []string
}

// best is the more telling of the two, nil if nothing tells anything.
func (n need) best() []string {
	if rarity(n.exact) < rarity(n.any) {
		return n.exact
	}
	return n.any
}

// rarity guesses how often one of literals is found in a text: the less the
// better; 1 for nothing known.
func rarity(literals []string) float64 {
	if len(literals) == 0 {
		return 1
	}
	sum := 0.0
	for _, literal := range literals {
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
		return need{any: needOf(re.Sub[0]).best()}
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
// short, and keeps the most telling of what it comes by.
func needOfConcat(parts []*syntax.Regexp) need {
	running, whole := []string{""}, true
	var any []string
	keep := func(literals []string) {
		if rarity(literals) < rarity(any) {
			any = literals
		}
	}
	for _, part := range parts {
		n := needOf(part)
		keep(n.any)
		if next := product(running, n.exact); next != nil {
			running = next
			continue
		}
		keep(running)
		whole = false
		running = []string{""}
		if len(n.exact) > 0 {
			running = n.exact
		}
	}
	if whole {
		return need{exact: running, any: any}
	}
	keep(running)
	return need{any: any}
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
		n.any = any
	}
	return n
}

// needOfRepeat writes out small fixed counts; else one turn is needed.
func needOfRepeat(re *syntax.Regexp) need {
	sub := needOf(re.Sub[0])
	n := need{any: sub.best()}
	exact := []string{""}
	for range re.Min {
		next := product(exact, sub.exact)
		if next == nil {
			return n
		}
		exact = next
	}
	if re.Max == re.Min {
		n.exact = exact
	}
	if rarity(exact) < rarity(n.any) {
		n.any = exact
	}
	return n
}
