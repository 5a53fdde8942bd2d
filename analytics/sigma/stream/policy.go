package stream

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

// Policy is rules made ready for the stream. It never changes, and is shared by
// all shards and the second floor.
type Policy struct {
	table    *source.Table // narrowed to what the rules ask for
	engines  []*sigma.Engine
	engineOf []int32 // by source.ID: index into engines, or -1

	rules        map[*sigma.Rule]*rule
	correlations *sigma.Correlations
	weighed      map[*sigma.Correlation]*rule

	suppress time.Duration
	flood    int
	loaded   Loaded
	refusals []sigma.Refusal
}

// Loaded counts what a Policy was made of.
type Loaded struct {
	Rules        int // in force
	Correlations int // in force
	Refused      int
	Deprecated   int // left out
	Disabled     int // by overrides
	Blind        int // of Rules: whose log source no event is of
}

// rule is what findings of a rule or a correlation need of it.
type rule struct {
	*sigma.Meta
	uid      string
	analytic event.Analytic
	severity event.Severity
	of       string // its log source
	feeds    bool   // correlations count its hits
	silent   bool   // it raises nothing by itself
	excused  bool   // it is about connections, and what justifies one excuses it
}

// Compile makes a Policy of what Load read.
func Compile(set *Set, o Options) *Policy {
	p := &Policy{
		engineOf: slices.Repeat([]int32{-1}, len(set.Table.Sources())),
		rules:    make(map[*sigma.Rule]*rule, len(set.Rules.Rules)), weighed: map[*sigma.Correlation]*rule{},
		correlations: sigma.Correlate(set.Correlations),
		suppress:     o.Suppress, flood: o.Flood, refusals: set.Refusals,
		loaded: Loaded{
			Rules: len(set.Rules.Rules), Correlations: len(set.Correlations),
			Refused: len(set.Refusals), Deprecated: set.Deprecated, Disabled: set.Disabled,
		},
	}
	taken := map[string]bool{}
	for _, r := range set.Rules.Rules {
		one := newRule(&r.Meta, r.LogSource, taken)
		one.feeds, one.silent = p.correlations.Feeds(r), r.Silent
		one.excused = strings.HasPrefix(r.File, webServicePack)
		p.rules[r] = one
	}
	for _, c := range set.Correlations {
		p.weighed[c] = newRule(&c.Meta, sigma.LogSource{}, taken)
	}
	p.index(set)
	return p
}

// webServicePack is where the built-in rules about web services are. They ask
// what justifications answer; a rule of the user's holds whatever is justified.
const webServicePack = builtinName + "/web_service/"

// Loaded says what p was made of.
func (p *Policy) Loaded() Loaded { return p.loaded }

// Refusals are the documents that are not in force, in the order of files and
// lines.
func (p *Policy) Refusals() []sigma.Refusal { return p.refusals }

// index makes an engine for each set of rules that some source is shown to.
// Sources with the same rules share one.
func (p *Policy) index(set *Set) {
	shown := make([][]*sigma.Rule, len(p.engineOf))
	for _, r := range set.Rules.Rules {
		ids := set.Table.Select(source.Source{Product: r.LogSource.Product, Category: r.LogSource.Category, Service: r.LogSource.Service})
		if len(ids) == 0 {
			p.loaded.Blind++
		}
		for _, id := range ids {
			shown[id] = append(shown[id], r)
		}
	}
	fields := map[source.ID][]string{}
	for id, rules := range shown {
		if len(rules) == 0 {
			continue
		}
		same := slices.IndexFunc(shown[:id], func(other []*sigma.Rule) bool { return slices.Equal(other, rules) })
		if same >= 0 {
			p.engineOf[id] = p.engineOf[same]
		} else {
			p.engineOf[id] = int32(len(p.engines))
			p.engines = append(p.engines, sigma.Compile(rules))
		}
		fields[source.ID(id)] = p.asked(set.Table, source.ID(id), rules)
	}
	p.table = set.Table.Only(fields)
}

// asked is which fields the rules of a source look at, and what correlations
// want to know of their hits.
func (p *Policy) asked(table *source.Table, id source.ID, rules []*sigma.Rule) []string {
	names, all := p.engines[p.engineOf[id]].Fields()
	if all {
		for _, f := range table.Fields(id) {
			names = append(names, f.Name)
		}
	}
	for _, r := range rules {
		names = append(names, p.correlations.Fields(r)...)
	}
	return names
}

// Bounds of what a finding says of its rule.
const (
	maxUID  = 128
	maxDesc = 1024
)

func newRule(m *sigma.Meta, of sigma.LogSource, taken map[string]bool) *rule {
	uid := UID(m, of)
	if taken[uid] {
		uid = hashed(uid, m.Key())
	}
	taken[uid] = true
	version := m.Modified
	if version == "" {
		version = m.Date
	}
	return &rule{
		Meta: m, uid: uid, severity: severityOf(m.Level), of: sourceName(of),
		analytic: event.Analytic{
			UID: uid, Name: m.Title, Version: version, Desc: clip(oneLine(m.Description), maxDesc), Rule: true, Attacks: attacks(m.Tags),
		},
	}
}

// UID names a rule in findings: by its id, else its name, else a hash of its
// title and log source.
func UID(m *sigma.Meta, of sigma.LogSource) string {
	switch {
	case m.ID != "" && len(m.ID) <= maxUID:
		return strings.ToLower(m.ID)
	case m.Name != "" && len(m.Name) <= maxUID:
		return m.Name
	}
	return hashed(m.Title, of.Product, of.Category, of.Service)
}

func hashed(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\xff")))
	return "rule-" + hex.EncodeToString(sum[:8])
}

func sourceName(of sigma.LogSource) string {
	parts := slices.DeleteFunc([]string{of.Product, of.Category, of.Service}, func(s string) bool { return s == "" })
	return strings.Join(parts, "/")
}

// severityOf is a level's; a rule without one is of medium severity.
func severityOf(level string) event.Severity {
	switch level {
	case "informational":
		return event.SeverityInformational
	case "low":
		return event.SeverityLow
	case "high":
		return event.SeverityHigh
	case "critical":
		return event.SeverityCritical
	}
	return event.SeverityMedium
}
