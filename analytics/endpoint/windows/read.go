package windows

import (
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// object adds each value in object, under the path that d.path begins. How
// deep it goes is bounded by endpoint.Object.
func (d *Decoder) object(object gjson.Result) {
	base := len(d.path)
	object.ForEach(func(key, value gjson.Result) bool {
		if base > 0 {
			d.path = append(d.path, '.')
		}
		d.path = append(d.path, key.Str...)
		d.value(value)
		d.path = d.path[:base]
		return true
	})
}

func (d *Decoder) value(value gjson.Result) {
	switch {
	case value.IsObject():
		if name := d.datumName(value); name != "" {
			d.datum(name, value)
		} else {
			d.object(value)
		}
	case value.IsArray():
		value.ForEach(func(_, element gjson.Result) bool {
			d.value(element)
			return true
		})
	case value.Type == gjson.String:
		if !d.unfold(value.Str) {
			d.add(event.KindString, value.Str)
		}
	case value.Type == gjson.Number:
		d.add(event.KindNumber, value.Raw)
	case value.Type == gjson.Null:
		d.add(event.KindNull, "")
	default:
		d.add(event.KindBool, value.Raw)
	}
}

// at is the path of the value; good until the next one is read.
func (d *Decoder) at() string { return unsafe.String(unsafe.SliceData(d.path), len(d.path)) }

// datumName is the name of an object in EventData's list of Data, as XML that
// was made JSON has it: [{"@Name": "Image", "#text": "..."}]. Other objects
// have none.
func (d *Decoder) datumName(value gjson.Result) (name string) {
	if !strings.HasSuffix(d.at(), "EventData.Data") {
		return ""
	}
	value.ForEach(func(key, member gjson.Result) bool {
		switch key.Str {
		case "@Name", "Name", "_Name":
			name = member.String()
		case "#attributes":
			name = member.Get("Name").String()
		}
		return name == ""
	})
	return name
}

// datum adds the text of a Data element under its name; without any it is
// empty.
func (d *Decoder) datum(name string, value gjson.Result) {
	whole := len(d.path)
	d.path = append(d.path[:whole-len("Data")], name...)
	found := false
	value.ForEach(func(key, member gjson.Result) bool {
		switch key.Str {
		case "#text", "text", "_text", "content", "$", "_":
			found = true
			d.value(member)
		}
		return true
	})
	if !found {
		d.add(event.KindString, "")
	}
	d.path = append(d.path[:whole-len("Data")], "Data"...)
}

// unfold reads the documents that some shippers put into a string: EventData
// as XML or JSON (Sentinel), and the whole event in System (Fluent Bit with
// Render_Event_As_XML). Where there is none the string is a value like others.
func (d *Decoder) unfold(text string) bool {
	if at := d.at(); at != "EventData" && at != "System" || text == "" {
		return false
	}
	before := len(d.ev.Fields)
	switch text[0] {
	case '<':
		if endpoint.EventXML(text, d.element) == nil {
			d.inner = [2]int{before, len(d.ev.Fields)}
			return true
		}
	case '{':
		if object, err := endpoint.Object(text); err == nil {
			d.object(object)
			return true
		}
	}
	d.ev.Fields = d.ev.Fields[:before]
	return false
}

// element adds a value of an XML document.
func (d *Decoder) element(element, key, value string) {
	base := len(d.path)
	d.path = d.path[:0]
	if element != "" {
		d.path = append(append(d.path, element...), '_')
	}
	d.path = append(d.path, key...)
	d.add(event.KindString, value)
	d.path = d.path[:base]
}

// add adds a value under the name that belongs to d.path.
func (d *Decoder) add(kind event.Kind, value string) {
	id, keep := d.names.id(d.at())
	if !keep {
		return
	}
	if len(d.ev.Fields) < endpoint.MaxFields {
		d.ev.Fields = append(d.ev.Fields, event.Field{ID: id, Kind: kind, Value: value})
	}
}
