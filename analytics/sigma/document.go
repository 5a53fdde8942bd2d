package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of one document. What is larger is refused.
const (
	maxValues = 200_000 // values, after their modifiers
	maxNodes  = 500_000 // of YAML, aliases followed
	maxDepth  = 24      // of YAML below a search identifier
	maxLogic  = 200_000 // tests and operators of a rule, each place counted
)

// Options is what reading rules depends on.
type Options struct {
	// Placeholders has the values of each name that expand may find between
	// percent signs. They may contain wildcards.
	Placeholders map[string][]string
	// Taxonomies maps the field names of taxonomies other than "sigma" to
	// those of "sigma". Rules of a taxonomy that is not here are refused.
	Taxonomies map[string]map[string]string
	// Deprecated says that rules of that status are loaded, too.
	Deprecated bool
	// Overrides change single rules, in their order.
	Overrides []Override
}

// document is one YAML document while it is read.
type document struct {
	options *Options
	file    string
	line    int // before the document's first line
	meta    Meta
	fields  map[string]string // of the taxonomy

	nodes, values int
}

// rawFilter is a filter document before its rules are known.
type rawFilter struct {
	meta      Meta
	logSource LogSource
	any       bool
	rules     []string
	when      *expr
}

// rawCorrelation is a correlation before its references are resolved.
type rawCorrelation struct {
	*Correlation
	rules     []string
	aliasRefs map[string]map[string]string
}

// parseFile reads all documents of one file.
func (l *loader) parseFile(file string, content []byte, explicit bool) {
	for _, part := range splitDocuments(content) {
		l.parseDocuments(file, part, explicit)
	}
}

// part is a piece of a file between document markers.
type part struct {
	line    int // lines before it
	content []byte
}

// splitDocuments cuts at markers, so that a document that is no YAML does not
// take its neighbours along. No scalar can have a marker at a line's start.
func splitDocuments(content []byte) []part {
	content = bytes.TrimPrefix(content, []byte("\xEF\xBB\xBF"))
	var parts []part
	start, startLine, line := 0, 0, 0
	for at := 0; at < len(content); line++ {
		end := len(content)
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := content[at:end]
		if bytes.HasPrefix(text, []byte("---")) && (len(text) == 3 || strings.IndexByte(" \t\r\n", text[3]) >= 0) && at > start {
			parts = append(parts, part{startLine, content[start:at]})
			start, startLine = at, line
		}
		at = end
	}
	return append(parts, part{startLine, content[start:]})
}

func (l *loader) parseDocuments(file string, p part, explicit bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(p.content))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return
		}
		d := &document{options: &l.options, file: file, line: p.line}
		if err != nil {
			l.refuse(d, 0, yamlError(err, p.line))
			return
		}
		if node.Kind != yaml.DocumentNode || len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue
		}
		root := node.Content[0]
		d.meta.File, d.meta.Line = file, p.line+root.Line
		if err := l.parseDocument(d, root, explicit); err != nil {
			l.refuse(d, d.meta.Line, err)
		}
	}
}

// yamlError makes YAML's own line numbers, which count from the document's
// start, count from the file's.
func yamlError(err error, before int) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
	}
	return &placed{line: before + max(line, 1), err: fmt.Errorf("no YAML: %s", text)}
}

// placed is an error with the line that it is about.
type placed struct {
	line int
	err  error
}

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// at puts the node's line to an error that has none yet.
func (d *document) at(node *yaml.Node, err error) error {
	var there *placed
	if err == nil || errors.As(err, &there) {
		return err
	}
	return &placed{line: d.line + node.Line, err: err}
}

// member is one key of a mapping and its value.
type member struct {
	key   string
	name  *yaml.Node
	value *yaml.Node
}

// mapping gives the members of a mapping in their order.
func (d *document) mapping(node *yaml.Node) ([]member, error) {
	node, err := d.follow(node)
	if err != nil {
		return nil, err
	}
	if node.Kind != yaml.MappingNode {
		return nil, d.at(node, fmt.Errorf("a mapping is expected"))
	}
	members := make([]member, 0, len(node.Content)/2)
	seen := make(map[string]bool, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i]
		value, err := d.follow(node.Content[i+1])
		switch {
		case err != nil:
			return nil, err
		case name.Kind != yaml.ScalarNode || name.Tag == "!!merge":
			return nil, d.at(name, fmt.Errorf("a key is expected that is a plain text"))
		case seen[name.Value]:
			return nil, d.at(name, fmt.Errorf("key %s is there twice", quoted(name.Value)))
		}
		seen[name.Value] = true
		members = append(members, member{key: name.Value, name: name, value: value})
	}
	return members, nil
}

// follow counts a node and goes where an alias points.
func (d *document) follow(node *yaml.Node) (*yaml.Node, error) {
	if d.nodes++; d.nodes > maxNodes {
		return nil, d.at(node, fmt.Errorf("more than %d YAML nodes", maxNodes))
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node, nil
}

// sequence gives the parts of a list.
func (d *document) sequence(node *yaml.Node) ([]*yaml.Node, error) {
	parts := make([]*yaml.Node, len(node.Content))
	for i := range node.Content {
		var err error
		if parts[i], err = d.follow(node.Content[i]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// text reads a text; numbers and dates are texts, too.
func (d *document) text(node *yaml.Node, what string) (string, error) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		return "", d.at(node, fmt.Errorf("%s needs a text", what))
	}
	return node.Value, nil
}

// texts reads a list of texts, or one text.
func (d *document) texts(node *yaml.Node, what string) ([]string, error) {
	if node.Kind == yaml.ScalarNode {
		text, err := d.text(node, what)
		return []string{text}, err
	}
	if node.Kind != yaml.SequenceNode {
		return nil, d.at(node, fmt.Errorf("%s needs a list of texts", what))
	}
	nodes, err := d.sequence(node)
	if err != nil {
		return nil, err
	}
	list := make([]string, len(nodes))
	for i, n := range nodes {
		if list[i], err = d.text(n, what); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// parseDocument finds out what a document is and reads it. A file found in a
// folder need not be about Sigma at all.
func (l *loader) parseDocument(d *document, root *yaml.Node, explicit bool) error {
	members, err := d.mapping(root)
	if err != nil {
		if root.Kind != yaml.MappingNode && !explicit {
			l.result.Skipped++
			return nil
		}
		return err
	}
	find := func(key string) *yaml.Node {
		if i := slices.IndexFunc(members, func(m member) bool { return m.key == key }); i >= 0 {
			return members[i].value
		}
		return nil
	}
	detection, correlation, filter := find("detection"), find("correlation"), find("filter")
	if detection == nil && correlation == nil && filter == nil {
		if find("action") == nil && find("logsource") == nil && !explicit {
			l.result.Skipped++
			return nil
		}
	}
	if err := d.parseMeta(members); err != nil {
		return err
	}
	switch {
	case find("action") != nil:
		return d.at(find("action"), fmt.Errorf("%q belongs to Sigma 1: write the documents in full", "action"))
	case detection != nil:
		return l.parseRule(d, detection, find("logsource"))
	case correlation != nil:
		return l.parseCorrelation(d, correlation, find("generate"))
	case filter != nil:
		return l.parseFilter(d, filter, find("logsource"))
	}
	return fmt.Errorf("neither detection, correlation nor filter is there")
}

func (l *loader) parseRule(d *document, detection, logSource *yaml.Node) error {
	source, err := d.parseLogSource(logSource)
	if err != nil {
		return err
	}
	switch d.meta.Status {
	case "unsupported":
		return fmt.Errorf("its status is unsupported: it cannot be used as it is")
	case "deprecated":
		if !l.options.Deprecated {
			l.result.Deprecated++
			return nil
		}
	}
	members, err := d.mapping(detection)
	if err != nil {
		return err
	}
	when, condition, err := d.parseSearches(detection, members, nil)
	if err != nil {
		return err
	}
	return l.addRule(&Rule{Meta: d.meta, LogSource: source, Condition: condition, when: when})
}

func (l *loader) parseFilter(d *document, filter, logSource *yaml.Node) error {
	source, err := d.parseLogSource(logSource)
	if err != nil {
		return err
	}
	members, err := d.mapping(filter)
	if err != nil {
		return err
	}
	f := &rawFilter{meta: d.meta, logSource: source}
	for _, m := range members {
		if m.key != "rules" {
			continue
		}
		if f.rules, err = d.texts(m.value, "rules"); err != nil {
			return err
		}
		f.any = m.value.Kind == yaml.ScalarNode && m.value.Value == "any"
	}
	if len(f.rules) == 0 {
		return fmt.Errorf("the filter names no rules")
	}
	if f.when, _, err = d.parseSearches(filter, members, []string{"rules"}); err != nil {
		return err
	}
	f.when.rename("filter " + d.meta.Title + ": ")
	l.filters = append(l.filters, f)
	return nil
}
