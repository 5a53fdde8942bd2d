package network_test

import (
	"fmt"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

// decode gives the events of records, each a copy of its own.
func decode(tb testing.TB, d endpoint.Decoder, records ...string) []event.Event {
	tb.Helper()
	var events []event.Event
	for _, text := range records {
		if err := d.Decode(endpoint.Record{Text: text, Host: "sensor1"}, func(ev *event.Event) { events = append(events, ev.Clone()) }); err != nil {
			tb.Fatalf("%q: %v", text, err)
		}
	}
	return events
}

// one gives the only event of records.
func one(tb testing.TB, d endpoint.Decoder, records ...string) event.Event {
	tb.Helper()
	events := decode(tb, d, records...)
	if len(events) != 1 {
		tb.Fatalf("%d events of %q", len(events), records)
	}
	return events[0]
}

// summary is what an event says in typed members, in a line.
func summary(ev *event.Event) string {
	s := fmt.Sprintf("%s %s/%d", ev.LogName, ev.Class.Name(), ev.Activity)
	add := func(name string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" && text != "invalid IP" {
			s += " " + name + "=" + text
		}
	}
	add("status", ev.Status)
	if ev.Severity != event.SeverityInformational {
		add("severity", ev.Severity)
	}
	add("device", ev.Device.Hostname)
	add("dir", ev.Direction)
	add("proto", ev.Protocol)
	add("src", ev.Src.IP)
	add("sport", ev.Src.Port)
	add("shost", ev.Src.Hostname)
	add("dst", ev.Dst.IP)
	add("dport", ev.Dst.Port)
	add("host", ev.Dst.Hostname)
	add("via", ev.Dst.NameVia)
	if ev.Traffic.Known {
		s += fmt.Sprintf(" out=%d/%d in=%d/%d", ev.Traffic.BytesOut, ev.Traffic.PacketsOut, ev.Traffic.BytesIn, ev.Traffic.PacketsIn)
	}
	add("method", ev.HTTP.Method)
	add("url", ev.URL)
	add("version", ev.HTTP.Version)
	add("code", ev.HTTP.Status)
	add("agent", ev.HTTP.UserAgent)
	add("query", ev.DNS.Query)
	add("type", ev.DNS.Type)
	add("rcode", ev.DNS.RCode)
	for _, a := range ev.DNS.Answers {
		add("answer", a)
	}
	add("user", ev.User.Name)
	add("domain", ev.User.Domain)
	add("file", ev.File.Path)
	add("message", ev.Message)
	for _, t := range []struct {
		name string
		at   interface {
			IsZero() bool
			Format(string) string
		}
	}{{"time", ev.Time}, {"start", ev.Start}, {"end", ev.End}} {
		if !t.at.IsZero() {
			add(t.name, t.at.Format("2006-01-02T15:04:05.999999"))
		}
	}
	return s
}

// fields gives the values of a field, by its name.
func fields(ev *event.Event, name string) (values []string) {
	for _, f := range ev.Fields {
		if f.ID.Name() == name {
			values = append(values, f.Value)
		}
	}
	return values
}

// check compares what events say, line by line, and holds them against OCSF
// where its schemas are.
func check(t *testing.T, events []event.Event, want ...string) {
	t.Helper()
	for i := range max(len(events), len(want)) {
		got, expected := "", ""
		if i < len(events) {
			got = summary(&events[i])
		}
		if i < len(want) {
			expected = want[i]
		}
		if got != expected {
			t.Errorf("event %d:\n got %s\nwant %s", i, got, expected)
		}
	}
}

// valid holds events against the schemas of OCSF, and reads them back.
func valid(t *testing.T, events []event.Event) {
	t.Helper()
	validator := eventtest.New(t)
	for i := range events {
		ev := &events[i]
		ev.UID = "test-1"
		line := ev.AppendJSON(nil)
		if err := validator.Validate(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}
