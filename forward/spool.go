package forward

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// surveyEvery is how often the spool is looked at.
const surveyEvery = 2 * time.Second

// spool is what the local stream has, as far as is known: what waits is known
// also while nothing is read of it.
type spool struct {
	first, last uint64
	next        time.Time // when the oldest message that is not copied was stored; zero: none, or it is in flight
}

// behind is how many messages are stored behind a sequence, about.
func (s spool) behind(reached uint64) int64 {
	if s.first > 0 {
		reached = max(reached, s.first-1)
	}
	return max(int64(s.last)-int64(reached), 0)
}

// survey looks at the spool until ctx ends.
func (c *copier) survey(ctx context.Context) {
	js, err := jetstream.New(c.local)
	if err != nil {
		return // as copy says
	}
	for ctx.Err() == nil {
		c.look(ctx, js) // an error is no news: reading and saving tell it
		pause(ctx, surveyEvery)
	}
}

func (c *copier) look(ctx context.Context, js jetstream.JetStream) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	st, err := js.Stream(ctx, c.config.Name)
	if err != nil {
		return
	}
	now := spool{first: st.CachedInfo().State.FirstSeq, last: st.CachedInfo().State.LastSeq}
	reached, inFlight := c.reached(ctx, js, st.CachedInfo().Created)
	if !inFlight && now.behind(reached) > 0 {
		m, err := st.GetMsg(ctx, max(reached+1, now.first), jetstream.WithGetMsgSubject(">"))
		switch {
		case err == nil:
			now.next = m.Time
		case errors.Is(err, jetstream.ErrMsgNotFound):
			now.last = reached // somebody deleted what is behind
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spool = now
}

// reached is the sequence up to which the local stream is copied. Before the
// first leg it is what the last process saved.
func (c *copier) reached(ctx context.Context, js jetstream.JetStream, created time.Time) (seq uint64, inFlight bool) {
	c.mu.Lock()
	out, handed := c.courier, c.handed
	c.mu.Unlock()
	if out != nil {
		p, _, stored := out.reached()
		return p.seq, !stored.IsZero()
	}
	if !handed.LocalCreated.IsZero() {
		return handed.Local, false
	}
	kv, err := js.KeyValue(ctx, StateBucket)
	if err != nil {
		return 0, false
	}
	var at position
	saved, err := kv.Get(ctx, c.key())
	if err != nil || json.Unmarshal(saved.Value(), &at) != nil || !at.LocalCreated.Equal(created) {
		return 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handed.LocalCreated.IsZero() {
		c.handed = at
	}
	return at.Local, false
}
