package sigma

import (
	"slices"
	"strings"

	"github.com/vegress/vegress/event"
)

// Item is one line of a search as its author wrote it: a field, how it
// compares, and with what.
type Item struct {
	Selection string   // the search identifier
	Field     string   // without spaces; empty: keywords
	Modifiers []string // in their order
	Values    []Wanted // placeholders filled in
	// Excluded: the rule wants it not to hold.
	Excluded bool
}

// Wanted is a value of a rule as it is written, with wildcards and escapes;
// numbers in decimal.
type Wanted struct {
	Text string
	Null bool
}

// Items lists the lines of a rule's searches that its condition uses, those of
// filters and overrides too. A line that is both wanted and excluded comes
// twice.
func (r *Rule) Items() []Item {
	var items []Item
	r.when.searches(func(search *expr, excluded bool) {
		for _, line := range search.lines() {
			items = append(items, line.describe(search.selection, excluded))
		}
	})
	return items
}

func (it *item) describe(selection string, excluded bool) Item {
	described := Item{Selection: selection, Field: it.field, Modifiers: it.modifiers, Excluded: excluded}
	for _, v := range it.values {
		described.Values = append(described.Values, v.wanted())
	}
	return described
}

func (v value) wanted() Wanted { return Wanted{Text: v.text, Null: v.kind == valueNull} }

// searches walks through a rule's logic and tells each search once as wanted
// and once as excluded, where the condition has it so.
func (e *expr) searches(tell func(search *expr, excluded bool)) {
	told := map[made]bool{}
	var walk func(e *expr, not bool)
	walk = func(e *expr, not bool) {
		if told[made{e, not}] {
			return
		}
		told[made{e, not}] = true
		if e.selection != "" {
			tell(e, not)
			return
		}
		for _, kid := range e.kids {
			walk(kid, not != (e.op == opNot))
		}
	}
	walk(e, false)
}

// lines lists the items of a search.
func (e *expr) lines() []*item {
	var lines []*item
	for _, all := range e.alternatives() {
		for _, part := range all {
			lines = append(lines, part.item)
		}
	}
	return lines
}

// alternatives is a search as it is written: any of several mappings and
// keywords, each with lines all of which must hold.
func (e *expr) alternatives() [][]*expr {
	switch {
	case e.item != nil:
		return [][]*expr{{e}}
	case e.op == opAnd:
		return [][]*expr{e.kids}
	}
	var any [][]*expr
	for _, kid := range e.kids {
		any = append(any, kid.alternatives()...)
	}
	return any
}

// rename puts text in front of the names of all searches.
func (e *expr) rename(text string) {
	e.searches(func(search *expr, _ bool) {
		if !strings.HasPrefix(search.selection, text) {
			search.selection = text + search.selection
		}
	})
}

// SearchResult says of one search of a rule whether it holds for a record.
type SearchResult struct {
	Name     string
	Excluded bool // the rule wants it not to hold
	Holds    bool
	// Alternatives: of each mapping of the search its lines. The search holds
	// when all lines of one of them do.
	Alternatives [][]ItemResult
}

// ItemResult says of one line of a search whether it holds for a record.
type ItemResult struct {
	Item
	Holds bool
	// Held says of each of the Item's Values whether it alone would hold; with
	// the modifier neq, whether the value is there.
	Held []bool
	// There is the field's values in the record; of keywords, the values that
	// have them. Null: the field is there without a value. Neither: absent.
	There []string
	Null  bool
}

// Why evaluates every search of a rule on r, also those that could not
// change the outcome, and says whether the rule holds. It is slow.
func Why(rule *Rule, r *Record) (results []SearchResult, holds bool) {
	w := &witness{collector: collector{m: Compile([]*Rule{rule}).NewMatcher()}, record: r}
	w.m.begin(r)
	rule.when.searches(func(search *expr, excluded bool) {
		results = append(results, w.search(search, excluded))
	})
	return results, w.holds(rule.when)
}

// witness looks at the lines of one rule and one record.
type witness struct {
	collector
	record *Record
}

func (w *witness) search(e *expr, excluded bool) SearchResult {
	result := SearchResult{Name: e.selection, Excluded: excluded, Holds: w.holds(e)}
	for _, all := range e.alternatives() {
		lines := make([]ItemResult, len(all))
		for i, part := range all {
			lines[i] = w.line(part)
			lines[i].Selection, lines[i].Excluded = e.selection, excluded
		}
		result.Alternatives = append(result.Alternatives, lines)
	}
	return result
}

func (w *witness) line(e *expr) ItemResult {
	result := ItemResult{Item: e.item.describe("", false), Holds: w.holds(e)}
	one := *e.item
	one.list, one.chain.all, one.chain.neq, one.chain.expand = false, false, false, false
	for _, v := range e.item.values {
		one.values = []value{v}
		alone, err := (&document{options: &Options{}}).compileItem(&one)
		held := err == nil && w.holds(alone) // it compiled among the others
		if held && one.field == "" {
			result.There = append(result.There, w.value(alone.test).raw)
		}
		result.Held = append(result.Held, held)
	}
	if one.field != "" {
		result.There, result.Null = w.record.valuesOf(one.field)
	}
	result.There = slices.Compact(result.There)
	return result
}

// valuesOf gives the values that a record has of a field.
func (r *Record) valuesOf(name string) (values []string, null bool) {
	for _, fields := range [][]event.Field{r.Typed, r.Fields} {
		for i := range fields {
			switch f := &fields[i]; {
			case fieldName(f.ID.Name()) != name:
			case f.Kind == event.KindNull:
				null = true
			default:
				values = append(values, f.Value)
			}
		}
	}
	return values, null
}
