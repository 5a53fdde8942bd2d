package export

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vegress/vegress/analytics/sigma"
)

// extent is how much of a field's value a value of the rule stands for.
type extent uint8

const (
	whole    extent = iota
	start           // value*
	end             // *value
	inside          // *value*
	anything        // *
	glob            // wildcards elsewhere
)

// value is one value of a rule.
type value struct {
	extent extent
	text   string        // but of anything and glob
	pieces sigma.Pattern // all of it
	cased  bool
	dashes bool // all dashes in it are alike, and it has some
}

func newValue(p sigma.Pattern, cased, windash bool) value {
	v := value{extent: glob, pieces: p, cased: cased}
	text := func(i int) bool { return p[i].Kind == sigma.PieceText }
	many := func(i int) bool { return p[i].Kind == sigma.PieceMany }
	switch n := len(p); {
	case n == 0:
		v.extent = whole
	case n == 1 && text(0):
		v.extent, v.text = whole, p[0].Text
	case n == 1 && many(0):
		v.extent = anything
	case n == 2 && text(0) && many(1):
		v.extent, v.text = start, p[0].Text
	case n == 2 && many(0) && text(1):
		v.extent, v.text = end, p[1].Text
	case n == 3 && many(0) && text(1) && many(2):
		v.extent, v.text = inside, p[1].Text
	}
	for _, piece := range p {
		v.dashes = v.dashes || windash && strings.ContainsAny(piece.Text, dashes)
	}
	return v
}

// dashes are those that windash makes alike.
const dashes = "-/–—―"

// plain is a value that stands for all of a field's value.
func plain(text string, cased bool) value {
	return value{text: text, pieces: sigma.Pattern{{Text: text}}, cased: cased}
}

// literals joins the literal parts of a value, to look at their characters.
func (v *value) literals() string {
	var all strings.Builder
	for _, piece := range v.pieces {
		all.WriteString(piece.Text)
	}
	return all.String()
}

// spellings gives v with every dash in place of its one dash, or nil when it
// has several: they are left to a regular expression.
func (v *value) spellings() []value {
	all := v.literals()
	count := 0
	for _, dash := range dashes {
		count += strings.Count(all, string(dash))
	}
	if count != 1 {
		return nil
	}
	var spelled []value
	for _, dash := range dashes {
		pieces := make(sigma.Pattern, len(v.pieces))
		for i, piece := range v.pieces {
			piece.Text = strings.Map(func(r rune) rune {
				if strings.ContainsRune(dashes, r) {
					return dash
				}
				return r
			}, piece.Text)
			pieces[i] = piece
		}
		spelled = append(spelled, newValue(pieces, v.cased, false))
	}
	return spelled
}

// printable says that text can stand in a literal of any language as it is,
// quotes and backslashes aside.
func printable(text string) bool {
	return strings.IndexFunc(text, unicode.IsControl) < 0
}

// readable says that text is text: UTF-8 without NUL.
func readable(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// foldsInASCII says that only letters of ASCII in text have another case.
func foldsInASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf && unicode.SimpleFold(r) != r }) < 0
}

// escape puts a backslash before each of these characters.
func escape(text, special string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wildcards writes a value whose language has "*", and "?" unless one is
// empty; literal writes the text between them.
func (v *value) wildcards(many, one string, literal func(string) string) string {
	var b strings.Builder
	for _, piece := range v.pieces {
		switch piece.Kind {
		case sigma.PieceMany:
			b.WriteString(many)
		case sigma.PieceOne:
			b.WriteString(one)
		default:
			b.WriteString(literal(piece.Text))
		}
	}
	return b.String()
}

// holdsFor says whether v is like a text that is known.
func (v *value) holdsFor(text string) (holds, known bool) {
	own := v.text
	if !v.cased {
		own, text = strings.ToLower(own), strings.ToLower(text)
	}
	switch v.extent {
	case whole:
		return own == text, true
	case start:
		return strings.HasPrefix(text, own), true
	case end:
		return strings.HasSuffix(text, own), true
	case inside:
		return strings.Contains(text, own), true
	case anything:
		return true, true
	}
	return false, false
}
