package export

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/vegress/vegress/analytics/sigma"
)

// maxQuery bounds a query, in bytes.
const maxQuery = 1 << 20

// Fields is what becomes of a field that no table names.
type Fields string

// The ways with fields, and with log sources, that no table names.
const (
	KeepFields   Fields = "keep"   // Sigma's own name stays, and a note says so
	StrictFields Fields = "strict" // the rule is refused
)

// Query is a rule in another language.
type Query struct {
	Text  string
	Notes []string // what the reader should know of it, a sentence each
}

// Exporter writes rules in one language. It is safe for concurrent use.
type Exporter struct {
	name    string
	stages  []language
	sources []Source
	raw     string
	fields  Fields
}

// stagesOf has the languages: the ways in which parts of a condition can be
// written, the first that can is taken.
var stagesOf = map[string][]language{
	"kql":      {kql{}},
	"spl":      {splSearch{}, splWhere{}},
	"elastic":  {esql{}},
	"aql":      {aql{}},
	"sumo":     {sumo{}},
	"yaral":    {yaral{}},
	"logscale": {logscale{}},
}

// Languages lists the names that New knows, sorted.
func Languages() []string { return slices.Sorted(maps.Keys(stagesOf)) }

// Extension is the usual ending of the names of a language's files, with its
// dot.
func Extension(name string) string {
	return map[string]string{
		"kql": ".kql", "spl": ".spl", "elastic": ".esql", "aql": ".aql", "sumo": ".sumo", "yaral": ".yaral", "logscale": ".cql",
	}[name]
}

// New gives the exporter of a language.
func New(name string, tables *Tables, fields Fields) (*Exporter, error) {
	stages, known := stagesOf[name]
	if !known {
		return nil, fmt.Errorf("language %q is not one of %s", name, strings.Join(Languages(), ", "))
	}
	if fields != KeepFields && fields != StrictFields {
		return nil, fmt.Errorf("fields %q is not %s or %s", fields, KeepFields, StrictFields)
	}
	e := &Exporter{name: name, stages: stages, sources: tables.Sources(name), fields: fields}
	if known := tables.languages[name]; known != nil {
		e.raw = known.Raw
	}
	return e, nil
}

// Comment makes text a comment of the language. It has no line break in it, and
// nothing that ends a comment, whatever text has.
func (e *Exporter) Comment(text string) string {
	return e.stages[0].comment(strings.NewReplacer("`", "'", "*/", "* /").Replace(oneLine(text)))
}

// oneLine takes line breaks and other control characters out of text.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	}), " ")
}

// Export writes a rule. The error says what the language cannot express.
func (e *Exporter) Export(rule *sigma.Rule) (Query, error) {
	w := &writer{Exporter: e, source: find(e.sources, rule.LogSource)}
	if w.source == nil {
		if e.fields == StrictFields {
			return Query{}, fmt.Errorf("log source %s has no mapping for %s", rule.LogSource, e.name)
		}
		w.source = &Source{}
		w.note("log source %s is not mapped: say where to look", rule.LogSource)
	}
	if w.source.Note != "" {
		w.note("%s", w.source.Note)
	}
	parts, err := w.conjuncts(rule.Logic())
	if err != nil {
		return Query{}, err
	}
	text := e.stages[0].query(w.source, parts, rule)
	if len(text) > maxQuery {
		return Query{}, errLong
	}
	return Query{Text: text, Notes: w.notes}, nil
}

var errLong = fmt.Errorf("the query is longer than %d bytes", maxQuery)

// errStage says that another stage of the language may be able to write what
// this one cannot.
var errStage = errors.New("another stage")

// writer writes one rule.
type writer struct {
	*Exporter
	source *Source
	notes  []string
	size   int

	language // the stage in use
}

func (w *writer) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}

// conjuncts writes the parts of which all must hold, by the stage that can.
func (w *writer) conjuncts(l sigma.Logic) ([][]string, error) {
	parts := make([][]string, len(w.stages))
	always := true // what was written so far holds for all records
	add := func(write func() (term, error)) error {
		stage, t, err := w.staged(write)
		switch {
		case err != nil || t.decided && t.holds:
			return err
		case t.decided:
			return fmt.Errorf("it never holds there: a field always has another value")
		case t.op == sigma.OperatorOr:
			t.text = "(" + t.text + ")"
		}
		always = false
		parts[stage] = append(parts[stage], t.text)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(w.source.When)) {
		if err := add(func() (term, error) { return w.belongs(name, w.source.When[name], false) }); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.source.Unless)) {
		if err := add(func() (term, error) { return w.belongs(name, w.source.Unless[name], true) }); err != nil {
			return nil, err
		}
	}
	for _, part := range conjunction(l) {
		if err := add(func() (term, error) { return w.logic(part, false) }); err != nil {
			return nil, err
		}
	}
	if always {
		return nil, fmt.Errorf("it always holds there: nothing is left to ask")
	}
	return parts, nil
}

// belongs writes what tells a source's records apart by a field of Sigma's.
func (w *writer) belongs(name string, values []string, not bool) (term, error) {
	test := sigma.Test{Field: name}
	for _, text := range values {
		piece := sigma.Piece{Text: text}
		if text == "*" {
			piece = sigma.Piece{Kind: sigma.PieceMany}
		}
		test.Patterns = append(test.Patterns, sigma.Pattern{piece})
	}
	t, err := w.test(&test, not)
	if not {
		t = w.negated(t)
	}
	return t, err
}

// conjunction gives the parts of nested ands.
func conjunction(l sigma.Logic) []sigma.Logic {
	if l.Operator() != sigma.OperatorAnd {
		return []sigma.Logic{l}
	}
	var parts []sigma.Logic
	for _, part := range l.Parts() {
		parts = append(parts, conjunction(part)...)
	}
	return parts
}

// staged has the first stage of the language write that can.
func (w *writer) staged(write func() (term, error)) (stage int, t term, err error) {
	for stage, w.language = range w.stages {
		notes := len(w.notes)
		if t, err = write(); !errors.Is(err, errStage) {
			return stage, t, err
		}
		w.notes = w.notes[:notes]
	}
	return stage, t, err
}

// term is a part of a query.
type term struct {
	text    string
	op      sigma.Operator // the loosest operator in text that no parenthesis holds
	decided bool           // text is empty: the part holds for all records of the source, or for none
	holds   bool
}

// logic writes l. Under a "not" a test must be false, not unknown, where its
// field is absent.
func (w *writer) logic(l sigma.Logic, not bool) (term, error) {
	switch l.Operator() {
	case sigma.OperatorTest:
		test := l.Test()
		t, err := w.test(&test, not)
		if w.size += len(t.text); err == nil && w.size > maxQuery {
			err = errLong
		}
		return t, err
	case sigma.OperatorNot:
		return w.negation(l.Parts()[0], not)
	}
	var parts []term
	for _, part := range l.Parts() {
		t, err := w.logic(part, not)
		if err != nil {
			return t, err
		}
		parts = append(parts, t)
	}
	return w.join(l.Operator(), parts), nil
}

// negation writes "not l"; that a field has no value has words of its own in
// most languages.
func (w *writer) negation(l sigma.Logic, not bool) (term, error) {
	if l.Operator() == sigma.OperatorTest {
		if test := l.Test(); test.Kind == sigma.TestPresent || test.Kind == sigma.TestExists {
			return w.absent(&test)
		}
	}
	t, err := w.logic(l, true)
	return w.negated(t), err
}

func (w *writer) negated(t term) term {
	if t.decided {
		t.holds = !t.holds
		return t
	}
	_, _, word := w.words()
	return term{text: word + "(" + t.text + ")"}
}

// join writes parts between "and" or "or".
func (w *writer) join(op sigma.Operator, parts []term) term {
	var texts []string
	var only, decided term
	for _, t := range parts {
		if t.decided {
			if t.holds == (op == sigma.OperatorOr) {
				return t // it decides the whole
			}
			decided = t
			continue
		}
		if t.op != sigma.OperatorTest && t.op != op {
			t = term{text: "(" + t.text + ")"}
		}
		if !slices.Contains(texts, t.text) {
			texts, only = append(texts, t.text), t
		}
	}
	switch len(texts) {
	case 0:
		return decided
	case 1:
		return only
	}
	word, or, _ := w.words()
	if op == sigma.OperatorOr {
		word = or
	}
	return term{text: strings.Join(texts, " "+word+" "), op: op}
}
