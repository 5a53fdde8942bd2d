package ruletest

import (
	"fmt"
	"maps"
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
	own    map[string]bool // keys of what the cases are about: of the file, and raised
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
		if c.File == file && !c.Silent {
			t.own[c.Key()] = true
		}
		correlations = append(correlations, c)
		for _, key := range c.Refers() {
			needed[key] = true
		}
	}
	slices.Reverse(correlations)
	var rules []*sigma.Rule
	for _, rule := range loaded.Rules {
		if rule.File == file || needed[rule.Key()] {
			if rule.File == file && !rule.Silent {
				t.own[rule.Key()] = true
			}
			rules = append(rules, rule)
		}
	}
	t.bench, t.fed = NewBench(table, rules), sigma.Correlate(correlations)
	return t
}

// Run tries all cases. Each rule and correlation of the file that raises
// something needs a hit of its own.
func (t *Trial) Run(cases *Cases) (failures []Failure) {
	hit := map[string]bool{}
	for i := range cases.Hit {
		fired, err := t.fire(&cases.Hit[i])
		if err != nil || len(fired) == 0 {
			failures = append(failures, failure("hit", i, &cases.Hit[i], "does not hold", err))
		}
		maps.Copy(hit, fired)
	}
	for i := range cases.Miss {
		if fired, err := t.fire(&cases.Miss[i]); err != nil || len(fired) > 0 {
			failures = append(failures, failure("miss", i, &cases.Miss[i], "holds", err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.own)) {
		if !hit[key] && len(hit) > 0 {
			failures = append(failures, Failure{Case: "rule " + key, Reason: "no hit makes it hold"})
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

// fire tells which of the file's rules and correlations a case makes hold.
func (t *Trial) fire(c *Case) (fired map[string]bool, err error) {
	correlator := sigma.NewCorrelator(t.fed, sigma.CorrelatorOptions{})
	fired = map[string]bool{}
	note := func(key string) {
		if t.own[key] {
			fired[key] = true
		}
	}
	hold := func(found *sigma.Correlated) { note(found.Correlation.Key()) }
	for n, step := range c.Steps() {
		ev, err := step.Event(t.decode)
		if err != nil {
			return nil, err
		}
		t.bench.Show(ev, func(rule *sigma.Rule, record *sigma.Record) {
			note(rule.Key())
			t.fed.Sightings(rule, record, ev.Time, fmt.Sprint(n), func(s *sigma.Sighting) { correlator.Observe(s, hold) })
		})
	}
	correlator.Tick(end, hold)
	return fired, nil
}
