package webuse

import "github.com/vegress/vegress/event"

// signature is what a sensor says of the program's.
type signature uint8

const (
	unknown signature = iota
	valid
	unsigned
	modified // it has one that does not fit, or is only its own (ad hoc)
)

// fieldSignature is where decoders put it (docs/endpoint.md).
var fieldSignature = event.Intern("process_signature")

// signatureOf reads it.
func signatureOf(ev *event.Event) signature {
	f, ok := ev.Field(fieldSignature)
	if !ok {
		return unknown
	}
	switch f.Value {
	case "":
		return unknown
	case "signed", "platform": // the latter: Apple's own
		return valid
	case "unsigned":
		return unsigned
	}
	return modified // in whatever words: "ad_hoc", "Expired"
}
