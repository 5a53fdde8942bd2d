package syslog

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// Frame is one record of a stream, without what frames it.
type Frame struct {
	Text      string
	Truncated bool // longer than the limit and cut there, or the stream broke off within it
}

// Scanner splits a stream into frames. How each is framed is told from its
// own first bytes: by an octet count (RFC 6587 section 3.4.1), believed only
// when "LEN SP <n" stands there whole, else by the LF or NUL that ends it, a
// CR before the LF not counted. Empty frames are skipped.
//
// Fill reads once, Frames then gives what is whole; both are for one
// goroutine at a time.
type Scanner struct {
	max  int
	buf  []byte // buf[r:] is not framed yet
	r    int
	seen int  // no LF or NUL in buf[r:r+seen]
	skip skip // what is left of a frame that was cut
	lull int  // reads in a row that were small for the buffer
}

// skip says how to find the end of a frame whose rest is dropped.
type skip struct {
	octets    int  // so many bytes
	delimiter bool // up to LF or NUL
}

// Sizes of Scanner's buffer and bounds of what it believes.
const (
	minBuffer  = 4 << 10
	readAhead  = 64 << 10
	maxDigits  = 7 // of an octet count
	lullReads  = 64
	frameSlack = 2 // for CR LF behind a record of the full length
)

// DefaultMaxMessage is the size at which records are cut, in bytes, unless
// configured otherwise: four times what ESXi sends at most.
const DefaultMaxMessage = 64 << 10

// NewScanner makes a Scanner that cuts records at maxMessage bytes; 0 means
// DefaultMaxMessage. Its memory is bounded by that and 64 KiB, and stays at
// 4 KiB as long as the stream brings little.
func NewScanner(maxMessage int) *Scanner {
	if maxMessage <= 0 {
		maxMessage = DefaultMaxMessage
	}
	return &Scanner{max: maxMessage}
}

// Fill reads from r once and returns what Read did.
func (s *Scanner) Fill(r io.Reader) (int, error) {
	s.room()
	free := s.buf[len(s.buf):cap(s.buf)]
	n, err := r.Read(free)
	s.buf = s.buf[:len(s.buf)+n]
	if n < cap(s.buf)/16 {
		s.lull++
	} else {
		s.lull = 0
	}
	return n, err
}

// room makes place for the next read: it moves the rest of the last one to
// the front, and grows a buffer that was filled or shrinks one that long was
// not.
func (s *Scanner) room() {
	full := len(s.buf) == cap(s.buf)
	rest := s.buf[s.r:]
	s.r = 0
	switch {
	case cap(s.buf) == 0:
		s.buf = make([]byte, 0, minBuffer)
	case full && cap(s.buf) < s.limit():
		s.buf = append(make([]byte, 0, min(2*cap(s.buf), s.limit())), rest...)
	case s.lull >= lullReads && cap(s.buf) > minBuffer && len(rest) < minBuffer/2:
		s.buf = append(make([]byte, 0, max(minBuffer, cap(s.buf)/4)), rest...)
		s.lull = 0
	case len(rest) < len(s.buf):
		s.buf = s.buf[:copy(s.buf, rest)]
	}
}

// Trim gives back the memory of a buffer that holds nothing. It is for
// streams that have fallen silent.
func (s *Scanner) Trim() {
	if s.r == len(s.buf) && cap(s.buf) > minBuffer {
		s.buf, s.r, s.lull = nil, 0, 0
	}
}

// limit is the largest buffer: one record that may be cut, its octet count,
// and what a read brings beyond.
func (s *Scanner) limit() int { return s.max + maxDigits + 1 + frameSlack + readAhead }

// span is a frame within Scanner.buf.
type span struct {
	from, to  int
	truncated bool
}

// Frames appends to dst the frames that are whole, at most cap(dst)-len(dst)
// of them. Their texts are parts of one string that is made for the call, and
// are the caller's. When it gives fewer than there was room for, the next
// Fill is due.
func (s *Scanner) Frames(dst []Frame) []Frame {
	return s.take(dst, false)
}

// Rest appends the frame that the end of the stream left unfinished, if any.
// A frame without its delimiter is whole; one shorter than its octet count is
// marked as truncated. The Scanner is empty afterwards.
func (s *Scanner) Rest(dst []Frame) []Frame {
	dst = s.take(dst, true)
	s.buf, s.r, s.seen, s.skip = s.buf[:0], 0, 0, skip{}
	return dst
}

func (s *Scanner) take(dst []Frame, end bool) []Frame {
	var spans [64]span
	n, room := 0, min(cap(dst)-len(dst), len(spans))
	for n < room {
		sp, ok := s.next(end)
		if !ok {
			break
		}
		if sp.to > sp.from {
			spans[n] = sp
			n++
		}
	}
	if n == 0 {
		return dst
	}
	base := spans[0].from
	text := string(s.buf[base:spans[n-1].to])
	for _, sp := range spans[:n] {
		dst = append(dst, Frame{text[sp.from-base : sp.to-base], sp.truncated})
	}
	return dst
}

// next finds the frame at s.r and moves behind it; an empty span is a frame
// without content. ok is false when the buffer holds no whole frame.
func (s *Scanner) next(end bool) (sp span, ok bool) {
	if !s.skipped() {
		return span{}, false
	}
	rest := s.buf[s.r:]
	if len(rest) == 0 {
		return span{}, false
	}
	digits, count, known := octetCount(rest)
	switch {
	case !known && !end:
		return span{}, false
	case known && count > 0:
		return s.counted(digits+1, count, end)
	}
	return s.delimited(end)
}

// skipped drops what is left of a frame that was cut, and says whether its
// end was found.
func (s *Scanner) skipped() bool {
	if s.skip.octets > 0 {
		n := min(s.skip.octets, len(s.buf)-s.r)
		s.r += n
		s.skip.octets -= n
		return s.skip.octets == 0
	}
	if s.skip.delimiter {
		i := delimiter(s.buf[s.r:])
		if i < 0 {
			s.r = len(s.buf)
			return false
		}
		s.r += i + 1
		s.skip.delimiter = false
	}
	return true
}

// octetCount reads "LEN SP <n" and gives the number of digits and LEN, which
// is 0 when that is not what b starts with. known is false when b ends before
// that is clear.
func octetCount(b []byte) (digits, count int, known bool) {
	for digits < len(b) && digits <= maxDigits && isDigit(b[digits]) {
		count = count*10 + int(b[digits]-'0')
		digits++
	}
	if digits == 0 || digits > maxDigits || b[0] == '0' {
		return 0, 0, true
	}
	for i, want := range [...]byte{' ', '<'} {
		if digits+i == len(b) {
			return 0, 0, false
		}
		if b[digits+i] != want {
			return 0, 0, true
		}
	}
	if digits+2 == len(b) {
		return 0, 0, false
	}
	if !isDigit(b[digits+2]) {
		return 0, 0, true
	}
	return digits, count, true
}

// counted takes a frame of count octets that starts head bytes behind s.r.
func (s *Scanner) counted(head, count int, end bool) (span, bool) {
	from := s.r + head
	have := len(s.buf) - from
	switch {
	case count <= s.max+frameSlack && have >= count:
		sp := s.cut(from, from+count, false)
		s.r = from + count
		return sp, true
	case count > s.max+frameSlack && have >= s.max:
		sp := s.cut(from, from+s.max, true)
		n := min(have, count)
		s.r, s.skip.octets = from+n, count-n
		return sp, true
	case end:
		s.r = len(s.buf)
		return s.cut(from, len(s.buf), true), true
	}
	return span{}, false
}

// delimited takes a frame that LF or NUL ends.
func (s *Scanner) delimited(end bool) (span, bool) {
	from := s.r
	i := delimiter(s.buf[from+s.seen:])
	if i >= 0 {
		i += s.seen
		s.r, s.seen = from+i+1, 0
		if i >= s.max+frameSlack { // as it is cut when its end comes later
			return s.cut(from, from+s.max, true), true
		}
		return s.cut(from, from+i, false), true
	}
	s.seen = len(s.buf) - from
	if s.seen >= s.max+frameSlack {
		s.r, s.seen, s.skip.delimiter = len(s.buf), 0, true
		return s.cut(from, from+s.max, true), true
	}
	if end {
		s.r, s.seen = len(s.buf), 0
		return s.cut(from, len(s.buf), false), true
	}
	return span{}, false
}

// cut makes a span of buf[from:to] without the line's end, and not longer
// than the limit: then it is truncated, at a whole character.
func (s *Scanner) cut(from, to int, truncated bool) span {
	if !truncated {
		for to > from && (s.buf[to-1] == '\n' || s.buf[to-1] == '\r' || s.buf[to-1] == 0) {
			to--
		}
	}
	if to-from > s.max {
		to, truncated = from+s.max, true
	}
	if truncated {
		to = from + wholeRunes(s.buf[from:to])
	}
	return span{from, to, truncated}
}

// wholeRunes is the length of b without a character that its end cuts apart.
func wholeRunes(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		c := b[len(b)-i]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}

// delimiter finds the first LF or NUL; -1: none.
func delimiter(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if nul := bytes.IndexByte(b, 0); nul >= 0 {
		return nul
	}
	return lf
}
