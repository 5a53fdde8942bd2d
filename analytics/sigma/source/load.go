package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/event"
)

// Bounds of a table.
const (
	maxFileBytes = 1 << 20
	maxSources   = 4096
	maxFields    = 512 // of one source
)

// tableFile is a file of the table as it is written. product, category,
// complete and fields hold for all its sources that do not say otherwise; own
// is added to theirs.
type tableFile struct {
	Product  string               `yaml:"product"`
	Category string               `yaml:"category"`
	Own      stringSet            `yaml:"own"`
	Complete bool                 `yaml:"complete"`
	Fields   map[string]stringSet `yaml:"fields"`
	Sources  []tableSource        `yaml:"sources"`
}

type tableSource struct {
	line     int
	Product  *string              `yaml:"product"`
	Category *string              `yaml:"category"`
	Service  string               `yaml:"service"`
	When     clauses              `yaml:"when"`
	Own      stringSet            `yaml:"own"`
	Complete *bool                `yaml:"complete"`
	Fields   map[string]stringSet `yaml:"fields"`
}

// tableClause is one way to be of a source.
type tableClause struct {
	Log       stringSet            `yaml:"log"`
	Class     string               `yaml:"class"`
	Activity  stringSet            `yaml:"activity"`
	Direction string               `yaml:"direction"`
	Field     map[string]stringSet `yaml:"field"`
	Has       stringSet            `yaml:"has"`
	Lacks     stringSet            `yaml:"lacks"`
}

// stringSet is a text or a list of texts.
type stringSet []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *stringSet) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*s = stringSet{node.Value}
		return nil
	}
	var list []string
	err := node.Decode(&list)
	*s = list
	return err
}

// clauses is a clause or a list of them.
type clauses []tableClause

// UnmarshalYAML implements yaml.Unmarshaler.
func (c *clauses) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.MappingNode {
		node = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node}, Line: node.Line}
	}
	for _, part := range node.Content {
		var one tableClause
		if err := strict(part, &one); err != nil {
			return err
		}
		*c = append(*c, one)
	}
	return nil
}

// UnmarshalYAML implements yaml.Unmarshaler: a source remembers its line.
func (s *tableSource) UnmarshalYAML(node *yaml.Node) error {
	type plain tableSource
	if err := strict(node, (*plain)(s)); err != nil {
		return err
	}
	s.line = node.Line
	return nil
}

// strict decodes node into the struct that out points at, and refuses keys
// that it does not have: yaml.v3's own check ends at an Unmarshaler.
func strict(node *yaml.Node, out any) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a mapping is expected", node.Line)
	}
	known := knownKeys(out)
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; !slices.Contains(known, key.Value) {
			return fmt.Errorf("line %d: key %q is not one of %s", key.Line, key.Value, strings.Join(known, ", "))
		}
	}
	return node.Decode(out)
}

// Load reads the table's files: every *.yml and *.yaml in the root of each
// fsys, by name. A source of a later fsys replaces those of an earlier one
// with the same product, category and service. All faults are told, each with
// file and line; with one, there is no Table.
func Load(fsyss ...fs.FS) (*Table, error) {
	t := &Table{byLog: map[string][]ID{}}
	var faults []error
	for _, fsys := range fsyss {
		var layer []entry
		names, err := tableNames(fsys)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			sources, err := readTable(fsys, name)
			faults = append(faults, err)
			layer = append(layer, sources...)
		}
		faults = append(faults, duplicates(layer))
		t.lay(layer)
	}
	if len(t.sources) > maxSources {
		faults = append(faults, fmt.Errorf("more than %d sources", maxSources))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	t.index()
	return t, nil
}

func tableNames(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if ext := path.Ext(e.Name()); !e.IsDir() && (ext == ".yml" || ext == ".yaml") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func duplicates(layer []entry) error {
	var faults []error
	for i := range layer {
		for k := range i {
			if layer[i].Source == layer[k].Source {
				faults = append(faults, fmt.Errorf("%s:%d: source %s stands at %s:%d, too", layer[i].file, layer[i].line, layer[i].Source, layer[k].file, layer[k].line))
			}
		}
	}
	return errors.Join(faults...)
}

// lay puts a layer over those before.
func (t *Table) lay(layer []entry) {
	t.sources = slices.DeleteFunc(t.sources, func(old entry) bool {
		return slices.ContainsFunc(layer, func(e entry) bool { return e.Source == old.Source })
	})
	t.sources = append(t.sources, layer...)
}

// index finds the sources that an event's log name leads to.
func (t *Table) index() {
	for i := range t.sources {
		id := ID(i)
		for _, c := range t.sources[i].when {
			if len(c.logs) == 0 {
				t.anyLog = append(t.anyLog, id)
			}
			for _, log := range c.logs {
				t.byLog[log] = append(t.byLog[log], id)
			}
		}
	}
}

func readTable(fsys fs.FS, name string) ([]entry, error) {
	content, err := fs.ReadFile(fsys, name)
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxFileBytes:
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxFileBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	var file tableFile
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	entries := make([]entry, 0, len(file.Sources))
	var faults []error
	for i := range file.Sources {
		e, err := file.compile(&file.Sources[i])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, file.Sources[i].line, err))
		}
		e.file, e.line = name, file.Sources[i].line
		entries = append(entries, e)
	}
	return entries, errors.Join(faults...)
}

func (f *tableFile) compile(s *tableSource) (entry, error) {
	e := entry{Source: Source{Product: f.Product, Category: f.Category, Service: s.Service}}
	if s.Product != nil {
		e.Product = *s.Product
	}
	if s.Category != nil {
		e.Category = *s.Category
	}
	if e.Source == (Source{}) {
		return e, errors.New("the source has no product, category or service")
	}
	if len(s.When) == 0 {
		return e, fmt.Errorf("source %s: when is missing", e.Source)
	}
	for i := range s.When {
		c, err := s.When[i].compile()
		if err != nil {
			return e, fmt.Errorf("source %s: %w", e.Source, err)
		}
		e.when = append(e.when, c)
	}
	if e.complete = f.Complete; s.Complete != nil {
		e.complete = *s.Complete
	}
	e.own = slices.Concat(f.Own, s.Own)
	err := e.columns(f.Fields, s.Fields)
	return e, err
}

// columns compiles the fields; those of the source come before those of its
// file.
func (e *entry) columns(ofFile, ofSource map[string]stringSet) error {
	all := make(map[string]stringSet, len(ofFile)+len(ofSource))
	for _, fields := range []map[string]stringSet{ofFile, ofSource} {
		for name, from := range fields {
			all[name] = from
		}
	}
	if len(all) > maxFields {
		return fmt.Errorf("source %s has more than %d fields", e.Source, maxFields)
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := column{name: name, id: event.Intern(name), paths: all[name]}
		for _, p := range all[name] {
			from, ok := pathAccessor(p)
			if !ok {
				return fmt.Errorf("source %s: field %s: %q is not a path; there are %s and %sNAME", e.Source, name, p, strings.Join(pathNames(), ", "), unmapped)
			}
			c.from = append(c.from, from)
		}
		if len(c.from) > 0 { // an empty list takes a field of the file away
			e.fields = append(e.fields, c)
		}
	}
	return nil
}

func (tc *tableClause) compile() (clause, error) {
	c := clause{logs: tc.Log, anyClass: tc.Class == ""}
	if len(tc.Log) == 0 && tc.Class == "" && len(tc.Field) == 0 && len(tc.Has) == 0 {
		return c, errors.New("when needs a log, a class or a field")
	}
	if tc.Class != "" {
		i := slices.IndexFunc(classes, func(class event.Class) bool { return class.Name() == tc.Class })
		if i < 0 {
			return c, fmt.Errorf("class %q is not known", tc.Class)
		}
		c.class = classes[i]
	}
	for _, name := range tc.Activity {
		a := slices.Index(activities[c.class], name)
		if tc.Class == "" || a < 0 || name == "" {
			return c, fmt.Errorf("activity %q is none of class %q", name, tc.Class)
		}
		c.activities = append(c.activities, event.Activity(a))
	}
	if tc.Direction != "" {
		for _, d := range []event.Direction{event.DirectionInbound, event.DirectionOutbound, event.DirectionLateral} {
			if directionName(d) == tc.Direction {
				c.direction = d
			}
		}
		if c.direction == event.DirectionUnknown {
			return c, fmt.Errorf("direction %q is not inbound, outbound or lateral", tc.Direction)
		}
	}
	c.tests(tc)
	return c, nil
}

func (c *clause) tests(tc *tableClause) {
	for name, values := range tc.Field {
		c.fields = append(c.fields, fieldTest{id: event.Intern(name), values: values})
	}
	for _, name := range tc.Has {
		c.fields = append(c.fields, fieldTest{id: event.Intern(name)})
	}
	for _, name := range tc.Lacks {
		c.fields = append(c.fields, fieldTest{id: event.Intern(name), absent: true})
	}
}

// String is "windows/process_creation/sysmon", with a dash for what is not
// said.
func (s Source) String() string {
	parts := []string{s.Product, s.Category, s.Service}
	for i := range parts {
		if parts[i] == "" {
			parts[i] = "-"
		}
	}
	return strings.Join(parts, "/")
}
