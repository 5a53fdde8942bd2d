package vsphere

import (
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
)

// Word cuts the first word off s: what stands before the next blank. Blanks
// around it are dropped.
func Word(s string) (word, rest string) {
	s = skipBlanks(s)
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' || s[i] == '\t' {
			return s[:i], skipBlanks(s[i:])
		}
	}
	return s, ""
}

func skipBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// Between gives what stands in s after the first before, up to the next after.
func Between(s, before, after string) (string, bool) {
	i := strings.Index(s, before)
	if i < 0 {
		return "", false
	}
	s = s[i+len(before):]
	j := strings.Index(s, after)
	if j < 0 {
		return "", false
	}
	return s[:j], true
}

// ParseUint reads a decimal number that is all of s. Numbers of more than 18
// digits are refused.
func ParseUint(s string) (uint64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n uint64
	for i := 0; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// ParsePort reads a port number.
func ParsePort(s string) (uint16, bool) {
	n, ok := ParseUint(s)
	return uint16(n), ok && n <= 0xffff
}

// parseIPv4 reads a dotted address at the beginning of s and tells how long it
// is; 0: there is none. It refuses what goes on with a digit or another part
// (a version number).
func parseIPv4(s string) (netip.Addr, int) {
	var b [4]byte
	i := 0
	for part := range 4 {
		start, n := i, 0
		for i < len(s) && s[i]-'0' <= 9 && i-start < 3 {
			n = n*10 + int(s[i]-'0')
			i++
		}
		if i == start || n > 255 {
			return netip.Addr{}, 0
		}
		b[part] = byte(n)
		if part < 3 {
			if i >= len(s) || s[i] != '.' {
				return netip.Addr{}, 0
			}
			i++
		}
	}
	if i < len(s) && (s[i]-'0' <= 9 || s[i] == '.' && i+1 < len(s) && s[i+1]-'0' <= 9) {
		return netip.Addr{}, 0
	}
	return netip.AddrFrom4(b), i
}

// ParseAddr reads an address that is all of s, also in brackets. It
// allocates nothing, not even on refusal (save for an IPv6 zone).
func ParseAddr(s string) (netip.Addr, bool) {
	if a, n := parseIPv4(s); n != 0 {
		return a, n == len(s)
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
		if a, n := parseIPv4(s); n != 0 {
			return a, n == len(s)
		}
	}
	if !looksIPv6(s) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// looksIPv6 keeps what is no address from the parser, whose errors allocate.
func looksIPv6(s string) bool {
	colons := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ':':
			colons++
		case c == '%':
			return colons >= 2 && i+1 < len(s) && !strings.ContainsAny(s[i:], " :]/")
		case !isHex(c) && c != '.':
			return false
		}
	}
	return colons >= 2 && len(s) <= 45
}

func isHex(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// IsHex says that s is n hexadecimal digits.
func IsHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := 0; i < n; i++ {
		if !isHex(s[i]) {
			return false
		}
	}
	return true
}

// SetEndpoint reads "host:port", "address:port", "[v6]:port", a bare address
// or a bare host name into ep. Blanks around host and port are allowed, as
// Vmacore writes them. It reports false, and leaves ep alone, when s is none
// of these.
func SetEndpoint(ep *event.Endpoint, s string) bool {
	s = strings.TrimSpace(s)
	if a, ok := ParseAddr(s); ok {
		ep.IP = a
		return true
	}
	host, port := s, uint16(0)
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		p, ok := ParsePort(strings.TrimSpace(s[i+1:]))
		if !ok {
			return false
		}
		host, port = strings.TrimSpace(s[:i]), p
	}
	if a, ok := ParseAddr(host); ok {
		ep.IP, ep.Port = a, port
		return true
	}
	if !isHostname(host) {
		return false
	}
	ep.Hostname, ep.Port = host, port
	return true
}

// maxHostname is the longest DNS name.
const maxHostname = 253

func isHostname(s string) bool {
	if s == "" || len(s) > maxHostname {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '.' && c != '_' && c < 0x80 {
			return false
		}
	}
	return true
}

// ParseUser splits an account name: DOMAIN\name or name@domain. Quotes around
// it are dropped.
func ParseUser(s string) event.User {
	s = Unquote(strings.TrimSpace(s))
	if i := strings.IndexByte(s, '\\'); i >= 0 {
		return event.User{Domain: s[:i], Name: strings.TrimLeft(s[i:], `\`)}
	}
	if i := strings.LastIndexByte(s, '@'); i > 0 {
		return event.User{Name: s[:i], Domain: s[i+1:]}
	}
	return event.User{Name: s}
}

// SetUser names the account that acts. How the record writes it, with domain
// and all, is kept as a field where that is not the plain name.
func SetUser(ev *event.Event, account string) {
	account = Unquote(strings.TrimSpace(account))
	if account == "" {
		return
	}
	ev.User = ParseUser(account)
	if ev.User.Name != account {
		ev.Add(fieldAccount, account)
	}
}

// Unquote drops one pair of quotes around s, single or double.
func Unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// SetUserAt reads "user@address", as session events name who came from where,
// into ev.User and ev.Src. The user may hold an @ himself.
func SetUserAt(ev *event.Event, s string) bool {
	s = Unquote(strings.TrimRight(strings.TrimSpace(s), "."))
	i := strings.LastIndexByte(s, '@')
	if i < 0 || !SetEndpoint(&ev.Src, s[i+1:]) {
		return false
	}
	SetUser(ev, s[:i])
	return true
}

// ParseMAC gives a hardware address in lower case with colons; false: s is
// none. Upper case costs an allocation.
func ParseMAC(s string) (string, bool) {
	if len(s) != 17 {
		return "", false
	}
	for i := 0; i < len(s); i++ {
		if i%3 == 2 {
			if s[i] != ':' && s[i] != '-' {
				return "", false
			}
		} else if !isHex(s[i]) {
			return "", false
		}
	}
	return strings.ReplaceAll(strings.ToLower(s), "-", ":"), true
}
