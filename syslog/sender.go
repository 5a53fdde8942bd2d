package syslog

import "strings"

// sender reads who wrote the record (HOSTNAME and TAG of RFC 3164, in ESXi's
// many ways) and sets Text to what follows. s stands behind the time.
func (p *Parser) sender(s string, m *Message, depth int) {
	m.Text = s
	first, rest := word(s)
	if second, after := word(rest); first == "-" && p.named(second, after, rest, m) { // HOSTNAME is nil
		return
	}
	if first == "" || textOpens(s) {
		scriptTag(s, m)
		return
	}
	if fileForm(first, rest, s, m) || tagged(first, rest, m) {
		hostTag(first, rest, m)
		return
	}
	second, after := word(rest)
	if isINET(second) { // the firewall's own file: "b6507827 INET match PASS ..."
		m.App = firewallProgram
		return
	}
	switch {
	case hostLike(first, true) && p.named(second, after, rest, m):
		m.Host = first
	case depth == 0 && p.relayed(first, rest, m):
	case hostLike(second, false) && knownTag(after) && hostLike(first, false): // a relay, and then the sender
		tag, text := word(after)
		m.Host = second
		tagged(tag, text, m)
	case hostLike(first, false) && (m.HasPRI || strings.IndexByte(first, '.') > 0) && rest != "":
		m.Host, m.Text = first, rest
	}
}

// knownTag says that s opens with the tag of a program that knownProgram
// knows: no other word is believed where a tag is not sure to stand.
func knownTag(s string) bool {
	tag, _ := word(s)
	tag, ok := strings.CutSuffix(tag, ":")
	tag, _, _ = strings.Cut(tag, "[")
	return ok && knownProgram(tag)
}

// hostTag reads "host.domain: Hostd: text", where the host was taken for the
// tag.
func hostTag(first, rest string, m *Message) {
	if m.Host != "" || strings.IndexByte(first, '.') < 0 || !knownTag(rest) {
		return
	}
	tag, text := word(rest)
	m.Host = first[:len(first)-1]
	tagged(tag, text, m)
}

// scriptTag reads "[/etc/init.d/vvold[1234]: text]", as the host's scripts
// write it: all of it is text, which says who wrote it.
func scriptTag(s string, m *Message) {
	if !strings.HasPrefix(s, "[/") {
		return
	}
	tag, _ := word(s[1:])
	if tag, ok := strings.CutSuffix(tag, ":"); ok {
		bracketed(tag, m)
	}
}

// Programs of files whose lines do not name their program.
const (
	firewallProgram = "dfwpktlogs"
	kernelProgram   = "vmkernel"
	vmProgram       = "vmx"
)

// textOpens says that s is text from its start: no host or tag looks so.
func textOpens(s string) bool {
	switch s[0] {
	case '[', '(', '"', '\'':
		return true
	case '{':
		return !strings.HasPrefix(s, "{{")
	case '-':
		return len(s) == 1 || s[1] == ' ' || strings.HasPrefix(s, "-->")
	}
	return false
}

// fileForm reads lines as ESXi and vCenter write them to their own files:
// without a host, and each program in its way.
func fileForm(first, rest, s string, m *Message) bool {
	switch {
	case len(first) > 4 && first[2] == '(':
		return severityForm(first, rest, m)
	case strings.HasPrefix(first, "cpu") && isCPU(s):
		m.App = kernelProgram
		return true
	case isINET(first):
		m.App = firewallProgram
		return true
	case len(first) > 1 && first[len(first)-1] == '|' && isProgram(first[:len(first)-1]): // vmware.log before ESXi 5: "vcpu-0| text"
		m.App = vmProgram
		return true
	}
	return leveled(first, rest, s, m)
}

func isINET(w string) bool { return w == "INET" || w == "INET6" }

// isCPU knows the kernel's "cpu12:2097677)" and "cpu12:2097677 opID=..)".
func isCPU(s string) bool {
	i := len("cpu")
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == len("cpu") || i >= len(s) || s[i] != ':' {
		return false
	}
	j := i + 1
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	return j > i+1 && j < len(s) && (s[j] == ')' || strings.HasPrefix(s[j:], " opID="))
}

// severityForm reads ESXi 8's "In(166) Hostd[2098867]: ..." where 166 is the
// PRI; vmware.log's "In(05) vmx - ..." has a level there. A "+", also in
// brackets, marks the further lines of a submission.
func severityForm(first, rest string, m *Message) bool {
	end := strings.IndexByte(first, ')')
	if end < 0 || !severityName(first[:2]) {
		return false
	}
	pri, ok := decimal(first[3:end])
	mark := first[end+1:]
	if !ok || mark != "" && mark != "+" && mark != "[+]" {
		return false
	}
	m.Text, m.Continues = rest, mark != ""
	tag, text := word(rest)
	named := tagged(tag, text, m)
	if !named && bracketed(tag, m) {
		named, m.Text = true, text
	}
	if first[3] == '0' && end > 4 {
		if !named {
			m.App = vmProgram
		}
		return true
	}
	if !m.setPriority(pri) {
		m.flaw(BadPRI)
	}
	return true
}

func severityName(s string) bool {
	switch s {
	case "Em", "Al", "Cr", "Er", "Wa", "No", "In", "Db":
		return true
	}
	return false
}

// decimal reads a short number.
func decimal(s string) (int, bool) {
	if s == "" || len(s) > 4 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// leveled reads "info hostd[2099153] [Originator@6876 ...] ...", which opens
// the lines of the files of hostd, vpxa, vpxd and their kin. The level stays
// in Text, where it also is when a tag comes before it.
func leveled(first, rest, s string, m *Message) bool {
	if !isLevel(first) {
		return false
	}
	name, after := word(rest)
	if open := strings.IndexByte(name, '['); open > 0 && (open == len(name)-1 || name[open+1] != '[') {
		end := strings.IndexByte(name, ']')
		if end < open+2 {
			return false
		}
		m.App, m.ProcID = name[:open], name[open+1:end]
		if m.App == "-" {
			m.App = ""
		}
		m.Text = s
		return true
	}
	pid, tail := word(after)
	switch {
	case !isProgram(name):
		m.Text = s
		return true
	case strings.HasPrefix(after, "["): // "info vlcm [file.go:377] ..."
		m.App = name
	case allDigits(pid) && strings.HasPrefix(tail, "["): // "INFO vpxd 20973 [Originator@4413 ...] ..."
		m.App, m.ProcID = name, pid
	}
	m.Text = s
	return true
}

func isLevel(s string) bool {
	switch s {
	case "info", "verbose", "warning", "error", "trivia", "panic", "debug", "warn", "critical", "fatal",
		"INFO", "VERBOSE", "WARNING", "ERROR", "TRIVIA", "PANIC", "DEBUG", "WARN", "CRITICAL", "FATAL", "TRACE":
		return true
	}
	return false
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// named reads the program behind a host, in any of the ways that one follows.
func (p *Parser) named(second, after, rest string, m *Message) bool {
	if tagged(second, after, m) || fieldsWithoutVersion(rest, m) {
		return true
	}
	third, text := word(after)
	switch {
	case third == ":" && isProgram(second): // "backup.sh.2101 : Locking esx.conf"
		m.App, m.Text = second, text
	case strings.HasPrefix(text, "-->") && isProgram(second) && tagged(third, text, m): // "vmkwarning Hostd: --> ..."
	case isLevel(second) && leveled(second, after, rest, m) && m.App != "":
	case m.HasPRI && bracketed(second, m): // "sshd[123] Accepted ..."
		m.Text = after
	case strings.HasPrefix(after, "cpu") && isCPU(after) && isProgram(second): // "vmkernel cpu3:2097)..."
		m.App, m.Text = second, after
	case strings.HasPrefix(second, "cpu") && isCPU(rest):
		m.App, m.Text = kernelProgram, rest
	default:
		return gluedTag(rest, m)
	}
	return true
}

// gluedTag reads "sshd[123]:Accepted ...", and "Hostd:info ..." of a program
// that is known.
func gluedTag(s string, m *Message) bool {
	if i := strings.IndexByte(s, ':'); i > 0 && i+1 < len(s) && knownProgram(s[:i]) {
		m.App, m.Text = s[:i], s[i+1:]
		return true
	}
	i := strings.Index(s, "]:")
	if i < 0 || i > maxBareTag || !bracketed(s[:i+1], m) {
		return false
	}
	m.Text = s[i+2:]
	return true
}

// tagged reads w as "program:" or "program[pid]:" and takes text for what it
// says.
func tagged(w, text string, m *Message) bool {
	if len(w) < 2 || w[len(w)-1] != ':' {
		return false
	}
	w = w[:len(w)-1]
	if !bracketed(w, m) {
		if !isProgram(w) {
			return false
		}
		m.App = w
	}
	m.Text = text
	if m.App == kernelProgram {
		m.Text = skipUptime(text)
	}
	return true
}

// bracketed reads w as "program[pid]".
func bracketed(w string, m *Message) bool {
	if len(w) < 4 || w[len(w)-1] != ']' {
		return false
	}
	open := strings.IndexByte(w, '[')
	if open < 1 || open == len(w)-2 || !isProgram(w[:open]) || strings.IndexByte(w[open+1:len(w)-1], '[') >= 0 {
		return false
	}
	m.App, m.ProcID = w[:open], w[open+1:len(w)-1]
	return true
}

// isProgram says that w can name a program or a script.
func isProgram(w string) bool {
	if w == "" || !isLetter(w[0]) && w[0] != '/' && w[0] != '_' && w[0] != '.' {
		return false
	}
	for i := 1; i < len(w); i++ {
		switch c := w[i]; {
		case isLetter(c), isDigit(c), c == '-', c == '_', c == '.', c == '/', c == '+', c == '@':
		default:
			return false
		}
	}
	return true
}

// hostLike says that w can be a host's name or address; with loose, also what
// people put in its place when they publish a record: "<HOST>", "{{host-1}}".
func hostLike(w string, loose bool) bool {
	if w == "" || w[len(w)-1] == ':' && !strings.HasSuffix(w, "::") {
		return false
	}
	seen := false
	for i := range len(w) {
		switch c := w[i]; {
		case isLetter(c), isDigit(c), c >= 0x80:
			seen = true
		case c == '.', c == '-', c == '_', c == ':', c == '%':
		case loose && (c == '<' || c == '>' || c == '{' || c == '}' || c == '*' || c == '$'):
		default:
			return false
		}
	}
	return seen
}

// relayed reads the record's own header behind the one that a relay put
// before it ("Jun 29 10:54:02 relay 1 2026-06-29T... host app ..."): the inner
// one is the sender's.
func (p *Parser) relayed(relay, s string, m *Message) bool {
	if len(s) < 14 || s[0] != '<' && !isDigit(s[0]) && monthOf(s[:3]) == 0 {
		return false
	}
	inner := Message{Facility: m.Facility, Severity: m.Severity, HasPRI: m.HasPRI}
	rest := priority(s, &inner)
	if inner.Malformed != WellFormed {
		return false
	}
	p.header(trimBlanks(rest), &inner, 1)
	if inner.TimeText == "" || inner.Host == "" && inner.App == "" {
		return false
	}
	if inner.Host == "" {
		inner.Host = relay
	}
	inner.Raw, inner.Records, inner.Malformed = m.Raw, m.Records, max(m.Malformed, inner.Malformed)
	inner.Peer, inner.Received, inner.Ordinal, inner.Truncated = m.Peer, m.Received, m.Ordinal, m.Truncated
	*m = inner
	return true
}

// skipUptime drops ESX 3 and 4's second time, the kernel's uptime
// "7:21:06:14.107 ", which stands before "cpu".
func skipUptime(s string) string {
	if s == "" || !isDigit(s[0]) {
		return s
	}
	up, rest := word(s)
	if strings.Count(up, ":") != 3 || !strings.HasPrefix(rest, "cpu") {
		return s
	}
	return rest
}
