package stream

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/analytics/sigma"
)

// Options is what a site configures. The members have their keys' names.
type Options struct {
	// Builtin: the rules that vegress brings are in force.
	Builtin bool `mapstructure:"builtin"`
	// Paths of more rules: files, folders, archives.
	Paths []string `mapstructure:"paths"`
	// Overrides change single rules, in their order.
	Overrides []sigma.Override `mapstructure:"overrides"`
	// Placeholders are the values of what rules write as %name% and expand.
	Placeholders []Placeholder `mapstructure:"placeholders"`
	// Taxonomies are the field names of rules that are not written for Sigma's.
	Taxonomies []Taxonomy `mapstructure:"taxonomies"`
	// LogSources are files, or folders of files, that add to the table of log
	// sources.
	LogSources []string `mapstructure:"log_sources"`
	// Deprecated says that rules of that status are in force, too.
	Deprecated bool `mapstructure:"deprecated"`
	// Suppress is how long (event time) hits of one rule and one entity revise
	// the same finding after the last of them.
	Suppress time.Duration `mapstructure:"suppress"`
	// Flood is how many findings one rule may open in a minute, in each shard.
	Flood int `mapstructure:"flood"`
}

// Placeholder is the values of one name: those listed, and those of a file,
// one a line; there, empty lines and such that begin with # do not count.
type Placeholder struct {
	Name   string   `mapstructure:"name"`
	Values []string `mapstructure:"values"`
	File   string   `mapstructure:"file"`
}

// Taxonomy is a YAML file that maps the field names of a taxonomy to Sigma's.
type Taxonomy struct {
	Name string `mapstructure:"name"`
	File string `mapstructure:"file"`
}

// Bounds of the options.
const (
	maxSuppress     = 7 * 24 * time.Hour
	maxFlood        = 10_000
	maxPlaceholders = 8 << 20 // bytes of one file
)

// Validate names the key and the value of all that is wrong. It opens no file.
func (o *Options) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Suppress < time.Minute || o.Suppress > maxSuppress {
		fail("rules.suppress: %v: must be 1m to %v", o.Suppress, maxSuppress)
	}
	if o.Flood < 1 || o.Flood > maxFlood {
		fail("rules.flood: %d: must be 1 to %d", o.Flood, maxFlood)
	}
	for i := range o.Overrides {
		if err := o.Overrides[i].Validate(); err != nil {
			fail("rules.overrides[%d]: %w", i, err)
		}
	}
	for i, p := range o.Placeholders {
		switch {
		case !sigma.IsPlaceholder(p.Name):
			fail("rules.placeholders[%d].name: %q: must be letters, digits and underscores, without the percent signs", i, p.Name)
		case len(p.Values) == 0 && p.File == "":
			fail("rules.placeholders[%d]: has neither values nor a file", i)
		case slices.ContainsFunc(o.Placeholders[:i], func(other Placeholder) bool { return other.Name == p.Name }):
			fail("rules.placeholders[%d].name: %q: is there twice", i, p.Name)
		}
	}
	for i, t := range o.Taxonomies {
		switch {
		case t.Name == "" || t.Name == "sigma":
			fail("rules.taxonomies[%d].name: %q: must be the name of a taxonomy other than sigma", i, t.Name)
		case t.File == "":
			fail("rules.taxonomies[%d].file: is missing", i)
		case slices.ContainsFunc(o.Taxonomies[:i], func(other Taxonomy) bool { return other.Name == t.Name }):
			fail("rules.taxonomies[%d].name: %q: is there twice", i, t.Name)
		}
	}
	return errors.Join(errs...)
}

// CheckFiles names the key and the path of each file or folder that cannot be
// used. What a rule file has in it is not looked at.
func (o *Options) CheckFiles() error {
	_, err := o.engine()
	errs := []error{err, o.checkPaths()}
	_, err = o.table(nil)
	return errors.Join(append(errs, err)...)
}

func (o *Options) checkPaths() error {
	var errs []error
	for _, path := range o.Paths {
		if _, err := os.Stat(path); err != nil {
			errs = append(errs, fmt.Errorf("rules.paths: %q: %w", path, plain(err)))
		}
	}
	return errors.Join(errs...)
}

// plain is err without the name of a file that is told anyway.
func plain(err error) error {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// engine reads the files that the engine's options come from.
func (o *Options) engine() (sigma.Options, error) {
	e := sigma.Options{
		Deprecated: o.Deprecated, Overrides: o.Overrides,
		Placeholders: map[string][]string{}, Taxonomies: map[string]map[string]string{},
	}
	var errs []error
	for i, p := range o.Placeholders {
		values, err := p.all()
		if err != nil {
			errs = append(errs, fmt.Errorf("rules.placeholders[%d].file: %q: %w", i, p.File, plain(err)))
		}
		e.Placeholders[p.Name] = values
	}
	for i, t := range o.Taxonomies {
		fields, err := t.read()
		if err != nil {
			errs = append(errs, fmt.Errorf("rules.taxonomies[%d].file: %q: %w", i, t.File, plain(err)))
		}
		e.Taxonomies[t.Name] = fields
	}
	return e, errors.Join(errs...)
}

// all gives the values listed and those of the file.
func (p *Placeholder) all() ([]string, error) {
	if p.File == "" {
		return p.Values, nil
	}
	file, err := os.Open(p.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() > maxPlaceholders {
		return nil, errors.Join(err, fmt.Errorf("is larger than %d bytes", maxPlaceholders))
	}
	values := slices.Clone(p.Values)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if text := strings.TrimSpace(lines.Text()); text != "" && !strings.HasPrefix(text, "#") {
			values = append(values, text)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, errors.New("holds no values")
	}
	return values, nil
}

func (t *Taxonomy) read() (fields map[string]string, err error) {
	content, err := os.ReadFile(t.File)
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(content, &fields); err != nil {
		return nil, fmt.Errorf("want a line for each field, as in \"src_ip: SourceIp\": %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return fields, nil
}

// isTable says that a file's name is one of a table of log sources.
func isTable(name string) bool {
	extension := filepath.Ext(name)
	return extension == ".yml" || extension == ".yaml"
}
