package forward

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	ringEvery = 10 * time.Second
	// maxWatched bounds the consumers of a stream that are watched;
	// nats-server's own default bound is the same.
	maxWatched = 1000
)

// RingWatch sees what a stream's limits remove before a durable consumer has
// read it. Its counts are of messages. For a consumer with a filter they are
// an estimate: what is removed cannot be looked at, so all of it counts while
// the consumer lags, and nothing when it caught up between two polls. What was
// delivered and then removed before its acknowledgement counts as read, since
// the server no longer waits for it.
type RingWatch struct {
	js  jetstream.JetStream
	log *slog.Logger

	mu      sync.Mutex
	streams map[string]RingStats
	readers map[readerKey]*readerState
}

type readerKey struct{ stream, consumer string }

type readerState struct {
	floor  uint64 // with a filter: all up to here is read, or counted as lost
	missed int64  // the latest measure
	lost   int64  // since the watch began
	warned time.Time
	seen   bool // in this poll
}

// RingStats is what a stream holds.
type RingStats struct {
	Stream   string
	Messages uint64
	Bytes    uint64
	Oldest   time.Time // of the first message; zero: empty
	Lost     int64     // messages removed before a durable consumer acknowledged them
}

// NewRingWatch makes a watch over the events and findings of the server that
// nc is connected to; a nil log is discarded.
func NewRingWatch(nc *nats.Conn, log *slog.Logger) (*RingWatch, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &RingWatch{
		js: js, log: log.With("component", "ring"),
		streams: map[string]RingStats{}, readers: map[readerKey]*readerState{},
	}, nil
}

// Run polls every ten seconds until ctx ends, and then gives nil.
func (w *RingWatch) Run(ctx context.Context) error {
	tick := time.NewTicker(ringEvery)
	defer tick.Stop()
	for {
		if err := w.Poll(ctx); err != nil && ctx.Err() == nil {
			w.log.Debug("cannot look at the streams", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Poll looks at the streams and their consumers once.
func (w *RingWatch) Poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	for _, name := range []string{EventsStream, FindingsStream} {
		if err := w.poll(ctx, name); err != nil {
			return fmt.Errorf("watch stream %s: %w", name, err)
		}
	}
	return nil
}

func (w *RingWatch) poll(ctx context.Context, name string) error {
	st, err := w.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	// The stream is looked at before its consumers, so that what is removed
	// meanwhile is never counted as lost by mistake.
	state := st.CachedInfo().State
	list := st.ListConsumers(ctx)
	var readers []*jetstream.ConsumerInfo
	for info := range list.Info() {
		if info.Config.Durable != "" && len(readers) < maxWatched {
			readers = append(readers, info)
		}
	}
	if err := list.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, info := range readers {
		w.see(*st.CachedInfo(), info)
	}
	w.forget(name)
	s := w.streams[name]
	s.Stream, s.Messages, s.Bytes, s.Oldest = name, state.Msgs, state.Bytes, state.FirstTime
	if state.Msgs == 0 {
		s.Oldest = time.Time{}
	}
	w.streams[name] = s
	return nil
}

// see adds what one consumer has missed since the last poll. What it missed
// before the first is not known to be recent, and not counted.
func (w *RingWatch) see(stream jetstream.StreamInfo, info *jetstream.ConsumerInfo) {
	key := readerKey{stream.Config.Name, info.Name}
	r := w.readers[key]
	first := r == nil
	if first {
		r = &readerState{}
		w.readers[key] = r
	}
	r.seen = true
	missed := r.measure(stream, info)
	if n := missed - r.missed; n > 0 && !first {
		r.lose(n, w.log.With("stream", key.stream, "consumer", key.consumer))
		s := w.streams[key.stream]
		s.Lost += n
		w.streams[key.stream] = s
	}
	r.missed = missed
}

// measure is what the consumer has missed so far, from a start of its own.
// Without a filter its two counts tell: the distance between the sequences of
// the stream and those of its deliveries, and what is gone behind its present
// place. Deliveries again make that smaller, never larger.
func (r *readerState) measure(stream jetstream.StreamInfo, info *jetstream.ConsumerInfo) int64 {
	state, ack := stream.State, info.AckFloor
	if everything(stream.Config.Subjects, info.Config) {
		gone := max(int64(state.FirstSeq)-1-int64(ack.Stream), 0)
		return int64(ack.Stream) - int64(ack.Consumer) + gone
	}
	r.floor = max(r.floor, ack.Stream)
	if info.NumPending == 0 && info.NumAckPending == 0 {
		r.floor = max(r.floor, state.LastSeq) // it has read all that concerns it
	}
	missed := r.missed
	if gone := int64(state.FirstSeq) - 1 - int64(r.floor); gone > 0 {
		missed += gone
		r.floor = state.FirstSeq - 1
	}
	return missed
}

// everything says that a consumer reads all of a stream with those subjects.
func everything(subjects []string, c jetstream.ConsumerConfig) bool {
	filters := c.FilterSubjects
	if c.FilterSubject != "" {
		filters = []string{c.FilterSubject}
	}
	return len(filters) == 0 || len(subjects) == 1 && slices.Equal(filters, subjects)
}

func (r *readerState) lose(n int64, log *slog.Logger) {
	r.lost += n
	if now := time.Now(); now.Sub(r.warned) >= complainEvery {
		log.Error("the ring removed messages that a consumer had not acknowledged: enlarge forward.events, or speed the consumer up", "messages", r.lost)
		r.warned = now
	}
}

// forget drops the consumers of a stream that are gone.
func (w *RingWatch) forget(stream string) {
	for key, r := range w.readers {
		if key.stream == stream && !r.seen {
			delete(w.readers, key)
		}
		r.seen = false
	}
}

// Stats is what the last Poll saw.
func (w *RingWatch) Stats() []RingStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []RingStats
	for _, name := range []string{EventsStream, FindingsStream} {
		if s, ok := w.streams[name]; ok {
			list = append(list, s)
		}
	}
	return list
}
