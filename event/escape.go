package event

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// The encoder writes each member with a comma behind it; closeObject and
// closeArray put the bracket in the place of the last one. So no member needs
// to know whether another stands before it.

func closeObject(dst []byte) []byte { return closeWith(dst, '}') }

func closeArray(dst []byte) []byte { return closeWith(dst, ']') }

func closeWith(dst []byte, bracket byte) []byte {
	if last := len(dst) - 1; dst[last] == ',' {
		dst[last] = bracket
		return dst
	}
	return append(dst, bracket)
}

// closeMember closes an object that is itself a member.
func closeMember(dst []byte) []byte { return append(closeObject(dst), ',') }

// appendText appends the member that key opens (`"name":`), or nothing when s
// is empty.
func appendText(dst []byte, key, s string) []byte {
	if s == "" {
		return dst
	}
	dst = append(dst, key...)
	dst, _ = appendString(dst, s)
	return append(dst, ',')
}

func appendInt(dst []byte, key string, n int64) []byte {
	dst = append(dst, key...)
	return append(strconv.AppendInt(dst, n, 10), ',')
}

// appendCount is appendInt for members where 0 means "not known".
func appendCount(dst []byte, key string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return appendInt(dst, key, n)
}

// appendTexts appends an array of strings, or nothing when there are none.
func appendTexts(dst []byte, key string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, key...)
	dst = append(dst, '[')
	for _, s := range list {
		dst, _ = appendString(dst, s)
		dst = append(dst, ',')
	}
	return append(closeArray(dst), ',')
}

func appendTime(dst []byte, key string, t time.Time) []byte {
	return appendCount(dst, key, millis(t))
}

// zeroMillis is the zero time.Time in milliseconds since 1970.
const zeroMillis = -62135596800000

// millis is t in OCSF's unit, milliseconds since 1970; 0 for the zero time.
func millis(t time.Time) int64 {
	if ms := t.UnixMilli(); ms != zeroMillis {
		return ms
	}
	return 0
}

// maxAddrText is the longest text that OCSF takes as an ip_t.
const maxAddrText = 40

// appendAddr appends an address. A zone stays where OCSF's ip_t takes it: made
// of plain characters, and 40 in all; else it is left to raw_data.
func appendAddr(dst []byte, key string, ip netip.Addr) []byte {
	if !ip.IsValid() {
		return dst
	}
	dst = append(dst, key...)
	dst = append(dst, '"')
	dst = appendAddrText(dst, ip)
	return append(dst, '"', ',')
}

func appendAddrText(dst []byte, ip netip.Addr) []byte {
	zone := ip.Zone()
	if zone == "" {
		return ip.AppendTo(dst)
	}
	start := len(dst)
	dst = ip.WithZone("").AppendTo(dst)
	if len(dst)-start+1+len(zone) > maxAddrText || !plainZone(zone) {
		return dst
	}
	return append(append(dst, '%'), zone...)
}

func plainZone(zone string) bool {
	for _, c := range []byte(zone) {
		if !isAlnum(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// appendRaw appends a record byte for byte: as text, or as base64 when it is
// not valid UTF-8, or has a zero byte, as flow records always have.
func appendRaw(dst []byte, key, raw string) (out []byte, encoded bool) {
	if raw == "" {
		return dst, false
	}
	dst = append(dst, key...)
	start := len(dst)
	dst, valid := appendString(dst, raw)
	if !valid {
		dst = append(dst[:start], '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(raw))
		dst = append(dst, '"')
	}
	return append(dst, ','), !valid
}

// appendString appends s as a JSON string (RFC 8259), and says whether it was
// text: valid UTF-8 without a zero byte. Each byte that was not UTF-8 is written
// as U+FFFD.
func appendString(dst []byte, s string) (out []byte, valid bool) {
	dst = append(dst, '"')
	i := nextSpecial(s, 0)
	if i == len(s) {
		dst = append(dst, s...)
		return append(dst, '"'), true
	}
	return appendSpecial(dst, s, i)
}

// appendSpecial appends s, of which s[i] is the first special byte, and the
// closing quote.
func appendSpecial(dst []byte, s string, i int) (out []byte, valid bool) {
	valid = true
	done := 0
	for i < len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[done:i]...), "\uFFFD"...)
				done, valid = i+1, false
			}
			i = nextSpecial(s, i+size)
			continue
		}
		dst = appendEscape(append(dst, s[done:i]...), c)
		done, valid = i+1, valid && c != 0
		i = nextSpecial(s, done)
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"'), valid
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// nextSpecial is the index of the first byte of s, from i on, that does not
// stand for itself in a JSON string: a control character, a quote, a
// backslash, or the start of something that is not ASCII; len(s) when there
// is none. It looks at 32 bytes at a time, then at eight, at the last eight
// once more where they are not a multiple.
func nextSpecial(s string, i int) int {
	b := []byte(s) // no copy: it is only read
	for ; i+32 <= len(b); i += 32 {
		w := b[i : i+32 : i+32]
		if specials(binary.LittleEndian.Uint64(w))|specials(binary.LittleEndian.Uint64(w[8:]))|
			specials(binary.LittleEndian.Uint64(w[16:]))|specials(binary.LittleEndian.Uint64(w[24:])) != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if m := specials(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	if i < len(b) && len(b) >= 8 && specials(binary.LittleEndian.Uint64(b[len(b)-8:])) == 0 {
		return len(b)
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// specials has the high bit of each of the eight bytes in x set that is
// special; above the lowest such byte it may also mark others.
func specials(x uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	return (x | (x - ones*0x20) | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones)) & high
}
