package egress

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	dayMinutes = 24 * 60
	daySeconds = dayMinutes * 60
)

// window is a span of the day on some days of the week. It begins on its day
// and, when to is not above from, ends on the next.
type window struct {
	days     uint8 // bit 0: Sunday, as time.Weekday
	from, to int   // minutes of the day; to at most 24:00
	zone     int   // index into Policy.zones
	text     string
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

const everyDay uint8 = 1<<7 - 1

// parseWindow reads "[DAYS] HH:MM-HH:MM [ZONE]" and gives the zone's name,
// empty when there is none.
func parseWindow(s string) (w window, zone string, err error) {
	fields := strings.Fields(s)
	w.text = strings.Join(fields, " ")
	w.days = everyDay
	if len(fields) > 0 && !strings.Contains(fields[0], ":") {
		if w.days, err = parseDays(fields[0]); err != nil {
			return window{}, "", err
		}
		fields = fields[1:]
	}
	if len(fields) == 0 || len(fields) > 2 {
		return window{}, "", fmt.Errorf(`want "[days] from-to [zone]", as in "mon-fri 22:00-06:00 Europe/Berlin"`)
	}
	from, to, ok := strings.Cut(fields[0], "-")
	if !ok {
		return window{}, "", fmt.Errorf("hours %q: want two times, as in 22:00-06:00", fields[0])
	}
	if w.from, w.to, err = parseHours(from, to); err != nil {
		return window{}, "", err
	}
	if len(fields) == 2 {
		zone = fields[1]
	}
	return w, zone, nil
}

func parseHours(from, to string) (f, t int, err error) {
	if f, err = parseClock(from); err != nil {
		return 0, 0, err
	}
	if t, err = parseClock(to); err != nil {
		return 0, 0, err
	}
	switch {
	case f == dayMinutes:
		return 0, 0, fmt.Errorf("time %q: a window cannot begin at 24:00", from)
	case f == t:
		return 0, 0, fmt.Errorf("hours %s-%s are empty; the whole day is 00:00-24:00", from, to)
	}
	return f, t, nil
}

// parseClock reads HH:MM, 00:00 to 24:00, as minutes.
func parseClock(s string) (int, error) {
	h, m, ok := strings.Cut(s, ":")
	hours, err1 := strconv.ParseUint(h, 10, 8)
	minutes, err2 := strconv.ParseUint(m, 10, 8)
	total := int(hours*60 + minutes)
	if !ok || len(h) != 2 || len(m) != 2 || err1 != nil || err2 != nil || minutes > 59 || total > dayMinutes {
		return 0, fmt.Errorf("time %q: want HH:MM, 00:00 to 24:00", s)
	}
	return total, nil
}

// parseDays reads "mon-fri,sun"; a span may go over the end of the week.
func parseDays(s string) (uint8, error) {
	var days uint8
	for part := range strings.SplitSeq(strings.ToLower(s), ",") {
		from, to, span := strings.Cut(part, "-")
		if !span {
			to = from
		}
		f, ok1 := weekdays[from]
		t, ok2 := weekdays[to]
		if !ok1 || !ok2 {
			return 0, fmt.Errorf("days %q: want names of three letters, as in mon-fri,sun", s)
		}
		for d := f; ; d = (d + 1) % 7 {
			days |= 1 << d
			if d == t {
				break
			}
		}
	}
	return days, nil
}

// start says whether the window is open at a local time, given as seconds
// since 1970 on that place's clocks, and on which local day it began.
func (w *window) start(local int64) (day int64, open bool) {
	day = floorDiv(local, daySeconds)
	minute := int(local-day*daySeconds) / 60
	today, yesterday := w.on(day), w.on(day-1)
	switch {
	case w.from < w.to:
		return day, today && w.from <= minute && minute < w.to
	case minute >= w.from:
		return day, today
	}
	return day - 1, yesterday && minute < w.to
}

func (w *window) on(day int64) bool { return w.days&(1<<weekday(day)) != 0 }

// weekday of a day since 1970-01-01, which was a Thursday.
func weekday(day int64) time.Weekday {
	return time.Weekday(((day+int64(time.Thursday))%7 + 7) % 7)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// bounds are the moments at which the window that began on day opens and
// closes.
func (w *window) bounds(day int64, loc *time.Location) (from, to time.Time) {
	end := day
	if w.to <= w.from {
		end++
	}
	return moment(day, w.from, loc), moment(end, w.to, loc)
}

func moment(day int64, minute int, loc *time.Location) time.Time {
	y, m, d := time.Unix(day*daySeconds, 0).UTC().Date()
	return time.Date(y, m, d, 0, minute, 0, 0, loc)
}

// clock turns event times into local times of one zone. It remembers the
// span in which the zone's offset holds, so that most calls are additions.
type clock struct {
	loc      *time.Location
	offset   int64
	from, to int64 // Unix seconds; equal: nothing remembered
}

// local is t on that place's clocks, as seconds since 1970.
func (c *clock) local(unix int64) int64 {
	if unix < c.from || unix >= c.to {
		c.learn(unix)
	}
	return unix + c.offset
}

func (c *clock) learn(unix int64) {
	t := time.Unix(unix, 0).In(c.loc)
	_, offset := t.Zone()
	c.offset = int64(offset)
	c.from, c.to = unix-daySeconds*365, unix+daySeconds*365
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		c.from = max(c.from, start.Unix())
	}
	if !end.IsZero() {
		c.to = min(c.to, end.Unix())
	}
}
