package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/vegress/vegress/event"
)

// Bounds of a JSON record.
const (
	maxRecordDepth  = 16
	maxRecordFields = 4096
)

// ReadJSON makes an Event of a Windows record as JSON: the nested form of
// EVTX ({"Event": {"System": ..., "EventData": ...}}), or one flat object. The
// fields get the names that Sigma's rules use: members of System and
// EventData their own, an attribute its element's and its own joined by an
// underscore (Provider_Name). The channel becomes the log name. Other members
// of ev are left alone; Class stays a Base Event. ev owns all its memory.
func ReadJSON(record []byte, ev *event.Event) error {
	ev.Raw, ev.Records = string(record), 1
	r := recordReader{decoder: json.NewDecoder(bytes.NewReader(record)), ev: ev}
	r.decoder.UseNumber()
	token, err := r.decoder.Token()
	switch {
	case err != nil:
		return fmt.Errorf("read JSON record: %w", err)
	case token != json.Delim('{'):
		return errors.New("read JSON record: an object is expected")
	}
	if err := r.object("", 0); err != nil {
		return fmt.Errorf("read JSON record: %w", err)
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read JSON record: something follows the object")
	}
	if channel, ok := ev.Field(fieldChannel); ok {
		ev.LogName = channel.Value
	}
	return nil
}

var fieldChannel = event.Intern("Channel")

type recordReader struct {
	decoder *json.Decoder
	ev      *event.Event
}

// object reads the members of an object whose brace was read. name is the
// element that it belongs to.
func (r *recordReader) object(name string, depth int) error {
	if depth > maxRecordDepth {
		return fmt.Errorf("nested deeper than %d", maxRecordDepth)
	}
	for r.decoder.More() {
		token, err := r.decoder.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if err := r.value(memberName(name, key), depth+1); err != nil {
			return err
		}
	}
	_, err := r.decoder.Token()
	return err
}

// memberName joins an attribute's name to that of its element. What only
// holds others gives them no name.
func memberName(element, key string) string {
	switch {
	case key == "#attributes", key == "#text":
		return element
	case isContainer(element):
		return key
	}
	return element + "_" + key
}

func isContainer(name string) bool {
	switch name {
	case "", "Event", "System", "EventData", "UserData":
		return true
	}
	return false
}

func (r *recordReader) value(name string, depth int) error {
	token, err := r.decoder.Token()
	if err != nil {
		return err
	}
	f := event.Field{ID: event.Intern(name)}
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			return r.list(name, depth)
		}
		return r.object(name, depth)
	case nil:
		f.Kind = event.KindNull
	case bool:
		f.Kind, f.Value = event.KindBool, "false"
		if v {
			f.Value = "true"
		}
	case json.Number:
		f.Kind, f.Value = event.KindNumber, v.String()
	case string:
		f.Value = v
	}
	if len(r.ev.Fields) >= maxRecordFields {
		return fmt.Errorf("more than %d fields", maxRecordFields)
	}
	r.ev.Fields = append(r.ev.Fields, f)
	return nil
}

// list makes each value of an array a value of the field.
func (r *recordReader) list(name string, depth int) error {
	if depth > maxRecordDepth {
		return fmt.Errorf("nested deeper than %d", maxRecordDepth)
	}
	for r.decoder.More() {
		if err := r.value(name, depth+1); err != nil {
			return err
		}
	}
	_, err := r.decoder.Token()
	return err
}
