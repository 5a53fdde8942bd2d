package app

import (
	"context"
	"fmt"
	"io"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// sourceIPFIX is the --source of files with flows.
const sourceIPFIX = "ipfix"

// messages runs the flow messages of one file through. Templates hold for the
// files that follow too.
func (r *replayer) messages(ctx context.Context, in io.Reader) error {
	for m, err := range ipfix.Messages(in) {
		if err != nil {
			return err
		}
		r.flows.Decode(m, r.flow)
		if r.failed != nil {
			return r.failed
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// flow is the way of one flow. Its place among the others is that of its
// template, where that came later.
func (r *replayer) flow(record *ipfix.Record) {
	r.ordinal++
	ev := new(event.Event)
	record.Fill(ev)
	ev.UID = r.uid(r.ordinal, 0)
	r.emit(ev)
}

// flowSummary is what replay says of flows.
type flowSummary struct {
	Messages   int64            `json:"messages"`
	Duplicates int64            `json:"duplicates"`
	NoTemplate int64            `json:"no_template"` // data sets whose template never came
	Malformed  map[string]int64 `json:"malformed"`
	Lost       int64            `json:"lost"` // by sequence numbers: records, of NetFlow messages
}

// String is the summary in a line.
func (s *flowSummary) String() string {
	text := fmt.Sprintf("flows: %d messages, %d flows were reported twice, %d data sets without a template, %d lost by their sequence numbers",
		s.Messages, s.Duplicates, s.NoTemplate, s.Lost)
	if len(s.Malformed) > 0 {
		text += fmt.Sprintf(", malformed: %v", s.Malformed)
	}
	return text
}

func (r *replayer) countFlows(s *replaySummary) {
	if r.flows == nil {
		return
	}
	st := r.flows.Stats()
	s.Records += st.Received
	s.Flows = &flowSummary{
		Messages: st.Messages, Duplicates: st.Deduplicated, NoTemplate: st.Dropped.NoTemplate,
		Malformed: map[string]int64{}, Lost: st.LostRecords + st.LostMessages,
	}
	for reason, n := range st.Malformed {
		if n > 0 {
			s.Flows.Malformed[reason] = n
		}
	}
}
