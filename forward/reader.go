package forward

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of one request of a reader. Large windows of packed messages run
// into the server's limit for slow consumers.
const (
	fetchMessages = 128
	fetchWait     = 5 * time.Second
	fetchBeat     = time.Second
)

// retryPause is how long a reader waits before it tries again.
const retryPause = 250 * time.Millisecond

// entry is one message of a stream. Its memory is the receiver's to keep.
type entry struct {
	Subject  string
	Header   nats.Header
	Data     []byte
	Sequence uint64    // in the stream
	Time     time.Time // when it was stored there
	Waiting  uint64    // how many come behind it, about
}

// reader reads a stream in order through a consumer of its own, and leaves
// nothing out: when a delivery is missing, or the consumer is gone, it makes a
// new one behind the last message that it handed on. Where others took all
// consumers that the stream may have, or delete ours, it asks for one message
// after the other instead.
type reader struct {
	js     jetstream.JetStream
	stream string
	// config holds filters and, for the first consumer, where to start when
	// after is zero.
	config jetstream.ConsumerConfig
	after  uint64 // the last sequence handed on

	consumer jetstream.Consumer
	serial   uint64 // of the last delivery by consumer
}

// open makes the consumer and says how many messages wait behind it.
func (r *reader) open(ctx context.Context) (uint64, error) {
	c := r.config
	c.AckPolicy = jetstream.AckNonePolicy
	c.MemoryStorage = true
	c.Replicas = 1
	c.InactiveThreshold = time.Minute
	if r.after > 0 {
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartSequencePolicy, nil
		c.OptStartSeq = r.after + 1
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	var err error
	if r.consumer, err = r.js.CreateConsumer(ctx, r.stream, c); err != nil {
		r.consumer = nil
		if isConsumerLimit(err) {
			return 0, fmt.Errorf("consumer limit of stream %s reached: %w", r.stream, err)
		}
		return 0, fmt.Errorf("read stream %s: %w", r.stream, err)
	}
	r.serial = 0
	return r.consumer.CachedInfo().NumPending, nil
}

// close removes the consumer; one that could not be removed goes by itself.
func (r *reader) close() {
	if r.consumer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	_ = r.js.DeleteConsumer(ctx, r.stream, r.consumer.CachedInfo().Name)
	r.consumer = nil
}

// errGap says that a delivery is missing.
var errGap = errors.New("a delivery is missing")

// fetch hands on what one request brings. It ends early when handle is false.
func (r *reader) fetch(ctx context.Context, handle func(entry) bool) (more bool, err error) {
	wait, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	batch, err := r.consumer.Fetch(fetchMessages, jetstream.FetchContext(wait), jetstream.FetchHeartbeat(fetchBeat))
	if err != nil {
		return true, err
	}
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return true, err
		}
		if r.serial++; meta.Sequence.Consumer != r.serial {
			return true, errGap
		}
		r.after = meta.Sequence.Stream
		e := entry{
			Subject: m.Subject(), Header: m.Headers(), Data: m.Data(),
			Sequence: meta.Sequence.Stream, Time: meta.Timestamp, Waiting: meta.NumPending,
		}
		if !handle(e) {
			return false, nil
		}
	}
	if err = batch.Error(); wait.Err() != nil && ctx.Err() == nil {
		return true, nil // it was handle that took so long: a server that is away is noticed sooner
	}
	return true, err
}

// toEnd hands on what is in the stream now, and gives up at the first error.
func (r *reader) toEnd(ctx context.Context, handle func(entry)) error {
	defer r.close()
	waiting, err := r.open(ctx)
	for more := waiting > 0; more && err == nil; {
		none := true
		more, err = r.fetch(ctx, func(e entry) bool {
			none = false
			handle(e)
			return e.Waiting > 0
		})
		if more && none && err == nil { // what waited was removed: how much is left?
			r.close()
			waiting, err = r.open(ctx)
			more = waiting > 0
		}
	}
	if consumerLost(err) {
		_, err = r.direct(ctx, func(e entry) bool {
			handle(e)
			return true
		})
	}
	if err != nil {
		return fmt.Errorf("read stream %s to its end: %w", r.stream, err)
	}
	return nil
}

// follow hands on messages as they come until handle is false or ctx ends.
// Errors go to report, and it goes on.
func (r *reader) follow(ctx context.Context, handle func(entry) bool, report func(error)) {
	defer r.close()
	var limited time.Time
	lost := false // the consumer, at the last attempt
	for more := true; more && ctx.Err() == nil; {
		var err error
		if r.consumer == nil {
			_, err = r.open(ctx)
		}
		if err == nil {
			more, err = r.fetch(ctx, handle)
		}
		again := !lost && r.consumer != nil && consumerLost(err)
		lost = again
		if err == nil || ctx.Err() != nil {
			continue
		}
		r.close()
		if again {
			continue // nobody asked it for a while, or deleted it: a new one may do
		}
		if isConsumerLimit(err) {
			if now := time.Now(); now.Sub(limited) >= complainEvery {
				limited = now
				report(err)
			}
			if more, err = r.direct(ctx, handle); err == nil && more {
				pause(ctx, retryPause)
			}
		}
		if err != nil && !errors.Is(err, errGap) && ctx.Err() == nil {
			report(err)
			pause(ctx, retryPause)
		}
	}
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
