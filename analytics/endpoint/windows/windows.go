// Package windows makes events of records of the Windows event log: Sysmon,
// Security, PowerShell and every other channel, in the shapes that shippers
// give them:
//
//   - EVTX as JSON: {"Event": {"System": ..., "EventData": ...}}
//   - flat JSON, as NXLog and Fluent Bit send it, and the OTRF data sets have it
//   - Winlogbeat and Elastic Agent: winlog.*, event_data and ECS
//   - rows of Microsoft Sentinel: Event, SecurityEvent, WindowsEvent
//   - XML as Windows renders it: <Event xmlns=...>
//
// Whatever the shape, an event's Fields have the names that the event log
// itself uses and that Sigma's rules ask for: Channel, EventID,
// Provider_Name, Image, NewProcessName. LogName is the channel. What the
// records of a channel mean is in sysmon.go and security.go; a record that is
// in neither is a Base Event with its fields.
package windows

import (
	"errors"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// ErrNoEventID says that a record is none of the Windows event log.
var ErrNoEventID = errors.New("record is none of the Windows event log: it has no EventID")

// Decoder makes events of the records of one machine. The zero Decoder is not
// ready; New makes one.
type Decoder struct {
	ev     event.Event
	parent event.Process
	names  nameCache
	path   []byte        // of the value that is read, while it is read
	inner  [2]int        // where in Fields those of a document in a string begin and end
	values [slots]string // the record's values that typed members are made of
}

var _ endpoint.Decoder = (*Decoder)(nil)

// New makes a Decoder.
func New() *Decoder { return &Decoder{names: nameCache{}} }

// Rest does nothing: each record is one event.
func (d *Decoder) Rest(time.Time, func(*event.Event)) {}

// Decode gives tell the event of a record.
func (d *Decoder) Decode(r endpoint.Record, tell func(*event.Event)) error {
	d.ev.Reset()
	d.parent, d.inner = event.Process{}, [2]int{}
	clear(d.values[:])
	if err := d.read(r.Text); err != nil {
		return err
	}
	d.settle()
	if d.values[slotEventID] == "" {
		return ErrNoEventID
	}
	d.ev.Raw, d.ev.Records = r.Text, 1
	d.mean(r.Host)
	tell(&d.ev)
	return nil
}

// read puts the record's values into the event's Fields.
func (d *Decoder) read(text string) error {
	if first := strings.TrimLeft(text, " \t\r\n\uFEFF"); strings.HasPrefix(first, "<") {
		return endpoint.EventXML(first, d.element)
	}
	object, err := endpoint.Object(strings.TrimPrefix(text, "\uFEFF"))
	if err != nil {
		return err
	}
	d.object(object)
	return nil
}
