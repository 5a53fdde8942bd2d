package suggest_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/names"
	"github.com/vegress/vegress/analytics/suggest"
	"github.com/vegress/vegress/event"
)

var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func plain(analytic string) bool { return analytic == egress.Unjustified }

func newSurvey() *suggest.Survey {
	return suggest.New(suggest.Options{Domain: names.RegistrableDomain, Risky: egress.Risky, ByAmount: egress.RaisedByAmount, Plain: plain})
}

// visit is connections of a VM, on each of so many days at each of the hours.
type visit struct {
	vm, roles, host, addr, category, via string
	days                                 int
	hours                                []int
	out, in                              int64
	verdict                              event.Verdict
	refused                              bool
}

func (v visit) add(s *suggest.Survey) {
	if v.addr == "" {
		v.addr = "203.0.113.9"
	}
	for day := range v.days {
		for _, hour := range v.hours {
			ev := event.Event{
				Class: event.NetworkActivity, Activity: event.NetworkOpen, Time: monday.Add(time.Duration(24*day+hour)*time.Hour + 10*time.Minute),
				Src:           event.Endpoint{IP: netip.MustParseAddr("10.1.0.5"), Context: event.Context{VM: &event.VM{Name: v.vm, InstanceUUID: "uuid of " + v.vm}}},
				Dst:           event.Endpoint{IP: netip.MustParseAddr(v.addr), Port: 443, Hostname: v.host, Category: v.category, NameVia: v.via},
				Traffic:       event.Traffic{Known: v.out+v.in > 0, BytesOut: v.out, BytesIn: v.in},
				Justification: event.Justification{Verdict: event.VerdictUnjustified, Reason: event.ReasonNoRole},
			}
			if v.roles != "" {
				ev.Src.Context.VM.Roles = strings.Split(v.roles, ",")
			}
			if v.verdict != event.VerdictNone {
				ev.Justification = event.Justification{Verdict: v.verdict, Reason: event.ReasonNoVM}
			}
			if v.refused {
				ev.Activity = event.NetworkRefuse
			}
			s.Add(&ev)
		}
	}
}

// short is what a report proposes, a line for each justification.
func short(r *suggest.Report) string {
	names := map[string]string{}
	for _, role := range r.Roles {
		names[role.Name] = strings.Join(role.Names, "+")
	}
	var all []string
	for _, j := range r.Justifications {
		who := names[j.Role]
		if who == "" {
			who = "role " + j.Role
		}
		all = append(all, fmt.Sprintf("%s > %s %s %s", who, strings.Join(j.Destinations, "+"), strings.Join(j.Windows, "+"), j.MaxBytes))
	}
	return strings.Join(all, "; ")
}

func TestPropose(t *testing.T) {
	nightly := visit{vm: "bkp01", host: "s3.example.com", days: 5, hours: []int{22, 23}, out: 1e9}
	as := func(v visit, change func(*visit)) visit { change(&v); return v }
	high := func(uid, analytic string, sentences ...string) *event.Finding {
		return &event.Finding{Entity: "vm:vc1/uuid of " + uid, Analytic: event.Analytic{UID: analytic}, Severity: event.SeverityHigh, Title: "T", Explanation: sentences}
	}
	for _, c := range []struct {
		name     string
		visits   []visit
		findings []*event.Finding
		want     string
		apart    string // part of the reason
	}{
		{"every night", []visit{nightly}, nil, "bkp01 > s3.example.com 21:30-00:30 UTC 4GB", ""},
		{"over midnight", []visit{as(nightly, func(v *visit) { v.hours = []int{23, 24, 25} })}, nil, "bkp01 > s3.example.com 22:30-02:30 UTC 6GB", ""},
		{"one hour is an exception", []visit{nightly, as(nightly, func(v *visit) { v.days, v.hours = 1, []int{12} })}, nil, "bkp01 > s3.example.com 21:30-00:30 UTC 6GB", ""},
		{"all day", []visit{as(nightly, func(v *visit) { v.hours = []int{0, 3, 6, 9, 12, 15, 18, 21}; v.out = 1000 })}, nil, "bkp01 > s3.example.com  10MB", ""},
		{"two alike", []visit{nightly, as(nightly, func(v *visit) { v.vm = "bkp02" })}, nil, "bkp?? > s3.example.com 21:30-00:30 UTC 4GB", ""},
		{"two alike, and one that is not", []visit{nightly, as(nightly, func(v *visit) { v.vm = "bkp02" }), as(nightly, func(v *visit) { v.vm, v.host, v.category = "bkp03", "t.me", "messaging" })}, nil, "bkp01+bkp02 > s3.example.com 21:30-00:30 UTC 4GB", "messaging"},
		{"one with another destination", []visit{nightly, as(nightly, func(v *visit) { v.vm, v.host = "bkp02", "b.example.org" })}, nil, "bkp01 > s3.example.com 21:30-00:30 UTC 4GB; bkp02 > b.example.org 21:30-00:30 UTC 4GB", ""},
		{"it has a role", []visit{as(nightly, func(v *visit) { v.roles = "backup" })}, nil, "role backup > s3.example.com 21:30-00:30 UTC 4GB", ""},
		{"no bytes are known", []visit{as(nightly, func(v *visit) { v.out = 0 })}, nil, "bkp01 > s3.example.com 21:30-00:30 UTC ", ""},
		{"many names", []visit{as(nightly, func(v *visit) { v.host = "a.x.example.com" }), as(nightly, func(v *visit) { v.host = "b.x.example.com" }), as(nightly, func(v *visit) { v.host = "c.x.example.com" }), as(nightly, func(v *visit) { v.host = "d.x.example.com" })}, nil, "bkp01 > *.x.example.com 21:30-00:30 UTC 16GB", ""},
		{"no name", []visit{as(nightly, func(v *visit) { v.host = "" })}, nil, "bkp01 > 203.0.113.9 21:30-00:30 UTC 4GB", ""},
		{"a name that may be forged", []visit{as(nightly, func(v *visit) { v.via = "dns_shared" })}, nil, "bkp01 > 203.0.113.9 21:30-00:30 UTC 4GB", ""},
		{"a name that means more", []visit{as(nightly, func(v *visit) { v.host = "*.com" })}, nil, "bkp01 > 203.0.113.9 21:30-00:30 UTC 4GB", ""},
		{"a VM that means more", []visit{as(nightly, func(v *visit) { v.vm = "*" })}, nil, "", "pattern"},
		{"a built-in role's name", []visit{as(nightly, func(v *visit) { v.vm = "any01" })}, nil, "any01 > s3.example.com 21:30-00:30 UTC 4GB", ""},
		{"messaging", []visit{as(nightly, func(v *visit) { v.category = "messaging" })}, nil, "", "messaging"},
		{"once", []visit{as(nightly, func(v *visit) { v.days, v.hours = 1, []int{22} })}, nil, "", "1 times only"},
		{"an upload on one day", []visit{as(nightly, func(v *visit) { v.days, v.hours = 1, []int{22, 22, 23, 23, 23} })}, nil, "", "no habit yet"},
		{"an upload over midnight is one day", []visit{as(nightly, func(v *visit) { v.days, v.hours = 1, []int{23, 23, 24, 24, 24} })}, nil, "", "no habit yet"},
		{"a download on one day", []visit{as(nightly, func(v *visit) { v.days, v.hours, v.out, v.in = 1, []int{22, 22, 23, 23, 23}, 1000, 1e9 })}, nil, "bkp01 > s3.example.com 21:30-00:30 UTC 10MB", ""},
		{"one day of a week", []visit{as(nightly, func(v *visit) { v.days, v.hours, v.out = 1, []int{22, 22, 23, 23, 23}, 1000 }), {vm: "x", verdict: event.VerdictUnknown, days: 7, hours: []int{3}}}, nil, "", "one day only"},
		{"refused", []visit{as(nightly, func(v *visit) { v.refused = true })}, nil, "", "refused"},
		{"unknown", []visit{as(nightly, func(v *visit) { v.verdict = event.VerdictUnknown })}, nil, "", "no VM is known"},
		{"justified", []visit{as(nightly, func(v *visit) { v.verdict = event.VerdictJustified })}, nil, "", ""},
		{"another finding", []visit{nightly}, []*event.Finding{high("bkp01", "behavior.beacon")}, "", "behavior.beacon"},
		{"another's finding", []visit{nightly}, []*event.Finding{high("bkp02", "behavior.beacon")}, "bkp01 > s3.example.com 21:30-00:30 UTC 4GB", ""},
		{"high by its amount", []visit{nightly}, []*event.Finding{high("bkp01", egress.Unjustified, "Raised: it sent more than 100 MB.", "Raised: some of it was outside the business hours.")}, "bkp01 > s3.example.com 21:30-00:30 UTC 4GB", ""},
		{"high by more", []visit{nightly}, []*event.Finding{high("bkp01", egress.Unjustified, "Raised: it sent more than 100 MB.", "Raised: it never talked to this before.")}, "", "severity high"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSurvey()
			for _, f := range c.findings {
				s.Finding(f)
			}
			for _, v := range c.visits {
				v.add(s)
			}
			r := s.Propose(monday)
			if got := short(r); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.apart == "" && slices.ContainsFunc(r.NotProposed, func(a suggest.Apart) bool { return a.Who != "x" && a.Who != "10.1.0.5" }) ||
				c.apart != "" && !slices.ContainsFunc(r.NotProposed, func(a suggest.Apart) bool { return strings.Contains(a.Why, c.apart) }) {
				t.Errorf("not proposed: %v", r.NotProposed)
			}
		})
	}
}

// TestYAMLStaysYAML: what came from the network ends no comment and no string.
func TestYAMLStaysYAML(t *testing.T) {
	s := newSurvey()
	visit{vm: "a\njustifications: []\n\"", host: "s3.example.com", days: 3, hours: []int{22, 23}}.add(s)
	visit{vm: "x\r\ny", category: "messaging", days: 1, hours: []int{22}}.add(s)
	for line := range strings.Lines(s.Propose(monday).YAML()) {
		if strings.HasPrefix(line, "justifications: []") || strings.HasPrefix(line, "y") || strings.HasPrefix(line, `"`) {
			t.Errorf("%q", line)
		}
	}
}

// TestBounds: a network of made up names does not fill the memory, and what
// was too much is counted.
func TestBounds(t *testing.T) {
	s := newSurvey()
	const n = 30000
	for i := range n {
		visit{vm: fmt.Sprintf("vm%d", i), host: fmt.Sprintf("h%d.example.com", i), days: 1, hours: []int{1}}.add(s)
	}
	r := s.Propose(monday)
	if r.Overflow == 0 || r.Overflow+int64(len(r.NotProposed)) != n {
		t.Errorf("%d of %d beyond the bounds, %d listed", r.Overflow, n, len(r.NotProposed))
	}
	one := newSurvey()
	for i := range 500 {
		visit{vm: "scan01", host: fmt.Sprintf("h%d.example.com", i), addr: fmt.Sprintf("203.0.113.%d", i%250), days: 2, hours: []int{1, 2}}.add(one)
	}
	if r := one.Propose(monday); len(r.Justifications) != 0 || len(r.NotProposed) != 1 {
		t.Errorf("%+v", r)
	}
}

// TestTaken: a proposal has no name that the configuration has already.
func TestTaken(t *testing.T) {
	s := suggest.New(suggest.Options{
		Domain: names.RegistrableDomain, Risky: egress.Risky, ByAmount: egress.RaisedByAmount, Plain: plain,
		Taken: []string{"BKP", "suggested: bkp-2 to example.com"},
	})
	visit{vm: "bkp01", host: "s3.example.com", days: 5, hours: []int{22}}.add(s)
	r := s.Propose(monday)
	if len(r.Roles) != 1 || r.Roles[0].Name != "bkp-2" || r.Justifications[0].Name != "suggested: bkp-2 to example.com-2" {
		t.Errorf("%+v", r)
	}
}

func BenchmarkAdd(b *testing.B) {
	s := newSurvey()
	ev := event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Time: monday,
		Src:           event.Endpoint{Context: event.Context{VM: &event.VM{Name: "bkp01", InstanceUUID: "1"}}},
		Dst:           event.Endpoint{IP: netip.MustParseAddr("203.0.113.9"), Port: 443, Hostname: "s3.example.com"},
		Justification: event.Justification{Verdict: event.VerdictUnjustified},
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Add(&ev)
	}
}
