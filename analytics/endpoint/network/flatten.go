package network

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Bounds of what one record may make grow. What is beyond is in Raw only.
const (
	maxFields = 1024 // fields of an event
	maxCached = 4096 // names that a decoder knows the ids of
)

var (
	fieldOther   = event.Intern("other") // of a name that is too long
	fieldDropped = event.Intern("fields_dropped")
)

// flattener makes fields of a JSON object: those of an object inside get its
// name and a dot in front, each value of a list is a field of its own, and a
// list of nothing is an empty text.
type flattener struct {
	alias   map[string]string // other spellings of names
	ids     map[string]event.FieldID
	path    []byte
	ev      *event.Event
	dropped int
}

func newFlattener(alias map[string]string) flattener {
	return flattener{alias: alias, ids: map[string]event.FieldID{}}
}

// id is that of a name; it knows the spellings.
func (f *flattener) id(name []byte) event.FieldID {
	if len(name) > endpoint.MaxName {
		return fieldOther
	}
	if id, ok := f.ids[string(name)]; ok {
		return id
	}
	spelled := string(name)
	known := spelled
	if a, ok := f.alias[known]; ok {
		known = a
	}
	id := endpoint.Name(known)
	if len(f.ids) < maxCached {
		f.ids[spelled] = id
	}
	return id
}

// fill adds the members of object to ev.
func (f *flattener) fill(ev *event.Event, object gjson.Result) {
	f.ev, f.path, f.dropped = ev, f.path[:0], 0
	f.members(object)
	f.finish()
}

// finish says how many values found no room.
func (f *flattener) finish() {
	if f.dropped > 0 {
		f.ev.AddNumber(fieldDropped, strconv.Itoa(f.dropped))
	}
	f.ev = nil
}

func (f *flattener) members(object gjson.Result) {
	object.ForEach(func(key, value gjson.Result) bool {
		end := len(f.path)
		if end > 0 {
			f.path = append(f.path, '.')
		}
		f.path = append(f.path, key.Str...)
		f.value(value)
		f.path = f.path[:end]
		return true
	})
}

func (f *flattener) value(v gjson.Result) {
	switch {
	case v.IsObject():
		f.members(v)
	case v.IsArray():
		f.list(v)
	default:
		f.scalar(v)
	}
}

func (f *flattener) list(v gjson.Result) {
	empty := true
	v.ForEach(func(_, item gjson.Result) bool {
		f.value(item)
		empty = false
		return true
	})
	if empty {
		f.add(event.KindString, "")
	}
}

func (f *flattener) scalar(v gjson.Result) {
	switch v.Type {
	case gjson.String:
		f.add(event.KindString, v.Str)
	case gjson.Number:
		f.add(event.KindNumber, v.Raw)
	case gjson.True, gjson.False:
		f.add(event.KindBool, v.Raw)
	default:
		f.add(event.KindNull, "")
	}
}

func (f *flattener) add(kind event.Kind, value string) {
	if len(f.ev.Fields) >= maxFields {
		f.dropped++
		return
	}
	f.ev.Fields = append(f.ev.Fields, event.Field{ID: f.id(f.path), Kind: kind, Value: value})
}

// envelope is a record in the object that a shipper makes of a line.
type envelope struct {
	line, host, file string
}

// Fields in which Filebeat, Elastic Agent, Vector and Fluent Bit put a line that
// they do not read, and what they say of it.
var (
	shippedLine = [...]event.FieldID{event.Intern("message"), event.Intern("log"), event.Intern("event.original")}
	shippedHost = [...]event.FieldID{event.Intern("host.name"), event.Intern("host.hostname"), event.Intern("host"), event.Intern("hostname")}
	shippedFile = [...]event.FieldID{event.Intern("log.file.path"), event.Intern("file"), event.Intern("path"), event.Intern("filename")}
)

// unwrap takes the line out of what a shipper made of it, and the fields with
// it: Raw has them. Not ok: there is none.
func unwrap(ev *event.Event) (e envelope, ok bool) {
	e.line = strings.TrimRight(firstText(ev, shippedLine[:]...), "\r\n")
	if e.line == "" {
		return e, false
	}
	e.host, e.file = firstText(ev, shippedHost[:]...), firstText(ev, shippedFile[:]...)
	ev.Fields = ev.Fields[:0]
	if ev.Device.Hostname == "" {
		ev.Device.Hostname = e.host
	}
	return e, true
}
