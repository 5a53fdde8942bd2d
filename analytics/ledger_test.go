package analytics_test

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// words counts what it was asked to describe.
type words struct{ calls int }

func (w *words) Describe(f *event.Finding, _ *event.Event, all, news uint32) {
	w.calls++
	f.Title = fmt.Sprintf("notes %b", all)
	for bit := range 32 {
		if news&(1<<bit) != 0 {
			analytics.Explain(f, fmt.Sprintf("Note %d.", bit))
		}
	}
}

// book is a ledger with what it reported.
type book struct {
	*analytics.Ledger
	words words
	found []*event.Finding
	n     int
}

func newBook(o analytics.LedgerOptions) *book {
	return &book{Ledger: analytics.NewLedger(o, event.Analytic{UID: "a", Name: "A"}, event.Analytic{UID: "b"})}
}

func (b *book) report(f *event.Finding) { b.found = append(b.found, f) }

func key(what string) analytics.Key {
	return analytics.Key{Analytic: "a", Entity: event.Entity{Key: "vm:vc1/1"}, What: what}
}

// see adds an event at start+at and gives the revisions that it made.
func (b *book) see(k analytics.Key, at time.Duration, s event.Severity, notes uint32) []*event.Finding {
	b.n++
	ev := &event.Event{
		UID: fmt.Sprintf("ev-%d", b.n), Time: start.Add(at), Raw: "raw", LogName: "log",
		Traffic: event.Traffic{BytesOut: 10, BytesIn: 1, Known: true},
	}
	before := len(b.found)
	b.Add(b.Case(k, b.report), analytics.Sighting{Event: ev, Severity: s, Notes: notes, By: &b.words}, b.report)
	return b.found[before:]
}

func (b *book) tick(at time.Duration) []*event.Finding {
	before := len(b.found)
	b.Tick(start.Add(at), b.report)
	return b.found[before:]
}

func TestLifeCycle(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	opened := b.see(key("x"), 0, event.SeverityLow, 1)
	if len(opened) != 1 || opened[0].Activity != event.FindingCreate || opened[0].Status != event.FindingNew {
		t.Fatalf("opened %+v", opened)
	}
	for i := 1; i < 5; i++ {
		if r := b.see(key("x"), time.Duration(i)*time.Second, event.SeverityLow, 1); len(r) != 0 {
			t.Fatalf("event %d made a revision", i)
		}
	}
	updated := b.tick(time.Minute)
	if len(updated) != 1 || updated[0].Activity != event.FindingUpdate || updated[0].Count != 5 || updated[0].BytesOut != 50 {
		t.Fatalf("updated %+v", updated)
	}
	if r := b.tick(time.Hour); len(r) != 0 {
		t.Fatalf("nothing new, but %+v", r[0])
	}
	if r := b.tick(time.Hour + 4*time.Second); len(r) != 1 || r[0].Activity != event.FindingClose || r[0].Status != event.FindingResolved {
		t.Fatalf("closed %+v", r)
	}
	for _, f := range b.found {
		if f.UID != opened[0].UID {
			t.Error("uid changed")
		}
	}
	if updated[0].Revision == opened[0].Revision || b.found[2].Revision == updated[0].Revision {
		t.Error("revisions are not told apart")
	}
	if s := b.Stats()[0]; s != (analytics.AnalyticStats{Analytic: "a", Opened: 1, Updated: 1, Closed: 1}) {
		t.Errorf("stats %+v", s)
	}
	if again := b.see(key("x"), 2*time.Hour, event.SeverityLow, 1); again[0].UID == opened[0].UID {
		t.Error("a closed finding was taken up again")
	}
}

// A thousand events a minute for a day make few revisions.
func TestNeverOneALine(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	const events = 24 * 60 * 100
	for i := range events {
		at := time.Duration(i) * 600 * time.Millisecond
		b.see(key("x"), at, event.SeverityLow, 1)
		b.tick(at)
	}
	if n := len(b.found); n < 48 || n > 60 {
		t.Errorf("%d revisions of %d events", n, events)
	}
	if b.words.calls != 1 {
		t.Errorf("described %d times, without news", b.words.calls)
	}
	last := b.found[len(b.found)-1]
	if len(last.Evidence) != event.MaxEvidence || len(last.Related) > event.MaxRelated {
		t.Errorf("%d evidences, %d related", len(last.Evidence), len(last.Related))
	}
	if last.Evidence[4].UID != "ev-5" || last.Evidence[9].Time.Before(last.Evidence[5].Time) || last.Evidence[9].Time.Before(start.Add(20*time.Hour)) {
		t.Error("evidence is not the first five and the latest five")
	}
}

// The last revision before a stop counts every event, also those whose update
// was not due yet.
func TestFlush(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	for i := range 3 {
		b.see(key("x"), time.Duration(i)*time.Second, event.SeverityLow, 1)
	}
	b.Flush(b.report)
	if n := len(b.found); n != 2 || b.found[1].Activity != event.FindingUpdate || b.found[1].Count != 3 {
		t.Fatalf("%d revisions, the last %+v", n, b.found[n-1])
	}
	if b.Flush(b.report); len(b.found) != 2 {
		t.Error("flushed twice")
	}
}

func TestSeverityNeverFalls(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	b.see(key("x"), 0, event.SeverityMedium, 1)
	if r := b.see(key("x"), time.Second, event.SeverityHigh, 2); len(r) != 1 || r[0].Severity != event.SeverityHigh {
		t.Fatalf("a rise was not reported at once: %+v", r)
	}
	b.see(key("x"), 2*time.Second, event.SeverityLow, 4)
	r := b.tick(10 * time.Minute)
	if len(r) != 1 || r[0].Severity != event.SeverityHigh {
		t.Fatalf("got %+v", r)
	}
	if want := []string{"Note 0.", "Note 1.", "Note 2."}; !slices.Equal(r[0].Explanation, want) {
		t.Errorf("explanation %q", r[0].Explanation)
	}
}

func TestMilestones(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	var counts []int64
	for range 1000 {
		for _, f := range b.see(key("x"), 0, event.SeverityLow, 1) {
			counts = append(counts, f.Count)
		}
	}
	if want := []int64{1, 10, 100, 1000}; !slices.Equal(counts, want) {
		t.Errorf("revisions at counts %v, want %v", counts, want)
	}
}

func TestBound(t *testing.T) {
	b := newBook(analytics.LedgerOptions{MaxOpen: 3})
	for i := range 3 {
		b.see(key(fmt.Sprint(i)), time.Duration(i)*time.Second, event.SeverityLow, 1)
	}
	b.see(key("0"), 5*time.Second, event.SeverityLow, 1)
	r := b.see(key("new"), 6*time.Second, event.SeverityLow, 1)
	if len(r) != 2 || r[0].Activity != event.FindingClose || r[0].Key != "1" || r[1].Key != "new" {
		t.Fatalf("got %+v", r)
	}
	if s := b.Stats()[0]; s.Evicted != 1 || s.Closed != 1 || s.Open != 3 {
		t.Errorf("stats %+v", s)
	}
}

// Closings come in the order in which the findings were last seen, and carry
// the time at which they were due, however late the tick.
func TestClosingOrder(t *testing.T) {
	b := newBook(analytics.LedgerOptions{QuietClose: 10 * time.Minute})
	for i, what := range []string{"c", "a", "b"} {
		b.see(key(what), time.Duration(i)*time.Second, event.SeverityLow, 1)
	}
	b.see(key("c"), 5*time.Second, event.SeverityLow, 1)
	var got []string
	for _, f := range b.tick(5 * time.Hour) {
		if f.Activity == event.FindingClose {
			got = append(got, f.Key+f.Time.Sub(start).String())
		}
	}
	if want := []string{"a10m1s", "b10m2s", "c10m5s"}; !slices.Equal(got, want) {
		t.Errorf("closed %v, want %v", got, want)
	}
}

func TestQuietCloseChanges(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	b.see(key("x"), 0, event.SeverityLow, 1)
	b.SetQuietClose(5 * time.Minute)
	if r := b.tick(5 * time.Minute); len(r) != 1 || r[0].Activity != event.FindingClose {
		t.Errorf("got %+v", r)
	}
}

func TestRestore(t *testing.T) {
	before := newBook(analytics.LedgerOptions{})
	addr := analytics.Key{Analytic: "a", Entity: event.Entity{Addr: netip.MustParseAddr("10.0.0.1")}, Addr: netip.MustParseAddr("203.0.113.1")}
	nobody := analytics.Key{Analytic: "b", What: "summary"}
	keys := []analytics.Key{key("x"), addr, nobody}
	var open []event.Finding
	for i, k := range keys {
		before.see(k, time.Duration(i)*time.Second, event.SeverityHigh, 1)
		open = append(open, *before.found[i])
	}
	open = append(open, event.Finding{Analytic: event.Analytic{UID: "other"}, Count: 1},
		event.Finding{Analytic: event.Analytic{UID: "a"}, Count: 1, Activity: event.FindingClose})
	after := newBook(analytics.LedgerOptions{})
	after.Restore(open)
	for i, k := range keys {
		r := after.see(k, time.Minute+time.Duration(i)*time.Second, event.SeverityLow, 1)
		if len(r) != 1 || r[0].UID != before.found[i].UID || r[0].Count != 2 || r[0].Severity != event.SeverityHigh {
			t.Errorf("%v went on as %+v", k, r)
		}
	}
	if s := after.Stats(); s[0].Open != 2 || s[1].Open != 1 || s[0].Opened != 0 {
		t.Errorf("stats %+v", s)
	}
	small := newBook(analytics.LedgerOptions{MaxOpen: 1})
	small.Restore(open)
	if s := small.Stats(); s[0].Open+s[1].Open != 1 || s[1].Open != 1 {
		t.Errorf("of too many, the latest is kept: %+v", s)
	}
}

// What is reported is the receiver's: later events do not change it.
func TestReportedOwnsItsMemory(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	text := []byte("uid")
	ev := &event.Event{Time: start, UID: string(text)}
	b.Add(b.Case(key("x"), b.report), analytics.Sighting{Event: ev, Notes: 1, By: &b.words}, b.report)
	b.found[0].Explanation[0], b.found[0].Related[0] = "mine", "mine"
	b.see(key("x"), time.Hour, event.SeverityLow, 2)
	if last := b.found[1]; last.Explanation[0] != "Note 0." || last.Related[0] != "uid" {
		t.Errorf("the ledger shares memory: %+v", last)
	}
}

func TestLongRecordIsNamedOnly(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	ev := &event.Event{Time: start, UID: "u", Raw: strings.Repeat("x", 5000)}
	b.Add(b.Case(key("x"), b.report), analytics.Sighting{Event: ev, By: &b.words}, b.report)
	if e := b.found[0].Evidence[0]; e.Raw != "" || e.UID != "u" {
		t.Errorf("evidence of %d bytes", len(e.Raw))
	}
}

func TestExplainIsBounded(t *testing.T) {
	var f event.Finding
	for i := range 100 {
		analytics.Explain(&f, fmt.Sprint(i/2))
	}
	if len(f.Explanation) != 24 || f.Explanation[1] != "1" {
		t.Errorf("%d sentences", len(f.Explanation))
	}
}

func TestNoAllocation(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	ev := &event.Event{UID: "uid", Time: start, Traffic: event.Traffic{Known: true}}
	see := func() {
		b.Add(b.Case(key("x"), b.report), analytics.Sighting{Event: ev, Severity: 2, Notes: 1, By: &b.words}, b.report)
	}
	for range 1500 {
		see()
	}
	if n := testing.AllocsPerRun(200, see); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type recorder struct{ log *[]string }

func (r recorder) Detect(*event.Event, func(*event.Finding)) { *r.log = append(*r.log, "detect") }
func (r recorder) Tick(time.Time, func(*event.Finding))      { *r.log = append(*r.log, "tick") }
func (r recorder) Restore([]event.Finding)                   { *r.log = append(*r.log, "restore") }
func (r recorder) Flush(func(*event.Finding))                { *r.log = append(*r.log, "flush") }

type plain struct{ log *[]string }

func (p plain) Detect(*event.Event, func(*event.Finding)) { *p.log = append(*p.log, "plain") }

func TestDetectors(t *testing.T) {
	var log []string
	d := analytics.Detectors{plain{&log}, analytics.Detectors{recorder{&log}}}
	d.Restore(nil)
	d.Detect(nil, nil)
	d.Tick(start, nil)
	d.Flush(nil)
	if want := []string{"restore", "plain", "detect", "tick", "flush"}; !slices.Equal(log, want) {
		t.Errorf("got %v, want %v", log, want)
	}
}

func TestRecent(t *testing.T) {
	r := analytics.NewRecent[int, string](10)
	for i := range 100 {
		r.Put(i, fmt.Sprint(i))
		if v, ok := r.Get(0); !ok || v != "0" {
			t.Fatalf("a key in use was forgotten at %d", i)
		}
		if r.Len() > 10 {
			t.Fatalf("%d keys", r.Len())
		}
	}
	if _, ok := r.Get(50); ok {
		t.Error("an old key is still there")
	}
	r.Delete(0)
	if _, ok := r.Get(0); ok {
		t.Error("a deleted key is still there")
	}
	if n := r.Forgotten(); n < 80 || n > 100 {
		t.Errorf("%d forgotten", n)
	}
}

// FuzzLedger drives a small ledger with any sequence of events and ticks: the
// counts add up, no bound is passed, and uids of open findings are unique.
func FuzzLedger(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 1, 1, 1, 255, 255})
	f.Fuzz(func(t *testing.T, steps []byte) {
		b := newBook(analytics.LedgerOptions{MaxOpen: 4})
		at := time.Duration(0)
		for _, s := range steps {
			if s >= 200 {
				at += time.Duration(s-199) * 2 * time.Minute
				b.tick(at)
				continue
			}
			b.see(key(fmt.Sprint(s%8)), at, event.Severity(s%5), uint32(s))
		}
		s := b.Stats()[0]
		if s.Open != s.Opened-s.Closed || s.Open > 4 || s.Evicted > s.Closed {
			t.Fatalf("stats %+v", s)
		}
		checkRevisions(t, b.found)
	})
}

func checkRevisions(t *testing.T, found []*event.Finding) {
	t.Helper()
	last := map[string]*event.Finding{}
	for _, f := range found {
		old := last[f.UID]
		switch {
		case (old == nil) != (f.Activity == event.FindingCreate):
			t.Fatalf("%s begins or goes on with activity %d", f.UID, f.Activity)
		case old == nil:
		case old.Activity == event.FindingClose, old.Revision == f.Revision:
			t.Fatalf("a revision too many of %s", f.UID)
		case f.Severity < old.Severity, cmp.Compare(f.Count, old.Count) < 0:
			t.Fatalf("severity or count fell")
		}
		last[f.UID] = f
	}
}

func BenchmarkLedger(b *testing.B) {
	for _, open := range []int{1, 1000, 20000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			l := newBook(analytics.LedgerOptions{})
			keys := make([]analytics.Key, open)
			for i := range keys {
				keys[i] = analytics.Key{Analytic: "a", Entity: event.Entity{Key: fmt.Sprintf("vm:vc1/%d", i)}, What: "Telegram"}
			}
			ev := &event.Event{UID: "uid-of-an-event", Time: start, Traffic: event.Traffic{Known: true, BytesOut: 1}}
			report := func(*event.Finding) {}
			i := 0
			see := func() {
				c := l.Case(keys[i%open], report)
				l.Add(c, analytics.Sighting{Event: ev, Severity: 2, Notes: 1, By: &l.words}, report)
				i++
			}
			for range open * 60 {
				see()
			}
			b.ReportAllocs()
			for b.Loop() {
				see()
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	l := newBook(analytics.LedgerOptions{MaxOpen: 1000})
	ev := &event.Event{UID: "uid", Time: start, Raw: strings.Repeat("r", 150)}
	i := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		i++
		k := analytics.Key{Analytic: "a", Addr: netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})}
		l.Add(l.Case(k, func(*event.Finding) {}), analytics.Sighting{Event: ev, Severity: 2, Notes: 1, By: &l.words}, func(*event.Finding) {})
	}
}

// What gives way first is the least severe, however lately it was seen.
func TestEvictsLeastSevere(t *testing.T) {
	b := newBook(analytics.LedgerOptions{MaxOpen: 3})
	b.see(key("high"), 0, event.SeverityHigh, 1)
	b.see(key("rises"), time.Second, event.SeverityInformational, 1)
	b.see(key("noise"), 2*time.Second, event.SeverityInformational, 1)
	b.see(key("rises"), 3*time.Second, event.SeverityMedium, 1)
	for i := range 3 {
		r := b.see(key(fmt.Sprint(i)), time.Duration(4+i)*time.Second, event.SeverityInformational, 1)
		want := "noise"
		if i > 0 {
			want = fmt.Sprint(i - 1)
		}
		if len(r) != 2 || r[0].Activity != event.FindingClose || r[0].Key != want {
			t.Fatalf("%d: got %+v", i, r)
		}
	}
}

func TestCaseAmong(t *testing.T) {
	b := newBook(analytics.LedgerOptions{})
	b.see(key("a"), 0, event.SeverityLow, 1)
	b.see(key("b"), time.Minute, event.SeverityLow, 1)
	among := func(what string) *analytics.Case {
		return b.CaseAmong(key(what), key("crowd"), 2, b.report)
	}
	crowd := among("c")
	if crowd != among("d") || crowd != b.Case(key("crowd"), b.report) {
		t.Error("not one case for the rest")
	}
	if among("a") != b.Case(key("a"), b.report) {
		t.Error("an open one does not go on")
	}
	b.tick(3 * time.Hour)
	if among("c") == crowd {
		t.Error("closed ones still count")
	}
}

// A key that is put or used again is the one that was put first: a later one
// may be part of a large record.
func TestRecentKeepsFirstKey(t *testing.T) {
	r := analytics.NewRecent[string, int](1 << 10)
	name := func(i int) string { return fmt.Sprintf("host-%08d", i) }
	for i := range 1 << 9 {
		r.Put(name(i), i)
	}
	r.Put("turn", 0)
	before := heap()
	for i := range 1 << 9 {
		line := name(i) + strings.Repeat("x", 1<<15)
		r.Get(line[:len(name(i))])
		r.Put(line[:len(name(i))], i)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("it keeps %d bytes of 16 MiB that it was only asked with", grown)
	}
	if r.Len() > 1<<10 {
		t.Error("above the bound")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAddCount(t *testing.T) {
	for _, c := range [][3]int64{
		{1, 2, 3},
		{5, -3, 5},
		{math.MaxInt64 - 1, 2, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{0, math.MinInt64, 0},
	} {
		if got := analytics.AddCount(c[0], c[1]); got != c[2] {
			t.Errorf("%d and %d make %d, want %d", c[0], c[1], got, c[2])
		}
	}
}
