// Package linux decodes the telemetry of Linux machines: records of the audit
// system, as auditd, AUOMS and laurel write them, and of Sysmon for Linux.
//
// The audit system tells of one event in several records, in lines of their
// own that may come between those of others. Audit joins them. Whatever wrote
// the records, an event's Fields are theirs under their own names, of all its
// records in their order, so that a field may come several times: Sigma's
// rules for a record (type: PATH, name: ...) hold for the event.
package linux

import (
	"errors"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// ErrNotAudit says that a record is none of the audit system.
var ErrNotAudit = errors.New("record is not one of the audit system")

// Log names of what the audit system tells of, by who wrote it down.
const (
	logAuditd = "auditd"
	logAUOMS  = "auoms"
	logLaurel = "laurel"
)

// Audit decodes records of the audit system: those of auditd
// (https://github.com/linux-audit/audit-documentation/wiki), raw or enriched,
// with or without the header of a log line; those of AUOMS
// (https://github.com/microsoft/OMS-Auditd-Plugin); either as the message of a
// JSON row, such as Sentinel's; and the JSON of laurel
// (https://github.com/threathunters-io/laurel). It makes one event of all
// records of an event. It is not safe for concurrent use.
type Audit struct {
	waiting []*unfinished // by arrival
	free    []*unfinished
	bytes   int // held in waiting
	stats   AuditStats

	facts  facts
	ev     event.Event
	parent event.Process
}

var _ endpoint.Decoder = (*Audit)(nil)

// AuditStats says how the joining of records goes.
type AuditStats struct {
	Waiting    int   // records that wait for others now
	Incomplete int64 // events that were told before their end came
	Ends       int64 // end marks (EOE) of events that were told already: no part of any event
}

// NewAudit makes a decoder for the records of one machine, or of several that
// give their node's name.
func NewAudit() *Audit { return &Audit{} }

// Held is how many bytes of records wait for the rest of their event.
func (a *Audit) Held() int { return a.bytes }

// Stats says how it goes.
func (a *Audit) Stats() AuditStats { return a.stats }

// Decode implements endpoint.Decoder.
func (a *Audit) Decode(r endpoint.Record, tell func(*event.Event)) error {
	if len(r.Text) > endpoint.MaxRecord {
		return endpoint.ErrTooLong
	}
	text := strings.TrimSpace(r.Text)
	var row gjson.Result
	if strings.HasPrefix(text, "{") {
		var err error
		if row, err = endpoint.Object(text); err != nil {
			return err
		}
		if at, ok := stampTime(row.Get("ID").Str); ok {
			a.laurel(r, row, at, tell)
			return nil
		}
		_, text = payload(row)
	}
	h, ok := parseHead(text)
	if !ok {
		return ErrNotAudit
	}
	a.expire(&r, &h, tell)
	a.arrive(&r, &h, tell)
	return nil
}

// payload gives the member of a JSON row that holds the record itself: the
// message of a log line, by the names that Sentinel, Beats, journald and
// Fluent Bit give it.
func payload(row gjson.Result) (name, text string) {
	for _, name := range []string{"SyslogMessage", "message", "MESSAGE", "Message", "log", "msg", "RawData"} {
		if member := row.Get(name); member.Type == gjson.String {
			return name, member.Str
		}
	}
	return "", ""
}

// Rest implements endpoint.Decoder.
func (a *Audit) Rest(before time.Time, tell func(*event.Event)) {
	for i := 0; i < len(a.waiting); {
		if u := a.waiting[i]; before.IsZero() || u.received.Before(before) {
			a.finish(i, cutEnd, tell)
			continue
		}
		i++
	}
}
