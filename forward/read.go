package forward

import (
	"context"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
)

// FollowOptions says what to follow.
type FollowOptions struct {
	// Events: the events instead of the findings.
	Events bool
	// Since: what was stored from then on; zero: what comes from now on.
	Since time.Time
}

func (o FollowOptions) source() (stream, subjects string) {
	if o.Events {
		return EventsStream, eventSubjects
	}
	return FindingsStream, findingSubjects
}

// Follow goes through findings or events in the order in which they were
// stored, a line of JSON each, until ctx ends. An error says what goes wrong
// (the server is away, a message cannot be unpacked); it does not end the
// sequence: nothing is left out when it goes on.
func Follow(ctx context.Context, nc *nats.Conn, o FollowOptions) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		report := func(err error) {
			if !yield(nil, err) {
				cancel()
			}
		}
		r, err := o.reader(ctx, nc)
		if err != nil {
			report(err)
			return
		}
		r.follow(ctx, func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
			for line, err := range Unpack(m.Headers(), m.Data()) {
				if !yield(line, err) {
					return false
				}
			}
			return true
		}, report)
	}
}

// reader starts at the stream's present end, or at o.Since.
func (o FollowOptions) reader(ctx context.Context, nc *nats.Conn) (*reader, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, err
	}
	stream, subjects := o.source()
	r := &reader{js: js, stream: stream, config: jetstream.ConsumerConfig{FilterSubject: subjects}}
	if !o.Since.IsZero() {
		r.config.DeliverPolicy, r.config.OptStartTime = jetstream.DeliverByStartTimePolicy, &o.Since
		return r, nil
	}
	r.after, err = lastSequence(ctx, nc, stream)
	return r, err
}

// MaxOpenFindings bounds what OpenFindings gives back.
const MaxOpenFindings = 100_000

// OpenFindings reads the present state of the findings that are not closed,
// oldest revision first, at most MaxOpenFindings; left counts the others, and
// those that cannot be read.
func OpenFindings(ctx context.Context, nc *nats.Conn) (open []*event.Finding, left int, err error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, 0, err
	}
	r := reader{js: js, stream: FindingsStream, config: jetstream.ConsumerConfig{
		FilterSubject: findingSubjects,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}}
	// A finding whose severity rose has a last message under each severity:
	// the later of them holds.
	latest := map[string]int{}
	err = r.toEnd(ctx, func(m jetstream.Msg) {
		f, err := event.ParseFinding(m.Data())
		if err != nil {
			left++
			return
		}
		if i, ok := latest[f.UID]; ok {
			open[i] = nil
			delete(latest, f.UID)
		}
		switch {
		case f.Activity == event.FindingClose || f.Status == event.FindingResolved:
		case len(latest) >= MaxOpenFindings:
			left++
		default:
			latest[f.UID] = len(open)
			open = append(open, &f)
		}
	})
	kept := open[:0]
	for _, f := range open {
		if f != nil {
			kept = append(kept, f)
		}
	}
	return kept, left, err
}
