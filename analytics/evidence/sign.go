package evidence

import (
	"strings"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// sign is what one record says about work that goes on.
type sign uint8

const (
	noSign sign = iota
	updateBegins
	updateEnds
	maintenanceBegins
	maintenanceEnds
	firewallOpened
	firewallClosed
	backupNote // of a backup product; its words say whether it begins or ends
	byUser     // something that an account did, perhaps that of a backup product
)

var (
	fieldEventType = event.Intern("event_type")
	fieldHost      = event.Intern("host")
	fieldTask      = event.Intern("task_description")
	fieldNote      = event.Intern("note")
)

// signOf reads ev. Of a vCenter's events only those count that came from a
// machine which the inventory knows as a vCenter. Types are those of the
// vSphere API's event model; a patch run is a task of Update Manager or
// Lifecycle Manager (account com.vmware.vcIntegrity, or by its description).
func signOf(ev *event.Event) sign {
	if ev.Class != event.APIActivity || ev.Device.Host == nil {
		return noSign
	}
	if !ev.Device.Host.IsVCenter {
		return hostSign(ev)
	}
	kind, ok := ev.Field(fieldEventType)
	if !ok {
		return noSign
	}
	switch kind.Value[strings.LastIndexByte(kind.Value, '.')+1:] {
	case "TaskEvent":
		if updates(ev) {
			return updateBegins
		}
		return byUser
	case "ScheduledTaskStartedEvent":
		if byUpdateService(ev) {
			return updateBegins
		}
	case "ScheduledTaskCompletedEvent", "ScheduledTaskFailedEvent":
		if byUpdateService(ev) {
			return updateEnds
		}
	case "EnteringMaintenanceModeEvent", "EnteredMaintenanceModeEvent":
		return maintenanceBegins
	case "ExitMaintenanceModeEvent":
		return maintenanceEnds
	case "GeneralUserEvent":
		return backupNote
	default:
		if ev.Dst.Context.VM != nil {
			return byUser
		}
	}
	return noSign
}

// hostSign reads what a host says of its firewall.
func hostSign(ev *event.Event) sign {
	switch analytics.HTTPClientChange(ev) {
	case analytics.RuleSetOpened:
		return firewallOpened
	case analytics.RuleSetClosed:
		return firewallClosed
	}
	return noSign
}

func byUpdateService(ev *event.Event) bool {
	return strings.HasSuffix(ev.User.Name, "com.vmware.vcIntegrity")
}

// updates says that a task installs, stages or fetches updates. Scans and
// checks change nothing and fetch nothing.
func updates(ev *event.Event) bool {
	text := textOf(ev, fieldTask)
	switch {
	case strings.Contains(text, "Scan"), strings.Contains(text, "heck"):
		return false
	case strings.Contains(text, "Remediate"), strings.Contains(text, "Stage patches"),
		strings.Contains(text, "Lifecycle Manager"), strings.Contains(text, "Update Manager"):
		return true
	}
	return byUpdateService(ev)
}

func textOf(ev *event.Event, id event.FieldID) string {
	f, _ := ev.Field(id)
	return f.Value
}

// job is what a backup product says of one of its jobs.
type job struct {
	product string
	name    string // in quotes, where the note has one
	begins  bool
	ends    bool
}

// key names the job among those of a vCenter. It is valid UTF-8 when its parts
// are: snapshots are JSON.
func (j *job) key() string { return j.product + "\x00" + j.name }

// jobOf reads a note "Source: Veeam Backup Action: Job "nightly" started": how
// backup products tell vCenter of their jobs (EventManager.LogUserEvent).
func jobOf(text string) (j job, ok bool) {
	_, rest, ok := strings.Cut(text, "Source: ")
	if !ok {
		return job{}, false
	}
	product, what, _ := strings.Cut(rest, " Action:")
	j.product = strings.TrimRight(product, "; ")
	if _, quoted, found := strings.Cut(rest, `"`); found {
		j.name, _, _ = strings.Cut(quoted, `"`)
	}
	j.begins, j.ends = strings.Contains(what, "tarted"), saysEnd(what)
	return j, true
}

func saysEnd(what string) bool {
	for _, word := range [...]string{"inished", "ompleted", "nded", "topped", "ailed"} {
		if strings.Contains(what, word) {
			return true
		}
	}
	return false
}
