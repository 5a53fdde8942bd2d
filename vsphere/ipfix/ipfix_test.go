package ipfix_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
	"github.com/vegress/vegress/simulator"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// now is when messages of these tests come.
var now = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

func peerOf(p simulator.FlowPacket) netip.AddrPort { return netip.AddrPortFrom(p.Source, 49152) }

// message is an IPFIX message exported at that time.
func message(at time.Time, sequence, domain uint32, sets ...[]byte) string {
	body := bytes.Join(sets, nil)
	b := binary.BigEndian.AppendUint16(nil, 10)
	b = binary.BigEndian.AppendUint16(b, uint16(16+len(body)))
	b = binary.BigEndian.AppendUint32(b, uint32(at.Unix()))
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, domain)
	return string(append(b, body...))
}

func set(id uint16, parts ...[]byte) []byte {
	data := bytes.Join(parts, nil)
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(data)))
	return append(b, data...)
}

// template announces fields, as numbers and lengths in turn; a number above
// 32768 is VMware's.
func template(id uint16, fields ...uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(fields)/2))
	for i := 0; i+1 < len(fields); i += 2 {
		b = binary.BigEndian.AppendUint16(b, fields[i])
		b = binary.BigEndian.AppendUint16(b, fields[i+1])
		if fields[i]&0x8000 != 0 {
			b = binary.BigEndian.AppendUint32(b, 6876)
		}
	}
	return b
}

// plain is a small layout: addresses, ports, protocol, counts, seconds.
var plain = template(256, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 2, 4, 150, 4, 151, 4)

// flow is a record of it.
func flow(port uint16, start, end time.Time) []byte {
	b := []byte{10, 1, 0, 10, 203, 0, 113, 40}
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, 443)
	b = append(b, 6)
	b = binary.BigEndian.AppendUint32(b, 1000)
	b = binary.BigEndian.AppendUint32(b, 10)
	b = binary.BigEndian.AppendUint32(b, uint32(start.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(end.Unix()))
}

// recent is a flow that just ended.
func recent(port uint16) []byte { return flow(port, now.Add(-time.Minute), now.Add(-time.Second)) }

// TestNight: every record of the simulated night becomes one valid event, second
// reports aside, with the VM's marks on its end and the bytes of its stories.
func TestNight(t *testing.T) {
	valid := eventtest.New(t)
	flows, packets := messages(t, simulator.FlowOptions{LateTemplates: time.Minute})
	truth := flows.Truth()
	d := ipfix.New(ipfix.Options{})
	events := 0
	sent := map[string]int64{} // bytes, by ends
	for _, p := range packets {
		d.Decode(ipfix.Message{Data: string(p.Data), Peer: peerOf(p), Received: p.Time.Add(time.Millisecond)}, func(r *ipfix.Record) {
			var ev event.Event
			r.Fill(&ev)
			events++
			sent[ev.Src.IP.String()+" "+ev.Dst.IP.String()] += ev.Traffic.BytesOut
			if events%97 == 1 {
				if err := valid.Validate(ev.AppendJSON(nil)); err != nil {
					t.Errorf("%v\n%s", err, ev.AppendJSON(nil))
				}
			}
			if ev.OriginalTime != "" || ev.Start.IsZero() || ev.End.Before(ev.Start) || !ev.Dst.IP.IsValid() {
				t.Errorf("%s", ev.AppendJSON(nil))
			}
		})
	}
	st := d.Stats()
	if st.Received != int64(truth.Records) || st.Deduplicated != int64(truth.Duplicates) || events != truth.Records-truth.Duplicates {
		t.Errorf("%d events, %+v; want %+v", events, st, truth)
	}
	if st.LostRecords+st.LostMessages+st.Restarts+st.Late+sum(st.Malformed)+st.Held != 0 {
		t.Errorf("%+v", st)
	}
	for _, s := range truth.Stories {
		if got := sent[s.Address.String()+" "+s.Destination.String()]; got != s.BytesOut {
			t.Errorf("%s: %d bytes, want %d", s.ID, got, s.BytesOut)
		}
	}
}

// TestLoss: what sequence numbers say was lost is what was lost.
func TestLoss(t *testing.T) {
	flows, packets := messages(t, simulator.FlowOptions{LoseMessages: 13, LoseTemplates: 1})
	truth := flows.Truth()
	d := ipfix.New(ipfix.Options{Hold: time.Hour})
	for _, p := range packets {
		d.Decode(ipfix.Message{Data: string(p.Data), Peer: peerOf(p), Received: p.Time}, func(*ipfix.Record) {})
	}
	st := d.Stats()
	// A first message that is lost leaves no gap; nor does one after data whose
	// number of records was not known yet.
	if st.LostRecords > int64(truth.LostRecords) || st.LostRecords < int64(truth.LostRecords)*9/10 {
		t.Errorf("%d records lost, want about %d", st.LostRecords, truth.LostRecords)
	}
	if st.LostMessages > int64(truth.LostMessages) || st.LostMessages < int64(truth.LostMessages)*9/10 {
		t.Errorf("%d messages lost, want about %d", st.LostMessages, truth.LostMessages)
	}
	if losses := d.Losses(3); len(losses) != 3 || losses[0].Lost < losses[2].Lost {
		t.Errorf("losses %v", losses)
	}
	if again := d.Losses(9); len(again) != 0 {
		t.Errorf("told again: %v", again)
	}
}

// TestFirewall: the NSX elements tell which VM it was, and at which end.
func TestFirewall(t *testing.T) {
	layout := template(300, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 150, 4, 151, 4, 1, 8, 2, 8, 233, 1,
		950|0x8000, 4, 951|0x8000, 16, 952|0x8000, 4, 954|0x8000, 1, 960|0x8000, 16, 961|0x8000, 0xffff)
	record := func(event, direction byte) []byte {
		b := flow(51000, now.Add(-time.Minute), now)
		ends, times := b[:13], b[21:]
		b = append(append([]byte{}, ends...), times...)
		b = append(b, 0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 0, 10, event)
		b = append(b, 0, 0, 3, 237)
		b = append(b, "\x50\x12\xaa\xaa\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x66\x66"...)
		b = append(b, 0, 0, 0, 1, direction)
		b = append(b, "\xde\xad\xbe\xef\x00\x00\x40\x00\x80\x00\x00\x00\x01\x02\x03\x04"...)
		return append(b, "\x03abc"...)
	}
	got := decoded(ipfix.New(ipfix.Options{}), now, message(now, 0, 1, set(2, layout), set(300, record(1, 1), record(3, 0))))
	if len(got) != 2 {
		t.Fatalf("%d events", len(got))
	}
	out, denied := got[0], got[1]
	if out.Src.VMUUID != "5012aaaa-1111-2222-3333-444455556666" || out.Src.VIF != "01020304" || out.Dst.VMUUID != "" ||
		out.Direction != event.DirectionOutbound || out.Activity != event.NetworkTraffic {
		t.Errorf("leaves the VM: %s", out.AppendJSON(nil))
	}
	if denied.Dst.VIF != "01020304" || denied.Src.VIF != "" || denied.Direction != event.DirectionInbound ||
		denied.Activity != event.NetworkRefuse || denied.Status != event.StatusFailure {
		t.Errorf("denied: %s", denied.AppendJSON(nil))
	}
	if rule, _ := out.Field(event.Intern("rule")); rule.Value != "1005" {
		t.Errorf("rule %q", rule.Value)
	}
	if out.Traffic != (event.Traffic{BytesOut: 1000, PacketsOut: 10, Known: true}) {
		t.Errorf("traffic %+v", out.Traffic)
	}
}

// TestBothWays: where a record counts both directions, both are told.
func TestBothWays(t *testing.T) {
	layout := []byte{1, 0, 0, 7, 0, 8, 0, 4, 0, 12, 0, 4, 0, 1, 0, 4, 0, 2, 0, 4, 0x80, 1, 0, 4, 0, 0, 0x72, 0x79, 0x80, 2, 0, 4, 0, 0, 0x72, 0x79, 0, 151, 0, 4}
	data := append([]byte{10, 1, 0, 10, 203, 0, 113, 40, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 99, 0, 0, 0, 3}, binary.BigEndian.AppendUint32(nil, uint32(now.Unix()))...)
	got := decoded(ipfix.New(ipfix.Options{}), now, message(now, 0, 0, set(2, layout), set(256, data)))
	if len(got) != 1 || got[0].Traffic != (event.Traffic{BytesOut: 9, PacketsOut: 1, BytesIn: 99, PacketsIn: 3, Known: true}) {
		t.Errorf("%+v", got)
	}
}

// TestTimes: an exporter's clock is believed as far as any sender's.
func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		name             string
		off              time.Duration
		time, start, end time.Time
		original         string
	}{
		{"right", 0, now.Add(-time.Second), now.Add(-time.Minute), now.Add(-time.Second), ""},
		{"nine minutes ahead", 9 * time.Minute, now.Add(9*time.Minute - time.Second), now.Add(8 * time.Minute), now.Add(9*time.Minute - time.Second), ""},
		{"ten years behind", -3652 * 24 * time.Hour, now, now.Add(-59 * time.Second), now, "2016-11-22T05:59:59Z"},
		{"ten years ahead", 3652 * 24 * time.Hour, now, now.Add(-59 * time.Second), now, "2036-11-21T05:59:59Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := now.Add(tt.off)
			m := message(at, 0, 0, set(2, plain), set(256, flow(1, at.Add(-time.Minute), at.Add(-time.Second))))
			got := decoded(ipfix.New(ipfix.Options{}), now, m)
			if len(got) != 1 || !got[0].Time.Equal(tt.time) || !got[0].Start.Equal(tt.start) || !got[0].End.Equal(tt.end) || got[0].OriginalTime != tt.original {
				t.Errorf("%s", got[0].AppendJSON(nil))
			}
		})
	}
	t.Run("a begin that cannot be", func(t *testing.T) {
		got := decoded(ipfix.New(ipfix.Options{}), now, message(now, 0, 0, set(2, plain), set(256, flow(1, now.Add(time.Hour), now), flow(2, time.Unix(1, 0), now))))
		if len(got) != 2 || !got[0].Start.IsZero() || !got[1].Start.IsZero() || !got[0].End.Equal(now) {
			t.Errorf("%+v", got)
		}
	})
}

// TestUptime: NetFlow counts from the exporter's boot, over the end of its
// counter.
func TestUptime(t *testing.T) {
	header := func(uptime, sequence uint32) []byte {
		b := []byte{0, 9, 0, 1}
		for _, n := range []uint32{uptime, uint32(now.Unix()), sequence, 0} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	layout := template(256, 8, 4, 12, 4, 22, 4, 21, 4, 1, 4)
	data := []byte{10, 1, 0, 10, 203, 0, 113, 40}
	for _, n := range []uint32{0xffffffff - 58_999, 0, 5} { // a minute and a second before, by a counter that is at 1000 now
		data = binary.BigEndian.AppendUint32(data, n)
	}
	m := bytes.Join([][]byte{header(1000, 7), set(0, layout), set(256, data)}, nil)
	d := ipfix.New(ipfix.Options{})
	got := decoded(d, now, string(m))
	if len(got) != 1 || !got[0].Start.Equal(now.Add(-time.Minute)) || !got[0].End.Equal(now.Add(-time.Second)) || got[0].LogName != "netflow" {
		t.Errorf("%+v", got)
	}
	decoded(d, now, string(header(1000, 11)))
	if st := d.Stats(); st.LostMessages != 3 {
		t.Errorf("lost %d, want 3", st.LostMessages)
	}
}

// TestTwins: the second report of a flow is left out, another flow is not.
func TestTwins(t *testing.T) {
	d := ipfix.New(ipfix.Options{})
	got := decoded(d, now, message(now, 0, 0, set(2, plain), set(256, recent(1), recent(1), recent(2))), message(now, 3, 0, set(256, recent(2))))
	if st := d.Stats(); len(got) != 2 || st.Deduplicated != 2 || st.Received != 4 {
		t.Errorf("%d events, %+v", len(got), st)
	}
	// Of another exporter it is another flow; and much later too.
	d.Decode(ipfix.Message{Data: message(now, 0, 0, set(2, plain), set(256, recent(1))), Peer: netip.MustParseAddrPort("192.0.2.12:1"), Received: now}, func(*ipfix.Record) { got = nil })
	if got != nil {
		t.Error("another exporter's flow was left out")
	}
}

// TestHeld: data waits for its template, for a while.
func TestHeld(t *testing.T) {
	d := ipfix.New(ipfix.Options{Hold: time.Minute})
	early := message(now, 0, 0, set(256, recent(1), recent(2)))
	if got := decoded(d, now, early); len(got) != 0 || d.Stats().Held != 1 || d.Wait() == 0 {
		t.Fatalf("%v, %+v", got, d.Stats())
	}
	if got := decoded(d, now.Add(50*time.Second), message(now, 2, 0, set(2, plain))); len(got) != 2 || d.Stats().Received != 2 || !got[0].Time.Equal(now.Add(-time.Second)) {
		t.Fatalf("%v, %+v", got, d.Stats())
	}
	decoded(d, now.Add(time.Minute), message(now, 2, 7, set(256, recent(1)))) // another domain
	if d.Idle(now.Add(3*time.Minute)) != 0 {
		t.Error("it still waits")
	}
	st := d.Stats()
	if st.Held != 0 || st.HeldBytes != 0 || st.Undecoded["expired"] != 1 || st.Dropped.NoTemplate != 1 || st.Received != 3 {
		t.Errorf("%+v", st)
	}
}

// TestForget: a template that is neither announced nor used is forgotten, and
// one that is used is not.
func TestForget(t *testing.T) {
	d := ipfix.New(ipfix.Options{Forget: time.Hour})
	decoded(d, now, message(now, 0, 0, set(2, plain, template(257, 8, 4, 12, 4, 1, 8))))
	for n := range byte(7) {
		at := now.Add(time.Duration(n) * 10 * time.Minute)
		if got := decoded(d, at, message(at, uint32(n), 0, set(256, recent(uint16(n))))); len(got) != 1 {
			t.Fatalf("after %s: %d flows", at.Sub(now), len(got))
		}
	}
	d.Idle(now.Add(time.Hour + time.Minute))
	if st := d.Stats(); st.Templates != 1 || st.Exporters != 1 || st.Flows != 7 {
		t.Errorf("%+v", st)
	}
	d.Idle(now.Add(3 * time.Hour))
	if st := d.Stats(); st.Templates != 0 || st.Exporters != 0 {
		t.Errorf("%+v", st)
	}
}

// TestOtherPort: an exporter may send from another port each time. Its templates
// hold for all of them, in whatever order they come, unless two disagree: then
// more than one host has that address.
func TestOtherPort(t *testing.T) {
	d := ipfix.New(ipfix.Options{})
	from := func(port uint16, m string) (flows int) {
		d.Decode(ipfix.Message{Data: m, Peer: netip.AddrPortFrom(exporter.Addr(), port), Received: now}, func(*ipfix.Record) { flows++ })
		return flows
	}
	if n := from(1, message(now, 0, 0, set(256, recent(1)))); n != 0 {
		t.Errorf("%d flows before any template", n)
	}
	if n := from(2, message(now, 0, 0, set(2, plain))); n != 1 {
		t.Errorf("%d flows of another port with the template, want 1", n)
	}
	if n := from(3, message(now, 0, 0, set(256, recent(3), recent(4), []byte{0, 0}))); n != 2 {
		t.Errorf("%d flows after the template of another port, want 2", n)
	}
	if n := from(4, message(now, 0, 0, set(256, recent(5)[1:]))); n != 0 {
		t.Errorf("%d flows in data that does not fit", n)
	}
	other := template(256, 8, 4, 12, 4, 1, 8)
	if n := from(5, message(now, 0, 0, set(2, other))); n != 0 {
		t.Errorf("%d flows of another host's template", n)
	}
	if n := from(6, message(now, 0, 0, set(256, recent(6)))); n != 0 {
		t.Errorf("%d flows by a template that two disagree on", n)
	}
	if st := d.Stats(); st.Held != 2 || st.Received != 3 {
		t.Errorf("%+v", st)
	}
}

// TestMalformed: what makes no sense is counted, what is good around it is not
// lost, and nobody crashes.
func TestMalformed(t *testing.T) {
	good := set(256, recent(1))
	long := template(257, 8, 4, 12, 4, 961|0x8000, 0xffff)
	ended := []byte(message(now, 0, 0, set(2, plain), good))
	for _, tt := range []struct {
		name, data, reason string
		flows              int
	}{
		{"nothing", "\x00", "short_header", 0},
		{"half a header", "\x00\x0a\x00\x10\x00", "short_header", 0},
		{"syslog", "<14>line", "unknown_version", 0},
		{"NetFlow 5", "\x00\x05\x00\x01" + strings.Repeat("\x00", 40), "unknown_version", 0},
		{"longer than the datagram", string(ended[:len(ended)-1]), "bad_length", 0},
		{"shorter than its header", "\x00\x0a\x00\x04" + strings.Repeat("\x00", 12), "bad_length", 0},
		{"set beyond the end", message(now, 0, 0, set(2, plain), good, []byte{1, 0, 1, 0}), "bad_set_length", 1},
		{"set without its header", message(now, 0, 0, set(2, plain), good, []byte{1, 0, 0, 3}), "bad_set_length", 1},
		{"set of no kind", message(now, 0, 0, set(2, plain), set(99, []byte{1}), good), "unknown_set", 1},
		{"template cut short", message(now, 0, 0, set(2, plain, template(258, 8, 4)[:6]), good), "bad_template", 1},
		{"template that lies", message(now, 0, 0, set(2, plain, []byte{1, 2, 0xff, 0xff, 0, 8, 0, 4}), good), "bad_template", 1},
		{"options that lie", message(now, 0, 0, set(3, []byte{1, 2, 0xff, 0xff, 0xff, 0xff, 0, 8, 0, 4}), set(2, plain), good), "bad_template", 1},
		{"field beyond the end", message(now, 0, 0, set(2, plain, long), set(257, []byte("12345678\xff\x10\x00")), good), "record_too_long", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := ipfix.New(ipfix.Options{})
			got := decoded(d, now, tt.data)
			st := d.Stats()
			if len(got) != tt.flows || st.Malformed[tt.reason] != 1 || sum(st.Malformed) != 1 || st.Dropped.Malformed != 1 || st.Received != int64(tt.flows)+1 {
				t.Errorf("%d flows, %+v", len(got), st)
			}
		})
	}
}

// TestRefusedTemplates: records of no length have no end.
func TestRefusedTemplates(t *testing.T) {
	many := make([]uint16, 0, 600)
	for range 300 {
		many = append(many, 8, 4)
	}
	d := ipfix.New(ipfix.Options{})
	decoded(d, now, message(now, 0, 0, set(2, template(256, 8, 0, 12, 0), template(257, many...), template(100, 8, 4))))
	if st := d.Stats(); st.Refused != 2 || st.Templates != 0 {
		t.Errorf("%+v", st)
	}
}

// TestNoFlows: what an exporter says of itself is counted apart; a template may
// be taken back.
func TestNoFlows(t *testing.T) {
	options := []byte{1, 4, 0, 2, 0, 1, 0, 149, 0, 4, 0, 41, 0, 8}
	d := ipfix.New(ipfix.Options{})
	got := decoded(d, now,
		message(now, 0, 0, set(3, options), set(260, make([]byte, 24))),
		message(now, 2, 0, set(2, template(261, 1, 8)), set(261, make([]byte, 16))),
		message(now, 4, 0, set(2, plain), set(256, recent(1)), set(2, []byte{1, 0, 0, 0}), set(256, recent(2))))
	if st := d.Stats(); len(got) != 1 || st.Other != 4 || st.Received != 1 || st.Held != 1 || st.LostRecords != 0 {
		t.Errorf("%d events, %+v", len(got), st)
	}
}

// TestBounds: a million template ids, a million domains, and data that never
// gets its template take no more than a stated room.
func TestBounds(t *testing.T) {
	d := ipfix.New(ipfix.Options{})
	decoded(d, now, message(now, 0, 0, set(2, plain), set(256, recent(1))))
	wide := make([]uint16, 0, 512)
	for i := range uint16(250) {
		wide = append(wide, i+1, 1)
	}
	for domain := range uint32(300) {
		var all [][]byte
		for id := range uint16(60) {
			all = append(all, template(256+id, wide...))
		}
		decoded(d, now, message(now, 0, 1000+domain, set(2, all[:30]...), set(2, all[30:]...)))
	}
	for n := range uint32(20_000) {
		decoded(d, now, message(now, 0, 1<<20+n, set(2, template(256+uint16(n%40000), 8, 4, 12, 4)), set(50000, make([]byte, 1000))))
	}
	st := d.Stats()
	if st.Exporters > 8192 || st.Templates > 8192*256 || st.HeldBytes > 16<<20 || st.Undecoded["full"]+st.Undecoded["forgotten"] == 0 || st.Forgotten == 0 {
		t.Errorf("%+v", st)
	}
	if st.Received != 1+st.Dropped.NoTemplate {
		t.Errorf("%+v", st)
	}
	// Whoever was heard of before, with flows, is not pushed out by it.
	if got := decoded(d, now, message(now, 1, 0, set(256, recent(3)))); len(got) != 1 {
		t.Error("an exporter with flows was forgotten for others without")
	}
	for port := range uint16(20_000) { // one address, from many ports
		d.Decode(ipfix.Message{
			Data: message(now, 0, 5, set(2, template(256+port%999, wide...)), set(300+port%7, make([]byte, 250))),
			Peer: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.99"), port), Received: now,
		}, func(*ipfix.Record) {})
	}
	if st := d.Stats(); st.Exporters > 8192 || st.Templates > 8192+1<<19/250+256 {
		t.Errorf("%+v", st)
	}
	d.Close()
	d.Idle(now.Add(3 * time.Hour))
	if st := d.Stats(); st.Held != 0 || st.HeldBytes != 0 || st.Exporters != 0 || st.Templates != 0 {
		t.Errorf("after hours of silence: %+v", st)
	}
}

// TestFloodOfFlows: one address that sends good flows, from any number of ports
// and domains, with layouts of any width, pushes nobody else out: not the
// exporters of other addresses, nor their templates, nor what waits for one.
func TestFloodOfFlows(t *testing.T) {
	d := ipfix.New(ipfix.Options{})
	var wide []uint16
	for i := range uint16(250) {
		wide = append(wide, 500+i, 1)
	}
	real := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 49152)
	}
	flows := 0
	send := func(from netip.AddrPort, m string) {
		d.Decode(ipfix.Message{Data: m, Peer: from, Received: now}, func(r *ipfix.Record) { flows++ })
	}
	for i := range 1000 {
		send(real(i), message(now, 0, 0, set(2, plain), set(256, recent(uint16(i)))))
		send(real(i), message(now, 1, 0, set(300, make([]byte, 40))))
	}
	bad := netip.MustParseAddr("10.9.9.9")
	for i := range 60_000 {
		m := message(now, 0, uint32(i), set(2, plain), set(256, flow(uint16(i), now.Add(-time.Duration(i)*time.Second), now)),
			set(2, template(257, wide...)), set(299, make([]byte, 1000)))
		send(netip.AddrPortFrom(bad, uint16(1024+i)), m)
	}
	if st := d.Stats(); st.Exporters > 8192 || st.HeldBytes > 8<<20 {
		t.Errorf("%+v", st)
	}
	flows = 0
	for i := range 1000 {
		send(real(i), message(now, 1, 0, set(256, recent(uint16(i+1000)))))
		send(real(i), message(now, 2, 0, set(2, template(300, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 2, 4, 150, 4, 151, 4))))
	}
	if st := d.Stats(); flows < 2000 || st.LostRecords != 0 {
		t.Errorf("%d flows of 1000 exporters, want 2000 and what waited: %+v", flows, st)
	}
	// A new exporter finds its place.
	flows = 0
	send(real(2000), message(now, 0, 0, set(2, plain), set(256, recent(1))))
	send(real(2000), message(now, 1, 0, set(256, recent(2))))
	if flows != 2 {
		t.Errorf("%d flows of a new exporter", flows)
	}
}

// TestFloodOfAddresses: forged addresses, each with one flow, cost no more time
// than others; the bound holds.
func TestFloodOfAddresses(t *testing.T) {
	d := ipfix.New(ipfix.Options{})
	for i := range 30_000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, byte(i >> 16), byte(i >> 8), byte(i)}), 49152)
		d.Decode(ipfix.Message{
			Data: message(now, 0, 0, set(2, plain), set(256, recent(uint16(i)))), Peer: from, Received: now,
		}, func(*ipfix.Record) {})
	}
	if st := d.Stats(); st.Exporters != 8192 {
		t.Errorf("%d exporters", st.Exporters)
	}
}

// TestAllocations holds what decoding costs in memory: texts aside, which the
// events share, nothing for a record.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("counts over many records")
	}
	_, packets := messages(t, simulator.FlowOptions{})
	d := ipfix.New(ipfix.Options{Replay: true})
	var data []ipfix.Message
	var ev event.Event
	port, records := uint16(0), 0
	take := func(r *ipfix.Record) { records++; ev.Reset(); r.Fill(&ev) }
	for _, p := range packets {
		m := ipfix.Message{Data: string(p.Data), Peer: peerOf(p)}
		if firstSet(p.Data) >= 256 {
			data = append(data, m)
			continue
		}
		for to := range uint16(5) { // templates first
			d.Decode(ipfix.Message{Data: m.Data, Peer: netip.AddrPortFrom(p.Source, to)}, take)
		}
	}
	allocs := testing.AllocsPerRun(3, func() {
		port++ // other exporters: the flows are no second reports
		records = 0
		for _, m := range data {
			d.Decode(ipfix.Message{Data: m.Data, Peer: netip.AddrPortFrom(m.Peer.Addr(), port)}, take)
		}
	})
	// What is left is the texts' memory.
	if records < 10_000 || allocs/float64(records) > 0.05 {
		t.Errorf("%.0f allocations for %d records", allocs, records)
	}
	t.Logf("%.0f allocations for %d records in %d messages", allocs, records, len(packets))
}

// firstSet is the id of a message's first set.
func firstSet(data []byte) uint16 {
	if data[1] == 9 {
		return binary.BigEndian.Uint16(data[20:])
	}
	return binary.BigEndian.Uint16(data[16:])
}

// TestFiles: a file of messages gives the same flows however it is stored.
func TestFiles(t *testing.T) {
	flows, packets := messages(t, simulator.FlowOptions{})
	var capture, raw, ng bytes.Buffer
	if err := flows.WriteCapture(&capture, netip.MustParseAddr("10.0.0.5")); err != nil {
		t.Fatal(err)
	}
	section(&ng)
	for _, p := range packets {
		raw.Write(p.Data)
		enhanced(&ng, p)
	}
	for name, file := range map[string]*bytes.Buffer{"pcap": &capture, "raw": &raw, "pcapng": &ng} {
		n := 0
		for m, err := range ipfix.Messages(bytes.NewReader(file.Bytes())) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if m.Data != string(packets[n].Data) {
				t.Fatalf("%s: message %d differs", name, n)
			}
			if name != "raw" && (m.Peer != peerOf(packets[n]) || m.Received.Sub(packets[n].Time).Abs() > 2*time.Microsecond) {
				t.Fatalf("%s: message %d came from %v at %v", name, n, m.Peer, m.Received)
			}
			n++
		}
		if n != len(packets) {
			t.Errorf("%s: %d messages, want %d", name, n, len(packets))
		}
		for cut := range 64 { // wherever it ends, that is an error or the end
			for _, err := range ipfix.Messages(bytes.NewReader(file.Bytes()[:cut])) {
				if err != nil && err.Error() == "" {
					t.Error("an error without words")
				}
			}
		}
	}
	for _, err := range ipfix.Messages(strings.NewReader("<14>a line")) {
		if err == nil || !strings.Contains(err.Error(), "neither IPFIX") {
			t.Errorf("error %v", err)
		}
	}
}

// section opens a pcapng file with one Ethernet interface.
func section(w *bytes.Buffer) {
	block(w, 0x0a0d0d0a, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	block(w, 1, []byte{1, 0, 0, 0, 0, 0, 1, 0})
}

func block(w *bytes.Buffer, kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	length := uint32(12 + len(body))
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, length)
	b = append(b, body...)
	w.Write(binary.LittleEndian.AppendUint32(b, length))
}

// enhanced writes a packet with a VLAN tag, over UDP and IPv4.
func enhanced(w *bytes.Buffer, p simulator.FlowPacket) {
	frame := append(make([]byte, 12), 0x81, 0, 0, 42, 8, 0)
	frame = append(frame, 0x45, 0)
	frame = binary.BigEndian.AppendUint16(frame, uint16(28+len(p.Data)))
	frame = append(frame, 0, 0, 0, 0, 64, 17, 0, 0)
	frame = append(append(frame, p.Source.AsSlice()...), 10, 0, 0, 5)
	frame = binary.BigEndian.AppendUint16(frame, 49152)
	frame = binary.BigEndian.AppendUint16(frame, 4739)
	frame = binary.BigEndian.AppendUint16(frame, uint16(8+len(p.Data)))
	frame = append(append(frame, 0, 0), p.Data...)
	micros := uint64(p.Time.UnixMicro())
	body := binary.LittleEndian.AppendUint32(nil, 0)
	body = binary.LittleEndian.AppendUint32(body, uint32(micros>>32))
	body = binary.LittleEndian.AppendUint32(body, uint32(micros))
	body = binary.LittleEndian.AppendUint32(body, uint32(len(frame)))
	body = binary.LittleEndian.AppendUint32(body, uint32(len(frame)))
	block(w, 6, append(body, frame...))
}

// FuzzDecode: no message crashes a Decoder, or makes it keep more than is
// stated; and what it counted adds up.
func FuzzDecode(f *testing.F) {
	_, packets := messages(f, simulator.FlowOptions{})
	for i := 0; i < len(packets); i += 211 {
		f.Add(packets[i].Data, packets[0].Data)
	}
	f.Add([]byte(message(now, 0, 0, set(2, plain), set(256, recent(1), recent(1)))), []byte(message(now, 0, 0, set(3, []byte{1, 4, 0, 2, 0, 1, 0, 149, 0, 4, 0, 41, 0, 8}))))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d := ipfix.New(ipfix.Options{})
		taken := int64(0)
		take := func(r *ipfix.Record) {
			taken++
			var ev event.Event
			r.Fill(&ev)
			if taken > 64 {
				return
			}
			if back, err := event.Parse(ev.AppendJSON(nil)); err != nil || back.Raw != r.Raw {
				t.Fatalf("%v: %s", err, ev.AppendJSON(nil))
			}
		}
		for i, data := range [][]byte{first, second, first, second} {
			d.Decode(ipfix.Message{Data: string(data), Peer: exporter, Received: now.Add(time.Duration(i) * time.Minute)}, take)
		}
		d.Idle(now.Add(time.Hour))
		d.Close()
		st := d.Stats()
		if st.Received != taken+st.Deduplicated+st.Dropped.NoTemplate+st.Dropped.Malformed || st.Held != 0 || st.HeldBytes != 0 {
			t.Errorf("taken %d, %+v", taken, st)
		}
		if size := len(first) + len(second); taken > int64(size) {
			t.Errorf("%d flows in %d bytes", taken, size)
		}
	})
}

// FuzzMessages: no file crashes the reader.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(message(now, 0, 0, set(2, plain))))
	var ng bytes.Buffer
	section(&ng)
	enhanced(&ng, simulator.FlowPacket{Source: exporter.Addr(), Time: now, Data: []byte(message(now, 0, 0))})
	f.Add(ng.Bytes())
	f.Add([]byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + strings.Repeat("\x00", 12) + "\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		for m, err := range ipfix.Messages(bytes.NewReader(data)) {
			if err != nil {
				return
			}
			total += len(m.Data)
		}
		if total > len(data) {
			t.Errorf("%d bytes of messages in a file of %d", total, len(data))
		}
	})
}

// BenchmarkDecode is one record, from its message to a filled event; and what
// goflow2 takes to take it apart.
func BenchmarkDecode(b *testing.B) {
	_, packets := messages(b, simulator.FlowOptions{Gather: time.Hour})
	b.Run("vegress", func(b *testing.B) {
		d := ipfix.New(ipfix.Options{Replay: true})
		texts := make([]string, len(packets))
		for i, p := range packets {
			texts[i] = string(p.Data)
		}
		var ev event.Event
		port, records := uint16(0), 0
		take := func(r *ipfix.Record) { records++; ev.Reset(); r.Fill(&ev) }
		b.ReportAllocs()
		for records < b.N {
			port++ // other exporters: the flows are no second reports
			for i := range packets {
				d.Decode(ipfix.Message{Data: texts[i], Peer: netip.AddrPortFrom(packets[i].Source, port)}, take)
			}
		}
	})
	b.Run("goflow2", func(b *testing.B) {
		benchmarkGoflow2(b, packets)
	})
}
