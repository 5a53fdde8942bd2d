package forward

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// reader reads a stream in order through a consumer of its own, and leaves
// nothing out: when a delivery is missing, or the consumer is gone, it makes a
// new one behind the last message that it handed on.
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
func (r *reader) fetch(ctx context.Context, handle func(jetstream.Msg, *jetstream.MsgMetadata) bool) (more bool, err error) {
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
		if !handle(m, meta) {
			return false, nil
		}
	}
	return true, batch.Error()
}

// toEnd hands on what is in the stream now, and gives up at the first error.
func (r *reader) toEnd(ctx context.Context, handle func(jetstream.Msg)) error {
	defer r.close()
	waiting, err := r.open(ctx)
	for more := waiting > 0; more && err == nil; {
		more, err = r.fetch(ctx, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			handle(m)
			return meta.NumPending > 0
		})
	}
	if err != nil {
		return fmt.Errorf("read stream %s to its end: %w", r.stream, err)
	}
	return nil
}

// follow hands on messages as they come until handle is false or ctx ends.
// Errors go to report, and it goes on.
func (r *reader) follow(ctx context.Context, handle func(jetstream.Msg, *jetstream.MsgMetadata) bool, report func(error)) {
	defer r.close()
	for more := true; more && ctx.Err() == nil; {
		var err error
		if r.consumer == nil {
			_, err = r.open(ctx)
		}
		if err == nil {
			more, err = r.fetch(ctx, handle)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		r.close()
		if !errors.Is(err, errGap) {
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
