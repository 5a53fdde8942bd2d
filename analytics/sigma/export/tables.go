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
}

// table is one file: one language.
type table struct {
	Language string   `yaml:"language"`
	Raw      string   `yaml:"raw"` // the field with the whole record, for keywords; empty: there is none
	Shared   any      `yaml:"shared"`
	Sources  []Source `yaml:"sources"`
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
	// Other is how a field is written that Fields does not have: {name} is
	// Sigma's name. Without it the field has no mapping.
	Other  string           `yaml:"other"`
	Note   string           `yaml:"note"`
	Fields map[string]Field `yaml:"fields"`
	Also   map[string]Field `yaml:"also"` // fields besides those that Fields shares with other sources
}

// Field is one of Sigma's fields in the other system.
type Field struct {
	Name   string   `yaml:"name"`   // of Names, the first
	Names  []string `yaml:"names"`  // the value is in one of these
	Type   string   `yaml:"type"`   // text, number, ip, basename or command; empty: text
	Always *string  `yaml:"always"` // it has no name there: all records of the source have this value
	// Values: what Sigma's values, in lower case, are called there. Others
	// cannot be compared with.
	Values map[string]string `yaml:"values"`
	Note   string            `yaml:"note"`
}

// fieldTypes: the values of a basename are names of files without their path,
// of a command whole command lines.
var fieldTypes = []string{"", "text", "number", "ip", "basename", "command"}

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

// Load reads tables, each *.yml in the root of a file system. What later file
// systems say of a log source comes before what earlier ones do.
func Load(layers ...fs.FS) (*Tables, error) {
	all := &Tables{languages: map[string]*table{}}
	for _, layer := range layers {
		files, err := fs.Glob(layer, "*.yml")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			content, err := fs.ReadFile(layer, file)
			if err == nil {
				err = all.add(content)
			}
			if err != nil {
				return nil, fmt.Errorf("export table %s: %w", file, err)
			}
		}
	}
	return all, nil
}

func (t *Tables) add(content []byte) error {
	var read table
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&read); err != nil {
		return err
	}
	if !slices.Contains(Languages(), read.Language) {
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
	if known := t.languages[language]; known != nil {
		return known.Sources
	}
	return nil
}

// find gives the source of a rule's records, nil where no table has it.
func (t *table) find(l sigma.LogSource) *Source {
	for i := range t.Sources {
		s := &t.Sources[i]
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
