package fusion_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/fusion"
	"github.com/vegress/vegress/event"
)

var (
	start   = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)
	vm      = &event.VM{VCenter: "vc1", InstanceUUID: "u1", Name: "web07", Host: "esx03.lab.example", Key: "vm:vc1/u1"}
	host    = &event.Host{Name: "esx03.lab.example", Key: "host:esx03.lab.example"}
	paste   = netip.MustParseAddr("203.0.113.9")
	options = fusion.Options{Hold: 5 * time.Minute, BlindFlows: 20}
)

type estate struct {
	*fusion.Detector
	n        int
	reported []*event.Finding
}

// newEstate has a VM with a sensor that has told of a process.
func newEstate(o fusion.Options) *estate {
	e := &estate{Detector: fusion.New(o, analytics.NewCourses(100_000))}
	started := sensed(-60, 0, "/usr/bin/login")
	started.Class, started.Dst = event.ProcessActivity, event.Endpoint{}
	e.see(started)
	return e
}

func (e *estate) report(f *event.Finding) { e.reported = append(e.reported, f) }

func (e *estate) see(evs ...event.Event) {
	for i := range evs {
		e.n++
		evs[i].UID = fmt.Sprintf("u%d", e.n)
		e.Detect(&evs[i], e.report)
		e.Tick(evs[i].Time, e.report)
	}
}

// only gives the one finding there is, in its latest revision.
func (e *estate) only(t *testing.T) *event.Finding {
	t.Helper()
	e.Flush(e.report)
	if len(e.reported) == 0 {
		t.Fatal("nothing was found")
	}
	last := e.reported[len(e.reported)-1]
	for _, f := range e.reported {
		if f.UID != last.UID {
			t.Fatalf("two findings: %s; %s", f.Title, last.Title)
		}
	}
	return last
}

// flow is what the host's firewall or switch tells, some seconds after start.
func flow(seconds float64, port uint16) event.Event {
	ev := connection(seconds, port)
	ev.Device = event.Device{Hostname: host.Name, Host: host}
	return ev
}

// sensed is what the guest's sensor tells.
func sensed(seconds float64, port uint16, path string) event.Event {
	ev := connection(seconds, port)
	ev.Device.Hostname = "web07"
	ev.Process = event.Process{Path: path, PID: 4242, CmdLine: path + " /tmp/a.py", Parent: &event.Process{Path: "/bin/sh", CmdLine: "sh -c run"}}
	ev.User.Name = "www-data"
	return ev
}

func connection(seconds float64, port uint16) event.Event {
	return event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Time: start.Add(time.Duration(seconds * float64(time.Second))),
		Src:      event.Endpoint{IP: netip.MustParseAddr("10.0.0.7"), Port: port, Context: event.Context{VM: vm}},
		Dst:      event.Endpoint{IP: paste, Port: 443, Hostname: "pastebin.com", Service: "Pastebin", Category: "paste"},
		Protocol: 6, Raw: "a record", Justification: event.Justification{Verdict: event.VerdictUnjustified, Reason: event.ReasonNoRole},
	}
}

func TestJoin(t *testing.T) {
	end := flow(60, 51000)
	end.Activity = event.NetworkClose
	end.Traffic = event.Traffic{BytesIn: 700, BytesOut: 90_000, Known: true}
	same := sensed(1, 51000, "/usr/bin/python3.11")
	same.Traffic = event.Traffic{BytesIn: 700, BytesOut: 90_000, Known: true}
	for name, order := range map[string][]event.Event{
		"the host first":  {flow(0, 51000), same, end},
		"the guest first": {same, flow(0, 51000), end},
		"a second sensor": {flow(0, 51000), flow(0.5, 51000), same, end},
		"the end first":   {flow(0, 51000), end, same},
		"others between":  {flow(0, 51001), flow(0, 51000), sensed(1, 51002, "/usr/bin/git"), same, end},
	} {
		e := newEstate(options)
		e.see(slices.Clone(order)...)
		f := e.only(t)
		if f.Analytic.UID != "fusion.process_flow" || f.Entity != vm.Key || f.Severity != event.SeverityHigh || f.Key != "Pastebin by python" {
			t.Errorf("%s: %s of %s about %s, %v", name, f.Analytic.UID, f.Entity, f.Key, f.Severity)
		}
		if f.Title != "python3.11 on web07 talked to Pastebin (pastebin.com) without justification" {
			t.Errorf("%s: %s", name, f.Title)
		}
		text := strings.Join(f.Explanation, "\n")
		for _, part := range []string{
			"esx03.lab.example saw VM web07 connect from port 51000 to 203.0.113.9, port 443", "/usr/bin/python3.11 (pid 4242)",
			`"/usr/bin/python3.11 /tmp/a.py", as www-data.`, `Started by /bin/sh, "sh -c run".`,
		} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is not in %q", name, part, text)
			}
		}
		if f.Connections != 1 || f.BytesOut != 90_000 || f.BytesIn != 700 || len(f.Evidence) < 2 {
			t.Errorf("%s: %d connections, %d bytes out, %d in, %d records", name, f.Connections, f.BytesOut, f.BytesIn, len(f.Evidence))
		}
	}
}

// TestOtherConnections: what is of another port, machine, destination, time,
// or justified, is not joined to a finding.
func TestOtherConnections(t *testing.T) {
	python := "/usr/bin/python3"
	other := sensed(1, 51000, python)
	other.Src.Context.VM = &event.VM{Name: "web08", Key: "vm:vc1/u2"}
	elsewhere := sensed(1, 51000, python)
	elsewhere.Dst.IP = netip.MustParseAddr("203.0.113.10")
	allowed := sensed(1, 51000, python)
	allowed.Justification.Verdict = event.VerdictJustified
	agent := sensed(1, 51000, "hostd")
	agent.Device.Host = host
	for name, ev := range map[string]event.Event{
		"port": sensed(1, 51001, python), "machine": other, "destination": elsewhere, "late": sensed(301, 51000, python),
		"justified": allowed, "an agent": agent, "no process": connection(1, 51000),
	} {
		e := newEstate(options)
		e.see(flow(0, 51000), ev)
		e.Flush(e.report)
		if len(e.reported) != 0 {
			t.Errorf("%s: %s", name, e.reported[0].Title)
		}
	}
}

// TestNoPort: auditd names no source port; the only one nearby counts.
func TestNoPort(t *testing.T) {
	e := newEstate(options)
	e.see(flow(0, 51000), sensed(2, 0, "/usr/bin/curl"))
	f := e.only(t)
	if !strings.Contains(strings.Join(f.Explanation, "\n"), "no source port") || f.Confidence != 2 {
		t.Errorf("%d, %q", f.Confidence, f.Explanation)
	}
	for name, evs := range map[string][]event.Event{
		"two nearby": {flow(0, 51000), flow(1, 51001), sensed(2, 0, "/usr/bin/curl")},
		"far":        {flow(0, 51000), sensed(9, 0, "/usr/bin/curl")},
	} {
		e := newEstate(options)
		e.see(evs...)
		if len(e.reported) != 0 {
			t.Errorf("%s: %s", name, e.reported[0].Title)
		}
	}
}

// day is some connections a minute for so many minutes, of which the sensor
// reports those that it does not miss.
func day(e *estate, from, minutes, each int, misses func(i int) bool) (until int) {
	for m := from; m < from+minutes; m++ {
		for i := range each {
			port := uint16(20000 + (m*each+i)%40000)
			at := float64(m*60 + i)
			e.see(flow(at, port))
			if !misses(i) {
				e.see(sensed(at+1, port, "/usr/lib/app"))
			}
		}
	}
	return from + minutes
}

func TestSensorBlind(t *testing.T) {
	e := newEstate(options)
	never := func(int) bool { return false }
	all := func(int) bool { return true }
	m := day(e, 0, 45, 4, never)
	m = day(e, m, 40, 4, all)
	blind := func(f *event.Finding) bool { return f.Analytic.UID == "fusion.sensor_blind" }
	i := slices.IndexFunc(e.reported, blind)
	if i < 0 {
		t.Fatal("nobody noticed")
	}
	f := e.reported[i]
	if f.Severity != event.SeverityHigh || f.Title != "The sensor in web07 does not see its connections any more" ||
		!strings.Contains(strings.Join(f.Explanation, "\n"), "Before, it reported 91 % of them") {
		t.Errorf("%v: %s: %q", f.Severity, f.Title, f.Explanation)
	}
	day(e, m, 40, 4, never)
	i = slices.IndexFunc(e.reported, func(f *event.Finding) bool { return blind(f) && f.Activity == event.FindingClose })
	if i < 0 {
		t.Error("it did not close when the sensor saw again")
	}
}

// TestSensorNotBlind: a start, a sensor that leaves much out by its own
// configuration, few connections, a VM without one.
func TestSensorNotBlind(t *testing.T) {
	odd := func(i int) bool { return i%2 == 1 }
	most := func(i int) bool { return i != 0 }
	all := func(int) bool { return true }
	never := func(int) bool { return false }
	for name, play := range map[string]func(e *estate){
		"a start":         func(e *estate) { m := day(e, 0, 60, 4, never); m = day(e, m, 9, 4, all); day(e, m, 30, 4, never) },
		"leaves out half": func(e *estate) { day(e, 0, 200, 4, odd) },
		"leaves out more": func(e *estate) { m := day(e, 0, 60, 4, most); day(e, m, 60, 4, all) },
		"few connections": func(e *estate) { m := day(e, 0, 60, 4, never); day(e, m, 200, 1, all) },
		"no sensor":       func(e *estate) { day(e, 0, 200, 4, all) },
		"off by choice": func(e *estate) {
			e.SetOptions(fusion.Options{Hold: time.Minute})
			m := day(e, 0, 60, 4, never)
			day(e, m, 60, 4, all)
		},
	} {
		e := newEstate(options)
		play(e)
		for _, f := range e.reported {
			if f.Analytic.UID == "fusion.sensor_blind" {
				t.Errorf("%s: %q", name, f.Explanation)
				break
			}
		}
	}
}

// TestBounds: connections that somebody makes up take bounded memory, and
// what falls off is counted.
func TestBounds(t *testing.T) {
	e := newEstate(options)
	for i := range 60_000 {
		ev := flow(float64(i)/1000, uint16(i))
		ev.Dst.IP = netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)})
		if i%2 == 0 {
			ev = sensed(float64(i)/1000, uint16(i), "/usr/bin/curl")
			ev.Dst.IP = netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i + 1)})
			ev.Src.Port++
		}
		if i%4 > 1 { // never joined
			ev.Src.Port = uint16(i)
		}
		e.see(ev)
	}
	st := e.Stats()
	if st.Dropped == 0 || st.Joined == 0 || st.Forgotten == 0 {
		t.Errorf("%+v", st)
	}
}

func TestRestart(t *testing.T) {
	e := newEstate(options)
	e.see(flow(0, 51000), sensed(1, 51000, "/usr/bin/python3"))
	opened := e.only(t)
	again := newEstate(options)
	again.Restore([]event.Finding{*opened})
	again.see(flow(100, 51007), sensed(101, 51007, "/usr/bin/python3"))
	if f := again.only(t); f.UID != opened.UID || f.Connections != 2 {
		t.Errorf("%s, not %s; %d connections", f.UID, opened.UID, f.Connections)
	}
}

func TestValidate(t *testing.T) {
	for _, o := range []fusion.Options{{Hold: -1}, {Hold: 2 * time.Hour}, {BlindFlows: -1}, {BlindFlows: 1 << 20}} {
		if o.Validate() == nil {
			t.Errorf("%+v", o)
		}
	}
	if err := options.Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkDetect(b *testing.B) {
	b.Run("justified pair", func(b *testing.B) {
		d := fusion.New(options, analytics.NewCourses(1000))
		a, c := flow(0, 1), sensed(0, 1, "/usr/bin/app")
		a.Justification.Verdict, c.Justification.Verdict = event.VerdictJustified, event.VerdictJustified
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			at := start.Add(time.Duration(i) * time.Millisecond)
			a.Time, c.Time, a.Src.Port, c.Src.Port = at, at, uint16(i), uint16(i)
			d.Detect(&a, nil)
			d.Detect(&c, nil)
		}
	})
	b.Run("not outbound", func(b *testing.B) {
		d := fusion.New(options, analytics.NewCourses(1000))
		ev := flow(0, 1)
		ev.Justification.Verdict = event.VerdictNone
		b.ReportAllocs()
		for b.Loop() {
			d.Detect(&ev, nil)
		}
	})
}
