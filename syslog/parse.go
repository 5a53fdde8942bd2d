package syslog

import (
	"strings"
	"time"
	"unicode/utf8"

	syslogparser "github.com/influxdata/go-syslog/v3"
)

// Parser takes the envelope of a record apart. The shapes that ESXi, vCenter
// and NSX send are read by a scanner of its own, without allocation; what is
// plain RFC 5424 or RFC 3164 from anybody else goes through
// influxdata/go-syslog, and falls back to the scanner where that refuses.
//
// The zero Parser is ready. A Parser is for one goroutine at a time.
type Parser struct {
	// Reference gives stamps without a year (RFC 3164, ESX 4) theirs: the
	// year that brings them closest to Reference and not more than a day
	// after it. Usually the time of receipt, or a file's mtime. Zero: such
	// stamps stay unread, Message.Time is zero and TimeText has them.
	Reference time.Time
	// Location is the zone of stamps that name none; nil is UTC.
	Location *time.Location

	rfc5424, rfc3164 syslogparser.Machine // made when first needed
	buf              []byte               // what they read from
}

// Parse reads raw into m. It sets every member but Peer, Received, Ordinal and
// Truncated, which are the caller's (Truncated is only ever switched on, by a
// mark of the sender). All strings of m are parts of raw, except for records
// that went through go-syslog or are JSON objects, whose strings are their own. Parse never
// fails: what cannot be read is Text, and m.Malformed says what is wrong.
func (p *Parser) Parse(raw string, m *Message) {
	*m = Message{Raw: raw, Records: 1, Peer: m.Peer, Received: m.Received, Ordinal: m.Ordinal, Truncated: m.Truncated}
	s := strings.TrimPrefix(trimEnd(raw), bom)
	s = trimBlanks(priority(s, m))
	if !p.object(s, m) {
		p.header(s, m, 0)
	}
	finish(m)
}

// bom is the byte order mark that RFC 5424 puts before a text in UTF-8.
const bom = "\xef\xbb\xbf"

// maxName bounds Host and App, which others keep, in bytes: the HOSTNAME of
// RFC 5424 section 6. What is longer is cut, and whole in Raw.
const maxName = 255

// finish looks at what the header left.
func finish(m *Message) {
	if len(m.Host) > maxName || len(m.App) > maxName {
		m.Host, m.App = m.Host[:min(len(m.Host), maxName)], m.App[:min(len(m.App), maxName)]
		m.flaw(BadHeader)
	}
	m.Text = strings.TrimPrefix(m.Text, bom)
	if m.Malformed == WellFormed {
		switch {
		case m.Text == "" && m.Data == "": // RFC 5424 allows structured data alone
			m.Malformed = Empty
		case !utf8.ValidString(m.Text):
			m.Malformed = BadEncoding
		}
	}
	if m.Data != "" || strings.HasPrefix(m.Text, "[") {
		m.Truncated = m.Truncated || cutBySender(m)
	}
}

// cutBySender looks for the mark that ESXi leaves in the structured data of a
// message longer than Syslog.global.remoteHost.maxMsgLen.
func cutBySender(m *Message) bool {
	const mark, near = "originalLen=", 512
	return strings.Contains(m.Data, mark) || strings.Contains(m.Text[:min(near, len(m.Text))], mark)
}

// priority takes "<PRI>" off s.
func priority(s string, m *Message) string {
	if s == "" || s[0] != '<' {
		return s
	}
	n, i := 0, 1
	for i < len(s) && i < 5 && isDigit(s[i]) {
		n = n*10 + int(s[i]-'0')
		i++
	}
	if i == 1 || i == 5 || i == len(s) || s[i] != '>' {
		m.Malformed = BadPRI
		return s
	}
	if !m.setPriority(n) {
		m.Malformed = BadPRI
	}
	return s[i+1:]
}

// maxPriority is the highest PRI: facility 23, severity 7.
const maxPriority = 191

func (m *Message) setPriority(n int) bool {
	if n > maxPriority {
		return false
	}
	m.Facility, m.Severity, m.HasPRI = uint8(n>>3), uint8(n&7), true
	return true
}

// flaw notes what is wrong, unless something before it already is.
func (m *Message) flaw(f Malformed) {
	if m.Malformed == WellFormed {
		m.Malformed = f
	}
}

// header reads from behind the PRI to the text. depth counts the relays whose
// own headers were before.
func (p *Parser) header(s string, m *Message, depth int) {
	if strings.HasPrefix(s, "1 ") && p.version1(s[2:], m, depth) {
		return
	}
	st, rest := p.stamp(s)
	switch st.kind {
	case stampNone:
		p.undated(s, m)
		return
	case stampInside:
		m.Time, m.TimeText, m.Text = st.time, st.text, s
		return
	case stampBad, stampGUID:
		m.flaw(BadTime)
	}
	m.Time, m.TimeText = st.time, st.text
	if strings.HasPrefix(rest, "| ") { // vmware.log before ESXi 8: "TIME| vmx| I125: text"
		m.App, m.Text = vmProgram, trimBlanks(rest[1:])
		return
	}
	p.sender(trimBlanks(strings.TrimPrefix(rest, ":")), m, depth)
	if st.kind == stampNoneZ {
		p.timeInText(m)
	}
	if st.kind == stampBSD && depth == 0 && m.foreign() {
		p.standard3164(m)
	}
}

// timeInText takes the true time, which vmsyslogd of ESXi 5 and 6 leaves at
// the head of the text when it writes "NoneZ" where the time should be.
func (p *Parser) timeInText(m *Message) {
	st, rest := p.stamp(m.Text)
	if st.kind != stampISO {
		m.flaw(BadTime)
		return
	}
	m.Time, m.TimeText, m.Text = st.time, st.text, trimBlanks(rest)
}

// undated reads a record without a time. With a PRI the sender may still
// stand there; without one it is a piece of a record, or a file's line, and
// only a clear tag is believed.
func (p *Parser) undated(s string, m *Message) {
	m.Text = s
	if m.HasPRI {
		m.flaw(BadHeader)
		if !slope(s, m) {
			p.sender(s, m, 1)
		}
		return
	}
	if strings.HasPrefix(s, "- - ") && header5424(s[4:], m) {
		return
	}
	first, rest := word(s)
	if fileForm(first, rest, s, m) {
		return
	}
	if second, _ := word(rest); isINET(second) {
		m.App = firewallProgram
		return
	}
	if len(first) <= maxBareTag {
		if tagged(first, rest, m) {
			hostTag(first, rest, m)
			return
		}
		if hostLike(first, false) && knownTag(rest) { // a header without its time
			tag, text := word(rest)
			m.Host = first
			tagged(tag, text, m)
		}
	}
}

// maxBareTag bounds a tag that nothing stands before: RFC 3164 allows 32
// characters, "[pid]:" comes on top.
const maxBareTag = 48

// slope reads storageRM's records whose text slipped before the host:
// "datastoreSlopeUS[3]: 12, esx01 storageRM: avg...".
func slope(s string, m *Message) bool {
	if !strings.HasPrefix(s, "datastoreSlope") {
		return false
	}
	i := strings.IndexByte(s, ',')
	if i < 0 {
		return false
	}
	host, rest := word(trimBlanks(s[i+1:]))
	tag, text := word(rest)
	if !tagged(tag, text, m) {
		return false
	}
	m.Host = host
	return true
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isLetter(c byte) bool { return c|0x20-'a' <= 'z'-'a' }

// trimEnd drops what frames leave at the end of a record.
func trimEnd(s string) string {
	for s != "" {
		switch s[len(s)-1] {
		case '\n', '\r', 0:
			s = s[:len(s)-1]
		default:
			return s
		}
	}
	return s
}

func trimBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// word cuts s at its first blank, and the blanks off what follows.
func word(s string) (first, rest string) {
	i := strings.IndexByte(s, ' ')
	if i < 0 {
		return s, ""
	}
	return s[:i], trimBlanks(s[i+1:])
}
