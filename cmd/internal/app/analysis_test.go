package app

import (
	"testing"
	"time"

	"github.com/vegress/vegress/event"
)

// TestOneBadClock: one record from far in the future does not move time, many
// in a row do.
func TestOneBadClock(t *testing.T) {
	config := testConfig(t, "", nil)
	p, err := compile(&config)
	if err != nil {
		t.Fatal(err)
	}
	a := newAnalysis(p, share{}, nil)
	report := func(*event.Finding) {}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	a.pass(noon, report)
	a.pass(noon.AddDate(73, 0, 0), report)
	a.pass(noon.Add(time.Minute), report)
	if want := noon.Add(time.Minute); !a.watermark.Equal(want) {
		t.Errorf("after one bad clock it is %s, want %s", a.watermark, want)
	}
	later := noon.AddDate(0, 0, 1)
	for range agree {
		a.pass(later, report)
	}
	if !a.watermark.Equal(later) {
		t.Errorf("after a day's gap it is %s, want %s", a.watermark, later)
	}
}
