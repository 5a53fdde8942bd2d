package egress

import (
	"strings"
	"testing"
	"time"
)

func TestParseWindow(t *testing.T) {
	f := func(in string, days uint8, from, to int, zone string) {
		t.Helper()
		w, z, err := parseWindow(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			return
		}
		if w.days != days || w.from != from || w.to != to || z != zone {
			t.Errorf("%q: days %07b %d-%d %q, want %07b %d-%d %q", in, w.days, w.from, w.to, z, days, from, to, zone)
		}
	}
	f("mon-sun 22:00-06:00 Europe/Berlin", everyDay, 1320, 360, "Europe/Berlin")
	f("mon-fri 08:30-17:00", 0b0111110, 510, 1020, "")
	f("fri-mon 00:00-24:00 UTC", 0b1100011, 0, 1440, "UTC")
	f("Sat,SUN  00:00-04:00", 0b1000001, 0, 240, "")
	f("wed 23:59-00:00", 0b0001000, 1439, 0, "")
	f("22:00-06:00", everyDay, 1320, 360, "")
	for _, bad := range []string{
		"", "mon", "mon-fri", "22:00", "22:00-22:00", "24:00-06:00", "2:00-6:00", "22:60-23:00", "22:00-24:01",
		"monday 22:00-06:00", "mon- 22:00-06:00", "22:00-06:00 UTC more", "mon tue 22:00-06:00", "22:00–06:00",
	} {
		if _, _, err := parseWindow(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// TestWindowAgainstCalendar compares with the time package, minute by minute
// over both changes of the clocks.
func TestWindowAgainstCalendar(t *testing.T) {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"mon-sun 22:00-06:00", "sat,sun 01:30-03:30", "sat 23:00-24:00", "sun 00:00-24:00", "sun 02:30-02:15"} {
		w, _, err := parseWindow(text)
		if err != nil {
			t.Fatal(err)
		}
		c := clock{loc: loc}
		for _, month := range []time.Month{3, 10} {
			from := time.Date(2026, month, 23, 0, 0, 0, 0, time.UTC)
			for now := from; now.Sub(from) < 8*24*time.Hour; now = now.Add(time.Minute) {
				day, open := w.start(c.local(now.Unix()))
				if want := openByCalendar(&w, now.In(loc)); open != want {
					t.Fatalf("%s at %v: open %v, want %v", text, now.In(loc), open, want)
				}
				if !open {
					continue
				}
				if a, b := w.bounds(day, loc); b.Before(a) {
					t.Fatalf("%s at %v: bounds %v, %v", text, now.In(loc), a, b)
				}
			}
		}
	}
}

// openByCalendar is the definition: the clocks on the wall, and the day on
// which the window began.
func openByCalendar(w *window, local time.Time) bool {
	minute := local.Hour()*60 + local.Minute()
	has := func(d time.Weekday) bool { return w.days&(1<<d) != 0 }
	if w.from < w.to {
		return has(local.Weekday()) && w.from <= minute && minute < w.to
	}
	return minute >= w.from && has(local.Weekday()) ||
		minute < w.to && has((local.Weekday()+6)%7)
}

func FuzzWindow(f *testing.F) {
	for _, s := range []string{"mon-sun 22:00-06:00 Europe/Berlin", "sat,sun 00:00-24:00", "22:00-06:00", "x"} {
		f.Add(s, int64(1795000000))
	}
	f.Fuzz(func(t *testing.T, s string, unix int64) {
		w, zone, err := parseWindow(s)
		if err != nil {
			return
		}
		if w.days == 0 || w.from == w.to || w.from < 0 || w.to > dayMinutes {
			t.Fatalf("%q gives %+v", s, w)
		}
		again, zone2, err := parseWindow(w.text)
		if err != nil || again.text != w.text || zone != zone2 || again.days != w.days {
			t.Fatalf("%q is read again as %+v, %v", w.text, again, err)
		}
		unix %= 1 << 40
		day, open := w.start(unix)
		from, to := w.bounds(day, time.UTC)
		if now := time.Unix(unix, 0); open && (now.Before(from) || !now.Before(to)) {
			t.Fatalf("%q is open at %v, outside %v to %v", s, now, from, to)
		}
	})
}

func TestParseBytes(t *testing.T) {
	f := func(in string, want int64) {
		t.Helper()
		if got, err := parseBytes(in); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	f("", 0)
	f("1000", 1000)
	f("1b", 1)
	f("500GB", 500e9)
	f("2 GiB", 2<<30)
	f("1TiB", 1<<40)
	f("1.5gb", 15e8)
	for _, bad := range []string{"0", "0.1", "-1", "1.5.1GB", "GB", "10PB", "1e3", strings.Repeat("9", 30)} {
		if n, err := parseBytes(bad); err == nil {
			t.Errorf("%q was accepted as %d", bad, n)
		}
	}
}
