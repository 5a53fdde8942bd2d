package egress_test

import (
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

// report is one sensor's word about a connection of the VM.
type report struct {
	at       int // seconds
	activity event.Activity
	start    int   // of a flow
	sent     int64 // -1: not told
	port     uint16
	nsx      bool // the firewall's flow
	device   string
}

func (r report) event(n int, roles ...string) *event.Event {
	begin := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	s := sample{Name: string(rune('a' + n)), Roles: roles}
	ev := s.event()
	ev.Time, ev.Activity, ev.Src.Port = begin.Add(time.Duration(r.at)*time.Second), r.activity, 50000+r.port
	if ev.Device.Host = nil; r.device == "" {
		ev.Device.Host = &event.Host{Name: "esx01", Key: "host:esx01"}
	}
	if r.activity == event.NetworkTraffic {
		ev.Start = begin.Add(time.Duration(r.start) * time.Second)
		if r.nsx {
			ev.Direction = event.DirectionOutbound
		}
	}
	if r.sent >= 0 {
		ev.Traffic = event.Traffic{BytesOut: r.sent, BytesIn: 2 * r.sent, Known: true}
	}
	return ev
}

// TestOneConnectionToldTwice: what the firewall's lines, the firewall's flows
// and the switch's flows tell of one connection counts once, whichever comes
// first, and with what one of them lost.
func TestOneConnectionToldTwice(t *testing.T) {
	const open, end, flow = event.NetworkOpen, event.NetworkClose, event.NetworkTraffic
	tests := []struct {
		name              string
		reports           []report
		connections, sent int64
	}{
		{"lines alone", []report{{at: 0, activity: open, sent: -1}, {at: 9000, activity: end, sent: 700}}, 1, 700},
		{"lines and flows", []report{
			{at: 0, activity: open, sent: -1},
			{at: 60, activity: flow, start: 0, sent: 300},
			{at: 90, activity: end, sent: 700},
			{at: 91, activity: flow, start: 60, sent: 400},
		}, 1, 700},
		{"flows first", []report{
			{at: 60, activity: flow, start: 0, sent: 300},
			{at: 61, activity: flow, start: 0, sent: 300, nsx: true},
			{at: 90, activity: flow, start: 60, sent: 400},
			{at: 0, activity: open, sent: -1},
			{at: 90, activity: end, sent: 700},
		}, 1, 700},
		{"a flow lost", []report{
			{at: 0, activity: open, sent: -1},
			{at: 60, activity: flow, start: 0, sent: 300},
			{at: 180, activity: flow, start: 120, sent: 100},
			{at: 181, activity: end, sent: 700},
		}, 1, 700},
		{"the line of the end lost", []report{
			{at: 0, activity: open, sent: -1},
			{at: 60, activity: flow, start: 0, sent: 300},
			{at: 120, activity: flow, start: 60, sent: 400},
		}, 1, 700},
		{"another connection by the same ports", []report{
			{at: 0, activity: open, sent: -1},
			{at: 60, activity: end, sent: 700},
			{at: 61, activity: flow, start: 0, sent: 700},
			{at: 70, activity: open, sent: -1},
			{at: 100, activity: flow, start: 70, sent: 50},
			{at: 100, activity: end, sent: 50},
		}, 2, 750},
		{"by flows, hours later", []report{
			{at: 60, activity: flow, start: 0, sent: 700},
			{at: 9060, activity: flow, start: 9000, sent: 100},
		}, 2, 800},
		{"two ports", []report{
			{at: 60, activity: flow, start: 0, sent: 700},
			{at: 60, activity: flow, start: 0, sent: 700, port: 1},
		}, 2, 1400},
		{"a host's switch and a router", []report{
			{at: 60, activity: flow, start: 0, sent: 700},
			{at: 60, activity: flow, start: 0, sent: 690, device: "router"},
		}, 1, 700},
		{"refused", []report{{at: 0, activity: event.NetworkRefuse, sent: -1}}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := egress.New(policy(t, options(t)), domain, nil)
			var last event.Finding
			report := func(f *event.Finding) { last = *f }
			for i, r := range tt.reports {
				d.Detect(r.event(i), report)
			}
			d.Flush(report)
			if last.Connections != tt.connections || last.BytesOut != tt.sent || last.BytesIn != 2*tt.sent || last.Count != int64(len(tt.reports)) {
				t.Errorf("%d connections, %d sent, %d received, %d events; want %d and %d", last.Connections, last.BytesOut, last.BytesIn, last.Count, tt.connections, tt.sent)
			}
		})
	}
}

// TestFlowAfterTheEnd: the switch tells of a connection's last minute when the
// firewall's line of its end has come already. What began within the window is
// justified by both; what begins after that end is not.
func TestFlowAfterTheEnd(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	const begin = -(5*3600 + 600) // 05:50 in Berlin
	for i, tt := range []struct {
		report
		want event.Verdict
	}{
		{report{at: begin, activity: event.NetworkOpen, sent: -1}, event.VerdictJustified},
		{report{at: begin + 60, activity: event.NetworkTraffic, start: begin, sent: 5}, event.VerdictJustified},
		{report{at: begin + 1270, activity: event.NetworkTraffic, start: begin + 60, sent: 5}, event.VerdictJustified},
		{report{at: begin + 1290, activity: event.NetworkClose, sent: 20}, event.VerdictJustified},
		{report{at: begin + 1305, activity: event.NetworkTraffic, start: begin + 1280, sent: 5}, event.VerdictJustified},
		{report{at: begin + 1400, activity: event.NetworkTraffic, start: begin + 1300, sent: 5}, event.VerdictUnjustified},
	} {
		ev := tt.event(i, "backup")
		d.Detect(ev, func(*event.Finding) {})
		if ev.Justification.Verdict != tt.want {
			t.Errorf("report %d: %+v", i, ev.Justification)
		}
	}
}

// TestLimitOfBytesToldTwice: a byte that two sensors tell of is paid once.
func TestLimitOfBytesToldTwice(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	verdict := func(i int, r report) event.Verdict {
		ev := r.event(i, "uploader")
		ev.Dst.Hostname, ev.Dst.Service, ev.Dst.Category = "transfer.sh", "transfer.sh", "file_share"
		d.Detect(ev, func(*event.Finding) {})
		return ev.Justification.Verdict
	}
	for i, r := range []report{
		{at: 0, activity: event.NetworkOpen, sent: -1},
		{at: 60, activity: event.NetworkTraffic, start: 0, sent: 700_000},
		{at: 61, activity: event.NetworkTraffic, start: 0, sent: 700_000, nsx: true},
		{at: 62, activity: event.NetworkClose, sent: 700_000},
	} {
		if v := verdict(i, r); v != event.VerdictJustified {
			t.Errorf("report %d: %v", i, v)
		}
	}
	if v := verdict(9, report{at: 160, activity: event.NetworkTraffic, start: 100, sent: 400_000, port: 1}); v != event.VerdictUnjustified {
		t.Errorf("beyond the limit: %v", v)
	}
}
