package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/vsphere/inventory"
)

// source is where the values of a Config come from: what a fault names.
type source struct {
	file      string
	root      *yaml.Node // of the file; nil: there is none
	overrides map[string]any
}

// openSource reads a configuration file; none when its name is empty.
func openSource(file string, overrides map[string]any) (*source, []byte, error) {
	s := &source{file: file, overrides: overrides}
	if file == "" {
		return s, nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return s, nil, Faults{{File: file, Reason: "cannot be read: " + cause(err)}}
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	switch err := documents.Decode(&root); {
	case errors.Is(err, io.EOF): // nothing but comments
		return s, text, nil
	case err != nil:
		return s, nil, Faults{syntax(file, err)}
	}
	s.root = root.Content[0]
	if s.root.Kind != yaml.MappingNode && s.root.Tag != "!!null" {
		return s, nil, Faults{{File: file, Line: s.root.Line, Reason: "want keys and values, as in listen: {http: 127.0.0.1:9514}"}}
	}
	var more yaml.Node
	if err := documents.Decode(&more); !errors.Is(err, io.EOF) {
		return s, nil, Faults{{File: file, Reason: "holds more than one YAML document: take out the --- between them"}}
	}
	return s, text, nil
}

// cause is what the system says of a file, without its name.
func cause(err error) string {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// syntax is a fault of the YAML itself.
func syntax(file string, err error) Fault {
	f := Fault{File: file, Reason: "no valid YAML: "}
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.TrimPrefix(text, "yaml: ")
	if at := yamlLine.FindStringSubmatch(text); at != nil {
		f.Line, _ = strconv.Atoi(at[1])
		text = strings.Replace(text, at[0], "", 1)
	}
	f.Reason += text
	return f
}

// Place fills in where the values of faults that others found come from.
func (c *Config) Place(all Faults) Faults { return c.from.place(all) }

// place fills in where the faults' values come from, and keeps secrets out of
// them. A nil source knows nothing.
func (s *source) place(all Faults) Faults {
	for i := range all {
		f := &all[i]
		if s != nil && f.File == "" {
			f.File, f.Line = s.of(f.Key)
		}
		*f = f.clean()
	}
	return all
}

// of is where the value of a key comes from.
func (s *source) of(key string) (file string, line int) {
	whole, _, _ := strings.Cut(key, "[")
	if _, set := s.overrides[whole]; set {
		return "command line", 0
	}
	if name := envName(whole); whole != "" && os.Getenv(name) != "" {
		return name, 0
	}
	return s.file, s.line(key)
}

// step is one part of a key: a name, and perhaps the place in a list.
var step = regexp.MustCompile(`([^.\[\]]+)|\[(\d+)\]`)

// line is where the file has a key, or the nearest thing around it; 0: it has
// neither.
func (s *source) line(key string) int {
	node, line := s.root, 0
	for _, part := range step.FindAllStringSubmatch(key, -1) {
		if node == nil {
			break
		}
		if part[2] != "" {
			i, err := strconv.Atoi(part[2])
			if err != nil || node.Kind != yaml.SequenceNode || i >= len(node.Content) {
				break
			}
			node = node.Content[i]
			line = node.Line
			continue
		}
		name, value := member(node, part[1])
		if name == nil {
			break
		}
		node, line = value, name.Line
	}
	return line
}

// member finds a key of a mapping. As viper has it, case does not count.
func member(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if strings.EqualFold(node.Content[i].Value, name) {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

// misplaced finds what viper would pass over: keys that nobody knows, and
// single values where a section should be.
func (s *source) misplaced() Faults {
	if s.root == nil {
		return nil
	}
	return s.check(s.root, "", keys())
}

func (s *source) check(node *yaml.Node, prefix string, known []string) (all Faults) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		key := prefix + strings.ToLower(name.Value)
		isKey := slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, key) })
		isSection := slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(strings.ToLower(k), key+".") })
		switch {
		case isKey, name.Tag == "!!merge":
		case !isSection:
			all = append(all, Fault{File: s.file, Line: name.Line, Key: key, Reason: "unknown key" + meant(key, known)})
		case value.Kind == yaml.MappingNode:
			all = append(all, s.check(value, key+".", known)...)
		case value.Kind == yaml.AliasNode || value.Tag == "!!null":
		default:
			all = append(all, Fault{
				File: s.file, Line: value.Line, Key: key,
				Reason: "is a section: want keys below it, one of " + strings.Join(below(key, known), ", "),
			})
		}
	}
	return all
}

// meant is the key that an unknown one was most likely to be: one of the same
// name in another place, else one that is written alike.
func meant(key string, known []string) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, k := range known {
		if strings.HasSuffix(strings.ToLower(k), "."+last) {
			return fmt.Sprintf("; did you mean %s?", k)
		}
	}
	return DidYouMean(key, append(slices.Clone(known), sections(known)...))
}

// below are the names of the keys of a section.
func below(section string, known []string) (all []string) {
	for _, k := range known {
		if len(k) > len(section) && strings.EqualFold(k[:len(section)+1], section+".") {
			rest := k[len(section)+1:]
			name, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func sections(known []string) (all []string) {
	for _, k := range known {
		for i := range k {
			if k[i] == '.' && !slices.Contains(all, k[:i]) {
				all = append(all, k[:i])
			}
		}
	}
	return all
}

// keys are all keys of a configuration, those inside lists of objects left
// out.
func keys() []string { return keysOf(reflect.TypeFor[Config](), "") }

// keysOf are the keys that a struct's tags name, below prefix.
func keysOf(t reflect.Type, prefix string) (all []string) {
	for f := range fields(t) {
		tag, option, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		switch {
		case !f.IsExported() || tag == "-":
		case option == "squash":
			all = append(all, keysOf(f.Type, prefix)...)
		case f.Type.Kind() == reflect.Struct:
			all = append(all, keysOf(f.Type, prefix+tag+".")...)
		default:
			all = append(all, prefix+tag)
		}
	}
	return all
}

// fields are those of a struct.
func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// objects are the lists of objects, by their keys, and what each has in it: no
// environment variable can hold one.
var objects = map[string]reflect.Type{
	"vcenters": reflect.TypeFor[inventory.VCenter](), "roles": reflect.TypeFor[inventory.Role](),
	"justifications":  reflect.TypeFor[egress.Justification](),
	"rules.overrides": reflect.TypeFor[sigma.Override](), "rules.placeholders": reflect.TypeFor[stream.Placeholder](),
	"rules.taxonomies": reflect.TypeFor[stream.Taxonomy](),
}

// envName is the environment variable of a key.
func envName(key string) string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// noKey are environment variables that belong to us, or to a container
// platform that runs a service of our name, and are no keys.
var noKey = regexp.MustCompile(`^VEGRESS_(VCENTER_.*_PASSWORD|CORPUS|OCSF|TEST_.*|SERVICE_(HOST|PORT.*)|PORT|PORT_\d+_.*)$`)

// strangers finds environment variables that look like ours and set nothing.
func strangers(environment []string) (all Faults) {
	var known []string
	for _, k := range keys() {
		if objects[k] == nil {
			known = append(known, envName(k))
		}
	}
	for _, one := range environment {
		name, value, _ := strings.Cut(one, "=")
		if value == "" || !strings.HasPrefix(name, envPrefix+"_") || slices.Contains(known, name) || noKey.MatchString(name) {
			continue
		}
		f := Fault{File: name, Reason: "this environment variable sets nothing" + DidYouMean(name, known)}
		for k := range objects {
			if name == envName(k) {
				f.Key, f.Reason = k, "can only be set in a configuration file"
			}
		}
		all = append(all, f)
	}
	return all
}
