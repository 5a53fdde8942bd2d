// Package coverage makes the statistics of a rule catalogue, over any set of
// Sigma rules: which ATT&CK tactics and techniques, log sources and events the
// rules are about, which fields they filter and how, which values they look
// for, and what they leave out. Published holds a list of other people's rules
// against ours.
//
// It counts; it evaluates no rule and prints nothing. The same rules give the
// same Report, whatever their order.
package coverage

import (
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
)

// Report is the statistics of a set of rules. In each table a rule counts once
// a row; the row that most rules have comes first.
type Report struct {
	// Technique is what the rules were chosen by; empty: all of them.
	Technique string `json:"technique,omitempty"`
	// Rules is how many detections are counted: rules and correlations that
	// raise something. Rules that only feed a correlation count with it.
	Rules int `json:"rules"`
	// Of is how many there are, whatever their technique.
	Of int `json:"of"`

	Levels     []Count     `json:"levels"`
	Tactics    []Count     `json:"tactics"`
	Techniques []Count     `json:"techniques"`
	Untagged   int         `json:"untagged"` // rules without a technique
	Sources    []LogSource `json:"log_sources"`
	Events     []Event     `json:"events"`
	Fields     []Field     `json:"fields"`
	Values     []Value     `json:"values"`
	Exclusions []Value     `json:"exclusions"`
}

// Cut leaves the first n rows of each table; 0: all.
func (r *Report) Cut(n int) {
	if n == 0 {
		return
	}
	r.Levels, r.Tactics, r.Techniques = first(n, r.Levels), first(n, r.Tactics), first(n, r.Techniques)
	r.Sources, r.Events, r.Fields = first(n, r.Sources), first(n, r.Events), first(n, r.Fields)
	r.Values, r.Exclusions = first(n, r.Values), first(n, r.Exclusions)
}

func first[T any](n int, rows []T) []T { return rows[:min(n, len(rows))] }

// Count is one thing and how many rules have it.
type Count struct {
	Name  string `json:"name"`
	Rules int    `json:"rules"`
}

// LogSource is a log source as rules name it.
type LogSource struct {
	Product  string `json:"product"`
	Category string `json:"category"`
	Service  string `json:"service"`
	Rules    int    `json:"rules"`
	// Known: the table has events for such rules.
	Known bool `json:"known"`
}

// Event is a kind of event that rules look at. An empty ID is any event of
// the provider.
type Event struct {
	Provider string `json:"provider"`
	ID       string `json:"id"`
	Rules    int    `json:"rules"`
}

// Field is a field under its common name.
type Field struct {
	Name      string   `json:"field"`
	As        []string `json:"as"` // how the rules call it
	Rules     int      `json:"rules"`
	Filtering int      `json:"filtering"` // rules that ask for a value of it
	Excluding int      `json:"excluding"` // rules that leave out a value of it
	Operators []Count  `json:"operators"` // of those that ask
	Samples   []string `json:"samples"`   // the values that most rules ask for
}

// Value is a value that rules ask for, or leave out.
type Value struct {
	Value    string `json:"value"`
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Rules    int    `json:"rules"`
	// Reach is how many rules of the whole set have the value, whatever their
	// technique, the field, and what they do with it; 0 where it is unique.
	Reach int `json:"reach,omitempty"`
}

// Options say what is counted.
type Options struct {
	// Technique: only rules of this technique ("T1102"; its sub-techniques are
	// among it) or sub-technique ("T1102.001").
	Technique string
}

// maxSamples is how many values a field shows.
const maxSamples = 3

// Compute counts.
func Compute(rules *sigma.Rules, table *source.Table, options Options) *Report {
	c := newCounter(table)
	all := detections(rules)
	reach := reachOf(all)
	report := &Report{Technique: strings.ToUpper(options.Technique), Of: len(all)}
	for _, d := range all {
		if options.Technique == "" || HasTechnique(d.meta.Tags, options.Technique) {
			report.Rules++
			c.count(&d)
		}
	}
	c.fill(report, reach)
	return report
}

// detection is what raises something, with the rules that it looks with.
type detection struct {
	meta  *sigma.Meta
	rules []*sigma.Rule
}

// detections puts rules that only feed a correlation under it.
func detections(loaded *sigma.Rules) []detection {
	var all []detection
	below := map[string][]*sigma.Rule{}
	for _, rule := range loaded.Rules {
		below[rule.Key()] = []*sigma.Rule{rule}
		if !rule.Silent {
			all = append(all, detection{&rule.Meta, below[rule.Key()]})
		}
	}
	for _, c := range loaded.Correlations {
		var rules []*sigma.Rule
		for _, key := range c.Refers() {
			rules = append(rules, below[key]...)
		}
		below[c.Key()] = rules
		if !c.Silent {
			all = append(all, detection{&c.Meta, rules})
		}
	}
	return all
}

// tests tells of each value that a detection asks for or leaves out.
func (d *detection) tests(tell func(rule *sigma.Rule, t test)) {
	for _, rule := range d.rules {
		for _, it := range rule.Items() {
			for _, t := range testsOf(&it) {
				tell(rule, t)
			}
		}
	}
}

// reachOf counts the rules that have each value.
func reachOf(all []detection) map[string]int {
	reach := tally[string]{}
	for i := range all {
		all[i].tests(func(_ *sigma.Rule, t test) {
			if t.isIndicator() {
				reach.add(t.key(), i)
			}
		})
	}
	return reach.counts()
}
