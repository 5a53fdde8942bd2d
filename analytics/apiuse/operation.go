package apiuse

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// kind is what a privileged operation does.
type kind uint8

const (
	noKind         kind = iota
	powerOff            // stops a VM
	removeSnapshot      // removes one or all snapshots of a VM
	destroy             // deletes or unregisters a VM
	export              // reads out a whole VM
	guestRun            // runs a program in a guest, or ends one
	guestWrite          // writes to a guest
	guestRead           // reads from a guest
	clone               // copies a VM
	access              // changes accounts, roles or permissions
	door                // opens or closes SSH, the shell, the firewall of a host
	kinds
)

// phrases say what was done, for titles: "powered off 10 VMs".
var phrases = [kinds]string{
	powerOff: "powered off VMs", removeSnapshot: "removed snapshots", destroy: "deleted VMs", export: "exported VMs",
	guestRun: "ran a program in a guest", guestWrite: "wrote to a guest", guestRead: "looked into a guest",
	clone: "copied a VM", access: "changed accounts or permissions", door: "changed the doors of a host",
}

func (k kind) guest() bool { return k >= guestRun && k <= guestRead }

// methods are calls of the vSphere Web Services API, as vpxd (VpxLRO) and
// hostd (haTask) name them, without "vim.".
var methods = map[string]kind{
	"VirtualMachine.powerOff":           powerOff,
	"VirtualMachine.terminate":          powerOff,
	"VirtualMachine.terminateVM":        powerOff,
	"VirtualMachine.shutdownGuest":      powerOff,
	"VirtualMachine.suspend":            powerOff,
	"Datacenter.powerOffVms":            powerOff,
	"VirtualApp.powerOff":               powerOff,
	"vm.Snapshot.remove":                removeSnapshot,
	"VirtualMachine.removeSnapshot":     removeSnapshot,
	"VirtualMachine.removeAllSnapshots": removeSnapshot,
	"VirtualMachine.destroy":            destroy,
	"ManagedEntity.destroy":             destroy,
	"VirtualMachine.unregister":         destroy,
	"VirtualMachine.exportVm":           export,
	"VirtualApp.exportVApp":             export,
	"vm.Snapshot.exportSnapshot":        export,
	"VirtualMachine.clone":              clone,
	"VirtualMachine.instantClone":       clone,
	"VirtualMachine.cloneVApp":          clone,

	"vm.guest.ProcessManager.startProgram":               guestRun,
	"vm.guest.ProcessManager.terminateProcess":           guestRun,
	"vm.guest.ProcessManager.listProcesses":              guestRead,
	"vm.guest.ProcessManager.readEnvironmentVariable":    guestRead,
	"vm.guest.FileManager.initiateFileTransferToGuest":   guestWrite,
	"vm.guest.FileManager.initiateFileTransferFromGuest": guestRead,
	"vm.guest.FileManager.listFiles":                     guestRead,
	"vm.guest.FileManager.moveFile":                      guestWrite,
	"vm.guest.FileManager.moveDirectory":                 guestWrite,
	"vm.guest.FileManager.deleteFile":                    guestWrite,
	"vm.guest.FileManager.deleteDirectory":               guestWrite,
	"vm.guest.FileManager.makeDirectory":                 guestWrite,
	"vm.guest.FileManager.createTemporaryFile":           guestWrite,
	"vm.guest.FileManager.createTemporaryDirectory":      guestWrite,
	"vm.guest.FileManager.changeFileAttributes":          guestWrite,
	"vm.guest.AliasManager.addAlias":                     guestWrite,
	"vm.guest.AliasManager.removeAlias":                  guestWrite,
	"vm.guest.WindowsRegistryManager.createRegistryKey":  guestWrite,
	"vm.guest.WindowsRegistryManager.deleteRegistryKey":  guestWrite,
	"vm.guest.WindowsRegistryManager.setRegistryValue":   guestWrite,

	"AuthorizationManager.setEntityPermissions":   access,
	"AuthorizationManager.resetEntityPermissions": access,
	"AuthorizationManager.removeEntityPermission": access,
	"AuthorizationManager.addRole":                access,
	"AuthorizationManager.updateRole":             access,
	"AuthorizationManager.removeRole":             access,
	"host.LocalAccountManager.createUser":         access,
	"host.LocalAccountManager.updateUser":         access,
	"host.LocalAccountManager.removeUser":         access,
	"host.ServiceSystem.start":                    door,
	"host.FirewallSystem.enableRuleset":           door,
	"host.FirewallSystem.updateRuleset":           door,
	"HostSystem.exitLockdownMode":                 door,
}

// events are types of the vSphere API's event model, and the ids of a host's
// observations.
var events = map[string]kind{
	"VmPoweredOffEvent": powerOff, "VmGuestShutdownEvent": powerOff, "VmSuspendedEvent": powerOff,
	"VmRemovedEvent": destroy,
	"VmClonedEvent":  clone, "VmBeingClonedEvent": clone, "VmBeingClonedNoFolderEvent": clone,
	"PermissionAddedEvent": access, "PermissionUpdatedEvent": access, "PermissionRemovedEvent": access,
	"RoleAddedEvent": access, "RoleUpdatedEvent": access, "RoleRemovedEvent": access,
	"AccountCreatedEvent": access, "AccountUpdatedEvent": access, "AccountRemovedEvent": access,
	"UserPasswordChanged": access, "UserAssignedToGroup": access,
	"HostAdminEnableEvent":  door,
	"esx.audit.ssh.enabled": door, "esx.audit.shell.enabled": door,
}

// tasks are what vCenter calls tasks that have no event of their own
// (TaskEvent, "Task: Remove snapshot").
var tasks = map[string]kind{
	"Power Off virtual machine":  powerOff,
	"Remove snapshot":            removeSnapshot,
	"Remove all snapshots":       removeSnapshot,
	"Delete virtual machine":     destroy,
	"Unregister virtual machine": destroy,
	"Export virtual machine":     export,
	"Export OVF template":        export,
}

// Fields that the decoders fill.
var (
	fieldOpID      = event.Intern("opid")
	fieldSID       = event.Intern("sid")
	fieldLRO       = event.Intern("lro")
	fieldEventType = event.Intern("event_type")
	fieldTaskText  = event.Intern("task_description")
	fieldGuestOp   = event.Intern("guest_operation")
	fieldActorVia  = event.Intern("actor_via")
)

// maxOperation bounds the names that are looked up.
const maxOperation = 80

// kindOf says which privileged operation ev tells of.
func kindOf(ev *event.Event) kind {
	op := ev.Operation
	if ev.Class != event.APIActivity || len(op) > maxOperation {
		return noKind
	}
	if method, ok := strings.CutPrefix(op, "vim."); ok {
		return methods[method]
	}
	switch op {
	case "TaskEvent":
		f, _ := ev.Field(fieldTaskText)
		return tasks[f.Value]
	case "GuestOperation":
		f, _ := ev.Field(fieldGuestOp)
		return guestKind(f.Value)
	}
	return events[op]
}

// guestKind reads the name that a host gives an operation in a guest:
// "Start Program", "StartProgramInGuest", "ListProcesses".
func guestKind(name string) kind {
	switch name = strings.ToLower(strings.ReplaceAll(name, " ", "")); {
	case strings.Contains(name, "startprogram"), strings.Contains(name, "terminateprocess"), strings.Contains(name, "runscript"):
		return guestRun
	case strings.Contains(name, "toguest"), strings.HasPrefix(name, "create"), strings.HasPrefix(name, "delete"),
		strings.HasPrefix(name, "move"), strings.HasPrefix(name, "make"), strings.HasPrefix(name, "set"),
		strings.HasPrefix(name, "add"), strings.HasPrefix(name, "change"):
		return guestWrite
	}
	return guestRead
}

// tellers are those who tell of one operation; each is counted alone, or one
// operation would count several times.
const (
	byCall  uint8 = iota // vpxd's VpxLRO, hostd's task
	byEvent              // an event that names the VM
	byTask               // TaskEvent
	byHost               // added: hostd tells it
)

func tellerOf(ev *event.Event) uint8 {
	teller := byEvent
	switch {
	case strings.HasPrefix(ev.Operation, "vim."):
		teller = byCall
	case ev.Operation == "TaskEvent":
		teller = byTask
	}
	if ev.LogName == "hostd" {
		teller += byHost
	}
	return teller
}

// api says that ev is about the API of vSphere: its logins, its operations,
// and the single sign-on before them.
func api(ev *event.Event) bool {
	if ev.Class != event.APIActivity && ev.Class != event.Authentication {
		return false
	}
	switch ev.LogName {
	case "vpxd", "vpxd-main", "vpxd-event", "vcenter-server", "hostd",
		"websso", "sso", "ssoadminserver", "vmware-sts-idmd", "sts", "vmware-identity-sts", "audit_events", "audit-events":
		return ev.Service != "ssh" && ev.Service != "dcui"
	}
	_, ok := ev.Field(fieldEventType)
	return ok && ev.Service != "ssh"
}
