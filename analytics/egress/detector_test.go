package egress_test

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

// sample is an event of a case table; what it leaves out has the default
// that the table's head tells.
type sample struct {
	Name     string
	Machine  string // "vm" (default), "none", "ambiguous", "host", "vcenter"
	VM       string
	Roles    []string
	State    string
	Log      string
	At       time.Time
	Start    time.Time
	Src, Dst *string
	Port     *uint16
	Proto    uint8
	Class    string
	Activity string
	Host     string
	Via      string
	Service  string
	Category string
	URL      string
	App      string
	Cmd      string
	Sent     int64
	Op       string `yaml:"operation"`
	Call     string
	Resource string
	Failed   bool

	Want, Title, Key string
}

func samples(t testing.TB, file string) []sample {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	var list []sample
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

func options(t testing.TB) egress.Options {
	t.Helper()
	v := viper.New()
	v.SetConfigFile("testdata/policy.yaml")
	if err := v.ReadInConfig(); err != nil {
		t.Fatal(err)
	}
	var o egress.Options
	if err := v.UnmarshalExact(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

func policy(t testing.TB, o egress.Options) *egress.Policy {
	t.Helper()
	p, err := egress.Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// domain stands in for the Public Suffix List: the last two labels.
func domain(host string) string {
	if i := strings.LastIndexByte(host, '.'); i >= 0 {
		return host[strings.LastIndexByte(host[:i], '.')+1:]
	}
	return host
}

func (s *sample) event() *event.Event {
	ev := &event.Event{
		Class:    event.NetworkActivity,
		Activity: map[string]event.Activity{"": event.NetworkOpen, "close": event.NetworkClose, "refuse": event.NetworkRefuse, "fail": event.NetworkFail, "traffic": event.NetworkTraffic}[s.Activity],
		Time:     s.At, Start: s.Start, UID: "uid-" + s.Name, LogName: s.Log, Raw: "raw " + s.Name,
		Device: event.Device{Hostname: "esx01.corp.example"},
		Src:    event.Endpoint{IP: addr(s.Src, "10.1.2.3"), Port: 40000},
		Dst: event.Endpoint{
			IP: addr(s.Dst, "203.0.113.200"), Port: 443, Hostname: s.Host, NameVia: s.Via,
			Service: s.Service, Category: s.Category,
		},
		Protocol: s.Proto,
		URL:      s.URL,
		Process:  event.Process{CmdLine: s.Cmd},
	}
	if ev.Time.IsZero() {
		ev.Time = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	}
	if s.Port != nil {
		ev.Dst.Port = *s.Port
	}
	if s.Proto == 0 {
		ev.Protocol = 6
	}
	s.classify(ev)
	s.resolve(ev)
	return ev
}

func addr(s *string, otherwise string) netip.Addr {
	if s == nil {
		s = &otherwise
	}
	a, _ := netip.ParseAddr(*s)
	return a
}

func (s *sample) classify(ev *event.Event) {
	switch {
	case s.Resource != "":
		ev.Class, ev.Operation, ev.Resource = event.APIActivity, cmp.Or(s.Call, "esx.audit.net.firewall.config.changed"), s.Resource
		if s.Op != "" {
			ev.Add(event.Intern("firewall_operation"), s.Op)
		}
	case s.Class == "http":
		ev.Class, ev.Activity = event.HTTPActivity, event.HTTPGet
	case s.Class == "process" || s.Cmd != "":
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	}
	if s.App != "" {
		ev.Add(event.Intern("app_id"), s.App)
	}
	if s.Sent > 0 {
		ev.Traffic = event.Traffic{BytesOut: s.Sent, Known: true}
	}
	if s.Failed {
		ev.Status = event.StatusFailure
	}
}

func (s *sample) resolve(ev *event.Event) {
	c := &ev.Src.Context
	c.State = map[string]event.State{"none": event.StateNone, "": event.StateLive, "stale": event.StateStale, "dead": event.StateDead, "never": event.StateNever}[s.State]
	name := s.VM
	if name == "" {
		name = "app-web-07"
	}
	vm := &event.VM{Name: name, Key: "vm:vc1/" + name, Roles: s.Roles}
	switch s.Machine {
	case "", "vm":
		c.VM, c.Via = vm, event.ViaVIF
	case "ambiguous":
		c.Candidates = []*event.VM{vm, {Name: "app-web-08", Roles: s.Roles}}
	case "host", "vcenter":
		c.Host = &event.Host{Name: "esx01.corp.example", Key: "host:esx01.corp.example", IsVCenter: s.Machine == "vcenter"}
	}
}

func severity(s event.Severity) string {
	return []string{"unknown", "informational", "low", "medium", "high", "critical", "fatal"}[s]
}

// say writes a verdict and the finding's severity as the tables do.
func say(j event.Justification, found []*event.Finding) string {
	switch j.Verdict {
	case event.VerdictNone:
		return "none"
	case event.VerdictJustified:
		return "justified " + j.By
	}
	verdict := map[event.Verdict]string{event.VerdictUnjustified: "unjustified", event.VerdictUnknown: "unknown"}[j.Verdict]
	reason := map[event.Reason]string{
		event.ReasonNoRole: "no_role", event.ReasonDestination: "destination", event.ReasonWindow: "window",
		event.ReasonBytes: "bytes", event.ReasonExpired: "expired", event.ReasonAmbiguous: "ambiguous",
		event.ReasonNoVM: "no_vm", event.ReasonStaleInventory: "stale_inventory",
	}[j.Reason]
	return verdict + " " + reason + " " + severity(found[0].Severity)
}

func TestVerdicts(t *testing.T) {
	p := policy(t, options(t))
	for _, s := range samples(t, "verdicts.yaml") {
		t.Run(s.Name, func(t *testing.T) {
			ev, found := s.event(), []*event.Finding(nil)
			egress.New(p, domain, nil).Detect(ev, func(f *event.Finding) { found = append(found, f) })
			unjustified := ev.Justification.Verdict > event.VerdictJustified
			if (len(found) == 1) != unjustified {
				t.Fatalf("%d findings with verdict %d", len(found), ev.Justification.Verdict)
			}
			if got := say(ev.Justification, found); got != s.Want {
				t.Fatalf("got %q, want %q", got, s.Want)
			}
			if unjustified {
				checkFinding(t, &s, ev, found[0])
			}
		})
	}
}

func checkFinding(t *testing.T, s *sample, ev *event.Event, f *event.Finding) {
	t.Helper()
	if s.Title != "" && f.Title != s.Title {
		t.Errorf("title %q, want %q", f.Title, s.Title)
	}
	if s.Key != "" && f.Key != s.Key {
		t.Errorf("key %q, want %q", f.Key, s.Key)
	}
	if f.Justification.Reason != ev.Justification.Reason || len(f.Explanation) < 3 || f.Title == "" || f.UID == "" {
		t.Errorf("incomplete: %+v", f)
	}
	for _, line := range append(f.Explanation, f.Title) {
		if strings.Contains(line, "%!") || strings.Contains(line, "invalid") || strings.TrimSpace(line) == "" {
			t.Errorf("sentence %q", line)
		}
	}
}

func TestHTTPClient(t *testing.T) {
	p := policy(t, options(t))
	for _, s := range samples(t, "httpclient.yaml") {
		t.Run(s.Name, func(t *testing.T) {
			s.Machine, s.Src, s.Dst, s.Log = "none", new(string), new(string), "vobd"
			got := "none"
			egress.New(p, domain, nil).Detect(s.event(), func(f *event.Finding) {
				got = severity(f.Severity)
				if f.Analytic.UID != egress.HTTPClientOpened || f.Entity != "host:esx01.corp.example" || f.Key != "httpClient" {
					t.Errorf("finding %s of %s about %s", f.Analytic.UID, f.Entity, f.Key)
				}
			})
			if got != s.Want {
				t.Errorf("got %s, want %s", got, s.Want)
			}
		})
	}
}

// run shows the samples to one detector and gives the revisions.
func run(t *testing.T, d *egress.Detector, list ...sample) (found []*event.Finding, verdicts []event.Justification) {
	t.Helper()
	for i := range list {
		ev := list[i].event()
		d.Detect(ev, func(f *event.Finding) { found = append(found, f) })
		verdicts = append(verdicts, ev.Justification)
	}
	return found, verdicts
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestExplanation(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	found, _ := run(t, d, sample{
		VM: "bkp-01", Roles: []string{"backup"}, Host: "s3.eu-west-1.amazonaws.com", Via: "dns",
		Service: "Amazon S3", Category: "cloud_storage", At: at("2026-11-23T13:03:00Z"),
	})
	want := []string{
		"bkp-01 (VM, backup) to Amazon S3 (s3.eu-west-1.amazonaws.com) at 203.0.113.200, port 443 (name by dns), in the catalogue as cloud_storage.",
		`Justification "nightly backup" allows role backup to *.amazonaws.com, category:cloud_storage, 203.0.113.0/24 port 443 mon-sun 22:00-06:00 Europe/Berlin (CHG-1234); this was Mon 14:03.`,
		`Expected? Change that limit of justification "nightly backup".`,
	}
	if got := found[0].Explanation; !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if found[0].Title != "bkp-01 talked to Amazon S3 (s3.eu-west-1.amazonaws.com) over HTTPS without justification" {
		t.Errorf("title %q", found[0].Title)
	}
}

func TestWindowOfVerdict(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	_, v := run(t, d, sample{Roles: []string{"backup"}, At: at("2026-11-24T02:00:00Z")})
	if from, to := at("2026-11-23T21:00:00Z"), at("2026-11-24T05:00:00Z"); !v[0].From.Equal(from) || !v[0].To.Equal(to) {
		t.Errorf("window %v to %v, want %v to %v", v[0].From, v[0].To, from, to)
	}
}

// A connection that was opened in its window is justified when it ends after
// it, and its bytes count there.
func TestCloseAfterWindow(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	open := sample{Roles: []string{"backup"}, At: at("2026-11-24T04:30:00Z")}
	end := sample{Roles: []string{"backup"}, At: at("2026-11-24T07:00:00Z"), Activity: "close", Sent: 400e9}
	again := end
	again.At = at("2026-11-24T07:01:00Z")
	found, v := run(t, d, open, end, again)
	if v[1].Verdict != event.VerdictJustified || v[2].Verdict != event.VerdictUnjustified {
		t.Errorf("verdicts %d, %d", v[1].Verdict, v[2].Verdict)
	}
	if len(found) != 1 || found[0].BytesOut != 400e9 {
		t.Errorf("%d findings", len(found))
	}
}

// A switch tells of a connection in records of a minute each. What began in its
// window is justified as long as it goes on; after a pause it is another one.
func TestFlowAfterWindow(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	record := func(when string) sample {
		end := at(when)
		return sample{Roles: []string{"backup"}, At: end, Start: end.Add(-time.Minute), Activity: "traffic", Sent: 1e9}
	}
	// The window ends at 06:00 in Berlin, which is 05:00 UTC.
	found, v := run(t, d, record("2026-11-24T04:59:30Z"), record("2026-11-24T05:00:30Z"), record("2026-11-24T05:09:30Z"),
		record("2026-11-24T05:40:00Z"), record("2026-11-24T05:41:00Z"))
	for i, want := range []event.Verdict{
		event.VerdictJustified, event.VerdictJustified, event.VerdictJustified, event.VerdictUnjustified, event.VerdictUnjustified,
	} {
		if v[i].Verdict != want {
			t.Errorf("record %d: verdict %d, want %d", i, v[i].Verdict, want)
		}
	}
	if len(found) == 0 || found[0].BytesOut < 1e9 {
		t.Errorf("%d findings", len(found))
	}
}

// The limit of bytes is one for machine, rule and window.
func TestBytesAddUp(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	send := func(vm, when string) sample {
		return sample{VM: vm, Roles: []string{"uploader"}, Service: "transfer.sh", Sent: 600e3, At: at(when)}
	}
	_, v := run(t, d, send("a", "2026-11-23T10:00:00Z"), send("b", "2026-11-23T10:00:01Z"),
		send("a", "2026-11-23T11:00:00Z"), send("a", "2026-11-24T00:00:00Z"))
	var got []event.Verdict
	for _, j := range v {
		got = append(got, j.Verdict)
	}
	want := []event.Verdict{event.VerdictJustified, event.VerdictJustified, event.VerdictUnjustified, event.VerdictJustified}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFirstContact(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	day1 := sample{Host: "a.example.net", At: at("2026-11-23T10:00:00Z")}
	day2, later := day1, day1
	day2.At, day2.Host = at("2026-11-24T10:00:00Z"), "new.example.org"
	later.At = at("2026-11-24T10:00:01Z")
	var found []*event.Finding
	for _, s := range []sample{day1, day2, later} {
		d.Tick(s.At, func(*event.Finding) {})
		f, _ := run(t, d, s)
		found = append(found, f...)
	}
	got := []string{severity(found[0].Severity), severity(found[1].Severity), severity(found[2].Severity)}
	if want := []string{"low", "medium", "low"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSummaryWithoutInventory(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	var list []sample
	for i := range 5 {
		src, dst := fmt.Sprintf("10.1.2.%d", i), fmt.Sprintf("198.51.100.%d", i)
		list = append(list, sample{Name: src, Machine: "none", State: "none", Src: &src, Dst: &dst})
	}
	found, _ := run(t, d, list...)
	if len(found) != 1 || found[0].Entity != "none" || found[0].Severity != event.SeverityInformational {
		t.Fatalf("%d findings, want one summary", len(found))
	}
	if !strings.Contains(strings.Join(found[0].Explanation, " "), "vcenters:") {
		t.Errorf("it does not say how to configure: %q", found[0].Explanation)
	}
	// Another shard, with another first event, reports the same finding.
	other, _ := run(t, egress.New(policy(t, options(t)), domain, nil), list[3])
	if other[0].UID != found[0].UID {
		t.Error("two shards report two summaries")
	}
}

// A policy that is changed keeps open findings and byte accounts.
func TestSetPolicy(t *testing.T) {
	o := options(t)
	d := egress.New(policy(t, o), domain, nil)
	send := sample{Roles: []string{"uploader"}, Service: "transfer.sh", Sent: 600e3}
	talk := sample{Name: "1", Host: "www.example.net"}
	found, _ := run(t, d, send, talk)
	o.Justifications = append([]egress.Justification{{Name: "first", Role: "x", Destinations: []string{"any"}}}, o.Justifications...)
	d.SetPolicy(policy(t, o))
	talk.Name = "2"
	more, v := run(t, d, send, talk)
	if v[0].Reason != event.ReasonBytes {
		t.Errorf("reason %d: the account of an unchanged rule was lost", v[0].Reason)
	}
	for _, f := range more {
		if f.Key == found[0].Key && f.UID != found[0].UID {
			t.Error("an open finding was opened again")
		}
	}
	o.Justifications[0].Role = "any"
	d.SetPolicy(policy(t, o))
	if _, v = run(t, d, talk); v[0].By != "first" {
		t.Errorf("new rule is not in force: %+v", v[0])
	}
}

// The same events give the same findings, byte for byte.
func TestDeterministic(t *testing.T) {
	list := samples(t, "verdicts.yaml")
	slices.SortStableFunc(list, func(a, b sample) int { return a.At.Compare(b.At) })
	p := policy(t, options(t))
	once := func() string {
		var out strings.Builder
		report := func(f *event.Finding) {
			fmt.Fprintf(&out, "%s %s %d %d %v %q\n", f.UID, f.Revision, f.Activity, f.Count, f.Time, f.Explanation)
		}
		d := egress.New(p, domain, nil)
		for i := range list {
			ev := list[i].event()
			d.Detect(ev, report)
			d.Tick(ev.Time, report)
		}
		d.Tick(at("2028-01-01T00:00:00Z"), report)
		return out.String()
	}
	first := once()
	for range 5 {
		if again := once(); again != first {
			t.Fatal("two runs differ")
		}
	}
}

func TestRestore(t *testing.T) {
	p := policy(t, options(t))
	talk := sample{Name: "1", Service: "Telegram", Category: "messaging"}
	before, _ := run(t, egress.New(p, domain, nil), talk)
	d := egress.New(p, domain, nil)
	d.Restore([]event.Finding{*before[0], {Analytic: event.Analytic{UID: "behavior.beacon"}, Count: 1}})
	talk.Name, talk.At = "2", at("2026-11-23T10:30:00Z")
	after, _ := run(t, d, talk)
	if len(after) != 1 || after[0].UID != before[0].UID || after[0].Activity != event.FindingUpdate || after[0].Count != 2 {
		t.Fatalf("got %+v", after)
	}
	if !slices.Equal(after[0].Explanation, before[0].Explanation) {
		t.Errorf("explanation changed: %q", after[0].Explanation)
	}
	if s := d.Stats().Findings[0]; s.Open != 1 || s.Opened != 0 || s.Updated != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestStats(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	run(t, d, sample{}, sample{Machine: "none"}, sample{Dst: new("198.51.100.123")}, sample{Dst: new("10.0.0.1")})
	s := d.Stats()
	if s.Unjustified != 1 || s.Unknown != 1 || s.Justified != 1 || s.Findings[0].Opened != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestNoAllocation(t *testing.T) {
	d := egress.New(policy(t, options(t)), domain, nil)
	report := func(*event.Finding) {}
	for name, s := range map[string]sample{
		"not external": {Dst: new("10.0.0.1")},
		"justified":    {Roles: []string{"backup"}, At: at("2026-11-23T22:00:00Z"), Service: "Amazon S3", Category: "cloud_storage"},
		"unjustified":  {Roles: []string{"backup"}},
	} {
		ev := s.event()
		for range 2000 { // past the first evidence and the milestones nearby
			d.Detect(ev, report)
		}
		if n := testing.AllocsPerRun(100, func() { d.Detect(ev, report) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
