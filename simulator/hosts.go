package simulator

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sender is one machine that sends syslog.
type Sender struct {
	Name    string // the HOSTNAME in its lines
	Network string // "udp", "tcp" or "tls": how Play sends its lines
	// OctetCounted is the framing on a stream (RFC 6587); otherwise each line
	// ends in LF.
	OctetCounted bool

	style style
}

// style is how a sender writes the header of a line.
type style uint8

const (
	styleESX7    style = iota // <PRI>TIME HOST Hostd: info hostd[PID] [Originator@6876 ..] ..
	styleESX8                 // <PRI>TIME HOST Hostd[PID]: [Originator@6876 ..] ..
	styleESX8RFC              // <PRI>1 TIME HOST Hostd PID - [Originator@6876 k="v"] ..
	styleESX9                 // <PRI>1 TIME HOST Hostd PID - [esx@4413 k="v"] ..
	styleVCSA                 // <PRI>1 TIME+00:00 HOST vpxd PID - -  ..
	styleSyslog               // <PRI>TIME+00:00 HOST dnsmasq[PID]: ..
)

// Time layouts of the senders; each has one width, so that Load can write a
// new time over an old one.
const (
	millis = "2006-01-02T15:04:05.000Z"
	micros = "2006-01-02T15:04:05.000000-07:00"
)

func (st style) layout() string {
	if st >= styleVCSA {
		return micros
	}
	return millis
}

// message is a line before a sender has put its header to it.
type message struct {
	pri   int
	prog  string // the tag: "Hostd"
	inner string // the program as ESXi 7 repeats it in the body: "hostd"; empty: it does not
	pid   int    // 0: the tag has none
	level string // of programs with inner
	sub   string // the Originator element's; empty with opID: no element
	opID  string
	user  string
	msgID string // RFC 5424 styles; empty: "-"
	sd    string // structured data written as it is, in place of the Originator element
	plain bool   // no structured data in any style
	text  string
	more  []string // further lines of the text, each sent as a record "--> .."
}

// records are the lines that s sends for m, the first with m's header.
func (s *Sender) records(at time.Time, m message) []string {
	out := []string{s.line(at, m)}
	for _, more := range m.more {
		out = append(out, s.line(at, message{
			pri: m.pri, prog: m.prog, pid: m.continuedBy(s.style), plain: true, text: "--> " + more,
		}))
	}
	return out
}

// continuedBy is the pid in the header of a continuation: ESXi 7 has none in
// any header.
func (m *message) continuedBy(st style) int {
	if st == styleESX7 {
		return 0
	}
	return m.pid
}

func (s *Sender) line(at time.Time, m message) string {
	var b strings.Builder
	at = at.UTC()
	switch s.style {
	case styleESX7, styleESX8, styleSyslog:
		fmt.Fprintf(&b, "<%d>%s %s %s%s: ", m.pri, at.Format(s.style.layout()), s.Name, m.prog, s.tagPID(m))
	default:
		fmt.Fprintf(&b, "<%d>1 %s %s %s %s %s ", m.pri, at.Format(s.style.layout()), s.Name, m.prog,
			orDash(m.pid), cmp.Or(m.msgID, "-"))
	}
	s.body(&b, m)
	return b.String()
}

// tagPID is "[pid]", which ESXi 7 leaves to the body of the programs that
// repeat themselves there.
func (s *Sender) tagPID(m message) string {
	if m.pid == 0 || s.style == styleESX7 && m.inner != "" {
		return ""
	}
	return "[" + strconv.Itoa(m.pid) + "]"
}

func orDash(pid int) string {
	if pid == 0 {
		return "-"
	}
	return strconv.Itoa(pid)
}

func (s *Sender) body(b *strings.Builder, m message) {
	switch s.style {
	case styleESX7:
		if m.inner != "" {
			fmt.Fprintf(b, "%s %s[%d] ", m.level, m.inner, m.pid)
		}
		originator(b, m)
	case styleESX8:
		originator(b, m)
	case styleESX8RFC:
		m.plain = m.plain || m.inner == "" // only hostd and its like have one
		element(b, originatorName, m)
	case styleESX9:
		element(b, "esx@4413", m)
	case styleVCSA:
		b.WriteString("-  ") // two spaces: the message itself begins with one
	}
	b.WriteString(m.text)
}

// originatorName is the element's name up to ESXi 8.
const originatorName = "Originator@6876"

// originator is ESXi's own element: no RFC 5424 structured data, as nothing in
// it is quoted.
func originator(b *strings.Builder, m message) {
	if m.sd != "" {
		given(b, m)
	}
	if m.sub == "" {
		return
	}
	b.WriteString("[" + originatorName + " sub=" + m.sub)
	if m.opID != "" {
		b.WriteString(" opID=" + m.opID)
	}
	if m.user != "" {
		b.WriteString(" user=" + m.user)
	}
	b.WriteString("] ")
}

func given(b *strings.Builder, m message) {
	b.WriteString(m.sd)
	if m.text != "" {
		b.WriteByte(' ')
	}
}

func element(b *strings.Builder, name string, m message) {
	switch {
	case m.sd != "":
		given(b, m)
		return
	case m.plain:
		b.WriteString("- ")
		return
	}
	b.WriteString("[" + name)
	for _, kv := range [...][2]string{{"sub", m.sub}, {"opID", m.opID}, {"user", m.user}} {
		if kv[1] != "" {
			fmt.Fprintf(b, ` %s="%s"`, kv[0], escapeParam(kv[1]))
		}
	}
	if name == originatorName {
		fmt.Fprintf(b, ` priority="%s" facility="local4"`, m.level)
	}
	b.WriteString("] ")
}

// escapeParam escapes a parameter's value as RFC 5424 section 6.3.3 says.
func escapeParam(v string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(v)
}

// hostSender is how the host at place i in the estate sends: every transport,
// framing and release has its host.
func hostSender(i int, h *Host) Sender {
	ways := [...]Sender{
		{Network: "udp", style: styleESX7},
		{Network: "tcp", style: styleESX7},
		{Network: "tcp", OctetCounted: true, style: styleESX8RFC},
		{Network: "tls", style: styleESX8},
		{Network: "tcp", OctetCounted: true, style: styleESX9},
		{Network: "tls", OctetCounted: true, style: styleESX9},
	}
	s := ways[i%len(ways)]
	s.Name = h.Name
	return s
}
