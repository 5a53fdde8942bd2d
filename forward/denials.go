package forward

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// denials is what the far server did not let its user do. It tells so beside
// the way of requests and messages, which stay without an answer.
type denials struct {
	mu    sync.Mutex
	count int64
	last  error
	at    time.Time
}

// errDenied says what is wrong, and what helps.
var errDenied = errors.New("the far user lacks a right: it must be allowed to publish to vegress.events.>, vegress.findings.>, " +
	"vegress.hosts.> and the subjects below $JS.API. that docs/consuming.md names, and to subscribe to _INBOX.>")

var deniedPublish = regexp.MustCompile(`Publish to "(\S+)"`)

// note keeps err if it is a denial. subject is that of a message, or empty.
func (d *denials) note(err error) (subject string, denied error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", nil
	}
	err = fmt.Errorf("%w: %w", errDenied, err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	d.last, d.at = err, time.Now()
	if found := deniedPublish.FindStringSubmatch(err.Error()); found != nil {
		subject = found[1]
	}
	return subject, err
}

// explain adds to err, which something gave that began at since, what was
// denied meanwhile.
func (d *denials) explain(err error, since time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil || d.last == nil || d.at.Before(since) {
		return err
	}
	return fmt.Errorf("%w: %w", d.last, err)
}

func (d *denials) total() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}
