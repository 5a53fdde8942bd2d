package forward

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Pauses between attempts to recover.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

var (
	errOverdue      = errors.New("no acknowledgement in time")
	errDisconnected = errors.New("not connected to NATS")
)

// run looks after what the flow lost, until ctx ends.
func (c *courier) run(ctx context.Context) {
	tick := time.NewTicker(max(c.options.AckTimeout/4, 5*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.status:
			c.reconnected()
		case now := <-tick.C:
			c.checkOverdue(now)
			c.relieve()
		case <-c.wake:
			c.recover(ctx)
		}
	}
}

// reconnected distrusts what was sent on a connection that broke.
func (c *courier) reconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open > 0 || c.verify != nil {
		c.distrust(errDisconnected)
	}
}

// checkOverdue distrusts the flow when the oldest message waits too long. The
// head of the queue is the oldest: the others are sent behind it. While they
// are settled one after the other the link is slow, which is no trouble.
func (c *courier) checkOverdue(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flowing && c.open > 0 && c.queue[0].state == sent &&
		now.Sub(c.queue[0].sent) > c.options.AckTimeout && now.Sub(c.moved) > c.options.AckTimeout {
		c.distrust(errOverdue)
	}
}

// recover sends what is missing until everything is on its way again.
func (c *courier) recover(ctx context.Context) {
	var err error
	for ctx.Err() == nil && c.held() {
		if wait := c.backoff(); wait > 0 {
			c.complain(err)
			c.rest(ctx, wait)
		}
		began := time.Now()
		if err = c.explain(c.settleStored(ctx), began); err == nil && c.sendQueued() {
			return
		}
		c.blame(err)
	}
}

// blame makes err, unless it is nil, what health tells.
func (c *courier) blame(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = err
}

func (c *courier) held() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.flowing
}

// backoff is how long to wait before the next attempt: not at all when
// something was stored since the last one, else longer each time.
func (c *courier) backoff() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.count.Stored.Messages; n != c.progress {
		c.progress, c.wait = n, 0
		return 0
	}
	c.wait = min(max(2*c.wait, firstPause), longestPause)
	return c.wait
}

// complain says, once a minute, why messages are held up.
func (c *courier) complain(err error) {
	now := time.Now()
	if _, ok := c.complaint.due(now, 1); !ok {
		return
	}
	c.silent = false
	counts, age, trouble := c.snapshot(now)
	if err == nil {
		err = trouble
	}
	c.log.Error("messages are held up", "error", err,
		"in_flight", counts.InFlight.Messages, "events", counts.InFlight.Events, "oldest", age.Round(time.Millisecond))
}

// relieve says that messages flow again, after a complaint.
func (c *courier) relieve() {
	c.mu.Lock()
	well := c.flowing && (c.open == 0 || c.count.Stored.Messages != c.progress)
	c.mu.Unlock()
	if well && !c.silent {
		c.silent = true
		c.log.Info("messages flow again")
	}
}

// rest waits before the next attempt; a connection that is back ends it.
func (c *courier) rest(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case s := <-c.status:
			c.reconnected()
			if s == nats.CONNECTED {
				return
			}
		}
	}
}

// settleStored asks the stream which of the messages in flight it holds. The
// others are queued again.
func (c *courier) settleStored(ctx context.Context) error {
	subjects, floor, suspect := c.suspects()
	if !suspect {
		return nil
	}
	if c.nc.Status() != nats.CONNECTED {
		return errDisconnected
	}
	if c.verify != nil {
		if err := c.verify(ctx, c.lastStored()); err != nil {
			return err
		}
	}
	ids := map[string]bool{}
	if len(subjects) > 0 {
		// The answer to a ping comes behind all that this connection brought.
		wait, cancel := context.WithTimeout(ctx, apiTimeout)
		defer cancel()
		if err := c.nc.FlushWithContext(wait); err != nil {
			return err
		}
		err := storedIDs(ctx, c.js, c.stream, subjects, floor, func(id string) { ids[id] = true })
		if err != nil {
			return err
		}
	}
	for _, m := range c.sort(ids) {
		c.release(m)
	}
	return nil
}

// suspects says on which subjects messages may be stored without our knowing,
// and behind which sequence.
func (c *courier) suspects() (subjects []string, floor uint64, suspect bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.suspect {
		return nil, 0, false
	}
	floor = c.lastSeq
	for _, m := range c.queue {
		if m != nil && m.attempt > 0 {
			floor = min(floor, m.floor)
			subjects = append(subjects, m.Subject)
		}
	}
	slices.Sort(subjects)
	return slices.Compact(subjects), floor, true
}

// sort settles what is stored and queues the rest again. It gives back the
// messages whose memory is free.
func (c *courier) sort(ids map[string]bool) (free []*message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suspect = false
	for _, m := range slices.Clone(c.queue) {
		switch {
		case m == nil:
		case ids[m.id]:
			c.count.ReadBack++
			if c.finish(m, stored) {
				free = append(free, m)
			}
		case m.sending: // on its way just now, behind what was read
		default:
			m.state = queued
		}
	}
	return free
}

// sendQueued sends what is queued, in order, and lets the flow begin again
// behind it. It is false when there was new trouble meanwhile. Of what was
// denied it sends the first message only: if the server lets it through now,
// the others follow.
func (c *courier) sendQueued() bool {
	for i := uint64(0); ; {
		c.mu.Lock()
		if c.suspect {
			c.mu.Unlock()
			return false
		}
		var m *message
		if m, i = c.nextQueued(i); m == nil {
			c.flowing, c.trouble = true, nil
			c.mu.Unlock()
			return true
		}
		c.markSent(m)
		probe := m.denied
		c.suspect = probe // what becomes of it is looked after at the next attempt
		c.mu.Unlock()
		c.publish(m)
		if probe {
			return false
		}
	}
}

// nextQueued finds the first queued message from token i on, and the token
// behind it.
func (c *courier) nextQueued(i uint64) (*message, uint64) {
	for i = max(i, c.base); i < c.base+uint64(len(c.queue)); i++ {
		if m := c.queue[i-c.base]; m != nil && m.state == queued {
			return m, i + 1
		}
	}
	return nil, i
}

// storedIDs calls found for the id of each message behind sequence after of
// those subjects.
func storedIDs(ctx context.Context, js jetstream.JetStream, stream string, subjects []string, after uint64, found func(id string)) error {
	r := reader{js: js, stream: stream, after: after, config: jetstream.ConsumerConfig{
		FilterSubjects: subjects,
		HeadersOnly:    true,
	}}
	return r.toEnd(ctx, func(e entry) {
		if !isAnswer(e.Header) {
			found(e.Header.Get(nats.MsgIdHdr))
		}
	})
}
