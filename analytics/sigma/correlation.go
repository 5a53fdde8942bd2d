package sigma

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Bounds of one correlation. What is larger is refused.
const (
	maxTimespan  = 30 * 24 * time.Hour
	maxReferred  = 64 // rules of one correlation
	maxGroupBy   = 16 // fields
	maxCondition = 3  // parts of a condition
)

// bound is one comparison of a correlation's condition.
type bound struct {
	compare comparison
	not     bool // neq
	limit   number
}

func (b *bound) holds(n number) bool { return b.compare.holds(n.compareTo(b.limit)) != b.not }

var correlationTypes = []CorrelationType{EventCount, ValueCount, Temporal, TemporalOrdered, ValueSum, ValueAvg, ValuePercentile, ValueMedian}

// needsField says that the type weighs values of a field.
func (t CorrelationType) needsField() bool {
	return t != EventCount && !t.isTemporal()
}

func (t CorrelationType) isTemporal() bool { return t == Temporal || t == TemporalOrdered }

func (l *loader) parseCorrelation(d *document, node, generate *yaml.Node) error {
	members, err := d.mapping(node)
	if err != nil {
		return err
	}
	c := &rawCorrelation{Correlation: &Correlation{Meta: d.meta, percentile: 50}}
	for _, m := range members {
		if err := d.parseCorrelationKey(c, &m); err != nil {
			return d.at(m.name, err)
		}
	}
	if generate != nil {
		if err := d.at(generate, generate.Decode(&c.Generate)); err != nil {
			return fmt.Errorf("generate needs true or false")
		}
	}
	if err := c.check(); err != nil {
		return d.at(node, err)
	}
	if err := l.enlist(&c.Meta, reference{correlation: c.Correlation}); err != nil {
		return err
	}
	l.correlations = append(l.correlations, c)
	return nil
}

func (d *document) parseCorrelationKey(c *rawCorrelation, m *member) (err error) {
	switch m.key {
	case "type":
		c.Type = CorrelationType(m.value.Value)
	case "rules":
		c.rules, err = d.texts(m.value, m.key)
	case "group-by":
		c.GroupBy, err = d.fieldNames(m.value, m.key)
	case "timespan", "timeframe":
		c.Timespan, err = parseTimespan(m.value.Value)
	case "generate":
		err = m.value.Decode(&c.Generate)
	case "condition":
		err = d.parseCorrelationCondition(c, m.value)
	case "aliases":
		err = d.parseAliases(c, m.value)
	default:
		err = fmt.Errorf("key %s of a correlation is not known", quoted(m.key))
	}
	return err
}

func (d *document) fieldNames(node *yaml.Node, what string) ([]string, error) {
	names, err := d.texts(node, what)
	for i := range names {
		names[i] = fieldName(names[i])
	}
	return names, err
}

// parseTimespan reads a number and one of s, m, h, d.
func parseTimespan(text string) (time.Duration, error) {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	if text != "" {
		unit := units[text[len(text)-1:]]
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
		if err == nil && unit > 0 && n > 0 {
			if span := time.Duration(n) * unit; n <= uint64(maxTimespan/unit) {
				return span, nil
			}
			return 0, fmt.Errorf("timespan %s is longer than %d days", quoted(text), maxTimespan/(24*time.Hour))
		}
	}
	return 0, fmt.Errorf("timespan %s is not a number followed by s, m, h or d", quoted(text))
}

func (d *document) parseCorrelationCondition(c *rawCorrelation, node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		c.condition = node.Value
		return nil
	}
	members, err := d.mapping(node)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := d.parseBound(c, &m); err != nil {
			return d.at(m.name, err)
		}
	}
	if len(c.bounds) == 0 || len(members) > maxCondition {
		return fmt.Errorf("a condition has one or two of gt, gte, lt, lte, eq, neq")
	}
	return nil
}

func (d *document) parseBound(c *rawCorrelation, m *member) (err error) {
	switch m.key {
	case "field":
		c.fields, err = d.fieldNames(m.value, "field")
		return err
	case "percentile":
		n, ok := parseNumber(m.value.Value)
		if !ok || n.f < 0 || n.f > 100 {
			return fmt.Errorf("percentile %s is not between 0 and 100", quoted(m.value.Value))
		}
		c.percentile = n.f
		return nil
	}
	b := bound{compare: comparisons[m.key], not: m.key == "neq"}
	if b.compare == compareEqual && m.key != "eq" && !b.not {
		return fmt.Errorf("condition %s is not known", quoted(m.key))
	}
	n, ok := parseNumber(m.value.Value)
	if !ok || m.value.Kind != yaml.ScalarNode {
		return fmt.Errorf("condition %s needs a number", m.key)
	}
	b.limit = n
	c.bounds = append(c.bounds, b)
	return nil
}

func (d *document) parseAliases(c *rawCorrelation, node *yaml.Node) error {
	members, err := d.mapping(node)
	if err != nil {
		return err
	}
	c.aliasRefs = map[string]map[string]string{}
	for _, m := range members {
		perRule, err := d.mapping(m.value)
		if err != nil {
			return err
		}
		fields := map[string]string{}
		for _, r := range perRule {
			field, err := d.text(r.value, "alias "+m.key)
			if err != nil {
				return err
			}
			fields[r.key] = fieldName(field)
		}
		c.aliasRefs[fieldName(m.key)] = fields
	}
	return nil
}

// check refuses what a type does not allow or cannot do without.
func (c *rawCorrelation) check() error {
	switch {
	case !slices.Contains(correlationTypes, c.Type):
		return fmt.Errorf("correlation type %s is not known", quoted(string(c.Type)))
	case len(c.rules) == 0:
		return fmt.Errorf("the correlation names no rules")
	case len(c.rules) > maxReferred:
		return fmt.Errorf("the correlation names more than %d rules", maxReferred)
	case len(c.GroupBy) > maxGroupBy:
		return fmt.Errorf("the correlation groups by more than %d fields", maxGroupBy)
	case c.Timespan == 0:
		return fmt.Errorf("the timespan is missing")
	case c.condition != "" && !c.Type.isTemporal():
		return fmt.Errorf("a condition in words is for temporal correlations only")
	case len(c.bounds) == 0 && !c.Type.isTemporal():
		return fmt.Errorf("the condition is missing")
	case len(c.fields) == 0 && c.Type.needsField():
		return fmt.Errorf("the condition's field is missing")
	case len(c.fields) > 0 && !c.Type.needsField():
		return fmt.Errorf("a %s correlation counts no field", c.Type)
	case len(c.fields) > 1 && c.Type != ValueCount:
		return fmt.Errorf("a %s correlation weighs one field", c.Type)
	}
	for _, b := range c.bounds {
		if (c.Type == EventCount || c.Type == ValueCount) && b.limit.f > maxWindowEvents {
			return fmt.Errorf("counts above %d are not held", maxWindowEvents)
		}
	}
	for i, name := range c.rules {
		if slices.Contains(c.rules[:i], name) {
			return fmt.Errorf("rule %s is there twice", quoted(name))
		}
	}
	return nil
}

// resolveCorrelations finds what correlations refer to, puts each behind
// those that it refers to, and refuses those that cannot be resolved.
func (l *loader) resolveCorrelations() {
	pending := l.correlations
	resolved := map[*Correlation]bool{}
	for len(pending) > 0 {
		var later []*rawCorrelation
		for _, c := range pending {
			switch waits, err := l.resolve(c, resolved); {
			case err != nil:
				l.refuseCorrelation(c, err)
			case waits:
				later = append(later, c)
			default:
				resolved[c.Correlation] = true
				l.result.Correlations = append(l.result.Correlations, c.Correlation)
			}
		}
		if len(later) == len(pending) {
			for _, c := range later {
				l.refuseCorrelation(c, fmt.Errorf("its references go round in a circle"))
			}
			return
		}
		pending = later
	}
}

func (l *loader) refuseCorrelation(c *rawCorrelation, err error) {
	delete(l.byID, c.ID)
	delete(l.byName, c.Name)
	l.refuse(&document{file: c.File, meta: c.Meta}, c.Line, err)
}

// resolve fills in the references. waits: one of them is not resolved yet.
func (l *loader) resolve(c *rawCorrelation, resolved map[*Correlation]bool) (waits bool, err error) {
	c.refs = c.refs[:0]
	for _, key := range c.rules {
		ref, found := l.find(key)
		if !found {
			return false, fmt.Errorf("it refers to rule %s, which is not there", quoted(key))
		}
		waits = waits || ref.correlation != nil && !resolved[ref.correlation]
		c.refs = append(c.refs, ref)
	}
	if waits {
		return true, nil
	}
	if err := l.resolveAliases(c); err != nil {
		return false, err
	}
	return false, c.resolveCondition()
}

func (l *loader) resolveAliases(c *rawCorrelation) error {
	c.aliases = map[string]map[string]string{}
	for alias, fields := range c.aliasRefs {
		resolved := map[string]string{}
		for name, field := range fields {
			ref, found := l.find(name)
			if !found || !slices.Contains(c.refs, ref) {
				return fmt.Errorf("alias %s names %s, which is not among the correlation's rules", quoted(alias), quoted(name))
			}
			resolved[ref.key()] = field
		}
		c.aliases[alias] = resolved
	}
	return nil
}

// resolveCondition reads a condition in words: rule names joined by and, or,
// not.
func (c *rawCorrelation) resolveCondition() error {
	if c.condition == "" {
		return nil
	}
	ids := &identifiers{byName: map[string]*expr{}}
	for i, name := range c.rules {
		if err := ids.add(name, leaf(&test{kind: testRule, rule: i})); err != nil {
			return err
		}
		if meta := c.refs[i].meta(); meta.Name != "" && meta.Name != name {
			ids.byName[meta.Name] = ids.byName[name]
		}
	}
	when, err := parseCondition(c.condition, ids)
	if err == nil && when.size > maxLogic {
		err = fmt.Errorf("the condition repeats its rules to more than %d tests", maxLogic)
	}
	c.when = when
	return err
}

// silence makes the rules silent that only feed correlations.
func (l *loader) silence() {
	generated := map[reference]bool{}
	for _, c := range l.result.Correlations {
		for _, ref := range c.refs {
			generated[ref] = generated[ref] || c.Generate
		}
	}
	for ref, loud := range generated {
		if ref.rule != nil {
			ref.rule.Silent = !loud
		} else {
			ref.correlation.Silent = !loud
		}
	}
}

// fieldOf gives the field that stands for name in records of the rule.
func (c *Correlation) fieldOf(name string, rule *Meta) string {
	if fields, ok := c.aliases[name]; ok {
		if field, ok := fields[rule.Key()]; ok {
			return field
		}
	}
	return name
}

// words is a condition's bounds in short, for explanations.
func (c *Correlation) words() string {
	signs := map[comparison]string{
		compareEqual: "=", compareLess: "<", compareLessEqual: "<=", compareGreater: ">", compareGreaterEqual: ">=",
	}
	parts := make([]string, len(c.bounds))
	for i, b := range c.bounds {
		sign := signs[b.compare]
		if b.not {
			sign = "!="
		}
		parts[i] = sign + " " + strconv.FormatFloat(b.limit.f, 'f', -1, 64)
	}
	return strings.Join(parts, " and ")
}
