package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// PlayOptions say where a Traffic goes, and how fast.
type PlayOptions struct {
	// Targets are addresses "udp://host:port", "tcp://.." or "tls://..". A
	// sender takes the first of its own network, or else the first of all.
	Targets []string
	TLS     *tls.Config // for tls:// targets

	// For is the wall time that the night takes; 0: as fast as it goes.
	For time.Duration
	// Patience is how long a sender tries to connect before Play gives up; 0:
	// 30 s.
	Patience time.Duration
}

// Played is what Play sent.
type Played struct {
	Counts
	BySender map[string]Counts `json:"by_sender"`
}

// Play sends the night's lines over sockets, each sender its own connection,
// in order of time, so that it takes o.For. It returns when everything was
// taken by the receivers, or ctx ends, or a target stays away. One Traffic is
// played by one Play at a time.
func (t *Traffic) Play(ctx context.Context, o PlayOptions) (Played, error) {
	ls, err := newLinks(o.Targets, o.TLS)
	if err != nil {
		return Played{}, fmt.Errorf("play: %w", err)
	}
	p := &player{traffic: t, lanes: make([]lane, len(t.senders))}
	for i, s := range t.senders {
		link := ls.to(s.Network, o.Patience)
		p.lanes[i] = lane{link: link, counted: s.OctetCounted && link.to.network != "udp"}
	}
	err = p.run(ctx, o.For)
	return p.finish(ctx), err
}

// Clock is the simulated time at that moment of the wall's: the night's begin
// before Play, then as fast as Play plays, never beyond a line that is still
// to be sent, and at the wall's pace after the night's end. It may be called
// concurrently.
func (t *Traffic) Clock(wall time.Time) time.Time {
	head := t.play.Load()
	if head == nil {
		return t.start
	}
	return head.at(wall)
}

// playhead is where Play is.
type playhead struct {
	start time.Time // simulated, at began
	began time.Time
	pace  float64 // simulated time per wall time; 0: no pace, only next counts

	mu   sync.Mutex
	next time.Time // simulated time of the first line that is not sent
	done time.Time // the wall's, when nothing was left
}

func (h *playhead) at(wall time.Time) time.Time {
	h.mu.Lock()
	next, done := h.next, h.done
	h.mu.Unlock()
	if !done.IsZero() {
		return next.Add(max(wall.Sub(done), 0))
	}
	if h.pace == 0 {
		return next
	}
	ran := time.Duration(float64(wall.Sub(h.began)) * h.pace)
	if now := h.start.Add(max(ran, 0)); now.Before(next) {
		return now
	}
	return next
}

func (h *playhead) move(next, done time.Time) {
	h.mu.Lock()
	h.next, h.done = next, done
	h.mu.Unlock()
}

// due is the wall's time for a simulated one.
func (h *playhead) due(at time.Time) time.Time {
	if h.pace == 0 {
		return h.began
	}
	return h.began.Add(time.Duration(float64(at.Sub(h.start)) / h.pace))
}

// lane is one sender's way out, with what is due on it.
type lane struct {
	link    *link
	counted bool
	buf     []byte
	ends    []int
}

func (l *lane) put(line string) {
	if l.counted {
		l.buf = strconv.AppendInt(l.buf, int64(len(line)), 10)
		l.buf = append(l.buf, ' ')
		l.buf = append(l.buf, line...)
	} else {
		l.buf = append(l.buf, line...)
		l.buf = append(l.buf, '\n')
	}
	l.ends = append(l.ends, len(l.buf))
}

func (l *lane) flush(ctx context.Context) error {
	if len(l.ends) == 0 {
		return nil
	}
	err := l.link.send(ctx, l.buf, l.ends)
	l.buf, l.ends = l.buf[:0], l.ends[:0]
	return err
}

type player struct {
	traffic *Traffic
	lanes   []lane
}

// atOnce bounds what is written in one go: no more lines than that wait in
// memory, and the clock does not jump far.
const atOnce = 256

func (p *player) run(ctx context.Context, wall time.Duration) error {
	t := p.traffic
	for i := range p.lanes { // a night must not begin with some hosts missing
		if err := p.lanes[i].link.open(ctx); err != nil {
			return fmt.Errorf("play: %w", err)
		}
	}
	head := &playhead{start: t.start, began: time.Now(), next: t.start}
	if wall > 0 {
		head.pace = float64(t.end.Sub(t.start)) / float64(wall)
	}
	t.play.Store(head)
	for rest := t.entries; len(rest) > 0; {
		if err := wait(ctx, head.due(rest[0].at)); err != nil {
			return err
		}
		n := head.dueNow(rest)
		head.move(rest[n-1].at, time.Time{})
		if err := p.send(ctx, rest[:n]); err != nil {
			return fmt.Errorf("play: %w", err)
		}
		if rest = rest[n:]; len(rest) > 0 {
			head.move(rest[0].at, time.Time{})
		}
	}
	head.move(t.end, time.Now())
	return nil
}

// dueNow is how many of the entries should be sent by now, at least one.
func (h *playhead) dueNow(entries []entry) int {
	now, n := time.Now(), 1
	for n < len(entries) && n < atOnce && !h.due(entries[n].at).After(now) {
		n++
	}
	return n
}

func (p *player) send(ctx context.Context, entries []entry) error {
	for _, e := range entries {
		for _, line := range e.lines {
			p.lanes[e.sender].put(line)
		}
	}
	var err error
	for i := range p.lanes {
		err = errors.Join(err, p.lanes[i].flush(ctx))
	}
	return err
}

// finish closes every lane, at the same time: each waits for its receiver.
func (p *player) finish(ctx context.Context) Played {
	var wg sync.WaitGroup
	for i := range p.lanes {
		wg.Go(func() { p.lanes[i].link.close(ctx) })
	}
	wg.Wait()
	out := Played{BySender: make(map[string]Counts)}
	for i := range p.lanes {
		c := p.lanes[i].link.counts
		out.BySender[p.traffic.senders[i].Name] = c
		out.Add(c)
	}
	return out
}

// wait is until that time of the wall, or until ctx ends.
func wait(ctx context.Context, until time.Time) error {
	d := time.Until(until)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
