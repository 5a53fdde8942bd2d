package sigma

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// applyFilter makes each of its rules "rule and not filter". A filter with a
// reference that cannot be kept is refused for that reference, loudly: the
// rule stays in force without it.
func (l *loader) applyFilter(f *rawFilter) {
	d := &document{file: f.meta.File, meta: f.meta}
	if f.any {
		for _, rule := range l.result.Rules {
			if f.logSource.Covers(rule.LogSource) {
				rule.exclude(f.when, f.meta.Title)
			}
		}
		return
	}
	for _, key := range f.rules {
		ref, found := l.find(key)
		switch {
		case !found:
			l.refuse(d, f.meta.Line, fmt.Errorf("the filter names rule %s, which is not there", quoted(key)))
		case ref.rule == nil:
			l.refuse(d, f.meta.Line, fmt.Errorf("the filter names %s, which is a correlation", quoted(key)))
		case !f.logSource.Covers(ref.rule.LogSource):
			l.refuse(d, f.meta.Line, fmt.Errorf("the filter's log source does not have rule %s", quoted(key)))
		default:
			ref.rule.exclude(f.when, f.meta.Title)
		}
	}
}

// exclude lets the rule hold only where e does not.
func (r *Rule) exclude(e *expr, title string) {
	r.when = join(opAnd, []*expr{r.when, negate(e)})
	if title != "" {
		r.Filters = append(r.Filters, title)
	}
}

// Override changes the rules it matches. A rule matches when one of IDs, Tags
// or Paths does.
type Override struct {
	IDs   []string `mapstructure:"ids"`   // ids or names
	Tags  []string `mapstructure:"tags"`  // patterns of path.Match: "attack.t1059*"
	Paths []string `mapstructure:"paths"` // patterns of path.Match for the file or one of its folders: "rules/deprecated"

	Disable bool   `mapstructure:"disable"` // the rule is left out
	Enable  bool   `mapstructure:"enable"`  // an earlier Disable does not count
	Level   string `mapstructure:"level"`   // replaces the rule's level

	// Exclude is extra exclusions, each one search in YAML, such as
	// "{Image|endswith: '\\backup.exe', User: svc}"; any of them suffices.
	Exclude []string `mapstructure:"exclude"`
}

func (o *Override) matches(m *Meta) bool {
	if slices.Contains(o.IDs, m.ID) && m.ID != "" || slices.Contains(o.IDs, m.Name) && m.Name != "" {
		return true
	}
	for _, pattern := range o.Tags {
		if slices.ContainsFunc(m.Tags, func(tag string) bool { return globs(pattern, tag) }) {
			return true
		}
	}
	return slices.ContainsFunc(o.Paths, func(pattern string) bool { return inPath(pattern, m.File) })
}

func globs(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// inPath says that pattern matches file, a folder above it, or the end of
// either at a slash.
func inPath(pattern, file string) bool {
	parts := strings.FieldsFunc(file, func(r rune) bool { return r == '/' || r == '!' })
	depth := strings.Count(pattern, "/") + 1
	for i := 0; i+depth <= len(parts); i++ {
		if globs(pattern, strings.Join(parts[i:i+depth], "/")) {
			return true
		}
	}
	return false
}

// Validate says what is wrong with an override.
func (o *Override) Validate() error {
	if len(o.IDs)+len(o.Tags)+len(o.Paths) == 0 {
		return fmt.Errorf("the override names no ids, tags or paths")
	}
	if o.Level != "" && !slices.Contains(levels, o.Level) {
		return fmt.Errorf("level %s is not one of %s", quoted(o.Level), strings.Join(levels, ", "))
	}
	for _, pattern := range slices.Concat(o.Tags, o.Paths) {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("pattern %s: %w", quoted(pattern), err)
		}
	}
	_, err := o.exclusion(&Options{})
	return err
}

// exclusion reads the extra exclusions; none gives nil.
func (o *Override) exclusion(options *Options) (*expr, error) {
	var parts []*expr
	for _, text := range o.Exclude {
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(text), &node); err != nil {
			return nil, fmt.Errorf("exclusion %s: %w", quoted(text), yamlError(err, 0))
		}
		if len(node.Content) == 0 {
			return nil, fmt.Errorf("exclusion %s is empty", quoted(text))
		}
		d := &document{options: options}
		e, err := d.parseSearch(node.Content[0], 0)
		if err != nil {
			return nil, fmt.Errorf("exclusion %s: %w", quoted(text), err)
		}
		parts = append(parts, e)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	named := *join(opOr, parts)
	named.selection = "override"
	return &named, nil
}

// applyOverrides goes through the overrides in their order.
func (l *loader) applyOverrides() {
	disabled := map[*Meta]bool{}
	for i := range l.options.Overrides {
		o := &l.options.Overrides[i]
		exclusion, err := o.exclusion(&l.options)
		if err != nil {
			l.refuseFile(fmt.Sprintf("override %d", i+1), err)
			continue
		}
		for _, rule := range l.result.Rules {
			if o.apply(&rule.Meta, disabled) && exclusion != nil {
				rule.exclude(exclusion, "")
			}
		}
		for _, c := range l.result.Correlations {
			o.apply(&c.Meta, disabled)
		}
	}
	l.result.Disabled = len(disabled)
	l.result.Correlations = slices.DeleteFunc(l.result.Correlations, func(c *Correlation) bool { return disabled[&c.Meta] })
	l.dropOrphans(disabled)
	l.result.Rules = slices.DeleteFunc(l.result.Rules, func(r *Rule) bool { return disabled[&r.Meta] })
}

func (o *Override) apply(m *Meta, disabled map[*Meta]bool) bool {
	if !o.matches(m) {
		return false
	}
	if o.Disable {
		disabled[m] = true
	}
	if o.Enable {
		delete(disabled, m)
	}
	if o.Level != "" {
		m.Level = o.Level
	}
	return true
}

// dropOrphans refuses correlations that an override took a rule from.
func (l *loader) dropOrphans(disabled map[*Meta]bool) {
	l.result.Correlations = slices.DeleteFunc(l.result.Correlations, func(c *Correlation) bool {
		for _, ref := range c.refs {
			if disabled[ref.meta()] {
				d := &document{file: c.File, meta: c.Meta}
				l.refuse(d, c.Line, fmt.Errorf("it refers to %s, which an override disables", quoted(ref.key())))
				disabled[&c.Meta] = true // and so on upward: referrers come later
				return true
			}
		}
		return false
	})
}
