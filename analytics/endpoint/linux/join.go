package linux

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Bounds of what waits for the rest of its event. What is beyond is told as
// it is, the oldest first, with the field audit_incomplete.
const (
	maxWaiting = 128     // events
	maxRecords = 512     // of one event
	maxHeld    = 1 << 20 // bytes, of all
	maxAge     = 2 * time.Second
)

// Why an event was told before its end came.
const (
	cutAge    = "age"
	cutNumber = "number" // too many events wait
	cutSize   = "size"   // too many records, or bytes
	cutEnd    = "end"    // of the input
)

var fieldIncomplete = event.Intern("audit_incomplete")

// unfinished is an event whose records still come.
type unfinished struct {
	node, stamp string
	time        time.Time // the stamp's
	received    time.Time
	host        string
	text        []byte // the records, parted by newlines
	ends        []int  // where each ends in text
}

// arrive takes a record: it ends its event, or waits with it.
func (a *Audit) arrive(r *endpoint.Record, h *head, tell func(*event.Event)) {
	for len(a.waiting) > 0 && a.bytes+len(r.Text) > maxHeld {
		a.finish(0, cutSize, tell)
	}
	i := a.find(h)
	switch {
	case i < 0 && h.kind == "EOE":
		a.stats.Ends++
		return
	case i < 0 && alone(h.kind):
		a.tell(r.Text, nil, r.Host, "", tell)
		return
	case i >= 0 && len(a.waiting[i].ends) == maxRecords:
		a.finish(i, cutSize, tell)
		i = -1
	}
	if i < 0 {
		i = a.begin(r, h, tell)
	}
	a.hold(a.waiting[i], r.Text)
	if h.kind == "EOE" || h.kind == "PROCTITLE" {
		a.finish(i, "", tell)
	}
}

// find gives the place of the event that a record belongs to, or -1. The
// newest is looked at first: it is nearly always the one.
func (a *Audit) find(h *head) int {
	for i := len(a.waiting) - 1; i >= 0; i-- {
		if u := a.waiting[i]; u.stamp == h.stamp && u.node == h.node {
			return i
		}
	}
	return -1
}

// begin makes room for an event, and gives its place.
func (a *Audit) begin(r *endpoint.Record, h *head, tell func(*event.Event)) int {
	for len(a.waiting) >= maxWaiting {
		a.finish(0, cutNumber, tell)
	}
	u := &unfinished{}
	if n := len(a.free); n > 0 {
		u, a.free = a.free[n-1], a.free[:n-1]
	}
	u.node, u.stamp = strings.Clone(h.node), strings.Clone(h.stamp)
	u.time, u.received, u.host = h.time, r.Received, strings.Clone(r.Host)
	a.waiting = append(a.waiting, u)
	return len(a.waiting) - 1
}

// hold keeps a record's text: it may be a part of what is used again.
func (a *Audit) hold(u *unfinished, text string) {
	if len(u.ends) > 0 {
		u.text = append(u.text, '\n')
	}
	before := len(u.text)
	u.text = append(u.text, text...)
	u.ends = append(u.ends, len(u.text))
	a.bytes += len(u.text) - before
	a.stats.Waiting++
}

// expire tells what has waited too long when a record comes: by its receipt,
// or in a file by the events' own times.
func (a *Audit) expire(r *endpoint.Record, h *head, tell func(*event.Event)) {
	for i := 0; i < len(a.waiting); {
		u := a.waiting[i]
		age := r.Received.Sub(u.received)
		if r.Received.IsZero() || u.received.IsZero() {
			age = h.time.Sub(u.time)
			if u.node != h.node {
				age = 0
			}
		}
		if age > maxAge {
			a.finish(i, cutAge, tell)
			continue
		}
		i++
	}
}

// Memory of events that is kept to be used again.
const (
	maxKept = 8 << 10 // bytes of one
	maxFree = 4
)

// finish tells an event; reason says why that is before its end.
func (a *Audit) finish(i int, reason string, tell func(*event.Event)) {
	u := a.waiting[i]
	copy(a.waiting[i:], a.waiting[i+1:])
	a.waiting = a.waiting[:len(a.waiting)-1]
	a.stats.Waiting -= len(u.ends)
	a.bytes -= len(u.text) - (len(u.ends) - 1)
	if reason != "" {
		a.stats.Incomplete++
	}
	a.tell(string(u.text), u.ends, u.host, reason, tell)
	if cap(u.text) <= maxKept && len(a.free) < maxFree {
		*u = unfinished{text: u.text[:0], ends: u.ends[:0]}
		a.free = append(a.free, u)
	}
}

// tell makes an event of records: raw, or the parts of it that end at ends.
func (a *Audit) tell(raw string, ends []int, host, incomplete string, tell func(*event.Event)) {
	ev := &a.ev
	ev.Reset()
	a.facts.reset()
	ev.Raw, ev.Records = raw, max(1, len(ends))
	var first head
	var row gjson.Result
	from := 0
	for i := range ev.Records {
		to := len(raw)
		if ends != nil {
			to = ends[i]
		}
		h, of := open(raw[from:to])
		from = to + 1
		if i == 0 {
			first, row = h, of
			a.begins(&first, row, host)
		}
		a.facts.record(&h, ev)
	}
	a.facts.settle(first.kind, ev, &a.parent)
	if ev.Class == event.BaseEvent {
		ev.Message = strings.TrimSpace(first.body)
	}
	if incomplete != "" {
		ev.Add(fieldIncomplete, incomplete)
	}
	addRow(row, ev)
	tell(ev)
}

// open reads the head of a record, out of its JSON row where it has one.
func open(text string) (h head, row gjson.Result) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		row = gjson.Parse(text)
		_, text = payload(row)
	}
	h, _ = parseHead(text)
	return h, row
}

// begins says who tells of the event, and when it was.
func (a *Audit) begins(h *head, row gjson.Result, host string) {
	a.ev.Time = h.time
	a.ev.LogName = logAuditd
	if strings.HasPrefix(h.kind, "AUOMS_") {
		a.ev.LogName = logAUOMS
	}
	a.ev.Device = device(h.node, row, headerHost(h.before), host)
}
