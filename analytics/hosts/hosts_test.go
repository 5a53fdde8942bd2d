package hosts_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
	"github.com/vegress/vegress/vsphere/vcenter"
)

func options() hosts.Options {
	return hosts.Options{Watch: true, Learn: 24 * time.Hour, Shortest: 2 * time.Minute, Never: 30 * time.Minute, Reboot: 30 * time.Minute, Loss: 100}
}

// source is a machine of a world: how many records it sends in a step.
type source struct {
	name  string
	host  *event.Host
	peer  netip.Addr
	sends func(now time.Time, step time.Duration) int64
	mute  bool
}

// world is a Detector with machines that send to it, in simulated time.
type world struct {
	t       testing.TB
	d       *hosts.Detector
	now     time.Time
	step    time.Duration
	sources []*source
	deaf    string
	state   event.State
	found   []*event.Finding
	told    []event.HostPath
	decoder *vsphere.Decoder
	scout   *hosts.Scout
}

func newWorld(t testing.TB, o hosts.Options) *world {
	w := &world{
		t: t, now: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), step: 10 * time.Second, state: event.StateLive,
		decoder: vsphere.NewDecoder(vsphere.Programs(esxi.Recognizers(), vcenter.Recognizers()), vsphere.Options{}),
		scout:   hosts.NewScout(),
	}
	w.d = hosts.New(o, func(h *event.HostPath) { w.told = append(w.told, *h) })
	return w
}

func (w *world) observe(o analytics.Observation) {
	w.d.Observe(o, func(f *event.Finding) { w.found = append(w.found, f) })
}

// host adds a connected host of vCenter vc1 that sends that many records a
// minute, evenly.
func (w *world) host(name string, perMinute float64) *source {
	s := &source{
		name: name, peer: netip.AddrFrom4([4]byte{10, 0, 0, byte(len(w.sources) + 1)}),
		host:  &event.Host{Name: name, VCenter: "vc1", Key: "host:" + strings.ToLower(name), Connection: "connected"},
		sends: evenly(perMinute),
	}
	w.sources = append(w.sources, s)
	return s
}

func evenly(perMinute float64) func(time.Time, time.Duration) int64 {
	due := 0.0
	return func(_ time.Time, step time.Duration) int64 {
		due += perMinute * step.Minutes()
		n := math.Floor(due)
		due -= n
		return int64(n)
	}
}

// run lets that much time pass.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(w.step)
		var tallies hosts.Tallies
		for _, s := range w.sources {
			n := s.sends(w.now, w.step)
			if n == 0 || s.mute || w.deaf != "" {
				continue
			}
			tallies = append(tallies, hosts.Tally{Key: "host:" + strings.ToLower(s.name), Name: s.name, Host: s.host, Peer: s.peer, Last: w.now, Records: n})
		}
		w.observe(tallies)
		w.observe(hosts.Pulse{At: w.now, Deaf: w.deaf})
	}
}

// report lets the inventory say what it knows.
func (w *world) report() {
	inv := hosts.Inventory{Fresh: map[string]event.State{"vc1": w.state}}
	for _, s := range w.sources {
		if s.host != nil {
			inv.Hosts = append(inv.Hosts, s.host)
		}
	}
	w.observe(inv)
}

// change replaces what the inventory says of a host.
func (w *world) change(s *source, f func(*event.Host)) {
	h := *s.host
	f(&h)
	s.host = &h
	w.report()
}

// line lets a machine's record come in by its scout, as the service would.
func (w *world) line(device *event.Host, text string) {
	var p syslog.Parser
	var m syslog.Message
	p.Reference = w.now
	p.Parse(text, &m)
	m.Received, m.Peer = w.now, netip.MustParseAddrPort("10.0.0.1:514")
	var ev event.Event
	w.decoder.Decode(&m, &ev)
	ev.UID = "uid-" + text[:min(len(text), 24)]
	ev.Device.Host = device
	w.scout.Scout(&ev, w.observe)
	w.scout.Rest(w.observe)
}

// path is the log path of a machine.
func (w *world) path(name string) event.HostPath {
	w.t.Helper()
	answer := make(chan []event.HostPath, 1)
	w.observe(hosts.Ask(answer))
	all := <-answer
	i := slices.IndexFunc(all, func(h event.HostPath) bool { return h.Host == name })
	if i < 0 {
		w.t.Fatalf("no path of %s", name)
	}
	return all[i]
}

// open are the titles of the findings that are open.
func (w *world) open() (titles []string) {
	last := map[string]*event.Finding{}
	for _, f := range w.found {
		last[f.UID] = f
	}
	for _, f := range last {
		if f.Activity != event.FindingClose {
			titles = append(titles, f.Title)
		}
	}
	slices.Sort(titles)
	return titles
}

func (w *world) wantOpen(titles ...string) {
	w.t.Helper()
	if got := w.open(); !slices.Equal(got, titles) {
		w.t.Errorf("%s: open are %q, want %q", w.now, got, titles)
	}
}

// latest is the last finding that was reported.
func (w *world) latest() *event.Finding {
	w.t.Helper()
	if len(w.found) == 0 {
		w.t.Fatal("no finding")
	}
	return w.found[len(w.found)-1]
}

// learnedWorld has three hosts, of 1000, 60 and 2 records a minute, and has
// listened for two days.
func learnedWorld(t testing.TB) (w *world, fast, middle, slow *source) {
	w = newWorld(t, options())
	fast, middle, slow = w.host("esx01", 1000), w.host("esx02", 60), w.host("esx03", 2)
	w.report()
	w.run(48 * time.Hour)
	w.wantOpen()
	return w, fast, middle, slow
}

// TestSilence takes as long as the machine's own rate asks for, and ends when
// its records come again.
func TestSilence(t *testing.T) {
	w, fast, _, slow := learnedWorld(t)
	fast.mute, slow.mute = true, true
	since := w.now
	w.run(110 * time.Second)
	w.wantOpen()
	w.run(30 * time.Second)
	w.wantOpen("esx01 sends no logs any more")
	f := w.latest()
	if f.Analytic.UID != "host.silent" || f.Severity != event.SeverityHigh || f.Confidence != 3 || f.Entity != "host:esx01" ||
		f.Analytic.Attacks[0].TechniqueUID != "T1562.006" || len(f.Explanation) != 3 || len(f.Evidence)+len(f.Related) != 0 {
		t.Errorf("%+v", f)
	}
	if h := w.path("esx01"); h.State != event.PathSilent || h.Rate != 0 || h.Habit < 900 || !h.LastSeen.Equal(since) {
		t.Errorf("%+v", h)
	}
	w.run(5 * time.Minute)
	w.wantOpen("esx01 sends no logs any more")
	w.run(5 * time.Minute)
	w.wantOpen("esx01 sends no logs any more", "esx03 sends no logs any more")
	fast.mute, slow.mute = false, false
	w.run(time.Minute)
	w.wantOpen()
	if h := w.path("esx01"); h.State != event.PathSending {
		t.Errorf("%+v", h)
	}
	states := []event.PathState{}
	for _, h := range w.told {
		if h.Host == "esx01" {
			states = append(states, h.State)
		}
	}
	if want := []event.PathState{event.PathQuiet, event.PathSilent, event.PathSending}; !slices.Equal(states, want) {
		t.Errorf("told %q, want %q", states, want)
	}
}

// TestSameAgain gives the same findings from the same observations.
func TestSameAgain(t *testing.T) {
	run := func() (uids []string) {
		w, fast, middle, _ := learnedWorld(t)
		fast.mute, middle.mute = true, true
		w.run(time.Hour)
		for _, f := range w.found {
			uids = append(uids, f.UID+f.Revision)
		}
		return uids
	}
	if a, b := run(), run(); !slices.Equal(a, b) || len(a) != 2 {
		t.Errorf("%q\n%q", a, b)
	}
}

// TestNotYetLearned calls nobody silent that was not listened to for long.
func TestNotYetLearned(t *testing.T) {
	w := newWorld(t, options())
	s := w.host("esx01", 100)
	w.host("esx02", 100)
	w.report()
	w.run(20 * time.Hour)
	s.mute = true
	w.run(10 * time.Hour)
	w.wantOpen()
}

// TestExcuses: who is known to be away may be quiet, and who is not any more
// may not.
func TestExcuses(t *testing.T) {
	vc := &event.Host{Name: "vc1.lab", VCenter: "vc1", Key: "host:vc1.lab", IsVCenter: true}
	vcEvent := func(kind, text string) func(*world, *source) {
		return func(w *world, _ *source) {
			w.line(vc, "<14>1 "+w.now.Format("2006-01-02T15:04:05.000000Z")+" vc1.lab vpxd 58650 - -  Event [5] [1-1] ["+w.now.Format(time.RFC3339)+"] [vim.event."+kind+"] [info] [] [Lab] [5] ["+text+"]")
		}
	}
	tests := []struct {
		name   string
		excuse func(*world, *source)
		end    func(*world, *source) // nil: it ends by itself
		reason string
	}{
		{
			"maintenance in the inventory",
			func(w *world, s *source) { w.change(s, func(h *event.Host) { h.Maintenance = true }) },
			func(w *world, s *source) { w.change(s, func(h *event.Host) { h.Maintenance = false }) }, "maintenance",
		},
		{
			"maintenance by vCenter's events",
			vcEvent("EnteredMaintenanceModeEvent", "Host esx01 in Lab has entered maintenance mode"),
			vcEvent("ExitMaintenanceModeEvent", "Host esx01 in Lab has exited maintenance mode"), "maintenance",
		},
		{
			"disconnected in the inventory",
			func(w *world, s *source) { w.change(s, func(h *event.Host) { h.Connection = "disconnected" }) },
			func(w *world, s *source) { w.change(s, func(h *event.Host) { h.Connection = "connected" }) }, "disconnected",
		},
		{
			"disconnected by vCenter's events",
			vcEvent("HostDisconnectedEvent", "Host esx01 in Lab is disconnected"),
			vcEvent("HostConnectedEvent", "Connected to esx01 in Lab"), "disconnected",
		},
		{
			"standby",
			func(w *world, s *source) { w.change(s, func(h *event.Host) { h.Standby = true }) },
			func(w *world, s *source) { w.change(s, func(h *event.Host) { h.Standby = false }) }, "standby",
		},
		{"shutdown by vCenter's events", vcEvent("HostShutdownEvent", "Shut down of esx01 in Lab: planned"), nil, "reboots"},
		{
			"its own word of a reboot",
			func(w *world, s *source) {
				w.line(s.host, "<14>"+w.now.Format("2006-01-02T15:04:05.000Z")+" esx01 vobd:  [GenericCorrelator] 22us: [esx.audit.host.stop.reboot] The host is rebooting.")
			}, nil, "reboots",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s, _, _ := learnedWorld(t)
			tt.excuse(w, s)
			s.mute = true
			w.run(25 * time.Minute)
			w.wantOpen()
			if h := w.path("esx01"); h.State != event.PathExcused || !strings.Contains(strings.Join(h.Reasons, " "), tt.reason) {
				t.Errorf("%+v", h)
			}
			if tt.end != nil {
				tt.end(w, s)
			}
			w.run(10 * time.Minute)
			w.wantOpen("esx01 sends no logs any more")
		})
	}
}

// TestExcuseCloses: a silence that turns out to be maintenance ends as such.
func TestExcuseCloses(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	s.mute = true
	w.run(5 * time.Minute)
	w.change(s, func(h *event.Host) { h.Maintenance = true })
	w.run(time.Minute)
	w.wantOpen()
	if f := w.latest(); !strings.Contains(f.Explanation[len(f.Explanation)-1], "maintenance") {
		t.Errorf("%q", f.Explanation)
	}
}

// TestHowSure: severity and confidence go by what vCenter can say.
func TestHowSure(t *testing.T) {
	tests := []struct {
		name       string
		about      func(*world, *source)
		severity   event.Severity
		confidence uint8
		says       string
	}{
		{"connected", func(*world, *source) {}, event.SeverityHigh, 3, "connected to it"},
		{"not responding", func(w *world, s *source) { w.change(s, func(h *event.Host) { h.Connection = "notResponding" }) }, event.SeverityLow, 2, "no answer from it either"},
		{"vCenter is away", func(w *world, _ *source) { w.state = event.StateDead; w.report() }, event.SeverityMedium, 1, "does not answer either"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s, _, _ := learnedWorld(t)
			tt.about(w, s)
			s.mute = true
			w.run(5 * time.Minute)
			f := w.latest()
			if f.Severity != tt.severity || f.Confidence != tt.confidence || !strings.Contains(strings.Join(f.Explanation, " "), tt.says) {
				t.Errorf("severity %v, confidence %d, %q", f.Severity, f.Confidence, f.Explanation)
			}
		})
	}
}

// TestNoVCenter: without an inventory, lines alone tell, and with less
// certainty; who sends little is not judged.
func TestNoVCenter(t *testing.T) {
	w := newWorld(t, options())
	loud, rare := w.host("dns01", 60), w.host("switch01", 0.3)
	loud.host, rare.host = nil, nil
	w.run(48 * time.Hour)
	loud.mute, rare.mute = true, true
	w.run(24 * time.Hour)
	w.wantOpen("dns01 sends no logs any more")
	if f := w.found[0]; f.Severity != event.SeverityMedium || f.Confidence != 1 {
		t.Errorf("%v, %d", f.Severity, f.Confidence)
	}
}

// TestDeaf: while the service does not take lines, nobody is silent; nor when
// it has just begun to again.
func TestDeaf(t *testing.T) {
	w, _, _, _ := learnedWorld(t)
	w.deaf = "queues are full"
	w.run(6 * time.Hour)
	w.wantOpen()
	if w.d.Stats().Listening {
		t.Error("it listens")
	}
	w.deaf = ""
	w.run(time.Hour)
	w.wantOpen()
	// What it was deaf for has not taught anything either.
	if h := w.path("esx01"); h.Habit < 900 {
		t.Errorf("%+v", h)
	}
}

// TestRelay: when all machines behind one address fall silent, it is said once.
func TestRelay(t *testing.T) {
	w := newWorld(t, options())
	relay := netip.MustParseAddr("192.0.2.7")
	var behind []*source
	for _, name := range []string{"esx01", "esx02", "esx03", "esx04"} {
		s := w.host(name, 20)
		s.peer = relay
		behind = append(behind, s)
	}
	w.host("esx05", 20)
	w.report()
	w.run(48 * time.Hour)
	// One of them alone is no relay.
	behind[0].mute = true
	w.run(30 * time.Minute)
	w.wantOpen("esx01 sends no logs any more")
	behind[0].mute = false
	w.run(time.Minute)
	for _, s := range behind {
		s.mute = true
	}
	w.run(2 * time.Hour)
	w.wantOpen("The relay 192.0.2.7 sends no logs any more")
	if h := w.path("esx03"); h.State != event.PathSilent || !strings.Contains(h.Reasons[0], "192.0.2.7") {
		t.Errorf("%+v", h)
	}
	// It is back, but one machine behind it is not.
	for _, s := range behind[:3] {
		s.mute = false
	}
	w.run(30 * time.Minute)
	w.wantOpen("esx04 sends no logs any more")
}

// TestEverybody: when nothing arrives at all, it is said once.
func TestEverybody(t *testing.T) {
	w, fast, middle, slow := learnedWorld(t)
	fast.mute, middle.mute, slow.mute = true, true, true
	w.run(time.Hour)
	w.wantOpen("No machine's logs arrive any more")
	fast.mute, middle.mute, slow.mute = false, false, false
	w.run(5 * time.Minute)
	w.wantOpen()
}

// TestTargets: a list of log hosts that lost one is a finding until it has it
// again; one that got another is not.
func TestTargets(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	set := func(targets ...string) {
		w.observe(hosts.Targets{Host: s.name, VCenter: "vc1", Targets: targets, At: w.now})
		w.run(time.Minute)
	}
	set("tcp://192.0.2.5:1514")
	set("tcp://192.0.2.5:1514", "udp://192.0.2.6:514")
	w.wantOpen()
	set("udp://192.0.2.6:514")
	w.wantOpen("esx01 sends its logs elsewhere")
	if f := w.latest(); f.Analytic.UID != "host.misdirected" || f.Severity != event.SeverityHigh || f.Confidence != 3 || !strings.Contains(f.Explanation[0], "192.0.2.5") {
		t.Errorf("%+v", f)
	}
	if h := w.path("esx01"); h.State != event.PathMisdirected || len(h.Targets) != 1 {
		t.Errorf("%+v", h)
	}
	set() // nowhere: no second finding
	w.wantOpen("esx01 sends its logs elsewhere")
	set("UDP://192.0.2.6:514", "tcp://192.0.2.5:1514")
	w.wantOpen()
}

// TestMisdirectedByCommand: log hosts are set in the shell, and the lines stop.
func TestMisdirectedByCommand(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	w.line(s.host, "<14>"+w.now.Format("2006-01-02T15:04:05.000Z")+" esx01 shell[2099]: [root]: esxcli system syslog config set --loghost='tcp://203.0.113.66:514'")
	s.mute = true
	w.run(3 * time.Minute)
	w.wantOpen("esx01 sends its logs elsewhere")
	f := w.latest()
	if f.Analytic.UID != "host.misdirected" || len(f.Evidence) != 1 || !strings.Contains(f.Evidence[0].Raw, "203.0.113.66") ||
		!strings.Contains(strings.Join(f.Explanation, " "), "by root to tcp://203.0.113.66:514") {
		t.Errorf("%+v", f)
	}
	s.mute = false
	w.run(time.Minute)
	w.wantOpen()
}

// TestAddedByOption: log hosts are set, and the lines go on: all is well.
func TestAddedByOption(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	w.line(s.host, "<166>"+w.now.Format("2006-01-02T15:04:05.000Z")+" esx01 Hostd: info hostd[2099153] [Originator@6876 sub=Hostsvc opID=ab-9 user=root] Set called with key 'Syslog.global.logHost' value 'tcp://192.0.2.5:1514,udp://192.0.2.6:514'")
	w.run(3 * time.Hour)
	w.wantOpen()
	s.mute = true // much later: silence, and no misdirection
	w.run(5 * time.Minute)
	w.wantOpen("esx01 sends no logs any more")
}

// TestBlocked: the way out is closed in the host's own firewall.
func TestBlocked(t *testing.T) {
	w, _, s, _ := learnedWorld(t)
	w.line(s.host, "<14>"+w.now.Format("2006-01-02T15:04:05.000Z")+" esx02 shell[2099]: [root]: esxcli network firewall ruleset set -r syslog -e false")
	s.mute = true
	w.run(3 * time.Minute)
	w.wantOpen("esx02 sends no logs any more")
	if f := w.latest(); f.Confidence != 3 || !strings.Contains(strings.Join(f.Explanation, " "), "closed by root") {
		t.Errorf("%d, %q", f.Confidence, f.Explanation)
	}
}

// TestLoss adds up what a host says it lost, and ends an hour after the last.
func TestLoss(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	vmsyslogd := func(n string) {
		w.line(s.host, "<14>"+w.now.Format("2006-01-02T15:04:05.000Z")+" esx01 vmsyslogd: vmsyslog logger 192.0.2.5:1514 lost "+n+" log messages")
		w.run(time.Minute)
	}
	vmsyslogd("60")
	w.wantOpen()
	vmsyslogd("60")
	w.wantOpen("esx01 loses log records")
	if f := w.latest(); f.Analytic.UID != "host.loss" || f.Severity != event.SeverityLow || len(f.Evidence) != 1 {
		t.Errorf("%+v", f)
	}
	vmsyslogd("5000")
	if f := w.latest(); f.Severity != event.SeverityMedium || f.Count != 2 {
		t.Errorf("%v, %d", f.Severity, f.Count)
	}
	if h := w.path("esx01"); h.State != event.PathLosing || h.Lost != 5120 {
		t.Errorf("%+v", h)
	}
	w.run(90 * time.Minute)
	w.wantOpen()
}

// TestUnreachable: a log host that cannot be reached again and again is a loss.
func TestUnreachable(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	for range 3 {
		w.line(s.host, "<14>"+w.now.Format("2006-01-02T15:04:05.000Z")+` esx01 vobd:  [UserLevelCorrelator] 22us: [esx.problem.vmsyslogd.remote.failure] The host "udp://192.0.2.50:514" has become unreachable.  Remote logging to this host has stopped.`)
		w.run(time.Minute)
	}
	w.wantOpen("esx01 loses log records")
}

// TestLossByFirewallLog and by vCenter's word.
func TestLossByOthers(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	vc := &event.Host{Name: "vc1.lab", VCenter: "vc1", Key: "host:vc1.lab", IsVCenter: true}
	w.line(s.host, "<181>"+w.now.Format("2006-01-02T15:04:05.000Z")+" esx01 vmkernel: cpu4:2097)VSIP DFW: Log request HWM during 1800 sec period = 12000 LPS. Rate limit = 10000 LPS. Logged = 700000. Dropped = 70.")
	w.line(vc, "<14>1 "+w.now.Format("2006-01-02T15:04:05.000000Z")+" vc1.lab vpxd 58650 - -  Event [575799] [1-1] ["+w.now.Format(time.RFC3339)+"] [vim.event.GeneralHostWarningEvent] [warning] [] [DC1] [575799] [Issue detected on esx01 in DC1: vmsyslog logger 192.0.2.50:514 lost 21 log messages]")
	w.run(time.Minute)
	if h := w.path("esx01"); h.Lost != 91 {
		t.Errorf("%+v", h)
	}
}

// TestTruncated counts what was cut, and says so on the path.
func TestTruncated(t *testing.T) {
	w, s, _, _ := learnedWorld(t)
	w.line(s.host, "<166>"+w.now.Format("2006-01-02T15:04:05.000Z")+" esx01 Hostd[2099]: [Originator@6876 sub=X msgModified=\"length\" remoteHostMaxMsgLen=\"1024\" originalLen=\"4000\"] something long")
	w.run(time.Minute)
	if h := w.path("esx01"); h.Truncated != 1 || h.State != event.PathSending || len(h.Reasons) != 1 {
		t.Errorf("%+v", h)
	}
}

// TestNever: a host without a first line is a state; and a finding when its
// only log host is one that others send to.
func TestNever(t *testing.T) {
	w := newWorld(t, options())
	good := w.host("esx01", 20)
	new1, new2 := w.host("esx02", 0), w.host("esx03", 0)
	w.report()
	w.run(5 * time.Minute)
	if h := w.path("esx02"); h.State != event.PathNever || len(w.told) != 0 {
		t.Errorf("%+v, told %v", h, w.told)
	}
	w.run(time.Hour)
	w.wantOpen()
	if len(w.told) != 2 || w.told[0].State != event.PathNever {
		t.Errorf("told %v", w.told)
	}
	for s, target := range map[*source]string{good: "tcp://192.0.2.5:1514", new1: "tcp://192.0.2.5:1514", new2: "tcp://192.0.2.99:514"} {
		w.observe(hosts.Targets{Host: s.name, Targets: []string{target}})
	}
	w.run(time.Minute)
	w.wantOpen("esx02 has never sent logs, though it is set to")
	new1.sends = evenly(20)
	w.run(time.Minute)
	w.wantOpen()
}

// TestProgram: one agent of a host that sends falls silent.
func TestProgram(t *testing.T) {
	w := newWorld(t, options())
	s := w.host("esx01", 0)
	w.report()
	mute := false
	send := func(d time.Duration) {
		for end := w.now.Add(d); w.now.Before(end); w.run(w.step) {
			t := hosts.Tally{Key: s.host.Key, Name: s.name, Host: s.host, Peer: s.peer, Last: w.now, Records: 10, Programs: [3]int64{4, 3, 1}}
			if mute {
				t.Records, t.Programs[0] = 6, 0
			}
			w.observe(hosts.Tallies{t})
		}
	}
	send(26 * time.Hour)
	w.wantOpen()
	mute = true
	send(14 * time.Minute)
	w.wantOpen()
	send(5 * time.Minute)
	w.wantOpen("hostd on esx01 writes no logs any more")
	if h := w.path("esx01"); h.State != event.PathSending || !strings.Contains(h.Reasons[0], "hostd") {
		t.Errorf("%+v", h)
	}
	mute = false
	send(time.Minute)
	w.wantOpen()
}

// TestRestart: habits and open findings outlive the process, and nobody is
// called silent just after it.
func TestRestart(t *testing.T) {
	w, fast, middle, slow := learnedWorld(t)
	fast.mute = true
	w.run(5 * time.Minute)
	w.wantOpen("esx01 sends no logs any more")
	data, err := w.d.Save()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 3*4096 {
		t.Errorf("%d bytes for 3 machines", len(data))
	}

	again := newWorld(t, options())
	again.now, again.sources = w.now.Add(time.Hour), w.sources
	if err := again.d.Load(data); err != nil {
		t.Fatal(err)
	}
	open := []event.Finding{*w.latest()}
	again.d.Restore(open)
	again.report()
	middle.mute = true
	again.run(9 * time.Minute)
	if len(again.found) != 0 {
		t.Errorf("%d findings just after the start: %s", len(again.found), again.found[0].Title)
	}
	if h := again.path("esx01"); h.State != event.PathSilent {
		t.Errorf("%+v", h)
	}
	again.run(5 * time.Minute) // what did not come back after the restart
	again.wantOpen("esx02 sends no logs any more")
	fast.mute = false
	again.run(time.Minute)
	if f := again.latest(); f.UID != open[0].UID || f.Activity != event.FindingClose {
		t.Errorf("%s %v, want the end of %s", f.UID, f.Activity, open[0].UID)
	}
	slow.mute = true
	again.run(30 * time.Minute)
	again.wantOpen("esx02 sends no logs any more", "esx03 sends no logs any more")
}

// TestLoadRefuses what is not of this form.
func TestLoadRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", `{"version":2}`, `{"version":1,"machines":[{"key":5}]}`} {
		if err := hosts.New(options(), nil).Load([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestBounds: whoever sends chooses names, and gets no more than their room.
func TestBounds(t *testing.T) {
	w := newWorld(t, options())
	w.host("esx01", 20)
	w.report()
	var all hosts.Tallies
	for i := range 30_000 {
		name := "forged" + string(rune('a'+i%26)) + strings.Repeat("x", i/26%40) + time.Duration(i).String()
		all = append(all, hosts.Tally{Key: "host:" + name, Name: name, Last: w.now, Records: 1})
	}
	w.observe(all)
	w.run(time.Minute)
	answer := make(chan []event.HostPath, 1)
	w.observe(hosts.Ask(answer))
	if n := len(<-answer); n != 5001 {
		t.Errorf("%d machines", n)
	}
	if s := w.d.Stats(); s.Untracked != 25_000 {
		t.Errorf("%+v", s)
	}
	w.step = time.Hour
	w.run(8 * 24 * time.Hour)
	w.observe(hosts.Ask(answer))
	if n := len(<-answer); n != 1 {
		t.Errorf("%d machines after a week", n)
	}
}

// TestFalseAlarms listens to machines of many habits, none of which is ever
// silent, for simulated weeks. docs/detection.md states the bound.
func TestFalseAlarms(t *testing.T) {
	weeks := 4
	if testing.Short() {
		weeks = 2
	}
	rng := rand.New(rand.NewPCG(1, 2))
	poisson := func(mean float64) int64 {
		if mean > 50 {
			return max(0, int64(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
		}
		n, p, limit := int64(0), rng.Float64(), math.Exp(-mean)
		for ; p > limit; n++ {
			p *= rng.Float64()
		}
		return n
	}
	random := func(perMinute float64) func(time.Time, time.Duration) int64 {
		return func(_ time.Time, step time.Duration) int64 { return poisson(perMinute * step.Minutes()) }
	}
	// shaped varies the rate with time.
	shaped := func(perMinute float64, shape func(time.Time) float64) func(time.Time, time.Duration) int64 {
		return func(now time.Time, step time.Duration) int64 { return poisson(perMinute * shape(now) * step.Minutes()) }
	}
	day := func(now time.Time) float64 { // a hundredfold between night and noon
		return math.Pow(10, -1-math.Cos(2*math.Pi*now.Sub(now.Truncate(24*time.Hour)).Hours()/24))
	}
	office := func(now time.Time) float64 { // and next to nothing at weekends
		if d := now.Weekday(); d == time.Saturday || d == time.Sunday {
			return 0.01
		}
		return day(now)
	}
	// bursts come at random, of a random size each: heavy tails on both (Pareto;
	// the lower the index, the heavier).
	bursts := func(perHour, index float64) func(time.Time, time.Duration) int64 {
		next := time.Time{}
		return func(now time.Time, _ time.Duration) (n int64) {
			for ; next.Before(now); n += int64(1 + 20/math.Sqrt(rng.Float64())) {
				gap := (math.Pow(rng.Float64(), -1/index) - 1) * (index - 1) // of mean 1
				next = later(next, now.Add(-time.Hour)).Add(time.Duration(gap / perHour * float64(time.Hour)))
			}
			return n
		}
	}
	type kind struct {
		name  string
		sends func() func(time.Time, time.Duration) int64
	}
	usual := []kind{
		{"even, 1", func() func(time.Time, time.Duration) int64 { return evenly(1) }},
		{"bursts, 60", func() func(time.Time, time.Duration) int64 { return bursts(60, 6) }},
	}
	for _, rate := range []float64{0.2, 2, 20, 1000} {
		usual = append(usual,
			kind{fmt.Sprint("random, ", rate), func() func(time.Time, time.Duration) int64 { return random(rate) }},
			kind{fmt.Sprint("day, ", rate), func() func(time.Time, time.Duration) int64 { return shaped(rate, day) }},
			kind{fmt.Sprint("office, ", rate), func() func(time.Time, time.Duration) int64 { return shaped(rate, office) }})
	}
	heavy := []kind{
		{"bursts, 4", func() func(time.Time, time.Duration) int64 { return bursts(4, 2.5) }},
		{"bursts, 60", func() func(time.Time, time.Duration) int64 { return bursts(60, 2.5) }},
	}
	listen := func(name string, kinds []kind, each int, most float64) {
		w := newWorld(t, options())
		w.step = 15 * time.Second
		for i := range each {
			for _, k := range kinds {
				w.host(fmt.Sprintf("%s #%d", k.name, i), 0).sends = k.sends()
			}
		}
		w.report()
		w.run(time.Duration(weeks) * 7 * 24 * time.Hour)
		alarms := 0
		for _, f := range w.found {
			if f.Activity == event.FindingCreate {
				alarms++
				t.Logf("%s: %s %q", f.Time, f.Title, f.Explanation)
			}
		}
		hostWeeks := len(w.sources) * weeks
		t.Logf("%s: %d false alarms in %d host-weeks", name, alarms, hostWeeks)
		if float64(alarms) > most*float64(hostWeeks) {
			t.Errorf("%s: %d false alarms in %d host-weeks, want at most %v a week", name, alarms, hostWeeks, most)
		}
	}
	listen("usual", usual, 3, 0.02)
	listen("heavy tails", heavy, 4, 0.5)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
