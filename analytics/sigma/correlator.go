package sigma

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// CorrelatorOptions bounds a Correlator. Zero values are defaults.
type CorrelatorOptions struct {
	// Lateness is how far behind the watermark a sighting may be and still
	// count; default 1 minute.
	Lateness time.Duration
	// MaxGroups bounds the open groups of one correlation; default 100,000.
	// Above it the group that would end first is forgotten.
	MaxGroups int
	// MaxEvents bounds the events held by all groups together; default
	// 1,000,000, of 100 to 200 bytes each with the group's share.
	MaxEvents int
}

// maxWindowEvents bounds the events that one group holds.
const maxWindowEvents = 100_000

// maxCorrelatedEvents is how many event ids a Correlated names.
const maxCorrelatedEvents = 10

// CorrelatorStats counts what a Correlator did.
type CorrelatorStats struct {
	Sightings uint64
	Ungrouped uint64 // sightings without a group-by field or a value to count
	Late      uint64 // sightings too late to count
	Forgotten uint64 // groups that bounds pushed out
	FellOff   uint64 // events that bounds pushed out of their groups
	Fired     uint64
	Groups    int // open
	Events    int // held
}

// Correlator weighs sightings over time: it is the half of correlations that
// needs all of a group's events in one place. It is used from one goroutine.
type Correlator struct {
	options   CorrelatorOptions
	states    map[string]*correlationState // by the id of their code
	order     []*correlationState          // each after those that it refers to
	watermark time.Time
	stats     CorrelatorStats
}

// Correlated is a correlation that holds for a group. It owns its memory.
type Correlated struct {
	Correlation *Correlation
	Group       []GroupValue
	First, Last time.Time // of what was counted
	Count       int       // events counted
	Value       float64   // what the condition compared
	Rules       []string  // keys of the rules and correlations seen
	Events      []string  // unique ids of the first events, up to ten
	// Explanation says in a sentence what held.
	Explanation string
}

// GroupValue is one field that a correlation groups by.
type GroupValue struct{ Field, Value string }

// correlationState is the open groups of one correlation.
type correlationState struct {
	code   *correlationCode
	groups map[string]*window
	queue  windowQueue
	stats  *CorrelatorStats // of the Correlator
	events int              // held by its groups
}

// count notes that so many more events are held.
func (c *correlationState) count(more int) {
	c.events += more
	c.stats.Events += more
}

// NewCorrelator makes a Correlator for correlations.
func NewCorrelator(c *Correlations, options CorrelatorOptions) *Correlator {
	if options.Lateness <= 0 {
		options.Lateness = time.Minute
	}
	if options.MaxGroups <= 0 {
		options.MaxGroups = 100_000
	}
	if options.MaxEvents <= 0 {
		options.MaxEvents = 1_000_000
	}
	k := &Correlator{options: options}
	k.Replace(c)
	return k
}

// Replace changes the correlations. The open groups of those that count the
// same as before stay.
func (k *Correlator) Replace(c *Correlations) {
	old := k.states
	k.states = make(map[string]*correlationState, len(c.codes))
	k.order = k.order[:0]
	for _, code := range c.codes {
		state := old[code.id]
		if state == nil {
			state = &correlationState{groups: map[string]*window{}, stats: &k.stats}
		}
		delete(old, code.id)
		state.code = code
		k.states[code.id] = state
		k.order = append(k.order, state)
	}
	for _, gone := range old {
		k.stats.Groups -= len(gone.groups)
		gone.count(-gone.events)
	}
}

// Stats says what k did and holds.
func (k *Correlator) Stats() CorrelatorStats { return k.stats }

// Observe takes a sighting and emits what holds with it.
func (k *Correlator) Observe(s *Sighting, emit func(*Correlated)) {
	k.stats.Sightings++
	if s.at.Before(k.watermark.Add(-k.options.Lateness)) {
		k.stats.Late++
		return
	}
	k.take(s, emit)
}

// take counts a sighting: of a rule's hit, or of a correlation that holds,
// which comes when it was decided and is never late.
func (k *Correlator) take(s *Sighting, emit func(*Correlated)) {
	state := k.states[s.to.id]
	if state == nil {
		return // told before a reload that took the correlation away
	}
	key, grouped := s.groupKey()
	weight, counted := s.weight()
	if !grouped || !counted {
		k.stats.Ungrouped++
		return
	}
	w := k.open(state, key, s)
	w.last = s.values
	k.expire(state, w, s.at)
	at := w.add(entry{at: s.at.UnixNano(), weight: weight, uid: s.uid, ref: uint8(s.ref)}, state)
	if !state.code.closing {
		k.weigh(state, w, at, emit)
	}
	k.makeRoom()
}

// open gives the window of a group.
func (k *Correlator) open(state *correlationState, key string, s *Sighting) *window {
	w := state.groups[key]
	if w != nil {
		return w
	}
	if len(state.groups) >= k.options.MaxGroups {
		k.forget(state)
	}
	w = &window{key: key}
	w.due = k.dueAt(state, s.at.UnixNano())
	state.groups[key] = w
	heap.Push(&state.queue, w)
	k.stats.Groups++
	return w
}

// dueAt is when a window whose decisive event was at the given time has
// nothing more to wait for.
func (k *Correlator) dueAt(state *correlationState, at int64) int64 {
	return at + int64(state.code.Timespan) + int64(k.options.Lateness)
}

// realDue is dueAt by the events there are now.
func (k *Correlator) realDue(state *correlationState, w *window) int64 {
	if len(w.entries) == 0 {
		return w.due
	}
	if state.code.closing {
		return k.dueAt(state, w.entries[0].at)
	}
	return k.dueAt(state, w.entries[len(w.entries)-1].at)
}

// forget drops the group that would end first.
func (k *Correlator) forget(state *correlationState) {
	for len(state.queue) > 0 {
		first := state.queue[0]
		if due := k.realDue(state, first); due > first.due {
			first.due = due
			heap.Fix(&state.queue, 0)
			continue
		}
		k.stats.Forgotten++
		k.drop(state, first)
		return
	}
}

func (k *Correlator) drop(state *correlationState, w *window) {
	heap.Remove(&state.queue, w.index)
	delete(state.groups, w.key)
	k.stats.Groups--
	state.count(-len(w.entries))
}

// makeRoom keeps the events of all groups within bounds: the correlation that
// holds most gives up the group that would end first.
func (k *Correlator) makeRoom() {
	for k.stats.Events > k.options.MaxEvents {
		most := slices.MaxFunc(k.order, func(a, b *correlationState) int { return cmp.Compare(a.events, b.events) })
		k.forget(most)
	}
}

// expire drops events that no window can have together with one at now, nor
// with one that may still come late.
func (k *Correlator) expire(state *correlationState, w *window, now time.Time) {
	if state.code.closing {
		return
	}
	oldest := now.UnixNano()
	if w.newest() > oldest {
		oldest = w.newest()
	}
	oldest -= int64(state.code.Timespan) + int64(k.options.Lateness)
	n := 0
	for n < len(w.entries) && w.entries[n].at <= oldest {
		n++
	}
	w.remove(n, state)
}

// Tick tells the time: no sighting before now less the lateness counts any
// more. It emits what holds at the end of windows.
func (k *Correlator) Tick(now time.Time, emit func(*Correlated)) {
	if !now.After(k.watermark) {
		return
	}
	k.watermark = now
	for _, state := range k.order {
		for len(state.queue) > 0 && state.queue[0].due <= now.UnixNano() {
			w := state.queue[0]
			if due := k.realDue(state, w); due > w.due {
				w.due = due
				heap.Fix(&state.queue, 0)
				continue
			}
			if state.code.closing && len(w.entries) > 0 {
				k.close(state, w, emit)
				continue
			}
			k.drop(state, w)
		}
	}
}

// close decides a window that began with its group's first event. What came
// behind its end begins the next.
func (k *Correlator) close(state *correlationState, w *window, emit func(*Correlated)) {
	end := w.entries[0].at + int64(state.code.Timespan)
	n := 0
	for n < len(w.entries) && w.entries[n].at < end {
		n++
	}
	if value, holds := state.code.measure(w.entries[:n], w.fell); holds {
		k.fire(state, w, w.entries[:n], value, time.Unix(0, end), emit)
	}
	w.fell = 0
	w.remove(n, state)
	if len(w.entries) == 0 {
		k.drop(state, w)
		return
	}
	w.due = k.realDue(state, w)
	heap.Fix(&state.queue, w.index)
}

// weigh looks at every window that has the event at index i in it, and ends
// with an event. The first that holds uses its events up.
func (k *Correlator) weigh(state *correlationState, w *window, i int, emit func(*Correlated)) {
	span := int64(state.code.Timespan)
	start, from := w.entries[i].at, 0
	for end := i; end < len(w.entries) && w.entries[end].at < start+span; end++ {
		for w.entries[from].at <= w.entries[end].at-span {
			from++
		}
		if value, holds := state.code.measure(w.entries[from:end+1], 0); holds {
			k.fire(state, w, w.entries[from:end+1], value, time.Unix(0, w.entries[end].at), emit)
			w.remove(end+1, state)
			return
		}
	}
}

// fire emits what holds since the given time, and feeds those that refer to it.
func (k *Correlator) fire(state *correlationState, w *window, entries []entry, value float64, at time.Time, emit func(*Correlated)) {
	code := state.code
	k.stats.Fired++
	hit := code.correlated(w, entries, value)
	if !code.Silent {
		emit(hit)
	}
	for i := range code.feeds {
		f := &code.feeds[i]
		s := &Sighting{to: f.to, ref: f.ref, at: at, uid: hit.Events[0], values: make([]fieldText, len(f.fields))}
		for j := range f.fields {
			s.values[j] = w.last[f.fields[j].name]
		}
		k.take(s, emit)
	}
}
