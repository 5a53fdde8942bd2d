package source

import (
	"net/netip"
	"strconv"
	"unsafe"
)

// scratch holds the texts that are made of numbers and addresses of one
// event. Their memory is used again for the next one.
type scratch struct{ text []byte }

// maxScratch is how many bytes are kept between events.
const maxScratch = 64 << 10

func (s *scratch) reset() {
	if cap(s.text) > maxScratch {
		s.text = nil
	}
	s.text = s.text[:0]
}

// since is the text from a place in the scratch on. It shares its memory: what
// is appended later lies behind it, or elsewhere.
func (s *scratch) since(start int) string {
	part := s.text[start:]
	return unsafe.String(unsafe.SliceData(part), len(part))
}

func (s *scratch) number(n int64) string {
	start := len(s.text)
	s.text = strconv.AppendInt(s.text, n, 10)
	return s.since(start)
}

func (s *scratch) address(ip netip.Addr) string {
	start := len(s.text)
	s.text = ip.AppendTo(s.text)
	return s.since(start)
}

func (s *scratch) join(a, b string) string {
	start := len(s.text)
	s.text = append(append(s.text, a...), b...)
	return s.since(start)
}
