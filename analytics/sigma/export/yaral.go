package export

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// yaral is YARA-L 2.0 of Google Security Operations, over UDM events:
// https://cloud.google.com/chronicle/docs/detection/yara-l-2-0-syntax
//
// A text field that is absent is the empty text, a number 0.
type yaral struct{}

func (yaral) words() (and, or, not string) { return "and", "or", "not " }
func (yaral) style() regexStyle            { return styleFind }
func (yaral) comment(line string) string   { return "// " + line }

func (yaral) quote(text string) string { return `"` + escape(text, `\"`) + `"` }

func (y yaral) name(f field) string {
	if f.own {
		return "$e.additional.fields[" + y.quote(f.name) + "]"
	}
	return f.name
}

func (yaral) nocase(test string, fold bool) string {
	if fold {
		return test + " nocase"
	}
	return test
}

func (y yaral) text(f field, v value) (string, error) {
	if v.extent != whole {
		return y.regex(f, y.style().ofValue(&v))
	}
	return y.nocase(y.name(f)+" = "+y.quote(v.text), !v.cased), nil
}

func (y yaral) in(f field, texts []string, cased bool) (string, bool) {
	text, err := y.regex(f, y.style().ofList(texts, cased))
	return text, err == nil
}

// regex: without the flag s, only the first line of a field is looked at.
func (y yaral) regex(f field, r regex) (string, error) {
	fold := r.fold
	r.fold = false
	return y.nocase(y.name(f)+" = /"+strings.ReplaceAll(r.inline(), "/", `\/`)+"/", fold), nil
}

func (y yaral) number(f field, compare, number string) (string, error) {
	if f.kind != "number" {
		return "", fmt.Errorf("a comparison of numbers with a field that is a text there")
	}
	if holdsForZero(compare, number) { // which an absent number is
		return fmt.Sprintf("(%s != 0 and %s %s %s)", y.name(f), y.name(f), compare, number), nil
	}
	return fmt.Sprintf("%s %s %s", y.name(f), compare, number), nil
}

// holdsForZero: numbers are decimal.
func holdsForZero(compare, number string) bool {
	negative, zero := strings.HasPrefix(number, "-"), strings.Trim(number, "-0.") == ""
	switch compare {
	case "<":
		return !negative && !zero
	case "<=":
		return !negative || zero
	case ">":
		return negative && !zero
	case ">=":
		return negative || zero
	}
	return zero
}

func (y yaral) cidr(f field, prefix netip.Prefix) (string, error) {
	return fmt.Sprintf("net.ip_in_range_cidr(%s, %s)", y.name(f), y.quote(prefix.String())), nil
}

func (y yaral) ref(f, other field, shape sigma.Shape, cased bool) (string, error) {
	a, b := y.name(f), y.name(other)
	if f.kind == "number" {
		return a + " = " + b, nil
	}
	guard := fmt.Sprintf(`(%s != "" and %s != "" and `, a, b)
	if !cased {
		a, b = "strings.to_lower("+a+")", "strings.to_lower("+b+")"
	}
	return guard + ofShape(shape, a+" = "+b, "strings.starts_with("+a+", "+b+")", "strings.ends_with("+a+", "+b+")", "strings.contains("+a+", "+b+")") + ")", nil
}

func (y yaral) present(f field) (string, error) { return y.name(f) + " != " + y.zero(f), nil }
func (y yaral) absent(f field) (string, error)  { return y.name(f) + " = " + y.zero(f), nil }

func (yaral) zero(f field) string {
	if f.kind == "number" {
		return "0"
	}
	return `""`
}

func (y yaral) empty(f field) (test, note string, err error) {
	test, err = y.absent(f)
	return test, "UDM does not tell an empty field from one that is absent", err
}

func (y yaral) asText(f field) (text field, guard string) {
	if f.kind == "ip" { // a text there
		return field{name: f.name, own: f.own, not: f.not}, ""
	}
	return field{name: "cast.as_string(" + y.name(f) + ")", not: f.not}, y.name(f) + " != 0"
}

func (y yaral) query(from *Source, parts [][]string, rule *sigma.Rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %s {\n  meta:\n", yaralName(rule))
	for _, meta := range [][2]string{
		{"title", rule.Title},
		{"id", rule.ID},
		{"description", rule.Description},
		{"author", rule.Author},
		{"severity", strings.ToUpper(rule.Level)},
		{"tags", strings.Join(rule.Tags, " ")},
	} {
		if text := oneLine(meta[1]); text != "" && readable(text) {
			fmt.Fprintf(&b, "    %s = %s\n", meta[0], y.quote(text))
		}
	}
	b.WriteString("  events:\n")
	for _, part := range append([]string{from.Where}, parts[0]...) {
		if part != "" {
			fmt.Fprintf(&b, "    %s\n", part)
		}
	}
	b.WriteString("  condition:\n    $e\n}")
	return b.String()
}

// yaralName makes an identifier of a rule's title.
func yaralName(rule *sigma.Rule) string {
	name := strings.Join(strings.FieldsFunc(strings.ToLower(rule.Title), func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9')
	}), "_")
	if len(name) > 100 {
		name = name[:100]
	}
	return "sigma_" + name
}
