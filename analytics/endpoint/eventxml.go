package endpoint

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotXML says that a record is no XML document of the event log's form.
var ErrNotXML = errors.New("record is not one XML event")

// EventXML reads an event of the Windows event log, or of Sysmon for Linux, as
// XML (the Event schema of
// https://learn.microsoft.com/windows/win32/wes/eventschema-schema), or its
// EventData alone. It gives tell each value, in order, under the name that an
// event log's readers know: a datum by its Name (key alone: element is empty),
// System's and other elements by their own ("", "Channel"), attributes with
// their element ("Provider", "Name"). Names of namespaces are left out.
//
// What was told before an error does not count. Strings are parts of text
// where they have no entities. Documents with a DOCTYPE are refused.
func EventXML(text string, tell func(element, key, value string)) error {
	if len(text) > MaxRecord {
		return ErrTooLong
	}
	r := xmlReader{text: text, tell: tell}
	for r.at < len(text) {
		if err := r.next(); err != nil {
			return err
		}
	}
	if r.depth != 0 || !r.rooted {
		return ErrNotXML
	}
	return nil
}

// xmlReader reads one document. Only what the event log writes is known of
// XML: elements, attributes, text, entities, CDATA, comments.
type xmlReader struct {
	text   string
	at     int
	tell   func(element, key, value string)
	open   [MaxDepth]xmlElement
	depth  int
	rooted bool // there was an element
}

// xmlElement is an element that is open.
type xmlElement struct {
	name    string
	datum   string // its Name, where that names its text
	content int    // where its content begins
	parent  bool   // has elements in it, or attributes that say it all
}

// next reads up to the end of the next tag.
func (r *xmlReader) next() error {
	open := strings.IndexByte(r.text[r.at:], '<')
	between := r.text[r.at:]
	if open >= 0 {
		between = between[:open]
	}
	if r.depth == 0 && strings.Trim(between, " \t\r\n\uFEFF") != "" {
		return ErrNotXML
	}
	if open < 0 {
		r.at = len(r.text)
		return nil
	}
	r.at += open
	rest := r.text[r.at:]
	switch {
	case strings.HasPrefix(rest, "</"):
		return r.end()
	case strings.HasPrefix(rest, "<?"):
		return r.skip("?>")
	case strings.HasPrefix(rest, "<!--"):
		return r.skip("-->")
	case strings.HasPrefix(rest, cdata):
		return r.skip("]]>")
	case strings.HasPrefix(rest, "<!"):
		return ErrNotXML
	}
	return r.start()
}

const cdata = "<![CDATA["

func (r *xmlReader) skip(end string) error {
	n := strings.Index(r.text[r.at:], end)
	if n < 0 {
		return ErrNotXML
	}
	r.at += n + len(end)
	return nil
}

// start reads a start tag with its attributes.
func (r *xmlReader) start() error {
	if r.depth == 0 && r.rooted {
		return ErrNotXML
	}
	if r.depth == MaxDepth {
		return ErrTooDeep
	}
	r.at++
	e := xmlElement{name: r.word()}
	if e.name == "" {
		return ErrNotXML
	}
	r.rooted = true
	if r.depth > 0 {
		r.open[r.depth-1].parent = true
	}
	for {
		r.blanks()
		switch rest := r.text[r.at:]; {
		case strings.HasPrefix(rest, ">"):
			r.at++
			e.content = r.at
			r.open[r.depth] = e
			r.depth++
			return nil
		case strings.HasPrefix(rest, "/>"):
			r.leaf(&e, "")
			r.at += 2
			return nil
		}
		if err := r.attribute(&e); err != nil {
			return err
		}
	}
}

func (r *xmlReader) attribute(e *xmlElement) error {
	key := r.word()
	r.blanks()
	if key == "" || !strings.HasPrefix(r.text[r.at:], "=") {
		return ErrNotXML
	}
	r.at++
	r.blanks()
	if r.at == len(r.text) || r.text[r.at] != '"' && r.text[r.at] != '\'' {
		return ErrNotXML
	}
	n := strings.IndexByte(r.text[r.at+1:], r.text[r.at])
	if n < 0 {
		return ErrNotXML
	}
	value := unescapeXML(r.text[r.at+1 : r.at+1+n])
	r.at += n + 2
	switch {
	case key == "Name" && namesData(e.name):
		e.datum = value
	case key == "xmlns", strings.HasPrefix(key, "xmlns:"):
	default:
		r.tell(e.name, key, value)
		e.parent = true
	}
	return nil
}

// namesData says that an element's Name is that of the text in it.
func namesData(element string) bool { return element == "Data" || element == "ComplexData" }

// end reads an end tag, and tells what is in an element that has no others.
func (r *xmlReader) end() error {
	if r.depth == 0 {
		return ErrNotXML
	}
	before := r.at
	r.at += len("</")
	name := r.word()
	r.blanks()
	r.depth--
	e := &r.open[r.depth]
	if name != e.name || !strings.HasPrefix(r.text[r.at:], ">") {
		return ErrNotXML
	}
	r.at++
	r.leaf(e, r.text[e.content:before])
	return nil
}

// leaf tells the text of an element. Without any it is nothing, but a datum
// that is empty.
func (r *xmlReader) leaf(e *xmlElement, text string) {
	switch {
	case e.datum != "":
		r.tell("", e.datum, unescapeXML(text))
	case e.parent && strings.TrimSpace(text) == "", text == "" && !namesData(e.name), e.parent && strings.IndexByte(text, '<') >= 0:
	default:
		r.tell("", e.name, unescapeXML(text))
	}
}

func (r *xmlReader) blanks() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// word reads the name of an element or an attribute.
func (r *xmlReader) word() string {
	from := r.at
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n<>/='\"&", r.text[r.at]) < 0 {
		r.at++
	}
	return r.text[from:r.at]
}

// unescapeXML is s with entities, CDATA and comments made plain. An entity
// that XML does not have by itself stays as it is.
func unescapeXML(s string) string {
	i := strings.IndexAny(s, "&<")
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i >= 0 {
		b.WriteString(s[:i])
		s = s[i:]
		switch {
		case strings.HasPrefix(s, cdata):
			var inner string
			inner, s, _ = strings.Cut(s[len(cdata):], "]]>")
			b.WriteString(inner)
		case strings.HasPrefix(s, "<!--"):
			_, s, _ = strings.Cut(s, "-->")
		default:
			n, plain := entity(s)
			b.WriteString(plain)
			s = s[n:]
		}
		i = strings.IndexAny(s, "&<")
	}
	b.WriteString(s)
	return b.String()
}

// maxEntity is the longest entity: &#1114111;
const maxEntity = len("&#1114111;")

// entity reads the entity that s begins with, and gives its length and what it
// stands for; else the first byte as it is.
func entity(s string) (n int, plain string) {
	n = strings.IndexByte(s[:min(len(s), maxEntity)], ';') + 1
	if s[0] != '&' || n < len("&x;") {
		return 1, s[:1]
	}
	switch name := s[1 : n-1]; name {
	case "lt":
		return n, "<"
	case "gt":
		return n, ">"
	case "amp":
		return n, "&"
	case "quot":
		return n, `"`
	case "apos":
		return n, "'"
	default:
		if char, ok := numbered(name); ok {
			return n, char
		}
	}
	return 1, s[:1]
}

// numbered reads the inside of a numeric entity: "#10" or "#xA".
func numbered(name string) (string, bool) {
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(strings.ToLower(digits), "x"); isHex {
		digits, base = hex, 16
	}
	code, err := strconv.ParseUint(digits, base, 32)
	if !ok || err != nil || code > utf8.MaxRune {
		return "", false
	}
	return string(rune(code)), true
}
