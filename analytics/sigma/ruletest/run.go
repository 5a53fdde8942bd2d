package ruletest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

// Bench is some rules, and the table by which events are shown to them. It is
// used from one goroutine at a time.
type Bench struct {
	view  *source.View
	rules []*sigma.Rule
	of    [][]source.ID // by rule
	match []*sigma.Matcher
}

// NewBench makes a Bench of rules.
func NewBench(table *source.Table, rules []*sigma.Rule) *Bench {
	b := &Bench{view: table.NewView(), rules: rules}
	for _, rule := range rules {
		l := rule.LogSource
		b.of = append(b.of, table.Select(source.Source{Product: l.Product, Category: l.Category, Service: l.Service}))
		b.match = append(b.match, sigma.Compile([]*sigma.Rule{rule}).NewMatcher())
	}
	return b
}

// Show evaluates all rules on ev, and tells which hold for which record: each
// at most once, of however many log sources the event is. A record that names
// no log is of each rule's own source.
func (b *Bench) Show(ev *event.Event, tell func(*sigma.Rule, *sigma.Record)) {
	ids := slices.Clone(b.view.Look(ev))
	for i, rule := range b.rules {
		for record := range Records(b.view, ev, ids, b.of[i]) {
			held := false
			b.match[i].Match(record, func(*sigma.Hit) { held = true })
			if held {
				tell(rule, record)
				break
			}
		}
	}
}

// Records gives the event as a rule of the sources in of sees it: once for each
// of the event's own sources, ids, that is among them. A record that names no
// log is of any source. A record is good until the next.
func Records(view *source.View, ev *event.Event, ids, of []source.ID) func(yield func(*sigma.Record) bool) {
	return func(yield func(*sigma.Record) bool) {
		record := sigma.Record{Fields: ev.Fields, Text: ev.Raw}
		if ev.LogName == "" {
			yield(&record)
			return
		}
		for _, id := range ids {
			if !slices.Contains(of, id) {
				continue
			}
			record.Typed = view.Typed(id)
			if !yield(&record) {
				return
			}
		}
	}
}

// Failure is a case that does not do what it says.
type Failure struct {
	Case   string // "hit 2"
	Reason string
	Record string // the case's first line or record
}

// Trial is a file of rules to try cases on.
type Trial struct {
	bench  *Bench
	own    map[string]bool // keys of rules and correlations that the cases are about
	fed    *sigma.Correlations
	decode func(line string) *event.Event
}

// NewTrial makes a Trial of the rules and correlations of a file; what those
// refer to in other files comes along. decode makes an event of a syslog line.
func NewTrial(file string, loaded *sigma.Rules, table *source.Table, decode func(line string) *event.Event) *Trial {
	t := &Trial{own: map[string]bool{}, decode: decode}
	needed := map[string]bool{}
	var correlations []*sigma.Correlation
	for _, c := range slices.Backward(loaded.Correlations) { // referrers come last
		if c.File != file && !needed[c.Key()] {
			continue
		}
		t.own[c.Key()] = c.File == file && !c.Silent
		correlations = append(correlations, c)
		for _, key := range c.Refers() {
			needed[key] = true
		}
	}
	slices.Reverse(correlations)
	var rules []*sigma.Rule
	for _, rule := range loaded.Rules {
		if rule.File == file || needed[rule.Key()] {
			t.own[rule.Key()] = rule.File == file && !rule.Silent
			rules = append(rules, rule)
		}
	}
	t.bench, t.fed = NewBench(table, rules), sigma.Correlate(correlations)
	return t
}

// Run tries all cases.
func (t *Trial) Run(cases *Cases) (failures []Failure) {
	for i := range cases.Hit {
		if fired, err := t.Fires(&cases.Hit[i]); err != nil || !fired {
			failures = append(failures, failure("hit", i, &cases.Hit[i], "does not hold", err))
		}
	}
	for i := range cases.Miss {
		if fired, err := t.Fires(&cases.Miss[i]); err != nil || fired {
			failures = append(failures, failure("miss", i, &cases.Miss[i], "holds", err))
		}
	}
	return failures
}

func failure(kind string, i int, c *Case, reason string, err error) Failure {
	if err != nil {
		reason = err.Error()
	}
	first := c.Steps()[0]
	f := Failure{Case: fmt.Sprintf("%s %d", kind, i+1), Reason: reason, Record: first.Line}
	if first.Record != nil {
		f.Record = fmt.Sprint(first.Record)
	}
	return f
}

// end is behind all windows.
var end = time.Unix(0, math.MaxInt64)

// Fires says whether a case makes the file's rule, or its outermost
// correlation, hold.
func (t *Trial) Fires(c *Case) (fired bool, err error) {
	correlator := sigma.NewCorrelator(t.fed, sigma.CorrelatorOptions{})
	hold := func(found *sigma.Correlated) { fired = fired || t.own[found.Correlation.Key()] }
	for n, step := range c.Steps() {
		ev, err := step.Event(t.decode)
		if err != nil {
			return false, err
		}
		t.bench.Show(ev, func(rule *sigma.Rule, record *sigma.Record) {
			fired = fired || t.own[rule.Key()]
			t.fed.Sightings(rule, record, ev.Time, fmt.Sprint(n), func(s *sigma.Sighting) { correlator.Observe(s, hold) })
		})
	}
	correlator.Tick(end, hold)
	return fired, nil
}
