package risk_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/risk"
	"github.com/vegress/vegress/event"
)

var (
	start   = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)
	vm      = &event.VM{VCenter: "vc1", InstanceUUID: "u1", Name: "web07", Key: "vm:vc1/u1"}
	options = risk.Options{Threshold: 100, HalfLife: 24 * time.Hour}
)

// estate is a Detector and what it reported, latest last.
type estate struct {
	*risk.Detector
	reported []*event.Finding
}

func newEstate(o risk.Options) *estate { return &estate{Detector: risk.New(o)} }

func (e *estate) report(f *event.Finding) { e.reported = append(e.reported, f) }

func (e *estate) tell(fs ...*event.Finding) {
	for _, f := range fs {
		if n := risk.NoteOf(f); n != nil {
			e.Observe(n, e.report)
		}
	}
}

func (e *estate) last(t *testing.T) *event.Finding {
	t.Helper()
	if len(e.reported) == 0 {
		t.Fatal("nothing was reported")
	}
	return e.reported[len(e.reported)-1]
}

// found is a finding about web07, some minutes after start.
func found(uid, analytic string, minutes, points int, severity event.Severity) *event.Finding {
	at := start.Add(time.Duration(minutes) * time.Minute)
	return &event.Finding{
		UID: uid, Revision: "r" + uid, Activity: event.FindingCreate, Title: "Something of " + analytic,
		Analytic: event.Analytic{UID: analytic, Attacks: []event.Attack{{TechniqueUID: "T-" + analytic}}},
		Severity: severity, Risk: points, Entity: vm.Key, Time: at, FirstSeen: at, LastSeen: at,
		Src: event.Endpoint{IP: netip.MustParseAddr("10.0.0.7"), Context: event.Context{VM: vm}},
	}
}

func TestIncident(t *testing.T) {
	e := newEstate(options)
	e.tell(found("b", "behavior.beacon", 30, 50, event.SeverityMedium), found("a", "egress.unjustified", 10, 45, event.SeverityMedium))
	if len(e.reported) != 0 {
		t.Fatalf("95 are no incident: %s", e.last(t).Title)
	}
	e.tell(found("c", "esxi.rule", 40, 25, event.SeverityLow))
	f := e.last(t)
	if f.Analytic.UID != "risk.entity" || f.Entity != vm.Key || f.Severity != event.SeverityHigh || f.Activity != event.FindingCreate {
		t.Errorf("%s of %s, %v", f.Analytic.UID, f.Entity, f.Severity)
	}
	if f.Risk != 100 || !strings.HasPrefix(f.Title, "web07: 3 findings add up to a risk of 119") && !strings.HasPrefix(f.Title, "web07: 3 findings add up to a risk of 120") {
		t.Errorf("%d, %s", f.Risk, f.Title)
	}
	if !slices.Equal(f.Related, []string{"a", "b", "c"}) || !f.FirstSeen.Equal(start.Add(10*time.Minute)) {
		t.Errorf("in their order: %v since %v", f.Related, f.FirstSeen)
	}
	if want := "2026-03-04 02:10:00: Something of egress.unjustified [egress.unjustified a], medium: 45."; f.Explanation[0] != want {
		t.Errorf("%q", f.Explanation)
	}
	if len(f.Analytic.Attacks) != 3 {
		t.Errorf("%v", f.Analytic.Attacks)
	}
	// One more, and one that becomes worse, are told at once; the same again is not.
	e.tell(found("d", "sigma", 41, 60, event.SeverityHigh))
	if n := len(e.last(t).Related); n != 4 {
		t.Errorf("%d related", n)
	}
	e.Flush(e.report)
	before := len(e.reported)
	e.tell(found("d", "sigma", 42, 60, event.SeverityHigh))
	e.Flush(e.report)
	if len(e.reported) != before {
		t.Error("the same again is no news")
	}
	e.tell(found("d", "sigma", 43, 95, event.SeverityCritical))
	if f = e.last(t); f.Severity != event.SeverityCritical || !strings.Contains(strings.Join(f.Explanation, "\n"), "critical: 95.") {
		t.Errorf("%v %q", f.Severity, f.Explanation)
	}
}

// TestOneAnalytic: many findings of one kind are no incident, and count less
// each.
func TestOneAnalytic(t *testing.T) {
	e := newEstate(options)
	for i := range 20 {
		e.tell(found(fmt.Sprint(i), "egress.unjustified", i, 50, event.SeverityMedium))
	}
	if len(e.reported) != 0 {
		t.Fatalf("%s", e.last(t).Title)
	}
	e.tell(found("x", "behavior.hours", 21, 5, event.SeverityInformational))
	if f := e.last(t); !strings.HasSuffix(f.Title, "of 104") && !strings.HasSuffix(f.Title, "of 105") {
		t.Errorf("100 at most, by 20 of 50, and 5: %s", f.Title)
	}
}

// TestDecay: what is old counts less, and an incident ends.
func TestDecay(t *testing.T) {
	e := newEstate(options)
	e.tell(found("a", "one", 0, 75, event.SeverityHigh))
	e.tell(found("b", "two", 48*60, 75, event.SeverityHigh))
	if len(e.reported) != 0 {
		t.Fatalf("after two days 75 are 19: %s", e.last(t).Title)
	}
	e.tell(found("c", "three", 48*60, 75, event.SeverityHigh))
	if e.last(t).Activity != event.FindingCreate {
		t.Fatal("no incident")
	}
	for hour := range 24 * 3 {
		now := start.Add(48*time.Hour + time.Duration(hour)*time.Hour)
		e.Tick(now, e.report)
		if f := e.last(t); f.Activity == event.FindingClose {
			if hour != 43 {
				t.Errorf("169 is below 50 after 42.2 hours, not %d", hour)
			}
			if f.Status != event.FindingResolved {
				t.Error(f.Status)
			}
			return
		}
	}
	t.Error("it never ended")
}

// TestNobody: what is about nobody, and incidents themselves, add to nothing.
func TestNobody(t *testing.T) {
	f := found("a", "one", 0, 75, event.SeverityHigh)
	f.Entity = event.Entity{}.String()
	if risk.NoteOf(f) != nil {
		t.Error("about nobody")
	}
	f = found("a", risk.Analytic, 0, 75, event.SeverityHigh)
	if risk.NoteOf(f) != nil {
		t.Error("an incident")
	}
}

func TestOff(t *testing.T) {
	e := newEstate(risk.Options{HalfLife: time.Hour})
	e.tell(found("a", "one", 0, 100, event.SeverityCritical), found("b", "two", 0, 100, event.SeverityCritical))
	if len(e.reported) != 0 {
		t.Error("threshold 0 is off")
	}
}

func TestRestart(t *testing.T) {
	e := newEstate(options)
	all := []*event.Finding{found("a", "one", 0, 60, event.SeverityHigh), found("b", "two", 1, 60, event.SeverityHigh)}
	e.tell(all...)
	opened := e.last(t)

	again := newEstate(options)
	again.Restore([]event.Finding{*all[0], *all[1], *opened})
	again.tell(found("c", "three", 5, 25, event.SeverityLow))
	f := again.last(t)
	if f.UID != opened.UID || f.Activity != event.FindingUpdate || !slices.Equal(f.Related, []string{"a", "b", "c"}) {
		t.Errorf("%s, not %s: activity %d, of %v", f.UID, opened.UID, f.Activity, f.Related)
	}
}

// TestBounds: entities and findings that somebody makes up do not grow memory
// without end.
func TestBounds(t *testing.T) {
	e := newEstate(options)
	for i := range 200 {
		e.tell(found(fmt.Sprint(i), fmt.Sprint("analytic ", i%40), i, 60, event.SeverityHigh))
	}
	e.Flush(e.report)
	f := e.last(t)
	if len(f.Related) > 32 || len(f.Explanation) > 24 || len(f.Analytic.Attacks) > 16 {
		t.Errorf("%d related, %d sentences, %d techniques", len(f.Related), len(f.Explanation), len(f.Analytic.Attacks))
	}
	for i := range 50_000 {
		one := found("u", "one", 0, 10, event.SeverityLow)
		one.Entity = fmt.Sprintf("vm:vc1/%d", i)
		e.tell(one)
	}
	if st := e.Stats(); st.Forgotten < 20_000 || st.Counted != 50_200 {
		t.Errorf("%+v", st)
	}
}

func TestValidate(t *testing.T) {
	for _, o := range []risk.Options{{Threshold: -1, HalfLife: time.Hour}, {Threshold: 10_001, HalfLife: time.Hour}, {Threshold: 1}, {Threshold: 1, HalfLife: 3000 * time.Hour}} {
		if o.Validate() == nil {
			t.Errorf("%+v", o)
		}
	}
	if err := options.Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkObserve(b *testing.B) {
	d := risk.New(options)
	notes := make([]*risk.Note, 4096)
	for i := range notes {
		f := found(fmt.Sprint(i%16), fmt.Sprint("analytic", i%4), i, 5, event.SeverityLow)
		f.Entity = fmt.Sprintf("vm:vc1/%d", i/16)
		notes[i] = risk.NoteOf(f)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.Observe(notes[i&4095], func(*event.Finding) {})
	}
}

// TestOneConnection: the host, the sensor and rules tell of one connection:
// that is one kind, however many tell.
func TestOneConnection(t *testing.T) {
	e := newEstate(options)
	rule := found("r", "a-rule", 3, 95, event.SeverityCritical)
	rule.Analytic.Rule, rule.Analytic.Attacks = true, []event.Attack{{TechniqueUID: "T1102.001"}}
	e.tell(found("a", "egress.unjustified", 0, 75, event.SeverityHigh), found("b", "endpoint.windows", 1, 80, event.SeverityHigh),
		found("c", "fusion.process_flow", 2, 75, event.SeverityHigh), rule)
	if len(e.reported) != 0 {
		t.Fatalf("%s", e.last(t).Title)
	}
	e.tell(found("d", "behavior.beacon", 4, 75, event.SeverityHigh), found("e", "behavior.hours", 5, 50, event.SeverityMedium))
	if f := e.last(t); len(f.Related) < 5 || f.Count < 5 {
		t.Errorf("%s: %v, %d", f.Title, f.Related, f.Count)
	}
}

// TestNamesTheNewest: an incident goes on to name what comes.
func TestNamesTheNewest(t *testing.T) {
	e := newEstate(options)
	for i := range 40 {
		e.tell(found(fmt.Sprint("u", i), fmt.Sprint("analytic ", i), i, 50+i, event.SeverityMedium))
	}
	e.Flush(e.report)
	if f := e.last(t); !slices.Contains(f.Related, "u39") || !strings.Contains(f.Title, "40 findings") {
		t.Errorf("%s: %v", f.Title, f.Related)
	}
}

// TestRestartAfterItsParts: an incident whose findings are closed goes on.
func TestRestartAfterItsParts(t *testing.T) {
	e := newEstate(options)
	e.tell(found("a", "one", 0, 75, event.SeverityHigh), found("b", "two", 1, 75, event.SeverityHigh))
	again := newEstate(options)
	again.Restore([]event.Finding{*e.last(t)})
	again.Tick(start.Add(2*time.Hour), again.report)
	if len(again.reported) != 0 {
		t.Fatalf("closed: %q", again.last(t).Explanation)
	}
	again.tell(found("c", "three", 130, 50, event.SeverityMedium))
	if f := again.last(t); f.UID != e.last(t).UID || !strings.Contains(strings.Join(f.Explanation, "\n"), "before a restart") {
		t.Errorf("%s: %q", f.UID, f.Explanation)
	}
}
