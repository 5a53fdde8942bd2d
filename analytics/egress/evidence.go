package egress

import (
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Evidence is what vSphere itself reports to be going on (package evidence).
type Evidence interface {
	// Backup gives the backup run at the VM's vCenter that covers the moment;
	// with served only one that works on this VM.
	Backup(vm *event.VM, served bool, at time.Time) (analytics.Run, bool)
	// Updates gives the vCenter's patch run.
	Updates(vcenter string, at time.Time) (analytics.Run, bool)
	// Patch gives the work on the software of a host, or of a vCenter.
	Patch(h *event.Host, at time.Time) (analytics.Run, bool)
	// Maintenance says that the host is in maintenance mode.
	Maintenance(h *event.Host, at time.Time) bool
}

// nothing is no Evidence.
type nothing struct{}

// Backup knows no backup run.
func (nothing) Backup(*event.VM, bool, time.Time) (r analytics.Run, ok bool) { return }

// Updates knows no patch run.
func (nothing) Updates(string, time.Time) (r analytics.Run, ok bool) { return }

// Patch knows no work on a host.
func (nothing) Patch(*event.Host, time.Time) (r analytics.Run, ok bool) { return }

// Maintenance says that no host is in maintenance mode.
func (nothing) Maintenance(*event.Host, time.Time) bool { return false }

// Roles of VMs that vSphere's reports are about.
const (
	roleBackup = "backup"
	rolePatch  = "patch"
)

// cloudStorage is the category that backup runs write to.
const cloudStorage = "cloud_storage"

// openRun says that work which vSphere reports stands in for the windows of r:
// evidence moves when, never where to.
func (d *Detector) openRun(q *question, r *rule, v *verdict) bool {
	run, ok := d.runOf(q.actor, strings.ToLower(r.Role), time.Unix(v.at, 0))
	if ok {
		v.within(&run)
	}
	return ok
}

// runOf is the work that concerns a machine in that role.
func (d *Detector) runOf(a *actor, role string, at time.Time) (analytics.Run, bool) {
	switch {
	case a.agent != noAgent:
		return d.evidence.Patch(a.host, at)
	case a.vm == nil:
		return analytics.Run{}, false
	case role == rolePatch:
		return d.evidence.Updates(a.vm.VCenter, at)
	}
	return d.evidence.Backup(a.vm, role != roleBackup, at)
}

// withoutRule justifies by a run alone where no rule has the destination: what
// installs updates may fetch them anywhere, and what has the role backup may
// write to cloud storage; never to a service of a risky category.
func (d *Detector) withoutRule(q *question, v *verdict) bool {
	role := ""
	switch a, ev := q.actor, q.ev; {
	case Risky(ev.Dst.Category):
		return false
	case a.agent != noAgent && updates(ev):
	case a.vm != nil && ev.Dst.Category == cloudStorage && !q.target.sharedService && hasRole(a, roleBackup):
		role = roleBackup
	default:
		return false
	}
	run, ok := d.runOf(q.actor, role, time.Unix(v.at, 0))
	if ok {
		v.Verdict, v.Reason, v.By, v.rule = event.VerdictJustified, event.ReasonNone, run.Name, nil
		v.within(&run)
	}
	return ok
}

func hasRole(a *actor, role string) bool {
	return slices.ContainsFunc(a.roles(), func(r string) bool { return strings.EqualFold(r, role) })
}

// updates says that what installs software made the connection, or that the
// record, a firewall's or a switch's, does not say which program did.
func updates(ev *event.Event) bool {
	switch ev.LogName {
	case "esxupdate", "lifecycle", "updatemgr", "vmware-updatemgr", "vmware-vum-server", "vlcm":
		return true
	}
	if ev.Class == event.ProcessActivity {
		return strings.HasPrefix(ev.Process.CmdLine, "esxcli software ") && !strings.ContainsAny(ev.Process.CmdLine, ";|&`$\n")
	}
	return ev.Class == event.NetworkActivity && agentOf(ev.LogName) == noAgent
}

// within takes the bounds of a run for the window that justified.
func (v *verdict) within(r *analytics.Run) { v.From, v.To, v.Evidence = r.From, r.To, r.Records }

// noWindow is the verdict's while no window has justified.
func (v *verdict) noWindow() { v.From, v.To, v.Evidence = time.Time{}, time.Time{}, nil }
