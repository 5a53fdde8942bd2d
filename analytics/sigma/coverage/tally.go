package coverage

import (
	"cmp"
	"slices"
)

// tally counts rules by a key, each rule once.
type tally[K comparable] map[K]*tallied

type tallied struct {
	rules int
	last  int // number of the rule that counted last, and one
}

// add counts rule number n. Rules come one after the other.
func (t tally[K]) add(key K, n int) {
	row := t[key]
	if row == nil {
		row = &tallied{}
		t[key] = row
	}
	if row.last != n+1 {
		row.last = n + 1
		row.rules++
	}
}

func (t tally[K]) of(key K) int {
	if row := t[key]; row != nil {
		return row.rules
	}
	return 0
}

func (t tally[K]) counts() map[K]int {
	counts := make(map[K]int, len(t))
	for key, row := range t {
		counts[key] = row.rules
	}
	return counts
}

// ranked lists the keys, those that most rules have first, else in their
// order.
func ranked[K comparable](t tally[K], order func(a, b K) int) []K {
	keys := make([]K, 0, len(t))
	for key := range t {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int {
		return cmp.Or(cmp.Compare(t[b].rules, t[a].rules), order(a, b))
	})
	return keys
}

// rankedCounts is ranked for names.
func rankedCounts(t tally[string]) []Count {
	counts := make([]Count, 0, len(t))
	for _, name := range ranked(t, cmp.Compare[string]) {
		counts = append(counts, Count{name, t[name].rules})
	}
	return counts
}
