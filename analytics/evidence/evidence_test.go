package evidence_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/evidence"
	"github.com/vegress/vegress/event"
)

var (
	vcenter = &event.Host{VCenter: "vc1", Name: "vcsa01.corp.example", Key: "host:vcsa01.corp.example", IsVCenter: true}
	esx     = &event.Host{VCenter: "vc1", Name: "esx01.corp.example", Key: "host:esx01.corp.example"}
	proxy   = &event.VM{VCenter: "vc1", Name: "bkp01", Key: "vm:vc1/bkp01"}
	guest   = &event.VM{VCenter: "vc1", Name: "db01", Key: "vm:vc1/db01"}
	foreign = &event.VM{VCenter: "vc2", Name: "bkp02", Key: "vm:vc2/bkp02"}
)

func options() evidence.Options {
	return evidence.Options{
		Patch:  evidence.PatchOptions{Max: 4 * time.Hour},
		Backup: evidence.BackupOptions{Max: 12 * time.Hour, Users: []string{"*veeam*", "svc-backup"}},
	}
}

// moment is a time of one evening: "22:10", or "25:00" for one in the morning.
func moment(clock string) time.Time {
	var h, m int
	if _, err := fmt.Sscanf(clock, "%d:%d", &h, &m); err != nil {
		panic(err)
	}
	return time.Date(2026, 11, 23, h, m, 0, 0, time.UTC)
}

// said is a vCenter's event, as the decoder makes it.
func said(clock, kind, user, text string) *event.Event {
	ev := &event.Event{
		Class: event.APIActivity, Time: moment(clock), LogName: "vpxd", Operation: kind,
		Device: event.Device{Hostname: vcenter.Name, Host: vcenter}, User: event.User{Name: user},
	}
	ev.Add(event.Intern("event_type"), "vim.event."+kind)
	if task, ok := strings.CutPrefix(text, "Task: "); ok {
		ev.Add(event.Intern("task_description"), task)
	}
	if note, ok := strings.CutPrefix(text, "User logged event: "); ok {
		ev.Add(event.Intern("note"), note)
	}
	if host, ok := strings.CutPrefix(text, "Host "); ok {
		host, _, _ = strings.Cut(host, " ")
		ev.Add(event.Intern("host"), host)
	}
	return ev
}

// ofVM is an event of the vCenter about a VM.
func ofVM(ev *event.Event, vm *event.VM) *event.Event {
	ev.Dst.VMName, ev.Dst.Context.VM = vm.Name, vm
	return ev
}

// firewall is a host's word about its rule set httpClient.
func firewall(clock, operation string) *event.Event {
	ev := &event.Event{
		Class: event.APIActivity, Time: moment(clock), LogName: "vobd", Operation: "esx.audit.net.firewall.config.changed",
		Resource: "httpClient", Device: event.Device{Hostname: esx.Name, Host: esx},
	}
	ev.Add(event.Intern("firewall_operation"), operation)
	return ev
}

// when names the moments of a list at which something holds.
func when(moments string, holds func(at time.Time) bool) string {
	var all []string
	for _, m := range strings.Fields(moments) {
		if holds(moment(m)) {
			all = append(all, m)
		}
	}
	return strings.Join(all, " ")
}

func learned(events ...*event.Event) *evidence.Evidence {
	e := evidence.New(options())
	for _, ev := range events {
		e.Learn(ev)
	}
	return e
}

const veeam = "User logged event: Source: Veeam Backup Action: Job \"%s\" %s 10:10PM"

func note(clock, job, what string) *event.Event {
	return said(clock, "GeneralUserEvent", "svc-backup", fmt.Sprintf(veeam, job, what))
}

func TestBackup(t *testing.T) {
	snapshot := func(clock, user string) *event.Event {
		return said(clock, "TaskEvent", user, "Task: Create virtual machine snapshot")
	}
	for _, c := range []struct {
		name   string
		events []*event.Event
		vm     *event.VM
		served bool
		want   string // of 21:00 22:10 22:30 23:00 24:30 34:00 35:00
	}{
		{"nothing", nil, proxy, false, ""},
		{"a job", []*event.Event{note("22:10", "a", "started"), note("23:00", "a", "finished")}, proxy, false, "22:10 22:30 23:00"},
		{"a job whose end is not reported", []*event.Event{note("22:10", "a", "started")}, proxy, false, "22:10 22:30 23:00 24:30 34:00"},
		{"a note that tells of no beginning", []*event.Event{note("22:10", "a", "is there")}, proxy, false, "22:10 22:30 23:00"},
		{"two jobs", []*event.Event{note("22:10", "a", "started"), note("22:15", "b", "started"), note("22:30", "a", "finished"), note("23:00", "b", "failed")}, proxy, false, "22:10 22:30 23:00"},
		{"another vCenter", []*event.Event{note("22:10", "a", "started")}, foreign, false, ""},
		{"what it does to others", []*event.Event{note("22:10", "a", "started")}, guest, true, ""},
		{"somebody else's note", []*event.Event{said("22:10", "GeneralUserEvent", "bob", "User logged event: Source: cron Action: Job \"a\" started")}, proxy, false, ""},
		{"by the product's name", []*event.Event{said("22:10", "GeneralUserEvent", "bob", fmt.Sprintf(veeam, "a", "started"))}, proxy, false, "22:10 22:30 23:00 24:30 34:00"},
		{"a snapshot by its account", []*event.Event{snapshot("22:10", "svc-backup")}, proxy, false, "22:10 22:30 23:00"},
		{"a snapshot by somebody", []*event.Event{snapshot("22:10", "bob")}, proxy, false, ""},
		{"a VM that it serves", []*event.Event{ofVM(said("22:30", "VmReconfiguredEvent", "svc-backup", "Reconfigured db01"), guest)}, guest, true, "22:30 23:00"},
		{"its disks on the proxy", []*event.Event{ofVM(said("22:30", "VmReconfiguredEvent", "SVC-Backup", "Reconfigured bkp01"), proxy)}, proxy, false, "22:30 23:00"},
		{"another one's VM", []*event.Event{ofVM(said("22:30", "VmReconfiguredEvent", "bob", "Reconfigured db01"), guest)}, guest, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := learned(c.events...)
			got := when("21:00 22:10 22:30 23:00 24:30 34:00 35:00", func(at time.Time) bool {
				_, ok := e.Backup(c.vm, c.served, at)
				return ok
			})
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPatch(t *testing.T) {
	remediate := said("21:00", "TaskEvent", "com.vmware.vcIntegrity", "Task: Remediate entity")
	enter := said("21:05", "EnteredMaintenanceModeEvent", "", "Host ESX01.corp.example in DC has entered maintenance mode")
	leave := said("21:40", "ExitMaintenanceModeEvent", "", "Host esx01.corp.example in DC has exited maintenance mode")
	forged := said("21:05", "EnteredMaintenanceModeEvent", "", "Host esx01.corp.example in DC has entered maintenance mode")
	forged.Device.Host = esx
	unknown := said("21:00", "TaskEvent", "com.vmware.vcIntegrity", "Task: Remediate entity")
	unknown.Device.Host = nil
	visited := *esx
	visited.Maintenance = true
	failed := firewall("21:10", "enable")
	failed.Status = event.StatusFailure
	for _, c := range []struct {
		name   string
		host   *event.Host
		events []*event.Event
		want   string // of 20:59 21:02 21:10 21:20 21:41 25:01
	}{
		{"run and maintenance", esx, []*event.Event{remediate, enter, leave}, "21:10 21:20"},
		{"only the run", esx, []*event.Event{remediate}, ""},
		{"only maintenance", esx, []*event.Event{enter, leave}, ""},
		{"maintenance by the inventory", &visited, []*event.Event{remediate}, "21:02 21:10 21:20 21:41"},
		{"firewall in maintenance", esx, []*event.Event{enter, firewall("21:10", "enable"), leave}, "21:10 21:20"},
		{"firewall closed again", esx, []*event.Event{enter, firewall("21:10", "enable"), firewall("21:15", "disable"), leave}, "21:10"},
		{"firewall that did not open", esx, []*event.Event{enter, failed, leave}, ""},
		{"firewall without maintenance", esx, []*event.Event{firewall("21:10", "enable")}, ""},
		{"the vCenter itself", vcenter, []*event.Event{remediate}, "21:02 21:10 21:20 21:41"},
		{"the vCenter's run that ended", vcenter, []*event.Event{remediate, said("21:20", "ScheduledTaskCompletedEvent", "com.vmware.vcIntegrity", "Scheduled task Monthly completed")}, "21:02 21:10 21:20"},
		{"a scan", vcenter, []*event.Event{said("21:00", "TaskEvent", "com.vmware.vcIntegrity", "Task: Scan entity")}, ""},
		{"by its words", vcenter, []*event.Event{said("21:00", "TaskEvent", "bob", "Task: Task created by VMware vSphere Lifecycle Manager")}, "21:02 21:10 21:20 21:41"},
		{"another task", vcenter, []*event.Event{said("21:00", "TaskEvent", "bob", "Task: Power On virtual machine")}, ""},
		{"another one's scheduled task", vcenter, []*event.Event{said("21:00", "ScheduledTaskStartedEvent", "bob", "Scheduled task Remediate everything started")}, ""},
		{"a host that speaks for its vCenter", esx, []*event.Event{remediate, forged}, ""},
		{"nobody that the inventory knows", vcenter, []*event.Event{unknown}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := learned(c.events...)
			got := when("20:59 21:02 21:10 21:20 21:41 25:01", func(at time.Time) bool {
				_, ok := e.Patch(c.host, at)
				return ok
			})
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A record that comes late is judged by what went on at its own time.
func TestPastRuns(t *testing.T) {
	e := evidence.New(options())
	for day := range 8 {
		begin := note(fmt.Sprintf("%d:00", 24*day), "a", "started")
		end := note(fmt.Sprintf("%d:30", 24*day), "a", "finished")
		e.Learn(begin)
		e.Learn(end)
	}
	got := when("48:10 72:10 96:10 144:10 168:10 168:40 144:40", func(at time.Time) bool {
		_, ok := e.Backup(proxy, false, at)
		return ok
	})
	if want := "72:10 96:10 144:10 168:10"; got != want { // the last one and four before it
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunNamesItsRecords(t *testing.T) {
	e := learned(note("22:10", "a", "started"), note("22:11", strings.Repeat("b", 1000), "started"))
	first, _ := e.Backup(proxy, false, moment("22:30"))
	if first.Name != "backup run of Veeam Backup" || !first.From.Equal(moment("22:10")) || !first.To.Equal(moment("34:11")) {
		t.Errorf("run %q from %v to %v", first.Name, first.From, first.To)
	}
	const want = `2026-11-23T22:10:00Z vcsa01.corp.example GeneralUserEvent by svc-backup: Source: Veeam Backup Action: Job "a" started 10:10PM`
	if len(first.Records) != 2 || first.Records[0] != want || len(first.Records[1]) > 250 {
		t.Errorf("records %q", first.Records)
	}
	for range 10 {
		e.Learn(note("22:12", "c", "started"))
	}
	if later, _ := e.Backup(proxy, false, moment("22:30")); len(later.Records) != 4 || len(first.Records) != 2 {
		t.Errorf("%d records are cited, and of the run that was handed out %d; want 4 and 2", len(later.Records), len(first.Records))
	}
}

func TestSwitchedOff(t *testing.T) {
	e := evidence.New(evidence.Options{Backup: evidence.BackupOptions{Users: []string{"*veeam*"}}})
	e.Learn(note("22:10", "a", "started"))
	e.Learn(said("22:10", "TaskEvent", "com.vmware.vcIntegrity", "Task: Remediate entity"))
	_, backup := e.Backup(proxy, false, moment("22:20"))
	_, patch := e.Patch(vcenter, moment("22:20"))
	if backup || patch {
		t.Errorf("backup %t, patch %t, though both are off", backup, patch)
	}
}

// A peer that invents jobs, hosts and VMs makes nothing grow beyond its bound.
func TestBounds(t *testing.T) {
	e := evidence.New(options())
	for i := range 60000 {
		name := fmt.Sprintf("n%d", i)
		e.Learn(said("22:10", "EnteredMaintenanceModeEvent", "", "Host "+name+" in DC has entered maintenance mode"))
		e.Learn(ofVM(said("22:10", "VmReconfiguredEvent", "svc-backup", "x"), &event.VM{Key: "vm:vc1/" + name}))
	}
	for i := range 1000 {
		e.Learn(note("22:10", fmt.Sprintf("n%d", i), "started"))
	}
	if st := e.Stats(); st.Signs != 121000 || st.Forgotten < 50000 {
		t.Errorf("%+v", st)
	}
	if !e.Maintenance(&event.Host{Key: "host:n59999"}, moment("22:10")) {
		t.Error("the newest is forgotten")
	}
	if _, ok := e.Backup(proxy, false, moment("22:11")); !ok {
		t.Error("the run is not known any more")
	}
}

func TestConcerns(t *testing.T) {
	for _, c := range []struct {
		ev   *event.Event
		want bool
	}{
		{note("22:10", "a", "started"), true},
		{firewall("21:10", "enable"), true},
		{firewall("21:10", "disable"), true},
		{said("22:10", "UserLoginSessionEvent", "bob", "User bob logged in"), false},
		{&event.Event{Class: event.NetworkActivity, Device: event.Device{Host: esx}}, false},
		{&event.Event{Class: event.APIActivity}, false},
	} {
		if got := evidence.Concerns(c.ev); got != c.want {
			t.Errorf("%s: %t, want %t", c.ev.Operation, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { evidence.Concerns(firewall0) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

var firewall0 = firewall("21:10", "list")

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*evidence.Options)
		want   string
	}{
		{func(*evidence.Options) {}, ""},
		{func(o *evidence.Options) { o.Patch.Max = -1 }, "evidence.patch.max: -1ns: must be 0 (off) to 168h0m0s"},
		{func(o *evidence.Options) { o.Backup.Max = 8 * 24 * time.Hour }, "evidence.backup.max: 192h0m0s: must be 0 (off) to 168h0m0s"},
		{func(o *evidence.Options) { o.Backup.Users = []string{"[a"} }, `evidence.backup.users: "[a": is no pattern of a name (want svc-backup, or *veeam*)`},
		{func(o *evidence.Options) { o.Backup.Users = []string{"*"} }, `evidence.backup.users: "*": is no pattern of a name (want svc-backup, or *veeam*)`},
	} {
		o := options()
		c.change(&o)
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func BenchmarkConcerns(b *testing.B) {
	for name, ev := range map[string]*event.Event{
		"flow": {Class: event.NetworkActivity}, "task": said("22:10", "TaskEvent", "bob", "Task: Power On virtual machine"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				evidence.Concerns(ev)
			}
		})
	}
}

// What is known survives a restart.
func TestSaveAndLoad(t *testing.T) {
	e := learned(
		note("1:00", "a", "started"), note("1:30", "a", "finished"),
		note("22:10", "a", "started"), note("22:15", "b", "started"),
		ofVM(said("22:30", "VmReconfiguredEvent", "svc-backup", "Reconfigured db01"), guest),
		said("22:00", "TaskEvent", "com.vmware.vcIntegrity", "Task: Remediate entity"),
		said("22:05", "EnteredMaintenanceModeEvent", "", "Host esx01.corp.example in DC has entered maintenance mode"),
		firewall("22:10", "enable"),
	)
	if !e.Changed() {
		t.Error("there is nothing to save")
	}
	data, err := e.Save(moment("22:40"))()
	if err != nil || e.Changed() {
		t.Fatalf("changed %t, error %v", e.Changed(), err)
	}
	again := evidence.New(options())
	if err := again.Load(data); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*evidence.Evidence{e, again} {
		e.Learn(note("23:00", "a", "finished"))
		e.Learn(note("23:30", "b", "finished"))
	}
	const moments = "1:10 1:40 22:01 22:12 22:20 22:40 23:10 23:40 25:30 26:30"
	for what, asks := range map[string]func(e *evidence.Evidence, at time.Time) bool{
		"backup":      func(e *evidence.Evidence, at time.Time) bool { _, ok := e.Backup(proxy, false, at); return ok },
		"served":      func(e *evidence.Evidence, at time.Time) bool { _, ok := e.Backup(guest, true, at); return ok },
		"patch":       func(e *evidence.Evidence, at time.Time) bool { _, ok := e.Patch(esx, at); return ok },
		"updates":     func(e *evidence.Evidence, at time.Time) bool { _, ok := e.Updates("vc1", at); return ok },
		"maintenance": func(e *evidence.Evidence, at time.Time) bool { return e.Maintenance(esx, at) },
	} {
		got := when(moments, func(at time.Time) bool { return asks(again, at) })
		want := when(moments, func(at time.Time) bool { return asks(e, at) })
		if got != want || want == "" {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	before, _ := e.Backup(proxy, false, moment("22:40"))
	after, _ := again.Backup(proxy, false, moment("22:40"))
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("got %v, want %v", after, before)
	}
}

func TestSnapshotForgetsWhatIsLongOver(t *testing.T) {
	e := learned(note("1:00", "a", "started"), note("1:30", "a", "finished"))
	if data, err := e.Save(moment("26:00"))(); err != nil || strings.Contains(string(data), "vc1") {
		t.Errorf("%s, %v", data, err)
	}
}

// What Save gave is written later: it is what was known then.
func TestSaveIsOfOneMoment(t *testing.T) {
	e := learned(note("22:10", "a", "started"), firewall("22:10", "enable"))
	want, err := e.Save(moment("22:40"))()
	if err != nil {
		t.Fatal(err)
	}
	encode := e.Save(moment("22:40"))
	var written sync.WaitGroup
	written.Go(func() {
		if got, err := encode(); err != nil || string(got) != string(want) {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	})
	for _, ev := range []*event.Event{note("22:41", "b", "started"), note("22:42", "a", "finished"), firewall("22:50", "disable")} {
		e.Learn(ev)
	}
	written.Wait()
}

// FuzzLoad: whatever stands in the file, reading it does not panic, and what
// is read can be asked and saved.
func FuzzLoad(f *testing.F) {
	e := learned(note("22:10", "a", "started"), firewall("22:10", "enable"))
	data, err := e.Save(moment("22:40"))()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"backups":{"vc1":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := evidence.New(options())
		if e.Load(data) != nil {
			return
		}
		e.Learn(note("22:50", "a", "finished"))
		e.Patch(esx, moment("22:40"))
		if _, err := e.Save(moment("22:40"))(); err != nil && !strings.Contains(err.Error(), "year outside of range") {
			t.Fatal(err)
		}
	})
}

// Verdicts count in whole seconds: what happens in the second in which a run
// was reported is within it.
func TestSameSecond(t *testing.T) {
	begin := note("22:10", "a", "started")
	begin.Time = begin.Time.Add(700 * time.Millisecond)
	if _, ok := learned(begin).Backup(proxy, false, moment("22:10")); !ok {
		t.Error("the second of the report is outside of the run")
	}
}

// A span without a begin, as a file can have one that somebody changed, covers
// nothing: a verdict has both ends.
func TestLoadWithoutBegin(t *testing.T) {
	e := evidence.New(options())
	if err := e.Load([]byte(`{"version": 1, "vms": {"` + proxy.Key + `": {"name": "x", "to": "2100-01-01T00:00:00Z"}}}`)); err != nil {
		t.Fatal(err)
	}
	if r, ok := e.Backup(proxy, true, moment("22:40")); ok {
		t.Errorf("%+v", r)
	}
}
