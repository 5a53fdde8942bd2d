package egress_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

func TestCompileErrors(t *testing.T) {
	ok := egress.Justification{Name: "j", Role: "r", Destinations: []string{"any"}}
	f := func(change func(o *egress.Options, j *egress.Justification), want ...string) {
		t.Helper()
		o := egress.Defaults()
		o.Justifications = []egress.Justification{ok}
		change(&o, &o.Justifications[0])
		_, err := egress.Compile(o)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v, want one with %q", err, w)
			}
		}
	}
	type (
		opts = egress.Options
		just = egress.Justification
	)
	f(func(o *opts, _ *just) { o.Networks.Internal = []string{"10.0.0.0/8", "1.2.3"} }, "networks.internal", `"1.2.3"`)
	f(func(o *opts, _ *just) { o.Egress.Ports = []int{443, 70000} }, "egress.ports", "70000")
	f(func(o *opts, _ *just) { o.Egress.QuietClose = -1 }, "egress.quiet_close")
	f(func(o *opts, _ *just) { o.BusinessHours.Timezone = "Mars/Base" }, "business_hours.timezone", "Mars/Base")
	f(func(o *opts, _ *just) { o.BusinessHours.Timezone = "Local" }, "business_hours.timezone", "Local")
	f(func(o *opts, _ *just) { o.BusinessHours.Days = "mo-fr" }, "business_hours.days", "mo-fr")
	f(func(o *opts, _ *just) { o.BusinessHours.To = "7pm" }, "business_hours: from and to", "7pm")
	f(func(o *opts, _ *just) { o.BusinessHours.Holidays = []string{"24.12."} }, "business_hours.holidays", "24.12.")
	f(func(_ *opts, j *just) { j.Name = "" }, "justifications[0].name:")
	f(func(_ *opts, j *just) { j.Role = "" }, "justifications[0].role:", `(justification "j")`)
	f(func(_ *opts, j *just) { j.Destinations = nil }, "destinations:")
	f(func(_ *opts, j *just) { j.Destinations = []string{"*"} }, "destinations:", `"*"`)
	f(func(_ *opts, j *just) { j.Destinations = []string{"s3.*.amazonaws.com"} }, "s3.*.amazonaws.com")
	f(func(_ *opts, j *just) { j.Destinations = []string{"10.0.0.0/40"} }, "10.0.0.0/40")
	f(func(_ *opts, j *just) { j.Destinations = []string{"category:"} }, "the category is missing")
	f(func(_ *opts, j *just) { j.Destinations = []string{"*.com"} }, `"*.com"`)
	f(func(_ *opts, j *just) { j.Ports = []int{0} }, "ports: 0")
	f(func(_ *opts, j *just) { j.Windows = []string{"22:00"} }, "windows:", `"22:00"`)
	f(func(_ *opts, j *just) { j.Windows = []string{"22:00-06:00 Europe/Nowhere"} }, "Europe/Nowhere")
	f(func(_ *opts, j *just) { j.MaxBytes = "lots" }, "max_bytes:", "lots")
	f(func(_ *opts, j *just) { j.MaxBytes = "0" }, "max_bytes:")
	f(func(_ *opts, j *just) { j.MaxBytes = "9999999TB" }, "max_bytes:")
	f(func(_ *opts, j *just) { j.Expires = "June" }, "expires:", "June")
	f(func(_ *opts, j *just) { j.Expires = 2027 }, "expires:", "2027")
	f(func(o *opts, j *just) { o.Justifications = append(o.Justifications, *j) }, "justifications[1].name", "twice")
	// All of them in one go, also when the zone that others need is not known.
	f(func(o *opts, j *just) {
		o.BusinessHours.Timezone, o.Egress.Ports = "Mars/Base", []int{0, 70000}
		j.Windows, j.Ports, j.Expires = []string{"noon", "22:00"}, []int{-1}, "June"
	}, "Mars/Base", "ports: 0", "70000", `"noon"`, `"22:00"`, "ports: -1", "June")
}

func TestExpiresForms(t *testing.T) {
	f := func(v any, now string, want event.Reason) {
		t.Helper()
		o := egress.Defaults()
		o.Justifications = []egress.Justification{{Name: "j", Role: "x", Destinations: []string{"any"}, Expires: v}}
		_, got := run(t, egress.New(policy(t, o), domain, nil), sample{Roles: []string{"x"}, At: at(now)})
		if got[0].Reason != want {
			t.Errorf("%v at %s: reason %d, want %d", v, now, got[0].Reason, want)
		}
	}
	f(nil, "2100-01-01T00:00:00Z", event.ReasonNone)
	f("", "2100-01-01T00:00:00Z", event.ReasonNone)
	f("2027-06-30", "2027-06-30T23:59:59Z", event.ReasonNone)
	f("2027-06-30", "2027-07-01T00:00:00Z", event.ReasonExpired)
	f(time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC), "2027-06-30T23:59:59Z", event.ReasonNone)
	f(time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC), "2027-07-01T00:00:00Z", event.ReasonExpired)
	f("2027-06-30T12:00:00+02:00", "2027-06-30T09:59:59Z", event.ReasonNone)
	f("2027-06-30T12:00:00+02:00", "2027-06-30T10:00:00Z", event.ReasonExpired)
	f(time.Date(2027, 6, 30, 12, 0, 0, 0, time.UTC), "2027-06-30T12:00:00Z", event.ReasonExpired)
}

// The reason is that of the rule that came closest.
func TestClosestReason(t *testing.T) {
	any := []string{"any"}
	rules := map[string]egress.Justification{
		"bytes":       {Role: "x", Destinations: any, MaxBytes: "1"},
		"window":      {Role: "x", Destinations: any, Windows: []string{"00:00-01:00"}},
		"expired":     {Role: "x", Destinations: any, Expires: "2020-01-01"},
		"destination": {Role: "x", Destinations: []string{"a.example"}},
		"no_role":     {Role: "y", Destinations: any},
	}
	order := []string{"no_role", "destination", "expired", "window", "bytes"}
	for i := range order {
		o := egress.Defaults()
		for _, name := range order[:i+1] {
			j := rules[name]
			j.Name = name
			o.Justifications = append(o.Justifications, j)
		}
		s := sample{Roles: []string{"x"}, Sent: 2}
		found, v := run(t, egress.New(policy(t, o), domain, nil), s)
		if got := strings.Fields(say(v[0], found))[1]; got != order[i] {
			t.Errorf("rules %v: reason %s", order[:i+1], got)
		}
	}
}

// A narrower prefix of another rule does not hide the wider one.
func TestNestedPrefixes(t *testing.T) {
	o := egress.Defaults()
	o.Justifications = []egress.Justification{
		{Name: "wide", Role: "a", Destinations: []string{"198.51.100.0/24"}},
		{Name: "narrow", Role: "b", Destinations: []string{"198.51.100.8/29", "2001:db8::/32"}},
		{Name: "one", Role: "c", Destinations: []string{"198.51.100.9"}},
	}
	d := egress.New(policy(t, o), domain, nil)
	for _, role := range []string{"a", "b", "c"} {
		if _, v := run(t, d, sample{Roles: []string{role}, Dst: new("198.51.100.9")}); v[0].Verdict != event.VerdictJustified {
			t.Errorf("role %s: %+v", role, v[0])
		}
	}
	if _, v := run(t, d, sample{Roles: []string{"c"}, Dst: new("198.51.100.10")}); v[0].Reason != event.ReasonDestination {
		t.Errorf("got %+v", v[0])
	}
}

// The first rule that holds, in the order of the file, gives its name.
func TestFirstRuleWins(t *testing.T) {
	o := egress.Defaults()
	for i := range 130 {
		o.Justifications = append(o.Justifications, egress.Justification{
			Name: fmt.Sprint("rule ", i), Role: []string{"a", "b"}[i%2], Destinations: []string{fmt.Sprintf("h%d.example.com", i/2)},
		})
	}
	d := egress.New(policy(t, o), domain, nil)
	_, v := run(t, d, sample{Roles: []string{"b", "a"}, Host: "h64.example.com"}, sample{Roles: []string{"b"}, Host: "h64.example.com"})
	if v[0].By != "rule 128" || v[1].By != "rule 129" {
		t.Errorf("by %q and %q", v[0].By, v[1].By)
	}
}

func TestBuiltinIsReplacedByName(t *testing.T) {
	o := egress.Defaults()
	o.Justifications = []egress.Justification{{Name: "vmware update depots", Role: "management", Destinations: []string{"depot.example.net"}}}
	d := egress.New(policy(t, o), domain, nil)
	_, v := run(t, d, sample{Machine: "host", Host: "hostupdate.vmware.com"}, sample{Machine: "host", Host: "depot.example.net"})
	if v[0].Verdict != event.VerdictUnjustified || v[1].Verdict != event.VerdictJustified {
		t.Errorf("got %+v", v)
	}
}

// FuzzPolicy compiles whatever a file may hold: it is refused, or it judges.
func FuzzPolicy(f *testing.F) {
	f.Add("backup", "*.amazonaws.com", "mon-sun 22:00-06:00 Europe/Berlin", "500GB", "2027-06-30", "10.0.0.0/8")
	f.Add("any", "category:paste", "sat 00:00-24:00", "1", "2020-01-01T00:00:00Z", "2001:db8::1")
	f.Fuzz(func(t *testing.T, role, dest, window, size, expires, internal string) {
		o := egress.Defaults()
		o.Networks.Internal = []string{internal}
		o.Justifications = []egress.Justification{{
			Name: "j", Role: role, Destinations: []string{dest}, Windows: []string{window}, MaxBytes: size, Expires: expires,
		}}
		p, err := egress.Compile(o)
		if err != nil {
			return
		}
		d := egress.New(p, domain, nil)
		s := sample{Roles: []string{role}, Host: "s3.amazonaws.com", Sent: 10}
		ev := s.event()
		d.Detect(ev, func(*event.Finding) {})
		j := ev.Justification
		if j.Verdict == event.VerdictJustified && j.By == "j" && !j.From.IsZero() &&
			(ev.Time.Before(j.From) || !ev.Time.Before(j.To)) {
			t.Errorf("justified at %v by a window from %v to %v", ev.Time, j.From, j.To)
		}
	})
}

// FuzzDetect shows arbitrary strings and addresses to the detector.
func FuzzDetect(f *testing.F) {
	f.Add(uint16(4001), []byte{203, 0, 113, 1}, "https://u@[2001:db8::1]:99/", "a.example.net", "esxcli network firewall ruleset set -e=1 -r httpClient", "shell")
	f.Add(uint16(1007), []byte{}, "://", ".", "httpClient -e", "hostd")
	p := policy(f, egress.Defaults())
	f.Fuzz(func(_ *testing.T, class uint16, ip []byte, url, host, cmd, log string) {
		a, _ := netip.AddrFromSlice(ip)
		ev := event.Event{
			Class: event.Class(class), Time: time.Unix(0, 0), URL: url, LogName: log,
			Device: event.Device{Hostname: host}, Dst: event.Endpoint{IP: a, Hostname: host, Port: 443},
			Process: event.Process{CmdLine: cmd},
		}
		egress.New(p, domain, nil).Detect(&ev, func(*event.Finding) {})
	})
}

func benchDetector(b *testing.B, rules int) *egress.Detector {
	o := egress.Defaults()
	for i := range rules {
		o.Justifications = append(o.Justifications, egress.Justification{
			Name: fmt.Sprint("rule ", i), Role: []string{"backup", "patch", "app"}[i%3],
			Destinations: []string{fmt.Sprintf("*.h%d.example.com", i), fmt.Sprintf("198.51.%d.0/24", i%256), "category:c" + fmt.Sprint(i)},
			Windows:      []string{"mon-sun 22:00-06:00 Europe/Berlin"},
		})
	}
	o.Justifications = append(o.Justifications, egress.Justification{
		Name: "last", Role: "backup", Destinations: []string{"*.amazonaws.com"}, Windows: []string{"mon-sun 22:00-06:00 Europe/Berlin"},
	})
	return egress.New(policy(b, o), domain, nil)
}

func BenchmarkDetect(b *testing.B) {
	night := at("2026-11-23T22:00:00Z")
	samples := []struct {
		name string
		s    sample
	}{
		{"not external", sample{Dst: new("10.9.9.9")}},
		{"not web", sample{Port: new(uint16(22))}},
		{"justified", sample{Roles: []string{"app", "backup"}, Host: "s3.eu-west-1.amazonaws.com", At: night, Service: "Amazon S3", Category: "cloud_storage"}},
		{"unjustified", sample{Roles: []string{"app", "backup"}, Host: "s3.eu-west-1.amazonaws.com", Service: "Amazon S3", Category: "cloud_storage"}},
		{"unknown", sample{Machine: "none", Host: "www.example.com"}},
	}
	for _, rules := range []int{1, 100, 1000} {
		d := benchDetector(b, rules)
		for _, s := range samples {
			b.Run(fmt.Sprintf("%s/rules=%d", s.name, rules), func(b *testing.B) {
				ev, report := s.s.event(), func(*event.Finding) {}
				for range 1000 {
					d.Detect(ev, report)
				}
				b.ReportAllocs()
				for b.Loop() {
					d.Detect(ev, report)
				}
			})
		}
	}
}

func Example() {
	o := egress.Defaults()
	o.Justifications = []egress.Justification{{
		Name: "nightly backup", Role: "backup",
		Destinations: []string{"category:cloud_storage"}, Windows: []string{"22:00-06:00 Europe/Berlin"},
	}}
	p, err := egress.Compile(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	d := egress.New(p, domain, nil)
	ev := event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Protocol: 6,
		Time: time.Date(2026, 11, 23, 13, 3, 0, 0, time.UTC),
		Src:  event.Endpoint{IP: netip.MustParseAddr("10.0.0.7"), Context: event.Context{VM: &event.VM{Name: "bkp-01", Key: "vm:vc1/1", Roles: []string{"backup"}}}},
		Dst:  event.Endpoint{IP: netip.MustParseAddr("203.0.113.9"), Port: 443, Service: "Amazon S3", Category: "cloud_storage"},
	}
	d.Detect(&ev, func(f *event.Finding) {
		fmt.Println(f.Title)
		fmt.Println(f.Explanation[1])
	})
	// Output:
	// bkp-01 talked to Amazon S3 (203.0.113.9) over HTTPS without justification
	// Justification "nightly backup" allows role backup to category:cloud_storage 22:00-06:00 Europe/Berlin; this was Mon 14:03.
}
