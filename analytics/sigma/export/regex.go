package export

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"

	"github.com/vegress/vegress/analytics/sigma"
)

// regex is a regular expression for a query. Its body is in the syntax that
// RE2, PCRE, Java and Rust share, or in Lucene's.
type regex struct {
	body   string
	fold   bool // without regard to case; for Lucene: the field is in lower case
	dotAll bool // "." is a line's end, too
	lines  bool // "^" and "$" are the ends of lines
}

// flags gives the letters of the flags that are set.
func (r *regex) flags(fold, dotAll, lines string) string {
	flags := ""
	if r.fold {
		flags += fold
	}
	if r.dotAll {
		flags += dotAll
	}
	if r.lines {
		flags += lines
	}
	return flags
}

// inline puts the flags in front, as all but Lucene know them.
func (r *regex) inline() string {
	if flags := r.flags("i", "s", "m"); flags != "" {
		return "(?" + flags + ")" + r.body
	}
	return r.body
}

// regexStyle is how a language uses regular expressions.
type regexStyle uint8

const (
	// styleFind looks for a match anywhere; the syntax is the shared one.
	styleFind regexStyle = iota
	// styleBoth is for languages of which it is not documented whether they
	// look for a match anywhere or match the whole value: the expression says
	// the same either way.
	styleBoth
	// styleLucene matches the whole value and knows neither anchors, flags nor
	// escapes for control characters.
	styleLucene
)

// special are the characters with a meaning in expressions.
func (s regexStyle) special() string {
	if s == styleLucene {
		return `\.+*?()|[]{}^$"#@&<>~-`
	}
	return `\.+*?()|[]{}^$`
}

// literal writes text so that it stands for itself.
func (s regexStyle) literal(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteString(s.char(r, s.special()))
	}
	return b.String()
}

func (s regexStyle) char(r rune, special string) string {
	switch {
	case strings.ContainsRune(special, r):
		return `\` + string(r)
	case s == styleLucene || !unicode.IsControl(r):
		return string(r)
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r <= 0xff:
		return fmt.Sprintf(`\x%02x`, r)
	}
	return string(r)
}

// ofValue writes a value of a rule, wildcards and all.
func (s regexStyle) ofValue(v *value) regex {
	r := regex{fold: !v.cased}
	n := len(v.pieces)
	open, shut := n > 0 && v.pieces[0].Kind == sigma.PieceMany, n > 0 && v.pieces[n-1].Kind == sigma.PieceMany
	var b strings.Builder
	if s != styleLucene && !(s == styleFind && open) {
		b.WriteByte('^')
	}
	for i, piece := range v.pieces {
		switch piece.Kind {
		case sigma.PieceOne:
			b.WriteByte('.')
			r.dotAll = s != styleLucene
		case sigma.PieceMany:
			if s != styleFind || i > 0 && i < n-1 {
				b.WriteString(".*")
				r.dotAll = s != styleLucene
			}
		default:
			b.WriteString(s.text(piece.Text, v))
		}
	}
	if s != styleLucene && !(s == styleFind && shut) {
		b.WriteByte('$')
	}
	r.body = b.String()
	return r
}

// text writes literal text of a value: dashes as a class where all are alike.
func (s regexStyle) text(text string, v *value) string {
	if s == styleLucene && !v.cased {
		text = strings.ToLower(text)
	}
	if !v.dashes {
		return s.literal(text)
	}
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(dashes, r) {
			b.WriteString(`[\-/–—―]`)
		} else {
			b.WriteString(s.literal(string(r)))
		}
	}
	return b.String()
}

// ofList is any of several whole texts, for styleFind.
func (s regexStyle) ofList(texts []string, cased bool) regex {
	literals := make([]string, len(texts))
	for i, text := range texts {
		literals[i] = s.literal(text)
	}
	return regex{body: "^(?:" + strings.Join(literals, "|") + ")$", fold: !cased}
}

// ofCommand finds a command by its name in a shell line: as a word by itself.
func (s regexStyle) ofCommand(name string, cased bool) regex {
	const noWord = `[^0-9A-Za-z_.\-]`
	if s == styleLucene {
		if !cased {
			name = strings.ToLower(name)
		}
		return regex{body: "(.*" + noWord + ")?" + s.literal(name) + "(" + noWord + ".*)?", fold: !cased}
	}
	return regex{body: "^(?:.*" + noWord + ")?" + s.literal(name) + "(?:" + noWord + ".*)?$", fold: !cased, dotAll: true}
}

// leadingFlags are those that stand for the whole of an expression.
var leadingFlags = regexp.MustCompile(`^\(\?([ims]+)\)`)

// sharedSource is an expression that means the same in all languages but
// Lucene's, as it is written: no escapes and groups of one engine only, no
// brackets within classes, no delimiters.
var sharedSource = regexp.MustCompile(`^(?:` +
	`[A-Za-z0-9 _:=,;@%!#<>/'"&~.*+?|()^$-]` + // themselves, operators, anchors
	`|\\[.\\()\[\]{}*+?|^$dDwWsSbB]` +
	`|\{[0-9]+(?:,[0-9]*)?\}` +
	`|\[\^?(?:[A-Za-z0-9 _:=,;@%!#<>/'".*+?|()$]|[A-Za-z0-9]-[A-Za-z0-9]|\\[.\\\[\]{}*+?|^$dDwWsS-])+\]` +
	`)*$`)

func isShared(source string) bool {
	return sharedSource.MatchString(source) && !strings.Contains(strings.ReplaceAll(source, "(?:", ""), "(?")
}

// ofSource writes a rule's own expression, which is RE2's.
func (s regexStyle) ofSource(source string) (regex, error) {
	var r regex
	rest, flags := source, ""
	if m := leadingFlags.FindStringSubmatch(source); m != nil {
		rest, flags = source[len(m[0]):], m[1]
	}
	if s == styleLucene {
		return ofLucene(source, rest, flags)
	}
	r.fold, r.dotAll, r.lines = strings.Contains(flags, "i"), strings.Contains(flags, "s"), strings.Contains(flags, "m")
	if isShared(rest) {
		r.body = rest
	} else {
		parse := syntax.Perl
		if r.dotAll {
			parse |= syntax.DotNL
		}
		if r.lines {
			parse &^= syntax.OneLine
		}
		tree, err := syntax.Parse(rest, parse)
		if err != nil {
			return r, fmt.Errorf("regular expression: %w", err)
		}
		r.dotAll = false // the printer spells "." out
		if r.body, err = (&regexPrinter{style: s, lines: r.lines}).print(tree); err != nil {
			return r, err
		}
	}
	if s == styleBoth {
		if r.lines {
			return r, fmt.Errorf("regular expression with the flag m")
		}
		r.body = `^[\s\S]*(?:` + r.body + `)[\s\S]*$`
	}
	return r, nil
}

// regexPrinter writes a parsed expression.
type regexPrinter struct {
	style regexStyle
	lines bool // the flag m is set around
	lower bool // letters are in lower case
}

var anchors = map[syntax.Op]string{
	syntax.OpBeginLine: "^", syntax.OpEndLine: "$", syntax.OpWordBoundary: `\b`, syntax.OpNoWordBoundary: `\B`,
}

func (p *regexPrinter) print(re *syntax.Regexp) (string, error) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return p.group(""), nil
	case syntax.OpLiteral:
		return p.literal(re), nil
	case syntax.OpCharClass:
		return p.class(re.Rune), nil
	case syntax.OpAnyChar:
		if p.style == styleLucene {
			return ".", nil
		}
		return `[\s\S]`, nil
	case syntax.OpAnyCharNotNL:
		return p.class([]rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}), nil
	case syntax.OpCapture:
		inner, err := p.print(re.Sub[0])
		return p.group(inner), err
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return p.repeat(re)
	case syntax.OpConcat:
		return p.join(re.Sub, "")
	case syntax.OpAlternate:
		inner, err := p.join(re.Sub, "|")
		return p.group(inner), err
	case syntax.OpNoMatch:
		return "", fmt.Errorf("regular expression that matches nothing")
	}
	return p.anchor(re)
}

func (p *regexPrinter) group(inner string) string {
	if p.style == styleLucene {
		return "(" + inner + ")"
	}
	return "(?:" + inner + ")"
}

func (p *regexPrinter) join(parts []*syntax.Regexp, between string) (string, error) {
	texts := make([]string, len(parts))
	for i, part := range parts {
		var err error
		if texts[i], err = p.print(part); err != nil {
			return "", err
		}
	}
	return strings.Join(texts, between), nil
}

func (p *regexPrinter) anchor(re *syntax.Regexp) (string, error) {
	if p.style == styleLucene {
		return "", fmt.Errorf("regular expression with an anchor or a word boundary inside")
	}
	text, known := anchors[re.Op]
	switch {
	case re.Op == syntax.OpBeginText && !p.lines:
		return "^", nil
	case re.Op == syntax.OpEndText && !p.lines:
		return "$", nil
	case !known, (text == "^" || text == "$") && !p.lines:
		return "", fmt.Errorf("regular expression that mixes ends of lines and of the text")
	}
	return text, nil
}

func (p *regexPrinter) literal(re *syntax.Regexp) string {
	var b strings.Builder
	for _, r := range re.Rune {
		other := unicode.SimpleFold(r)
		if p.lower {
			r, other = unicode.ToLower(r), unicode.ToLower(r)
		}
		if re.Flags&syntax.FoldCase == 0 || other == r {
			b.WriteString(p.style.char(r, p.style.special()))
			continue
		}
		b.WriteByte('[')
		b.WriteString(p.classChar(r))
		for ; other != r; other = unicode.SimpleFold(other) {
			b.WriteString(p.classChar(other))
		}
		b.WriteByte(']')
	}
	return b.String()
}

func (p *regexPrinter) classChar(r rune) string {
	return p.style.char(r, `\^-[]&~"#@<>`)
}

// class writes a class; one that is open at both ends by what it leaves out.
func (p *regexPrinter) class(ranges []rune) string {
	var b strings.Builder
	b.WriteByte('[')
	if n := len(ranges); n > 2 && ranges[0] == 0 && ranges[n-1] == unicode.MaxRune {
		b.WriteByte('^')
		var gaps []rune
		for i := 1; i+1 < n; i += 2 {
			gaps = append(gaps, ranges[i]+1, ranges[i+1]-1)
		}
		ranges = gaps
	}
	for i := 0; i+1 < len(ranges); i += 2 {
		low, high := ranges[i], ranges[i+1]
		b.WriteString(p.classChar(low))
		if high > low+1 {
			b.WriteByte('-')
		}
		if high > low {
			b.WriteString(p.classChar(high))
		}
	}
	b.WriteByte(']')
	return b.String()
}

func (p *regexPrinter) repeat(re *syntax.Regexp) (string, error) {
	inner, err := p.print(re.Sub[0])
	if err != nil {
		return "", err
	}
	sub := re.Sub[0]
	if single := sub.Op == syntax.OpLiteral && len(sub.Rune) == 1 || sub.Op == syntax.OpCharClass ||
		sub.Op == syntax.OpAnyChar || sub.Op == syntax.OpAnyCharNotNL || sub.Op == syntax.OpCapture || sub.Op == syntax.OpAlternate; !single {
		inner = p.group(inner)
	}
	text := map[syntax.Op]string{syntax.OpStar: "*", syntax.OpPlus: "+", syntax.OpQuest: "?"}[re.Op]
	if re.Op == syntax.OpRepeat {
		switch {
		case re.Max == re.Min:
			text = fmt.Sprintf("{%d}", re.Min)
		case re.Max < 0:
			text = fmt.Sprintf("{%d,}", re.Min)
		default:
			text = fmt.Sprintf("{%d,%d}", re.Min, re.Max)
		}
	}
	// Whether a search finds something does not depend on greed.
	return inner + text, nil
}

// ofLucene writes an expression that is looked for anywhere as one for whole
// values. Without regard to case, the field is in lower case: no matter what
// the rest of the expression says, unless it has flags of its own.
func ofLucene(source, rest, flags string) (regex, error) {
	r := regex{fold: strings.Contains(flags, "i") && !strings.Contains(strings.ReplaceAll(rest, "(?:", ""), "(?")}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return r, fmt.Errorf("regular expression: %w", err)
	}
	p := &lucenePrinter{regexPrinter{style: styleLucene, lower: r.fold}}
	r.body, err = p.search(tree)
	return r, err
}

// lucenePrinter knows anchors at the ends of an expression only.
type lucenePrinter struct{ regexPrinter }

const anyRun = ".*"

// search writes what is looked for anywhere.
func (p *lucenePrinter) search(re *syntax.Regexp) (string, error) {
	re = bare(re)
	switch {
	case re.Op == syntax.OpAlternate:
		return p.each(re.Sub, p.search)
	case re.Op == syntax.OpBeginText || re.Op == syntax.OpEndText || re.Op == syntax.OpEmptyMatch:
		return anyRun, nil
	case re.Op != syntax.OpConcat:
		inner, err := p.print(re)
		return anyRun + inner + anyRun, err
	}
	last := len(re.Sub) - 1
	before, err := p.first(re.Sub[0])
	if err != nil {
		return "", err
	}
	between, err := p.join(re.Sub[1:last], "")
	if err != nil {
		return "", err
	}
	after, err := p.last(re.Sub[last])
	return before + between + after, err
}

// first writes what an expression begins with, and what may be before it.
func (p *lucenePrinter) first(re *syntax.Regexp) (string, error) {
	re = bare(re)
	switch re.Op {
	case syntax.OpBeginText:
		return "", nil
	case syntax.OpAlternate:
		return p.each(re.Sub, p.first)
	case syntax.OpConcat:
		before, err := p.first(re.Sub[0])
		if err != nil {
			return "", err
		}
		rest, err := p.join(re.Sub[1:], "")
		return before + rest, err
	}
	inner, err := p.print(re)
	return anyRun + inner, err
}

// last writes what an expression ends with, and what may be behind it.
func (p *lucenePrinter) last(re *syntax.Regexp) (string, error) {
	re = bare(re)
	switch re.Op {
	case syntax.OpEndText:
		return "", nil
	case syntax.OpAlternate:
		return p.each(re.Sub, p.last)
	case syntax.OpConcat:
		end := len(re.Sub) - 1
		rest, err := p.join(re.Sub[:end], "")
		if err != nil {
			return "", err
		}
		after, err := p.last(re.Sub[end])
		return rest + after, err
	}
	inner, err := p.print(re)
	return inner + anyRun, err
}

func (p *lucenePrinter) each(alternatives []*syntax.Regexp, one func(*syntax.Regexp) (string, error)) (string, error) {
	texts := make([]string, len(alternatives))
	for i, alternative := range alternatives {
		var err error
		if texts[i], err = one(alternative); err != nil {
			return "", err
		}
		texts[i] = cmp.Or(texts[i], "()") // Lucene takes no empty alternative
	}
	return "(" + strings.Join(texts, "|") + ")", nil
}

// bare is an expression without groups around it.
func bare(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	return re
}
