package suggest

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// habit is when a group's connections happen, on the clocks of UTC.
type habit struct {
	days    int      // on which there were any
	hours   [24]int  // on how many days in that hour
	windows []string // that cover them; none: all day
	left    int64    // connections that no window covers
	start   int      // hour at which its day begins
}

const (
	// gap is how many quiet hours do not end a window.
	gap = 2
	// manyDays is how many days make an hour that was seen on one only an
	// exception.
	manyDays = 4
	// wholeDay is how many hours of windows are as good as none.
	wholeDay = 20
	// room is what a window has before and behind, in minutes.
	room = 30
)

func habitOf(groups []*group) habit {
	var h habit
	seen := map[int64]int64{}
	for _, g := range groups {
		for hour, s := range g.hours {
			if s.count > 0 {
				seen[hour] += s.count
			}
		}
	}
	for hour := range seen {
		h.hours[hour%24]++
	}
	h.start = quietest(h.hours)
	days := map[int64]bool{}
	for hour := range seen {
		days[(hour-int64(h.start))/24] = true
	}
	h.days = len(days)
	var open [24]bool
	covered := 0
	for i, n := range h.hours {
		open[i] = n > 1 || n == 1 && h.days < manyDays
	}
	open = closeGaps(open)
	for i := range open {
		if open[i] {
			covered++
		}
	}
	if covered >= wholeDay || covered == 0 {
		return h
	}
	for hour, n := range seen {
		if !open[hour%24] {
			h.left += n
		}
	}
	h.windows = windowsOf(open)
	return h
}

// quietest is the hour in the middle of the longest pause of the day: a night's
// work is work of one day.
func quietest(hours [24]int) (middle int) {
	longest := 0
	for i := range hours {
		n := 0
		for n < 24 && hours[(i+n)%24] == 0 {
			n++
		}
		if n > longest {
			longest, middle = n, (i+n/2)%24
		}
	}
	return middle
}

// closeGaps opens the hours between two that are near each other.
func closeGaps(open [24]bool) [24]bool {
	out := open
	for i := range open {
		if !open[i] {
			continue
		}
		for d := 2; d <= gap+1; d++ {
			if open[(i+d)%24] {
				for k := 1; k < d; k++ {
					out[(i+k)%24] = true
				}
			}
		}
	}
	return out
}

// windowsOf writes each run of open hours as a window, with room on both
// sides.
func windowsOf(open [24]bool) (windows []string) {
	for i := range open {
		if !open[i] || open[(i+23)%24] {
			continue
		}
		end := i
		for open[end%24] {
			end++
		}
		from := (i*60 - room + 24*60) % (24 * 60)
		to := (end*60 + room) % (24 * 60)
		windows = append(windows, fmt.Sprintf("%02d:%02d-%02d:%02d UTC", from/60, from%60, to/60, to%60))
	}
	return windows
}

// most is the most that one VM sent in one day.
func (h *habit) most(groups []*group) (most int64) {
	for _, g := range groups {
		sent := map[int64]int64{}
		for hour, s := range g.hours {
			sent[(hour-int64(h.start))/24] += s.out
		}
		for _, n := range sent {
			most = max(most, n)
		}
	}
	return most
}

// when says it in words.
func (h *habit) when() string {
	if len(h.windows) == 0 {
		return "at all hours"
	}
	var busy []int
	for i, n := range h.hours {
		if n > 0 {
			busy = append(busy, i)
		}
	}
	return fmt.Sprintf("in the hours %s UTC", spans(busy))
}

// spans writes "20-23, 0-5".
func spans(hours []int) string {
	text := ""
	for i := 0; i < len(hours); {
		j := i
		for j+1 < len(hours) && hours[j+1] == hours[j]+1 {
			j++
		}
		if text != "" {
			text += ", "
		}
		if text += fmt.Sprint(hours[i]); j > i {
			text += fmt.Sprintf("-%d", hours[j])
		}
		i = j + 1
	}
	return text
}

// rhythm says how far apart the hours with connections are, when that is
// regular: "once a day", "every hour".
func rhythm(groups []*group) string {
	all := map[int64]bool{}
	for _, g := range groups {
		for hour, s := range g.hours {
			if s.count > 0 {
				all[hour] = true
			}
		}
	}
	hours := slices.Sorted(maps.Keys(all))
	if len(hours) < 4 {
		return ""
	}
	counts, most := map[int64]int{}, int64(0)
	for i := range hours[1:] {
		d := hours[i+1] - hours[i]
		if counts[d]++; counts[d] > counts[most] {
			most = d
		}
	}
	if counts[most]*3 < 2*(len(hours)-1) {
		return ""
	}
	switch most {
	case 1:
		return "hour after hour"
	case 24:
		return "once a day"
	}
	return fmt.Sprintf("every %s", time.Duration(most)*time.Hour)
}
