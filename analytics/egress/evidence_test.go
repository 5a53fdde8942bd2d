package egress_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

// reports is what vSphere says in a test: the runs that are on.
type reports struct{ backup, served, updates, patch, maintenance bool }

var theRun = analytics.Run{
	Name: "the run", From: at("2026-11-23T00:00:00Z"), To: at("2026-11-25T00:00:00Z"), Records: []string{"who said so"},
}

func (r reports) Backup(_ *event.VM, served bool, at time.Time) (analytics.Run, bool) {
	return theRun, (r.served || r.backup && !served) && theRun.Covers(at)
}
func (r reports) Updates(string, time.Time) (analytics.Run, bool)    { return theRun, r.updates }
func (r reports) Patch(*event.Host, time.Time) (analytics.Run, bool) { return theRun, r.patch }
func (r reports) Maintenance(*event.Host, time.Time) bool            { return r.maintenance }

var _ egress.Evidence = reports{}

// evidenceOptions has rules with windows that are closed at the samples' time.
func evidenceOptions(t *testing.T) egress.Options {
	t.Helper()
	o := egress.Defaults()
	night := []string{"mon-sun 22:00-23:00"}
	o.Justifications = []egress.Justification{
		{Name: "nightly backup", Role: "Backup", Destinations: []string{"*.example.com"}, Windows: night, MaxBytes: "1MB", Ports: []int{443}},
		{Name: "old backup", Role: "backup", Destinations: []string{"*.example.org"}, Windows: night, Expires: "2026-01-01"},
		{Name: "patch night", Role: "patch", Destinations: []string{"*.example.com"}, Windows: night},
		{Name: "dumps", Role: "db", Destinations: []string{"*.example.com"}, Windows: night},
		{Name: "hosts at night", Role: "hypervisor", Destinations: []string{"*.example.com"}, Windows: night},
	}
	return o
}

// command is what somebody ran on a host to fetch from elsewhere.
func command(line string) sample {
	return sample{Machine: "none", Log: "shell", Src: new(string), Dst: new(string), Cmd: line, URL: "https://elsewhere.example.net/x.vib"}
}

func TestEvidence(t *testing.T) {
	p := policy(t, evidenceOptions(t))
	const allowed, other = "s3.example.com", "elsewhere.example.net"
	backup, patch := reports{backup: true}, reports{patch: true}
	for _, c := range []struct {
		name string
		says reports
		s    sample
		want string
	}{
		{"a backup run stands in for the window", backup, sample{Roles: []string{"backup"}, Host: allowed}, "justified nightly backup"},
		{"without one", reports{}, sample{Roles: []string{"backup"}, Host: allowed}, "unjustified window low"},
		{"not for another destination", backup, sample{Roles: []string{"backup"}, Host: other}, "unjustified destination low"},
		{"not for another port", backup, sample{Roles: []string{"backup"}, Host: allowed, Port: new(uint16(80))}, "unjustified destination low"},
		{"not beyond the bytes", backup, sample{Roles: []string{"backup"}, Host: allowed, Sent: 2e6}, "unjustified bytes low"},
		{"not after the expiry", backup, sample{Roles: []string{"backup"}, Host: "a.example.org"}, "unjustified expired low"},
		{"not outside the run", backup, sample{Roles: []string{"backup"}, Host: allowed, At: at("2026-11-26T10:00:00Z")}, "unjustified window low"},
		{"a patch run is no backup run", reports{patch: true, updates: true}, sample{Roles: []string{"backup"}, Host: allowed}, "unjustified window low"},
		{"cloud storage needs no rule", backup, sample{Roles: []string{"BACKUP"}, Host: other, Category: "cloud_storage"}, "justified the run"},
		{"cloud storage by a name that others taught", backup, sample{Roles: []string{"backup"}, Host: other, Via: "dns_shared", Category: "cloud_storage"}, "unjustified destination low"},
		{"a risky service never", backup, sample{Roles: []string{"backup"}, Host: other, Category: "paste"}, "unjustified destination medium"},
		{"a VM that is served, by its own rule", reports{served: true}, sample{Roles: []string{"db"}, Host: allowed}, "justified dumps"},
		{"a VM that is served, to cloud storage", reports{served: true}, sample{Roles: []string{"db"}, Host: other, Category: "cloud_storage"}, "unjustified destination low"},
		{"a VM that is not served", backup, sample{Roles: []string{"db"}, Host: allowed}, "unjustified window low"},
		{"no role", reports{backup: true, served: true}, sample{Host: allowed, Category: "cloud_storage"}, "unjustified no_role low"},
		{"an ambiguous VM never", backup, sample{Machine: "ambiguous", Roles: []string{"backup"}, Host: allowed}, "unknown ambiguous informational"},
		{"a patch server in a patch run", reports{updates: true}, sample{Roles: []string{"patch"}, Host: allowed}, "justified patch night"},
		{"a patch server elsewhere", reports{updates: true}, sample{Roles: []string{"patch"}, Host: other}, "unjustified destination low"},
		{"a host's updater in a patch run", patch, sample{Machine: "host", Log: "esxupdate", Host: other}, "justified the run"},
		{"a host's updater without one", reports{}, sample{Machine: "host", Log: "esxupdate", Host: other}, "unjustified destination high"},
		{"a host's updater to a risky service", patch, sample{Machine: "host", Log: "esxupdate", Host: other, Category: "file_share"}, "unjustified destination critical"},
		{"a host by a firewall's word", patch, sample{Machine: "host", Log: "dfwpktlogs", Host: other}, "justified the run"},
		{"another program of the host", patch, sample{Machine: "host", Log: "hostd", Host: other}, "unjustified destination high"},
		{"another program, by a rule outside its window", patch, sample{Machine: "host", Log: "hostd", Host: allowed}, "justified hosts at night"},
		{"esxcli installs", patch, command("esxcli software vib install -v https://elsewhere.example.net/x.vib"), "justified the run"},
		{"wget", patch, command("wget https://elsewhere.example.net/x.vib"), "unjustified destination high"},
		{"wget behind esxcli", patch, command("esxcli software vib list; wget https://elsewhere.example.net/x.vib"), "unjustified destination high"},
		{"vCenter's updater", patch, sample{Machine: "vcenter", Log: "updatemgr", Host: other}, "justified the run"},
		{"vCenter's other programs", patch, sample{Machine: "vcenter", Log: "vpxd", Host: other}, "unjustified destination high"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, v := runWith(t, c.says, p, c.s)
			if got := say(v, found); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			run := v.Verdict == event.VerdictJustified
			if run != slices.Equal(v.Evidence, theRun.Records) || run != v.From.Equal(theRun.From) || run != v.To.Equal(theRun.To) {
				t.Errorf("evidence %q, window %v to %v", v.Evidence, v.From, v.To)
			}
		})
	}
}

func runWith(t *testing.T, says egress.Evidence, p *egress.Policy, s sample) ([]*event.Finding, event.Justification) {
	t.Helper()
	ev := s.event()
	var found []*event.Finding
	egress.New(p, domain, says).Detect(ev, func(f *event.Finding) { found = append(found, f) })
	return found, ev.Justification
}

// A configured window that is open goes before what vSphere reports.
func TestWindowBeforeEvidence(t *testing.T) {
	_, v := runWith(t, reports{backup: true}, policy(t, evidenceOptions(t)),
		sample{Roles: []string{"backup"}, Host: "s3.example.com", At: at("2026-11-23T22:30:00Z")})
	if v.By != "nightly backup" || v.Evidence != nil || !v.From.Equal(at("2026-11-23T22:00:00Z")) {
		t.Errorf("%+v", v)
	}
}

// In maintenance mode somebody is expected to open the firewall.
func TestOpeningInMaintenance(t *testing.T) {
	p := policy(t, options(t))
	opens := sample{Machine: "none", Src: new(string), Dst: new(string), Log: "vobd", Resource: "httpClient", Op: "enable"}
	if found, _ := runWith(t, reports{maintenance: true}, p, opens); len(found) != 0 {
		t.Errorf("finding %q", found[0].Title)
	}
	if found, _ := runWith(t, reports{}, p, opens); len(found) != 1 {
		t.Errorf("%d findings without maintenance", len(found))
	}
}
