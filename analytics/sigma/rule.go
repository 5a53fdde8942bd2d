package sigma

import (
	"fmt"
	"time"
)

// Meta is what documents of all three kinds say about themselves.
type Meta struct {
	Title          string
	ID             string // may be empty
	Name           string // may be empty; unique where it is not
	Taxonomy       string // empty: the default, "sigma"
	Status         string // stable, test, experimental, deprecated, unsupported or empty
	Description    string
	License        string
	Author         string
	References     []string
	Date, Modified string // as written
	Fields         []string
	FalsePositives []string
	Level          string // informational, low, medium, high, critical or empty
	Tags           []string
	Scope          []string
	Related        []Related

	File string // the path it came from, archive and inner path joined by "!"
	Line int    // of the document's first key
}

// Related is a reference to another rule.
type Related struct {
	ID   string
	Type string // derived, obsolete, merged, renamed or similar
}

// LogSource says which records a rule is for. An empty part means any.
type LogSource struct {
	Category, Product, Service string
	Definition                 string // a text for readers
}

// Covers says that records of the source other are among those of l: each
// part that l names is the same in other.
func (l LogSource) Covers(other LogSource) bool {
	return (l.Category == "" || l.Category == other.Category) &&
		(l.Product == "" || l.Product == other.Product) &&
		(l.Service == "" || l.Service == other.Service)
}

// String names all three, for messages.
func (l LogSource) String() string {
	return fmt.Sprintf("product=%q category=%q service=%q", l.Product, l.Category, l.Service)
}

// Rule is a detection rule that was read, with its filters and overrides
// applied. It is not changed once Load gave it.
type Rule struct {
	Meta
	LogSource LogSource
	// Silent: the rule only feeds correlations and raises nothing by itself.
	Silent bool
	// Condition is as the author wrote it; of several any one is enough.
	Condition []string
	// Filters are the titles of the filters applied to it.
	Filters []string

	when *expr
}

// Key names the rule for the machine: its id, else its name, else its place.
func (m *Meta) Key() string {
	switch {
	case m.ID != "":
		return m.ID
	case m.Name != "":
		return m.Name
	}
	return fmt.Sprintf("%s:%d", m.File, m.Line)
}

// Select gives the rules that records of any of these sources are shown to.
func Select(rules []*Rule, sources ...LogSource) []*Rule {
	var selected []*Rule
	for _, rule := range rules {
		for _, source := range sources {
			if rule.LogSource.Covers(source) {
				selected = append(selected, rule)
				break
			}
		}
	}
	return selected
}

// CorrelationType is how a correlation weighs what it counts.
type CorrelationType string

// The types of correlations.
const (
	EventCount      CorrelationType = "event_count"
	ValueCount      CorrelationType = "value_count"
	Temporal        CorrelationType = "temporal"
	TemporalOrdered CorrelationType = "temporal_ordered"
	ValueSum        CorrelationType = "value_sum"
	ValueAvg        CorrelationType = "value_avg"
	ValuePercentile CorrelationType = "value_percentile"
	ValueMedian     CorrelationType = "value_median"
)

// Correlation is a correlation rule that was read. It is not changed once
// Load gave it.
type Correlation struct {
	Meta
	Type     CorrelationType
	GroupBy  []string
	Timespan time.Duration
	Generate bool
	// Silent: another correlation refers to it and does not generate it.
	Silent bool

	refs       []reference
	aliases    map[string]map[string]string // alias -> Key of the rule -> field
	fields     []string                     // of the condition
	bounds     []bound
	percentile float64
	when       *expr  // of a temporal correlation with a condition in words; tests are references
	condition  string // of a temporal correlation, in words
}

// Refers lists the Keys of the rules and correlations that c refers to.
func (c *Correlation) Refers() []string {
	keys := make([]string, len(c.refs))
	for i, ref := range c.refs {
		keys[i] = ref.key()
	}
	return keys
}

// reference is one rule or one correlation.
type reference struct {
	rule        *Rule
	correlation *Correlation
}

func (r reference) key() string {
	if r.rule != nil {
		return r.rule.Key()
	}
	return r.correlation.Key()
}

// Refusal says of one document why it is not in force.
type Refusal struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Error is the refusal in one line, with its place.
func (r Refusal) Error() string {
	if r.ID == "" {
		return fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Reason)
	}
	return fmt.Sprintf("%s:%d: rule %s: %s", r.File, r.Line, r.ID, r.Reason)
}
