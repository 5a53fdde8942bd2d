package hosts

import (
	"math"
	"time"
)

// habit is what a machine, or one of its programs, usually sends. It takes
// about 400 bytes: for each hour of the day (UTC) the records in a minute, as a
// mean over a week's days or so, and the longest gap between two records.
type habit struct {
	hours [24]hour
	run   count // of the hour that runs
	heard time.Duration
	lines int64
	burst float64 // the most records that were missing in a gap which was none but usual

	recent float64       // records in a minute, over the last quarter of an hour up to the latest record
	gap    time.Duration // since the latest record
	missed float64       // records that would have come in that time by habit
}

// hour is what is usual in one hour of the day.
type hour struct {
	Rate float32 `json:"r"` // records in a minute
	Gap  float32 `json:"g"` // seconds
	Days uint8   `json:"d"` // that were listened to; 0: not known
}

// count is what came in the hour that runs. Time in a gap counts when the gap
// ends: until then, whether it was usual is not known.
type count struct {
	begun bool
	hour  int
	lines int64
	time  time.Duration
	gap   time.Duration
	usual float64 // records in a minute
}

const (
	// fresh is the time over which the present rate is weighed.
	fresh = 15 * time.Minute
	// slump is how far below its habit the present rate may pull what is
	// expected: a quiet weekend makes silence take longer to show, but not
	// without end.
	slump = 50
	// wholeHour is how much of an hour must have been listened to for it to
	// teach anything.
	wholeHour = 30 * time.Minute
	// weighed is over how many days an hour's mean goes.
	weighed = 7
	// fade is what a day leaves of an hour's longest gap, and fadeHour what an
	// hour leaves of the most that was missing.
	fade     = 0.93
	fadeHour = 0.997
	// leastLines is how many records make a habit at all.
	leastLines = 50
)

// pass lets dt of listening time go by, up to now, in which n records came. With
// learn, their rate teaches. A gap teaches up to l, at which it would have been
// silence: so no single outage hides the next one, while gaps that come again
// do not alarm for ever. With no limits it teaches nothing.
func (h *habit) pass(now time.Time, dt time.Duration, n int64, learn bool, l limits) {
	h.turn(now.UTC().Hour())
	if n == 0 {
		h.missed += h.expected() * dt.Minutes()
		h.gap += dt
		return
	}
	span := h.gap + dt
	if l != (limits{}) {
		h.run.gap = max(h.run.gap, min(span, h.allowed(l)))
		h.burst = max(h.burst, min(h.missed, h.needed(l)))
	}
	h.gap, h.missed = 0, 0
	if !learn || span <= 0 {
		return
	}
	h.heard += span
	h.lines += n
	h.run.lines += n
	h.run.time += span
	h.recent += (float64(n)/span.Minutes() - h.recent) * -math.Expm1(-float64(span)/float64(fresh))
}

// turn closes the hour that ran when another has begun.
func (h *habit) turn(hour int) {
	if hour == h.run.hour && h.run.begun {
		return
	}
	t := &h.hours[h.run.hour]
	if h.run.time >= wholeHour {
		h.burst *= fadeHour
		t.Gap *= fade
		t.Days = min(t.Days+1, weighed)
		t.Rate += (float32(float64(h.run.lines)/h.run.time.Minutes()) - t.Rate) / float32(t.Days)
	}
	t.Gap = max(t.Gap, float32(h.run.gap.Seconds()))
	h.run = count{begun: true, hour: hour, usual: h.usualAt(hour)}
}

// usualAt is the rate of an hour: the lowest of it and its neighbors, since no
// day keeps to the clock. Of an hour that is not known, a quarter of the lowest
// that is.
func (h *habit) usualAt(hour int) float64 {
	if rate, ok := h.lowest(hour-1, hour+1); ok && h.hours[hour].Days > 0 {
		return rate
	}
	rate, _ := h.lowest(0, 23)
	return rate / 4
}

// lowest is the lowest rate among the known hours from first to last.
func (h *habit) lowest(first, last int) (rate float64, known bool) {
	rate = math.Inf(1)
	for i := first; i <= last; i++ {
		if t := &h.hours[(i+24)%24]; t.Days > 0 {
			rate, known = min(rate, float64(t.Rate)), true
		}
	}
	if !known {
		return 0, false
	}
	return rate, true
}

// expected is the rate by which records are missed: the usual, or the present
// one where that is lower.
func (h *habit) expected() float64 {
	return min(h.run.usual, max(h.recent, h.run.usual/slump))
}

// longest is the longest gap that is usual now.
func (h *habit) longest() time.Duration {
	first, last := h.run.hour-1, h.run.hour+1
	if h.hours[h.run.hour].Days == 0 {
		first, last = 0, 23
	}
	seconds := h.run.gap.Seconds()
	for i := first; i <= last; i++ {
		seconds = max(seconds, float64(h.hours[(i+24)%24].Gap))
	}
	return time.Duration(seconds * float64(time.Second))
}

// limits say when a gap is silence.
type limits struct {
	shortest time.Duration
	missed   float64 // records that must be missing by habit
	times    float64 // how many times the longest usual gap, and the most that is usually missing
}

// allowed is the gap from which on it is silence, if enough is missed.
func (h *habit) allowed(l limits) time.Duration {
	return max(l.shortest, time.Duration(l.times*float64(h.longest())))
}

// needed is how many records must be missing for it to be silence.
func (h *habit) needed(l limits) float64 { return max(l.missed, l.times*h.burst) }

// silent says that nothing comes, against all habit.
func (h *habit) silent(l limits) bool {
	return h.missed >= h.needed(l) && h.gap >= h.allowed(l)
}

// learned says that the habit is known well enough to judge by.
func (h *habit) learned(learn time.Duration) bool {
	return h.heard >= learn && h.lines >= leastLines
}

// pardon begins the present gap anew.
func (h *habit) pardon() { h.gap, h.missed = 0, 0 }
