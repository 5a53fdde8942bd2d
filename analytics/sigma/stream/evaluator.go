package stream

import (
	"time"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

// Evaluator shows events to the rules of a Policy as a Detector does, and
// nothing becomes of the hits: it is for measuring. It is used from one
// goroutine at a time.
type Evaluator struct {
	// Cost, where it is set, is told what each rule that was looked at cost,
	// without the lookups that all rules share. It makes Evaluate slower.
	Cost func(rule *sigma.Rule, took time.Duration)

	policy  *Policy
	view    *source.View
	matches []*sigma.Matcher // by engine; nil: not needed so far
}

// NewEvaluator makes an Evaluator of p.
func (p *Policy) NewEvaluator() *Evaluator {
	return &Evaluator{policy: p, view: p.table.NewView(), matches: make([]*sigma.Matcher, len(p.engines))}
}

// Evaluate calls hit for each rule that holds for ev, once for each log source
// by which it does, and says of how many log sources with rules ev is. The Hit
// is good until hit returns.
func (e *Evaluator) Evaluate(ev *event.Event, hit func(*sigma.Hit)) (sources int) {
	ids := e.view.Look(ev)
	for _, id := range ids {
		engine := e.policy.engineOf[id]
		if e.matches[engine] == nil {
			e.matches[engine] = e.policy.engines[engine].NewMatcher()
		}
		m := e.matches[engine]
		m.Cost = e.Cost
		m.Match(&sigma.Record{Fields: ev.Fields, Typed: e.view.Typed(id), Text: ev.Raw}, hit)
	}
	return len(ids)
}
