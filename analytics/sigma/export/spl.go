package export

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// splSearch is the search command of Splunk's Search Processing Language:
// https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Search
//
// It compares without regard to case, and NOT of a comparison holds where the
// field is absent. Its "*" cannot be escaped, and it knows no "?".
type splSearch struct{}

// splWhere is the where command, for what search cannot ask:
// https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Where
//
// It compares with regard to case; a comparison with an absent field is NULL.
type splWhere struct{}

// splQuote is a text for both commands: backslashes and quotes are escaped.
func splQuote(text string) string { return `"` + escape(text, `\"`) + `"` }

func (splSearch) words() (and, or, not string) { return "AND", "OR", "NOT " }
func (splSearch) style() regexStyle            { return styleFind }
func (splSearch) comment(line string) string   { return "``` " + line + " ```" }

func (splSearch) name(f field) string {
	if simpleName(f.name) {
		return f.name
	}
	return `"` + f.name + `"`
}

func (s splSearch) text(f field, v value) (string, error) {
	if v.cased || strings.Contains(v.literals(), "*") {
		return "", errStage
	}
	for _, piece := range v.pieces {
		if piece.Kind == sigma.PieceOne {
			return "", errStage
		}
	}
	pattern := v.wildcards("*", "", func(text string) string { return escape(text, `\"`) })
	return s.name(f) + `="` + pattern + `"`, nil
}

func (s splSearch) in(f field, texts []string, cased bool) (string, bool) {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		if cased || strings.Contains(text, "*") {
			return "", false
		}
		quoted[i] = splQuote(text)
	}
	return s.name(f) + " IN (" + strings.Join(quoted, ", ") + ")", true
}

func (splSearch) regex(field, regex) (string, error) { return "", errStage }

func (s splSearch) number(f field, compare, number string) (string, error) {
	return s.name(f) + compare + number, nil
}

func (s splSearch) cidr(f field, prefix netip.Prefix) (string, error) {
	if prefix.Addr().Is6() {
		return "", errStage
	}
	return s.name(f) + `="` + prefix.String() + `"`, nil
}

func (splSearch) ref(field, field, sigma.Shape, bool) (string, error) { return "", errStage }

func (s splSearch) present(f field) (string, error) { return s.name(f) + "=*", nil }
func (s splSearch) absent(f field) (string, error)  { return "NOT " + s.name(f) + "=*", nil }

func (s splSearch) empty(f field) (test, note string, err error) {
	return s.name(f) + `=""`, "", nil
}

func (splSearch) asText(f field) (text field, guard string) {
	return field{name: f.name, own: f.own, not: f.not}, ""
}

func (splSearch) query(from *Source, parts [][]string, _ *sigma.Rule) string {
	var search []string
	for _, part := range append([]string{from.From, from.Where}, parts[0]...) {
		if part != "" {
			search = append(search, part)
		}
	}
	if len(search) == 0 {
		search = []string{"index=*"}
	}
	query := strings.Join(search, "\n")
	for _, part := range parts[1] {
		query += "\n| where " + part
	}
	return query
}

func (splWhere) words() (and, or, not string) { return "AND", "OR", "NOT " }
func (splWhere) style() regexStyle            { return styleFind }
func (splWhere) comment(line string) string   { return splSearch{}.comment(line) }

// name: in expressions a dot joins texts. With a parenthesis it is one.
func (splWhere) name(f field) string {
	if strings.Contains(f.name, "(") || simpleName(f.name) && !strings.Contains(f.name, ".") {
		return f.name
	}
	return "'" + f.name + "'"
}

// certain makes false of NULL.
func (s splWhere) certain(f field, test string) string {
	if f.not {
		return "(isnotnull(" + s.name(f) + ") AND " + test + ")"
	}
	return test
}

func (s splWhere) text(f field, v value) (string, error) {
	if v.cased && v.extent == whole {
		return s.certain(f, s.name(f)+"=="+splQuote(v.text)), nil
	}
	return s.regex(f, s.style().ofValue(&v))
}

func (s splWhere) regex(f field, r regex) (string, error) {
	return s.certain(f, fmt.Sprintf("match(%s, %s)", s.name(f), splQuote(r.inline()))), nil
}

func (s splWhere) number(f field, compare, number string) (string, error) {
	if compare == "=" {
		compare = "=="
	}
	f = field{name: "tonumber(" + s.name(f) + ")", not: f.not} // NULL where it is no number
	return s.certain(f, s.name(f)+compare+number), nil
}

func (s splWhere) cidr(f field, prefix netip.Prefix) (string, error) {
	return s.certain(f, fmt.Sprintf(`cidrmatch("%s", %s)`, prefix, s.name(f))), nil
}

func (s splWhere) ref(f, other field, shape sigma.Shape, cased bool) (string, error) {
	if shape != sigma.ShapeExact {
		return "", fmt.Errorf("fieldref to a part of a field")
	}
	a, b := s.name(f), s.name(other)
	test := fmt.Sprintf("lower(%s)==lower(%s)", a, b)
	if cased {
		test = a + "==" + b
	}
	return s.certain(f, s.certain(other, test)), nil
}

func (s splWhere) present(f field) (string, error) { return "isnotnull(" + s.name(f) + ")", nil }
func (s splWhere) absent(f field) (string, error)  { return "isnull(" + s.name(f) + ")", nil }

func (s splWhere) empty(f field) (test, note string, err error) {
	return s.certain(f, s.name(f)+`==""`), "", nil
}

func (splWhere) asText(f field) (text field, guard string) { return splSearch{}.asText(f) }

func (splWhere) query(from *Source, parts [][]string, rule *sigma.Rule) string {
	return splSearch{}.query(from, parts, rule)
}
