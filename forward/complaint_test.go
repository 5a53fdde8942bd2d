package forward

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// An error that comes again, of another port or subject, is the same.
func TestConnectionErrorsAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	errs := newConnectionErrors(slog.New(slog.NewTextHandler(&log, nil)))
	broken := errors.New("broken pipe")
	for port := range 100 {
		errs.note(&net.OpError{Op: "write", Addr: &net.TCPAddr{Port: port}, Err: broken})
		errs.note(fmt.Errorf("%w: Permissions Violation for Publish to %q", nats.ErrPermissionViolation, fmt.Sprint(port)))
	}
	if got := strings.Count(log.String(), "NATS connection"); got != 2 {
		t.Errorf("%d lines:\n%s", got, &log)
	}
	for n := range 10 * maxKinds {
		errs.note(errors.New(fmt.Sprint(n)))
	}
	if got := strings.Count(log.String(), "NATS connection"); got > maxKinds+1 {
		t.Errorf("%d lines of %d kinds", got, maxKinds)
	}
}

func TestComplaint(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var c complaint
	for _, tt := range []struct {
		after time.Duration
		all   int64
		ok    bool
	}{{0, 2, true}, {time.Second, 0, false}, {2 * time.Second, 0, false}, {time.Minute, 6, true}, {2 * time.Minute, 2, true}} {
		if all, ok := c.due(now.Add(tt.after), 2); all != tt.all || ok != tt.ok {
			t.Errorf("after %s: %d, %v", tt.after, all, ok)
		}
	}
}
