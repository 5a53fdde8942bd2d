package sigma

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// number is a number as written: whole numbers of 64 bits are kept exactly.
type number struct {
	whole bool
	i     int64
	f     float64
}

// parseNumber reads decimal numbers. It allocates nothing, also when text is
// no number.
func parseNumber(text string) (number, bool) {
	digits, rest := false, text
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		rest = rest[1:]
	}
	whole := len(rest) <= 18
	for i := range len(rest) {
		switch c := rest[i]; {
		case '0' <= c && c <= '9':
			digits = true
		case c == '.', digits && (c == 'e' || c == 'E'), i > 0 && (c == '-' || c == '+'):
			whole = false
		default:
			return number{}, false
		}
	}
	if !digits || len(text) > 64 {
		return number{}, false
	}
	if whole {
		i, _ := strconv.ParseInt(text, 10, 64)
		return number{whole: true, i: i, f: float64(i)}, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return number{}, false
	}
	return number{f: f}, true
}

// compareTo gives -1, 0 or 1.
func (n number) compareTo(other number) int {
	if n.whole && other.whole {
		switch {
		case n.i < other.i:
			return -1
		case n.i > other.i:
			return 1
		}
		return 0
	}
	switch {
	case n.f < other.f:
		return -1
	case n.f > other.f:
		return 1
	}
	return 0
}

// comparison is how a number must stand to the rule's.
type comparison uint8

const (
	compareEqual comparison = iota
	compareLess
	compareLessEqual
	compareGreater
	compareGreaterEqual
)

var comparisons = map[string]comparison{
	"lt": compareLess, "lte": compareLessEqual, "gt": compareGreater, "gte": compareGreaterEqual,
}

func (c comparison) holds(order int) bool {
	switch c {
	case compareLess:
		return order < 0
	case compareLessEqual:
		return order <= 0
	case compareGreater:
		return order > 0
	case compareGreaterEqual:
		return order >= 0
	}
	return order == 0
}

// datePart is the part of a date that a time modifier takes out.
type datePart uint8

const (
	dateNone datePart = iota
	dateMinute
	dateHour
	dateDay
	dateWeek
	dateMonth
	dateYear
)

var dateParts = map[string]datePart{
	"minute": dateMinute, "hour": dateHour, "day": dateDay, "week": dateWeek, "month": dateMonth, "year": dateYear,
}

// of takes the part out of a date as it is written: year, month and day
// joined by "-" or "/", then, after a space or T, hours and minutes. What
// follows, a zone above all, is not looked at. Weeks are those of ISO 8601.
func (p datePart) of(text string) (number, bool) {
	whole := func(i int) (number, bool) { return number{whole: true, i: int64(i), f: float64(i)}, true }
	year, month, day, ok := parseDate(text)
	if !ok {
		return number{}, false
	}
	switch p {
	case dateYear:
		return whole(year)
	case dateMonth:
		return whole(month)
	case dateDay:
		return whole(day)
	case dateWeek:
		_, week := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).ISOWeek()
		return whole(week)
	}
	if len(text) < len("2006-01-02 15:04") || text[10] != ' ' && text[10] != 'T' && text[10] != 't' || text[13] != ':' {
		return number{}, false
	}
	hour, okHour := twoDigits(text[11:], 0, 24)
	minute, okMinute := twoDigits(text[14:], 0, 59)
	if !okHour || !okMinute {
		return number{}, false
	}
	if p == dateHour {
		return whole(hour)
	}
	return whole(minute)
}

func parseDate(text string) (year, month, day int, ok bool) {
	if len(text) < len("2006-01-02") || text[4] != text[7] || text[4] != '-' && text[4] != '/' {
		return 0, 0, 0, false
	}
	century, ok1 := twoDigits(text, 0, 99)
	years, ok2 := twoDigits(text[2:], 0, 99)
	month, ok3 := twoDigits(text[5:], 1, 12)
	day, ok4 := twoDigits(text[8:], 1, 31)
	return century*100 + years, month, day, ok1 && ok2 && ok3 && ok4
}

func twoDigits(text string, low, high int) (int, bool) {
	tens, ones := text[0]-'0', text[1]-'0'
	n := int(tens)*10 + int(ones)
	return n, tens <= 9 && ones <= 9 && low <= n && n <= high
}

// appendCanonical appends a JSON number written without a point or exponent
// that it does not need, for comparing it with a rule's text. other is false
// where it is written so already.
func appendCanonical(dst []byte, text string) (_ []byte, other bool) {
	if !strings.ContainsAny(text, ".eE+") {
		return dst, false
	}
	n, ok := parseNumber(text)
	if !ok {
		return dst, false
	}
	return strconv.AppendFloat(dst, n.f, 'f', -1, 64), true
}
