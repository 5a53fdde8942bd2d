package sigma

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseSearches reads search identifiers and their condition, as a detection
// and a filter have them. Keys in other belong to the document instead.
func (d *document) parseSearches(node *yaml.Node, members []member, other []string) (when *expr, condition []string, err error) {
	ids := &identifiers{byName: map[string]*expr{}}
	var place *yaml.Node
	for _, m := range members {
		switch {
		case slices.Contains(other, m.key):
		case m.key == "condition":
			if condition, err = d.texts(m.value, "condition"); err != nil {
				return nil, nil, err
			}
			place = m.value
		case m.key == "timeframe":
			return nil, nil, d.at(m.name, fmt.Errorf("%q belongs to Sigma 1: write a correlation", m.key))
		default:
			e, err := d.parseSearch(m.value, 0)
			if err != nil {
				return nil, nil, d.at(m.name, fmt.Errorf("search identifier %s: %w", quoted(m.key), err))
			}
			named := *e
			named.selection = m.key
			if err := ids.add(m.key, &named); err != nil {
				return nil, nil, d.at(m.name, err)
			}
		}
	}
	if len(condition) == 0 {
		return nil, nil, d.at(node, fmt.Errorf("the condition is missing"))
	}
	when, err = d.parseConditions(place, condition, ids)
	return when, condition, err
}

func (d *document) parseConditions(place *yaml.Node, conditions []string, ids *identifiers) (*expr, error) {
	var parts []*expr
	for _, condition := range conditions {
		e, err := parseCondition(condition, ids)
		if err != nil {
			return nil, d.at(place, err)
		}
		parts = append(parts, e)
	}
	when := join(opOr, parts)
	if when.size > maxLogic {
		return nil, d.at(place, fmt.Errorf("the condition repeats its searches to more than %d tests", maxLogic))
	}
	return when, nil
}

// parseSearch reads one search identifier: a mapping (all of its items), a
// list (any of its parts) or a keyword.
func (d *document) parseSearch(node *yaml.Node, depth int) (*expr, error) {
	if depth > maxDepth {
		return nil, d.at(node, fmt.Errorf("nested deeper than %d", maxDepth))
	}
	switch node.Kind {
	case yaml.MappingNode:
		return d.parseItems(node)
	case yaml.SequenceNode:
		return d.parseAlternatives(node, depth)
	case yaml.ScalarNode:
		return d.parseKeywords(node, []*yaml.Node{node})
	}
	return nil, d.at(node, fmt.Errorf("a mapping or a list is expected"))
}

// parseAlternatives joins the parts of a list by or; its texts are keywords.
func (d *document) parseAlternatives(node *yaml.Node, depth int) (*expr, error) {
	nodes, err := d.sequence(node)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, d.at(node, fmt.Errorf("the list is empty"))
	}
	var parts []*expr
	var keywords []*yaml.Node
	for _, n := range nodes {
		switch n.Kind {
		case yaml.ScalarNode:
			keywords = append(keywords, n)
		case yaml.MappingNode, yaml.SequenceNode:
			e, err := d.parseSearch(n, depth+1)
			if err != nil {
				return nil, err
			}
			parts = append(parts, e)
		}
	}
	if len(keywords) > 0 {
		e, err := d.parseKeywords(node, keywords)
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
	}
	return join(opOr, parts), nil
}

func (d *document) parseKeywords(place *yaml.Node, nodes []*yaml.Node) (*expr, error) {
	it := &item{list: len(nodes) > 1}
	for _, n := range nodes {
		v, err := d.value(n)
		if err == nil && v.kind == valueNull {
			err = d.at(n, fmt.Errorf("null is no keyword"))
		}
		if err != nil {
			return nil, err
		}
		it.values = append(it.values, v)
	}
	e, err := d.compileItem(it)
	if err != nil {
		return nil, d.at(place, err)
	}
	e.item = it
	return e, nil
}

func (d *document) parseItems(node *yaml.Node) (*expr, error) {
	members, err := d.mapping(node)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, d.at(node, fmt.Errorf("the mapping is empty"))
	}
	parts := make([]*expr, 0, len(members))
	for _, m := range members {
		e, err := d.parseItem(&m)
		if err != nil {
			return nil, d.at(m.name, fmt.Errorf("field %s: %w", quoted(m.key), err))
		}
		parts = append(parts, e)
	}
	return join(opAnd, parts), nil
}

func (d *document) parseItem(m *member) (*expr, error) {
	parts := strings.Split(m.key, "|")
	modifiers, err := parseChain(parts[1:])
	if err != nil {
		return nil, err
	}
	it := &item{field: fieldName(parts[0]), modifiers: parts[1:], chain: modifiers}
	if mapped, ok := d.fields[it.field]; ok {
		it.field = fieldName(mapped)
	}
	if it.field == "" && len(parts) == 1 {
		return nil, fmt.Errorf("the field has no name")
	}
	nodes := []*yaml.Node{m.value}
	if m.value.Kind == yaml.SequenceNode {
		it.list = true
		if nodes, err = d.sequence(m.value); err != nil {
			return nil, err
		}
	}
	for _, n := range nodes {
		v, err := d.value(n)
		if err != nil {
			return nil, err
		}
		it.values = append(it.values, v)
	}
	e, err := d.compileItem(it)
	if err != nil {
		return nil, err
	}
	e.item = it
	return e, nil
}

// fieldName is a field's name as the specification wants it: without spaces.
func fieldName(name string) string { return strings.ReplaceAll(name, " ", "") }

// value reads one value. Numbers are written in decimal.
func (d *document) value(node *yaml.Node) (value, error) {
	v := value{text: node.Value, line: d.line + node.Line}
	if node.Kind != yaml.ScalarNode {
		return v, d.at(node, fmt.Errorf("a plain value is expected"))
	}
	switch node.Tag {
	case "!!null":
		v.kind, v.text = valueNull, ""
	case "!!bool":
		v.kind = valueBool
	case "!!int", "!!float":
		v.kind = valueNumber
		v.text = decimal(node)
	}
	return v, nil
}

func decimal(node *yaml.Node) string {
	var whole int64
	var large uint64
	var float float64
	switch {
	case node.Tag == "!!int" && node.Decode(&whole) == nil:
		return strconv.FormatInt(whole, 10)
	case node.Tag == "!!int" && node.Decode(&large) == nil:
		return strconv.FormatUint(large, 10)
	case node.Decode(&float) == nil:
		return strconv.FormatFloat(float, 'f', -1, 64)
	}
	return node.Value
}
