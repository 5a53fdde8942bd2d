package event

import (
	"strings"
	"sync"
	"sync/atomic"
)

// FieldID stands for a field's name. Ids are given by Intern, are small and
// dense, and hold for the life of the process.
type FieldID uint16

// Kind tells how a Field's value is written in JSON, and null from present.
// A field that is not in the list is absent.
type Kind uint8

// Kinds of field values.
const (
	KindString Kind = iota
	KindNumber      // Value is a JSON number
	KindBool        // Value is "true" or "false"
	KindNull        // Value is empty
)

// Field is one thing a source said, under the source's own name.
type Field struct {
	ID    FieldID
	Kind  Kind
	Value string
}

// MaxFieldNames bounds the names that Intern takes: records from the network
// choose names of fields, and must not make this process grow without end.
const MaxFieldNames = 16384

// overflow is the id of every name that came after the table was full.
const overflow FieldID = 0

var names = newNameTable()

type nameTable struct {
	mu   sync.Mutex
	ids  sync.Map // string -> FieldID
	list atomic.Pointer[[]fieldName]
}

// fieldName is a name, and the name as it opens a member of unmapped.
type fieldName struct {
	name string
	key  string // `"name":`
}

// newNameTable begins with the names that the encoder itself uses in
// unmapped, so that their ids are constants.
func newNameTable() *nameTable {
	t := &nameTable{}
	list := make([]fieldName, 0, 256)
	for id, name := range ownNames {
		list = append(list, fieldName{name: name, key: wireKey(name)})
		t.ids.Store(name, FieldID(id))
	}
	t.list.Store(&list)
	return t
}

// Intern gives the id of name, a new one at its first use. Above
// MaxFieldNames names it gives the id of "other". What is not valid UTF-8 in
// a name is read as U+FFFD. It is safe for concurrent use.
func Intern(name string) FieldID {
	if id, ok := Known(name); ok {
		return id
	}
	return names.add(strings.Clone(strings.ToValidUTF8(name, "\uFFFD")))
}

// Known gives the id of name where it has one. It is safe for concurrent use.
func Known(name string) (FieldID, bool) {
	id, ok := names.ids.Load(name)
	if !ok {
		return 0, false
	}
	return id.(FieldID), true
}

func (t *nameTable) add(name string) FieldID {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.ids.Load(name); ok {
		return id.(FieldID)
	}
	list := *t.list.Load()
	if len(list) >= MaxFieldNames {
		return overflow
	}
	// Readers hold shorter slices of the same memory: what is appended lies
	// behind the end of theirs.
	id := FieldID(len(list))
	list = append(list, fieldName{name: name, key: wireKey(name)})
	t.list.Store(&list)
	t.ids.Store(name, id)
	return id
}

// Name is the name that id stands for.
func (id FieldID) Name() string { return (*names.list.Load())[id].name }

// Add appends a string field.
func (e *Event) Add(id FieldID, value string) {
	e.Fields = append(e.Fields, Field{ID: id, Value: value})
}

// AddNumber appends a field whose value is a JSON number.
func (e *Event) AddNumber(id FieldID, value string) {
	e.Fields = append(e.Fields, Field{ID: id, Kind: KindNumber, Value: value})
}

// Field gives the first field of that id.
func (e *Event) Field(id FieldID) (Field, bool) {
	for _, f := range e.Fields {
		if f.ID == id {
			return f, true
		}
	}
	return Field{}, false
}
