package export

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
)

// field is a field in the other system.
type field struct {
	name string // as the table has it, or Sigma's own
	own  bool   // it is Sigma's own
	kind string // of fieldTypes
	// values: what Sigma's values are called there, if they have other names
	values map[string]string
	not    bool // a "not" stands around: a test must be false where the field is absent
}

// language writes tests and puts queries together. Texts that it is given are
// printable, those in lists, too; it makes literals of them.
type language interface {
	// words are "and", "or", and "not" as it stands before a parenthesis.
	words() (and, or, not string)
	style() regexStyle
	text(f field, v value) (string, error)
	regex(f field, r regex) (string, error)
	number(f field, compare, number string) (string, error)
	cidr(f field, prefix netip.Prefix) (string, error)
	ref(f, other field, shape sigma.Shape, cased bool) (string, error)
	present(f field) (string, error)
	absent(f field) (string, error)
	// empty holds where the field is there with nothing in it. The note says
	// what it cannot tell apart.
	empty(f field) (test, note string, err error)
	// asText makes a text of a field that is none, for tests of text. Guard is
	// what else must hold, if the text of an absent field is not empty.
	asText(f field) (text field, guard string)
	comment(line string) string
	// query puts together what each stage of the language has to ask for.
	query(from *Source, parts [][]string, rule *sigma.Rule) string
}

// lister is a language that has a short form for "one of these texts".
type lister interface {
	// in gives false where it has none for these.
	in(f field, texts []string, cased bool) (string, bool)
}

// test writes one test.
func (w *writer) test(t *sigma.Test, not bool) (term, error) {
	fields, always, err := w.field(t.Field, not)
	if err != nil {
		return term{}, err
	}
	if always != nil {
		return decide(t, *always)
	}
	terms := make([]term, len(fields))
	for i, f := range fields {
		if terms[i], err = w.testField(f, t); err != nil {
			return term{}, wrap(t.Field, err)
		}
	}
	return w.join(sigma.OperatorOr, terms), nil
}

func (w *writer) testField(f field, t *sigma.Test) (term, error) {
	var text string
	var err error
	switch t.Kind {
	case sigma.TestText:
		return w.values(f, t)
	case sigma.TestRegex:
		return w.search(f, t)
	case sigma.TestCIDR:
		return w.each(len(t.Prefixes), func(i int) (string, error) { return w.cidr(f, t.Prefixes[i]) })
	case sigma.TestNumber:
		if t.DatePart != "" {
			return term{}, fmt.Errorf("modifier %s", t.DatePart)
		}
		return w.each(len(t.Numbers), func(i int) (string, error) { return w.number(f, t.Compare, t.Numbers[i]) })
	case sigma.TestRef:
		return w.references(f, t)
	case sigma.TestPresent, sigma.TestExists:
		text, err = w.present(f)
	}
	return term{text: text}, err
}

func wrap(name string, err error) error {
	if err == nil || name == "" {
		return err
	}
	return fmt.Errorf("field %s: %w", name, err)
}

// field finds how a field is called, or what value it always has.
func (w *writer) field(name string, not bool) (fields []field, always *string, err error) {
	if name == "" {
		raw := cmp.Or(w.source.Raw, w.raw)
		if raw == "" {
			return nil, nil, fmt.Errorf("keywords: there is no field with the whole record")
		}
		return []field{{name: raw, not: not}}, nil, nil
	}
	mapped, known := w.source.field(name)
	switch {
	case known && mapped.Note != "":
		w.note("%s: %s", name, mapped.Note)
	case known:
	case w.fields == StrictFields:
		return nil, nil, fmt.Errorf("field %s has no mapping for %s", name, w.name)
	case !nameable(name):
		return nil, nil, fmt.Errorf("field %q cannot be named", name)
	default:
		w.note("field %s is not mapped: Sigma's own name is kept", name)
		return []field{{name: name, own: true, not: not}}, nil, nil
	}
	for _, one := range mapped.Names {
		fields = append(fields, field{name: one, kind: mapped.Type, values: mapped.Values, not: not})
	}
	return fields, mapped.Always, nil
}

// decide tells a test of a field that always has the same value.
func decide(t *sigma.Test, always string) (term, error) {
	switch t.Kind {
	case sigma.TestPresent, sigma.TestExists:
		return term{decided: true, holds: true}, nil
	case sigma.TestText:
		for _, p := range t.Patterns {
			v := newValue(p, t.Cased, t.Windash)
			holds, known := v.holdsFor(always)
			if !known || v.dashes {
				return term{}, fmt.Errorf("field %s: it always is %q there, and the value has wildcards inside", t.Field, always)
			}
			if holds {
				return term{decided: true, holds: true}, nil
			}
		}
		return term{decided: true}, nil
	}
	return term{}, fmt.Errorf("field %s: it always is %q there, which only values compare with", t.Field, always)
}

// each joins several tests by or.
func (w *writer) each(n int, one func(i int) (string, error)) (term, error) {
	terms := make([]term, n)
	for i := range n {
		var err error
		if terms[i].text, err = one(i); err != nil {
			return term{}, err
		}
	}
	return w.join(sigma.OperatorOr, terms), nil
}

// values writes a test of text.
func (w *writer) values(f field, t *sigma.Test) (term, error) {
	var terms []term
	var list []string // of whole texts, where the language has a form for lists
	lists, canList := w.language.(lister)
	for _, p := range t.Patterns {
		v := newValue(p, t.Cased, t.Windash)
		if canList && v.extent == whole && !v.dashes && v.text != "" && f.kind == "" && f.values == nil && printable(v.text) && readable(v.text) {
			list = append(list, v.text)
			continue
		}
		one, err := w.value(f, v)
		if err != nil {
			return term{}, err
		}
		terms = append(terms, one)
	}
	listed, err := w.list(f, lists, list, t.Cased)
	return w.join(sigma.OperatorOr, append(listed, terms...)), err
}

func (w *writer) list(f field, lists lister, texts []string, cased bool) ([]term, error) {
	if len(texts) > 1 {
		if text, ok := lists.in(f, texts, cased); ok {
			return []term{{text: text}}, nil
		}
	}
	terms := make([]term, len(texts))
	for i, text := range texts {
		var err error
		if terms[i], err = w.value(f, plain(text, cased)); err != nil {
			return nil, err
		}
	}
	return terms, nil
}

// value writes the test of one value.
func (w *writer) value(f field, v value) (term, error) {
	all := v.literals()
	switch {
	case !readable(all):
		return term{}, fmt.Errorf("a value has bytes that are no text")
	case v.extent == anything:
		text, err := w.present(f)
		return term{text: text}, err
	case v.extent == whole && v.text == "":
		text, note, err := w.empty(f)
		if note != "" && err == nil {
			w.note("%s", note)
		}
		return term{text: text}, err
	}
	if f.values != nil {
		translated, known := f.values[strings.ToLower(v.text)]
		if v.extent != whole || !known {
			return term{}, fmt.Errorf("%s has other values, and none for %q", f.name, v.text)
		}
		v = plain(translated, v.cased)
	}
	switch f.kind {
	case "basename":
		return w.basename(f, v)
	case "devicepath":
		return w.devicePath(f, v)
	case "command":
		return w.command(f, v)
	case "number", "ip":
		return w.typed(f, v)
	}
	return w.plainValue(f, v)
}

func (w *writer) plainValue(f field, v value) (term, error) {
	if v.dashes {
		if spelled := v.spellings(); spelled != nil && printable(v.literals()) {
			var terms []term
			for _, one := range spelled {
				t, err := w.plainValue(f, one)
				if err != nil {
					return t, err
				}
				terms = append(terms, t)
			}
			return w.join(sigma.OperatorOr, terms), nil
		}
	}
	var text string
	var err error
	if v.dashes || !printable(v.literals()) {
		text, err = w.regex(f, w.style().ofValue(&v))
	} else {
		text, err = w.text(f, v)
	}
	return term{text: text}, err
}

// typed compares a number or an address with a value that is one; with any
// other value, its text.
func (w *writer) typed(f field, v value) (term, error) {
	if v.extent == whole && !v.dashes {
		if f.kind == "number" && isNumber(v.text) {
			text, err := w.number(f, "=", v.text)
			return term{text: text}, err
		}
		if _, err := netip.ParseAddr(v.text); f.kind == "ip" && err == nil {
			text, err := w.text(f, plain(v.text, true))
			return term{text: text}, err
		}
	}
	f, guard := w.asText(f)
	t, err := w.plainValue(f, v)
	if guard != "" {
		t = w.join(sigma.OperatorAnd, []term{{text: guard}, t})
	}
	return t, err
}

// isNumber says that text is a whole number as all languages write it.
func isNumber(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == text
}

// basename turns the end of a path into a name, where the other system keeps
// names only.
func (w *writer) basename(f field, v value) (term, error) {
	if f.kind = ""; v.extent == end && strings.LastIndexAny(v.text, `\/`) == 0 && len(v.text) > 1 && !v.dashes {
		return w.plainValue(f, plain(v.text[1:], v.cased))
	}
	return term{}, fmt.Errorf("%s has names without their path, which only the end of a path with its separator can be compared with", f.name)
}

const letters = "abcdefghijklmnopqrstuvwxyz"

// devicePath writes a path that may begin with a drive, "C:" or any, where the
// other system has the drive's device.
func (w *writer) devicePath(f field, v value) (term, error) {
	f.kind = ""
	const drive = `:\`
	if !strings.Contains(v.literals(), drive) {
		return w.plainValue(f, v)
	}
	pieces := slices.Clone(v.pieces)
	if pieces[0].Kind == sigma.PieceMany {
		pieces = pieces[1:]
	} else if text := pieces[0].Text; len(text) > 1 && strings.Contains(letters, strings.ToLower(text[:1])) {
		pieces[0].Text = text[1:]
	}
	rest, isDrive := strings.CutPrefix(pieces[0].Text, ":")
	pieces[0].Text = rest
	v.pieces = pieces
	if !isDrive || strings.Contains(v.literals(), drive) {
		return term{}, fmt.Errorf("%s has no drives: one is only known at the start of a path", f.name)
	}
	r := w.style().ofValue(&v)
	r.body = `^\\Device\\HarddiskVolume[0-9]+` + strings.TrimPrefix(r.body, "^")
	text, err := w.regex(f, r)
	return term{text: text}, err
}

// command looks for the path of a command in a whole command line.
func (w *writer) command(f field, v value) (term, error) {
	f.kind = ""
	name, path := strings.CutPrefix(v.text, "/")
	if v.extent == whole {
		name, path = strings.CutPrefix(v.text, "/bin/")
	}
	if v.extent != end && v.extent != whole || !path || name == "" || strings.Contains(name, "/") || v.dashes {
		return term{}, fmt.Errorf("%s has whole command lines, in which only a command's name behind a slash can be looked for", f.name)
	}
	text, err := w.regex(f, w.style().ofCommand(name, v.cased))
	return term{text: text}, err
}

// search writes a regular expression.
func (w *writer) search(f field, t *sigma.Test) (term, error) {
	var guards []term
	switch {
	case f.values != nil:
		return term{}, fmt.Errorf("a regular expression for %s, which has other values", f.name)
	case f.kind == "basename" || f.kind == "command" || f.kind == "devicepath" && strings.Contains(t.Regex, ":"):
		return term{}, fmt.Errorf("a regular expression for paths, which %s has not", f.name)
	case f.kind == "number" || f.kind == "ip":
		text, guard := w.asText(f)
		if f = text; guard != "" {
			guards = []term{{text: guard}}
		}
	}
	if !readable(t.Regex) {
		return term{}, fmt.Errorf("the regular expression has bytes that are no text")
	}
	r, err := w.style().ofSource(t.Regex)
	if err != nil {
		return term{}, fmt.Errorf("%w: not in %s", err, w.name)
	}
	text, err := w.regex(f, r)
	if err != nil {
		return term{}, err
	}
	if re, bad := regexp.Compile(t.Regex); bad == nil && re.MatchString("") {
		// It holds for an empty text, and must not where the field is absent.
		there, err := w.present(f)
		if err != nil {
			return term{}, err
		}
		guards = append(guards, term{text: there})
	}
	return w.join(sigma.OperatorAnd, append(guards, term{text: text})), nil
}

// references compares with another field, which may be in several places.
func (w *writer) references(f field, t *sigma.Test) (term, error) {
	others, always, err := w.field(t.Other, f.not)
	if err == nil && always != nil {
		err = fmt.Errorf("fieldref to %s, which always is %q there", t.Other, *always)
	}
	if err != nil {
		return term{}, err
	}
	return w.each(len(others), func(i int) (string, error) {
		switch other := others[i]; {
		case f.kind != other.kind, f.values != nil, other.values != nil:
			return "", fmt.Errorf("fieldref to %s, which is of another type there", t.Other)
		case t.Shape != sigma.ShapeExact && f.kind != "":
			return "", fmt.Errorf("fieldref to parts of %s, which is no text there", t.Other)
		}
		return w.ref(f, others[i], t.Shape, t.Cased)
	})
}

// absent writes that a field has no value.
func (w *writer) absent(t *sigma.Test) (term, error) {
	fields, always, err := w.field(t.Field, false)
	if err != nil {
		return term{}, err
	}
	if always != nil {
		return term{decided: true}, nil
	}
	terms := make([]term, len(fields))
	for i, f := range fields {
		if terms[i].text, err = w.language.absent(f); err != nil {
			return term{}, wrap(t.Field, err)
		}
	}
	return w.join(sigma.OperatorAnd, terms), nil
}

// ofShape writes a test whose four forms a language has as functions or
// operators, by what of the value counts.
func ofShape(shape sigma.Shape, exact, prefix, suffix, contains string) string {
	return [...]string{sigma.ShapeExact: exact, sigma.ShapePrefix: prefix, sigma.ShapeSuffix: suffix, sigma.ShapeContains: contains}[shape]
}
