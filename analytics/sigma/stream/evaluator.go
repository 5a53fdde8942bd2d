package stream

import (
	"time"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

// Evaluator shows events to the rules of a Policy, and nothing becomes of the
// hits. It is used from one goroutine at a time.
type Evaluator struct {
	// Cost, where it is set, is told what each rule that was looked at cost,
	// without the lookups that all rules share. It makes Evaluate slower.
	Cost func(rule *sigma.Rule, took time.Duration)

	policy  *Policy
	view    *source.View
	matches []*sigma.Matcher // by engine; nil: not needed so far
	record  sigma.Record     // the event under evaluation, by one of its sources
}

// NewEvaluator makes an Evaluator of p.
func (p *Policy) NewEvaluator() *Evaluator {
	return &Evaluator{policy: p, view: p.table.NewView(), matches: make([]*sigma.Matcher, len(p.engines))}
}

// Evaluate calls hit for each rule that holds for ev, once for each log source
// by which it does, and says of how many log sources with rules ev is. The Hit
// is good until hit returns.
func (e *Evaluator) Evaluate(ev *event.Event, hit func(*sigma.Hit)) (sources int) {
	ids := e.look(ev)
	e.match(ev, ids, hit)
	return len(ids)
}

// look gives the log sources that have rules to show ev to.
func (e *Evaluator) look(ev *event.Event) []source.ID {
	if nobodys(ev) {
		return nil
	}
	return e.view.Look(ev)
}

// nobodys says that ev is an answer of a resolver that does not say to whom.
// The rules looked at the question; for this they would blame the resolver.
func nobodys(ev *event.Event) bool {
	return ev.Class == event.DNSActivity && ev.Activity == event.DNSResponse && !ev.Src.IP.IsValid() && ev.Src.Hostname == ""
}

func (e *Evaluator) match(ev *event.Event, ids []source.ID, hit func(*sigma.Hit)) {
	for _, id := range ids {
		m := e.matcher(e.policy.engineOf[id])
		m.Cost = e.Cost
		e.record = sigma.Record{Fields: ev.Fields, Typed: e.view.Typed(id), Text: ev.Raw}
		m.Match(&e.record, hit)
	}
	e.record = sigma.Record{}
}

func (e *Evaluator) matcher(engine int32) *sigma.Matcher {
	if e.matches[engine] == nil {
		e.matches[engine] = e.policy.engines[engine].NewMatcher()
	}
	return e.matches[engine]
}
