package sigma

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of one condition.
const (
	maxConditionBytes = 64 << 10
	maxConditionDepth = 200
)

// identifiers is what a condition can name: search identifiers and their logic.
type identifiers struct {
	names  []string // in the order of the rule
	byName map[string]*expr
}

// parseCondition reads a condition:
//
//	or    = and { "or" and }
//	and   = not { "and" not }
//	not   = "not" not | "(" or ")" | ("1"|"any"|"all") "of" ("them"|pattern) | name
func parseCondition(text string, ids *identifiers) (*expr, error) {
	if len(text) > maxConditionBytes {
		return nil, fmt.Errorf("condition has %d bytes, more than %d", len(text), maxConditionBytes)
	}
	p := &conditionParser{tokens: conditionTokens(text), ids: ids}
	e, err := p.or()
	switch {
	case err != nil:
		return nil, fmt.Errorf("condition %s: %w", quoted(text), err)
	case p.at < len(p.tokens) && p.tokens[p.at] == "|":
		return nil, fmt.Errorf("condition %s: aggregations after %q belong to Sigma 1: write a correlation", quoted(text), "|")
	case p.at < len(p.tokens):
		return nil, fmt.Errorf("condition %s: %s is not expected there", quoted(text), quoted(p.tokens[p.at]))
	}
	return e, nil
}

func conditionTokens(text string) []string {
	for _, mark := range []string{"(", ")", "|"} {
		text = strings.ReplaceAll(text, mark, " "+mark+" ")
	}
	return strings.Fields(text)
}

type conditionParser struct {
	tokens []string
	at     int
	depth  int
	ids    *identifiers
}

// word takes the next token if it is this word, in any case.
func (p *conditionParser) word(word string) bool {
	if p.at < len(p.tokens) && strings.EqualFold(p.tokens[p.at], word) {
		p.at++
		return true
	}
	return false
}

func (p *conditionParser) or() (*expr, error) {
	return p.chain("or", opOr, p.and)
}

func (p *conditionParser) and() (*expr, error) {
	return p.chain("and", opAnd, p.not)
}

func (p *conditionParser) chain(word string, op exprOp, part func() (*expr, error)) (*expr, error) {
	var parts []*expr
	for {
		e, err := part()
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
		if !p.word(word) {
			return join(op, parts), nil
		}
	}
}

func (p *conditionParser) not() (*expr, error) {
	if p.depth++; p.depth > maxConditionDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxConditionDepth)
	}
	defer func() { p.depth-- }()
	if p.word("not") {
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		return negate(e), nil
	}
	return p.primary()
}

func (p *conditionParser) primary() (*expr, error) {
	if p.word("(") {
		e, err := p.or()
		if err == nil && !p.word(")") {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		return e, err
	}
	if p.at == len(p.tokens) {
		return nil, fmt.Errorf("ends where a search identifier is expected")
	}
	token := p.tokens[p.at]
	p.at++
	if p.at < len(p.tokens) && strings.EqualFold(p.tokens[p.at], "of") {
		return p.of(token)
	}
	if e := p.ids.byName[token]; e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("no search identifier is named %s", quoted(token))
}

func (p *conditionParser) of(quantity string) (*expr, error) {
	op := opOr
	switch strings.ToLower(quantity) {
	case "1", "any":
	case "all":
		op = opAnd
	default:
		return nil, fmt.Errorf("%s before %q: only 1, any and all are known", quoted(quantity), "of")
	}
	p.at++ // "of"
	if p.at == len(p.tokens) {
		return nil, fmt.Errorf("ends after %q", "of")
	}
	pattern := p.tokens[p.at]
	p.at++
	var parts []*expr
	for _, name := range p.ids.names {
		if nameMatches(pattern, name) {
			parts = append(parts, p.ids.byName[name])
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("no search identifier is like %s", quoted(pattern))
	}
	return join(op, parts), nil
}

// nameMatches leaves out names with a leading underscore unless the pattern
// has one too.
func nameMatches(pattern, name string) bool {
	if strings.HasPrefix(name, "_") && !strings.HasPrefix(pattern, "_") {
		return false
	}
	if strings.EqualFold(pattern, "them") {
		return true
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(name, part)
		if !found {
			return false
		}
		name = after
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}

// quoted shortens what a file may say at any length.
func quoted(text string) string {
	const limit = 80
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "..."
	}
	return fmt.Sprintf("%q", text)
}

func (ids *identifiers) add(name string, e *expr) error {
	if slices.Contains(ids.names, name) {
		return fmt.Errorf("search identifier %s is there twice", quoted(name))
	}
	ids.names = append(ids.names, name)
	ids.byName[name] = e
	return nil
}
