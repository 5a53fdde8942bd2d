// Package evidence takes vSphere's own word for what is going on: patch runs,
// backup runs, and administrators at work on a host. Each opens a span of
// time, with the records that say so, by which package egress justifies what
// no configured window covers.
//
// What it knows is context: every shard has all of it, by being shown the same
// records in the order in which they came (Learn). It judges nothing, reports
// nothing, and reads no clock but the events'.
//
// It believes what a vCenter of the inventory says by syslog, and whether the
// inventory has a host in maintenance mode. A host's own word that its
// software is being updated opens nothing: whoever runs commands there writes
// such lines.
package evidence

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Bounds of an Evidence's memory.
const (
	maxVCenters = 256
	maxHosts    = 20000
	maxVMs      = 50000
	maxJobs     = 256 // open at one vCenter
)

// touch is how long a backup product's work is believed to go on after each
// sign of it that has no end of its own: a snapshot made or removed, a disk
// attached to its proxy.
const touch = time.Hour

// openFor bounds how long an opened rule set counts, when nobody closes it.
const openFor = 4 * time.Hour

// Evidence knows what goes on. It is for one goroutine; only Stats is safe for
// concurrent use.
type Evidence struct {
	opts Options

	updates     *analytics.Recent[string, *span]      // by vCenter
	backups     *analytics.Recent[string, *backupRun] // by vCenter
	vms         *analytics.Recent[string, *span]      // by VM: what a backup product does to it
	maintenance *analytics.Recent[string, *span]      // by host
	firewall    *analytics.Recent[string, *span]      // by host

	signs atomic.Int64
	saved int64 // signs at the last Save
}

// backupRun is what backup products do at one vCenter.
type backupRun struct {
	span
	open map[string]time.Time // jobs that have begun; until when that is believed
}

// Stats counts records that told of work, and what fell out of bounded memory.
type Stats struct {
	Signs, Forgotten int64
}

// New makes an Evidence that has seen nothing yet.
func New(o Options) *Evidence {
	return &Evidence{
		opts:        o,
		updates:     analytics.NewRecent[string, *span](maxVCenters),
		backups:     analytics.NewRecent[string, *backupRun](maxVCenters),
		vms:         analytics.NewRecent[string, *span](maxVMs),
		maintenance: analytics.NewRecent[string, *span](maxHosts),
		firewall:    analytics.NewRecent[string, *span](maxHosts),
	}
}

// SetOptions puts o in force for the next record. What is known stays.
func (e *Evidence) SetOptions(o Options) { e.opts = o }

// Stats may be called from any goroutine.
func (e *Evidence) Stats() Stats {
	return Stats{
		Signs: e.signs.Load(),
		Forgotten: e.updates.Forgotten() + e.backups.Forgotten() + e.vms.Forgotten() +
			e.maintenance.Forgotten() + e.firewall.Forgotten(),
	}
}

// Concerns says that ev may tell of work, and so is to be shown to every
// shard. It is cheap for all other records.
func Concerns(ev *event.Event) bool { return signOf(ev) != noSign }

// Learn takes what ev tells of work. It keeps nothing of ev's memory.
func (e *Evidence) Learn(ev *event.Event) {
	s := signOf(ev)
	if s == noSign {
		return
	}
	e.signs.Add(1)
	vcenter := ev.Device.Host.VCenter
	switch s {
	case updateBegins:
		extend(e.updates, vcenter, ev, "patch run", e.opts.Patch.Max, e.opts.Patch.Max)
	case updateEnds:
		end(e.updates, vcenter, ev.Time)
	case maintenanceBegins:
		extend(e.maintenance, hostOf(ev), ev, "maintenance", maxRun, maxRun)
	case maintenanceEnds:
		end(e.maintenance, hostOf(ev), ev.Time)
	case firewallOpened:
		if ev.Status != event.StatusFailure {
			extend(e.firewall, ev.Device.Host.Key, ev, "manual update", openFor, openFor)
		}
	case firewallClosed:
		end(e.firewall, ev.Device.Host.Key, ev.Time)
	case backupNote:
		e.note(ev, vcenter)
	case byUser:
		e.touched(ev, vcenter)
	}
}

// hostOf is the entity of the host that a vCenter's event is about; empty:
// none.
func hostOf(ev *event.Event) string {
	f, ok := ev.Field(fieldHost)
	if !ok {
		return ""
	}
	return "host:" + strings.ToLower(f.Value)
}

func extend(spans *analytics.Recent[string, *span], key string, ev *event.Event, name string, hold, limit time.Duration) {
	if key == "" || hold <= 0 {
		return
	}
	s, ok := spans.Get(key)
	if !ok {
		s = new(span)
		spans.Put(strings.Clone(key), s)
	}
	s.extend(name, ev.Time, hold, limit, cite(ev))
}

func end(spans *analytics.Recent[string, *span], key string, at time.Time) {
	if s, ok := spans.Get(key); ok {
		s.end(at)
	}
}

// note takes what a backup product tells vCenter of its jobs.
func (e *Evidence) note(ev *event.Event, vcenter string) {
	j, ok := jobOf(textOf(ev, fieldNote))
	if !ok || e.opts.Backup.Max <= 0 || !e.opts.backupUser(j.product) && !e.opts.backupUser(ev.User.Name) {
		return
	}
	run, hold := e.backupsOf(vcenter), touch
	switch {
	case j.ends:
		run.ends(j, ev.Time)
		return
	case j.begins:
		hold = e.opts.Backup.Max
		run.begins(j, ev.Time, ev.Time.Add(hold))
	}
	run.extend(backupOf(j.product), ev.Time, hold, maxRun, cite(ev))
}

func backupOf(who string) string { return "backup run of " + who }

func (e *Evidence) backupsOf(vcenter string) *backupRun {
	run, ok := e.backups.Get(vcenter)
	if !ok {
		run = &backupRun{open: map[string]time.Time{}}
		e.backups.Put(vcenter, run)
	}
	return run
}

// begins notes an open job. Beyond maxJobs a job has no end of its own.
func (b *backupRun) begins(j job, at, until time.Time) {
	maps.DeleteFunc(b.open, func(_ string, until time.Time) bool { return until.Before(at) })
	if len(b.open) < maxJobs {
		b.open[j.key()] = until
	}
}

// ends closes the run with its last job.
func (b *backupRun) ends(j job, at time.Time) {
	delete(b.open, j.key())
	maps.DeleteFunc(b.open, func(_ string, until time.Time) bool { return until.Before(at) })
	if len(b.open) == 0 {
		b.end(at)
	}
}

// touched takes what a backup product's account does: to the VM that the
// record names, or anywhere at the vCenter.
func (e *Evidence) touched(ev *event.Event, vcenter string) {
	if e.opts.Backup.Max <= 0 || !e.opts.backupUser(ev.User.Name) {
		return
	}
	name := backupOf(ev.User.Name)
	if vm := ev.Dst.Context.VM; vm != nil {
		extend(e.vms, vm.Key, ev, name, touch, e.opts.Backup.Max)
	}
	if strings.Contains(textOf(ev, fieldTask), "napshot") {
		e.backupsOf(vcenter).extend(name, ev.Time, touch, e.opts.Backup.Max, cite(ev))
	}
}

// cite gives the words by which a verdict names a record, when they are
// needed.
func cite(ev *event.Event) func() string {
	return func() string {
		by := ""
		if ev.User.Name != "" {
			by = " by " + ev.User.Name
		}
		text := fmt.Sprintf("%s %s %s%s: %s", ev.Time.UTC().Format(time.RFC3339), ev.Device.Host.Name, ev.Operation, by,
			cmp.Or(textOf(ev, fieldTask), textOf(ev, fieldNote), ev.Resource))
		if len(text) > maxCite {
			text = text[:maxCite] + "..."
		}
		return strings.ToValidUTF8(text, "\uFFFD")
	}
}

// maxCite bounds a citation, in bytes.
const maxCite = 240

// Backup gives the backup run that covers the moment: of whatever a product
// does at the VM's vCenter, or with served only of what it does to this VM.
func (e *Evidence) Backup(vm *event.VM, served bool, at time.Time) (analytics.Run, bool) {
	if s, ok := e.vms.Get(vm.Key); ok {
		if r, ok := s.at(at); ok {
			return r, true
		}
	}
	if b, ok := e.backups.Get(vm.VCenter); ok && !served {
		return b.at(at)
	}
	return analytics.Run{}, false
}

// BackupBy gives the backup run at a vCenter that covers the moment, when user
// is an account of a backup product.
func (e *Evidence) BackupBy(vcenter, user string, at time.Time) (analytics.Run, bool) {
	if b, ok := e.backups.Get(vcenter); ok && e.opts.backupUser(user) {
		return b.at(at)
	}
	return analytics.Run{}, false
}

// Updates gives the patch run of a vCenter that covers the moment.
func (e *Evidence) Updates(vcenter string, at time.Time) (analytics.Run, bool) {
	if s, ok := e.updates.Get(vcenter); ok {
		return s.at(at)
	}
	return analytics.Run{}, false
}

// Maintenance says that the host is in maintenance mode at the moment, by the
// inventory or by its vCenter's events.
func (e *Evidence) Maintenance(h *event.Host, at time.Time) bool {
	if h == nil {
		return false
	}
	if h.Maintenance {
		return true
	}
	s, ok := e.maintenance.Get(h.Key)
	if ok {
		_, ok = s.at(at)
	}
	return ok
}

// Patch gives the work on a host's software that covers the moment. It takes
// two witnesses: that the host is in maintenance mode, and either that its
// vCenter runs updates or that somebody opened the host's firewall for it. For
// a vCenter itself it is its patch run.
func (e *Evidence) Patch(h *event.Host, at time.Time) (analytics.Run, bool) {
	if h == nil {
		return analytics.Run{}, false
	}
	if h.IsVCenter {
		return e.Updates(h.VCenter, at)
	}
	if e.opts.Patch.Max <= 0 || !e.Maintenance(h, at) {
		return analytics.Run{}, false
	}
	if r, ok := e.Updates(h.VCenter, at); ok {
		return r, true
	}
	if s, ok := e.firewall.Get(h.Key); ok {
		return s.at(at)
	}
	return analytics.Run{}, false
}
