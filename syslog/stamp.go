package syslog

import (
	"strings"
	"time"
)

// stampKind is the shape in which a record tells its time.
type stampKind uint8

const (
	stampNone   stampKind = iota
	stampISO              // RFC 3339 and its relatives
	stampBSD              // RFC 3164, without a year
	stampNoneZ            // ESXi's "NoneZ": the true time opens the text
	stampGUID             // ESXi's "0a1b-...-0a1Z"
	stampBad              // a time, but not a readable one
	stampInside           // within the bracket that opens the text: ESX 4's own files
)

type stamp struct {
	kind stampKind
	time time.Time
	text string
}

// stamp reads the time that s opens with, and gives what follows it.
func (p *Parser) stamp(s string) (stamp, string) {
	if s == "" {
		return stamp{}, s
	}
	switch c := s[0]; {
	case isDigit(c):
		if t, n := p.iso(s); n > 0 {
			return stamp{stampISO, t, s[:n]}, s[n:]
		}
	case c == '[':
		if t, n := p.iso(s[1:]); n > 0 {
			return stamp{stampInside, t, s[1 : n+1]}, s
		}
		return stamp{}, s
	case c == 'N' && strings.HasPrefix(s, "NoneZ "):
		return stamp{kind: stampNoneZ, text: s[:5]}, s[5:]
	case isLetter(c):
		if t, n := p.bsd(s); n > 0 {
			return stamp{stampBSD, t, s[:n]}, s[n:]
		}
	}
	return oddStamp(s)
}

// oddStamp knows words that stand where the time belongs and are none.
func oddStamp(s string) (stamp, string) {
	first, _ := word(s)
	switch {
	case isGUIDDate(first):
		return stamp{kind: stampGUID, text: first}, s[len(first):]
	case looksLikeTime(first):
		return stamp{kind: stampBad, text: first}, s[len(first):]
	}
	return stamp{}, s
}

// isGUIDDate knows "0a1b-2c3d-4e5f-6071-829Z", which some ESXi builds write
// instead of the time.
func isGUIDDate(s string) bool {
	if len(s) != 24 || s[23] != 'Z' {
		return false
	}
	for i := range 23 {
		if i%5 == 4 {
			if s[i] != '-' {
				return false
			}
		} else if !isDigit(s[i]) && s[i]|0x20-'a' > 5 {
			return false
		}
	}
	return true
}

// looksLikeTime knows a date, or a time with a damaged date before it: cut,
// masked or out of range.
func looksLikeTime(s string) bool {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '-' || s[i] == '*') {
		i++
	}
	if i == len(s) {
		return i == 10 && s[4] == '-' && s[7] == '-'
	}
	t := s[i:]
	return i > 0 && len(t) >= 9 && t[0] == 'T' && t[3] == ':' && t[6] == ':' && isDigit(t[1]) && isDigit(t[8])
}

// two reads two digits; -1: they are none.
func two(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

// clock reads "hh:mm:ss" at s[i:] as seconds of the day; -1: it is none.
func clock(s string, i int) int {
	h, m, sec := two(s, i), two(s, i+3), two(s, i+6)
	if s[i+2] != ':' || s[i+5] != ':' || uint(h) > 23 || uint(m) > 59 || uint(sec) > 60 {
		return -1
	}
	return h*3600 + m*60 + sec
}

// iso reads a time of RFC 3339 with 0 to any number of fraction digits (nine
// count) and gives the length it took; 0: there is none. It allows what is
// really sent: a blank for the T, a comma or a colon before the fraction, an
// offset without colon, no zone, "AM UTC".
func (p *Parser) iso(s string) (time.Time, int) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' {
		return time.Time{}, 0
	}
	c, y := two(s, 0), two(s, 2)
	month, day := two(s, 5), two(s, 8)
	secs := clock(s, 11)
	if c < 0 || y < 0 || secs < 0 || uint(month-1) > 11 || day < 1 || day > daysIn(c*100+y, month) {
		return time.Time{}, 0
	}
	nano, n := fraction(s, 19)
	offset, n, zoned := zone(s, n)
	if n < len(s) && strings.IndexByte(" :]|\t", s[n]) < 0 {
		return time.Time{}, 0
	}
	secs, n, zoned = twelveHours(s, n, secs, zoned)
	unix := days(c*100+y, month, day)*86400 + int64(secs)
	if !zoned {
		return p.local(unix, nano), n
	}
	return time.Unix(unix-int64(offset), nano).UTC(), n
}

// fraction reads "." and digits at s[i:], as nanoseconds.
func fraction(s string, i int) (nano int64, n int) {
	if i+1 >= len(s) || s[i] != '.' && s[i] != ',' && s[i] != ':' || !isDigit(s[i+1]) {
		return 0, i
	}
	unit := int64(100_000_000)
	for n = i + 1; n < len(s) && isDigit(s[n]); n++ {
		nano += int64(s[n]-'0') * unit
		unit /= 10
	}
	return nano, n
}

// zone reads "Z" or an offset at s[i:], in seconds east of UTC.
func zone(s string, i int) (offset, n int, ok bool) {
	if i >= len(s) {
		return 0, i, false
	}
	if s[i] == 'Z' || s[i] == 'z' {
		return 0, i + 1, true
	}
	if s[i] != '+' && s[i] != '-' || i+5 > len(s) {
		return 0, i, false
	}
	j := i + 3
	if s[j] == ':' {
		j++
	}
	if j+2 > len(s) {
		return 0, i, false
	}
	h, m := two(s, i+1), two(s, j)
	if uint(h) > 23 || uint(m) > 59 {
		return 0, i, false
	}
	offset = h*3600 + m*60
	if s[i] == '-' {
		offset = -offset
	}
	return offset, j + 2, true
}

// twelveHours reads the appliance's " AM UTC" or " PM UTC" behind a time.
func twelveHours(s string, i, secs int, zoned bool) (int, int, bool) {
	if zoned || len(s) < i+7 || s[i+2:i+7] != "M UTC" {
		return secs, i, zoned
	}
	switch h := secs / 3600; {
	case s[i+1] == 'A' && h == 12:
		secs -= 12 * 3600
	case s[i+1] == 'P' && h < 12:
		secs += 12 * 3600
	}
	return secs, i + 7, true
}

// local is the instant that a wall clock of p.Location shows.
func (p *Parser) local(unix, nano int64) time.Time {
	t := time.Unix(unix, nano).UTC()
	if p.Location == nil || p.Location == time.UTC {
		return t
	}
	y, mon, d := t.Date()
	h, m, s := t.Clock()
	return time.Date(y, mon, d, h, m, s, int(nano), p.Location).UTC()
}

// days counts them since 1970-01-01, in the proleptic Gregorian calendar.
func days(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	return int64(365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// bsd reads RFC 3164's "Mmm dd hh:mm:ss", the day padded or not, a year or a
// fraction where a sender adds them.
func (p *Parser) bsd(s string) (time.Time, int) {
	if len(s) < 14 || s[3] != ' ' {
		return time.Time{}, 0
	}
	month := monthOf(s[:3])
	day, i := number(s, 4)
	year := 0
	if i+4 < len(s) && i > 0 && s[i+4] == ' ' && isDigit(s[i]) && isDigit(s[i+3]) && s[i+2] != ':' {
		year = two(s, i)*100 + two(s, i+2)
		i += 5
	}
	if month == 0 || i == 0 || i+8 > len(s) || day < 1 || day > daysIn(2000, month) {
		return time.Time{}, 0
	}
	secs := clock(s, i)
	if secs < 0 {
		return time.Time{}, 0
	}
	nano, n := fraction(s, i+8)
	if n < len(s) && s[n] == ':' {
		n++
	}
	if year > 0 {
		return p.local(days(year, month, day)*86400+int64(secs), nano), n
	}
	return p.closest(month, day, secs, nano), n
}

// number reads one or two digits behind blanks at s[i:], and the one blank
// behind them; 0: it is none.
func number(s string, i int) (v, n int) {
	for i < len(s) && s[i] == ' ' {
		i++
	}
	start := i
	for i < len(s) && i < start+2 && isDigit(s[i]) {
		v = v*10 + int(s[i]-'0')
		i++
	}
	if i == start || i >= len(s) || s[i] != ' ' {
		return 0, 0
	}
	return v, i + 1
}

func monthOf(s string) int {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	for i := 0; i < len(names); i += 3 {
		if names[i] == s[0] && names[i+1] == s[1] && names[i+2] == s[2] {
			return i/3 + 1
		}
	}
	return 0
}

// closest gives a stamp the year next to p.Reference: the last one that is
// not more than a day ahead of it. A clock may be a little fast; nothing is
// logged far in the future.
func (p *Parser) closest(month, day, secs int, nano int64) time.Time {
	if p.Reference.IsZero() {
		return time.Time{}
	}
	limit := p.Reference.Add(24 * time.Hour)
	for year := p.Reference.Year() + 1; year > p.Reference.Year()-8; year-- {
		if day > daysIn(year, month) {
			continue // 29 February: back to the last leap year
		}
		t := p.local(days(year, month, day)*86400+int64(secs), nano)
		if !t.After(limit) {
			return t
		}
	}
	return time.Time{}
}
