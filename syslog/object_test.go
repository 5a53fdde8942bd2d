package syslog_test

import (
	"testing"
	"time"

	"github.com/vegress/vegress/syslog"
)

func TestParseObject(t *testing.T) {
	var p syslog.Parser
	var m syslog.Message
	p.Parse(`<166>{"HOST":"esx01.example.com","PROGRAM":"Hostd","PID":"12","ISODATE":"2026-11-22T06:00:00.5Z","MESSAGE":"Event 1 : text"}`, &m)
	at := time.Date(2026, 11, 22, 6, 0, 0, 5e8, time.UTC)
	if m.Host != "esx01.example.com" || m.App != "Hostd" || m.ProcID != "12" || m.Text != "Event 1 : text" || !m.Time.Equal(at) ||
		m.Severity != 6 || m.Malformed != syslog.WellFormed {
		t.Errorf("got %+v", m)
	}
	for _, other := range []string{`{"a":1}`, `{"message":""}`, `{not JSON`, `{}`} {
		p.Parse(other, &m)
		if m.Text != other || m.Host != "" {
			t.Errorf("%s: host %q, text %q", other, m.Host, m.Text)
		}
	}
	p.Parse(`{"@timestamp":"2026-11-22T06:00:00.5Z","host":{"name":"hv7"},"process":{"name":"Vpxa"},"message":"x"}`, &m)
	if m.Host != "hv7" || m.App != "Vpxa" || !m.Time.Equal(at) {
		t.Errorf("got %+v", m)
	}
	p.Parse(`{"host":"vc1","message":"x","time":"noon"}`, &m)
	if m.Malformed != syslog.BadTime || m.Host != "vc1" {
		t.Errorf("got %+v", m)
	}
}
