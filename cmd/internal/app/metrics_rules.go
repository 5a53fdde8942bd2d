package app

import (
	"cmp"
	"maps"
	"slices"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/sigma/stream"
)

// maxRuleLabels bounds the rules that metrics name: of more, those that hit
// most.
const maxRuleLabels = 500

// costliest is how many rules that never hit are named for what they cost.
const costliest = 10

// rules is what the rules are, do and cost, over all shards.
func (m metrics) rules(s scrape, found map[string]analytics.AnalyticStats) {
	var events int64
	var seconds float64
	for _, shard := range m.app.collector.shards {
		st := shard.analysis.rules.Stats()
		events, seconds = events+st.Events, seconds+st.Cost.Seconds()
		addFindings(found, st.Findings)
	}
	above := m.app.floor.rules.Stats()
	addFindings(found, above.Findings)
	for _, one := range named(m.app.ruleSums()) {
		s.counter("rule_hits_total", "Hits of a rule or correlation, for those that hit or cost most.", float64(one.Hits), "rule", one.UID)
		s.counter("rule_throttled_total", "Of them, those counted in one finding because the rule floods.", float64(one.Throttled), "rule", one.UID)
		s.counter("rule_seconds_total", "Time that evaluating a rule took, estimated from one event in 1024.", one.Cost.Seconds(), "rule", one.UID)
	}
	s.counter("rules_events_total", "Events that rules looked at.", float64(events))
	s.counter("rules_seconds_total", "Time that all rules took, estimated from one event in 1024.", seconds)
	m.loadedRules(s)
	correlations(s, &above)
}

// ruleSums is what each rule and correlation did, over all shards, by uid.
func (a *App) ruleSums() map[string]stream.RuleStats {
	sums := map[string]stream.RuleStats{}
	add := func(list []stream.RuleStats) {
		for _, one := range list {
			sum := sums[one.UID]
			one.Hits, one.Throttled, one.Cost = one.Hits+sum.Hits, one.Throttled+sum.Throttled, one.Cost+sum.Cost
			sums[one.UID] = one
		}
	}
	for _, shard := range a.collector.shards {
		add(shard.analysis.rules.Stats().Rules)
	}
	add(a.floor.rules.Stats().Rules)
	return sums
}

// named picks the rules that metrics name, by their uids: a bounded number of
// labels.
func named(sums map[string]stream.RuleStats) []stream.RuleStats {
	all := slices.SortedFunc(maps.Values(sums), func(a, b stream.RuleStats) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.UID, b.UID))
	})
	hit := slices.IndexFunc(all, func(one stream.RuleStats) bool { return one.Hits == 0 })
	if hit < 0 {
		hit = len(all)
	}
	return all[:min(hit+costliest, maxRuleLabels, len(all))]
}

func (m metrics) loadedRules(s scrape) {
	l := m.app.collector.shards[0].analysis.rules.Policy().Loaded()
	for state, n := range map[string]int{
		"in_force": l.Rules, "correlations": l.Correlations, "refused": l.Refused, "disabled": l.Disabled, "deprecated": l.Deprecated, "blind": l.Blind,
	} {
		s.gauge("rules", "Rules by what became of them; blind ones are in force, and no event is of their log source.", float64(n), "state", state)
	}
}

func correlations(s scrape, st *stream.CorrelatorStats) {
	s.gauge("correlation_groups", "Groups that correlations count for.", float64(st.Groups))
	s.gauge("correlation_events", "Events that they hold.", float64(st.Events))
	for what, n := range map[string]uint64{"counted": st.Sightings - st.Ungrouped - st.Late, "ungrouped": st.Ungrouped, "late": st.Late} {
		s.counter("correlation_sightings_total", "Hits told to correlations, by what became of them.", float64(n), "result", what)
	}
	for what, n := range map[string]int64{"correlation_groups": int64(st.Forgotten), "correlation_events": int64(st.FellOff), "correlation_records": st.Unremembered} {
		s.counter("forgotten_total", "What fell out of bounded memory.", float64(n), "what", what)
	}
}
