package forward

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// complainEvery is how often a trouble that lasts is logged.
const complainEvery = time.Minute

// complaint is a trouble that may come with every message: it is logged when
// it comes first, and then at most once a minute. It is safe for concurrent
// use.
type complaint struct {
	mu   sync.Mutex
	last time.Time
	held int64
}

// due notes that the trouble came n times more. ok says that it is to be
// logged now, and all how often it came since it was logged last.
func (c *complaint) due(now time.Time, n int64) (all int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held += n
	if now.Sub(c.last) < complainEvery {
		return 0, false
	}
	all, c.held, c.last = c.held, 0, now
	return all, true
}

// connectionErrors logs what a connection reports of itself, each kind as a
// complaint of its own.
type connectionErrors struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*complaint
}

// maxKinds bounds the kinds: what comes beyond is of one kind.
const maxKinds = 32

func newConnectionErrors(log *slog.Logger) *connectionErrors {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &connectionErrors{log: log, kinds: map[string]*complaint{}}
}

func (e *connectionErrors) note(err error) {
	if times, ok := e.kind(err).due(time.Now(), 1); ok {
		e.log.Error("NATS connection", "error", err, "times", times)
	}
}

func (e *connectionErrors) kind(err error) *complaint {
	cause := err // without subjects, addresses and ports
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	key := cause.Error()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kinds[key] == nil {
		if len(e.kinds) >= maxKinds {
			key = ""
		}
		if e.kinds[key] == nil {
			e.kinds[key] = &complaint{}
		}
	}
	return e.kinds[key]
}
