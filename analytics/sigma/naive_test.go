package sigma_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/event"
)

// The naive evaluator judges the engine. It is written from the
// specification, shares nothing with the engine but YAML, has no index, and
// evaluates each rule by itself: modifiers left to right, every permutation
// spelled out, conditions read word by word.

// naiveRule is one detection rule.
type naiveRule struct {
	id         string
	searches   map[string]naiveCheck
	conditions []naiveCheck
}

// naiveCheck says whether a record has what is searched for.
type naiveCheck func(r *naiveRecord) bool

// naiveRecord is a record the way the naive evaluator likes it.
type naiveRecord struct {
	fields map[string][]naiveValue // nulls included
	texts  []naiveValue            // all values and the whole text
}

type naiveValue struct {
	text   string
	folded string
	null   bool
	number bool
}

func newNaiveRecord(fields []event.Field, text string) *naiveRecord {
	r := &naiveRecord{fields: map[string][]naiveValue{}}
	for _, f := range fields {
		v := naiveValue{text: f.Value, folded: naiveFold(f.Value), null: f.Kind == event.KindNull, number: f.Kind == event.KindNumber}
		name := strings.Join(strings.Split(f.ID.Name(), " "), "")
		r.fields[name] = append(r.fields[name], v)
		if !v.null {
			r.texts = append(r.texts, v)
		}
	}
	if text != "" {
		r.texts = append(r.texts, naiveValue{text: text, folded: naiveFold(text)})
	}
	return r
}

// values gives what a field has; no name stands for the whole record.
func (r *naiveRecord) values(field string) []naiveValue {
	if field == "" {
		return r.texts
	}
	var present []naiveValue
	for _, v := range r.fields[field] {
		if !v.null {
			present = append(present, v)
		}
	}
	return present
}

// naiveFold writes every character as the least of those that differ from it
// in case only.
func naiveFold(s string) string {
	var out []byte
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			out = append(out, s[0])
		} else {
			least := r
			for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
				if other < least {
					least = other
				}
			}
			out = utf8.AppendRune(out, least)
		}
		s = s[size:]
	}
	return string(out)
}

// parseNaive reads all rules of a file. It is for rules that are in order.
func parseNaive(content []byte, placeholders map[string][]string) ([]naiveRule, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var rules []naiveRule
	for {
		var doc struct {
			ID        string               `yaml:"id"`
			Detection map[string]yaml.Node `yaml:"detection"`
		}
		switch err := decoder.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return rules, nil
		case err != nil:
			return nil, err
		}
		rule := naiveRule{id: doc.ID, searches: map[string]naiveCheck{}}
		var conditions []string
		for name, node := range doc.Detection {
			if name == "condition" {
				if node.Kind == yaml.ScalarNode {
					conditions = []string{node.Value}
				} else if err := node.Decode(&conditions); err != nil {
					return nil, err
				}
				continue
			}
			rule.searches[name] = naiveSearch(&node, placeholders)
		}
		for _, condition := range conditions {
			rule.conditions = append(rule.conditions, rule.condition(condition))
		}
		rules = append(rules, rule)
	}
}

// holds says that the rule holds for the record.
func (n *naiveRule) holds(r *naiveRecord) bool {
	return slices.ContainsFunc(n.conditions, func(c naiveCheck) bool { return c(r) })
}

// condition cuts the text at its loosest operator that is in no parentheses.
func (n *naiveRule) condition(text string) naiveCheck {
	return n.words(strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)))
}

func (n *naiveRule) words(words []string) naiveCheck {
	for _, operator := range []string{"or", "and"} {
		if parts := cutWords(words, operator); len(parts) > 1 {
			var checks []naiveCheck
			for _, part := range parts {
				checks = append(checks, n.words(part))
			}
			return naiveJoin(operator == "and", checks)
		}
	}
	if strings.EqualFold(words[0], "not") {
		inner := n.words(words[1:])
		return func(r *naiveRecord) bool { return !inner(r) }
	}
	if words[0] == "(" {
		return n.words(words[1 : len(words)-1])
	}
	if len(words) == 1 {
		return n.searches[words[0]]
	}
	var checks []naiveCheck
	for name, search := range n.searches {
		if !strings.HasPrefix(name, "_") && naiveName(words[2]).MatchString(name) {
			checks = append(checks, search)
		}
	}
	return naiveJoin(strings.EqualFold(words[0], "all"), checks)
}

// naiveJoin is true when all checks are, or any.
func naiveJoin(all bool, checks []naiveCheck) naiveCheck {
	return func(r *naiveRecord) bool {
		for _, check := range checks {
			if check(r) != all {
				return !all
			}
		}
		return all
	}
}

func naiveName(pattern string) *regexp.Regexp {
	if strings.EqualFold(pattern, "them") {
		pattern = "*"
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

func cutWords(words []string, operator string) [][]string {
	var parts [][]string
	depth, start := 0, 0
	for i, word := range words {
		switch {
		case word == "(":
			depth++
		case word == ")":
			depth--
		case depth == 0 && strings.EqualFold(word, operator):
			parts = append(parts, words[start:i])
			start = i + 1
		}
	}
	return append(parts, words[start:])
}

// naiveSearch reads one search identifier.
func naiveSearch(node *yaml.Node, placeholders map[string][]string) naiveCheck {
	switch node.Kind {
	case yaml.MappingNode:
		var checks []naiveCheck
		for i := 0; i < len(node.Content); i += 2 {
			checks = append(checks, naiveItem(node.Content[i].Value, node.Content[i+1], placeholders))
		}
		return func(r *naiveRecord) bool {
			return !slices.ContainsFunc(checks, func(c naiveCheck) bool { return !c(r) })
		}
	case yaml.SequenceNode:
		var checks []naiveCheck
		for _, part := range node.Content {
			checks = append(checks, naiveSearch(part, placeholders))
		}
		return naiveJoin(false, checks)
	}
	return naiveItem("", node, placeholders)
}

// naiveItem reads one field with its modifiers and values.
func naiveItem(key string, node *yaml.Node, placeholders map[string][]string) naiveCheck {
	modifiers := strings.Split(key, "|")
	field := strings.ReplaceAll(modifiers[0], " ", "")
	modifiers = modifiers[1:]
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	has := func(m string) bool { return slices.Contains(modifiers, m) }
	if has("expand") {
		nodes = naiveExpand(nodes, placeholders)
	}
	var each []naiveCheck
	for _, n := range nodes {
		each = append(each, naiveOne(field, modifiers, n))
	}
	check := naiveJoin(has("all"), each)
	if has("neq") {
		equal := check
		check = func(r *naiveRecord) bool { return !equal(r) }
	}
	return check
}

func naiveExpand(nodes []*yaml.Node, placeholders map[string][]string) []*yaml.Node {
	placeholder := regexp.MustCompile(`(?:^|[^\\])(%(\w+)%)`)
	var expanded []*yaml.Node
	for queue := slices.Clone(nodes); len(queue) > 0; {
		n := queue[0]
		queue = queue[1:]
		at := placeholder.FindStringSubmatchIndex(n.Value)
		if at == nil {
			expanded = append(expanded, &yaml.Node{Kind: yaml.ScalarNode, Tag: n.Tag, Value: strings.ReplaceAll(n.Value, `\%`, "%")})
			continue
		}
		var next []*yaml.Node
		for _, value := range placeholders[n.Value[at[4]:at[5]]] {
			next = append(next, &yaml.Node{Kind: yaml.ScalarNode, Tag: n.Tag, Value: n.Value[:at[2]] + value + n.Value[at[3]:]})
		}
		queue = append(next, queue...)
	}
	return expanded
}

// naiveOne makes the check of one value.
func naiveOne(field string, modifiers []string, n *yaml.Node) naiveCheck {
	has := func(m string) bool { return slices.Contains(modifiers, m) }
	anyValue := func(check func(v naiveValue) bool) naiveCheck {
		return func(r *naiveRecord) bool { return slices.ContainsFunc(r.values(field), check) }
	}
	switch {
	case n.Tag == "!!null":
		return func(r *naiveRecord) bool { return len(r.values(field)) == 0 }
	case has("exists"):
		want := strings.EqualFold(n.Value, "true")
		return func(r *naiveRecord) bool { return (len(r.fields[field]) > 0) == want }
	case has("re"):
		re := naiveRegex(modifiers, n.Value)
		return anyValue(func(v naiveValue) bool { return re.MatchString(v.text) })
	case has("cidr"):
		prefix, err := netip.ParsePrefix(n.Value)
		if err != nil {
			prefix = netip.PrefixFrom(netip.MustParseAddr(n.Value), netip.MustParseAddr(n.Value).BitLen())
		}
		return anyValue(func(v naiveValue) bool {
			addr, err := netip.ParseAddr(v.text)
			return err == nil && prefix.Contains(addr.Unmap().WithZone(""))
		})
	case has("fieldref"):
		return naiveRef(field, modifiers, strings.ReplaceAll(n.Value, " ", ""))
	}
	for _, m := range modifiers {
		if strings.Contains(" lt lte gt gte minute hour day week month year ", " "+m+" ") {
			return anyValue(naiveNumber(modifiers, n.Value))
		}
	}
	patterns := naivePatterns(modifiers, n)
	if field == "" {
		for i := range patterns {
			patterns[i] = naiveWrap(patterns[i], true, true)
		}
	}
	if !has("cased") {
		for i := range patterns {
			for j := range patterns[i] {
				patterns[i][j].text = naiveFold(patterns[i][j].text)
			}
		}
	}
	return anyValue(func(v naiveValue) bool {
		text := v.folded
		if has("cased") {
			text = v.text
		}
		for _, p := range patterns {
			if naiveLike(p, text) {
				return true
			}
			if v.number && !has("cased") && len(p) == 1 && p[0].wild == 0 && naiveSameNumber(v.text, p[0].text) {
				return true
			}
		}
		return false
	})
}

// naiveSameNumber says that a rule's text is how a JSON number is written in
// short.
func naiveSameNumber(number, rule string) bool {
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && strings.ContainsAny(number, ".eE+") && strconv.FormatFloat(f, 'f', -1, 64) == rule
}

func naiveRegex(modifiers []string, source string) *regexp.Regexp {
	starts, ends, contains := slices.Contains(modifiers, "startswith"), slices.Contains(modifiers, "endswith"), slices.Contains(modifiers, "contains")
	if starts && !ends && !contains {
		source = `\A(?:` + source + ")"
	}
	if ends && !starts && !contains {
		source = "(?:" + source + `)\z`
	}
	for _, flag := range []string{"i", "m", "s"} {
		if slices.Contains(modifiers, flag) {
			source = "(?" + flag + ")" + source
		}
	}
	return regexp.MustCompile(source)
}

func naiveRef(field string, modifiers []string, other string) naiveCheck {
	starts, ends, contains := slices.Contains(modifiers, "startswith"), slices.Contains(modifiers, "endswith"), slices.Contains(modifiers, "contains")
	return func(r *naiveRecord) bool {
		for _, a := range r.values(field) {
			for _, b := range r.values(other) {
				x, y := a.folded, b.folded
				if slices.Contains(modifiers, "cased") {
					x, y = a.text, b.text
				}
				switch {
				case contains, starts && ends:
					if strings.Contains(x, y) {
						return true
					}
				case starts:
					if strings.HasPrefix(x, y) {
						return true
					}
				case ends:
					if strings.HasSuffix(x, y) {
						return true
					}
				case x == y:
					return true
				}
			}
		}
		return false
	}
}

var (
	naiveDate    = regexp.MustCompile(`^(\d{4})(?:-(\d\d)-|/(\d\d)/)(\d\d)(.*)`)
	naiveTime    = regexp.MustCompile(`(?s)^[ Tt](\d\d):(\d\d)`)
	naiveDecimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
)

// naiveNumber compares exactly, with fractions of any size.
func naiveNumber(modifiers []string, limit string) func(v naiveValue) bool {
	want, _ := new(big.Rat).SetString(limit)
	return func(v naiveValue) bool {
		text := v.text
		for _, m := range modifiers {
			if strings.Contains(" minute hour day week month year ", " "+m+" ") {
				part, ok := naiveDatePart(m, text)
				if !ok {
					return false
				}
				text = strconv.Itoa(part)
			}
		}
		if !naiveDecimal.MatchString(text) || len(text) > 64 {
			return false
		}
		have, ok := new(big.Rat).SetString(text)
		if !ok {
			return false
		}
		switch order := have.Cmp(want); {
		case slices.Contains(modifiers, "lt"):
			return order < 0
		case slices.Contains(modifiers, "lte"):
			return order <= 0
		case slices.Contains(modifiers, "gt"):
			return order > 0
		case slices.Contains(modifiers, "gte"):
			return order >= 0
		default:
			return order == 0
		}
	}
}

func naiveDatePart(part, text string) (int, bool) {
	m := naiveDate.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
	if m == nil {
		return 0, false
	}
	year, _ := strconv.Atoi(m[1])
	month, _ := strconv.Atoi(m[2] + m[3])
	day, _ := strconv.Atoi(m[4])
	if month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false
	}
	switch part {
	case "year":
		return year, true
	case "month":
		return month, true
	case "day":
		return day, true
	case "week":
		_, week := time.Date(year, time.Month(month), day, 12, 0, 0, 0, time.UTC).ISOWeek()
		return week, true
	}
	clock := naiveTime.FindStringSubmatch(m[5])
	if clock == nil {
		return 0, false
	}
	hour, _ := strconv.Atoi(clock[1])
	minute, _ := strconv.Atoi(clock[2])
	if hour > 24 || minute > 59 {
		return 0, false
	}
	if part == "hour" {
		return hour, true
	}
	return minute, true
}

// naivePart is literal text, or a wildcard.
type naivePart struct {
	text string
	wild byte // '*', '?' or 0
}

// naivePatterns puts a value through its modifiers, left to right.
func naivePatterns(modifiers []string, n *yaml.Node) [][]naivePart {
	patterns := [][]naivePart{naiveParse(naiveText(n))}
	for _, m := range modifiers {
		var next [][]naivePart
		for _, p := range patterns {
			next = append(next, naiveTransform(m, p)...)
		}
		patterns = next
	}
	return patterns
}

// naiveText writes numbers in decimal.
func naiveText(n *yaml.Node) string {
	if n.Tag == "!!int" || n.Tag == "!!float" {
		var v any
		if n.Decode(&v) == nil {
			if f, ok := v.(float64); ok {
				return strconv.FormatFloat(f, 'f', -1, 64)
			}
			return fmt.Sprint(v)
		}
	}
	return n.Value
}

// naiveParse follows the specification's table of escapes.
func naiveParse(s string) []naivePart {
	var parts []naivePart
	literal := func(c byte) {
		if k := len(parts); k > 0 && parts[k-1].wild == 0 {
			parts[k-1].text += string([]byte{c})
			return
		}
		parts = append(parts, naivePart{text: string([]byte{c})})
	}
	for i := 0; i < len(s); {
		switch rest := s[i:]; {
		case strings.HasPrefix(rest, `\\`):
			literal('\\')
			i += 2
		case strings.HasPrefix(rest, `\*`), strings.HasPrefix(rest, `\?`):
			literal(rest[1])
			i += 2
		case rest[0] == '*' || rest[0] == '?':
			parts = append(parts, naivePart{wild: rest[0]})
			i++
		default:
			literal(rest[0])
			i++
		}
	}
	return parts
}

func naiveWrap(p []naivePart, before, after bool) []naivePart {
	star := []naivePart{{wild: '*'}}
	out := slices.Clone(p)
	if before {
		out = append(slices.Clone(star), out...)
	}
	if after {
		out = append(out, star...)
	}
	return out
}

func naiveTransform(m string, p []naivePart) [][]naivePart {
	plain := ""
	for _, part := range p {
		plain += part.text
	}
	literal := func(texts ...string) [][]naivePart {
		var all [][]naivePart
		for _, text := range texts {
			all = append(all, []naivePart{{text: text}})
		}
		return all
	}
	reencode := func(mark string, order binary.AppendByteOrder) [][]naivePart {
		out := slices.Clone(p)
		for i := range out {
			if out[i].wild == 0 {
				var encoded []byte
				for _, unit := range utf16.Encode([]rune(out[i].text)) {
					encoded = order.AppendUint16(encoded, unit)
				}
				out[i].text = string(encoded)
			}
		}
		if mark != "" {
			if len(out) > 0 && out[0].wild == 0 {
				out[0].text = mark + out[0].text
			} else {
				out = append([]naivePart{{text: mark}}, out...)
			}
		}
		return [][]naivePart{out}
	}
	switch m {
	case "contains":
		return [][]naivePart{naiveWrap(p, true, true)}
	case "startswith":
		return [][]naivePart{naiveWrap(p, false, true)}
	case "endswith":
		return [][]naivePart{naiveWrap(p, true, false)}
	case "windash":
		return naiveDashes(p)
	case "base64":
		return literal(base64.StdEncoding.EncodeToString([]byte(plain)))
	case "base64offset":
		return literal(naiveOffsets(plain)...)
	case "wide", "utf16le":
		return reencode("", binary.LittleEndian)
	case "utf16be":
		return reencode("", binary.BigEndian)
	case "utf16":
		return reencode("\xFF\xFE", binary.LittleEndian)
	}
	return [][]naivePart{p}
}

// naiveDashes spells out all permutations.
func naiveDashes(p []naivePart) [][]naivePart {
	all := [][]naivePart{{}}
	add := func(parts ...naivePart) {
		var next [][]naivePart
		for _, start := range all {
			for _, part := range parts {
				grown := slices.Clone(start)
				if k := len(grown); k > 0 && grown[k-1].wild == 0 && part.wild == 0 {
					grown[k-1].text += part.text
				} else {
					grown = append(grown, part)
				}
				next = append(next, grown)
			}
		}
		all = next
	}
	for _, part := range p {
		if part.wild != 0 {
			add(part)
			continue
		}
		for _, r := range part.text {
			if strings.ContainsRune("-/–—―", r) {
				add(naivePart{text: "-"}, naivePart{text: "/"}, naivePart{text: "–"}, naivePart{text: "—"}, naivePart{text: "―"})
			} else {
				add(naivePart{text: string(r)})
			}
		}
	}
	return all
}

// naiveOffsets finds what of an encoding does not change, whatever stands
// before and behind the value.
func naiveOffsets(value string) []string {
	var variants []string
	for offset := range 3 {
		encode := func(c string) string {
			return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, offset) + value + strings.Repeat(c, 6)))
		}
		a, b := encode("\x00"), encode("\xFF")
		start, end := 0, 0
		for start < len(a) && a[start] != b[start] {
			start++
		}
		for end = start; end < len(a) && a[end] == b[end]; end++ {
		}
		if end > start {
			variants = append(variants, a[start:end])
		}
	}
	return variants
}

// naiveLike matches by trying every length for "*".
func naiveLike(p []naivePart, text string) bool {
	if len(p) == 0 {
		return text == ""
	}
	switch first := p[0]; first.wild {
	case '?':
		_, size := utf8.DecodeRuneInString(text)
		return text != "" && naiveLike(p[1:], text[size:])
	case '*':
		for len(p) > 1 && p[1].wild == '*' {
			p = p[1:]
		}
		if len(p) == 1 {
			return true
		}
		if p[1].wild == 0 { // only places where the text goes on in this way are worth a try
			for {
				i := strings.Index(text, p[1].text)
				if i < 0 {
					return false
				}
				if naiveLike(p[1:], text[i:]) {
					return true
				}
				_, size := utf8.DecodeRuneInString(text[i:])
				text = text[i+size:]
			}
		}
		for {
			if naiveLike(p[1:], text) {
				return true
			}
			if text == "" {
				return false
			}
			_, size := utf8.DecodeRuneInString(text)
			text = text[size:]
		}
	default:
		return strings.HasPrefix(text, first.text) && naiveLike(p[1:], text[len(first.text):])
	}
}
