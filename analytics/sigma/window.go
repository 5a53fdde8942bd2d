package sigma

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// window is the events of one group of one correlation that may still count.
type window struct {
	key     string
	entries []entry     // by time
	last    []fieldText // what the newest sighting knew
	fell    int         // events that were counted and are no longer there
	due     int64       // when to look at it again; may be early
	index   int         // in the queue
}

// entry is one event.
type entry struct {
	at     int64  // Unix nanoseconds
	weight uint64 // by type: a hash of a value, or the bits of a number
	uid    string
	count  uint32 // events alike that it stands for, itself not counted
	ref    uint8
}

// windowQueue is a heap: the window to look at first is first.
type windowQueue []*window

var _ heap.Interface = (*windowQueue)(nil)

func (q windowQueue) Len() int           { return len(q) }
func (q windowQueue) Less(i, j int) bool { return q[i].due < q[j].due }
func (q windowQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push and Pop are for container/heap only.
func (q *windowQueue) Push(x any) {
	w := x.(*window)
	w.index = len(*q)
	*q = append(*q, w)
}

func (q *windowQueue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return w
}

func (w *window) newest() int64 {
	if len(w.entries) == 0 {
		return math.MinInt64
	}
	return w.entries[len(w.entries)-1].at
}

// add puts an event where its time wants it and says where that is.
func (w *window) add(e entry, state *correlationState) int {
	i := len(w.entries)
	for i > 0 && w.entries[i-1].at > e.at {
		i--
	}
	if i > 0 && i == len(w.entries) && state.code.alike(&w.entries[i-1], &e) {
		// The later of two alike does for all windows still to come.
		before := &w.entries[i-1]
		before.at, before.count = e.at, before.count+1
		return i - 1
	}
	w.entries = slices.Insert(w.entries, i, e)
	state.count(1)
	if over := len(w.entries) - maxWindowEvents; over > 0 {
		w.fallOff(over, state)
		i -= over
	}
	if len(w.entries) > state.code.roomy() {
		i -= w.compact(i, state)
	}
	return max(i, 0)
}

// alike says that two events of a correlation that tells events apart, and
// does not count them, make no difference. Where the window closes by itself,
// its start must stay.
func (c *correlationCode) alike(a, b *entry) bool {
	return (c.Type == ValueCount || c.Type.isTemporal()) && !c.closing && a.ref == b.ref && a.weight == b.weight
}

// roomy is how many events a window may have before repetitions are looked
// for.
func (c *correlationCode) roomy() int {
	if c.Type != ValueCount && c.Type != Temporal || c.closing {
		return maxWindowEvents
	}
	room := 64 + 2*c.needs
	for _, b := range c.bounds {
		room += 2 * int(min(b.limit.f, maxWindowEvents))
	}
	return room
}

// compact drops events that a later one alike stands for, but not the one at
// index keep. It says how many before that it dropped.
func (w *window) compact(keep int, state *correlationState) (before int) {
	type like struct {
		weight uint64
		ref    uint8
	}
	later := make(map[like]int, len(w.entries)) // -> place among those kept
	kept := make([]entry, 0, len(w.entries))
	for i := len(w.entries) - 1; i >= 0; i-- {
		e := w.entries[i]
		place, repeated := later[like{e.weight, e.ref}]
		if repeated && i != keep {
			kept[place].count += e.count + 1
			if i < keep {
				before++
			}
			continue
		}
		later[like{e.weight, e.ref}] = len(kept)
		kept = append(kept, e)
	}
	slices.Reverse(kept)
	state.count(len(kept) - len(w.entries))
	w.entries = kept
	return before
}

// fallOff drops the n oldest events because there are too many.
func (w *window) fallOff(n int, state *correlationState) {
	state.stats.FellOff += uint64(n)
	w.fell += n
	w.remove(n, state)
}

// remove drops the n oldest events.
func (w *window) remove(n int, state *correlationState) {
	if n == 0 {
		return
	}
	state.count(-n)
	w.entries = slices.Delete(w.entries, 0, n)
	if len(w.entries) == 0 {
		w.entries = nil
	}
}

// measure works out what the condition compares, and whether it holds. fell
// is events that are counted without being there.
func (c *correlationCode) measure(entries []entry, fell int) (float64, bool) {
	value := 0.0
	switch c.Type {
	case EventCount:
		value = float64(len(entries) + fell)
	case ValueCount:
		value = float64(distinct(entries))
	case Temporal, TemporalOrdered:
		return c.measureRules(entries)
	case ValueSum:
		value = sum(entries)
	case ValueAvg:
		value = sum(entries) / float64(len(entries))
	default:
		value = percentile(entries, c.percentile)
	}
	return value, c.within(value)
}

// within says that all bounds hold.
func (c *correlationCode) within(value float64) bool {
	n := number{f: value}
	for i := range c.bounds {
		if !c.bounds[i].holds(n) {
			return false
		}
	}
	return true
}

// measureRules counts the rules seen, for an ordered correlation those seen in
// their order.
func (c *correlationCode) measureRules(entries []entry) (float64, bool) {
	var seen uint64
	if c.Type == TemporalOrdered {
		seen = inOrder(entries)
	} else {
		for i := range entries {
			seen |= 1 << entries[i].ref
		}
	}
	count := 0
	for rest := seen; rest != 0; rest &= rest - 1 {
		count++
	}
	switch {
	case c.when != nil && !seenHolds(c.when, seen):
		return float64(count), false
	case c.when == nil && len(c.bounds) == 0:
		return float64(count), count == c.needs
	}
	return float64(count), c.within(float64(count))
}

// seenHolds evaluates a condition in words.
func seenHolds(e *expr, seen uint64) bool {
	switch e.op {
	case opTest:
		return seen>>e.test.rule&1 != 0
	case opNot:
		return !seenHolds(e.kids[0], seen)
	case opAnd:
		return !slices.ContainsFunc(e.kids, func(kid *expr) bool { return !seenHolds(kid, seen) })
	}
	return slices.ContainsFunc(e.kids, func(kid *expr) bool { return seenHolds(kid, seen) })
}

// inOrder gives the longest choice of rules whose events come in the rules'
// order, as bits.
func inOrder(entries []entry) uint64 {
	var chains [maxReferred]uint64 // the longest that ends with a rule
	lengths := [maxReferred]int{}
	longest := 0
	for i := range entries {
		ref := int(entries[i].ref)
		best, length := uint64(0), 0
		for before := range ref {
			if lengths[before] > length {
				best, length = chains[before], lengths[before]
			}
		}
		if length+1 > lengths[ref] {
			chains[ref], lengths[ref] = best|1<<ref, length+1
		}
		if lengths[ref] > lengths[longest] {
			longest = ref
		}
	}
	return chains[longest]
}

func distinct(entries []entry) int {
	if len(entries) <= 16 {
		count := 0
		for i := range entries {
			if !slices.ContainsFunc(entries[:i], func(e entry) bool { return e.weight == entries[i].weight }) {
				count++
			}
		}
		return count
	}
	seen := make(map[uint64]struct{}, len(entries))
	for i := range entries {
		seen[entries[i].weight] = struct{}{}
	}
	return len(seen)
}

func sum(entries []entry) float64 {
	total := 0.0
	for i := range entries {
		total += math.Float64frombits(entries[i].weight)
	}
	return total
}

// percentile is the least value that so many of a hundred values do not
// exceed (nearest rank).
func percentile(entries []entry, p float64) float64 {
	values := make([]float64, len(entries))
	for i := range entries {
		values[i] = math.Float64frombits(entries[i].weight)
	}
	slices.Sort(values)
	rank := int(math.Ceil(p / 100 * float64(len(values))))
	return values[min(max(rank, 1), len(values))-1]
}

// correlated says what held for a window.
func (c *correlationCode) correlated(w *window, entries []entry, value float64) *Correlated {
	hit := &Correlated{
		Correlation: c.Correlation, Value: value,
		First: time.Unix(0, entries[0].at).UTC(), Last: time.Unix(0, entries[len(entries)-1].at).UTC(),
	}
	for _, i := range c.groupBy {
		hit.Group = append(hit.Group, GroupValue{Field: c.names[i], Value: w.last[i].text})
	}
	var seen [maxReferred]bool
	for i := range entries {
		hit.Count += 1 + int(entries[i].count)
		seen[entries[i].ref] = true
		if len(hit.Events) < maxCorrelatedEvents {
			hit.Events = append(hit.Events, entries[i].uid)
		}
	}
	hit.Count += w.fell
	for i, ref := range c.refs {
		if seen[i] {
			hit.Rules = append(hit.Rules, ref.key())
		}
	}
	hit.Explanation = c.explain(value)
	return hit
}

// explain puts a hit in a sentence.
func (c *correlationCode) explain(value float64) string {
	short := strconv.FormatFloat(value, 'f', -1, 64)
	wanted := c.words()
	if wanted != "" {
		wanted = ", wanted " + wanted
	}
	span := fmt.Sprintf(" within %s", c.Timespan)
	switch c.Type {
	case EventCount:
		return short + " events" + span + wanted
	case ValueCount:
		return short + " different values of " + strings.Join(c.fields, ", ") + span + wanted
	case Temporal:
		return short + " of " + strconv.Itoa(len(c.refs)) + " rules seen" + span + wanted
	case TemporalOrdered:
		return short + " of " + strconv.Itoa(len(c.refs)) + " rules seen in order" + span + wanted
	}
	return strings.TrimPrefix(string(c.Type), "value_") + " of " + c.fields[0] + " is " + short + span + wanted
}
