package sigma

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxEncodedVariants bounds what windash before an encoding makes of one
// value: up to four dashes.
const maxEncodedVariants = 625

// value is one value of a rule as YAML has it.
type value struct {
	kind valueKind
	text string
	line int
}

type valueKind uint8

const (
	valueText valueKind = iota
	valueNumber
	valueBool
	valueNull
)

// item is one line of a search: a field, its modifiers, its values.
type item struct {
	field     string
	modifiers []string // as written
	chain     chain
	values    []value
	list      bool // the values were written as a list
}

// chain is a field's modifiers, sorted by what they change.
type chain struct {
	kind    string   // "", re, cidr, fieldref, exists, number
	text    []string // transformations and comparators of strings, in order
	flags   string   // of re: i, m, s
	compare comparison
	part    datePart
	expand  bool
	cased   bool
	all     bool
	neq     bool
}

// parseChain reads the modifiers behind a field name.
func parseChain(modifiers []string) (chain, error) {
	var c chain
	for i, m := range modifiers {
		if slices.Contains(modifiers[:i], m) {
			return c, fmt.Errorf("modifier %s is there twice", quoted(m))
		}
		if err := c.add(m); err != nil {
			return c, err
		}
	}
	return c, c.check()
}

func (c *chain) add(m string) error {
	switch m {
	case "all":
		c.all = true
	case "neq":
		c.neq = true
	case "expand":
		if slices.ContainsFunc(c.text, isEncoding) {
			return fmt.Errorf("modifier expand after an encoding finds no placeholder")
		}
		c.expand = true
	case "cased":
		c.cased = true
	case "contains", "startswith", "endswith", "windash", "base64", "base64offset", "wide", "utf16le", "utf16be", "utf16":
		c.text = append(c.text, m)
	case "i", "m", "s":
		if c.kind != "re" {
			return fmt.Errorf("modifier %s is only known after re", m)
		}
		c.flags += m
	case "re", "cidr", "fieldref", "exists":
		return c.become(m)
	default:
		return c.addNumeric(m)
	}
	return nil
}

func (c *chain) addNumeric(m string) error {
	if part := dateParts[m]; part != dateNone {
		c.part = part
		return c.become(m)
	}
	compare, known := comparisons[m]
	switch {
	case !known:
		return fmt.Errorf("modifier %s is not known", quoted(m))
	case c.part != dateNone && c.compare == compareEqual:
		c.compare = compare
		return nil
	}
	c.compare = compare
	return c.become(m)
}

// become gives the chain the type of its values, which it can have once.
func (c *chain) become(m string) error {
	if c.kind != "" {
		return fmt.Errorf("modifier %s does not go together with %s", m, c.kind)
	}
	c.kind = m
	return nil
}

func isEncoding(m string) bool { return strings.HasPrefix(m, "base64") || isUTF16(m) }

func isUTF16(m string) bool { return m == "wide" || strings.HasPrefix(m, "utf16") }

func isComparator(m string) bool { return m == "contains" || m == "startswith" || m == "endswith" }

// check refuses what cannot go together.
func (c *chain) check() error {
	for _, m := range c.text {
		ok := c.kind == "" || isComparator(m) && (c.kind == "re" || c.kind == "fieldref")
		if !ok {
			return fmt.Errorf("modifier %s does not go together with %s", m, c.kind)
		}
	}
	if c.cased && c.kind != "" && c.kind != "fieldref" {
		return fmt.Errorf("modifier cased does not go together with %s", c.kind)
	}
	if c.expand && c.kind != "" && c.kind != "re" && c.kind != "cidr" {
		return fmt.Errorf("modifier expand does not go together with %s", c.kind)
	}
	for i, m := range c.text {
		if isComparator(m) && slices.ContainsFunc(c.text[i:], isEncoding) {
			return fmt.Errorf("modifier %s before an encoding: its wildcards cannot be encoded", m)
		}
	}
	return nil
}

// compileItem makes the logic of one line of a search.
func (d *document) compileItem(it *item) (*expr, error) {
	if it.chain.all && !it.chain.expand && (!it.list || len(it.values) < 2) {
		return nil, fmt.Errorf("modifier all needs a list of values")
	}
	if it.list && len(it.values) == 0 {
		return nil, fmt.Errorf("the list of values is empty")
	}
	for _, v := range it.values {
		if v.kind == valueNull && (it.list || it.chain.kind != "" || len(it.chain.text) > 0 || it.chain.expand) {
			return nil, fmt.Errorf("line %d: null stands alone, in no list and with no modifier", v.line)
		}
	}
	e, err := d.compileValues(it)
	if err == nil && it.chain.neq {
		e = negate(e)
	}
	return e, err
}

func (d *document) compileValues(it *item) (*expr, error) {
	if it.chain.expand {
		if err := d.expand(it); err != nil {
			return nil, err
		}
	}
	if it.chain.kind != "" {
		d.values += len(it.values)
	}
	if d.values > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	if it.field == "" && it.chain.kind != "" && it.chain.kind != "re" {
		return nil, fmt.Errorf("modifier %s needs a field", it.chain.kind)
	}
	switch it.chain.kind {
	case "":
		return d.compileTexts(it)
	case "re":
		return eachValue(it, d.compileRegex)
	case "fieldref":
		return eachValue(it, compileRef)
	case "exists":
		return compileExists(it)
	case "cidr":
		return compileCIDR(it)
	}
	return compileNumbers(it)
}

// eachValue joins what one makes of each value by or, with all by and.
func eachValue(it *item, one func(it *item, v value) (*expr, error)) (*expr, error) {
	parts := make([]*expr, 0, len(it.values))
	for _, v := range it.values {
		e, err := one(it, v)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", v.line, err)
		}
		parts = append(parts, e)
	}
	return joinValues(it, parts), nil
}

func joinValues(it *item, parts []*expr) *expr {
	if it.chain.all {
		return join(opAnd, parts)
	}
	return join(opOr, parts)
}

func (d *document) compileTexts(it *item) (*expr, error) {
	if len(it.values) == 1 && it.values[0].kind == valueNull {
		return negate(leaf(&test{kind: testPresent, field: it.field})), nil
	}
	dash := slices.Contains(it.chain.text, "windash") && !slices.ContainsFunc(it.chain.text, isEncoding)
	make1 := func(patterns []pattern) *expr {
		return leaf(&test{kind: testText, field: it.field, patterns: patterns, cased: it.chain.cased, dash: dash})
	}
	var any []pattern
	var all []*expr
	for _, v := range it.values {
		variants, err := it.chain.apply(parsePattern(v.text))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", v.line, err)
		}
		patterns := make([]pattern, len(variants))
		for i, pieces := range variants {
			if it.field == "" {
				pieces = openEnd(openStart(pieces))
			}
			patterns[i] = newPattern(pieces, it.chain.cased, dash)
		}
		if it.chain.all {
			all = append(all, make1(patterns))
		}
		any = append(any, patterns...)
	}
	if d.values += len(any); d.values > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	if it.chain.all {
		return join(opAnd, all), nil
	}
	return make1(any), nil
}

// apply puts one value through the modifiers of strings, in their order. A
// value may become several, any of which will do.
func (c *chain) apply(pieces []piece) ([][]piece, error) {
	variants := [][]piece{pieces}
	for i, m := range c.text {
		var next [][]piece
		for _, v := range variants {
			made, err := transform(m, v, slices.ContainsFunc(c.text[i:], isEncoding))
			if err != nil {
				return nil, err
			}
			next = append(next, made...)
		}
		variants = next
	}
	return variants, nil
}

// transform applies one modifier. windash spells its variants out only where
// an encoding follows; elsewhere the comparison itself takes all dashes alike.
func transform(m string, pieces []piece, encodingFollows bool) ([][]piece, error) {
	switch m {
	case "contains":
		pieces = openEnd(openStart(pieces))
	case "startswith":
		pieces = openEnd(pieces)
	case "endswith":
		pieces = openStart(pieces)
	case "windash":
		if encodingFollows {
			return dashVariants(pieces, maxEncodedVariants)
		}
	case "wide", "utf16le":
		pieces = encodeUTF16(pieces, binary.LittleEndian, false)
	case "utf16be":
		pieces = encodeUTF16(pieces, binary.BigEndian, false)
	case "utf16":
		pieces = encodeUTF16(pieces, binary.LittleEndian, true)
	default:
		return encodeBase64(m, pieces)
	}
	return [][]piece{pieces}, nil
}

func encodeBase64(m string, pieces []piece) ([][]piece, error) {
	text, err := plainText(pieces, m)
	switch {
	case err != nil:
		return nil, err
	case text == "":
		return nil, fmt.Errorf("modifier %s has nothing to encode", m)
	case m == "base64":
		return [][]piece{{{text: base64.StdEncoding.EncodeToString([]byte(text))}}}, nil
	}
	var variants [][]piece
	for _, variant := range encodeBase64Offset(text) {
		variants = append(variants, []piece{{text: variant}})
	}
	return variants, nil
}

// compileRegex reads a regular expression; the comparators anchor it.
func (d *document) compileRegex(it *item, v value) (*expr, error) {
	if v.kind == valueNull {
		return nil, fmt.Errorf("null is no regular expression")
	}
	source := v.text
	has := func(m string) bool { return slices.Contains(it.chain.text, m) }
	if has("startswith") && !has("contains") && !has("endswith") {
		source = `\A(?:` + source + `)`
	}
	if has("endswith") && !has("contains") && !has("startswith") {
		source = `(?:` + source + `)\z`
	}
	if it.chain.flags != "" {
		source = "(?" + it.chain.flags + ")" + source
	}
	return planRegex(it.field, source)
}

func compileRef(it *item, v value) (*expr, error) {
	other := fieldName(v.text)
	if v.kind != valueText || other == "" {
		return nil, fmt.Errorf("fieldref needs the name of a field")
	}
	t := &test{kind: testRef, field: it.field, other: other, cased: it.chain.cased}
	starts := slices.Contains(it.chain.text, "startswith")
	ends := slices.Contains(it.chain.text, "endswith")
	switch {
	case slices.Contains(it.chain.text, "contains"), starts && ends:
		t.shape = shapeContains
	case starts:
		t.shape = shapePrefix
	case ends:
		t.shape = shapeSuffix
	}
	return leaf(t), nil
}

func compileExists(it *item) (*expr, error) {
	e := leaf(&test{kind: testExists, field: it.field})
	if len(it.values) == 1 && !it.list {
		switch strings.ToLower(it.values[0].text) {
		case "true":
			return e, nil
		case "false":
			return negate(e), nil
		}
	}
	return nil, fmt.Errorf("modifier exists needs true or false")
}

func compileCIDR(it *item) (*expr, error) {
	e, err := eachValue(it, func(it *item, v value) (*expr, error) {
		prefix, err := netip.ParsePrefix(v.text)
		if addr, errAddr := netip.ParseAddr(v.text); err != nil && errAddr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s is no address range", quoted(v.text))
		}
		return leaf(&test{kind: testCIDR, field: it.field, prefixes: []netip.Prefix{prefix.Masked()}}), nil
	})
	return merge(e), err
}

// merge makes one test of an or of tests that differ in their values only.
func merge(e *expr) *expr {
	if e == nil || e.op != opOr {
		return e
	}
	one := *e.kids[0].test
	for _, kid := range e.kids[1:] {
		one.prefixes = append(one.prefixes, kid.test.prefixes...)
		one.numbers = append(one.numbers, kid.test.numbers...)
	}
	return leaf(&one)
}

func compileNumbers(it *item) (*expr, error) {
	e, err := eachValue(it, func(it *item, v value) (*expr, error) {
		n, ok := parseNumber(v.text)
		if !ok || v.kind == valueBool {
			return nil, fmt.Errorf("modifier %s needs a number, not %s", it.chain.kind, quoted(v.text))
		}
		return leaf(&test{kind: testNumber, field: it.field, compare: it.chain.compare, part: it.chain.part, numbers: []number{n}}), nil
	})
	return merge(e), err
}
