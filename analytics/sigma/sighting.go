package sigma

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// Correlations is correlations made ready to be fed. It is immutable and safe
// for concurrent use: whoever matches asks it for Sightings, and a Correlator
// weighs them.
type Correlations struct {
	codes  []*correlationCode
	byRule map[*Rule][]feed
}

// correlationCode is one correlation with what it needs to know of an event.
type correlationCode struct {
	*Correlation
	id      string   // the same for correlations that count the same
	names   []string // fields to know, by the names that it or its referrers use
	groupBy []int    // indexes of names
	values  []int    // of the condition's fields
	feeds   []feed   // the correlations that refer to it
	needs   int      // distinct rules of a temporal correlation without a condition
	closing bool     // decided when its window closes, not as soon as enough was seen
}

// feed is one reference of a correlation to what it counts.
type feed struct {
	to     *correlationCode
	ref    int
	fields []source // by name of to
}

// source says where the value of a name is found.
type source struct {
	field string
	id    event.FieldID // in a record
	name  int           // among the names of the correlation referred to
}

// fieldText is a field's value, where the event has one.
type fieldText struct {
	text string
	ok   bool
}

// Sighting is a hit of a rule, as a correlation that refers to the rule needs
// it. It owns its memory.
type Sighting struct {
	to     *correlationCode
	ref    int
	at     time.Time
	uid    string
	values []fieldText // by name of to
}

// Correlate makes correlations ready, in the order that Load gave them.
func Correlate(correlations []*Correlation) *Correlations {
	c := &Correlations{byRule: map[*Rule][]feed{}}
	byCorrelation := map[*Correlation]*correlationCode{}
	for _, one := range correlations {
		code := &correlationCode{Correlation: one, needs: len(one.refs), closing: !one.growing()}
		byCorrelation[one] = code
		c.codes = append(c.codes, code)
	}
	// Referrers come last: what they need of those below is known first.
	for _, code := range slices.Backward(c.codes) {
		code.prepare()
		for i, ref := range code.refs {
			below := byCorrelation[ref.correlation]
			f := code.feedFrom(i, below)
			if below != nil {
				below.feeds = append(below.feeds, f)
			} else {
				c.byRule[ref.rule] = append(c.byRule[ref.rule], f)
			}
		}
	}
	for _, code := range c.codes {
		slices.Reverse(code.feeds)
	}
	for _, feeds := range c.byRule {
		slices.Reverse(feeds)
	}
	return c
}

// prepare settles what c needs to know, once its referrers have said what
// they need.
func (c *correlationCode) prepare() {
	for _, name := range c.GroupBy {
		c.groupBy = append(c.groupBy, c.name(name))
	}
	for _, name := range c.fields {
		c.values = append(c.values, c.name(name))
	}
	c.id = c.identity()
}

// feedFrom says where c's names are found in what its reference gives; below
// is the correlation referred to, nil for a rule.
func (c *correlationCode) feedFrom(ref int, below *correlationCode) feed {
	f := feed{to: c, ref: ref}
	for _, name := range c.names {
		s := source{field: c.fieldOf(name, c.refs[ref].meta())}
		if below != nil {
			s.name = below.name(s.field)
		} else {
			s.id = event.Intern(s.field)
		}
		f.fields = append(f.fields, s)
	}
	return f
}

// name gives the index of a name, a new one at its first use.
func (c *correlationCode) name(name string) int {
	if i := slices.Index(c.names, name); i >= 0 {
		return i
	}
	c.names = append(c.names, name)
	return len(c.names) - 1
}

// growing says that what more is seen can only help: the correlation holds as
// soon as enough is seen.
func (c *Correlation) growing() bool {
	if c.Type == ValueAvg || c.Type == ValuePercentile || c.Type == ValueMedian {
		return false
	}
	for _, b := range c.bounds {
		if b.not || b.compare != compareGreater && b.compare != compareGreaterEqual {
			return false
		}
	}
	return c.when == nil || !hasNot(c.when)
}

func hasNot(e *expr) bool { return e.op == opNot || slices.ContainsFunc(e.kids, hasNot) }

// identity is the same for two correlations that would count the same.
func (c *correlationCode) identity() string {
	parts := []string{c.Key(), string(c.Type), c.Timespan.String(), c.words(), c.condition, strconv.FormatFloat(c.percentile, 'g', -1, 64)}
	parts = append(parts, c.GroupBy...)
	parts = append(parts, "")
	parts = append(parts, c.fields...)
	parts = append(parts, "")
	parts = append(parts, c.Refers()...)
	for _, alias := range slices.Sorted(maps.Keys(c.aliases)) {
		for _, rule := range slices.Sorted(maps.Keys(c.aliases[alias])) {
			parts = append(parts, alias, rule, c.aliases[alias][rule])
		}
	}
	parts = append(parts, "")
	return strings.Join(append(parts, c.names...), "\x00")
}

// Feeds says that some correlation wants to know of hits of the rule.
func (c *Correlations) Feeds(rule *Rule) bool { return len(c.byRule[rule]) > 0 }

// Fields are the names of the fields that correlations want to know of records
// that the rule holds for.
func (c *Correlations) Fields(rule *Rule) (names []string) {
	for i := range c.byRule[rule] {
		for _, s := range c.byRule[rule][i].fields {
			names = append(names, s.field)
		}
	}
	return names
}

// Sightings tells, for each correlation that counts hits of the rule, one
// Sighting of r, which was at the given time and has the unique id uid.
func (c *Correlations) Sightings(rule *Rule, r *Record, at time.Time, uid string, tell func(*Sighting)) {
	for i := range c.byRule[rule] {
		f := &c.byRule[rule][i]
		s := &Sighting{to: f.to, ref: f.ref, at: at, uid: strings.Clone(uid), values: make([]fieldText, len(f.fields))}
		for k := range f.fields {
			s.values[k] = r.text(&f.fields[k])
		}
		tell(s)
	}
}

// text gives an owned copy of the first value of a field that is not null.
func (r *Record) text(s *source) fieldText {
	for _, fields := range [][]event.Field{r.Typed, r.Fields} {
		for i := range fields {
			f := &fields[i]
			if f.Kind != event.KindNull && (f.ID == s.id || fieldName(f.ID.Name()) == s.field) {
				return fieldText{text: strings.Clone(f.Value), ok: true}
			}
		}
	}
	return fieldText{}
}

// groupKey joins the folded values of the group's fields; ok is false where
// one is missing.
func (s *Sighting) groupKey() (key string, ok bool) {
	var joined []byte
	for _, i := range s.to.groupBy {
		if !s.values[i].ok {
			return "", false
		}
		folded := appendFold(nil, s.values[i].text)
		joined = binary.AppendUvarint(joined, uint64(len(folded)))
		joined = append(joined, folded...)
	}
	return string(joined), true
}

var valueSeed = maphash.MakeSeed()

// weight is what is counted of the sighting: a hash of the values to be told
// apart, or the bits of a number; ok is false where there is none.
func (s *Sighting) weight() (weight uint64, ok bool) {
	if len(s.to.values) == 0 {
		return 0, true
	}
	var folded []byte
	for _, i := range s.to.values {
		if !s.values[i].ok {
			return 0, false
		}
		if s.to.Type != ValueCount {
			n, ok := parseNumber(s.values[i].text)
			return math.Float64bits(n.f), ok
		}
		start := len(folded)
		folded = appendFold(append(folded, 0, 0, 0, 0), s.values[i].text)
		binary.LittleEndian.PutUint32(folded[start:], uint32(len(folded)-start-4))
	}
	return maphash.Bytes(valueSeed, folded), true
}
