package vsphere

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
)

// Body is what the components built on VMware's Vmacore library (hostd, vpxa,
// vpxd, rhttpproxy, fdm, VUM ...) write in front of a message's text:
//
//	info hostd[2099153] [Originator@6876 sub=Vimsvc opID=ab-1 user=root] text   since 6.0
//	INFO vpxd 20973 [Originator@4413 sub="vpxLro" opID="ab-1"] text               VCF 9
//	[77381B90 error 'Default' opID=ab-1] text                                   5.x
//	[2012-04-07 17:39:16.938 FFCFEE80 warning 'HostsvcPlugin'] text             4.x
//	[2008-08-26 11:06:16.359 'ha-eventmgr' 20532144 info] text                  3.x
//
// The Originator element looks like RFC 5424 structured data, but its values
// are not quoted and may hold blanks and brackets. ESXi 8 in RFC 5424 format
// sends it quoted, in the place of structured data; ESX 9 changes its number
// from 6876 to 4413.
type Body struct {
	Level  string // "info", "warning", ...; empty: none
	Name   string // the component: "hostd", "-"
	PID    string // process or, up to 6.x, thread id
	Sub    string // subsystem: "Vimsvc.ha-eventmgr", "Vmsvc.vm:/vmfs/volumes/.../x.vmx"
	Item   string
	OpID   string
	SID    string // session id, cut to eight digits by the sender
	User   string // as it stands: "root", "vpxuser:DOMAIN\name"
	Reason string
	Text   string // what follows
}

// ParseBody reads the body of m. It reports false when m is not of this
// grammar.
func ParseBody(m *syslog.Message) (Body, bool) {
	var b Body
	found := b.elements(m.Data) != m.Data
	text := skipTime(skipBlanks(m.Text))
	text, named := b.levelAndName(text)
	rest := b.elements(text)
	switch {
	case rest != text:
		text, found = rest, true
	case named:
		text, found = b.plainBracket(text), true
	case !found:
		text, found = b.legacy(text)
	}
	b.Text = text
	return b, found
}

// skipTime drops a time of the RFC 3339 kind that opens text: old senders
// write "NoneZ" in the header and the true time here.
func skipTime(text string) string {
	if len(text) < 20 || !isDigit(text[0]) {
		return text
	}
	word, rest := Word(text)
	if len(word) >= 19 && strings.IndexByte(word, 'T') >= 0 && strings.IndexByte(word, ':') > 0 {
		return rest
	}
	return text
}

// levelAndName reads "info hostd[2099153] ". It gives text back unchanged
// when it does not begin so.
func (b *Body) levelAndName(text string) (rest string, ok bool) {
	level, rest := Word(text)
	if !isLevel(level) {
		return text, false
	}
	open := strings.IndexByte(rest, '[')
	if open < 0 || open > maxName {
		return text, false
	}
	name := strings.TrimRight(rest[:open], " ")
	if i := strings.IndexByte(name, ' '); i > 0 && b.spacedPID(level, name[:i], name[i+1:], rest[open:]) {
		return rest[open:], true
	}
	if strings.ContainsAny(name, " :=@") {
		return text, false
	}
	if name == "" || strings.HasPrefix(rest[open:], "[Originator@") {
		return text, false
	}
	pid := rest[open+1:]
	end := strings.IndexByte(pid, ']')
	if end < 0 || end > maxName {
		return text, false
	}
	b.Level, b.Name, b.PID = level, name, pid[:end]
	if open > len(name) && !IsHex(b.PID, len(b.PID)) { // "info vlcm [config.go:377]": no pid
		b.PID, b.Sub = "", pid[:end]
	}
	return skipBlanks(pid[end+1:]), true
}

// spacedPID takes what VCF 9 writes: "INFO vpxd 20973 [Originator@4413 ...".
func (b *Body) spacedPID(level, name, pid, rest string) bool {
	if _, ok := ParseUint(pid); !ok || elementName(rest) < 0 {
		return false
	}
	b.Level, b.Name, b.PID = level, name, pid
	return true
}

// maxName bounds the name of a component and the length of its pid.
const maxName = 40

func isLevel(s string) bool {
	switch s {
	case "info", "verbose", "warning", "error", "trivia", "panic", "none", "debug",
		"INFO", "WARN", "WARNING", "ERROR", "DEBUG", "FATAL", "CRITICAL", "TRACE":
		return true
	}
	return false
}

// elements reads all [Name@digits ...] elements that text begins with. It
// gives text back unchanged when there is none.
func (b *Body) elements(text string) (rest string) {
	rest = text
	for range maxElements {
		attrs, after, ok := element(rest)
		if !ok {
			break
		}
		b.attributes(attrs)
		rest = skipBlanks(after)
	}
	return rest
}

// maxElements bounds the elements that are read of one message.
const maxElements = 8

// element cuts one bracketed element with a name ("Originator@6876", "meta")
// off text. It ends at the first bracket that closes what is open; if nothing
// does (a sender that cuts), before the next blank and bracket.
func element(text string) (attrs, rest string, ok bool) {
	if len(text) < 3 || text[0] != '[' {
		return "", text, false
	}
	space := elementName(text)
	if space < 0 {
		return "", text, false
	}
	if end := strings.IndexByte(text, ']'); end > 0 && strings.IndexByte(text[1:end], '[') < 0 && strings.IndexByte(text[:end], '"') < 0 {
		return text[min(space, end):end], text[end+1:], true
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && (quoted || text[i-1] == '='):
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth == 0 {
				return text[min(space, i):i], text[i+1:], true
			}
		}
	}
	if i := strings.Index(text, " ["); i > space {
		return text[space:i], text[i:], true
	}
	return "", text, false
}

const maxElementName = 64

// elementName tells where the name of the element that opens text ends; -1:
// there is no element.
func elementName(text string) int {
	for i := 1; i < len(text) && i < maxElementName; i++ {
		if text[i] == ' ' || text[i] == ']' {
			if isElementName(text[1:i]) {
				return i
			}
			return -1
		}
	}
	return -1
}

// isElementName: "Originator@6876", "esx@4413", "shell.cmd@6876", or "meta",
// which relays add.
func isElementName(s string) bool {
	i := strings.IndexByte(s, '@')
	if i <= 0 {
		return s == "meta"
	}
	_, ok := ParseUint(s[i+1:])
	return ok
}

// attributes reads " key=value key=value". A value goes on until a known key
// follows a blank, so that it may hold blanks and equal signs.
func (b *Body) attributes(s string) {
	for s = skipBlanks(s); s != ""; {
		eq := strings.IndexByte(s, '=')
		if eq < 0 {
			return
		}
		value, rest := cutValue(s[eq+1:])
		b.set(s[:eq], value)
		s = skipBlanks(rest)
	}
}

// maxKey is the length of the longest key that isKey knows.
const maxKey = len("threadName")

func cutValue(s string) (value, rest string) {
	if s != "" && s[0] == '"' {
		return cutQuoted(s[1:])
	}
	for from := 0; ; {
		eq := strings.IndexByte(s[from:], '=')
		if eq < 0 {
			return strings.TrimRight(s, " "), ""
		}
		eq += from
		near := max(0, eq-maxKey-1)
		if space := strings.LastIndexByte(s[near:eq], ' '); space >= 0 && isKey(s[near+space+1:eq]) {
			return strings.TrimRight(s[:near+space], " "), s[near+space+1:]
		}
		from = eq + 1
	}
}

func cutQuoted(s string) (value, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// isKey lists the keys that have been seen in Originator elements.
func isKey(s string) bool {
	switch s {
	case "sub", "item", "req", "opID", "opId", "OpId", "opid", "sid", "user", "reason", "update",
		"comp", "subcomp", "level", "tid", "errorCode", "username", "threadName", "threadId":
		return true
	}
	return false
}

func (b *Body) set(key, value string) {
	switch key {
	case "sub", "subcomp":
		b.Sub = value
	case "opID", "opId", "OpId", "opid":
		b.OpID = value
	case "sid":
		b.SID = value
	case "user", "username":
		b.User = value
	case "item":
		b.Item = value
	case "reason":
		b.Reason = value
	case "level", "priority":
		if b.Level == "" && isLevel(value) {
			b.Level = value
		}
	}
}

// plainBracket reads what stands in the Originator's place in the programs
// written in Python and Go: "[VsanVcObjectHelper::wrapper opID=SWI-22]",
// "[opID=MainThread Main::patch]", "[config.go:377] [opID=x]".
func (b *Body) plainBracket(text string) string {
	for range 2 {
		if text == "" || text[0] != '[' {
			return text
		}
		end := strings.IndexByte(text, ']')
		eq := strings.Index(text[:max(end, 0)], "opI")
		if eq < 0 || eq+5 > end || text[eq+4] != '=' {
			return text
		}
		id, after := Word(text[eq+5 : end])
		b.OpID = id
		if sub := strings.TrimSpace(text[1:eq] + after); sub != "" && (eq == 1 || after == "") {
			b.Sub = sub
		}
		text = strings.TrimLeft(text[end+1:], " ")
	}
	return text
}

// legacy reads the bracket of 3.x to 5.x: time, thread, level and component
// in an order that changed.
func (b *Body) legacy(text string) (rest string, ok bool) {
	if text == "" || text[0] != '[' {
		return text, false
	}
	s := text[1:]
	for {
		s = strings.TrimLeft(s, " ")
		switch {
		case s == "":
			return text, b.reset()
		case s[0] == ']':
			if b.Level == "" || b.Sub == "" {
				return text, b.reset()
			}
			return strings.TrimLeft(s[1:], " "), true
		case s[0] == '\'':
			end := strings.Index(s[1:], "'")
			if end < 0 {
				return text, b.reset()
			}
			b.Sub, s = s[1:end+1], s[end+2:]
		default:
			end := strings.IndexAny(s, " ]")
			if end < 0 || !b.legacyWord(s[:end]) {
				return text, b.reset()
			}
			s = s[end:]
		}
	}
}

// legacyWord takes one word of a legacy bracket; false: the bracket is
// something else.
func (b *Body) legacyWord(w string) bool {
	if isLevel(w) {
		b.Level = w
		return true
	}
	if key, value, ok := strings.Cut(w, "="); ok {
		b.set(key, value)
		return true
	}
	if isHex(w[0]) && strings.Trim(w, "0123456789abcdefABCDEF-:.") == "" {
		if !strings.ContainsAny(w, "-:.") {
			b.PID = w
		}
		return true
	}
	return b.Sub != "" // words behind the component: more of opID
}

// reset forgets what a bracket that turned out to be another thing left.
func (b *Body) reset() bool {
	*b = Body{}
	return false
}

// Describe puts what the body says of itself into ev: fields, user, severity,
// and the text as its message.
func (b *Body) Describe(ev *event.Event) {
	AddIf(ev, FieldSub, b.Sub)
	AddIf(ev, fieldItem, b.Item)
	AddIf(ev, FieldOpID, b.OpID)
	AddIf(ev, FieldSID, b.SID)
	AddIf(ev, FieldReason, b.Reason)
	if b.User != "" {
		ev.User = originatorUser(b.User)
		if ev.User.Name != b.User {
			ev.Add(fieldAccount, b.User)
		}
	}
	if s := levelSeverity(b.Level); s != event.SeverityUnknown {
		ev.Severity = s
	}
	ev.Message = b.Text
}

// originatorUser reads "user=": the account on the host, and, behind a colon,
// the account that vCenter acts for ("vpxuser:DOMAIN\name").
func originatorUser(s string) event.User {
	local, remote, ok := strings.Cut(s, ":")
	if ok && remote != "" && !strings.HasPrefix(remote, "<") &&
		(local == "" || local == "vpxuser" || strings.IndexByte(remote, '\\') >= 0) {
		return ParseUser(remote)
	}
	return ParseUser(local)
}

func levelSeverity(level string) event.Severity {
	switch level {
	case "info", "verbose", "trivia", "debug", "INFO", "DEBUG", "TRACE":
		return event.SeverityInformational
	case "warning", "WARN", "WARNING":
		return event.SeverityMedium
	case "error", "ERROR":
		return event.SeverityHigh
	case "panic", "CRITICAL":
		return event.SeverityCritical
	case "FATAL":
		return event.SeverityFatal
	}
	return event.SeverityUnknown
}

// Process puts who wrote the record into ev.Process: the component, and its
// process id where that is a number.
func (b *Body) Process(m *syslog.Message, ev *event.Event) {
	ev.Process.Name = b.Name
	if b.Name == "" || b.Name == "-" || b.Name == "->" {
		ev.Process.Name = ev.LogName
	}
	pid := b.PID
	if pid == "" {
		pid = m.ProcID
	}
	if n, ok := ParseUint(pid); ok {
		ev.Process.PID = int64(n)
	}
}
