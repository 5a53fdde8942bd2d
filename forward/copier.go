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
	log     *slog.Logger

	mu      sync.Mutex
	courier *courier     // nil while nothing is copied
	before  courierCount // of couriers that ended
	handed  position     // what the courier was given, or needed not to be
	present int64
	lost    int64
	foreign int64
	waiting int64
	err     error // why nothing is copied
}

// run copies until ctx ends.
func (c *copier) run(ctx context.Context, far *nats.Conn) {
	var complained time.Time
	for ctx.Err() == nil {
		err := c.copy(ctx, far)
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
		if now := time.Now(); now.Sub(complained) >= complainEvery {
			c.log.Error("nothing is copied", "error", err)
			complained = now
		}
		pause(ctx, retryPause)
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
}

func (c *copier) copy(ctx context.Context, far *nats.Conn) (err error) {
	if err := away(far); err != nil {
		return err
	}
	l := &leg{copier: c, far: far}
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
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.courier, l.handed, l.err = l.out, at, nil
	l.mu.Unlock()
	return nil
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
	if at.FarStream != far.Config.Name || !at.FarCreated.Equal(far.Created) || at.Far > far.State.LastSeq {
		at.FarStream, at.FarCreated, at.Far = far.Config.Name, far.Created, 0
	}
	if l.truncated(ctx, st, at) {
		at.Local, at.Far = max(at.Local-min(at.Local, stepBack), local.State.FirstSeq-1), 0
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
	r.follow(ctx, l.pass, func(err error) { l.log.Warn("read the spool", "error", err) })

	l.drain()
	stop()
	wg.Wait()
	l.save(context.WithoutCancel(ctx))
	l.end()
	return errors.New("the copy has ended")
}

func (l *leg) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	_ = l.out.empty(ctx) // what is left is compared at the next start
}

func (l *leg) end() {
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
	l.noteLoss(seq, int64(e.Waiting))
	if seq > l.last {
		l.known = nil // stored after the far stream was read
	}
	out := &message{Msg: nats.Msg{Subject: e.Subject, Header: e.Header, Data: e.Data}, events: 1}
	out.before, out.beforeID = l.handed.Local, l.handed.LastID
	if out.Header == nil {
		out.Header = nats.Header{}
	}
	if out.id = out.Header.Get(nats.MsgIdHdr); out.id == "" {
		out.id = l.config.Name + "-" + strconv.FormatInt(l.handed.LocalCreated.UnixNano(), 36) + "-" + strconv.FormatUint(seq, 10)
		out.set(nats.MsgIdHdr, out.id)
	}
	there := l.known[out.id]
	if !there && !skip && l.out.send(out) != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handed.Local, l.handed.LastID = seq, e.Header.Get(nats.MsgIdHdr)
	switch {
	case skip:
		l.foreign++
	case there:
		l.present++
	}
	return true
}

// noteLoss counts what the ring removed before it was read: the reader leaves
// nothing out.
func (l *leg) noteLoss(seq uint64, waiting int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = waiting
	if gap := seq - l.handed.Local - 1; gap > 0 {
		l.lost += int64(gap)
		l.log.Error("the ring removed messages before they were copied: enlarge forward.events or mend the uplink", "messages", gap)
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
		l.log.Warn("save the uplink's position", "error", err)
		return
	}
	l.saved = at
}

// position is up to where everything is copied. What was handed over is read
// first: if then nothing is in flight, all of it was acknowledged.
func (l *leg) position() position {
	l.mu.Lock()
	at := l.handed
	l.mu.Unlock()
	floor, m := l.out.oldest()
	if m != nil {
		at.Local, at.LastID = m.before, m.beforeID
	}
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
	count, age := c.before, time.Duration(0)
	if c.courier != nil {
		var now courierCount
		now, age, _ = c.courier.snapshot(time.Now())
		count.Stored.Messages += now.Stored.Messages
		count.Refused.Messages += now.Refused.Messages
		count.InFlight.Messages += now.InFlight.Messages
		count.Redelivered += now.Redelivered
	}
	s.Copied += count.Stored.Messages
	s.Present += c.present
	s.Lost += c.lost
	s.Foreign += c.foreign
	s.Refused += count.Refused.Messages
	s.Waiting += c.waiting + count.InFlight.Messages
	s.Oldest = max(s.Oldest, age)
	s.Resent += count.Redelivered
}
