package syslog_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/syslog"
)

// desk drives an Assembler with records as text and notes what comes out.
type desk struct {
	assembler syslog.Assembler
	parser    syslog.Parser
	peer      netip.AddrPort
	now       time.Time
	out       []syslog.Message
	records   int
}

func newDesk() *desk {
	return &desk{parser: syslog.Parser{Reference: reference}, now: reference, peer: netip.MustParseAddrPort("192.0.2.1:514")}
}

func (d *desk) take(m *syslog.Message) {
	d.out = append(d.out, *m)
	d.records += m.Records
}

func (d *desk) add(raws ...string) {
	for _, raw := range raws {
		m := syslog.Message{Peer: d.peer, Received: d.now}
		d.parser.Parse(raw, &m)
		d.assembler.Add(&m, d.take)
	}
}

func (d *desk) from(peer string, raws ...string) {
	before := d.peer
	d.peer = netip.MustParseAddrPort(peer)
	d.add(raws...)
	d.peer = before
}

// texts are what came out, in order; "~" marks a partial one.
func (d *desk) texts() []string {
	var all []string
	for _, m := range d.out {
		text := m.Host + "|" + m.Text
		if m.Partial {
			text = "~" + text
		}
		all = append(all, text)
	}
	return all
}

func (d *desk) want(t *testing.T, want ...string) {
	t.Helper()
	if got := d.texts(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

const (
	head = "<166>2031-03-04T05:06:07.001Z hv1 Hostd: "
	next = "<166>2031-03-04T05:06:08.001Z hv1 Hostd: "
)

func TestAssembleArrows(t *testing.T) {
	d := newDesk()
	d.add(head+"info hostd[1] a", head+"--> b", head+"-->   c", next+"info hostd[1] d")
	d.want(t, "hv1|info hostd[1] a\n--> b\n-->   c")
	if m := d.out[0]; m.Records != 3 || m.Raw != head+"info hostd[1] a\n"+head+"--> b\n"+head+"-->   c" {
		t.Errorf("got %d records, %q", m.Records, m.Raw)
	}
	d.assembler.Flush(d.take)
	if d.records != 4 || d.assembler.Stats() != (syslog.AssemblerStats{Joined: 2}) {
		t.Errorf("%d records out, %+v", d.records, d.assembler.Stats())
	}
}

func TestAssembleWithoutHeader(t *testing.T) {
	d := newDesk()
	d.add(head+"a", "--> b", "<13>2031-03-04T05:06:07Z hv1 vmkernel: cpu1:2)x", "--> c")
	d.assembler.Flush(d.take)
	d.want(t, "hv1|cpu1:2)x", "hv1|a\n--> b\n--> c")
}

func TestAssembleBehindRelay(t *testing.T) {
	other := strings.ReplaceAll(head, "hv1", "hv2")
	d := newDesk()
	d.add(head+"a", other+"b", head+"--> a2", other+"--> b2", "--> whose?")
	d.assembler.Flush(d.take)
	d.want(t, "hv1|a\n--> a2", "hv2|b\n--> b2\n--> whose?")

	d = newDesk() // another host's line came between: the bare piece may be its
	d.add(head+"a", "<13>2031-03-04T05:06:07Z hv2 vmkernel: cpu1:2)x", "--> whose?")
	d.assembler.Flush(d.take)
	d.want(t, "hv2|cpu1:2)x", "~|--> whose?", "hv1|a")

	d = newDesk() // the same names from two peers
	d.from("192.0.2.1:1", head+"a")
	d.from("192.0.2.2:1", head+"b")
	d.from("192.0.2.1:2", head+"--> a2")
	d.from("192.0.2.3:1", "--> c", head+"--> d")
	d.assembler.Flush(d.take)
	d.want(t, "~|--> c", "~hv1|--> d", "hv1|a\n--> a2", "hv1|b")
}

func TestAssembleByPid(t *testing.T) {
	line := "2031-03-04T05:06:07.001Z In(166)%s Hostd[%d]: %s"
	d := newDesk()
	d.add(fmt.Sprintf(line, "", 1, "a"), fmt.Sprintf(line, "", 2, "b"), fmt.Sprintf(line, "+", 1, "a2"), fmt.Sprintf(line, "[+]", 2, "b2"),
		fmt.Sprintf(line, "", 9, "--> b3, by another thread at that moment"))
	d.assembler.Flush(d.take)
	d.want(t, "|a\na2", "|b\nb2\n--> b3, by another thread at that moment")
}

func TestAssembleHolds(t *testing.T) {
	d := newDesk()
	d.add("<13>2031-03-04T05:06:07Z hv1 FIREWALL-PKTLOG - - - INET match PASS", "<13>2031-03-04T05:06:07Z hv1 unheard: -->  x")
	d.want(t, "hv1|INET match PASS", "~hv1|-->  x")

	d = newDesk()
	if wait := d.assembler.Rest(d.now, d.take); wait != 0 {
		t.Errorf("waits %s for nothing", wait)
	}
	d.add(head + "a")
	d.now = d.now.Add(150 * time.Millisecond)
	if wait := d.assembler.Rest(d.now, d.take); wait != 50*time.Millisecond || len(d.out) != 0 {
		t.Errorf("waits %s, %q", wait, d.texts())
	}
	d.add(head + "--> b")
	d.now = d.now.Add(50 * time.Millisecond)
	if wait := d.assembler.Rest(d.now, d.take); wait != 0 {
		t.Errorf("waits %s for nothing", wait)
	}
	d.add(head + "--> too late")
	d.want(t, "hv1|a\n--> b", "~hv1|--> too late")
}

func TestAssembleKeepsOrder(t *testing.T) {
	d := newDesk()
	var want []string
	for i := range 50 {
		d.add(fmt.Sprintf("%sline %d", head, i))
		want = append(want, fmt.Sprintf("hv1|line %d", i))
		if i%7 == 0 {
			d.assembler.Rest(d.now, d.take)
		}
		if i%20 == 0 {
			d.now = d.now.Add(time.Second)
		}
	}
	d.assembler.Flush(d.take)
	d.want(t, want...)
}

func TestAssembleFileLines(t *testing.T) {
	d := newDesk()
	d.add("2031-03-04T05:06:07Z [05060 error 'Pool'] Failed:", "--> * a", "-->", "2031-03-04T05:06:07Z verbose -[35] [Originator@6876 sub=a] SQL:", "--> INSERT")
	d.assembler.Flush(d.take)
	d.want(t, "|[05060 error 'Pool'] Failed:\n--> * a\n-->", "|verbose -[35] [Originator@6876 sub=a] SQL:\n--> INSERT")
}

func TestAssembleEmptyPiece(t *testing.T) {
	d := newDesk()
	d.add(head, head+"a", head, head+"--> b")
	d.assembler.Flush(d.take)
	d.want(t, "hv1|", "hv1|a\n\n--> b")
}

func TestAssembleLiteralLineEnds(t *testing.T) {
	raw := `2031-03-04T05:06:07Z info vpxd[7] [Originator@6876 sub=a] login: fault:\n--> Result:\\n--> (not shown)`
	d := newDesk()
	d.add(raw)
	d.assembler.Flush(d.take)
	d.want(t, "|info vpxd[7] [Originator@6876 sub=a] login: fault:\n--> Result:\n--> (not shown)")
	if d.out[0].Raw != raw {
		t.Errorf("Raw is %q", d.out[0].Raw)
	}
}

func TestAssembleEvents(t *testing.T) {
	const vc = "<14>1 2031-03-04T05:06:07.123456+00:00 vc1 vpxd 7 - - "
	tests := []struct {
		name string
		in   []string
		want []string
	}{
		{"whole", []string{vc + "Event [5] [1-1] [t] x]"}, []string{"vc1|Event [5] [1-1] [t] x]"}},
		{"two", []string{vc + "Event [5] [1-2] [t] on the po", vc + "Event [5] [2-2] rt]"}, []string{"vc1|Event [5] [1-2] [t] on the port]"}},
		{"the blank is the text's", []string{vc + "Event [5] [1-2] [t] (a,", vc + "Event [5] [2-2]  b)]"}, []string{"vc1|Event [5] [1-2] [t] (a, b)]"}},
		{"without headers", []string{vc + "Event [5] [1-3] a", " Event [5] [2-3] b", "Event [5] [3-3] c"}, []string{"vc1|Event [5] [1-3] abc"}},
		{"out of order", []string{vc + "Event [5] [3-3] c", vc + "Event [5] [1-3] a", vc + "Event [5] [2-3] b"}, []string{"vc1|Event [5] [1-3] abc"}},
		{
			"two at a time",
			[]string{vc + "Event [5] [1-2] a", vc + "Event [6] [1-2] A", vc + "Event [5] [2-2] b", vc + "Event [6] [2-2] B"},
			[]string{"vc1|Event [5] [1-2] ab", "vc1|Event [6] [1-2] AB"},
		},
		{"one missing", []string{vc + "Event [5] [1-3] a", vc + "Event [5] [3-3] c"}, []string{"~vc1|Event [5] [1-3] a\nEvent [5] [3-3] c"}},
		{"one alone", []string{"Event [5] [2-3] b"}, []string{"~|Event [5] [2-3] b"}},
		{"twice the same", []string{vc + "Event [5] [1-2] a", vc + "Event [5] [1-2] a", vc + "Event [5] [2-2] b"}, []string{"~vc1|Event [5] [1-2] a", "vc1|Event [5] [1-2] ab"}},
		{
			"two hosts, one number",
			[]string{vc + "Event [5] [1-2] a", strings.ReplaceAll(vc, "vc1", "vc2") + "Event [5] [1-2] A", strings.ReplaceAll(vc, "vc1", "vc2") + "Event [5] [2-2] B", vc + "Event [5] [2-2] b"},
			[]string{"vc2|Event [5] [1-2] AB", "vc1|Event [5] [1-2] ab"},
		},
		{
			"two hosts, a piece without header",
			[]string{vc + "Event [5] [1-2] a", strings.ReplaceAll(vc, "vc1", "vc2") + "Event [5] [1-2] A", "Event [5] [2-2] ?"},
			[]string{"~vc1|Event [5] [1-2] a", "~vc2|Event [5] [1-2] A", "~|Event [5] [2-2] ?"},
		},
		{"too many pieces", []string{vc + "Event [5] [1-65] a"}, []string{"~vc1|Event [5] [1-65] a"}},
		{"no event", []string{vc + "Event [x] [1-2] a", vc + "Event [5] [3-2] a", vc + "Event [5] [0-2] a"}, []string{"vc1|Event [x] [1-2] a", "vc1|Event [5] [3-2] a", "vc1|Event [5] [0-2] a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk()
			d.add(tt.in...)
			d.assembler.Flush(d.take)
			d.want(t, tt.want...)
			if d.records != len(tt.in) {
				t.Errorf("%d records out of %d", d.records, len(tt.in))
			}
		})
	}
}

func TestAssembleBounds(t *testing.T) {
	t.Run("pieces", func(t *testing.T) {
		d := newDesk()
		d.add(head + "a")
		for range syslog.MaxPieces + 1 {
			d.add(head + "--> b")
		}
		d.assembler.Flush(d.take)
		if m := d.out[0]; m.Records != syslog.MaxPieces || !m.Partial || d.records != syslog.MaxPieces+2 {
			t.Errorf("first has %d records, partial %t; %d in all", m.Records, m.Partial, d.records)
		}
	})
	t.Run("bytes of one", func(t *testing.T) {
		d := newDesk()
		d.add(head + "a")
		for range 5 {
			d.add(head + "--> " + strings.Repeat("b", syslog.MaxJoined/4))
		}
		d.assembler.Flush(d.take)
		for _, m := range d.out {
			if len(m.Raw) > syslog.MaxJoined {
				t.Errorf("%d bytes in one", len(m.Raw))
			}
		}
		if d.records != 6 {
			t.Errorf("%d records out of 6", d.records)
		}
	})
	t.Run("number and bytes in all", func(t *testing.T) {
		d := newDesk()
		const short = "<166>2031-03-04T05:06:07.001Z host%04d Hostd: a"
		const fit = syslog.MaxHeldBytes / (2*len(short) + 640) // %04d is as long as what it writes
		for i := range fit + 100 {
			d.add(fmt.Sprintf(short, i))
		}
		if s := d.assembler.Stats(); s.Held != fit || s.Overflow != 100 || len(d.out) != 100 || d.out[0].Host != "host0000" {
			t.Errorf("%+v, %d out, %d fit", s, len(d.out), fit)
		}
		for i := range 200 {
			d.add(fmt.Sprintf("<166>2031-03-04T05:06:07.001Z big%d Hostd: %s", i, strings.Repeat("x", 60<<10)))
		}
		if s := d.assembler.Stats(); s.Held > syslog.MaxHeldBytes/(2*60<<10) {
			t.Errorf("%+v", s)
		}
	})
	t.Run("events of one number", func(t *testing.T) {
		d := newDesk()
		for i := range 100 {
			d.add(fmt.Sprintf("<14>1 2031-03-04T05:06:07Z vc%d vpxd 7 - - Event [5] [1-2] a", i))
		}
		if s := d.assembler.Stats(); s.Held > 8 {
			t.Errorf("%+v", s)
		}
	})
}

// The memory of what waits is what MaxHeldBytes says, whatever its sizes.
func TestAssembleMemory(t *testing.T) {
	for _, size := range []int{1, 200, 980, 8 << 10} {
		const each = 8
		assemblers := make([]syslog.Assembler, each)
		before := heapAlloc()
		for n := range assemblers {
			var parser syslog.Parser
			rest := strings.Repeat("x", size)
			for i := range 4096 {
				m := syslog.Message{Received: reference}
				parser.Parse(fmt.Sprintf("<14>2026-07-01T12:00:00Z h%d hostd[%d]: %s", i, i, rest), &m)
				assemblers[n].Add(&m, func(*syslog.Message) {})
				assemblers[n].Rest(reference, func(*syslog.Message) {})
			}
		}
		held := (heapAlloc() - before) / each
		if limit := syslog.MaxHeldBytes * 5 / 4; held > limit { // maps do not shrink
			t.Errorf("records of %d bytes: %d bytes are held, the bound is %d", size, held, limit)
		}
		t.Logf("records of %d bytes: %d held in %d bytes", size, assemblers[0].Stats().Held, held)
		runtime.KeepAlive(assemblers)
	}
}

func heapAlloc() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// What waits beyond Rest does not keep or share the batch's memory.
func TestAssembleCopies(t *testing.T) {
	d := newDesk()
	d.add(head+"a", head+"--> b")
	d.assembler.Rest(d.now, d.take)
	d.add(head + "--> c")
	d.assembler.Rest(d.now, d.take)
	d.add(head + "d")
	d.want(t, "hv1|a\n--> b\n--> c")
	m := d.out[0]
	if m.App != "Hostd" || m.TimeText != "2031-03-04T05:06:07.001Z" || m.Raw != head+"a\n"+head+"--> b\n"+head+"--> c" {
		t.Errorf("got %+v", m)
	}
}

func FuzzAssembler(f *testing.F) {
	f.Add(head+"a\x00"+head+"--> b\x00--> c\x00"+next+"d", uint8(3))
	f.Add("Event [5] [1-3] a\x00Event [5] [3-3] c\x00<14>1 2031-03-04T05:06:07Z vc1 vpxd 7 - - Event [5] [2-3] b", uint8(1))
	f.Fuzz(func(t *testing.T, stream string, every uint8) {
		d := newDesk()
		raws := strings.Split(stream, "\x00")
		size := 0
		for i, raw := range raws {
			d.add(raw)
			size += len(raw) + 1
			if i%(int(every)+1) == 0 {
				d.now = d.now.Add(time.Duration(every) * time.Millisecond)
				d.assembler.Rest(d.now, d.take)
			}
		}
		d.assembler.Flush(d.take)
		sum, text := 0, 0
		for _, m := range d.out {
			sum += len(m.Raw) + 1
			text += len(m.Text) + 1
		}
		if d.records != len(raws) || sum != size || text > size {
			t.Errorf("%d records of %d, %d bytes of %d, text of %d", d.records, len(raws), sum, size, text)
		}
		if s := d.assembler.Stats(); s.Held != 0 {
			t.Errorf("%+v after Flush", s)
		}
	})
}

func BenchmarkAssembler(b *testing.B) {
	var parser syslog.Parser
	messages := func(raws ...string) []syslog.Message {
		all := make([]syslog.Message, len(raws))
		for i, raw := range raws {
			all[i].Received, all[i].Peer = reference, netip.MustParseAddrPort("192.0.2.1:514")
			parser.Parse(raw, &all[i])
		}
		return all
	}
	var pid []string
	for i := range 16 {
		pid = append(pid, fmt.Sprintf("2031-03-04T05:06:07.001Z In(166) Hostd[%d]: [Originator@6876 sub=Libs] some text of a usual length", 2098000+i))
	}
	for _, bb := range []struct {
		name string
		in   []syslog.Message
	}{
		{"never-held", messages(shapes[2].raw)},
		{"hostd", messages(shapes[0].raw)},
		{"hostd-16-threads", messages(pid...)},
		{"event", messages(shapes[4].raw)},
		{"arrows", messages(head+"info hostd[1] something", head+"--> b", head+"--> c")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var a syslog.Assembler
			emit := func(*syslog.Message) {}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				a.Add(&bb.in[i%len(bb.in)], emit)
				if i++; i%64 == 0 {
					a.Rest(reference, emit)
				}
			}
		})
	}
}

func ExampleAssembler() {
	var (
		parser    syslog.Parser
		assembler syslog.Assembler
	)
	emit := func(m *syslog.Message) { fmt.Printf("%s, %d records: %q\n", m.App, m.Records, m.Text) }
	for _, raw := range []string{
		"<166>2031-03-04T05:06:07.001Z esx1 Hostd: info hostd[7] Fault:",
		"<166>2031-03-04T05:06:07.001Z esx1 Hostd: --> (vim.fault.NotFound)",
	} {
		m := syslog.Message{Received: time.Now()}
		parser.Parse(raw, &m)
		assembler.Add(&m, emit)
	}
	assembler.Flush(emit)
	// Output: Hostd, 2 records: "info hostd[7] Fault:\n--> (vim.fault.NotFound)"
}

// TestAssemblerTimesApart: a piece that its header dates much later than the
// record before it is of another submission.
func TestAssemblerTimesApart(t *testing.T) {
	var a syslog.Assembler
	var p syslog.Parser
	var got []int
	emit := func(m *syslog.Message) { got = append(got, m.Records) }
	for _, raw := range []string{
		"<166>2031-03-04T05:06:07Z hv7 Hostd: info hostd[5] [Originator@6876 sub=a] one",
		"<166>2031-03-04T05:06:08Z hv7 Hostd: --> two",
		"<166>2031-04-04T05:06:08Z hv7 Hostd: --> three",
	} {
		var m syslog.Message
		p.Parse(raw, &m)
		a.Add(&m, emit)
	}
	a.Flush(emit)
	if len(got) != 2 || got[0]+got[1] != 3 {
		t.Errorf("got records of %v pieces, want 2 and 1", got)
	}
}
