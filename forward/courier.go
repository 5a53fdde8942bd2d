package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// message is one JetStream message on its way until it is acknowledged.
type message struct {
	nats.Msg          // Header and Data belong to the courier until release
	id         string // Nats-Msg-Id
	events     int
	claims     []*Claim  // held until it is settled
	at, before place     // in the stream that it is copied from: its own, and that of the message before it
	stored     time.Time // when it was stored there

	token    uint64 // place in the courier's queue
	attempt  uint64
	floor    uint64    // the stream's last known sequence before it was first sent
	first    time.Time // when it was handed over
	sent     time.Time // when it was last sent
	refusals int
	state    messageState
	denied   bool // the server did not let it through, and it is not stored since
	sending  bool // a goroutine reads Data; release waits for it
}

// place is that of a message in its stream; zero: before the first.
type place struct {
	seq uint64
	id  string
}

type messageState uint8

const (
	queued messageState = iota // to be sent, or sent again
	sent                       // on its way, or lost
	settled
)

// outcome is how a message's way ended.
type outcome uint8

const (
	stored    outcome = iota
	refused           // by the server, for good
	abandoned         // on closing
	divided           // into smaller ones, which go on
)

// courierOptions is what a courier needs to know.
type courierOptions struct {
	nc      *nats.Conn
	stream  string
	floor   uint64 // nothing of what will be sent is stored at or before it
	passed  place  // of the message before what will be sent
	options Options
	// split divides a message that is refused for good; nil when it cannot be.
	split func(*message) []*message
	// verify, if set, is asked whether the stream is still the one that
	// acknowledged that sequence, when a connection broke or an answer is
	// missing.
	verify func(ctx context.Context, acknowledged uint64) error
	// explain, if set, makes an error of something that began at since tell more.
	explain func(err error, since time.Time) error
	// release, if set, gets each message when it is settled and its memory free.
	release func(*message)
}

// courier sends messages to one stream and keeps each until it is
// acknowledged. It is in one of two moods: flowing, when what is handed over
// is sent at once by the caller; or, after any trouble, recovering, when its
// own goroutine first reads which ids the stream has stored and then sends
// what is missing again, in order.
//
// Reading back is exact at any length of an outage: the stream's sequence
// before a message was first sent is known (floor), so all that may hold it
// lies behind, and only the subjects in flight are asked for.
type courier struct {
	courierOptions
	js     jetstream.JetStream
	log    *slog.Logger
	inbox  string
	sub    *nats.Subscription
	status chan nats.Status
	wake   chan struct{}
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	room    sync.Cond  // something was settled, or the courier closed
	queue   []*message // nil: settled; the first is not
	base    uint64     // token of queue[0]
	bytes   int        // of what is not settled
	open    int        // messages that are not settled
	flowing bool
	suspect bool // what was sent may be lost
	closed  bool
	lastSeq uint64    // highest sequence that was acknowledged
	moved   time.Time // when the first of queue was settled last
	trouble error     // why it is not flowing
	count   courierCount

	// Of the courier's goroutine, progress under the lock.
	progress  int64         // messages stored at the last attempt to recover
	wait      time.Duration // before the next
	complaint complaint
	refusal   complaint // as in refuse
	silent    bool      // no complaint is open
}

// courierCount is what a courier counts. In each snapshot, under the lock,
//
//	handed = stored + refused + abandoned + in flight
type courierCount struct {
	Handed, Stored, Refused, Abandoned, InFlight tally

	Redelivered int64 // messages sent again
	Duplicates  int64 // acknowledgements that said: known already
	ReadBack    int64 // messages that turned out to be stored without an acknowledgement
	Stalls      int64 // times a caller waited for room
	Troubles    int64 // refusals, lost connections, overdue acknowledgements
	Latency     Histogram
}

// tally counts messages and what is in them.
type tally struct{ Messages, Events, Bytes int64 }

func (t *tally) add(m *message, sign int64) {
	t.Messages += sign
	t.Events += sign * int64(m.events)
	t.Bytes += sign * int64(len(m.Data))
}

// ErrClosed is what Add and Finding say after Close.
var ErrClosed = errors.New("the publisher is closed")

func newCourier(o courierOptions) (*courier, error) {
	js, err := openJetStream(o.nc)
	if err != nil {
		return nil, err
	}
	c := &courier{
		courierOptions: o,
		js:             js,
		log:            o.options.Logger.With("stream", o.stream),
		inbox:          o.nc.NewInbox() + ".",
		wake:           make(chan struct{}, 1),
		flowing:        true,
		progress:       -1,
		silent:         true,
		lastSeq:        o.floor,
	}
	c.room.L = &c.mu
	if c.release == nil {
		c.release = func(*message) {}
	}
	if c.explain == nil {
		c.explain = func(err error, _ time.Time) error { return err }
	}
	if c.sub, err = o.nc.Subscribe(c.inbox+"*.*", c.onAck); err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	c.status = o.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.wg.Go(func() { c.run(ctx) })
	return c, nil
}

// send takes m over. It blocks while the window is full, and sends at once
// unless there is trouble.
func (c *courier) send(m *message) error {
	c.mu.Lock()
	if c.full(m) && !c.closed {
		c.count.Stalls++
		for c.full(m) && !c.closed {
			c.room.Wait()
		}
	}
	m.first = time.Now()
	c.count.Handed.add(m, 1)
	if c.closed {
		c.count.Abandoned.add(m, 1)
		c.mu.Unlock()
		m.release(true)
		c.release(m)
		return ErrClosed
	}
	c.enqueue(m)
	if !c.flowing {
		c.mu.Unlock()
		return nil
	}
	c.markSent(m)
	c.mu.Unlock()
	c.publish(m)
	return nil
}

// behindFirst is how many windows of messages may be settled behind one that
// is not.
const behindFirst = 16

func (c *courier) full(m *message) bool {
	return c.open >= c.options.WindowMessages || c.open > 0 && c.bytes+len(m.Data) > c.options.WindowBytes ||
		len(c.queue) >= behindFirst*c.options.WindowMessages
}

func (c *courier) enqueue(m *message) {
	m.token = c.base + uint64(len(c.queue))
	m.floor, m.state, m.attempt, m.refusals = c.lastSeq, queued, 0, 0
	c.passed = m.at
	c.queue = append(c.queue, m)
	c.open++
	c.bytes += len(m.Data)
	c.count.InFlight.add(m, 1)
}

func (c *courier) markSent(m *message) {
	m.attempt++
	if m.attempt > 1 {
		c.count.Redelivered++
	}
	m.state, m.sending, m.sent = sent, true, time.Now()
	m.Reply = c.inbox + strconv.FormatUint(m.token, 36) + "." + strconv.FormatUint(m.attempt, 36)
}

// publish writes m to the connection, which copies it.
func (c *courier) publish(m *message) {
	err := c.nc.PublishMsg(&m.Msg)
	c.mu.Lock()
	m.sending = false
	if m.state == settled {
		c.mu.Unlock()
		c.release(m)
		return
	}
	free := false
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject):
		free = c.refuse(m, err)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		c.distrust(errDisconnected)
	case err != nil:
		c.distrust(err)
	}
	c.mu.Unlock()
	if free {
		c.release(m)
	}
}

// distrust ends the flow until the courier has looked what is stored.
func (c *courier) distrust(cause error) {
	c.count.Troubles++
	c.suspect = true
	c.hold(cause)
}

// hold ends the flow; the courier's goroutine sends what is queued.
func (c *courier) hold(cause error) {
	c.flowing, c.trouble = false, cause
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// finish settles m and says whether its memory is free now.
func (c *courier) finish(m *message, o outcome) (free bool) {
	m.state = settled
	c.open--
	c.bytes -= len(m.Data)
	c.count.InFlight.add(m, -1)
	switch o {
	case stored:
		c.count.Stored.add(m, 1)
	case refused:
		c.count.Refused.add(m, 1)
	case abandoned:
		c.count.Abandoned.add(m, 1)
	case divided: // its parts are counted as handed over
		c.count.Handed.add(m, -1)
	}
	m.release(o == abandoned)
	c.queue[m.token-c.base] = nil // the message may be used again
	n := 0
	for n < len(c.queue) && c.queue[n] == nil {
		n++
	}
	if n > 0 {
		c.queue, c.base = c.queue[n:], c.base+uint64(n)
		c.moved = time.Now()
	}
	if m.denied && o == stored {
		c.permit()
	}
	c.room.Broadcast()
	return !m.sending
}

// deny notes that the server does not let messages of a subject through. They
// wait, and all behind them: one of them tries, again and again.
func (c *courier) deny(subject string, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := false
	for _, m := range c.queue {
		if m != nil && m.state == sent && m.Subject == subject {
			m.denied, found = true, true
		}
	}
	if found {
		c.distrust(cause)
	}
}

// permit forgets what was denied.
func (c *courier) permit() {
	for _, m := range c.queue {
		if m != nil {
			m.denied = false
		}
	}
}

// refuse settles m, which the server will never take: its halves go on, if it
// has any.
func (c *courier) refuse(m *message, cause error) (free bool) {
	var parts []*message
	if c.split != nil {
		parts = c.split(m)
	}
	if len(parts) == 0 {
		if n, ok := c.refusal.due(time.Now(), 1); ok {
			c.log.Error("message is refused for good, and dropped",
				"error", cause, "subject", m.Subject, "bytes", len(m.Data), "events", m.events, "messages", n)
		}
		return c.finish(m, refused)
	}
	for _, p := range parts {
		p.first = m.first
		for _, claim := range m.claims {
			p.claimed(claim)
		}
		c.count.Handed.add(p, 1)
		c.enqueue(p)
	}
	c.hold(cause)
	return c.finish(m, divided)
}

// at finds the message that a reply's token names, and the attempt.
func (c *courier) at(reply string) (m *message, attempt uint64) {
	token, try, ok := strings.Cut(strings.TrimPrefix(reply, c.inbox), ".")
	n, err := strconv.ParseUint(token, 36, 64)
	if !ok || err != nil || n < c.base || n-c.base >= uint64(len(c.queue)) {
		return nil, 0
	}
	attempt, _ = strconv.ParseUint(try, 36, 64)
	return c.queue[n-c.base], attempt
}

// pubAck is JetStream's answer to a message.
type pubAck struct {
	Stream    string              `json:"stream"`
	Sequence  uint64              `json:"seq"`
	Duplicate bool                `json:"duplicate"`
	Error     *jetstream.APIError `json:"error"`
}

func (c *courier) onAck(reply *nats.Msg) {
	var ack pubAck
	err := decodeAck(reply, &ack)
	c.mu.Lock()
	m, attempt := c.at(reply.Subject)
	free := false
	switch {
	case m == nil: // settled by an answer to an earlier attempt
	case errors.Is(err, errNoAck):
	case err == nil:
		free = c.acknowledged(m, ack)
	case attempt == m.attempt && m.state == sent:
		free = c.failed(m, err)
	}
	c.mu.Unlock()
	if free {
		c.release(m)
	}
}

// errNoAck says that an answer is not JetStream's: whoever subscribes to a
// message's subject can give one.
var errNoAck = errors.New("not an acknowledgement")

func decodeAck(reply *nats.Msg, ack *pubAck) error {
	if len(reply.Data) == 0 && reply.Header.Get("Status") == "503" {
		return nats.ErrNoResponders
	}
	if err := json.Unmarshal(reply.Data, ack); err != nil {
		return errNoAck
	}
	switch {
	case ack.Error != nil:
		return ack.Error
	case ack.Stream == "" || ack.Sequence == 0:
		return errNoAck
	}
	return nil
}

func (c *courier) acknowledged(m *message, ack pubAck) (free bool) {
	c.lastSeq = max(c.lastSeq, ack.Sequence)
	if ack.Duplicate {
		c.count.Duplicates++
	}
	c.count.Latency.observe(time.Since(m.first))
	return c.finish(m, stored)
}

// storeFailed is JetStream's code for a message that the store did not take:
// a stream that is full and discards new messages, which may pass, or a
// message larger than the stream, which does not.
const storeFailed = 10077

// failed decides what an error means: refused for good, or tried again.
func (c *courier) failed(m *message, err error) (free bool) {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		if api.ErrorCode == storeFailed {
			m.refusals++
		}
		if api.Code == 400 || m.refusals >= c.options.Refusals {
			return c.refuse(m, err)
		}
	}
	c.distrust(err)
	return false
}

// empty waits until nothing is in flight, or ctx ends.
func (c *courier) empty(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.room.Broadcast()
	})()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open > 0 && ctx.Err() == nil {
		c.room.Wait()
	}
	if c.open > 0 {
		return fmt.Errorf("%d messages for stream %s are not acknowledged: %w", c.open, c.stream, errors.Join(ctx.Err(), c.trouble))
	}
	return nil
}

// seal takes nothing more: send says ErrClosed, also to who waits in it. What
// is in flight stays so.
func (c *courier) seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.room.Broadcast()
}

// close seals the courier, gives up what is in flight, and ends its goroutine.
// It is called once.
func (c *courier) close() {
	c.seal()
	c.cancel()
	c.wg.Wait()
	c.nc.RemoveStatusListener(c.status)
	_ = c.sub.Unsubscribe()
	for _, m := range c.abandon() {
		c.release(m)
	}
}

// abandon settles what is in flight, and gives back whose memory is free.
func (c *courier) abandon() (free []*message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range slices.Clone(c.queue) {
		if m != nil && c.finish(m, abandoned) {
			free = append(free, m)
		}
	}
	return free
}

// pass notes that the message at p needs not be sent.
func (c *courier) pass(p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed = p
}

// lastStored is the highest sequence that was acknowledged.
func (c *courier) lastStored() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastSeq
}

// reached is the place up to which all that was handed over is settled, and
// the sequence of the stream behind which everything later is stored, if at
// all. Both are of one instant. stored is that of the oldest message in flight.
func (c *courier) reached() (p place, floor uint64, stored time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return c.passed, c.lastSeq, time.Time{}
	}
	m := c.queue[0]
	return m.before, m.floor, m.stored
}

// snapshot is a consistent copy of the counts, the age of the oldest message
// in flight, and why messages do not flow; nil when they do.
func (c *courier) snapshot(now time.Time) (count courierCount, age time.Duration, trouble error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 {
		age = now.Sub(c.queue[0].first)
	}
	switch {
	case !c.flowing:
		trouble = c.trouble
	case age > stuckAfter && now.Sub(c.moved) > stuckAfter:
		trouble = fmt.Errorf("the oldest message has waited %s for its acknowledgement", age.Round(time.Second))
	}
	return c.count, age, trouble
}

// stuckAfter is how old an unacknowledged message may be on a connection that
// seems well, while none is acknowledged: some trouble answers nothing.
const stuckAfter = 30 * time.Second
