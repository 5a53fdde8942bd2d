package sigma

import "github.com/vegress/vegress/event"

// Record is what rules are evaluated on. It shares its caller's memory for
// the length of the call it is given to.
type Record struct {
	// Fields is what the source said: present values, nulls; what is not
	// there is absent. Names count without their spaces. A field may come
	// several times: then any of its values will do.
	Fields []event.Field
	// Typed is more of the same, for fields that the caller makes of an
	// event's typed members.
	Typed []event.Field
	// Text is the whole record as it came. Keywords look at it and at every
	// value. It may be empty.
	Text string
}
