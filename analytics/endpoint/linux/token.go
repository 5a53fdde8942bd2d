package linux

import "strings"

// A character 0x1d parts a record from the values that auditd interpreted
// (log_format=ENRICHED); rsyslog writes it as this.
const enrichedEscaped = "#035"

// tokens reads the "key=value" pairs of a record's body. Words without a value
// are passed over: they stand in Raw.
type tokens struct {
	rest string
	// loose: a filter wrote the record. Its titles and command lines are not
	// coded and have blanks in them.
	loose bool

	key, value string
	quoted     bool // the value stood in quotes, and is not coded
}

// next goes to the next pair.
func (t *tokens) next() bool {
	for {
		t.rest = strings.TrimLeft(t.rest, " \t\r\n,'{}()\x1d")
		if t.rest == "" {
			return false
		}
		n := 0
		for n < len(t.rest) && keyByte(t.rest[n]) {
			n++
		}
		if n > 0 && n < len(t.rest) && t.rest[n] == '=' {
			t.key, t.rest = t.rest[:n], t.rest[n+1:]
			if t.readValue() {
				return true
			}
			continue
		}
		t.skipWord()
	}
}

func (t *tokens) skipWord() {
	end := strings.IndexAny(t.rest, " \t\x1d")
	if end < 0 {
		end = len(t.rest) - 1
	}
	t.rest = t.rest[end+1:]
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '[' || c == ']' || c == '.'
}

// readValue reads a value. What opens with a brace or a single quote holds
// pairs of its own, that come next: it is none.
func (t *tokens) readValue() bool {
	t.value, t.quoted = "", false
	switch {
	case t.rest == "":
	case t.rest[0] == '"':
		t.quoted = true
		end := t.closing(t.rest[1:])
		t.value, t.rest = t.rest[1:1+end], t.rest[min(end+2, len(t.rest)):]
	case t.rest[0] == '\'', t.rest[0] == '{':
		t.rest = t.rest[1:]
		return false
	default:
		t.plain()
	}
	return true
}

// closing is the place of the quote that ends a value: the first. The kernel
// and auditd code a value that has quotes in it; in what others write it is
// one that a blank follows.
func (t *tokens) closing(s string) int {
	first := strings.IndexByte(s, '"')
	if first < 0 {
		return len(s)
	}
	for at := first; t.loose && at+1 < len(s) && s[at+1] != ' '; {
		next := strings.IndexByte(s[at+1:], '"')
		if next < 0 || at+next > first+maxQuoted {
			return first
		}
		at += 1 + next
		if at+1 == len(s) || s[at+1] == ' ' {
			return at
		}
	}
	return first
}

// maxQuoted bounds how far behind a quote another one is looked for.
const maxQuoted = 1024

// plain reads a value without quotes.
func (t *tokens) plain() {
	s := t.rest
	end := -1
	switch {
	case t.loose && (t.key == "proctitle" || t.key == "cmdline"):
		end = strings.LastIndex(s, " redactors=")
	case t.loose && s[0] == '[':
		if end = strings.Index(s, "] "); end >= 0 {
			end++
		}
	default:
		t.bare()
		return
	}
	if end < 0 {
		end = len(s)
	}
	t.value, t.rest = s[:end], s[end:]
}

// bare reads up to a blank, or to what parts the enriched values. It looks at
// each byte once: a record may have as many values as it has room for.
func (t *tokens) bare() {
	s, end := t.rest, 0
	for end < len(s) && strings.IndexByte(" \t\r\n\x1d", s[end]) < 0 && !(s[end] == '#' && !t.loose && strings.HasPrefix(s[end:], enrichedEscaped)) {
		end++
	}
	t.value, t.rest = s[:end], s[end:]
	if !t.loose {
		t.value, t.rest = strings.TrimRight(t.value, "'}"), strings.TrimPrefix(t.rest, enrichedEscaped)
	}
}
