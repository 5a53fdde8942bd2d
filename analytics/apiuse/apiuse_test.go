package apiuse_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/apiuse"
	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
	"github.com/vegress/vegress/vsphere/vcenter"
)

var vc = &event.Host{VCenter: "vc1", Name: "vc1.corp.example", Key: "host:vc1.corp.example", IsVCenter: true}

func options() apiuse.Options {
	return apiuse.Options{
		NewTriple: apiuse.NewTripleOptions{Learning: 24 * time.Hour, Users: []string{`CORP\terraform`}},
		GuestOps:  apiuse.GuestOpsOptions{Users: []string{"svc-tools"}},
		Bulk:      apiuse.BulkOptions{Window: time.Hour, PowerOff: 3, RemoveSnapshots: 3, Destroy: 3, Export: 3, Users: []string{"dr-*@corp"}},
	}
}

// outside: all but 10.0.0.0/8 and loopback.
func outside(a netip.Addr) bool {
	return !netip.MustParsePrefix("10.0.0.0/8").Contains(a) && !a.IsLoopback()
}

func compile(t testing.TB, o apiuse.Options, outside func(netip.Addr) bool) *apiuse.Policy {
	t.Helper()
	p, err := apiuse.Compile(o, outside, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// backups is Evidence of a run that never ends.
type backups struct{ user string }

func (b backups) BackupBy(_, user string, _ time.Time) (analytics.Run, bool) {
	return analytics.Run{Name: "backup run"}, user == b.user
}

// estate is a Scout below a Detector, with real decoders in front.
type estate struct {
	t        testing.TB
	decoder  *vsphere.Decoder
	scout    *apiuse.Scout
	detector *apiuse.Detector
	n        int
	rested   time.Time
	found    map[string]*event.Finding
	order    []string
}

func newEstate(t testing.TB, o apiuse.Options) *estate {
	return estateOf(t, compile(t, o, outside))
}

func estateOf(t testing.TB, p *apiuse.Policy) *estate {
	return &estate{
		t: t, scout: apiuse.NewScout(p, backups{"svc-backup"}), detector: apiuse.New(p), found: map[string]*event.Finding{},
		decoder: vsphere.NewDecoder(vsphere.Programs(esxi.Recognizers(), vcenter.Recognizers()), vsphere.Options{Replay: true}),
	}
}

func (e *estate) report(f *event.Finding) {
	if e.found[f.UID] == nil {
		e.order = append(e.order, f.Analytic.UID)
	}
	e.found[f.UID] = f
}

func (e *estate) tell(o analytics.Observation) { e.detector.Observe(o, e.report) }

func (e *estate) line(raw string) *event.Event {
	var m syslog.Message
	p := syslog.Parser{Reference: day.Add(48 * time.Hour)}
	p.Parse(raw, &m)
	m.Records = 1
	ev := new(event.Event)
	e.decoder.Decode(&m, ev)
	e.n++
	ev.UID = fmt.Sprintf("u%d", e.n)
	if strings.HasPrefix(ev.Device.Hostname, "vc1") {
		ev.Device.Host = vc
	}
	e.scout.Scout(ev, e.tell)
	if ev.Time.Sub(e.rested) >= time.Second || ev.Time.Before(e.rested) {
		e.rested = ev.Time
		e.scout.Rest(e.tell)
		e.detector.Tick(ev.Time, e.report)
	}
	return ev
}

// only gives the one finding of an analytic.
func (e *estate) only(uid string) *event.Finding {
	e.t.Helper()
	var match *event.Finding
	for _, f := range e.found {
		if f.Analytic.UID != uid {
			e.t.Errorf("another finding: %s: %s", f.Analytic.UID, f.Title)
			continue
		}
		if match != nil {
			e.t.Errorf("two findings: %s; %s", match.Title, f.Title)
		}
		match = f
	}
	if match == nil {
		e.t.Fatalf("no finding of %s", uid)
	}
	return match
}

var day = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// at is a moment: "8:00", or "33:00" for nine in the next morning.
func at(clock string) time.Time {
	var h, m, s int
	if n, _ := fmt.Sscanf(clock, "%d:%d:%d", &h, &m, &s); n < 2 {
		panic(clock)
	}
	return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second)
}

const stamp = "2006-01-02T15:04:05.000Z"

// said is an event that the vCenter forwards.
func said(clock, kind, user, text string) string {
	when := at(clock).Format(stamp)
	return fmt.Sprintf("<14>1 %s vc1.corp.example vpxd 58650 - - Event [7] [1-1] [%s] [vim.event.%s] [info] [%s] [DC] [7] [%s]", when, when, kind, user, text)
}

func login(clock, user, addr, agent string) string {
	return said(clock, "UserLoginSessionEvent", user, fmt.Sprintf("User %s@%s logged in as %s", user, addr, agent))
}

func logout(clock, user, addr, agent string) string {
	return said(clock, "UserLogoutSessionEvent", user, fmt.Sprintf("User %s@%s logged out (login time: Monday, 23 November, 2026 08:00:00 AM, number of API invocations: 7, user agent: %s)", user, addr, agent))
}

func single(clock, user, addr string) string {
	return said(clock, "EventEx", user, fmt.Sprintf("Successful login %s from %s at 11/23/2026 08:00:00 GMT in SSO", user, addr))
}

func vpxd(clock, op, text string) string {
	when := at(clock).Format(stamp)
	return fmt.Sprintf("<14>1 %s vc1.corp.example vpxd-main - - - %s info vpxd[58650] [Originator@6876 sub=vpxLro opID=%s] %s", when, when, op, text)
}

func call(clock, op, object, method, session string) string {
	return vpxd(clock, op, fmt.Sprintf("[VpxLRO] -- BEGIN lro-%s -- %s -- %s -- %s(%s)", op, object, method, session, session))
}

// actor is who acted, by an event.
func actor(ev *event.Event) string {
	via, _ := ev.Field(event.Intern("actor_via"))
	return fmt.Sprintf("%s %s %s %s by %s", ev.User.Name, ev.Session, ev.Src.IP, ev.HTTP.UserAgent, via.Value)
}

const (
	s1 = "52aaaaaa-0000-0000-0000-000000000001"
	s2 = "52bbbbbb-0000-0000-0000-000000000002"
)

// TestJoin: who did what the last line tells.
func TestJoin(t *testing.T) {
	off := "[VpxLRO] -- FINISH lro-b"
	powerOff := call("8:01", "b", "vm-33", "vim.VirtualMachine.powerOff", s1)
	begin := call("8:00", "a", "SessionManager", "vim.SessionManager.login", s1)
	ann := "ann " + s1 + " 10.0.0.5 PowerCLI/13.2 by session"
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"a login and its call", []string{begin, login("8:00:01", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"), powerOff}, ann},
		{"the login's line comes first", []string{login("8:00", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"), call("8:00:01", "a", "SessionManager", "vim.SessionManager.login", s1), powerOff}, ann},
		{"a line names the account by the operation", []string{
			begin, vpxd("8:00", "a", `[Auth]: User CORP\ann`),
			login("8:00:01", `CORP\bob`, "10.0.0.6", "curl"), login("8:00:01", `ann@corp.example`, "10.0.0.5", "PowerCLI/13.2"), powerOff,
		}, ann},
		{"two logins at once", []string{begin, login("8:00:01", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"), login("8:00:01", `CORP\bob`, "10.0.0.6", "curl"), powerOff}, " " + s1 + " invalid IP  by "},
		{"two sessions at once", []string{begin, call("8:00:01", "c", "SessionManager", "vim.SessionManager.login", s2), login("8:00:01", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"), powerOff}, " " + s1 + " invalid IP  by "},
		{"no login was seen", []string{powerOff}, " " + s1 + " invalid IP  by "},
		{"the end of a call names no session", []string{begin, login("8:00:01", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"), powerOff, vpxd("8:02", "b", off)}, "ann " + s1 + " 10.0.0.5 PowerCLI/13.2 by opid"},
		{"an event names the account", []string{login("8:00", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"), said("8:01", "VmPoweredOffEvent", `CORP\Ann`, "db01 on esx01 in DC is powered off")}, "Ann  10.0.0.5 PowerCLI/13.2 by account"},
		{"two clients at one address", []string{login("8:00", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"), login("8:00", `CORP\ann`, "10.0.0.5", "curl"), said("8:01", "VmPoweredOffEvent", `CORP\ann`, "db01 on esx01 in DC is powered off")}, "ann  10.0.0.5  by account"},
		{"two addresses", []string{login("8:00", `CORP\ann`, "10.0.0.5", "curl"), login("8:00", `CORP\ann`, "10.0.0.6", "curl"), said("8:01", "VmPoweredOffEvent", `CORP\ann`, "db01 on esx01 in DC is powered off")}, "ann  invalid IP  by "},
		{"the other address has logged out", []string{
			login("8:00", `CORP\ann`, "10.0.0.5", "curl"), login("8:00", `CORP\ann`, "10.0.0.6", "curl"), logout("8:01", `CORP\ann`, "10.0.0.6", "curl"),
			said("8:05", "VmPoweredOffEvent", `CORP\ann`, "db01 on esx01 in DC is powered off"),
		}, "ann  10.0.0.5 curl by account"},
		{"behind the web client", []string{login("8:00", `CORP\ann`, "127.0.0.1", "vim-java"), single("8:03", "ann@corp.example", "10.0.0.9"), said("8:05", "VmPoweredOffEvent", `CORP\ann`, "db01 on esx01 in DC is powered off")}, "ann  10.0.0.9 vim-java by account"},
		{"before the login", []string{login("9:00", `CORP\ann`, "10.0.0.5", "curl"), said("8:05", "VmPoweredOffEvent", `CORP\ann`, "db01 on esx01 in DC is powered off")}, "ann  invalid IP  by "},
		{"a host's session", []string{
			`<166>2026-11-23T08:00:00.000Z esx01.corp.example Hostd[5]: [Originator@6876 sub=Vimsvc.HaSessionManager opID=esxui-1 sid=52f0e556] Accepted password for user root from 10.0.0.7 - session=52f0e556-5be4-83d4-8d71-8f9d8a43791c`,
			`<166>2026-11-23T08:00:00.001Z esx01.corp.example Hostd[5]: [Originator@6876 sub=Vimsvc.ha-eventmgr opID=esxui-1 sid=52f0e556] Event 99 : User root@10.0.0.7 logged in as curl`,
			`<166>2026-11-23T08:01:00.000Z esx01.corp.example Hostd[5]: [Originator@6876 sub=Vimsvc.TaskManager opID=esxui-2 sid=52f0e556 user=root] Task Created : haTask-11-vim.VirtualMachine.powerOff-122`,
		}, "root 52f0e556 10.0.0.7 curl by session"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEstate(t, options())
			var last *event.Event
			for _, raw := range c.lines {
				last = e.line(raw)
			}
			if got := actor(last); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestExternal(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  event.Severity // 0: no finding
	}{
		{"inside", []string{login("8:00", `CORP\ann`, "10.0.0.5", "curl")}, 0},
		{"a login", []string{login("8:00", `CORP\ann`, "203.0.113.5", "curl")}, event.SeverityHigh},
		{"by the web", []string{single("8:00", `ann@corp`, "203.0.113.5")}, event.SeverityHigh},
		{"a login that failed", []string{said("8:00", "BadUsernameSessionEvent", "", "Cannot login ann@203.0.113.5")}, event.SeverityMedium},
		{"and what it did", []string{login("8:00", `CORP\ann`, "203.0.113.5", "curl"), said("8:01", "VmRemovedEvent", `CORP\ann`, "Removed db01 on esx01 from DC")}, event.SeverityCritical},
		{"at a host", []string{`<166>2026-11-23T08:00:00.001Z esx01.corp.example Hostd[5]: [Originator@6876 sub=Vimsvc.ha-eventmgr sid=52f0e556] Event 99 : User root@203.0.113.5 logged in as curl`}, event.SeverityHigh},
		{"SSH is another matter", []string{said("8:00", "EventEx", "", "SSH session was opened for root@203.0.113.5.")}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEstate(t, options())
			for _, raw := range c.lines {
				e.line(raw)
			}
			if c.want == 0 {
				if len(e.found) > 0 {
					t.Errorf("found %v", e.order)
				}
				return
			}
			f := e.only(apiuse.ExternalAPI)
			if f.Severity != c.want || f.Key != "203.0.113.5" || len(f.Evidence) != len(c.lines) || len(f.Explanation) < 3 {
				t.Errorf("severity %s, want %s; key %q, %d records, %q", f.Severity, c.want, f.Key, len(f.Evidence), f.Explanation)
			}
		})
	}
}

// TestNewTriple: a finding only where somebody known in no way does something
// privileged, after the learning.
func TestNewTriple(t *testing.T) {
	begins := login("0:10", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2.1") // the vCenter is watched from then on
	removes := func(clock string) string {
		return said(clock, "VmRemovedEvent", `CORP\ann`, "Removed db01 on esx01 from DC")
	}
	for _, c := range []struct {
		name  string
		lines []string
		found bool
	}{
		{"known", []string{begins, removes("33:00")}, false},
		{"another address", []string{begins, logout("0:20", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2.1"), login("33:00", `CORP\ann`, "10.0.0.6", "PowerCLI/13.2.1"), removes("33:01")}, true},
		{"another client", []string{begins, logout("0:20", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2.1"), login("33:00", `CORP\ann`, "10.0.0.5", "curl"), removes("33:01")}, true},
		{"a newer version of the client", []string{begins, logout("0:20", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2.1"), login("33:00", `CORP\ann`, "10.0.0.5", "PowerCLI/14.0"), removes("33:01")}, false},
		{"while it learns", []string{begins, logout("0:20", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2.1"), login("9:00", `CORP\ann`, "10.0.0.6", "curl"), removes("9:01")}, false},
		{"new, but only looks", []string{begins, login("33:00", `CORP\ann`, "10.0.0.6", "curl"), call("33:01", "x", "pc", "vmodl.query.PropertyCollector.retrieveContents", s1)}, false},
		{"the known session is open as well", []string{begins, login("33:00", `CORP\ann`, "10.0.0.6", "curl"), removes("33:01")}, false},
		{"the known session is open, but it is the other's call", []string{
			begins, call("33:00", "a", "SessionManager", "vim.SessionManager.login", s1), login("33:00:01", `CORP\ann`, "10.0.0.6", "curl"),
			call("33:01", "b", "vm-33", "vim.ManagedEntity.destroy", s1),
		}, true},
		{"new a day ago", []string{begins, login("33:00", `CORP\ann`, "10.0.0.6", "curl"), logout("33:05", `CORP\ann`, "10.0.0.6", "curl"), logout("33:06", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2.1"), login("58:00", `CORP\ann`, "10.0.0.6", "curl"), removes("58:01")}, false},
		{"no login was seen", []string{begins, said("33:00", "VmRemovedEvent", `CORP\eve`, "Removed db01 on esx01 from DC")}, false},
		{"the login comes late", []string{begins, said("33:00:05", "VmRemovedEvent", `CORP\eve`, "Removed db01 on esx01 from DC"), login("33:00:01", `CORP\eve`, "10.0.0.8", "curl")}, true},
		{"an account that may", []string{begins, login("33:00", `terraform@CORP.example`, "10.0.0.8", "curl"), said("33:01", "VmRemovedEvent", `CORP\terraform`, "Removed db01 on esx01 from DC")}, false},
		{"vCenter itself", []string{begins, login("33:00", `VSPHERE.LOCAL\vpxd-extension-1`, "127.0.0.1", "vim-java"), said("33:01", "VmRemovedEvent", `VSPHERE.LOCAL\vpxd-extension-1`, "Removed db01 on esx01 from DC")}, false},
		{"by the web, from another address", []string{
			begins, logout("0:20", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2.1"), single("0:30", "ann@corp", "10.0.0.5"), login("0:30", `CORP\ann`, "127.0.0.1", "vim-java"), logout("0:40", `CORP\ann`, "127.0.0.1", "vim-java"),
			single("33:00", "ann@corp", "10.0.0.66"), login("33:00", `CORP\ann`, "127.0.0.1", "vim-java"), removes("33:01"),
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEstate(t, options())
			for _, raw := range c.lines {
				e.line(raw)
			}
			if !c.found {
				if len(e.found) > 0 {
					t.Errorf("found %v", e.order)
				}
				return
			}
			if f := e.only(apiuse.NewTriple); f.Severity != event.SeverityHigh || len(f.Explanation) < 4 {
				t.Errorf("%s, %q", f.Severity, f.Explanation)
			}
		})
	}
}

// TestRestart: what was learned is known after a restart, and a new start does
// not begin to alarm.
func TestRestart(t *testing.T) {
	first := newEstate(t, options())
	first.line(login("0:10", `CORP\ann`, "10.0.0.5", "curl"))
	if !first.detector.Changed() {
		t.Fatal("there is nothing to save")
	}
	data, err := first.detector.Save(at("1:00"))()
	if err != nil || first.detector.Changed() {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, addr string
		load       bool
		found      int
	}{{"known", "10.0.0.5", true, 0}, {"new", "10.0.0.6", true, 1}, {"nothing was kept", "10.0.0.6", false, 0}} {
		e := newEstate(t, options())
		if c.load {
			if err := e.detector.Load(data); err != nil {
				t.Fatal(err)
			}
		}
		e.line(login("33:00", `CORP\ann`, c.addr, "curl"))
		e.line(said("33:01", "VmRemovedEvent", `CORP\ann`, "Removed db01 on esx01 from DC"))
		if len(e.found) != c.found {
			t.Errorf("%s: found %v", c.name, e.order)
		}
	}
	for _, bad := range []string{"", "{", `{"version":2}`, `{"version":1,"triples":[{"addr":"x"}]}`} {
		if newEstate(t, options()).detector.Load([]byte(bad)) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestGuestOps(t *testing.T) {
	const run, list = "vim.vm.guest.ProcessManager.startProgram", "vim.vm.guest.ProcessManager.listProcesses"
	for _, c := range []struct {
		name, user string
		text       string // of a vCenter event, or a method
		want       event.Severity
	}{
		{"a program", `CORP\ann`, run, event.SeverityHigh},
		{"a list", `CORP\ann`, list, event.SeverityMedium},
		{"an account that may", `CORP\svc-tools`, run, 0},
		{"in another form, and case", `SVC-Tools@corp.example`, run, 0},
		{"an event", `CORP\ann`, "Guest operation Start Program performed on Virtual machine db01", event.SeverityHigh},
		{"a transfer", `CORP\ann`, "Guest operation Initiate File Transfer To Guest performed on Virtual machine db01", event.SeverityHigh},
		{"an event of an account that may", `CORP\svc-tools`, "Guest operation Start Program performed on Virtual machine db01", 0},
		{"refused by the guest", `CORP\ann`, "Guest operation authentication failed for operation Start Program on Virtual machine db01", event.SeverityMedium},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEstate(t, options())
			e.line(call("8:00", "a", "SessionManager", "vim.SessionManager.login", s1))
			e.line(login("8:00:01", c.user, "10.0.0.5", "curl"))
			if strings.HasPrefix(c.text, "vim.") {
				e.line(call("8:01", "b", "guestOperationsProcessManager", c.text, s1))
			} else {
				e.line(said("8:01", "EventEx", c.user, c.text))
			}
			if c.want == 0 {
				if len(e.found) > 0 {
					t.Errorf("found %v", e.order)
				}
				return
			}
			if f := e.only(apiuse.GuestOps); f.Severity != c.want || f.Key != `corp\ann` {
				t.Errorf("%s of %q: %q", f.Severity, f.Key, f.Explanation)
			}
		})
	}
}

func TestBulk(t *testing.T) {
	event4 := func(user, format string, clocks ...string) (lines []string) {
		for i, clock := range clocks {
			lines = append(lines, said(clock, "VmPoweredOffEvent", user, fmt.Sprintf(format, i)))
		}
		return lines
	}
	task := func(user, text string, clocks ...string) (lines []string) {
		for _, clock := range clocks {
			lines = append(lines, said(clock, "TaskEvent", user, "Task: "+text))
		}
		return lines
	}
	const off = "db%d on esx01 in DC is powered off"
	var byRoot []string
	for i := range 3 {
		byRoot = append(byRoot, fmt.Sprintf(`<166>2026-11-23T08:0%d:00.000Z esx0%[1]d.corp.example Hostd[5]: [Originator@6876 sub=Vimsvc.TaskManager opID=x user=root] Task Created : haTask-11-vim.VirtualMachine.powerOff-122`, i))
	}
	many := make([]string, 15)
	for i := range many {
		many[i] = fmt.Sprintf("8:%02d", i)
	}
	for _, c := range []struct {
		name  string
		lines []string
		want  event.Severity
		key   string
		count int64
	}{
		{"two", event4(`CORP\ann`, off, "8:00", "8:10"), 0, "", 0},
		{"three", event4(`CORP\ann`, off, "8:00", "8:10", "8:20"), event.SeverityHigh, `corp\ann powered off VMs`, 3},
		{"three of the same", event4(`CORP\ann`, "db on esx%d in DC is powered off", "8:00", "8:10", "8:20"), 0, "", 0},
		{"three in two hours", event4(`CORP\ann`, off, "8:00", "8:50", "9:40"), 0, "", 0},
		{"three by two", append(event4(`CORP\ann`, off, "8:00", "8:10"), event4(`CORP\bob`, off, "8:20")...), 0, "", 0},
		{"by one with two names", append(event4(`CORP\ann`, off, "8:00", "8:10"), said("8:20", "VmPoweredOffEvent", "Ann@corp.example", "db9 on esx01 in DC is powered off")), event.SeverityHigh, `corp\ann powered off VMs`, 3},
		{"far more", event4(`CORP\ann`, off, many...), event.SeverityCritical, `corp\ann powered off VMs`, 15},
		{"by one who may", event4(`CORP\dr-one`, off, many...), 0, "", 0},
		{"at three hosts", byRoot, event.SeverityHigh, "root powered off VMs", 3},
		{"snapshots", task(`CORP\ann`, "Remove snapshot", "8:00", "8:01", "8:02"), event.SeverityHigh, `corp\ann removed snapshots`, 3},
		{"snapshots of a backup", task(`CORP\svc-backup`, "Remove snapshot", many...), 0, "", 0},
		{"all snapshots are no backup's", task(`CORP\svc-backup`, "Remove all snapshots", "8:00", "8:01", "8:02"), event.SeverityHigh, `corp\svc-backup removed snapshots`, 3},
		{"deletion is no backup's", task(`CORP\svc-backup`, "Delete virtual machine", "8:00", "8:01", "8:02"), event.SeverityHigh, `corp\svc-backup deleted VMs`, 3},
		{"exports", task(`CORP\ann`, "Export OVF template", "8:00", "8:01", "8:02"), event.SeverityHigh, `corp\ann exported VMs`, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEstate(t, options())
			for _, raw := range c.lines {
				e.line(raw)
			}
			e.detector.Flush(e.report)
			if c.want == 0 {
				if len(e.found) > 0 {
					t.Errorf("found %v", e.order)
				}
				return
			}
			f := e.only(apiuse.Bulk)
			if f.Severity != c.want || f.Key != c.key || f.Count != c.count || len(f.Analytic.Attacks) != 1 {
				t.Errorf("%s of %q, %d times, %v", f.Severity, f.Key, f.Count, f.Analytic.Attacks)
			}
		})
	}
}

// TestLateLogin: what is done before the login's line comes is not forgotten.
func TestLateLogin(t *testing.T) {
	e := newEstate(t, options())
	e.line(call("8:00", "a", "SessionManager", "vim.SessionManager.login", s1))
	e.line(call("8:00:01", "b", "guestOperationsProcessManager", "vim.vm.guest.ProcessManager.startProgram", s1))
	if len(e.found) > 0 {
		t.Errorf("found %v before anybody is known", e.order)
	}
	e.line(login("8:00:01", `CORP\ann`, "203.0.113.5", "curl"))
	e.line(vpxd("8:00:03", "c", "[VpxLRO] -- FINISH lro-b"))
	slices.Sort(e.order)
	if want := []string{apiuse.ExternalAPI, apiuse.GuestOps}; !slices.Equal(e.order, want) {
		t.Errorf("found %v, want %v", e.order, want)
	}
	for range 2 {
		e.line(call("8:10", "x", "vm-1", "vim.VirtualMachine.powerOff", s2))
	}
	e.line(vpxd("8:20", "c", "[VpxLRO] -- FINISH lro-b"))
	if st := e.scout.Stats(); st.Unjoined != 2 {
		t.Errorf("%+v", st)
	}
}

// TestQuiets: the configuration that a finding names keeps it away.
func TestQuiets(t *testing.T) {
	lines := []string{login("8:00", `CORP\ann`, "10.0.0.5", "curl"), said("8:01", "EventEx", `CORP\ann`, "Guest operation Start Program performed on Virtual machine db01")}
	e := newEstate(t, options())
	for _, raw := range lines {
		e.line(raw)
	}
	yaml := apiuse.Quiets(e.only(apiuse.GuestOps))
	_, list, _ := strings.Cut(yaml, "users: ")
	var users []string
	if err := json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimSpace(list), "}")), &users); err != nil {
		t.Fatalf("%q: %v", yaml, err)
	}
	o := options()
	o.GuestOps.Users = append(o.GuestOps.Users, users...)
	e = newEstate(t, o)
	for _, raw := range lines {
		e.line(raw)
	}
	if len(e.found) > 0 {
		t.Errorf("with %q found %v", yaml, e.order)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*apiuse.Options)
		want   string // in the error; empty: none
	}{
		{func(*apiuse.Options) {}, ""},
		{func(o *apiuse.Options) { o.NewTriple.Learning = -1 }, "apiuse.new_triple.learning"},
		{func(o *apiuse.Options) { o.Bulk.Window = 0 }, "apiuse.bulk.window"},
		{func(o *apiuse.Options) { o.Bulk.Export = 101 }, "apiuse.bulk.export"},
		{func(o *apiuse.Options) { o.Bulk.PowerOff = 0 }, ""},
		{func(o *apiuse.Options) { o.GuestOps.Users = []string{"*"} }, "apiuse.guest_ops.users"},
		{func(o *apiuse.Options) { o.GuestOps.Users = []string{"a[", "b"} }, "apiuse.guest_ops.users"},
		{func(o *apiuse.Options) { o.Bulk.Users = []string{`CORP\`} }, "apiuse.bulk.users"},
	} {
		o := options()
		c.change(&o)
		err := o.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestBounds: what the network makes up does not grow without end, and says
// so.
func TestBounds(t *testing.T) {
	e := newEstate(t, options())
	for i := range 60000 {
		e.line(call("8:01", fmt.Sprintf("op%d", i), "vm-33", "vim.VirtualMachine.powerOff", fmt.Sprintf("52%06d-x", i)))
	}
	if st := e.scout.Stats(); st.Forgotten == 0 {
		t.Errorf("%+v", st)
	}
	long := strings.Repeat("x", 4000)
	ev := e.line(login("8:02", "CORP\\"+long, "10.0.0.5", long))
	if len(ev.User.Name) != len(long) {
		t.Error("the event was changed")
	}
	e.line(said("8:03", "VmRemovedEvent", "CORP\\"+long, "Removed db01 on esx01 from DC"))
}

// TestKeepsShortNames: however long the ids that a sender makes up, what is
// kept of each is bounded.
func TestKeepsShortNames(t *testing.T) {
	e := newEstate(t, options())
	before := heap()
	for i := range 2000 {
		long := fmt.Sprintf("%06d%s", i, strings.Repeat("-x", 10_000))
		e.line(call("8:01", long, "vm-33", "vim.PerformanceManager.queryStats", long))
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("%d MiB are kept of 2,000 calls", grown>>20)
	}
	runtime.KeepAlive(e)
}

// heap is how much memory is in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCorpus: what honest public records raise is what their (anonymised)
// addresses are: on the internet.
func TestCorpus(t *testing.T) {
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: the corpus of public records is not here")
	}
	data, err := os.ReadFile(filepath.Join(root, "esxi", "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	networks, err := egress.Compile(egress.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	e := estateOf(t, compile(t, options(), networks.External))
	for line := range bytes.Lines(data) {
		var r struct{ Raw string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		e.line(r.Raw)
	}
	for _, f := range e.found {
		t.Logf("%s, %s: %s", f.Analytic.UID, f.Severity, f.Title)
		if f.Analytic.UID != apiuse.ExternalAPI || !networks.External(f.Src.IP) {
			t.Errorf("%s: %s: %q", f.Analytic.UID, f.Title, f.Explanation)
		}
	}
}

// BenchmarkScout is the cost of an event: of a call that is joined, of a login,
// and of what does not concern the API.
func BenchmarkScout(b *testing.B) {
	e := newEstate(b, options())
	e.line(call("8:00", "a", "SessionManager", "vim.SessionManager.login", s1))
	e.line(login("8:00:01", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"))
	for name, raw := range map[string]string{
		"call":       call("8:01", "b", "vm-33", "vim.PerformanceManager.queryStats", s1),
		"finish":     vpxd("8:02", "b", "[VpxLRO] -- FINISH lro-b"),
		"login":      login("8:00:01", `CORP\ann`, "10.0.0.5", "PowerCLI/13.2"),
		"by account": said("8:05", "VmReconfiguredEvent", `CORP\ann`, "Reconfigured db01 on esx01 in DC"),
		"firewall":   "<13>2024-05-15T19:41:25.001Z esx01 FIREWALL-PKTLOG - - - INET TERM PASS 5096 OUT TCP RST 10.10.10.11/60512->10.10.10.10/443 9/9 1461/4738 DR-Allow",
	} {
		b.Run(name, func(b *testing.B) {
			ev := e.line(raw)
			fields, user, session, src, agent := len(ev.Fields), ev.User, ev.Session, ev.Src, ev.HTTP.UserAgent
			if f, ok := ev.Field(event.Intern("actor_via")); ok && f.Value != "" {
				fields--
				if name != "by account" {
					user, session = event.User{}, ""
				}
				src, agent = event.Endpoint{}, ""
				if name == "call" {
					session = s1
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				ev.Fields, ev.User, ev.Session, ev.Src, ev.HTTP.UserAgent = ev.Fields[:fields], user, session, src, agent
				e.scout.Scout(ev, e.tell)
			}
		})
	}
}
