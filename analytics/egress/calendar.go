package egress

import (
	"slices"
	"time"

	"github.com/vegress/vegress/analytics"
)

// Calendar gives a function that tells what time it is by the business hours.
// Each goroutine needs one of its own.
func (p *Policy) Calendar() func(time.Time) analytics.Moment {
	c := clock{loc: p.zones[0]}
	return func(t time.Time) analytics.Moment { return p.hours.at(t.Unix(), &c) }
}

// at is the moment on the clocks of c.
func (h *hours) at(unix int64, c *clock) analytics.Moment {
	local := c.local(unix)
	day := floorDiv(local, daySeconds)
	m := analytics.Moment{Day: day, Hour: int(local-day*daySeconds) / 3600}
	if h.window.days == 0 {
		m.Workday = true
		return m
	}
	m.Workday = h.work(day)
	begun, open := h.window.start(local)
	m.Off = !open || h.holiday(begun)
	return m
}

// work says that a day has business hours.
func (h *hours) work(day int64) bool { return h.window.on(day) && !h.holiday(day) }

func (h *hours) holiday(day int64) bool {
	_, found := slices.BinarySearch(h.holidays, day)
	return found
}
