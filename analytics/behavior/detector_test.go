package behavior_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/behavior"
	"github.com/vegress/vegress/event"
)

var begin = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// options are the defaults of default.yaml.
func options() behavior.Options {
	return behavior.Options{
		AN1189:   behavior.Windows{DataTransferThreshold: 1e6, TimeWindow: 5 * time.Minute},
		AN1191:   behavior.MacOS{ConnectionInterval: behavior.Interval{Min: 5 * time.Second, Max: 24 * time.Hour}},
		Ignore:   []string{"udp/123"},
		MaxPairs: 100000,
	}
}

func site() behavior.Site {
	return behavior.Site{
		External: func(a netip.Addr) bool { return a.IsValid() && !a.IsPrivate() },
		Risky:    func(category string) bool { return category == "messaging" },
		Domain:   func(host string) string { return host },
		Calendar: func() func(time.Time) analytics.Moment {
			return func(t time.Time) analytics.Moment {
				return analytics.Moment{Day: t.Unix() / 86400, Hour: t.Hour(), Workday: true, Off: t.Hour() < 7 || t.Hour() >= 19}
			}
		},
	}
}

func compile(t testing.TB, o behavior.Options) *behavior.Policy {
	t.Helper()
	p, err := behavior.Compile(o, site())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run is a Detector and what it found.
type run struct {
	*behavior.Detector
	t     testing.TB
	found map[string]*event.Finding // by analytic and key: the last revision
	n     int
}

func start(t testing.TB, change func(*behavior.Options)) *run {
	o := options()
	if change != nil {
		change(&o)
	}
	return &run{
		Detector: behavior.New(compile(t, o), analytics.NewCourses(1000), 7, 1),
		t:        t, found: map[string]*event.Finding{},
	}
}

func (r *run) see(ev *event.Event) {
	r.n++
	ev.UID = fmt.Sprint(r.n)
	r.Detect(ev, func(f *event.Finding) { r.found[f.Analytic.UID+" "+f.Key] = f })
}

// connect is a connection of a VM that nothing justifies.
func connect(at time.Duration, vm, host, addr string, sent int64) *event.Event {
	ev := &event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkClose, Time: begin.Add(at), Protocol: 6,
		Src: event.Endpoint{
			IP: netip.MustParseAddr("10.0.0.1"), Port: uint16(20000 + at/time.Second%30000),
			Context: event.Context{VM: &event.VM{Name: vm, Key: "vm:vc1/" + vm}},
		},
		Dst:           event.Endpoint{IP: netip.MustParseAddr(addr), Port: 443, Hostname: host},
		Justification: event.Justification{Verdict: event.VerdictUnjustified, Reason: event.ReasonNoRole},
	}
	if sent > 0 {
		ev.Traffic = event.Traffic{BytesOut: sent, Known: true}
	}
	return ev
}

func (r *run) want(keys ...string) {
	r.t.Helper()
	for _, key := range keys {
		if r.found[key] == nil {
			r.t.Errorf("%s is not found", key)
		}
	}
	if len(r.found) != len(keys) {
		for key, f := range r.found {
			r.t.Errorf("found %s: %s", key, f.Title)
		}
	}
}

// TestBeacon: what comes every five minutes is a finding that says so; the
// same justified, or on a port that is ignored, is none; nor is chance.
func TestBeacon(t *testing.T) {
	beats := func(change func(i int, ev *event.Event)) *run {
		r := start(t, nil)
		for i := range 40 {
			ev := connect(time.Duration(i)*5*time.Minute, "app01", "api.example.net", "203.0.113.5", 500)
			if change != nil {
				change(i, ev)
			}
			r.see(ev)
		}
		return r
	}
	r := beats(nil)
	r.want("behavior.beacon api.example.net")
	f := r.found["behavior.beacon api.example.net"]
	if f == nil {
		t.FailNow()
	}
	text := strings.Join(f.Explanation, "\n")
	for _, part := range []string{"every 5.0 minutes", "(jitter)", "What a connection sends varies by 0 %", "nats", "The catalogue knows no service there", "Give app01 a role"} {
		if !strings.Contains(text, part) {
			t.Errorf("the explanation does not say %q:\n%s", part, text)
		}
	}
	if f.Severity != event.SeverityMedium || f.Title != "app01 connects to api.example.net every 5.0 minutes" || f.Analytic.Attack != "AN1191" {
		t.Errorf("%+v", f)
	}
	for name, change := range map[string]func(int, *event.Event){
		"justified": func(_ int, ev *event.Event) { ev.Justification.Verdict = event.VerdictJustified },
		"inside":    func(_ int, ev *event.Event) { ev.Dst.IP = netip.MustParseAddr("10.9.9.9") },
		"inbound":   func(_ int, ev *event.Event) { ev.Direction = event.DirectionInbound },
		"ignored": func(_ int, ev *event.Event) {
			ev.Protocol, ev.Dst.Port, ev.Justification = 17, 123, event.Justification{}
		},
		"a query": func(_ int, ev *event.Event) { ev.Class = event.DNSActivity },
		"chance": func(i int, ev *event.Event) {
			ev.Time = begin.Add(time.Duration(i*i*(i%7+1)*11) * time.Second)
		},
		"too seldom": func(i int, ev *event.Event) { ev.Time = begin.Add(time.Duration(i) * 26 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) { r := beats(change); r.t = t; r.want() })
	}
	r = beats(func(_ int, ev *event.Event) { ev.Dst.Category, ev.Dst.Service = "messaging", "Telegram" })
	if f := r.found["behavior.beacon Telegram"]; f == nil || f.Severity != event.SeverityHigh {
		t.Errorf("to a risky service: %+v", f)
	}
	r = beats(func(_ int, ev *event.Event) { ev.Src.Context.VM = nil })
	if f := r.found["behavior.beacon api.example.net"]; f == nil || f.Severity != event.SeverityLow {
		t.Errorf("of nobody known: %+v", f)
	}
	r = beats(func(_ int, ev *event.Event) {
		ev.Protocol, ev.Dst.Port, ev.Activity, ev.Justification = 17, 9999, event.NetworkRefuse, event.Justification{}
	})
	if f := r.found["behavior.beacon api.example.net"]; f == nil || !strings.Contains(strings.Join(f.Explanation, " "), "refused") {
		t.Errorf("refused, and no HTTP(S): %+v", f)
	}
}

// TestProcesses: a rhythm is a process's own, and two processes of one machine
// do not disturb each other.
func TestProcesses(t *testing.T) {
	r := start(t, func(o *behavior.Options) {
		o.AN1189.ProcessName, o.AN1190.ParentProcess = []string{"Updater.exe"}, []string{"winword.exe"}
	})
	for i := range 40 {
		ev := connect(time.Duration(i)*10*time.Minute, "pc01", "cdn.example.net", "203.0.113.6", 0)
		ev.Process = event.Process{Path: `C:\Temp\updater.exe`, Parent: &event.Process{Name: "WINWORD.EXE"}}
		r.see(ev)
		for j := range 5 { // a browser, at random
			ev := connect(time.Duration(i*600+(i*j*j*37)%599)*time.Second, "pc01", "cdn.example.net", "203.0.113.6", 0)
			ev.Process.Path = `C:\browser.exe`
			r.see(ev)
		}
	}
	r.want("behavior.beacon cdn.example.net")
	text := strings.Join(r.found["behavior.beacon cdn.example.net"].Explanation, "\n")
	for _, part := range []string{`(process C:\Temp\updater.exe, started by WINWORD.EXE)`, "one of analytics.an1189.ProcessName", "winword.exe, which is one of analytics.an1190.ParentProcess"} {
		if !strings.Contains(text, part) {
			t.Errorf("the explanation does not say %q:\n%s", part, text)
		}
	}
}

// TestVolume: more than the threshold within the window is a finding where no
// service is known, also when it is many destinations; a known service alone
// is none.
func TestVolume(t *testing.T) {
	r := start(t, nil)
	for i := range 4 {
		r.see(connect(time.Duration(i)*70*time.Second, "fs01", "", "203.0.113.7", 3e5))
	}
	r.want("behavior.volume 203.0.113.7")

	r = start(t, nil)
	for i := range 20 {
		r.see(connect(time.Duration(i)*5*time.Second, "fs01", fmt.Sprintf("h%d.example.net", i), fmt.Sprintf("203.0.113.%d", i), 6e4))
	}
	r.want("behavior.volume many destinations")

	r = start(t, nil)
	for i := range 4 {
		ev := connect(time.Duration(i)*70*time.Second, "fs01", "", "203.0.113.7", 3e5)
		ev.Dst.Service, ev.Dst.Category = "Example Cloud", "cloud_storage"
		r.see(ev)
	}
	r.want()

	r = start(t, nil) // 900 kB are not too much; nor is a day's flow told at its end
	for i := range 3 {
		r.see(connect(time.Duration(i)*70*time.Second, "fs01", "", "203.0.113.7", 3e5))
	}
	ev := connect(26*time.Hour, "fs01", "", "203.0.113.8", 1e8)
	ev.Activity, ev.Start, ev.End = event.NetworkTraffic, begin.Add(time.Hour), ev.Time
	r.see(ev)
	r.want()
	ev = connect(28*time.Hour, "fs01", "", "203.0.113.9", 1e9)
	ev.Activity, ev.Start, ev.End = event.NetworkTraffic, begin.Add(time.Hour), ev.Time
	r.see(ev)
	r.want("behavior.volume 203.0.113.9")
}

// TestToldTwice: what a firewall's line and a switch's flow tell of one
// connection counts once.
func TestToldTwice(t *testing.T) {
	r := start(t, nil)
	line := connect(time.Minute, "fs01", "", "203.0.113.7", 6e5)
	flow := connect(time.Minute, "fs01", "", "203.0.113.7", 6e5)
	flow.Activity, flow.Start = event.NetworkTraffic, begin
	r.see(line)
	r.see(flow)
	r.want()
}

// TestScanner: a machine that makes up destinations takes no memory without
// bound, and no beacon's place.
func TestScanner(t *testing.T) {
	r := start(t, func(o *behavior.Options) { o.MaxPairs = 2000 })
	beat := 0
	for second := range 12 * 3600 {
		at := time.Duration(second) * time.Second
		if second%600 == 0 {
			for vm := range 20 {
				r.see(connect(at, fmt.Sprintf("app%02d", vm), "c2.example.net", "203.0.113.5", 0))
			}
			beat++
		}
		for i := range 4 {
			n := second*4 + i
			addr := netip.AddrFrom4([4]byte{198, byte(51 + n>>16), byte(n >> 8), byte(n)}).String()
			scan := connect(at, "scanner", "", addr, 0)
			r.see(scan)
			if n%3 == 0 { // and again: it comes off probation
				scan = connect(at+4*time.Second, "scanner", "", addr, 0)
				r.see(scan)
			}
		}
	}
	st := r.Stats()
	if st.Pairs > 2000 || st.Flooded == 0 || st.Lost == 0 || st.Evicted == 0 {
		t.Errorf("%+v", st)
	}
	for vm := range 20 {
		entity := fmt.Sprintf("vm:vc1/app%02d", vm)
		if _, ok := r.found["behavior.beacon c2.example.net"]; !ok {
			t.Errorf("the beacon of %s is not found", entity)
		}
	}
	beacons := st.Findings[0]
	if beacons.Analytic != behavior.Beacon || beacons.Opened != 20 {
		t.Errorf("%+v", beacons)
	}
}

// TestHours: a machine that works by day is a finding when it connects at
// night, after a week; one that always did, and one that did so once, are none.
func TestHours(t *testing.T) {
	r := start(t, nil)
	for d := range 12 {
		for i := range 20 {
			at := time.Duration(d)*24*time.Hour + time.Duration(i*i%8)*time.Hour + time.Duration(i*i*i%3600)*time.Second
			r.see(connect(at, "pc01", "www.example.net", "203.0.113.5", 0))
			r.see(connect(at+16*time.Hour, "night01", "www.example.net", "203.0.113.5", 0))
		}
	}
	r.want()
	late := 12*24*time.Hour + 16*time.Hour // 02:00
	r.see(connect(late, "pc01", "files.example.net", "203.0.113.9", 0))
	r.want()
	for i := range 3 {
		r.see(connect(late+time.Duration(i*i+1)*time.Minute, "pc01", "files.example.net", "203.0.113.9", 0))
		r.see(connect(late+time.Duration(i*i+1)*time.Minute, "night01", "files.example.net", "203.0.113.9", 0))
	}
	r.want("behavior.hours files.example.net")
	f := r.found["behavior.hours files.example.net"]
	if f == nil || f.Severity != event.SeverityLow || f.Entity != "vm:vc1/pc01" || !strings.Contains(strings.Join(f.Explanation, " "), "02 h") {
		t.Errorf("%+v", f)
	}
}

// TestReload: an open finding and what is known survive a new policy.
func TestReload(t *testing.T) {
	r := start(t, nil)
	for i := range 30 {
		if i == 6 {
			o := options()
			o.AN1189.TimeWindow, o.MaxPairs = time.Minute, 5000
			r.SetPolicy(compile(t, o))
		}
		r.see(connect(time.Duration(i)*5*time.Minute, "app01", "api.example.net", "203.0.113.5", 500))
	}
	r.want("behavior.beacon api.example.net")
}

// TestOptions: each fault is named with its key.
func TestOptions(t *testing.T) {
	for key, change := range map[string]func(*behavior.Options){
		"an1189.DataTransferThreshold":  func(o *behavior.Options) { o.AN1189.DataTransferThreshold = -1 },
		"an1189.TimeWindow":             func(o *behavior.Options) { o.AN1189.TimeWindow = time.Second },
		"an1189.ProcessName":            func(o *behavior.Options) { o.AN1189.ProcessName = []string{"/usr/bin/curl"} },
		"an1190.ParentProcess":          func(o *behavior.Options) { o.AN1190.ParentProcess = []string{""} },
		"an1191.ConnectionInterval.min": func(o *behavior.Options) { o.AN1191.ConnectionInterval.Min = time.Second },
		"an1191.ConnectionInterval.max": func(o *behavior.Options) { o.AN1191.ConnectionInterval.Max = time.Second },
		"ignore":                        func(o *behavior.Options) { o.Ignore = []string{"icmp/1"} },
		"max_pairs":                     func(o *behavior.Options) { o.MaxPairs = 0 },
	} {
		o := options()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "analytics."+key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
