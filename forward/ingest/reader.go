package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// Durable is the name of the one consumer of VEGRESS_INGEST.
const Durable = "vegress"

// Bounds of what is read and not done yet. Above them nothing more is asked
// for.
const (
	maxPending  = 32768 // messages
	maxInFlight = 64 << 20
	fetchBytes  = 4 << 20
)

const (
	// ackWait is how long the server waits before it delivers a message again.
	// A message that is still under way then is not handed on twice.
	ackWait = time.Minute
	// beatEvery is how often Handler.Beat is called, about.
	beatEvery = 500 * time.Millisecond
	// retryPause is how long the reader waits after an error; troubleAfter is
	// how long errors may go on before Health tells of them.
	retryPause   = 500 * time.Millisecond
	troubleAfter = 15 * time.Second
	apiTimeout   = 5 * time.Second
)

// Handler takes what a Reader reads. Its methods are called from one
// goroutine.
type Handler interface {
	// Message takes one message. Whoever took it calls m.Done once, in any
	// goroutine, when what became of it is stored.
	Message(m *Message)
	// Beat lets time pass.
	Beat(now time.Time)
}

// Message is one message of the stream.
type Message struct {
	Source   string // as in the subject
	Host     string // the machine; empty: not known
	UID      string // of the message, the same at every delivery; unique for ever
	Received time.Time
	Body     []byte // records, as Cutter cuts them; nil when Message has returned
	// Err says why the message could not be unpacked; Body is then what came.
	Err error

	reader *Reader
	seq    uint64
	size   int
	msg    jetstream.Msg // of the latest delivery; guarded by reader.mu
}

// Records are those in the message. They are parts of Body.
func (m *Message) Records() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var c Cutter
		for rest := m.Body; len(rest) > 0; {
			n, record, _ := c.Split(rest, true)
			rest = rest[n:]
			if len(record) > 0 && !yield(record) {
				return
			}
		}
	}
}

// Done says that the message needs not come again; not settled: it has to,
// when the service starts next. It does not block.
func (m *Message) Done(settled bool) { m.reader.done(m, settled) }

// Reader reads VEGRESS_INGEST and acknowledges what is done.
type Reader struct {
	js        jetstream.JetStream
	log       *slog.Logger
	collector string
	consumer  jetstream.Consumer
	uid       string // of messages, without their number

	mu      sync.Mutex
	open    map[uint64]*Message // handed on and not done, by sequence
	bytes   int                 // of them
	acked   doneSet
	acks    []jetstream.Msg
	wake    chan struct{}
	trouble error // nil: all is well
	since   time.Time

	messages, redelivered, broken, ackErrors atomic.Int64
	waiting                                  atomic.Int64
}

// NewReader makes a reader over a connection to a server with the streams of
// forward.Ensure. log takes what goes wrong.
func NewReader(nc *nats.Conn, collector string, log *slog.Logger) (*Reader, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return &Reader{
		js: js, log: log, collector: event.Slug(cmp.Or(collector, "vegress")),
		open: map[uint64]*Message{}, acked: newDoneSet(), wake: make(chan struct{}, 1),
	}, nil
}

// Run hands on messages until ctx ends; what is done is acknowledged until
// Close.
func (r *Reader) Run(ctx context.Context, h Handler) {
	for ctx.Err() == nil {
		err := r.round(ctx, h)
		h.Beat(time.Now())
		if ctx.Err() == nil {
			r.note(err)
			if err != nil {
				r.consumer = nil
				pause(ctx, retryPause)
			}
		}
	}
}

// round asks once for what there is.
func (r *Reader) round(ctx context.Context, h Handler) error {
	if r.full() {
		pause(ctx, beatEvery/10)
		return nil
	}
	if r.consumer == nil {
		if err := r.attach(ctx); err != nil {
			return err
		}
	}
	batch, err := r.consumer.FetchBytes(fetchBytes, jetstream.FetchMaxWait(beatEvery))
	if err != nil {
		return fmt.Errorf("read stream %s: %w", forward.IngestStream, err)
	}
	none := true
	for msg := range batch.Messages() {
		none = false
		r.deliver(msg, h)
	}
	if none {
		r.waiting.Store(0)
	}
	if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, jetstream.ErrMaxBytesExceeded) {
		return fmt.Errorf("read stream %s: %w", forward.IngestStream, err)
	}
	return nil
}

// attach makes the consumer, or finds it.
func (r *Reader) attach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stream, err := r.js.Stream(ctx, forward.IngestStream)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", forward.IngestStream, err)
	}
	if r.uid == "" {
		// What an earlier process had and did not acknowledge is due now, not
		// when its time is over. Of a work queue nothing is lost with a consumer.
		if err := stream.DeleteConsumer(ctx, Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("read stream %s anew: %w", forward.IngestStream, err)
		}
	}
	consumer, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: Durable, Description: "reads telemetry into vegress",
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: maxPending,
	})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", forward.IngestStream, err)
	}
	// The time of the stream's making tells its sequences from those of one
	// that was there before it.
	uid := r.collector + "-" + forward.IngestStream + "." +
		strconv.FormatInt(stream.CachedInfo().Created.UnixMilli(), 36) + "-"
	r.mu.Lock()
	defer r.mu.Unlock()
	if uid != r.uid {
		clear(r.open)
		r.bytes, r.acked, r.uid = 0, newDoneSet(), uid
	}
	r.consumer = consumer
	return nil
}

// deliver hands a message on, unless it is under way, or done, already.
func (r *Reader) deliver(msg jetstream.Msg, h Handler) {
	meta, err := msg.Metadata()
	if err != nil {
		r.note(fmt.Errorf("read stream %s: %w", forward.IngestStream, err))
		return
	}
	r.waiting.Store(int64(meta.NumPending))
	m, known := r.take(msg, meta)
	if known {
		r.redelivered.Add(1)
		return
	}
	r.messages.Add(1)
	if m.Body, m.Err = forward.Body(msg.Headers(), msg.Data()); m.Err != nil {
		r.broken.Add(1)
		m.Body = msg.Data()
	}
	h.Message(m)
	m.Body = nil // m may stay for long, and what was packed is its own memory
}

func (r *Reader) take(msg jetstream.Msg, meta *jetstream.MsgMetadata) (m *Message, known bool) {
	seq := meta.Sequence.Stream
	r.mu.Lock()
	defer r.mu.Unlock()
	if m, known = r.open[seq]; known {
		m.msg = msg
		return m, true
	}
	if r.acked.has(seq) { // its acknowledgement was lost
		r.acknowledge(msg)
		return nil, true
	}
	m = &Message{
		UID: r.uid + strconv.FormatUint(seq, 10), Received: meta.Timestamp,
		reader: r, seq: seq, size: len(msg.Data()), msg: msg,
	}
	m.Source, m.Host = address(msg.Subject())
	if name := msg.Headers().Get(headerHost); name != "" {
		m.Host = name
	}
	m.Host = strings.Clone(m.Host[:min(len(m.Host), maxHost)])
	r.open[seq] = m
	r.bytes += m.size
	return m, false
}

func (r *Reader) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open) >= maxPending || r.bytes >= maxInFlight
}

func (r *Reader) done(m *Message, settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[m.seq] != m { // of a stream that is gone
		return
	}
	delete(r.open, m.seq)
	r.bytes -= m.size
	if settled {
		r.acked.add(m.seq)
		r.acknowledge(m.msg)
	}
}

// acknowledge has Acknowledge send it: whoever is done may hold locks that
// sending must not wait under.
func (r *Reader) acknowledge(msg jetstream.Msg) {
	r.acks = append(r.acks, msg)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Acknowledge sends acknowledgements until ctx ends, and those that are due
// then. It runs beside Run, and ends after everything was done.
func (r *Reader) Acknowledge(ctx context.Context) {
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-r.wake:
		}
		r.mu.Lock()
		due := r.acks
		r.acks = nil
		r.mu.Unlock()
		for _, msg := range due {
			if msg.Ack() != nil { // it comes again
				r.ackErrors.Add(1)
			}
		}
	}
}

// note keeps what goes wrong for Health, and logs when that begins and ends.
func (r *Reader) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if (err == nil) == (r.trouble == nil) {
		r.trouble = err
		return
	}
	r.trouble, r.since = err, time.Now()
	if err != nil {
		r.log.Warn("telemetry is not read", "error", err)
		return
	}
	r.log.Info("telemetry is read")
}

// Health is nil when messages are read, else why they are not.
func (r *Reader) Health() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trouble == nil || time.Since(r.since) < troubleAfter {
		return nil
	}
	return fmt.Errorf("telemetry is not read: %w", r.trouble)
}

// ReaderStats is what a Reader counted.
type ReaderStats struct {
	Messages    int64 // handed on
	Redelivered int64 // that came again while they were under way, or done
	Broken      int64 // that could not be unpacked
	AckErrors   int64 // acknowledgements that could not be sent
	Waiting     int64 // in the stream, not delivered yet, when one was last delivered
	Open        int64 // handed on and not done
	OpenBytes   int64
}

// Stats reads the counts.
func (r *Reader) Stats() ReaderStats {
	r.mu.Lock()
	open, bytes := len(r.open), r.bytes
	r.mu.Unlock()
	return ReaderStats{
		Messages: r.messages.Load(), Redelivered: r.redelivered.Load(), Broken: r.broken.Load(),
		AckErrors: r.ackErrors.Load(), Waiting: r.waiting.Load(), Open: int64(open), OpenBytes: int64(bytes),
	}
}

// doneSet knows the sequences that were done last, as many as the server lets
// go without an acknowledgement: a message whose acknowledgement was lost is
// among them.
type doneSet struct {
	seqs map[uint64]struct{}
	ring []uint64
	next int
}

func newDoneSet() doneSet { return doneSet{seqs: map[uint64]struct{}{}} }

func (s *doneSet) has(seq uint64) bool {
	_, ok := s.seqs[seq]
	return ok
}

func (s *doneSet) add(seq uint64) {
	s.seqs[seq] = struct{}{}
	if len(s.ring) < maxPending {
		s.ring = append(s.ring, seq)
		return
	}
	delete(s.seqs, s.ring[s.next])
	s.ring[s.next] = seq
	s.next = (s.next + 1) % maxPending
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
