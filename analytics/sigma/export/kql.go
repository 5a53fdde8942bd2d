package export

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// kql is Microsoft's Kusto Query Language, for Sentinel and Defender XDR:
// https://learn.microsoft.com/kusto/query/
//
// Text columns are never null there: what is absent is the empty text.
type kql struct{}

func (kql) words() (and, or, not string) { return "and", "or", "not" }
func (kql) style() regexStyle            { return styleFind }
func (kql) comment(line string) string   { return "// " + line }

func (kql) quote(text string) string { return `"` + escape(text, `\"`) + `"` }

func (k kql) name(f field) string {
	if f.own {
		return "tostring(column_ifexists(" + k.quote(f.name) + `, ""))`
	}
	return f.name
}

// text: the operators without regard to case fold ASCII only.
func (k kql) text(f field, v value) (string, error) {
	name, text, cased := k.name(f), v.text, v.cased
	if v.extent == glob {
		return k.regex(f, k.style().ofValue(&v))
	}
	if !cased && !foldsInASCII(text) && f.name != "*" {
		name, text, cased = "tolower("+name+")", strings.ToLower(text), true
	}
	operator := [...]string{whole: "=~", start: "startswith", end: "endswith", inside: "contains"}[v.extent]
	if cased {
		operator = [...]string{whole: "==", start: "startswith_cs", end: "endswith_cs", inside: "contains_cs"}[v.extent]
	}
	return fmt.Sprintf("%s %s %s", name, operator, k.quote(text)), nil
}

func (k kql) in(f field, texts []string, cased bool) (string, bool) {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		if !cased && !foldsInASCII(text) {
			return "", false
		}
		quoted[i] = k.quote(text)
	}
	operator := "in~"
	if cased {
		operator = "in"
	}
	return fmt.Sprintf("%s %s (%s)", k.name(f), operator, strings.Join(quoted, ", ")), true
}

func (k kql) regex(f field, r regex) (string, error) {
	if f.name == "*" {
		return "", fmt.Errorf("keywords with wildcards or as a regular expression")
	}
	return fmt.Sprintf("%s matches regex %s", k.name(f), k.quote(r.inline())), nil
}

func (k kql) number(f field, compare, number string) (string, error) {
	name := k.name(f)
	if f.kind != "number" {
		name = "todouble(" + name + ")"
	}
	if compare == "=" {
		compare = "=="
	}
	return k.certain(f, fmt.Sprintf("%s %s %s", name, compare, number)), nil
}

// certain makes false of null.
func (kql) certain(f field, test string) string {
	if f.not {
		return "coalesce(" + test + ", false)"
	}
	return test
}

func (k kql) cidr(f field, prefix netip.Prefix) (string, error) {
	function := "ipv4_is_in_range"
	if prefix.Addr().Is6() {
		function = "ipv6_is_in_range"
	}
	return k.certain(f, fmt.Sprintf("%s(%s, %s)", function, k.name(f), k.quote(prefix.String()))), nil
}

func (k kql) ref(f, other field, shape sigma.Shape, cased bool) (string, error) {
	a, b := k.name(f), k.name(other)
	if f.kind == "number" {
		return k.certain(f, a+" == "+b), nil
	}
	guard := fmt.Sprintf("(isnotempty(%s) and isnotempty(%s) and ", a, b)
	if !cased {
		a, b = "tolower("+a+")", "tolower("+b+")"
	}
	return guard + a + " " + ofShape(shape, "==", "startswith_cs", "endswith_cs", "contains_cs") + " " + b + ")", nil
}

func (k kql) present(f field) (string, error) { return "isnotempty(" + k.name(f) + ")", nil }
func (k kql) absent(f field) (string, error)  { return "isempty(" + k.name(f) + ")", nil }

func (k kql) empty(f field) (test, note string, err error) {
	test, err = k.absent(f)
	return test, "KQL does not tell an empty field from one that is absent", err
}

func (k kql) asText(f field) (text field, guard string) {
	return field{name: "tostring(" + k.name(f) + ")", not: f.not}, ""
}

func (kql) query(from *Source, parts [][]string, _ *sigma.Rule) string {
	lines := []string{from.From}
	if from.From == "" {
		lines = []string{"union *"}
	}
	if from.Where != "" {
		lines = append(lines, from.Where)
	}
	for _, part := range parts[0] {
		lines = append(lines, "where "+part)
	}
	return strings.Join(lines, "\n| ")
}
