package egress_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

// A name from other machines' DNS answers justifies nothing; addresses, and
// what the catalogue says of them, do.
func TestSharedNameJustifiesNothing(t *testing.T) {
	o := egress.Defaults()
	o.Justifications = []egress.Justification{{
		Name: "r", Role: "any",
		Destinations: []string{"*.example.com", "www.example.net", "category:cdn", "service:Good", "198.51.100.7"},
	}}
	for _, c := range []struct {
		s    sample
		want event.Verdict
	}{
		{sample{Host: "a.example.com", Via: "dns"}, event.VerdictJustified},
		{sample{Host: "a.example.com", Via: "dns_shared"}, event.VerdictUnjustified},
		{sample{Host: "www.example.net", Via: "dns_shared"}, event.VerdictUnjustified},
		{sample{Host: "www.example.net", Via: "dns_shared+catalogue"}, event.VerdictUnjustified},
		{sample{Host: "x.example.org", Via: "dns_shared", Service: "Good", Category: "cdn"}, event.VerdictUnjustified},
		{sample{Host: "x.example.org", Via: "dns_shared+catalogue", Service: "Good"}, event.VerdictJustified},
		{sample{Host: "x.example.org", Via: "dns_shared+catalogue", Service: "Other", Category: "cdn"}, event.VerdictJustified},
		{sample{Via: "catalogue", Category: "cdn"}, event.VerdictJustified},
		{sample{Host: "a.example.com", Via: "dns_shared", Dst: new("198.51.100.7")}, event.VerdictJustified},
	} {
		found, v := run(t, egress.New(policy(t, o), domain, nil), c.s)
		if v[0].Verdict != c.want {
			t.Errorf("%+v: verdict %d, want %d", c.s, v[0].Verdict, c.want)
		}
		if c.want != event.VerdictUnjustified {
			continue
		}
		if s := strings.Join(found[0].Explanation, " "); !strings.Contains(s, "which justify nothing") || !strings.Contains(s, "destination 203.0.113.200") && !strings.Contains(s, "Add 203.0.113.200") {
			t.Errorf("explanation %q", s)
		}
	}
}

// Counts come from records: a huge or negative one does not empty an account.
func TestBytesDoNotWrap(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	send := func(n int64) event.Verdict {
		s := sample{Roles: []string{"uploader"}, Service: "transfer.sh"}
		ev := s.event()
		ev.Traffic = event.Traffic{Known: true, BytesOut: n}
		d.Detect(ev, func(f *event.Finding) {
			if f.BytesOut < 0 {
				t.Errorf("finding of %d bytes", f.BytesOut)
			}
		})
		return ev.Justification.Verdict
	}
	for i, n := range []int64{900e3, -800e3, 200e3, math.MaxInt64, math.MaxInt64, 1, math.MinInt64} {
		want := event.VerdictUnjustified
		if i < 2 {
			want = event.VerdictJustified
		}
		if got := send(n); got != want {
			t.Errorf("%d: %d bytes: verdict %d, want %d", i, n, got, want)
		}
	}
}

// What a record ends is justified by its own opening only, not by an earlier
// one with the same addresses and ports, nor by another machine's.
func TestOpeningIsNotInherited(t *testing.T) {
	open := sample{Roles: []string{"backup"}, At: at("2026-11-24T04:30:00Z")}
	late := sample{Roles: []string{"backup"}, At: at("2026-11-24T10:00:00Z")}
	end := sample{Roles: []string{"backup"}, At: at("2026-11-24T11:00:00Z"), Activity: "close"}
	nobody, other := late, end
	nobody.Machine, other.VM = "none", "bkp02"
	for name, list := range map[string][]sample{
		"opened anew outside the window": {open, late, end},
		"opened anew by nobody known":    {open, nobody, end},
		"another machine":                {open, other},
	} {
		_, v := run(t, egress.New(policy(t, options(t)), domain, nil), list...)
		if last := v[len(v)-1]; last.Verdict != event.VerdictUnjustified || last.Reason != event.ReasonWindow {
			t.Errorf("%s: %+v", name, last)
		}
	}
}

// An address in a URL says nothing against the one that was connected to.
func TestAddressInURL(t *testing.T) {
	for _, c := range []struct {
		dst, url string
		want     event.Verdict
		key      string
	}{
		{"203.0.113.66", "https://10.0.0.1/x", event.VerdictUnjustified, "203.0.113.66"},
		{"203.0.113.66", "https://198.51.100.123/x", event.VerdictUnjustified, "203.0.113.66"},
		{"", "https://10.0.0.1/x", event.VerdictNone, ""},
		{"", "https://203.0.113.9/x", event.VerdictUnjustified, "203.0.113.9"},
	} {
		found, v := run(t, egress.New(policy(t, options(t)), domain, nil), sample{Class: "http", Dst: &c.dst, URL: c.url})
		if v[0].Verdict != c.want || c.key != "" && found[0].Key != c.key {
			t.Errorf("%s with %s: %+v, %d findings", c.dst, c.url, v[0], len(found))
		}
	}
}

// However large what the records say, a finding stays below 256 KiB.
func TestFindingSize(t *testing.T) {
	long, raw := strings.Repeat("\x01\x02", 30000), strings.Repeat("\x01", 4000)
	for name, change := range map[string]func(*event.Event){
		"path":   func(ev *event.Event) { ev.URL = "https://evil.example.org/" + long },
		"host":   func(ev *event.Event) { ev.URL = "https://" + long + ".example.org/" },
		"labels": func(ev *event.Event) { ev.Dst.Hostname = strings.Repeat("a.", 30000) + "org" },
		"sensor": func(ev *event.Event) { ev.Device.Hostname, ev.Src.Hostname, ev.LogName = long, long, "shell" },
		"nic": func(ev *event.Event) {
			ev.Src.MAC, ev.Src.Switch, ev.Src.SwitchPort, ev.Dst.VMName = long, long, long, long
		},
	} {
		d, worst := egress.New(policy(t, options(t)), domain, nil), 0
		for i := range 200 {
			s := sample{Name: fmt.Sprint(i), Dst: new(string), Class: "process", Cmd: "wget " + long}
			s.URL = "https://evil.example.org/"
			ev := s.event()
			ev.Raw = raw
			change(ev)
			d.Detect(ev, func(f *event.Finding) {
				worst = max(worst, len(f.AppendJSON(nil)))
				if (name == "host" || name == "labels") && f.Key != "invalid host" {
					t.Errorf("%s: key of %d bytes", name, len(f.Key))
				}
			})
		}
		if worst == 0 || worst > 256<<10 {
			t.Errorf("%s: largest revision %d bytes", name, worst)
		}
	}
}

// A machine that nobody knows and that talks to everything is a few findings.
func TestManyDestinations(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	var list []sample
	for i := range 5000 {
		list = append(list, sample{Name: fmt.Sprint(i), Machine: "none", Dst: new(fmt.Sprintf("203.1.%d.%d", i>>8, i&255))})
	}
	found, _ := run(t, d, list...)
	if n := d.Stats().Findings[0].Opened; n != 65 {
		t.Errorf("%d findings", n)
	}
	last := found[len(found)-1]
	if last.Key != "many destinations" || last.Count < 1000 || len(found) > 75 || last.Title != "10.1.2.3 talked to many destinations over HTTPS, and no VM or host is known for it" {
		t.Errorf("%d revisions, last %q of %d, %q", len(found), last.Key, last.Count, last.Title)
	}
	if !strings.HasPrefix(last.Explanation[0], "64 findings of 10.1.2.3 are open") {
		t.Errorf("explanation %q", last.Explanation)
	}
	known := sample{Dst: new("203.0.113.1"), Src: new("10.1.2.3")}
	if f, _ := run(t, d, known); len(f) != 1 || f[0].Key != "203.0.113.1" {
		t.Error("it hides a machine that is known")
	}
}
