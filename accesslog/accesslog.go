// Package accesslog reads the lines that web servers and HTTP proxies write
// for each request: Squid's own format, and the Common and combined formats. It
// takes a line apart and says nothing of what it means: who looks on, a server
// or a proxy, is for the caller to know. All strings are parts of the line.
package accesslog

import "strings"

// Squid is a line of Squid's own format (squid-cache.org, logformat "squid"):
//
//	1764000000.123    180 10.0.1.15 TCP_MISS/200 5120 GET http://www.example.com/a - HIER_DIRECT/203.0.113.40 text/html
//	1764000000.123   2812 10.0.1.15 TCP_TUNNEL/200 5435 CONNECT www.example.com:443 - HIER_DIRECT/203.0.113.40 -
//	1764000000.123      0 10.0.1.15 TCP_DENIED/403 3900 CONNECT www.example.net:443 jane HIER_NONE/- text/html
type Squid struct {
	Time    string // seconds since 1970, with a fraction: when the request was done
	Elapsed string // milliseconds
	Client  string
	Result  string // TCP_MISS, TCP_TUNNEL, TCP_DENIED ...
	Status  string
	Bytes   string // of the answer, with its header
	Method  string
	URL     string // of CONNECT: host:port
	User    string // "-": none
	Way     string // how it went on: HIER_DIRECT
	Whom    string // and to whom; "-": to nobody
	Type    string // of the answer's content
	Rest    string // what a site adds behind
}

// ParseSquid reads a line; not ok: it is none of that format.
func ParseSquid(s string) (l Squid, ok bool) {
	l.Time, s = word(s)
	l.Elapsed, s = word(s)
	l.Client, s = word(s)
	code, s := word(s)
	l.Bytes, s = word(s)
	l.Method, s = word(s)
	l.URL, s = word(s)
	l.User, s = word(s)
	hierarchy, s := word(s)
	l.Type, l.Rest = word(s)
	var okCode, okWay bool
	l.Result, l.Status, okCode = strings.Cut(code, "/")
	l.Way, l.Whom, okWay = strings.Cut(hierarchy, "/")
	seconds, _, okTime := strings.Cut(l.Time, ".")
	return l, okTime && isNumber(seconds) && isNumber(l.Bytes) && okCode && okWay && l.Method != "" && l.URL != ""
}

// Combined is a line of the Common Log Format, or of the combined one, which
// adds the last two (httpd.apache.org, mod_log_config):
//
//	10.0.0.5 - jane [02/Mar/2024:10:11:12 +0000] "GET /ui/login HTTP/1.1" 302 512 "-" "Mozilla/5.0"
type Combined struct {
	Client, Ident, User     string // "-": none
	Time                    string // TimeLayout
	Method, Target, Version string // Version with "HTTP/" in front
	Status, Bytes           string
	Referer, UserAgent      string
	Rest                    string // what a site adds behind: Squid's "TCP_MISS:HIER_DIRECT"
}

// TimeLayout is how the time of a Combined is written.
const TimeLayout = "02/Jan/2006:15:04:05 -0700"

// ParseCombined reads a line; not ok: it is none of these formats. A line that
// is cut behind the request counts.
func ParseCombined(s string) (l Combined, ok bool) {
	l.Client, s = word(s)
	i := strings.Index(s, `] "`)
	if i < 0 {
		return l, false
	}
	names, when, ok := strings.Cut(s[:i], "[")
	if !ok || !strings.HasSuffix(names, " ") {
		return l, false
	}
	l.Ident, names = word(names)
	l.User, _ = word(names)
	l.Time = when
	line, after, ok := strings.Cut(s[i+len(`] "`):], `" `)
	l.Method, line = word(line)
	l.Target, l.Version = word(line)
	if !ok || !strings.HasPrefix(l.Version, "HTTP/") {
		return l, false
	}
	l.Status, after = word(after)
	l.Bytes, after = word(after)
	l.Referer, after = quoted(after)
	l.UserAgent, after = quoted(after)
	l.Rest = skipBlanks(after)
	return l, true
}

// quoted takes a text in quotes off the front of s; without quotes there is
// none. A quote within, with a backslash in front, does not end it.
func quoted(s string) (text, rest string) {
	s = skipBlanks(s)
	if !strings.HasPrefix(s, `"`) {
		return "", s
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:]
		}
	}
	return s[1:], ""
}

func word(s string) (word, rest string) {
	s = skipBlanks(s)
	for i := range len(s) {
		if isBlank(s[i]) {
			return s[:i], skipBlanks(s[i:])
		}
	}
	return s, ""
}

func skipBlanks(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	return s
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isNumber(s string) bool {
	if s == "" || len(s) > 18 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
