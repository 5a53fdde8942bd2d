package sigma

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var (
	statuses  = []string{"stable", "test", "experimental", "deprecated", "unsupported"}
	levels    = []string{"informational", "low", "medium", "high", "critical"}
	relations = []string{"derived", "obsolete", "merged", "renamed", "similar"}
)

// Levels lists the levels that a rule may have, the lowest first.
func Levels() []string { return slices.Clone(levels) }

// Statuses lists the values that a rule's status may have.
func Statuses() []string { return slices.Clone(statuses) }

// parseMeta reads what documents say about themselves. Keys that Sigma does
// not know are the author's own and pass.
func (d *document) parseMeta(members []member) error {
	texts := map[string]*string{
		"title": &d.meta.Title, "id": &d.meta.ID, "name": &d.meta.Name, "taxonomy": &d.meta.Taxonomy,
		"status": &d.meta.Status, "description": &d.meta.Description, "license": &d.meta.License,
		"author": &d.meta.Author, "date": &d.meta.Date, "modified": &d.meta.Modified, "level": &d.meta.Level,
	}
	lists := map[string]*[]string{
		"references": &d.meta.References, "fields": &d.meta.Fields, "falsepositives": &d.meta.FalsePositives,
		"tags": &d.meta.Tags, "scope": &d.meta.Scope,
	}
	for _, m := range members {
		var err error
		switch text, list := texts[m.key], lists[m.key]; {
		case m.value.Tag == "!!null":
			// a key without a value says nothing
		case text != nil:
			*text, err = d.text(m.value, m.key)
		case list != nil:
			*list, err = d.texts(m.value, m.key)
		case m.key == "related":
			d.meta.Related, err = d.parseRelated(m.value)
		}
		if err != nil {
			return err
		}
	}
	return d.checkMeta(members)
}

func (d *document) checkMeta(members []member) error {
	fail := func(key, format string, args ...any) error {
		err := fmt.Errorf(format, args...)
		for _, m := range members {
			if m.key == key {
				return d.at(m.value, err)
			}
		}
		return err
	}
	switch m := &d.meta; {
	case strings.TrimSpace(m.Title) == "":
		return fail("title", "the title is missing")
	case utf8.RuneCountInString(m.Title) > 256:
		return fail("title", "the title is longer than 256 characters")
	case utf8.RuneCountInString(m.Description) > 65535:
		return fail("description", "the description is longer than 65535 characters")
	case m.Status != "" && !slices.Contains(statuses, m.Status):
		return fail("status", "status %s is not one of %s", quoted(m.Status), strings.Join(statuses, ", "))
	case m.Level != "" && !slices.Contains(levels, m.Level):
		return fail("level", "level %s is not one of %s", quoted(m.Level), strings.Join(levels, ", "))
	case m.Taxonomy != "" && m.Taxonomy != "sigma":
		fields, known := d.options.Taxonomies[m.Taxonomy]
		if !known {
			return fail("taxonomy", "taxonomy %s is not known", quoted(m.Taxonomy))
		}
		d.fields = fields
	}
	return nil
}

func (d *document) parseRelated(node *yaml.Node) ([]Related, error) {
	if node.Kind != yaml.SequenceNode {
		return nil, d.at(node, fmt.Errorf("related needs a list"))
	}
	nodes, err := d.sequence(node)
	if err != nil {
		return nil, err
	}
	related := make([]Related, len(nodes))
	for i, n := range nodes {
		members, err := d.mapping(n)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			switch m.key {
			case "id":
				related[i].ID = m.value.Value
			case "type":
				related[i].Type = m.value.Value
			}
		}
		if !slices.Contains(relations, related[i].Type) {
			return nil, d.at(n, fmt.Errorf("related type %s is not one of %s", quoted(related[i].Type), strings.Join(relations, ", ")))
		}
	}
	return related, nil
}

func (d *document) parseLogSource(node *yaml.Node) (LogSource, error) {
	var source LogSource
	if node == nil {
		return source, fmt.Errorf("the logsource is missing")
	}
	members, err := d.mapping(node)
	if err != nil {
		return source, err
	}
	known := map[string]*string{
		"category": &source.Category, "product": &source.Product, "service": &source.Service, "definition": &source.Definition,
	}
	for _, m := range members {
		text := known[m.key]
		if text == nil || m.value.Tag == "!!null" {
			continue
		}
		if *text, err = d.text(m.value, "logsource "+m.key); err != nil {
			return source, err
		}
	}
	if source.Category == "" && source.Product == "" && source.Service == "" {
		return source, d.at(node, fmt.Errorf("the logsource names no category, product or service"))
	}
	return source, nil
}
