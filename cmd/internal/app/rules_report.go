package app

import (
	"context"
	"fmt"
	"time"

	"github.com/vegress/vegress/forward"
)

// reportRulesEvery is how far the bucket's report on rules may be behind.
const reportRulesEvery = 15 * time.Second

// reportRules keeps the report on rules in the bucket, until ctx ends.
func (a *App) reportRules(ctx context.Context) {
	since := time.Now()
	tick := time.NewTicker(reportRulesEvery)
	defer tick.Stop()
	for {
		if err := a.reportRulesOnce(ctx, since); err != nil && ctx.Err() == nil {
			a.log.Warn("the report on rules is behind", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *App) reportRulesOnce(ctx context.Context, since time.Time) error {
	report := forward.RuleReport{Collector: a.config.Collector, Since: since, Time: time.Now(), Rules: []forward.RuleCounts{}}
	for _, one := range named(a.ruleSums()) {
		report.Rules = append(report.Rules, forward.RuleCounts{UID: one.UID, Hits: one.Hits, Throttled: one.Throttled, Seconds: one.Cost.Seconds()})
	}
	return forward.PutRuleReport(ctx, a.conn, report)
}

// ruleUse is what the rules of running services did, by uid.
type ruleUse struct {
	since time.Time // the earliest start of a service
	rules map[string]forward.RuleCounts
}

// readRuleUse adds up the reports of all collectors on a NATS server.
func (f *natsFlags) readRuleUse(ctx context.Context, std Streams) (*ruleUse, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	nc, err := f.dial(std, end)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	reports, err := forward.RuleReports(ctx, nc)
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return nil, cause // the user may not read
	case err != nil:
		return nil, hinted(err)
	case len(reports) == 0:
		return nil, fmt.Errorf("no service has reported on its rules there yet (it does so %s after its start at the latest)", reportRulesEvery)
	}
	use := &ruleUse{since: reports[0].Since, rules: map[string]forward.RuleCounts{}}
	for _, r := range reports {
		if r.Since.Before(use.since) {
			use.since = r.Since
		}
		for _, one := range r.Rules {
			sum := use.rules[one.UID]
			one.Hits, one.Throttled, one.Seconds = one.Hits+sum.Hits, one.Throttled+sum.Throttled, one.Seconds+sum.Seconds
			use.rules[one.UID] = one
		}
	}
	return use, nil
}
