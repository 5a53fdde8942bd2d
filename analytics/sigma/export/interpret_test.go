package export_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The tests read queries back: literals as the language's documentation has
// them, operators and functions with their documented meaning, absent fields
// as null or as the empty text. That shows that a query says what its rule
// says, and that no value gets out of its literal.

// dialect is what a language's conditions are made of.
type dialect struct {
	and, or, not string
	// literals lists what may begin a literal, with its reader.
	literals map[byte]func(text string) (value any, rest string, err error)
	// operators compare a left and a right side; longer names come first.
	operators []operator
	functions map[string]func(args []any) any
	// field gives the value of a name in a record.
	field func(r map[string]string, name string) any
	names *regexp.Regexp
	// implicit: nothing between two conditions is "and".
	implicit bool
	// after reads what may follow a comparison.
	after string
}

type operator struct {
	name    string
	compare func(left, right any) any
}

// pattern is a literal that is a regular expression.
type pattern struct {
	re *regexp.Regexp
}

// reader evaluates a condition on a record while it reads it.
type reader struct {
	*dialect
	text   string
	record map[string]string
}

// evaluate gives true, false or nil, which is unknown.
func (d *dialect) evaluate(text string, record map[string]string) (result any, err error) {
	defer func() {
		if failed := recover(); failed != nil {
			err = fmt.Errorf("%v", failed)
		}
	}()
	r := &reader{dialect: d, text: text, record: record}
	result = r.disjunction()
	if r.space(); r.text != "" {
		r.fail("what follows is not expected")
	}
	return result, nil
}

func (r *reader) fail(format string, args ...any) {
	panic(fmt.Sprintf(format, args...) + ": " + r.text)
}

func (r *reader) space() { r.text = strings.TrimLeft(r.text, " ") }

// take takes a word or a sign if it comes next.
func (r *reader) take(word string) bool {
	r.space()
	rest, ok := strings.CutPrefix(r.text, word)
	if !ok || word == "" {
		return false
	}
	last, next := rune(word[len(word)-1]), ' '
	if rest != "" {
		next, _ = utf8.DecodeRuneInString(rest)
	}
	if unicode.IsLetter(last) && (unicode.IsLetter(next) || unicode.IsDigit(next)) {
		return false
	}
	r.text = rest
	return true
}

func (r *reader) need(word string) {
	if !r.take(word) {
		r.fail("want %q", word)
	}
}

func (r *reader) disjunction() any {
	result := r.conjunction()
	for r.take(r.or) {
		if next := r.conjunction(); result == true || next == true {
			result = true
		} else if next == nil || result == nil {
			result = nil
		}
	}
	return result
}

func (r *reader) conjunction() any {
	result := r.negation()
	for r.take(r.and) || r.implicit && r.another() {
		if next := r.negation(); result == false || next == false {
			result = false
		} else if next == nil || result == nil {
			result = nil
		}
	}
	return result
}

func (r *reader) another() bool {
	r.space()
	return r.text != "" && r.text[0] != ')' && !strings.HasPrefix(r.text, r.or)
}

func (r *reader) negation() any {
	if r.take(r.not) {
		switch result := r.negation(); result {
		case nil:
			return nil
		default:
			return result != true
		}
	}
	return r.comparison()
}

func (r *reader) comparison() any {
	if r.take("(") {
		result := r.disjunction()
		r.need(")")
		return result
	}
	left := r.term()
	for _, o := range r.operators {
		if !r.take(o.name) {
			continue
		}
		var right any
		if strings.HasPrefix(o.name, "IS") {
			return o.compare(left, nil)
		}
		if right = r.right(); r.after != "" && r.take(r.after) {
			right = insensitive(right)
		}
		return o.compare(left, right)
	}
	if _, isBool := left.(bool); !isBool && left != nil {
		r.fail("a value alone")
	}
	return left
}

// fold marks a text that is compared without regard to case.
type fold string

func insensitive(right any) any {
	switch right := right.(type) {
	case string:
		return fold(right)
	case pattern:
		return pattern{regexp.MustCompile("(?i)" + right.re.String())}
	}
	panic("what is to be compared without regard to case?")
}

// right is one value or a list of them.
func (r *reader) right() any {
	if !r.take("(") {
		return r.term()
	}
	var list []any
	for {
		list = append(list, r.term())
		if r.take(")") {
			return list
		}
		r.need(",")
	}
}

var numbers = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?`)

func (r *reader) term() any {
	r.space()
	if r.text == "" {
		r.fail("the end")
	}
	if read := r.literals[r.text[0]]; read != nil {
		value, rest, err := read(r.text)
		if err != nil {
			r.fail("%v", err)
		}
		r.text = rest
		return value
	}
	if number := numbers.FindString(r.text); number != "" {
		r.text = r.text[len(number):]
		value, _ := strconv.ParseFloat(number, 64)
		return value
	}
	name := r.names.FindString(r.text)
	if name == "" {
		r.fail("no value")
	}
	r.text = r.text[len(name):]
	if name == "*" || strings.HasSuffix(name, "*") {
		return star{}
	}
	if r.functions[name] != nil && r.take("(") {
		return r.call(name)
	}
	switch strings.ToLower(name) {
	case "false":
		return false
	case "true":
		return true
	}
	return r.field(r.record, name)
}

// star is "*" without quotes: any value.
type star struct{}

func (r *reader) call(name string) any {
	var args []any
	for !r.take(")") {
		if len(args) > 0 {
			r.need(",")
		}
		if named, rest, ok := strings.Cut(r.text, "="); ok && strings.TrimSpace(named) == "subnet" {
			r.text = rest
		}
		args = append(args, r.disjunctionOrValue())
	}
	return r.functions[name](args)
}

// disjunctionOrValue is an argument: a condition or a value.
func (r *reader) disjunctionOrValue() any {
	before := r.text
	value := r.term()
	if r.space(); r.text == "" || r.text[0] == ',' || r.text[0] == ')' {
		return value
	}
	r.text = before
	return r.disjunction()
}

// quoted reads a text between quotes in which a backslash escapes; only these
// characters may be escaped so.
func quoted(escapable string) func(string) (any, string, error) {
	return func(text string) (any, string, error) {
		var b strings.Builder
		for i := 1; i < len(text); i++ {
			switch c := text[i]; {
			case c == text[0]:
				return b.String(), text[i+1:], nil
			case c == '\\' && i+1 < len(text):
				if i++; strings.IndexByte(escapable, text[i]) < 0 {
					return nil, "", fmt.Errorf("escape of %q", text[i])
				}
				b.WriteByte(map[byte]byte{'n': '\n', 'r': '\r', 't': '\t'}[text[i]])
				if b.String()[b.Len()-1] == 0 {
					s := b.String()
					b.Reset()
					b.WriteString(s[:len(s)-1] + string(text[i]))
				}
			case c == '\n' || c == '\r':
				return nil, "", fmt.Errorf("a line's end within a text")
			default:
				b.WriteByte(c)
			}
		}
		return nil, "", fmt.Errorf("a text does not end")
	}
}

// doubled reads a text between quotes in which two quotes are one.
func doubled(text string) (any, string, error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] == text[0] {
			if i+1 == len(text) || text[i+1] != text[0] {
				return b.String(), text[i+1:], nil
			}
			i++
		}
		b.WriteByte(text[i])
	}
	return nil, "", fmt.Errorf("a text does not end")
}

// slashed reads an expression between slashes, with these flags behind it.
func slashed(flags string) func(string) (any, string, error) {
	return func(text string) (any, string, error) {
		var b strings.Builder
		for i := 1; i < len(text); i++ {
			switch c := text[i]; {
			case c == '/':
				rest := strings.TrimLeft(text[i+1:], flags)
				set := strings.ReplaceAll(text[i+1:len(text)-len(rest)], "d", "s")
				source := b.String()
				if set != "" {
					source = "(?" + set + ")" + source
				}
				re, err := regexp.Compile(source)
				return pattern{re}, rest, err
			case c == '\\' && i+1 < len(text):
				if i++; text[i] != '/' {
					b.WriteByte('\\')
				}
				b.WriteByte(text[i])
			default:
				b.WriteByte(c)
			}
		}
		return nil, "", fmt.Errorf("an expression does not end")
	}
}

// text2 compares texts, null where one of them is.
func text2(compare func(left, right string) bool) func(left, right any) any {
	return func(left, right any) any {
		if left == nil || right == nil {
			return nil
		}
		return compare(left.(string), right.(string))
	}
}

// anyOf compares with each of a list.
func anyOf(compare func(left, right any) any) func(left, right any) any {
	return func(left, right any) any {
		if left == nil {
			return nil
		}
		for _, one := range right.([]any) {
			if compare(left, one) == true {
				return true
			}
		}
		return false
	}
}

// number compares numbers; a text is one if it looks like one.
func number(compare func(left, right float64) bool) func(left, right any) any {
	return func(left, right any) any {
		l, ok := toNumber(left).(float64)
		r, okRight := toNumber(right).(float64)
		if !ok || !okRight {
			return nil
		}
		return compare(l, r)
	}
}

func toNumber(v any) any {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		if n, err := strconv.ParseFloat(v, 64); err == nil && strings.Trim(v, "+-.0123456789") == "" {
			return n
		}
	}
	return nil
}

// equal compares texts as texts, and with a number as numbers.
func equal(left, right any) any {
	if _, isNumber := right.(float64); isNumber {
		return number(func(a, b float64) bool { return a == b })(left, right)
	}
	return text2(func(a, b string) bool { return a == b })(left, right)
}

func less(left, right any) any { return number(func(a, b float64) bool { return a < b })(left, right) }

func greater(left, right any) any {
	return number(func(a, b float64) bool { return a > b })(left, right)
}

func atMost(left, right any) any {
	return number(func(a, b float64) bool { return a <= b })(left, right)
}

func atLeast(left, right any) any {
	return number(func(a, b float64) bool { return a >= b })(left, right)
}

// matches finds an expression in a text.
func matches(left, right any) any {
	if left == nil {
		return nil
	}
	if p, ok := right.(pattern); ok {
		return p.re.MatchString(left.(string))
	}
	return regexp.MustCompile(right.(string)).MatchString(left.(string))
}

// wholly matches all of a text.
func wholly(flags string) func(left, right any) any {
	return func(left, right any) any {
		if left == nil {
			return nil
		}
		return regexp.MustCompile("^(?:(?" + flags + ")" + right.(string) + ")$").MatchString(left.(string))
	}
}

// like compares with wildcards: many and one, and an escape, if there is one.
func like(flags string, many, one, escape byte) func(left, right any) any {
	return func(left, right any) any {
		if left == nil {
			return nil
		}
		var b strings.Builder
		text := right.(string)
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == many:
				b.WriteString(".*")
			case c == one && one != 0:
				b.WriteString(".")
			case c == escape && escape != 0 && i+1 < len(text):
				i++
				b.WriteString(regexp.QuoteMeta(text[i : i+1]))
			case c < utf8.RuneSelf:
				b.WriteString(regexp.QuoteMeta(string(c)))
			default:
				b.WriteByte(c)
			}
		}
		return regexp.MustCompile("^(?" + flags + ":" + b.String() + ")$").MatchString(left.(string))
	}
}

// text1 is a function of one text.
func text1(f func(string) any) func([]any) any {
	return func(args []any) any {
		if args[0] == nil {
			return nil
		}
		return f(args[0].(string))
	}
}

func lower(s string) any { return strings.ToLower(s) }

// lowerASCII is how operators that know no other letters fold.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// inRange is null for what is no address.
func inRange(address, prefix any) any {
	if address == nil {
		return nil
	}
	a, err := netip.ParseAddr(address.(string))
	if err != nil {
		return nil
	}
	return netip.MustParsePrefix(prefix.(string)).Contains(a.Unmap())
}

// orNull gives what a record has, or null.
func orNull(r map[string]string, name string) any {
	if v, ok := r[strings.Trim(name, "`'\"")]; ok {
		return v
	}
	return nil
}

// orEmpty gives what a record has, or the empty text.
func orEmpty(r map[string]string, name string) any { return r[name] }

// orZero gives what a record has, the empty text, or 0 where a number is.
func orZero(r map[string]string, name string) any {
	if v := r[name]; v != "" || name != "N" {
		return v
	}
	return 0.0
}

func isNull(want bool) func(left, right any) any {
	return func(left, _ any) any { return (left == nil) == want }
}

var word = regexp.MustCompile(`^[A-Za-z_$*][A-Za-z0-9_.$*]*`)

// folding gives the forms of KQL's operators that fold ASCII.
func folding(compare func(a, b string) bool) func(left, right any) any {
	return text2(func(a, b string) bool { return compare(lowerASCII(a), lowerASCII(b)) })
}

func same(a, b string) bool { return a == b }

// dialects have the languages; SPL's two commands are two.
var dialects = map[string]*dialect{
	"kql": {
		and: "and", or: "or", not: "not", names: word, field: orEmpty,
		literals: map[byte]func(string) (any, string, error){'"': quoted(`\"`)},
		operators: []operator{
			{"=~", folding(same)},
			{"==", equal},
			{"in~", anyOf(folding(same))},
			{"in", anyOf(text2(same))},
			{"startswith_cs", text2(strings.HasPrefix)},
			{"startswith", folding(strings.HasPrefix)},
			{"endswith_cs", text2(strings.HasSuffix)},
			{"endswith", folding(strings.HasSuffix)},
			{"contains_cs", text2(strings.Contains)},
			{"contains", folding(strings.Contains)},
			{"matches regex", matches},
			{"<=", atMost},
			{">=", atLeast},
			{"<", less},
			{">", greater},
		},
		functions: map[string]func([]any) any{
			"tolower": text1(lower), "tostring": func(a []any) any { return a[0] },
			"todouble":         func(a []any) any { return toNumber(a[0]) },
			"isempty":          func(a []any) any { return a[0] == "" },
			"isnotempty":       func(a []any) any { return a[0] != "" },
			"coalesce":         func(a []any) any { return map[bool]any{true: a[1], false: a[0]}[a[0] == nil] },
			"ipv4_is_in_range": func(a []any) any { return inRange(a[0], a[1]) },
			"ipv6_is_in_range": func(a []any) any { return inRange(a[0], a[1]) },
		},
	},
	"spl": {
		and: "AND", or: "OR", not: "NOT", names: word, field: orNull, implicit: true,
		literals: map[byte]func(string) (any, string, error){'"': quoted(`\"`)},
		operators: []operator{
			{"IN", present(anyOf(splEqual))},
			{"<=", present(atMost)},
			{">=", present(atLeast)},
			{"<", present(less)},
			{">", present(greater)},
			{"=", splEqual},
		},
	},
	"spl where": {
		and: "AND", or: "OR", not: "NOT", names: word, field: orNull,
		literals:  map[byte]func(string) (any, string, error){'"': quoted(`\"`)},
		operators: []operator{{"==", equal}, {"<=", atMost}, {">=", atLeast}, {"<", less}, {">", greater}},
		functions: map[string]func([]any) any{
			"match": func(a []any) any { return matches(a[0], a[1]) }, "lower": text1(lower),
			"isnotnull": func(a []any) any { return a[0] != nil }, "isnull": func(a []any) any { return a[0] == nil },
			"tonumber":  func(a []any) any { return toNumber(a[0]) },
			"cidrmatch": func(a []any) any { return inRange(a[1], a[0]) },
		},
	},
	"elastic": {
		and: "AND", or: "OR", not: "NOT", names: word, field: orNull,
		literals: map[byte]func(string) (any, string, error){'"': quoted(`\"nrt`)},
		operators: []operator{
			{"==", equal},
			{"IN", anyOf(text2(same))},
			{"LIKE", like("s", '*', '?', '\\')},
			{"RLIKE", wholly("s")},
			{"IS NOT NULL", isNull(false)},
			{"IS NULL", isNull(true)},
			{"<=", atMost},
			{">=", atLeast},
			{"<", less},
			{">", greater},
		},
		functions: map[string]func([]any) any{
			"TO_LOWER": text1(lower), "TO_STRING": func(a []any) any { return a[0] }, "TO_IP": func(a []any) any { return a[0] },
			"TO_DOUBLE":   func(a []any) any { return toNumber(a[0]) },
			"COALESCE":    func(a []any) any { return map[bool]any{true: a[1], false: a[0]}[a[0] == nil] },
			"CIDR_MATCH":  func(a []any) any { return inRange(a[0], a[1]) },
			"STARTS_WITH": func(a []any) any { return text2(strings.HasPrefix)(a[0], a[1]) },
			"ENDS_WITH":   func(a []any) any { return text2(strings.HasSuffix)(a[0], a[1]) },
			"LOCATE": func(a []any) any {
				if a[0] == nil || a[1] == nil {
					return nil
				}
				return float64(strings.Index(a[0].(string), a[1].(string)) + 1)
			},
		},
	},
	"aql": {
		and: "AND", or: "OR", not: "NOT", names: regexp.MustCompile(`^("[^"]*"|[A-Za-z_]+)`), field: orNull,
		literals: map[byte]func(string) (any, string, error){'\'': doubled},
		operators: []operator{
			{"IN", anyOf(text2(same))},
			{"ILIKE", like("is", '%', '_', 0)},
			{"LIKE", like("s", '%', '_', 0)},
			{"IMATCHES", func(l, r any) any { return matches(l, "(?i)"+r.(string)) }},
			{"MATCHES", wholly("")},
			{"IS NOT NULL", isNull(false)},
			{"IS NULL", isNull(true)},
			{"<=", atMost},
			{">=", atLeast},
			{"<", less},
			{">", greater},
			{"=", equal},
		},
		functions: map[string]func([]any) any{
			"LOWER": text1(lower), "STR": func(a []any) any { return a[0] },
			"DOUBLE": func(a []any) any { return toNumber(a[0]) },
			"INCIDR": func(a []any) any { return inRange(a[1], a[0]) },
		},
	},
	"sumo": {
		and: "and", or: "or", not: "!", names: word, field: orNull,
		literals: map[byte]func(string) (any, string, error){'"': quoted(`\"`), '/': slashed("")},
		operators: []operator{
			{"in", anyOf(text2(same))},
			{"matches", matches},
			{"<=", atMost},
			{">=", atLeast},
			{"<", less},
			{">", greater},
			{"=", equal},
		},
		functions: map[string]func([]any) any{
			"toLowerCase": text1(lower), "isNull": func(a []any) any { return a[0] == nil },
			"num": func(a []any) any { return toNumber(a[0]) }, "toInt": func(a []any) any { return a[0] },
			"contains": func(a []any) any { return text2(strings.Contains)(a[0], a[1]) },
			"compareCIDRPrefix": func(a []any) any {
				return inRange(a[1], fmt.Sprintf("%s/%d", a[0], int(a[2].(float64))))
			},
		},
	},
	"yaral": {
		and: "and", or: "or", not: "not", names: word, field: orZero, after: "nocase",
		literals: map[byte]func(string) (any, string, error){'"': quoted(`\"`), '/': slashed("")},
		operators: []operator{
			{"!=", func(l, r any) any { return udmEqual(l, r) == false }},
			{"<=", atMost},
			{">=", atLeast},
			{"<", less},
			{">", greater},
			{"=", udmEqual},
		},
		functions: map[string]func([]any) any{
			"strings.to_lower": text1(lower), "cast.as_string": func(a []any) any { return strings.TrimSuffix(fmt.Sprint(a[0]), ".0") },
			"strings.starts_with":  func(a []any) any { return text2(strings.HasPrefix)(a[0], a[1]) },
			"strings.ends_with":    func(a []any) any { return text2(strings.HasSuffix)(a[0], a[1]) },
			"strings.contains":     func(a []any) any { return text2(strings.Contains)(a[0], a[1]) },
			"net.ip_in_range_cidr": func(a []any) any { return inRange(a[0], a[1]) == true },
		},
	},
	"logscale": {
		and: "and", or: "or", not: "not", names: word, field: orNull,
		literals: map[byte]func(string) (any, string, error){'"': quoted(`\"`), '/': slashed("id")},
		operators: []operator{
			{"<=", present(atMost)},
			{">=", present(atLeast)},
			{"<", present(less)},
			{">", present(greater)},
			{"==", text2(same)},
			{"=", logscaleEqual},
		},
		functions: map[string]func([]any) any{
			"cidr": func(a []any) any { return inRange(a[0], a[1]) == true },
			"test": func(a []any) any { return a[0] == true },
		},
	},
}

// present makes false of unknown: filters of these languages know no null.
func present(compare func(left, right any) any) func(left, right any) any {
	return func(left, right any) any { return compare(left, right) == true }
}

// splEqual has "*" as its wildcard and reads ranges of addresses.
func splEqual(left, right any) any {
	if left == nil {
		return false
	}
	switch right := right.(type) {
	case star:
		return true
	case float64:
		return equal(left, right) == true
	case string:
		if _, err := netip.ParsePrefix(right); err == nil {
			return inRange(left, right) == true
		}
		return like("is", '*', 0, 0)(left, right)
	}
	panic("what is on the right?")
}

func udmEqual(left, right any) any {
	switch right := right.(type) {
	case pattern:
		return matches(left, right)
	case fold:
		return strings.EqualFold(left.(string), string(right))
	case float64:
		return equal(left, right) == true
	}
	return left == right
}

func logscaleEqual(left, right any) any {
	if left == nil {
		return false
	}
	switch right := right.(type) {
	case star:
		return true
	case pattern:
		return matches(left, right)
	case float64:
		return equal(left, right) == true
	}
	return like("s", '*', 0, 0)(left, right)
}
