// Package endpoint has what the decoders of endpoint telemetry share: the
// shape of a decoder, the bounds of a record, and the table of processes that
// gives a connection the process behind it. What a record of one platform
// means is in the rooms below: windows, linux, macos, network.
package endpoint

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/event"
)

// Bounds of one record. What is beyond is refused, and goes on as a Base
// Event.
const (
	MaxRecord = 1 << 20 // bytes
	MaxDepth  = 32      // objects and lists inside one another
)

// Record is one record as a way in hands it over.
type Record struct {
	Text     string    // a line, a document, or one element of a message with many
	Host     string    // the machine, where the way in knows it and the record need not say it; empty: not known
	Received time.Time // zero: read from a file
}

// Decoder makes events of the records of one source on one machine, in the
// order of their arrival. It is not safe for concurrent use.
type Decoder interface {
	// Decode reads a record and gives tell each event that it completes: most
	// sources have one of each record, some none, several, or one of several
	// records. The event is tell's until it returns, and used again after; its
	// strings are parts of the records' text, or own their memory, and so may
	// be kept as long as the text may. Raw and Records are set, UID is the
	// caller's. Time is zero where the record has none.
	//
	// An error says why the record is no event, in words that hold nothing of
	// it: the caller makes a Base Event of it. tell was not called then.
	Decode(r Record, tell func(*event.Event)) error
	// Rest gives tell what still waits for records that belong to it and came
	// before that time; the zero time: all. Decoders that hold nothing do
	// nothing.
	Rest(before time.Time, tell func(*event.Event))
}

// Errors of a record that is no event.
var (
	ErrTooLong = fmt.Errorf("record is longer than %d bytes", MaxRecord)
	ErrTooDeep = fmt.Errorf("record is nested deeper than %d", MaxDepth)
	ErrNotJSON = errors.New("record is not one JSON object")
)

// Object reads a record that is one JSON object (RFC 8259), with blanks around
// it at most. Strings of the result are parts of text where they have no
// escapes.
func Object(text string) (gjson.Result, error) {
	if len(text) > MaxRecord {
		return gjson.Result{}, ErrTooLong
	}
	if deep(text) { // before anything that calls itself
		return gjson.Result{}, ErrTooDeep
	}
	if !gjson.Valid(text) {
		return gjson.Result{}, ErrNotJSON
	}
	object := gjson.Parse(text)
	if !object.IsObject() {
		return gjson.Result{}, ErrNotJSON
	}
	return object, nil
}

// deep says that more than MaxDepth brackets are open at once, outside of
// strings.
func deep(text string) bool {
	if strings.Count(text, "{")+strings.Count(text, "[") <= MaxDepth {
		return false // most records, and many times faster
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}
