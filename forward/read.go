package forward

import (
	"context"
	"iter"
	"slices"
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
// sequence: nothing is left out when it goes on, but what vegress did not
// write.
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
		r.follow(ctx, func(e entry) bool {
			if err := o.check(e); err != nil {
				return yield(nil, err)
			}
			for line, err := range Unpack(e.Header, e.Data) {
				if !yield(line, err) {
					return false
				}
			}
			return true
		}, report)
	}
}

// Stored is a message that was read back. It owns its memory.
type Stored struct {
	entry   entry
	Waiting uint64 // how many come behind it, about
}

// Lines are the findings or events in it, a line of JSON each.
func (s Stored) Lines() iter.Seq2[[]byte, error] { return Unpack(s.entry.Header, s.entry.Data) }

// History hands on what is stored now, in that order, and ends. What vegress
// did not write is left out, and counted.
func History(ctx context.Context, nc *nats.Conn, o FollowOptions, take func(Stored)) (foreign int, err error) {
	r, err := o.reader(ctx, nc)
	if err != nil {
		return 0, err
	}
	err = r.toEnd(ctx, func(e entry) {
		if o.check(e) != nil {
			foreign++
			return
		}
		take(Stored{entry: e, Waiting: e.Waiting})
	})
	return foreign, err
}

// check refuses what others had the server store.
func (o FollowOptions) check(e entry) error {
	if !o.Events {
		_, err := readFinding(e)
		return err
	}
	if isForeign(e) {
		return foreign(e)
	}
	return nil
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
// messages that are no finding of ours.
func OpenFindings(ctx context.Context, nc *nats.Conn) (open []*event.Finding, left int, err error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, 0, err
	}
	r := reader{js: js, stream: FindingsStream, config: jetstream.ConsumerConfig{
		FilterSubject: findingSubjects,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}}
	s := openSet{latest: map[string]int{}}
	if err = r.toEnd(ctx, s.take); err == nil && s.foreign {
		// What is not ours may hide a finding behind it: all revisions tell.
		r.after, r.config.DeliverPolicy = 0, jetstream.DeliverAllPolicy
		s = openSet{latest: map[string]int{}}
		err = r.toEnd(ctx, s.take)
	}
	return slices.DeleteFunc(s.open, func(f *event.Finding) bool { return f == nil }), s.left, err
}

// openSet collects open findings.
type openSet struct {
	open    []*event.Finding // nil: a later revision holds
	latest  map[string]int   // by uid
	left    int
	foreign bool
}

// take goes by the order of the stream: a finding whose severity rose has a
// last message under each severity, and the later of them holds.
func (s *openSet) take(e entry) {
	f, err := readFinding(e)
	if err != nil {
		s.left++
		s.foreign = true
		return
	}
	if i, ok := s.latest[f.UID]; ok {
		s.open[i] = nil
		delete(s.latest, f.UID)
	}
	switch {
	case f.Activity == event.FindingClose || f.Status == event.FindingResolved:
	case len(s.latest) >= MaxOpenFindings:
		s.left++
	default:
		s.latest[f.UID] = len(s.open)
		s.open = append(s.open, &f)
	}
}
