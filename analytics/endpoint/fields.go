package endpoint

import (
	"sync/atomic"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/event"
)

// Bounds of what the records of endpoints may make of fields. Values of
// fields whose name is beyond them have the name "other"; what is beyond
// MaxFields stands in Raw only.
const (
	MaxFields  = 4096 // of one event
	MaxName    = 128  // bytes of a name
	maxOfPeers = 8192 // names that only records brought, over the life of the process
)

// ofPeers counts the names that Name added.
var ofPeers atomic.Int64

// Name gives the id of a field's name that stands in a record. Names are never
// forgotten and are half as many as event.MaxFieldNames at most, so that no
// endpoint takes away those that rules and other sources will need. It is safe
// for concurrent use.
func Name(name string) event.FieldID {
	if id, known := event.Known(name); known {
		return id
	}
	if len(name) > MaxName || ofPeers.Add(1) > maxOfPeers {
		return event.Intern("other")
	}
	return event.Intern(name)
}

// Prefix is what is kept of a name that others are joined to: of one that is too
// long no more than shows that, so that no member of an object copies all of
// it.
func Prefix(name string) string { return name[:min(len(name), MaxName+1)] }

// Flatten adds the members of an object to ev's Fields: a nested object's name
// is joined to those of its members by a dot, and a list gives its name to
// each of its elements.
func Flatten(object gjson.Result, ev *event.Event) { flatten("", object, ev) }

func flatten(prefix string, object gjson.Result, ev *event.Event) {
	object.ForEach(func(key, value gjson.Result) bool {
		return AddValue(prefix+key.Str, value, ev)
	})
}

// AddValue adds a value under a name: what is no object or list as it stands,
// else as Flatten does. It is false when ev has as many fields as it may.
func AddValue(name string, value gjson.Result, ev *event.Event) bool {
	if len(ev.Fields) >= MaxFields {
		return false
	}
	name = Prefix(name)
	switch {
	case value.IsObject():
		flatten(name+".", value, ev)
	case value.IsArray():
		value.ForEach(func(_, element gjson.Result) bool { return AddValue(name, element, ev) })
	default:
		ev.Fields = append(ev.Fields, scalar(Name(name), value))
	}
	return true
}

func scalar(id event.FieldID, value gjson.Result) event.Field {
	switch value.Type {
	case gjson.Null:
		return event.Field{ID: id, Kind: event.KindNull}
	case gjson.True, gjson.False:
		return event.Field{ID: id, Kind: event.KindBool, Value: value.Raw}
	case gjson.Number:
		return event.Field{ID: id, Kind: event.KindNumber, Value: value.Raw}
	}
	return event.Field{ID: id, Value: value.Str}
}
