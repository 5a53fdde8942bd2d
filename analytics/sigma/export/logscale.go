package export

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// logscale is the query language of CrowdStrike Falcon LogScale:
// https://library.humio.com/lql-grammar/syntax-grammar-guide-subset.html
//
// Patterns have regard to case and their "*" cannot be escaped: texts become
// regular expressions. "or" binds closer than "and", so that parentheses stand
// around both.
type logscale struct{}

func (logscale) words() (and, or, not string) { return "and", "or", "not " }
func (logscale) style() regexStyle            { return styleFind }
func (logscale) comment(line string) string   { return "// " + line }

func (logscale) name(f field) string {
	if simpleName(strings.TrimLeft(f.name, "@#")) {
		return f.name
	}
	return `"` + f.name + `"`
}

func (l logscale) text(f field, v value) (string, error) {
	if v.cased && v.extent == whole && !strings.Contains(v.text, "*") {
		return l.name(f) + `="` + escape(v.text, `\"`) + `"`, nil
	}
	return l.regex(f, l.style().ofValue(&v))
}

func (l logscale) in(f field, texts []string, cased bool) (string, bool) {
	text, err := l.regex(f, l.style().ofList(texts, cased))
	return text, err == nil
}

// regex: the flag d is what others call s. What m means is not documented
// clearly enough to use it.
func (l logscale) regex(f field, r regex) (string, error) {
	if r.lines {
		return "", fmt.Errorf("regular expression with the flag m")
	}
	return l.name(f) + "=/" + strings.ReplaceAll(r.body, "/", `\/`) + "/" + r.flags("i", "d", ""), nil
}

func (l logscale) number(f field, compare, number string) (string, error) {
	return l.name(f) + " " + compare + " " + number, nil
}

func (l logscale) cidr(f field, prefix netip.Prefix) (string, error) {
	return fmt.Sprintf("cidr(%s, subnet=%q)", l.name(f), prefix.String()), nil
}

func (l logscale) ref(f, other field, shape sigma.Shape, cased bool) (string, error) {
	if shape != sigma.ShapeExact || !cased || !simpleName(f.name) || !simpleName(other.name) {
		return "", fmt.Errorf("fieldref, but of whole values with regard to case")
	}
	return fmt.Sprintf("test(%s == %s)", f.name, other.name), nil
}

func (l logscale) present(f field) (string, error) { return l.name(f) + "=*", nil }
func (l logscale) absent(f field) (string, error)  { return "not (" + l.name(f) + "=*)", nil }

func (l logscale) empty(f field) (test, note string, err error) {
	return l.name(f) + `=""`, "", nil
}

func (logscale) asText(f field) (text field, guard string) {
	return field{name: f.name, own: f.own, not: f.not}, ""
}

func (logscale) query(from *Source, parts [][]string, _ *sigma.Rule) string {
	var steps []string
	for _, part := range append([]string{from.From, from.Where}, parts[0]...) {
		if part != "" {
			steps = append(steps, part)
		}
	}
	return strings.Join(steps, "\n| ")
}
