package syslog

import "strings"

// version1 reads what stands behind "<PRI>1 ".
func (p *Parser) version1(s string, m *Message, depth int) bool {
	rest := ""
	if strings.HasPrefix(s, "- ") {
		rest = s[2:]
	} else {
		st, after := p.stamp(s)
		if st.kind == stampNone || st.kind == stampInside {
			return false
		}
		if st.kind == stampBad || st.kind == stampGUID {
			m.flaw(BadTime)
		}
		m.Time, m.TimeText, rest = st.time, st.text, trimBlanks(after)
	}
	host, rest := word(rest)
	if host != "-" {
		m.Host = host
	}
	app, after := word(rest)
	switch {
	case rest == "":
		m.flaw(BadHeader)
	case tagged(app, after, m): // ESXi's RFC 3164 text behind a relay's header
	case header5424(rest, m):
		switch {
		case depth > 0:
		case m.App == "" && p.relayed(m.Host, m.Text, m): // a relay put all of the record into its own
		case m.foreign():
			p.standard5424(m)
		}
	default:
		m.flaw(BadHeader)
		broken5424(rest, m)
	}
	return true
}

// header5424 reads APP-NAME PROCID MSGID STRUCTURED-DATA and the text.
func header5424(s string, m *Message) bool {
	app, rest := word(s)
	procID, rest := word(rest)
	msgID, rest := word(rest)
	if msgID == "" || strings.IndexByte(app, '[') >= 0 {
		return false
	}
	n := structuredData(rest)
	if n == 0 {
		return false
	}
	if rest[0] == '[' {
		m.Data = rest[:n]
	}
	m.App, m.ProcID, m.MsgID = nilValue(app), nilValue(procID), nilValue(msgID)
	m.Text = trimBlanks(rest[n:])
	return true
}

func nilValue(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// broken5424 takes what it can of a header without STRUCTURED-DATA.
func broken5424(s string, m *Message) {
	app, afterApp := word(s)
	procID, rest := word(afterApp)
	msgID, text := word(rest)
	m.App, m.Text = nilValue(app), afterApp
	if procID == "-" || msgID == "-" || allDigits(procID) {
		m.ProcID, m.MsgID, m.Text = nilValue(procID), nilValue(msgID), text
	}
}

// fieldsWithoutVersion reads RFC 5424's fields where the record has no version
// before its time: ESX 9 and the firewall's log on the wire
// ("vobd 2097451 - [esx@4413 ...] text", "FIREWALL-PKTLOG - - - INET ...").
func fieldsWithoutVersion(s string, m *Message) bool {
	app, rest := word(s)
	if !isProgram(app) {
		return false
	}
	procID, rest := word(rest)
	if procID != "-" && !allDigits(procID) {
		return false
	}
	msgID, rest := word(rest)
	if msgID != "-" && (!strings.HasPrefix(rest, "[") || !isProgram(msgID)) {
		return false
	}
	return header5424(s, m)
}

// structuredData gives the length of the STRUCTURED-DATA that s opens with: a
// "-", or elements as RFC 5424 or ESXi's Originator writes them; 0: none.
// Elements may follow each other, but "[VpxLRO]" behind one is text.
func structuredData(s string) int {
	if s == "-" || strings.HasPrefix(s, "- ") {
		return 1
	}
	n := 0
	for n < len(s) && s[n] == '[' {
		e := element(s[n:])
		if e == 0 || !hasName(s[n:n+e]) {
			break
		}
		n += e
	}
	return n
}

// element gives the length of the bracketed element that s opens with. Values
// may be quoted, where brackets do not count and a backslash hides one
// character, or bare, where brackets come in pairs.
func element(s string) int {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && (quoted || s[i-1] == '='):
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// hasName says that an element is structured data and not text in brackets:
// its name has an enterprise number, or parameters follow it.
func hasName(e string) bool {
	name, params := word(e[1 : len(e)-1])
	if at := strings.IndexByte(name, '@'); at > 0 && at+1 < len(name) && isDigit(name[at+1]) {
		return true
	}
	eq := strings.IndexByte(params, '=')
	return eq > 0 && eq+1 < len(params) && params[eq+1] == '"' && isProgram(name) && isProgram(params[:eq])
}
