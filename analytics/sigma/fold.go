package sigma

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Values compare without regard to case: two characters are alike when
// Unicode's simple case folding says so, as in regular expressions with (?i).
// A folded text has for each character the one that stands for all its alikes.

// foldRune gives the rune that stands for all that fold to the same as r.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		return least + ('a' - 'A')
	}
	return least
}

// appendFold appends s to dst, folded. Bytes that are not UTF-8 stay.
func appendFold(dst []byte, s string) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(s))[:start+len(s)]
	if done := foldASCII(dst[start:], s); done < len(s) {
		return appendFoldRunes(dst[:start+done], s[done:])
	}
	return dst
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// foldASCII writes s to dst, folded, up to the first byte that is not ASCII or
// a little before, eight bytes at a time, and says how far it came.
func foldASCII(dst []byte, s string) int {
	i := 0
	for ; i+8 <= len(s) && i+8 <= len(dst); i += 8 {
		word := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if word&highBits != 0 {
			return i
		}
		fromA := word + (0x80-'A')*everyByte
		aboveZ := word + (0x7F-'Z')*everyByte
		word |= (fromA ^ aboveZ) & highBits >> 2
		binary.LittleEndian.PutUint64(dst[i:], word)
	}
	for ; i < len(s) && i < len(dst); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return i
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst[i] = c
	}
	return i
}

func appendFoldRunes(dst []byte, s string) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[0])
		default:
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		s = s[size:]
	}
	return dst
}

func fold(s string) string { return string(appendFold(nil, s)) }

// The dashes that windash makes alike: hyphen, slash, en dash, em dash and
// horizontal bar. The last three are E2 80 93 to 95 in UTF-8.
const dashes = "-/–—―"

// hasDashToFold says that appendDashFold would change text.
func hasDashToFold(text []byte) bool {
	return bytes.IndexByte(text, '/') >= 0 || bytes.IndexByte(text, 0xE2) >= 0
}

// appendDashFold appends text to dst with "-" for every dash.
func appendDashFold(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '/':
			c = '-'
		case c == 0xE2 && i+2 < len(text) && text[i+1] == 0x80 && 0x93 <= text[i+2] && text[i+2] <= 0x95:
			c = '-'
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

func dashFold(s string) string { return string(appendDashFold(nil, []byte(s))) }
