package coverage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
)

// counter counts one detection after the other.
type counter struct {
	table *source.Table
	n     int // detections so far

	levels, tactics, techniques tally[string]
	untagged                    int
	sources                     tally[source.Source]
	events                      tally[eventKey]
	fields                      map[string]*fieldTally
	values, exclusions          tally[valueKey]
	spellings                   map[string]tally[string] // by test.key
}

type fieldTally struct {
	rules, filtering, excluding tally[struct{}]
	operators                   tally[string]
	samples                     tally[string] // by test.key
	as                          map[string]bool
}

type valueKey struct{ field, operator, key string }

func newCounter(table *source.Table) *counter {
	return &counter{
		table:  table,
		levels: tally[string]{}, tactics: tally[string]{}, techniques: tally[string]{},
		sources: tally[source.Source]{}, events: tally[eventKey]{}, fields: map[string]*fieldTally{},
		values: tally[valueKey]{}, exclusions: tally[valueKey]{}, spellings: map[string]tally[string]{},
	}
}

func (c *counter) count(d *detection) {
	c.levels.add(cmp.Or(d.meta.Level, "none"), c.n)
	c.countTags(d.meta.Tags)
	for _, rule := range d.rules {
		l := rule.LogSource
		c.sources.add(source.Source{Product: l.Product, Category: l.Category, Service: l.Service}, c.n)
		for _, e := range c.eventsOf(rule) {
			c.events.add(e, c.n)
		}
	}
	d.tests(func(_ *sigma.Rule, t test) { c.countTest(&t) })
	c.n++
}

func (c *counter) countTags(tags []string) {
	techniques := Techniques(tags)
	for _, technique := range techniques {
		c.techniques.add(technique, c.n)
	}
	for _, tactic := range Tactics(tags) {
		c.tactics.add(tactic, c.n)
	}
	if len(techniques) == 0 {
		c.untagged++
	}
}

func (c *counter) countTest(t *test) {
	f := c.fields[t.field]
	if f == nil {
		f = &fieldTally{
			rules: tally[struct{}]{}, filtering: tally[struct{}]{}, excluding: tally[struct{}]{},
			operators: tally[string]{}, samples: tally[string]{}, as: map[string]bool{},
		}
		c.fields[t.field] = f
	}
	f.as[t.as] = true
	f.rules.add(struct{}{}, c.n)
	if t.excluded {
		f.excluding.add(struct{}{}, c.n)
	} else {
		f.filtering.add(struct{}{}, c.n)
		f.operators.add(t.operator, c.n)
	}
	c.countValue(t, f)
}

func (c *counter) countValue(t *test, f *fieldTally) {
	key := valueKey{field: t.field, operator: t.rowOperator(), key: t.key()}
	if c.spellings[key.key] == nil {
		c.spellings[key.key] = tally[string]{}
	}
	c.spellings[key.key].add(t.value, c.n)
	switch {
	case t.excluded:
		c.exclusions.add(key, c.n)
	case t.isIndicator():
		c.values.add(key, c.n)
	}
	if !t.excluded && t.value != "" {
		f.samples.add(key.key, c.n)
	}
}

func (c *counter) fill(r *Report, reach map[string]int) {
	r.Levels, r.Tactics, r.Techniques, r.Untagged = rankedCounts(c.levels), rankedCounts(c.tactics), rankedCounts(c.techniques), c.untagged
	r.Sources = make([]LogSource, 0, len(c.sources))
	for _, s := range ranked(c.sources, compareSources) {
		r.Sources = append(r.Sources, LogSource{s.Product, s.Category, s.Service, c.sources.of(s), len(c.table.Select(s)) > 0})
	}
	r.Events = make([]Event, 0, len(c.events))
	for _, e := range ranked(c.events, compareEvents) {
		r.Events = append(r.Events, Event{e.provider, e.id, c.events.of(e)})
	}
	r.Fields = c.fieldRows()
	r.Values = c.valueRows(c.values, reach)
	r.Exclusions = c.valueRows(c.exclusions, reach)
}

func compareSources(a, b source.Source) int {
	return cmp.Or(strings.Compare(a.Product, b.Product), strings.Compare(a.Category, b.Category), strings.Compare(a.Service, b.Service))
}

// fieldRows has the fields that most rules ask for first.
func (c *counter) fieldRows() []Field {
	rows := make([]Field, 0, len(c.fields))
	for name, f := range c.fields {
		row := Field{
			Name: name, As: vendorsOf(f.as), Rules: f.rules.of(struct{}{}),
			Filtering: f.filtering.of(struct{}{}), Excluding: f.excluding.of(struct{}{}),
			Operators: rankedCounts(f.operators), Samples: []string{},
		}
		for _, key := range ranked(f.samples, cmp.Compare[string])[:min(len(f.samples), maxSamples)] {
			row.Samples = append(row.Samples, c.spelling(key))
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Field) int {
		return cmp.Or(cmp.Compare(b.Filtering, a.Filtering), cmp.Compare(b.Rules, a.Rules), strings.Compare(a.Name, b.Name))
	})
	return rows
}

func (c *counter) valueRows(t tally[valueKey], reach map[string]int) []Value {
	rows := make([]Value, 0, len(t))
	for _, k := range ranked(t, compareValues) {
		row := Value{Value: c.spelling(k.key), Field: k.field, Operator: k.operator, Rules: t.of(k)}
		if reach[k.key] > 1 {
			row.Reach = reach[k.key]
		}
		rows = append(rows, row)
	}
	return rows
}

func compareValues(a, b valueKey) int {
	return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.field, b.field), strings.Compare(a.operator, b.operator))
}

// spelling is how most rules write a value.
func (c *counter) spelling(key string) string {
	return ranked(c.spellings[key], cmp.Compare[string])[0]
}
