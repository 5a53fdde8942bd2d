package vsphere

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// SetURL puts an absolute URL into ev, and who serves it into ep: host or
// address, and the port, that of the scheme when the URL names none.
func SetURL(ev *event.Event, ep *event.Endpoint, url string) {
	ev.URL = url
	i := strings.Index(url, "://")
	if i < 0 {
		return
	}
	authority := url[i+3:]
	if j := strings.IndexAny(authority, "/?#"); j >= 0 {
		authority = authority[:j]
	}
	if j := strings.LastIndexByte(authority, '@'); j >= 0 {
		authority = authority[j+1:]
	}
	if SetEndpoint(ep, authority) && ep.Port == 0 {
		ep.Port = schemePort(url[:i])
	}
}

func schemePort(scheme string) uint16 {
	switch scheme {
	case "https", "wss":
		return 443
	case "http", "ws":
		return 80
	case "ftp":
		return 21
	}
	return 0
}

// urlEnd are the bytes that end a URL in running text.
const urlEnd = " \t\r\n\"'<>|;`\\"

// FindURL gives the first absolute URL of a network scheme in text; empty:
// there is none. Brackets and stops that close the sentence are not part of
// it.
func FindURL(text string) string {
	for from := 0; ; {
		i := strings.Index(text[from:], "://")
		if i < 0 {
			return ""
		}
		i += from
		start := i
		for start > 0 && text[start-1]|0x20 >= 'a' && text[start-1]|0x20 <= 'z' {
			start--
		}
		if schemePort(text[start:i]) != 0 {
			return urlAt(text[start:], i+3-start)
		}
		from = i + 3
	}
}

func urlAt(s string, authority int) string {
	if i := strings.IndexAny(s[authority:], urlEnd); i >= 0 {
		s = s[:authority+i]
	}
	for len(s) > authority {
		switch c := s[len(s)-1]; {
		case c == '.' || c == ',' || c == ':':
		case c == ')' && !strings.Contains(s, "("):
		case c == ']' && !strings.Contains(s[authority:], "["):
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return ""
}

// Fallback marks, in a record whose text no recognizer knows, the URL and the
// addresses that stand in it, so that they can be searched for. Their part in
// it is not known: addresses become fields, and the class stays Base Event.
func Fallback(text string, ev *event.Event) {
	if ev.URL == "" {
		if url := FindURL(text); url != "" {
			SetURL(ev, &ev.Dst, url)
		}
	}
	addresses(text, ev)
}

// maxAddresses bounds the address fields of one event.
const maxAddresses = 4

// addresses adds a field for each IPv4 address (with its port) in text.
func addresses(text string, ev *event.Event) {
	for n, i := 0, 0; n < maxAddresses; i++ {
		dot := strings.IndexByte(text[i:], '.')
		if dot < 0 {
			return
		}
		i += dot
		start := i
		for start > 0 && i-start < 3 && isDigit(text[start-1]) {
			start--
		}
		if start == i || start > 0 && (isDigit(text[start-1]) || isNamePart(text[start-1])) ||
			strings.HasSuffix(text[:start], "ersion ") {
			continue
		}
		if _, length := parseIPv4(text[start:]); length > 0 {
			end := start + length + portLen(text[start+length:])
			ev.Add(FieldAddress, text[start:end])
			i = end - 1
			n++
		}
	}
}

// isNamePart says that an address cannot begin behind c: what stands there is
// a name or a version number.
func isNamePart(c byte) bool {
	return c == '.' || c == '_' || c == '-' || c == '/' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func portLen(s string) int {
	if s == "" || s[0] != ':' {
		return 0
	}
	n := 1
	for n < len(s) && n < 6 && isDigit(s[n]) {
		n++
	}
	if n == 1 {
		return 0
	}
	return n
}
