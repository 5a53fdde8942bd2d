package export

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/analytics/sigma"
)

// Tables says for each language where the records of Sigma's log sources are
// in the other system, and how their fields are called there.
type Tables struct {
	languages map[string]*table
	vegress   []Source // whose fields are paths of OCSF
}

// vegressTable is the language of the file about vegress's own events.
const vegressTable = "vegress"

// table is one file: one language.
type table struct {
	Language string   `yaml:"language"`
	Raw      string   `yaml:"raw"` // the field with the whole record, for keywords; empty: there is none
	Vegress  ocsf     `yaml:"vegress"`
	Shared   any      `yaml:"shared"` // where YAML's anchors may stand
	Sources  []Source `yaml:"sources"`
}

// ocsf is where a system has vegress's own events, and how it names their
// members.
type ocsf struct {
	From   string `yaml:"from"`
	Where  string `yaml:"where"`
	Path   string `yaml:"path"`   // {path} is OCSF's path
	Number string `yaml:"number"` // the same where it is a number, if that is written otherwise
	Texts  bool   `yaml:"texts"`  // numbers are texts there
	List   string `yaml:"list"`   // in place of "[0]", where that is written otherwise
	Own    string `yaml:"own"`    // {name} is a field of the record's own
	Raw    string `yaml:"raw"`
	Note   string `yaml:"note"`
}

// Source is where the other system has the records of some log sources. What
// it says of tables, conditions and fields is text of that language.
type Source struct {
	// Products, Categories and Services each lists what a rule may name; ""
	// is a rule that names none. An empty list is "" alone.
	Products   []string `yaml:"products"`
	Categories []string `yaml:"categories"`
	Services   []string `yaml:"services"`

	From  string `yaml:"from"`  // table, index or tag
	Where string `yaml:"where"` // what else tells these records apart
	// When and Unless tell them apart by Sigma's own fields: one of the values
	// each, of which "*" is any.
	When   map[string][]string `yaml:"when"`
	Unless map[string][]string `yaml:"unless"`
	// Other is how a field is written that Fields does not have: {name} is
	// Sigma's name. Without it the field has no mapping.
	Other  string           `yaml:"other"`
	Raw    string           `yaml:"raw"` // instead of the language's
	Note   string           `yaml:"note"`
	Fields map[string]Field `yaml:"fields"`
	Also   map[string]Field `yaml:"also"` // fields besides those that Fields shares with other sources
}

// Field is one of Sigma's fields in the other system.
type Field struct {
	Name   string   `yaml:"name"`   // of Names, the first
	Names  []string `yaml:"names"`  // the value is in one of these
	Type   string   `yaml:"type"`   // of fieldTypes; empty: text
	Always *string  `yaml:"always"` // it has no name there: all records of the source have this value
	// Values: what Sigma's values, in lower case, are called there. Others
	// cannot be compared with.
	Values map[string]string `yaml:"values"`
	Note   string            `yaml:"note"`
}

// fieldTypes: the values of a basename are names of files without their path,
// of a devicepath paths that begin with \Device\HarddiskVolume1 instead of C:,
// of a command whole command lines.
var fieldTypes = []string{"", "number", "ip", "basename", "devicepath", "command"}

// UnmarshalYAML reads a name alone, too.
func (f *Field) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		f.Names = []string{node.Value}
		return nil
	}
	type plainField Field
	if err := node.Decode((*plainField)(f)); err != nil {
		return err
	}
	if !slices.Contains(fieldTypes, f.Type) {
		return fmt.Errorf("line %d: type %q is not one of%s", node.Line, f.Type, strings.Join(fieldTypes, " "))
	}
	if f.Name != "" {
		f.Names = append([]string{f.Name}, f.Names...)
	}
	if (len(f.Names) == 0) == (f.Always == nil) {
		return fmt.Errorf("line %d: a field has either names or a value that it always has", node.Line)
	}
	return nil
}

// Load reads tables: each *.yml in the root of a file system.
func Load(fsys fs.FS) (*Tables, error) {
	files, err := fs.Glob(fsys, "*.yml")
	if err != nil {
		return nil, err
	}
	all := &Tables{languages: map[string]*table{}}
	for _, file := range files {
		content, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		if err := all.Add(file, content); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Add reads one more table, which comes before those that are there. Name is
// for errors.
func (t *Tables) Add(name string, content []byte) error {
	if err := t.add(content); err != nil {
		return fmt.Errorf("export table %s: %w", name, err)
	}
	return nil
}

func (t *Tables) add(content []byte) error {
	var read table
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&read); err != nil {
		return err
	}
	if read.Language != vegressTable && !slices.Contains(Languages(), read.Language) {
		return fmt.Errorf("language %q is not one of %s", read.Language, strings.Join(Languages(), ", "))
	}
	for i := range read.Sources {
		s := &read.Sources[i]
		for _, list := range []*[]string{&s.Products, &s.Categories, &s.Services} {
			if len(*list) == 0 {
				*list = []string{""}
			}
		}
		if s.Other != "" && !strings.Contains(s.Other, "{name}") {
			return fmt.Errorf("source %d: other %q has no {name}", i+1, s.Other)
		}
	}
	if read.Language == vegressTable {
		t.vegress = append(read.Sources, t.vegress...)
		return nil
	}
	known := t.languages[read.Language]
	if known == nil {
		t.languages[read.Language] = &read
		return nil
	}
	known.Sources = append(read.Sources, known.Sources...)
	if read.Raw != "" {
		known.Raw = read.Raw
	}
	return nil
}

// Sources gives what the tables say of a language, in the order in which they
// are asked.
func (t *Tables) Sources(language string) []Source {
	known := t.languages[language]
	if known == nil {
		return nil
	}
	all := slices.Clone(known.Sources)
	for i := range t.vegress {
		all = append(all, known.Vegress.source(&t.vegress[i]))
	}
	return all
}

// source writes what is said of vegress's events in the language's own way.
func (o *ocsf) source(from *Source) Source {
	s := *from
	s.From, s.Where, s.Raw, s.Note, s.Other = o.From, o.Where, o.Raw, o.Note, o.Own
	s.Fields = make(map[string]Field, len(from.Fields))
	for name, f := range from.Fields {
		template := o.Path
		if f.Type == "number" && o.Number != "" {
			template = o.Number
		}
		if f.Type == "number" && o.Texts {
			f.Type = ""
		}
		f.Names = slices.Clone(f.Names)
		for i, path := range f.Names {
			if !strings.Contains(o.Path, "(") { // there, it is an expression with an index
				path = strings.ReplaceAll(path, "[0]", o.List)
			}
			f.Names[i] = strings.ReplaceAll(template, "{path}", path)
		}
		s.Fields[name] = f
	}
	return s
}

// find gives the source of a rule's records, nil where there is none.
func find(sources []Source, l sigma.LogSource) *Source {
	for i := range sources {
		s := &sources[i]
		if slices.Contains(s.Products, l.Product) && slices.Contains(s.Categories, l.Category) && slices.Contains(s.Services, l.Service) {
			return s
		}
	}
	return nil
}

// field gives what a source says of one of Sigma's fields.
func (s *Source) field(name string) (Field, bool) {
	if f, known := s.Also[name]; known {
		return f, true
	}
	if f, known := s.Fields[name]; known {
		return f, true
	}
	if s.Other != "" && nameable(name) {
		return Field{Names: []string{strings.ReplaceAll(s.Other, "{name}", name)}}, true
	}
	return Field{}, false
}

// nameable says that a field's name can be put into a query: it has nothing
// in it that ends a quoted name or means something within it.
func nameable(name string) bool {
	return name != "" && len(name) <= 256 && printable(name) && readable(name) && !strings.ContainsAny(name, "\"'`\\*?{}[]()<>$%|;,=!")
}
