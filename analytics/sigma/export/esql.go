package export

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// esql is Elastic's ES|QL:
// https://www.elastic.co/docs/reference/query-languages/esql
//
// It is preferred to Lucene's and Kibana's languages because those compare
// with regard to case on keyword fields. Comparisons with an absent field are
// null. A column that no index has is an error there.
type esql struct{}

func (esql) words() (and, or, not string) { return "AND", "OR", "NOT " }
func (esql) style() regexStyle            { return styleLucene }
func (esql) comment(line string) string   { return "// " + line }

// quote is a text as ES|QL has it. Expressions may have line breaks in them,
// and the form feed of "\s", which stands as it is.
func (esql) quote(text string) (string, error) {
	text = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(escape(text, `\"`))
	if !printable(strings.ReplaceAll(text, "\f", "")) {
		return "", fmt.Errorf("a value with control characters")
	}
	return `"` + text + `"`, nil
}

// name: each part of a name between dots may need backquotes. With a
// parenthesis it is an expression.
func (esql) name(f field) string {
	if strings.Contains(f.name, "(") {
		return f.name
	}
	parts := strings.Split(f.name, ".")
	for i, part := range parts {
		if !simpleName(part) {
			parts[i] = "`" + part + "`"
		}
	}
	return strings.Join(parts, ".")
}

func (e esql) folded(f field, cased bool) string {
	if cased {
		return e.name(f)
	}
	return "TO_LOWER(" + e.name(f) + ")"
}

// certain makes false of null.
func (esql) certain(f field, test string) string {
	if f.not {
		return "COALESCE(" + test + ", FALSE)"
	}
	return test
}

func (e esql) compare(f field, cased bool, operator, text string) (string, error) {
	quoted, err := e.quote(text)
	return e.certain(f, e.folded(f, cased)+" "+operator+" "+quoted), err
}

func (e esql) text(f field, v value) (string, error) {
	lower := func(text string) string {
		if v.cased {
			return text
		}
		return strings.ToLower(text)
	}
	if v.extent == whole {
		return e.compare(f, v.cased, "==", lower(v.text))
	}
	return e.compare(f, v.cased, "LIKE", v.wildcards("*", "?", func(text string) string { return escape(lower(text), `\*?`) }))
}

func (e esql) in(f field, texts []string, cased bool) (string, bool) {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		if !cased {
			text = strings.ToLower(text)
		}
		quoted[i], _ = e.quote(text) // it is printable
	}
	return e.certain(f, e.folded(f, cased)+" IN ("+strings.Join(quoted, ", ")+")"), true
}

// regex: a rule's own expressions have their case in them.
func (e esql) regex(f field, r regex) (string, error) {
	return e.compare(f, !r.fold, "RLIKE", r.body)
}

func (e esql) number(f field, compare, number string) (string, error) {
	name := e.name(f)
	if f.kind != "number" {
		name = "TO_DOUBLE(" + name + ")"
	}
	if compare == "=" {
		compare = "=="
	}
	return e.certain(f, fmt.Sprintf("%s %s %s", name, compare, number)), nil
}

func (e esql) cidr(f field, prefix netip.Prefix) (string, error) {
	name := e.name(f)
	if f.kind != "ip" {
		name = "TO_IP(" + name + ")"
	}
	return e.certain(f, fmt.Sprintf("CIDR_MATCH(%s, %q)", name, prefix.String())), nil
}

func (e esql) ref(f, other field, shape sigma.Shape, cased bool) (string, error) {
	a, b := e.folded(f, cased), e.folded(other, cased)
	if f.kind != "" {
		a, b = e.name(f), e.name(other)
	}
	return e.certain(f, ofShape(shape, a+" == "+b, "STARTS_WITH("+a+", "+b+")", "ENDS_WITH("+a+", "+b+")", "LOCATE("+a+", "+b+") > 0")), nil
}

func (e esql) present(f field) (string, error) { return e.name(f) + " IS NOT NULL", nil }
func (e esql) absent(f field) (string, error)  { return e.name(f) + " IS NULL", nil }

func (e esql) empty(f field) (test, note string, err error) {
	return e.certain(f, e.name(f)+` == ""`), "", nil
}

func (e esql) asText(f field) (text field, guard string) {
	return field{name: "TO_STRING(" + e.name(f) + ")", not: f.not}, ""
}

func (esql) query(from *Source, parts [][]string, _ *sigma.Rule) string {
	index := from.From
	if index == "" {
		index = "logs-*"
	}
	where := parts[0]
	if from.Where != "" {
		where = append([]string{from.Where}, where...)
	}
	for i, part := range where {
		where[i] = "| WHERE " + part
	}
	return "FROM " + index + " METADATA _id, _index, _version\n" + strings.Join(where, "\n")
}
