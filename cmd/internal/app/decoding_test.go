package app

import (
	"testing"
	"time"
)

// TestRoundsGoForward: a message that was received earlier, and comes again
// later, does not close what came meanwhile.
func TestRoundsGoForward(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(1_700_000_000+int64(seconds), 0) }
	var rs rounds
	rs.take(at(60), 1)
	rs.take(at(0), 2)
	if _, closed := rs.close(at(30)); closed {
		t.Error("closed before its latest record")
	}
	if fed, closed := rs.close(at(61)); !closed || fed != 2 {
		t.Errorf("%d records, %v", fed, closed)
	}
}
