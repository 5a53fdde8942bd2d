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
	case "ldap":
		return 389
	case "ldaps":
		return 636
	case "ssh", "sftp", "scp":
		return 22
	case "rsync":
		return 873
	case "nfs":
		return 2049
	}
	return 0
}

// isNetworkScheme: those with a port of their own, and the transports that log
// hosts and NSX managers are written with.
func isNetworkScheme(scheme string) bool {
	switch scheme {
	case "tcp", "udp", "ssl", "tls":
		return true
	}
	return schemePort(scheme) != 0
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
		if isNetworkScheme(text[start:i]) {
			return urlAt(text[start:], i+3-start)
		}
		from = i + 3
	}
}

func urlAt(s string, authority int) string {
	if i := strings.IndexAny(s[authority:], urlEnd); i >= 0 {
		s = s[:authority+i]
	}
	if !strings.HasPrefix(s, "http") { // a list of log hosts
		s, _, _ = strings.Cut(s, ",")
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

// Fallback takes out of a record whose text no recognizer knows what can be
// searched for: URL, addresses, peer and account. The words before an address
// say which end of a connection it is; one that stands alone becomes a field.
func Fallback(text string, ev *event.Event) {
	if ev.Class != event.BaseEvent || !recognizeAccess(text, ev) {
		phrases(text, ev)
	}
	settle(ev)
}

// phrases reads the parts of a text that is not known as a whole.
func phrases(text string, ev *event.Event) {
	namedPeer(text, ev)
	if ev.URL == "" {
		fallbackURL(text, ev)
	}
	if i := strings.Index(text, "User "); i >= 0 && ev.Class == event.BaseEvent && strings.Contains(text[i:], " logged ") &&
		userText(text[i+len("User "):], ev) {
		return
	}
	addresses(text, ev)
	if account(text, ev) {
		authentication(text, ev)
	}
	sentence(text, ev)
}

// fetches are what a text says that downloads.
var fetches = [...]string{"ownload", "etching", "etch ", "Getting ", "metadata"}

func fallbackURL(text string, ev *event.Event) {
	url := FindURL(text)
	if url == "" {
		return
	}
	if ev.Class != event.BaseEvent || !strings.HasPrefix(url, "http") || !containsAny(text, fetches[:]) {
		if ev.URL = url; ev.Dst.IsZero() { // else it is not what was connected to
			SetURL(ev, &ev.Dst, url)
		}
		return
	}
	SetDownload(ev, url)
	if containsAny(text, failures[:]) {
		ev.Status = event.StatusFailure
	}
}

// isNamePart says that an address cannot begin behind c: what stands there is
// a name or a version number.
func isNamePart(c byte) bool {
	return c == '.' || c == '_' || c == '-' || c == '/' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
