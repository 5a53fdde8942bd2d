package sigma

import (
	"bytes"
	"net/netip"
	"strings"
)

// holdsFor says that text has part where the shape wants it.
func (s shape) holdsFor(text, part string) bool {
	switch s {
	case shapePrefix:
		return strings.HasPrefix(text, part)
	case shapeSuffix:
		return strings.HasSuffix(text, part)
	case shapeContains:
		return strings.Contains(text, part)
	}
	return text == part
}

func (s shape) holdsForBytes(text, part []byte) bool {
	switch s {
	case shapePrefix:
		return bytes.HasPrefix(text, part)
	case shapeSuffix:
		return bytes.HasSuffix(text, part)
	case shapeContains:
		return bytes.Contains(text, part)
	}
	return bytes.Equal(text, part)
}

// inPrefixes says that text is an address in one of prefixes. What is clearly
// no address is not parsed: its error would cost an allocation.
func inPrefixes(prefixes []netip.Prefix, text string) bool {
	if !looksLikeAddress(text) {
		return false
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, prefix := range prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

func looksLikeAddress(text string) bool {
	marks := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.' || c == ':':
			marks++
		case c == '%' && marks >= 2:
			return true // a zone
		case (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F'):
			return false
		}
	}
	return marks >= 2
}

// compares says that a value stands to one of the numbers as it should.
func (t *test) compares(text string) bool {
	n, ok := number{}, false
	if t.part != dateNone {
		n, ok = t.part.of(text)
	} else {
		n, ok = parseNumber(text)
	}
	if !ok {
		return false
	}
	for _, limit := range t.numbers {
		if t.compare.holds(n.compareTo(limit)) {
			return true
		}
	}
	return false
}
