package export

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// sumo is the search language of Sumo Logic:
// https://help.sumologic.com/docs/search/search-query-language/search-operators/where/
// https://help.sumologic.com/docs/search/search-query-language/search-operators/matches/
//
// Comparisons have regard to case. The "*" of matches cannot be escaped;
// whether its expressions (RE2) match a part or the whole is not said, and
// those here say the same either way.
type sumo struct{}

func (sumo) words() (and, or, not string) { return "and", "or", "!" }
func (sumo) style() regexStyle            { return styleBoth }
func (sumo) comment(line string) string   { return "// " + line }

func (sumo) quote(text string) string { return `"` + escape(text, `\"`) + `"` }

// name: with a bracket or parenthesis it is an expression.
func (sumo) name(f field) string {
	if strings.ContainsAny(f.name, "[(") || simpleName(f.name) && !strings.Contains(f.name, ".") {
		return f.name
	}
	return `%"` + f.name + `"`
}

// certain keeps null out of a comparison.
func (s sumo) certain(f field, test string) string {
	if f.not {
		return "(!isNull(" + s.name(f) + ") and " + test + ")"
	}
	return test
}

func (s sumo) text(f field, v value) (string, error) {
	if v.extent != whole {
		return s.regex(f, s.style().ofValue(&v))
	}
	if v.cased || f.kind != "" {
		return s.certain(f, s.name(f)+" = "+s.quote(v.text)), nil
	}
	return s.certain(f, "toLowerCase("+s.name(f)+") = "+s.quote(strings.ToLower(v.text))), nil
}

func (s sumo) in(f field, texts []string, cased bool) (string, bool) {
	name := s.name(f)
	if !cased {
		name = "toLowerCase(" + name + ")"
	}
	quoted := make([]string, len(texts))
	for i, text := range texts {
		if !cased {
			text = strings.ToLower(text)
		}
		quoted[i] = s.quote(text)
	}
	return s.certain(f, name+" in ("+strings.Join(quoted, ", ")+")"), true
}

func (s sumo) regex(f field, r regex) (string, error) {
	return s.certain(f, s.name(f)+" matches /"+strings.ReplaceAll(r.inline(), "/", `\/`)+"/"), nil
}

func (s sumo) number(f field, compare, number string) (string, error) {
	f = field{name: "num(" + s.name(f) + ")", not: f.not} // null where it is no number
	return s.certain(f, fmt.Sprintf("%s %s %s", s.name(f), compare, number)), nil
}

func (s sumo) cidr(f field, prefix netip.Prefix) (string, error) {
	if prefix.Addr().Is6() {
		return "", fmt.Errorf("a range of IPv6 addresses")
	}
	return s.certain(f, fmt.Sprintf("compareCIDRPrefix(%s, %s, toInt(%d))", s.quote(prefix.Addr().String()), s.name(f), prefix.Bits())), nil
}

func (s sumo) ref(f, other field, shape sigma.Shape, cased bool) (string, error) {
	a, b := s.name(f), s.name(other)
	if !cased {
		a, b = "toLowerCase("+a+")", "toLowerCase("+b+")"
	}
	if shape != sigma.ShapeExact && shape != sigma.ShapeContains {
		return "", fmt.Errorf("fieldref to the start or the end of a field")
	}
	return s.certain(f, s.certain(other, ofShape(shape, a+" = "+b, "", "", "contains("+a+", "+b+")"))), nil
}

func (s sumo) present(f field) (string, error) { return "!isNull(" + s.name(f) + ")", nil }
func (s sumo) absent(f field) (string, error)  { return "isNull(" + s.name(f) + ")", nil }

func (s sumo) empty(f field) (test, note string, err error) {
	return s.certain(f, s.name(f)+` = ""`), "", nil
}

func (sumo) asText(f field) (text field, guard string) {
	return field{name: f.name, own: f.own, not: f.not}, ""
}

func (sumo) query(from *Source, parts [][]string, _ *sigma.Rule) string {
	scope := from.From
	if scope == "" {
		scope = "*"
	}
	where := parts[0]
	if from.Where != "" {
		where = append([]string{from.Where}, where...)
	}
	return scope + "\n| where " + strings.Join(where, "\n| where ")
}
