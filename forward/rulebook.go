package forward

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/event"
)

// rulesPrefix begins the keys of RuleReports in StateBucket.
const rulesPrefix = "rules."

// MaxRuleCounts bounds the rules of a RuleReport.
const MaxRuleCounts = 2000

// RuleReport is what the rules of one collector did since it was started.
type RuleReport struct {
	Collector string       `json:"collector"`
	Since     time.Time    `json:"since"`
	Time      time.Time    `json:"time"` // of the report
	Rules     []RuleCounts `json:"rules"`
}

// RuleCounts is what one rule did.
type RuleCounts struct {
	UID       string  `json:"uid"` // as findings have it in analytic.uid
	Hits      int64   `json:"hits"`
	Throttled int64   `json:"throttled,omitempty"` // of Hits: counted in one finding because the rule floods
	Seconds   float64 `json:"seconds"`             // of CPU, estimated from samples
}

func rulesKey(collector string) string { return rulesPrefix + event.Slug(collector) }

// PutRuleReport writes r to StateBucket, under "rules.<slug of the
// collector>". Of its rules the first MaxRuleCounts are written.
func PutRuleReport(ctx context.Context, nc *nats.Conn, r RuleReport) error {
	r.Rules = r.Rules[:min(len(r.Rules), MaxRuleCounts)]
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the report on rules: %w", err)
	}
	js, err := openJetStream(nc)
	if err != nil {
		return err
	}
	kv, err := js.KeyValue(ctx, StateBucket)
	if err == nil {
		_, err = kv.Put(ctx, rulesKey(r.Collector), data)
	}
	if err != nil {
		return fmt.Errorf("write the report on rules to bucket %s: %w", StateBucket, err)
	}
	return nil
}

// RuleReports reads the reports of all collectors, by their names. What is no
// report under its collector's own key is left out.
func RuleReports(ctx context.Context, nc *nats.Conn) ([]RuleReport, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, err
	}
	var all []RuleReport
	err = readBucket(ctx, js, StateBucket, rulesPrefix+">", false, func(key string, value []byte) {
		var r RuleReport
		if json.Unmarshal(value, &r) == nil && rulesKey(r.Collector) == key && len(r.Rules) <= MaxRuleCounts {
			all = append(all, r)
		}
	})
	slices.SortFunc(all, func(a, b RuleReport) int { return strings.Compare(a.Collector, b.Collector) })
	return all, err
}
