package syslog

import (
	"strings"

	"github.com/influxdata/go-syslog/v3/rfc3164"
	"github.com/influxdata/go-syslog/v3/rfc5424"
)

// foreign says that nothing in the record points to a vSphere component: it
// is plain syslog of somebody else, and the standard's parser reads it.
func (m *Message) foreign() bool {
	return m.HasPRI && m.Malformed == WellFormed && m.Host != "" && m.App != "" &&
		!knownProgram(m.App) && !strings.Contains(m.Data, "@6876") && !strings.Contains(m.Data, "@4413")
}

// standard5424 reads m.Raw by RFC 5424. When the parser refuses, m stays as
// the scanner left it.
func (p *Parser) standard5424(m *Message) {
	if p.rfc5424 == nil {
		p.rfc5424 = rfc5424.NewParser()
	}
	p.buf = append(p.buf[:0], trimEnd(m.Raw)...)
	parsed, err := p.rfc5424.Parse(p.buf)
	msg, ok := parsed.(*rfc5424.SyslogMessage)
	if err != nil || !ok || msg == nil {
		return
	}
	if msg.Timestamp != nil {
		m.Time = msg.Timestamp.UTC()
	}
	m.Facility, m.Severity = value(msg.Facility), value(msg.Severity)
	m.Host, m.App = value(msg.Hostname), value(msg.Appname)
	m.ProcID, m.MsgID = value(msg.ProcID), value(msg.MsgID)
	m.Text = trimBlanks(value(msg.Message))
}

// standard3164 reads m.Raw by RFC 3164, which knows no year: that one stays
// the scanner's. When the parser refuses, m stays as it is.
func (p *Parser) standard3164(m *Message) {
	if p.rfc3164 == nil {
		p.rfc3164 = rfc3164.NewParser()
	}
	p.buf = append(p.buf[:0], trimEnd(m.Raw)...)
	parsed, err := p.rfc3164.Parse(p.buf)
	msg, ok := parsed.(*rfc3164.SyslogMessage)
	if err != nil || !ok || msg == nil {
		return
	}
	if t := msg.Timestamp; t != nil {
		m.Time = p.closest(int(t.Month()), t.Day(), t.Hour()*3600+t.Minute()*60+t.Second(), 0)
	}
	m.Facility, m.Severity = value(msg.Facility), value(msg.Severity)
	m.Host, m.App, m.ProcID = value(msg.Hostname), value(msg.Appname), value(msg.ProcID)
	m.Text = trimBlanks(value(msg.Message))
}

// value is what p points to; zero: nothing.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
