package sigma

import (
	"fmt"
	"strings"
)

// expand puts the values of placeholders in their place. A value with several
// placeholders becomes each combination.
func (d *document) expand(it *item) error {
	var expanded []value
	for _, v := range it.values {
		texts, err := d.expandText(v.text)
		if err != nil {
			return fmt.Errorf("line %d: %w", v.line, err)
		}
		for _, text := range texts {
			expanded = append(expanded, value{kind: v.kind, text: text, line: v.line})
		}
		if len(expanded) > maxValues {
			return fmt.Errorf("placeholders make more than %d values", maxValues)
		}
	}
	it.values = expanded
	return nil
}

func (d *document) expandText(text string) ([]string, error) {
	texts := []string{""}
	add := func(choices ...string) {
		next := make([]string, 0, len(texts)*len(choices))
		for _, start := range texts {
			for _, choice := range choices {
				next = append(next, start+choice)
			}
		}
		texts = next
	}
	for text != "" {
		at := strings.IndexByte(text, '%')
		switch {
		case at < 0:
			add(text)
			return texts, nil
		case at > 0 && text[at-1] == '\\':
			add(text[:at-1] + "%")
			text = text[at+1:]
			continue
		}
		add(text[:at])
		name, rest, found := strings.Cut(text[at+1:], "%")
		if !found || !IsPlaceholder(name) {
			add("%")
			text = text[at+1:]
			continue
		}
		choices := d.options.Placeholders[name]
		if len(choices) == 0 {
			return nil, fmt.Errorf("placeholder %%%s%% has no values", name)
		}
		if len(texts)*len(choices) > maxValues {
			return nil, fmt.Errorf("placeholders make more than %d values", maxValues)
		}
		add(choices...)
		text = rest
	}
	return texts, nil
}

// IsPlaceholder says that a name can stand between the percent signs of expand.
func IsPlaceholder(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return name != ""
}
