package egress

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseNet reads a CIDR or an address.
func parseNet(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	net, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q: neither a network such as 198.51.100.0/24 nor an address", s)
	}
	return net.Masked(), nil
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// units of sizes: powers of 1000 and of 1024, as IEC 80000-13 has them.
var units = map[string]float64{
	"": 1, "B": 1,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}

// ParseSize reads "64KiB", "20GB", "1.5TB" or a plain number of bytes. A site
// writes every size in this way, those of other rooms too.
func ParseSize(text string) (int64, error) {
	trimmed := strings.TrimSpace(text)
	end := strings.IndexFunc(trimmed, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(trimmed)
	}
	number, err := strconv.ParseFloat(trimmed[:end], 64)
	unit, known := units[strings.ToUpper(strings.TrimSpace(trimmed[end:]))]
	if err != nil || !known || number*unit > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q: want a size: a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB", text)
	}
	return int64(number * unit), nil
}

// parseBytes reads a size above 0; empty is 0.
func parseBytes(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := ParseSize(s)
	if err == nil && n < 1 {
		err = fmt.Errorf("%q: must be above 0; leave it out for no limit", s)
	}
	return n, err
}

// parseExpiry reads a date, whose day still counts, or a time.
func parseExpiry(v any, loc *time.Location) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		if v.Hour() == 0 && v.Minute() == 0 && v.Second() == 0 && v.Nanosecond() == 0 {
			return dayAfter(v, loc), nil
		}
		return v, nil
	case string:
		if v == "" {
			return time.Time{}, nil
		}
		if day, err := time.Parse(time.DateOnly, v); err == nil {
			return dayAfter(day, loc), nil
		}
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q: want a date, as 2027-06-30, or an RFC 3339 time", fmt.Sprint(v))
}

func dayAfter(day time.Time, loc *time.Location) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, loc)
}
