// Package vsphere says what a syslog message of a vSphere component means: it
// makes an event.Event of a syslog.Message. The recognizers for the programs
// of ESXi and of vCenter are in the folders below.
package vsphere

import (
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
)

// Recognizer knows one kind of message. Recognize fills ev and reports true,
// or leaves ev as it was and reports false. It must be safe for concurrent
// use, and its work is bounded by the message's length.
type Recognizer interface {
	Recognize(m *syslog.Message, ev *event.Event) bool
}
