package coverage

import (
	"slices"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// test is one value of one line of a rule.
type test struct {
	field    string // common name
	as       string // as the rule calls it
	operator string
	value    string // as written, without the wildcards that the operator stands for
	excluded bool   // the rule leaves it out
	folds    bool   // case does not count
}

// testsOf takes a line apart, value by value.
func testsOf(it *sigma.Item) []test {
	base := test{field: commonName(it.Field), as: it.Field, excluded: it.Excluded, folds: true}
	var modifiers []string
	compares := it.Field == "" // keywords are looked for anywhere
	for _, m := range it.Modifiers {
		switch m {
		case "neq":
			base.excluded = !base.excluded
			continue
		case "expand":
			continue
		case "re", "cased":
			base.folds = false
		}
		compares = compares || !slices.Contains(transformations, m)
		modifiers = append(modifiers, m)
	}
	tests := make([]test, 0, len(it.Values))
	for _, v := range it.Values {
		t := base
		t.value = v.Text
		switch {
		case v.Null:
			t.operator = "null"
		case it.Field == "":
			t.operator = strings.Join(append([]string{"contains"}, modifiers...), "|")
		case compares:
			t.operator = strings.Join(modifiers, "|")
		default:
			var comparator string
			comparator, t.value = byWildcards(v.Text)
			t.operator = strings.Join(append([]string{comparator}, modifiers...), "|")
		}
		tests = append(tests, t)
	}
	return tests
}

// transformations are modifiers that say nothing of how values compare.
var transformations = []string{
	"all", "cased", "windash", "base64", "base64offset", "wide", "utf16", "utf16le", "utf16be",
}

// byWildcards says how a value without a comparator compares: "*x" is
// endswith x.
func byWildcards(text string) (comparator, value string) {
	value, starts := strings.CutPrefix(text, "*")
	ends := strings.HasSuffix(value, "*") && !escaped(value, len(value)-1)
	if ends {
		value = value[:len(value)-1]
	}
	switch {
	case value == "" && (starts || ends):
		return "present", ""
	case hasWildcard(value):
		return "like", text
	case starts && ends:
		return "contains", value
	case starts:
		return "endswith", value
	case ends:
		return "startswith", value
	}
	return "equals", value
}

func hasWildcard(text string) bool {
	for i := range len(text) {
		if (text[i] == '*' || text[i] == '?') && !escaped(text, i) {
			return true
		}
	}
	return false
}

// escaped says that the character at i follows an odd number of backslashes.
func escaped(text string, i int) bool {
	n := 0
	for n < i && text[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// isIndicator says that the value is something to look for: not the kind of
// event, not that a field is there, not a yes or no.
func (t *test) isIndicator() bool {
	switch first, _, _ := strings.Cut(t.operator, "|"); first {
	case "null", "exists", "present", "fieldref":
		return false
	}
	switch strings.ToLower(t.value) {
	case "", "true", "false":
		return false
	}
	return !slices.Contains(kindFields, t.field)
}

// kindFields say what kind of event it is.
var kindFields = []string{"event.code", "event.provider", "event.type", "event.action", "event.category", "event.dataset", "log.channel"}

// key is the same for values that are the same.
func (t *test) key() string {
	if t.folds {
		return strings.ToLower(t.value)
	}
	return t.value
}

// rowOperator is the operator without what is about the other values of a
// line.
func (t *test) rowOperator() string {
	parts := slices.DeleteFunc(strings.Split(t.operator, "|"), func(m string) bool { return m == "all" })
	return strings.Join(parts, "|")
}
