// Package source says which of Sigma's log sources an event belongs to, and
// which values Sigma's field names have in it. Both stand in a table that
// files describe (configs/sigma; docs/rules.md has the format): what vegress
// ships, and what its user adds or replaces.
//
// A source's own fields keep their names: Sysmon's Image is Image. The table
// adds the names that Sigma's authors use for what an Event has in typed
// members, or under another name. The package knows no rule.
package source

import (
	"slices"

	"github.com/vegress/vegress/event"
)

// Source is one of Sigma's log sources. An empty part is not said.
type Source struct {
	Product, Category, Service string
}

// covered says that a rule of that log source is for events of s: each part
// that the rule names is the same in s.
func (s Source) covered(rule Source) bool {
	return (rule.Product == "" || rule.Product == s.Product) &&
		(rule.Category == "" || rule.Category == s.Category) &&
		(rule.Service == "" || rule.Service == s.Service)
}

// ID stands for a Source of one Table. Ids are dense and begin with 0.
type ID int32

// Table is the log sources that are known. It is immutable and safe for
// concurrent use, each goroutine through a View of its own.
type Table struct {
	sources []entry
	byLog   map[string][]ID // log name -> sources that name it
	anyLog  []ID            // sources that ask for no log name
}

// entry is a source with what makes an event one of its own.
type entry struct {
	Source
	file   string
	line   int
	when   []clause
	fields []column

	own      []string // names of the records' own fields
	complete bool     // own has all of them
}

// column is a Sigma field that the table makes of an event.
type column struct {
	name  string
	id    event.FieldID
	from  []accessor // the first that the event has counts
	paths []string
}

// clause is conditions that hold together.
type clause struct {
	logs       []string
	class      event.Class
	anyClass   bool
	activities []event.Activity
	direction  event.Direction
	fields     []fieldTest
}

// fieldTest asks for a field of the source's own.
type fieldTest struct {
	id     event.FieldID
	values []string // empty: any
	absent bool
}

func (c *clause) holds(ev *event.Event) bool {
	switch {
	case !c.anyClass && c.class != ev.Class,
		len(c.logs) > 0 && !slices.Contains(c.logs, ev.LogName),
		len(c.activities) > 0 && !slices.Contains(c.activities, ev.Activity),
		c.direction != event.DirectionUnknown && c.direction != ev.Direction:
		return false
	}
	for i := range c.fields {
		if !c.fields[i].holds(ev) {
			return false
		}
	}
	return true
}

func (t *fieldTest) holds(ev *event.Event) bool {
	f, found := ev.Field(t.id)
	switch {
	case t.absent:
		return !found
	case len(t.values) == 0:
		return found
	}
	return found && slices.Contains(t.values, f.Value)
}

// Sources lists the table's sources; a Source's place is its ID.
func (t *Table) Sources() []Source {
	sources := make([]Source, len(t.sources))
	for i := range t.sources {
		sources[i] = t.sources[i].Source
	}
	return sources
}

// Select gives the sources whose events a rule of that log source is shown
// to; none: the table has no events for such a rule.
func (t *Table) Select(rule Source) []ID {
	var ids []ID
	for i := range t.sources {
		if t.sources[i].covered(rule) {
			ids = append(ids, ID(i))
		}
	}
	return ids
}

// Only gives a Table with the same sources and IDs, narrowed to what is asked
// for: Look gives none but the sources that are keys of fields, and Typed none
// but the fields of the names listed there.
func (t *Table) Only(fields map[ID][]string) *Table {
	narrow := &Table{sources: slices.Clone(t.sources), byLog: map[string][]ID{}}
	for id, names := range fields {
		e := &narrow.sources[id]
		e.fields = slices.DeleteFunc(slices.Clone(e.fields), func(c column) bool { return !slices.Contains(names, c.name) })
	}
	wanted := func(list []ID) []ID {
		return slices.DeleteFunc(slices.Clone(list), func(id ID) bool { _, ok := fields[id]; return !ok })
	}
	narrow.anyLog = wanted(t.anyLog)
	for log, list := range t.byLog {
		if list = wanted(list); len(list) > 0 {
			narrow.byLog[log] = list
		}
	}
	return narrow
}

// Field is a Sigma field that a source has besides those of its records, and
// where in an event it comes from.
type Field struct {
	Name  string
	Paths []string
}

// Fields lists the fields that the table adds to a source's own.
func (t *Table) Fields(id ID) []Field {
	columns := t.sources[id].fields
	fields := make([]Field, len(columns))
	for i := range columns {
		fields[i] = Field{Name: columns[i].name, Paths: columns[i].paths}
	}
	return fields
}

// Names lists the names that fields of a source's events have: those that the
// table adds, and those of the records themselves as far as the table knows
// them. complete: there are no others.
func (t *Table) Names(id ID) (names []string, complete bool) {
	e := &t.sources[id]
	for i := range e.fields {
		names = append(names, e.fields[i].name)
	}
	return append(names, e.own...), e.complete
}

// Kind is one way in which an event is of a source.
type Kind struct {
	Logs       []string            // log names, any of them; none: whatever the log
	Class      string              // of the event; empty: any
	Activities []string            // of the class, any of them; none: whatever the activity
	Fields     map[string][]string // values of the record's own fields, any of them
}

// Kinds lists the ways in which an event is of a source.
func (t *Table) Kinds(id ID) []Kind {
	kinds := make([]Kind, 0, len(t.sources[id].when))
	for i := range t.sources[id].when {
		c := &t.sources[id].when[i]
		k := Kind{Logs: c.logs, Fields: map[string][]string{}}
		if !c.anyClass {
			k.Class = c.class.Name()
		}
		for _, a := range c.activities {
			k.Activities = append(k.Activities, activityName(c.class, a))
		}
		for _, f := range c.fields {
			if len(f.values) > 0 {
				k.Fields[f.id.Name()] = f.values
			}
		}
		kinds = append(kinds, k)
	}
	return kinds
}

// View looks at one event after the other. It is used from one goroutine at a
// time; in steady state it allocates nothing.
type View struct {
	table   *Table
	ev      *event.Event
	ids     []ID
	typed   []event.Field
	scratch scratch
}

// NewView makes a View of t.
func (t *Table) NewView() *View { return &View{table: t} }

// Look turns to ev and gives the sources that it belongs to, in the table's
// order. They, and what the View's other methods give, are good until the
// next Look, and ev must not change until then.
func (v *View) Look(ev *event.Event) []ID {
	v.ev, v.ids = ev, v.ids[:0]
	v.scratch.reset()
	v.add(v.table.byLog[ev.LogName])
	v.add(v.table.anyLog)
	slices.Sort(v.ids)
	v.ids = slices.Compact(v.ids)
	return v.ids
}

func (v *View) add(ids []ID) {
	for _, id := range ids {
		when := v.table.sources[id].when
		for i := range when {
			if when[i].holds(v.ev) {
				v.ids = append(v.ids, id)
				break
			}
		}
	}
}

// Typed gives the fields that the table makes of the event for that source. A
// field with several values is there several times. The event's own Fields
// are not among them. The slice is good until the next call.
func (v *View) Typed(id ID) []event.Field {
	v.typed = v.typed[:0]
	columns := v.table.sources[id].fields
	for i := range columns {
		v.column(&columns[i])
	}
	return v.typed
}

func (v *View) column(c *column) {
	before := len(v.typed)
	for _, from := range c.from {
		if from(v, c.id); len(v.typed) > before {
			return
		}
	}
}

// Value gives the first value of a Sigma field in the event: what the table
// makes of it, else the record's own field. Not found is absent; Kind tells
// null from present.
func (v *View) Value(id ID, name string) (event.Field, bool) {
	columns := v.table.sources[id].fields
	for i := range columns {
		if columns[i].name != name {
			continue
		}
		v.typed = v.typed[:0]
		if v.column(&columns[i]); len(v.typed) > 0 {
			return v.typed[0], true
		}
	}
	return v.ev.Field(event.Intern(name))
}
