package forward

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// At every moment, what lies behind the position is behind its bound in the
// far stream: message n is the n-th in both.
func TestPositionIsOfOneInstant(t *testing.T) {
	o := Options{WindowMessages: 4}.withDefaults()
	here, js := local(t, o)
	far, _ := local(t, o)
	const n = 3000
	put(t, js, 0, n)
	up := NewUplink(UplinkOptions{}, o, here)
	l := &leg{copier: up.copies[0], far: far}
	ctx, cancel := context.WithCancelCause(t.Context())
	l.end = cancel
	var err error
	if l.js, l.farJS = js, nil; true {
		if l.farJS, err = jetstream.New(far); err != nil {
			t.Fatal(err)
		}
		if l.kv, err = js.KeyValue(ctx, StateBucket); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.prepare(ctx); err != nil {
		t.Fatal(err)
	}
	l.last = 0 // nothing is known to be there: the bound may move
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.flow(ctx) })
	for at := (position{}); at.Local < n; {
		at = l.position()
		if at.Far > at.Local {
			t.Errorf("message %d is not copied yet, by a position that looks for it behind %d", at.Local+1, at.Far)
			break
		}
	}
	cancel(nil)
	wg.Wait()
}

// A link that is slower than a window in the time for an acknowledgement is
// well while acknowledgements come; a message passed over is not.
func TestSlowLinkIsWell(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		moved   time.Duration
		overdue bool
	}{{"slow", time.Second, false}, {"passed over", time.Minute, true}} {
		first := &message{first: now.Add(-time.Minute), sent: now.Add(-time.Minute), state: sent}
		c := &courier{
			courierOptions: courierOptions{options: Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults()},
			flowing:        true, queue: []*message{first}, open: 1, moved: now.Add(-tt.moved), wake: make(chan struct{}, 1),
		}
		if _, _, err := c.snapshot(now); (err != nil) != tt.overdue {
			t.Errorf("%s: %v", tt.name, err)
		}
		if c.checkOverdue(now); c.flowing == tt.overdue {
			t.Errorf("%s: flowing is %v", tt.name, c.flowing)
		}
	}
}

// What is settled behind a message that is not is bounded.
func TestSettledBehindFirstIsBounded(t *testing.T) {
	c := &courier{courierOptions: courierOptions{options: Options{WindowMessages: 2}.withDefaults()}}
	c.room.L = &c.mu
	c.enqueue(&message{})
	n := 0
	for ; n < 1000 && !c.full(&message{}); n++ {
		m := &message{}
		c.enqueue(m)
		c.finish(m, stored)
	}
	if n >= 1000 {
		t.Errorf("%d messages settled behind the first", n)
	}
}
