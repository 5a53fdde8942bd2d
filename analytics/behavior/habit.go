package behavior

import (
	"time"

	"github.com/vegress/vegress/analytics"
)

// habit is at which hours a machine connects to the internet, on workdays and
// on others, as far as nothing justifies it.
type habit struct {
	day     int64  // on the site's clocks; 0: none yet
	hours   uint32 // of it, in which there was a connection; a bit each
	workday bool
	seen    [2]uint8     // days that were watched: others, workdays
	active  [2][24]uint8 // of them, those with a connection in that hour
	unusual uint16       // connections on this day that are against the habit
}

const (
	habitDays = 60 // after which older ones count half
	// knownDays is how many days of a kind must have been watched before
	// anything on one counts as unusual: weekdays, and days off.
	knownWorkdays = 7
	knownDaysOff  = 4
	rareDays      = 10 // at most one in so many
	leastUnusual  = 3  // connections on one day
)

func kind(workday bool) int {
	if workday {
		return 1
	}
	return 0
}

// connect notes a connection at m. It says that there were enough on that day
// that are outside the business hours, and at an hour around which the machine
// hardly ever connects. What is late by a day or more is not looked at.
func (h *habit) connect(m analytics.Moment, at time.Time, moment func(time.Time) analytics.Moment) bool {
	if m.Day > h.day {
		h.pass(m, at, moment)
	}
	if m.Day < h.day {
		return false
	}
	h.hours |= 1 << m.Hour
	if !m.Off || !h.strange(m) {
		return false
	}
	if h.unusual < 1<<15 {
		h.unusual++
	}
	return h.unusual >= leastUnusual
}

// strange says that on days of this kind the machine hardly ever connects
// within an hour of this one.
func (h *habit) strange(m analytics.Moment) bool {
	k, known := kind(m.Workday), uint8(knownDaysOff)
	if m.Workday {
		known = knownWorkdays
	}
	if h.seen[k] < known {
		return false
	}
	for _, hour := range [...]int{m.Hour + 23, m.Hour, m.Hour + 1} {
		if int(h.active[k][hour%24])*rareDays > int(h.seen[k]) {
			return false
		}
	}
	return true
}

// pass ends the days before m: the one that was watched, and those on which
// nothing happened.
func (h *habit) pass(m analytics.Moment, at time.Time, moment func(time.Time) analytics.Moment) {
	if h.day > 0 {
		h.end(h.workday, h.hours)
		for ago := min(m.Day-h.day-1, habitDays); ago > 0; ago-- {
			h.end(moment(at.Add(-time.Duration(ago)*24*time.Hour)).Workday, 0)
		}
	}
	h.day, h.hours, h.workday, h.unusual = m.Day, 0, m.Workday, 0
}

func (h *habit) end(workday bool, hours uint32) {
	k := kind(workday)
	if h.seen[k] >= habitDays {
		h.seen[k] /= 2
		for i := range h.active[k] {
			h.active[k][i] /= 2
		}
	}
	h.seen[k]++
	for i := range h.active[k] {
		h.active[k][i] += uint8(hours >> i & 1)
	}
}
