package stream_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
	"github.com/vegress/vegress/vsphere/resolver"
	"github.com/vegress/vegress/vsphere/vcenter"
)

// house is a Detector below a Correlator, with real decoders in front.
type house struct {
	t        testing.TB
	decoder  *vsphere.Decoder
	detector *stream.Detector
	above    *stream.Correlator
	n        int
	ticked   time.Time
	last     map[string]*event.Finding // by uid
	order    []*event.Finding          // revisions
}

// compile makes a Policy; nothing may be refused.
func compile(t testing.TB, o stream.Options) *stream.Policy {
	t.Helper()
	set, err := stream.Load(builtin, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range set.Refusals {
		t.Error(r)
	}
	return stream.Compile(set, o)
}

func newHouse(t testing.TB, o stream.Options) *house {
	h := &house{t: t, last: map[string]*event.Finding{}}
	h.decoder = vsphere.NewDecoder(vsphere.Programs(esxi.Recognizers(), vcenter.Recognizers(), resolver.Recognizers()), vsphere.Options{Replay: true})
	p := compile(t, o)
	h.above = stream.NewCorrelator(p)
	h.detector = stream.New(p, func(o analytics.Observation) { h.above.Observe(o, h.report) })
	return h
}

func (h *house) adopt(p *stream.Policy) {
	h.detector.SetPolicy(p)
	h.above.SetPolicy(p)
}

func (h *house) report(f *event.Finding) {
	h.last[f.UID] = f
	h.order = append(h.order, f)
}

func (h *house) event(line string) *event.Event {
	var m syslog.Message
	p := syslog.Parser{Reference: day}
	p.Parse(line, &m)
	ev := new(event.Event)
	h.decoder.Decode(&m, ev)
	h.n++
	ev.UID = fmt.Sprintf("u%d", h.n)
	return ev
}

func (h *house) line(line string) { h.see(h.event(line)) }

func (h *house) see(ev *event.Event) {
	h.detector.Detect(ev, h.report)
	if ev.Time.Sub(h.ticked) >= time.Second {
		h.pass(ev.Time)
	}
}

func (h *house) pass(now time.Time) {
	h.ticked = now
	h.detector.Tick(now, h.report)
	h.above.Tick(now, h.report)
}

// of gives the findings of a rule or correlation, in the order of their uids.
func (h *house) of(rule string) (all []*event.Finding) {
	for _, uid := range slices.Sorted(maps.Keys(h.last)) {
		if f := h.last[uid]; f.Analytic.UID == rule {
			all = append(all, f)
		}
	}
	return all
}

func (h *house) only(rule string) *event.Finding {
	h.t.Helper()
	all := h.of(rule)
	if len(all) != 1 {
		h.t.Fatalf("%d findings of %s, want 1", len(all), rule)
	}
	return all[0]
}

var day = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// at is a time of that day as ESXi writes it, so long after nine.
func at(after time.Duration) string { return day.Add(after).Format("2006-01-02T15:04:05.000Z") }

func shell(after time.Duration, host, command string) string {
	return fmt.Sprintf("<14>%s %s shell[2101456]: [root]: %s", at(after), host, command)
}

func ssh(after time.Duration, host, how, from string) string {
	return fmt.Sprintf("<86>%s %s sshd[2101460]: %s keyboard-interactive/pam for root from %s port 50311 ssh2", at(after), host, how, from)
}

const (
	bruteForce = "8f44de32-5816-44e2-ab3a-400318c48b38"
	download   = "f97a3904-c890-4a09-bb26-57359768661f"
)

// TestFinding: what a hit becomes.
func TestFinding(t *testing.T) {
	h := newHouse(t, options())
	ev := h.event(shell(0, "esx01", "cd /tmp && wget http://203.0.113.9/a"))
	vm := &event.VM{Name: "db01", VCenter: "vc1", InstanceUUID: "u", Key: "vm:vc1/u"}
	ev.Dst.Context.VM = vm
	h.see(ev)
	f := h.only(download)
	if f.Severity != event.SeverityHigh || f.Confidence != 2 || f.Risk != 75 || f.Count != 1 || f.Activity != event.FindingCreate ||
		f.Title != "ESXi: download to a host (esx01)" || f.Entity != "host:esx01" || f.Dst.Context.VM != vm {
		t.Errorf("%+v", f)
	}
	if !f.Analytic.Rule || f.Analytic.Name != "ESXi: download to a host" || f.Analytic.Desc == "" || f.Analytic.Version == "" {
		t.Errorf("analytic %+v", f.Analytic)
	}
	want := event.Attack{Tactic: "Command and Control", TacticUID: "TA0011", Technique: "Ingress Tool Transfer", TechniqueUID: "T1105"}
	if !slices.Contains(f.Analytic.Attacks, want) {
		t.Errorf("attacks %v, want %v among them", f.Analytic.Attacks, want)
	}
	if len(f.Evidence) != 1 || f.Evidence[0].Raw != ev.Raw || !slices.Equal(f.Related, []string{"u1"}) {
		t.Errorf("evidence %v, related %v", f.Evidence, f.Related)
	}
	if !slices.ContainsFunc(f.Explanation, func(s string) bool { return strings.Contains(s, `Image is "/bin/wget"`) }) {
		t.Errorf("no sentence names what matched: %q", f.Explanation)
	}
}

// TestSuppression: hits of one rule and entity revise one finding while they
// come; after a quiet time there is a new one.
func TestSuppression(t *testing.T) {
	h := newHouse(t, options())
	for i := range 40 {
		h.line(shell(time.Duration(i)*time.Minute, "esx01", "wget http://203.0.113.9/a"))
		h.line(shell(time.Duration(i)*time.Minute, "esx02", "wget http://203.0.113.9/a"))
	}
	h.pass(day.Add(50 * time.Minute))
	h.detector.Flush(h.report)
	if all := h.of(download); len(all) != 2 || all[0].Count != 40 || all[1].Count != 40 || all[0].LastSeen.Sub(all[0].FirstSeen) != 39*time.Minute {
		t.Errorf("%d findings: %+v", len(all), all)
	}
	if n := len(h.order); n > 20 {
		t.Errorf("%d revisions of two findings", n)
	}
	h.pass(day.Add(3 * time.Hour))
	h.line(shell(3*time.Hour, "esx01", "wget http://203.0.113.9/a"))
	if all := h.of(download); len(all) != 3 {
		t.Errorf("%d findings after a quiet time, want 3", len(all))
	}
}

// TestOncePerEvent: an event of several sources is one hit of a rule for all
// of them.
func TestOncePerEvent(t *testing.T) {
	o := options()
	o.Builtin = false
	o.Paths = []string{write(t, "any.yml", `title: Any line of a host
id: 22222222-0000-4000-8000-000000000001
logsource: {product: vmware_esxi}
detection: {a: {Command|contains: wget}, condition: a}
`)}
	h := newHouse(t, o)
	h.line(shell(0, "esx01", "wget http://203.0.113.9/a"))
	if st := h.detector.Stats(); len(st.Rules) != 1 || st.Rules[0].Hits != 1 {
		t.Errorf("%+v", st.Rules)
	}
}

// TestFlood: a rule opens no more findings in a minute than it may; the rest
// is counted in one that says so, and in the next minute it may again.
func TestFlood(t *testing.T) {
	o := options()
	o.Flood = 5
	h := newHouse(t, o)
	h.pass(day)
	for i := range 40 {
		h.line(shell(time.Millisecond, fmt.Sprintf("esx%02d", i), "wget http://203.0.113.9/a"))
	}
	h.detector.Flush(h.report)
	all := h.of(download)
	var crowd *event.Finding
	total := int64(0)
	for _, f := range all {
		total += f.Count
		if f.Key != "" {
			crowd = f
		}
	}
	if len(all) != 6 || total != 40 || crowd == nil || crowd.Count != 35 || !strings.Contains(crowd.Title, "more than 5") {
		t.Errorf("%d findings of %d hits, and %+v", len(all), total, crowd)
	}
	if st := h.detector.Stats().Rules[0]; st.Hits != 40 || st.Throttled != 35 {
		t.Errorf("%+v", st)
	}
	h.pass(day.Add(2 * time.Minute))
	h.line(shell(2*time.Minute, "esx99", "wget http://203.0.113.9/a"))
	if all := h.of(download); len(all) != 7 {
		t.Errorf("%d findings after the flood, want 7", len(all))
	}
}

// TestCorrelation: a chain of correlations becomes a finding with the events
// that made it; those that it counts raise nothing by themselves; the next one
// of the same group revises it.
func TestCorrelation(t *testing.T) {
	h := newHouse(t, options())
	tries := func(from time.Duration) {
		for i := range 6 {
			h.line(ssh(from+time.Duration(i)*time.Second, "esx01", "Failed", "10.0.0.7"))
		}
		h.line(ssh(from+20*time.Second, "esx01", "Accepted", "10.0.0.7"))
	}
	tries(0)
	f := h.only(bruteForce)
	if len(h.last) != 1 || f.Entity != "host:esx01" || !strings.Contains(f.Key, "10.0.0.7") || f.Severity != event.SeverityHigh {
		t.Errorf("%d findings, %+v", len(h.last), f)
	}
	if f.Count != 2 || len(f.Evidence) != 2 || !strings.Contains(f.Evidence[0].Raw, "Failed") || !strings.Contains(f.Evidence[1].Raw, "Accepted") ||
		!f.FirstSeen.Equal(day) || !f.LastSeen.Equal(day.Add(20*time.Second)) {
		t.Errorf("%d events, seen %v to %v: %+v", f.Count, f.FirstSeen, f.LastSeen, f.Evidence)
	}
	tries(10 * time.Minute)
	h.above.Flush(h.report)
	if f := h.only(bruteForce); f.Count != 4 {
		t.Errorf("%d events after the second time, want 4", f.Count)
	}
	tries(13 * time.Hour)
	if all := h.of(bruteForce); len(all) != 2 {
		t.Errorf("%d findings after a quiet time, want 2", len(all))
	}
	if st := h.above.Stats(); st.Sightings == 0 {
		t.Errorf("%+v", st)
	}
}

const countRule = `title: A login failed
name: login_failed
logsource: {product: vmware_esxi, service: auth}
detection: {a: {Activity: logon, Status: failure}, condition: a}
---
title: Many logins fail
id: 33333333-0000-4000-8000-000000000001
correlation: {type: event_count, rules: [login_failed], group-by: [SourceIp], timespan: 10m, condition: {gte: 20}}
level: medium
`

// TestCount: a finding counts all events of its correlation, and names some;
// late ones within the bound count, and those beyond do not.
func TestCount(t *testing.T) {
	o := options()
	o.Builtin, o.Paths = false, []string{write(t, "count.yml", countRule)}
	h := newHouse(t, o)
	h.pass(day.Add(time.Minute))
	h.line(ssh(-time.Minute, "esx01", "Failed", "10.0.0.7")) // two minutes late
	for i := range 19 {
		h.line(ssh(time.Minute-time.Duration(i)*3*time.Second, "esx01", "Failed", "10.0.0.7")) // ever later
	}
	if len(h.last) > 0 {
		t.Fatal("a finding of 19 events")
	}
	h.line(ssh(61*time.Second, "esx01", "Failed", "10.0.0.7"))
	f := h.only("33333333-0000-4000-8000-000000000001")
	if f.Count != 20 || len(f.Related) != 11 || !f.LastSeen.Equal(day.Add(61*time.Second)) {
		t.Errorf("%d events, %d named, last %v", f.Count, len(f.Related), f.LastSeen)
	}
	h.pass(day.Add(62 * time.Second))
	if st := h.above.Stats(); st.Late != 1 {
		t.Errorf("%d late, want 1", st.Late)
	}
}

// TestPolicy: a new one is in force at once; open findings and windows of what
// stayed the same survive.
func TestPolicy(t *testing.T) {
	o := options()
	o.Paths = []string{write(t, "count.yml", strings.ReplaceAll(countRule, "20", "4"))}
	h := newHouse(t, o)
	h.line(shell(0, "esx01", "wget http://203.0.113.9/a"))
	for i := range 3 {
		h.line(ssh(time.Duration(i)*time.Second, "esx01", "Failed", "10.0.0.7"))
	}
	next := o
	next.Overrides = []sigma.Override{{IDs: []string{"376364f3-9bb7-4362-8f05-4e5e76276b1e"}, Disable: true}, {IDs: []string{download}, Level: "critical"}}
	h.adopt(compile(t, next))
	h.line(shell(3*time.Second, "esx01", "wget http://203.0.113.9/a"))
	h.line(shell(3*time.Second, "esx01", "vim-cmd hostsvc/enable_ssh"))
	h.line(ssh(4*time.Second, "esx01", "Failed", "10.0.0.7"))
	if f := h.only(download); f.Count != 2 || f.Severity != event.SeverityCritical {
		t.Errorf("the open finding counts %d, %s", f.Count, f.Severity)
	}
	if len(h.of("376364f3-9bb7-4362-8f05-4e5e76276b1e")) > 0 {
		t.Error("a rule that was disabled holds")
	}
	h.only("33333333-0000-4000-8000-000000000001") // three before the reload, one after it
}

// TestRestore: open findings go on after a restart.
func TestRestore(t *testing.T) {
	h := newHouse(t, options())
	h.line(shell(0, "esx01", "wget http://203.0.113.9/a"))
	for range 5 {
		h.line(ssh(time.Second, "esx01", "Failed", "10.0.0.7"))
	}
	h.line(ssh(2*time.Second, "esx01", "Accepted", "10.0.0.7"))
	var open []event.Finding
	for _, f := range h.last {
		open = append(open, *f)
	}
	again := newHouse(t, options())
	again.detector.Restore(open)
	again.above.Restore(open)
	again.line(shell(5*time.Second, "esx01", "wget http://203.0.113.9/a"))
	again.detector.Flush(again.report)
	if f := again.only(download); f.Count != 2 || f.UID != h.only(download).UID {
		t.Errorf("%+v", f)
	}
	none := options()
	none.Builtin = false
	gone := newHouse(t, none)
	gone.detector.Restore(open)
	gone.above.Restore(open)
	gone.pass(day.Add(2 * time.Hour))
	if len(gone.order) != 2 || gone.order[0].Activity != event.FindingClose {
		t.Errorf("findings of rules that are gone: %v", gone.order)
	}
	again.pass(day.Add(2 * time.Hour))
	if f := again.only(bruteForce); f.Activity != event.FindingClose {
		t.Errorf("the correlation's finding is not closed: %+v", f)
	}
}

// TestAnswersOfNobody: a resolver's answer that names no client blames nobody.
func TestAnswersOfNobody(t *testing.T) {
	h := newHouse(t, options())
	h.line("<30>" + at(0) + " dns01 dnsmasq[812]: query[A] api.telegram.org from 10.1.0.10")
	h.line("<30>" + at(0) + " dns01 dnsmasq[812]: reply api.telegram.org is 203.0.113.40")
	if len(h.last) != 1 || h.order[0].Entity != "addr:10.1.0.10" {
		t.Errorf("%d findings: %+v", len(h.last), h.order)
	}
}

// TestNames: a rule without an id goes by its name, without one by a hash that
// does not depend on where its file is; two alike are told apart.
func TestNames(t *testing.T) {
	const nameless = "title: Nameless\nlogsource: {product: vmware_esxi}\ndetection: {a: {Command|contains: one}, condition: a}\n"
	text := nameless + "---\n" + nameless + "---\nname: named\n" + nameless
	seen := func() []string {
		o := options()
		o.Builtin, o.Paths = false, []string{write(t, "names.yml", text)}
		h := newHouse(t, o)
		h.line(shell(0, "esx01", "one"))
		var uids []string
		for _, st := range h.detector.Stats().Rules {
			uids = append(uids, st.UID)
		}
		return uids
	}
	first, second := seen(), seen()
	if len(first) != 3 || first[0] != "named" || !slices.ContainsFunc(second, func(uid string) bool { return uid == first[1] || uid == first[2] }) {
		t.Errorf("%v, and elsewhere %v", first, second)
	}
}

// TestNoAllocations: events that no rule holds for cost none.
func TestNoAllocations(t *testing.T) {
	h := newHouse(t, options())
	var events []*event.Event
	for _, line := range []string{
		"<13>" + at(0) + " esx01 FIREWALL-PKTLOG: 5a3c11d0 INET TERM PASS 1031 OUT TCP FIN 192.0.2.5/32808->203.0.113.7/443 9/8 1461/4677",
		shell(0, "esx01", "ls -l /vmfs/volumes"),
		"<166>" + at(0) + " esx02 Hostd[2099153]: [Originator@6876 sub=Vimsvc.ha-eventmgr] Event 1720 : User vpxuser@10.0.0.20 logged in as VMware-client/8.0.3",
		"<30>" + at(0) + " dns01 dnsmasq[812]: query[A] www.example.com from 10.1.0.10",
	} {
		events = append(events, h.event(line))
	}
	report := h.report
	for _, ev := range events {
		if n := testing.AllocsPerRun(200, func() { h.detector.Detect(ev, report) }); n != 0 || len(h.order) > 0 {
			t.Errorf("%v allocations for %s", n, ev.Raw)
		}
	}
	if len(h.order) > 0 {
		t.Errorf("%d findings", len(h.order))
	}
}

// TestStats: the cost is sampled.
func TestStats(t *testing.T) {
	h := newHouse(t, options())
	line := shell(0, "esx01", "esxcli vm process list")
	for range 3000 {
		h.line(line)
	}
	st := h.detector.Stats()
	if st.Events != 3000 || st.Cost <= 0 || h.detector.Policy().Loaded().Rules < 60 || h.detector.Policy().Loaded().Blind > 0 {
		t.Errorf("%+v", st)
	}
}
