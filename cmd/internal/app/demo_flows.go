package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/simulator"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// demoFlows is how the demo's hosts export flows: their first templates get
// lost, so that what comes before the next ones has to wait, and now and then a
// message gets lost with all that is in it.
var demoFlows = simulator.FlowOptions{LoseTemplates: 1, LoseMessages: 60}

// demoBounds are those of the flow decoder: the demo's hours pass in seconds,
// and a busy machine is late.
var demoBounds = ipfix.Options{Hold: 24 * time.Hour, Forget: 48 * time.Hour}

// playFlows sends the hosts' flows while their lines are played.
func (s *show) playFlows(ctx context.Context) error {
	if _, err := s.flows.PlayWith(ctx, s.app.flowListeners()[0], s.traffic); err != nil {
		return fmt.Errorf("send the simulated flows: %w", err)
	}
	return nil
}

// told are the stories that there are to find, in lines, in flows, or in what
// sensors record.
func (s *show) told() []simulator.Story {
	all := slices.Clone(s.traffic.Truth().Stories)
	for _, story := range s.flows.Truth().Stories {
		if !slices.ContainsFunc(all, func(o simulator.Story) bool { return o.ID == story.ID }) {
			all = append(all, story)
		}
	}
	return append(all, s.traffic.Guests().Truth().Stories...)
}

// flowResult is what became of the flow records, which the account of all
// records has among the others.
type flowResult struct {
	Sent         int64            `json:"sent"`
	Received     int64            `json:"received"`
	Forwarded    int64            `json:"forwarded"`
	Deduplicated int64            `json:"deduplicated"`
	Dropped      map[string]int64 `json:"dropped"`
	// Lost is what did not come by the exporters' sequence numbers, records of
	// IPFIX and messages of NetFlow; LostOnWay is how many there really were.
	Lost      int64 `json:"lost"`
	LostOnWay int64 `json:"lost_on_way"`
}

func (s *show) flowResult() flowResult {
	st, truth := s.app.flows.stats(), s.flows.Truth()
	r := flowResult{
		Sent: int64(truth.Records), Received: st.Received, Deduplicated: st.Deduplicated,
		Forwarded: st.Received - st.Deduplicated - st.Dropped.NoTemplate - st.Dropped.Malformed,
		Dropped:   map[string]int64{},
		Lost:      st.LostRecords + st.LostMessages, LostOnWay: int64(truth.LostRecords + truth.LostMessages),
	}
	for reason, n := range map[string]int64{"no_template": st.Dropped.NoTemplate, "malformed": st.Dropped.Malformed} {
		if n > 0 {
			r.Dropped[reason] = n
		}
	}
	return r
}

func (r *flowResult) print(b *strings.Builder) {
	fmt.Fprintf(b, "  flow records sent %d   received %d   forwarded %d   deduplicated %d   dropped %d   lost on the way %d, of which noticed %d\n",
		r.Sent, r.Received, r.Forwarded, r.Deduplicated, sum(r.Dropped), r.LostOnWay, r.Lost)
}
