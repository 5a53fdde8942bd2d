package forward

import (
	"testing"
	"time"
)

// A connection that seems well, over which nothing is acknowledged, is in
// trouble.
func TestStuck(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		age   time.Duration
		stuck bool
	}{{time.Second, false}, {stuckAfter + time.Second, true}} {
		c := &courier{flowing: true, queue: []*message{{first: now.Add(-tt.age)}}}
		if _, _, err := c.snapshot(now); (err != nil) != tt.stuck {
			t.Errorf("after %s: %v", tt.age, err)
		}
	}
}
