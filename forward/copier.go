package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	saveEvery  = time.Second     // a position, while it moves
	drainFor   = 2 * time.Second // what is in flight when the copy ends
	stepBack   = 20_000          // messages to look at again when the local stream lost its end
	maxKnown   = 1 << 20         // ids that are remembered from the far stream
	maxFilters = 64              // subjects that one consumer filters by
)

// position is where a copy stands: everything in the local stream up to Local
// is in the far stream, and what lies behind Local is in the far stream, if at
// all, behind Far. Both streams are told from namesakes by when they were made;
// LastID tells whether the local stream still ends as it did.
type position struct {
	Local        uint64    `json:"local"`
	LocalCreated time.Time `json:"local_created"`
	LastID       string    `json:"last_id"`
	Far          uint64    `json:"far"`
	FarStream    string    `json:"far_stream"`
	FarCreated   time.Time `json:"far_created"`
}

// copier copies one stream.
type copier struct {
	options Options
	local   *nats.Conn
	config  jetstream.StreamConfig
	denied  *denials
	log     *slog.Logger

	mu      sync.Mutex
	courier *courier     // nil while nothing is copied
	before  courierCount // of couriers that ended
	handed  position     // what the courier was given, or needed not to be
	spool   spool
	present int64
	lost    int64
	foreign int64
	err     error // why nothing is copied

	gaps, reading, saving complaint
}

// run copies until ctx ends.
func (c *copier) run(ctx context.Context, far *nats.Conn) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { c.survey(ctx) })
	var failing complaint
	for ctx.Err() == nil {
		began := time.Now()
		err := c.denied.explain(c.copy(ctx, far), began)
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
		if _, ok := failing.due(time.Now(), 1); ok {
			c.log.Error("nothing is copied", "error", err)
		}
		pause(ctx, retryPause)
	}
}

// deny tells the courier what the far server does not let through.
func (c *copier) deny(subject string, cause error) {
	c.mu.Lock()
	out := c.courier
	c.mu.Unlock()
	if out != nil {
		out.deny(subject, cause)
	}
}

// leg is one run of a copy: from connected until something ends it.
type leg struct {
	*copier
	js    jetstream.JetStream // local
	kv    jetstream.KeyValue
	far   *nats.Conn
	farJS jetstream.JetStream
	known map[string]bool // ids that the far stream has, of messages up to last
	last  uint64          // of the local stream, at the start
	out   *courier
	saved position
	end   context.CancelCauseFunc // of the leg
}

func (c *copier) copy(ctx context.Context, far *nats.Conn) (err error) {
	if err := away(far); err != nil {
		return err
	}
	l := &leg{copier: c, far: far}
	ctx, l.end = context.WithCancelCause(ctx)
	defer l.end(nil)
	if l.js, err = jetstream.New(c.local); err != nil {
		return err
	}
	if l.farJS, err = jetstream.New(far); err != nil {
		return err
	}
	if l.kv, err = l.js.KeyValue(ctx, StateBucket); err != nil {
		return fmt.Errorf("open bucket %s: %w", StateBucket, err)
	}
	if err := l.prepare(ctx); err != nil {
		return err
	}
	return l.flow(ctx)
}

// prepare finds out where to go on, and what of it the far stream has already.
func (l *leg) prepare(ctx context.Context) error {
	farInfo, err := ensureFar(ctx, l.farJS, l.config)
	if err != nil {
		return err
	}
	st, err := l.js.Stream(ctx, l.config.Name)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", l.config.Name, err)
	}
	at, err := l.load(ctx, st, farInfo)
	if err != nil {
		return err
	}
	l.last = st.CachedInfo().State.LastSeq
	if err := l.learn(ctx, st, farInfo, at.Far); err != nil {
		return err
	}
	l.out, err = newCourier(courierOptions{
		nc: l.far, stream: at.FarStream, floor: farInfo.State.LastSeq, options: l.options,
		passed:  place{at.Local, at.LastID},
		explain: l.denied.explain,
		verify:  func(ctx context.Context, acknowledged uint64) error { return l.verify(ctx, farInfo, acknowledged) },
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.courier, l.handed, l.err = l.out, at, nil
	l.mu.Unlock()
	return nil
}

// errReplaced ends a leg.
var errReplaced = errors.New("the far stream is not what it was: its place is taken by another, or it lost its end")

// verify ends the leg when the far stream is another one than at its start, or
// has less than what it acknowledged: what is missing there is found out anew.
func (l *leg) verify(ctx context.Context, was *jetstream.StreamInfo, acknowledged uint64) error {
	st, err := l.farJS.Stream(ctx, was.Config.Name)
	if err == nil {
		now := st.CachedInfo()
		if now.Created.Equal(was.Created) && now.State.LastSeq >= acknowledged {
			return nil
		}
		err = errReplaced
	}
	if errors.Is(err, errReplaced) || errors.Is(err, jetstream.ErrStreamNotFound) {
		l.log.Warn("the copy begins again", "error", err)
		l.end(err)
	}
	return fmt.Errorf("look up far stream %s: %w", was.Config.Name, err)
}

func (c *copier) key() string { return "uplink." + c.config.Name }

// load reads the position, and puts it back where a stream is not the one that
// it speaks of.
func (l *leg) load(ctx context.Context, st jetstream.Stream, far *jetstream.StreamInfo) (position, error) {
	local := st.CachedInfo()
	fresh := position{LocalCreated: local.Created, FarStream: far.Config.Name, FarCreated: far.Created}
	entry, err := l.kv.Get(ctx, l.key())
	if local.State.FirstSeq > 0 {
		fresh.Local = local.State.FirstSeq - 1 // what the ring removed before is no loss of ours
	}
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return fresh, nil
	}
	if err != nil {
		return fresh, fmt.Errorf("read the uplink's position: %w", err)
	}
	var at position
	if err := json.Unmarshal(entry.Value(), &at); err != nil || !at.LocalCreated.Equal(local.Created) {
		// Of another stream, or not ours: what the far end has already is left out.
		return fresh, nil
	}
	cut := l.truncated(ctx, st, at)
	if at.FarStream != far.Config.Name || !at.FarCreated.Equal(far.Created) {
		at.FarStream, at.FarCreated, at.Far = far.Config.Name, far.Created, 0
	}
	if cut || at.Far > far.State.LastSeq { // either stream lost its end
		at.Local, at.Far = max(at.Local-min(at.Local, stepBack), max(local.State.FirstSeq, 1)-1), 0
		at.LastID = ""
	}
	return at, nil
}

// truncated says that the local stream lost its end, as after a loss of power:
// its sequences beyond are used again for other messages.
func (l *leg) truncated(ctx context.Context, st jetstream.Stream, at position) bool {
	state := st.CachedInfo().State
	if at.Local == 0 || at.Local < state.FirstSeq {
		return false
	}
	if at.Local > state.LastSeq {
		return true
	}
	m, err := st.GetMsg(ctx, at.Local)
	return err == nil && m.Header.Get(nats.MsgIdHdr) != at.LastID
}

// learn reads which ids the far stream has behind after, of the subjects that
// the local stream has.
func (l *leg) learn(ctx context.Context, st jetstream.Stream, far *jetstream.StreamInfo, after uint64) error {
	l.known = map[string]bool{}
	if after >= far.State.LastSeq {
		return nil
	}
	subjects := l.config.Subjects
	if l.config.Name == EventsStream {
		info, err := st.Info(ctx, jetstream.WithSubjectFilter(">"))
		if err != nil {
			return fmt.Errorf("subjects of stream %s: %w", l.config.Name, err)
		}
		if n := len(info.State.Subjects); n > 0 && n <= maxFilters {
			subjects = nil
			for s := range info.State.Subjects {
				subjects = append(subjects, s)
			}
		}
	}
	err := storedIDs(ctx, l.farJS, far.Config.Name, subjects, after, func(id string) {
		if len(l.known) < maxKnown {
			l.known[id] = true
		}
	})
	if err == nil && len(l.known) == maxKnown {
		l.log.Warn("more messages at the far server than can be compared: some may be copied twice", "compared", maxKnown)
	}
	return err
}

// flow copies until ctx ends or the far connection is closed.
func (l *leg) flow(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.out.seal)()
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { l.saveOften(saving) })

	r := reader{js: l.js, stream: l.config.Name, after: l.handed.Local, config: jetstream.ConsumerConfig{FilterSubjects: l.config.Subjects}}
	r.follow(ctx, l.pass, func(err error) {
		if n, ok := l.reading.due(time.Now(), 1); ok {
			l.log.Warn("read the spool", "error", err, "times", n)
		}
	})

	l.drain()
	stop()
	wg.Wait()
	l.save(context.WithoutCancel(ctx))
	l.finish()
	return fmt.Errorf("the copy has ended: %w", context.Cause(ctx))
}

func (l *leg) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	_ = l.out.empty(ctx) // what is left is compared at the next start
}

func (l *leg) finish() {
	l.mu.Lock()
	l.courier = nil
	l.mu.Unlock()
	l.out.close()
	count, _, _ := l.out.snapshot(time.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before.Stored.Messages += count.Stored.Messages
	l.before.Refused.Messages += count.Refused.Messages
	l.before.Redelivered += count.Redelivered
}

// pass takes one message to the far server, unless it is there.
func (l *leg) pass(e entry) bool {
	seq, skip := e.Sequence, isForeign(e)
	l.noteLoss(e)
	if seq > l.last {
		l.known = nil // stored after the far stream was read
	}
	at := place{seq, e.Header.Get(nats.MsgIdHdr)}
	out := l.message(e, at)
	there := l.known[out.id]
	if there || skip {
		l.out.pass(at)
	} else if l.out.send(out) != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handed.Local, l.handed.LastID = at.seq, at.id
	switch {
	case skip:
		l.foreign++
	case there:
		l.present++
	}
	return true
}

// message is e, which stands at that place, as it goes to the far server: one
// without an id gets one.
func (l *leg) message(e entry, at place) *message {
	m := &message{
		Msg: nats.Msg{Subject: e.Subject, Header: e.Header, Data: e.Data}, id: at.id, events: 1,
		at: at, before: place{l.handed.Local, l.handed.LastID}, stored: e.Time,
	}
	if m.id == "" {
		m.id = l.config.Name + "-" + strconv.FormatInt(l.handed.LocalCreated.UnixNano(), 36) + "-" + strconv.FormatUint(at.seq, 10)
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		m.set(nats.MsgIdHdr, m.id)
	}
	return m
}

// noteLoss counts what the ring removed before it was read: the reader leaves
// nothing out.
func (l *leg) noteLoss(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spool.last = max(l.spool.last, e.Sequence+e.Waiting)
	gap := int64(e.Sequence - l.handed.Local - 1)
	if gap <= 0 {
		return
	}
	l.lost += gap
	if n, ok := l.gaps.due(time.Now(), gap); ok {
		l.log.Error("the ring removed messages before they were copied: enlarge forward.events or mend the uplink", "messages", n)
	}
}

func (l *leg) saveOften(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.save(ctx)
		}
	}
}

// save writes the position: behind it lies all that is in flight.
func (l *leg) save(ctx context.Context) {
	at := l.position()
	if at == l.saved {
		return
	}
	data, err := json.Marshal(at)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, apiTimeout)
		defer cancel()
		_, err = l.kv.Put(ctx, l.key(), data)
	}
	if err != nil {
		if n, ok := l.saving.due(time.Now(), 1); ok {
			l.log.Warn("save the uplink's position", "error", err, "times", n)
		}
		return
	}
	l.saved = at
}

// position is up to where everything is copied. That and the bound at the far
// end are of one instant, or a message between them could be copied twice.
func (l *leg) position() position {
	l.mu.Lock()
	at := l.handed
	l.mu.Unlock()
	reached, floor, _ := l.out.reached()
	at.Local, at.LastID = reached.seq, reached.id
	// Until the end of what may be known there, the old bound holds.
	if at.Local >= l.last {
		at.Far = floor
	}
	return at
}

func (c *copier) trouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.courier == nil {
		return c.err
	}
	_, _, err := c.courier.snapshot(time.Now())
	return err
}

func (c *copier) addStats(s *UplinkStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count, reached, stored, inFlight := c.before, c.handed.Local, time.Time{}, int64(0)
	if c.courier != nil {
		now, _, _ := c.courier.snapshot(time.Now())
		count.Stored.Messages += now.Stored.Messages
		count.Refused.Messages += now.Refused.Messages
		count.Redelivered += now.Redelivered
		inFlight = now.InFlight.Messages
		var p place
		p, _, stored = c.courier.reached()
		reached = p.seq
	}
	s.Copied += count.Stored.Messages
	s.Present += c.present
	s.Lost += c.lost
	s.Foreign += c.foreign
	s.Refused += count.Refused.Messages
	s.Resent += count.Redelivered
	waiting := max(c.spool.behind(reached), inFlight)
	s.Waiting += waiting
	if waiting > 0 && stored.IsZero() {
		stored = c.spool.next
	}
	if !stored.IsZero() {
		s.Oldest = max(s.Oldest, time.Since(stored))
	}
}
