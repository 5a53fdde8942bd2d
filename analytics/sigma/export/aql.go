package export

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// aql is the Ariel Query Language of IBM QRadar:
// https://www.ibm.com/docs/en/qsip/7.5?topic=language-aql-logical-comparison-operators
//
// ILIKE and IMATCHES compare without regard to case. How "%", "_" and
// backslashes are escaped within a pattern of LIKE is not documented: values
// that have them become regular expressions of IMATCHES, which say the same
// whether a match of a part will do or not.
type aql struct{}

func (aql) words() (and, or, not string) { return "AND", "OR", "NOT " }
func (aql) style() regexStyle            { return styleBoth }
func (aql) comment(line string) string   { return "-- " + line }

// quote: two quotes are one, backslashes have no meaning of their own.
func (aql) quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func (aql) name(f field) string {
	if f.own {
		return `"` + f.name + `"`
	}
	return f.name
}

// certain makes false of what is unknown.
func (a aql) certain(f field, test string) string {
	if f.not {
		return "(" + a.name(f) + " IS NOT NULL AND " + test + ")"
	}
	return test
}

func (a aql) text(f field, v value) (string, error) {
	all := v.literals()
	switch {
	case v.extent == whole && (v.cased || f.kind != ""):
		return a.certain(f, a.name(f)+" = "+a.quote(v.text)), nil
	case strings.ContainsAny(all, `%_\`):
		return a.regex(f, a.style().ofValue(&v))
	}
	operator := " ILIKE "
	if v.cased {
		operator = " LIKE "
	}
	pattern := v.wildcards("%", "_", func(text string) string { return text })
	return a.certain(f, a.name(f)+operator+a.quote(pattern)), nil
}

func (a aql) in(f field, texts []string, cased bool) (string, bool) {
	name := a.name(f)
	if !cased {
		name = "LOWER(" + name + ")"
	}
	quoted := make([]string, len(texts))
	for i, text := range texts {
		if !cased {
			text = strings.ToLower(text)
		}
		quoted[i] = a.quote(text)
	}
	return a.certain(f, name+" IN ("+strings.Join(quoted, ", ")+")"), true
}

func (a aql) regex(f field, r regex) (string, error) {
	operator := " MATCHES "
	if r.fold {
		operator, r.fold = " IMATCHES ", false
	}
	return a.certain(f, a.name(f)+operator+a.quote(r.inline())), nil
}

func (a aql) number(f field, compare, number string) (string, error) {
	if f.kind != "number" {
		f = field{name: "DOUBLE(" + a.name(f) + ")", not: f.not} // NULL where it is no number
	}
	return a.certain(f, fmt.Sprintf("%s %s %s", a.name(f), compare, number)), nil
}

func (a aql) cidr(f field, prefix netip.Prefix) (string, error) {
	if prefix.Addr().Is6() {
		return "", fmt.Errorf("a range of IPv6 addresses")
	}
	return a.certain(f, fmt.Sprintf("INCIDR(%s, %s)", a.quote(prefix.String()), a.name(f))), nil
}

func (a aql) ref(f, other field, shape sigma.Shape, cased bool) (string, error) {
	if shape != sigma.ShapeExact {
		return "", fmt.Errorf("fieldref to a part of a field")
	}
	one, two := a.name(f), a.name(other)
	if !cased && f.kind == "" {
		one, two = "LOWER("+one+")", "LOWER("+two+")"
	}
	return a.certain(f, a.certain(other, one+" = "+two)), nil
}

func (a aql) present(f field) (string, error) { return a.name(f) + " IS NOT NULL", nil }
func (a aql) absent(f field) (string, error)  { return a.name(f) + " IS NULL", nil }

func (a aql) empty(f field) (test, note string, err error) {
	return a.certain(f, a.name(f)+" = ''"), "", nil
}

func (a aql) asText(f field) (text field, guard string) {
	return field{name: "STR(" + a.name(f) + ")", not: f.not}, ""
}

func (aql) query(from *Source, parts [][]string, _ *sigma.Rule) string {
	where := parts[0]
	if from.Where != "" {
		where = append([]string{from.Where}, where...)
	}
	return "SELECT *, UTF8(payload) AS payload_text FROM events\nWHERE " + strings.Join(where, "\n  AND ") + "\nLAST 24 HOURS"
}
