package simulator

import (
	"fmt"
	"time"
)

// Uids of the analytics of API use.
const (
	externalAnalytic = "vpxd.external_api"
	tripleAnalytic   = "vpxd.new_triple"
	guestAnalytic    = "vpxd.guest_ops"
	bulkAnalytic     = "vpxd.bulk"
)

// Who uses the API of the vCenter, with what, from where.
const (
	backupUser, backupAgent, backupFrom    = `VSPHERE.LOCAL\svc-backup`, "Veeam Backup and Replication 12.1", "10.9.0.40"
	monitorUser, monitorAgent, monitorFrom = `LAB\svc-monitor`, "Go-http-client/1.1", "10.9.0.30"
	deployUser, deployAgent, deployFrom    = `LAB\svc-deploy`, "pyvmomi Python/3.11.9 (Linux; 6.1.0; x86_64)", "10.9.0.50"
	colleague, colleagueAgent, colleagueAt = `LAB\k.smith`, "VMware vim-java 1.0", "10.9.0.17"
	operator, operatorAgent, operatorFrom  = `LAB\j.doe`, "PowerCLI/13.2.1.22851661", "10.9.0.16"
)

// apiLearning is when the night's honest users of the API have all been seen.
const apiLearning = 2 * time.Hour

// apiConfig is what the site's admin writes about the API: who may work inside
// guests; and, as the night is short, that learning is.
func apiConfig() string {
	return fmt.Sprintf("apiuse:\n  new_triple: {learning: %s}\n  guest_ops: {users: [%q]}\n", apiLearning, backupUser)
}

// apiUse writes the honest use of vCenter's API, and the stories about it.
func (sc *script) apiUse() {
	sc.honestAPI()
	sc.fromOutside()
	sc.newTriple()
	sc.guestProgram()
	sc.bulkPowerOff()
}

// moref names a VM as calls do.
func moref(n int) string { return fmt.Sprintf("vm-%d", 1000+n) }

// honestAPI is the everyday use: monitoring that looks every ten minutes, the
// backup product that makes and removes a snapshot of each VM and quiesces
// some guests, a deployment tool, an administrator and an operator at work.
func (sc *script) honestAPI() {
	for at := sc.start.Add(3 * time.Minute); at.Before(sc.end.Add(-5 * time.Minute)); at = at.Add(10 * time.Minute) {
		s := sc.opens(at, monitorUser, monitorAgent, monitorFrom)
		sc.calls(at.Add(time.Second), s, "PerfMgr", "vim.PerformanceManager.queryStats")
		sc.calls(at.Add(2*time.Second), s, "propertyCollector", "vmodl.query.PropertyCollector.retrieveContents")
		sc.closes(at.Add(4*time.Second), s)
	}
	sc.backupSnapshots()
	for i, at := range []time.Time{sc.clock(20, 25), sc.clock(23, 25), sc.clock(6, 25)} {
		s := sc.opens(at, deployUser, deployAgent, deployFrom)
		sc.calls(at.Add(time.Minute), s, moref(i), "vim.VirtualMachine.clone")
		sc.closes(at.Add(5*time.Minute), s)
	}
	sc.adminsDay()
}

func (sc *script) backupSnapshots() {
	begin := sc.clock(20, 30) // the product's first look; its job begins at 22:10
	sc.closes(begin.Add(time.Minute), sc.opens(begin, backupUser, backupAgent, backupFrom))
	at := sc.clock(22, 15)
	s := sc.opens(at, backupUser, backupAgent, backupFrom)
	for i, vm := range sc.site.VMs {
		at = at.Add(sc.some(20*time.Second, 50*time.Second))
		sc.calls(at, s, moref(i), "vim.VirtualMachine.createSnapshot")
		sc.vcenterSays(at, "TaskEvent", backupUser, "Task: Create virtual machine snapshot")
		if i%10 == 0 {
			sc.calls(at.Add(time.Second), s, "guestOperationsProcessManager", "vim.vm.guest.ProcessManager.startProgram")
			sc.vcenterSays(at.Add(time.Second), "EventEx", backupUser, "Guest operation Start Program performed on Virtual machine "+vm.Name)
		}
		sc.calls(at.Add(10*time.Second), s, fmt.Sprintf("snapshot-%d", 5000+i), "vim.vm.Snapshot.remove")
		sc.vcenterSays(at.Add(10*time.Second), "TaskEvent", backupUser, "Task: Remove snapshot")
	}
	sc.closes(at.Add(time.Minute), s)
}

// adminsDay is work with VMs by hand: some are stopped, a snapshot and a VM
// are removed.
func (sc *script) adminsDay() {
	for i, at := range []time.Time{sc.clock(20, 10), sc.clock(0, 20), sc.clock(7, 10)} {
		s := sc.opens(at, adminName, "PowerCLI/13.2.1.22851661", adminAddress)
		for n := range 3 {
			vm := sc.site.VMs[(7*i+3*n)%len(sc.site.VMs)]
			when := at.Add(time.Duration(n+1) * 4 * time.Minute)
			sc.calls(when, s, moref(7*i+3*n), "vim.VirtualMachine.powerOff")
			sc.vcenterSays(when.Add(time.Second), "VmPoweredOffEvent", adminName, fmt.Sprintf("%s on %s in Lab is powered off", vm.Name, vm.Host))
			sc.calls(when.Add(time.Minute), s, moref(7*i+3*n), "vim.VirtualMachine.powerOn")
		}
		sc.calls(at.Add(15*time.Minute), s, "snapshot-77", "vim.vm.Snapshot.remove")
		sc.calls(at.Add(16*time.Minute), s, moref(900+i), "vim.ManagedEntity.destroy")
		sc.closes(at.Add(20*time.Minute), s)
	}
	at := sc.clock(20, 20)
	sc.closes(at.Add(time.Minute), sc.opens(at, colleague, colleagueAgent, colleagueAt))
	at = sc.clock(20, 15)
	sc.closes(at.Add(time.Minute), sc.opens(at, operator, operatorAgent, operatorFrom))
}

// apiStory tells one at the vCenter.
func (sc *script) apiStory(id, analytic, title string, tell func(), signs ...Sign) {
	sc.publish(Story{
		ID: id, Title: title, Analytic: analytic, Host: sc.site.VCenter, Address: sc.site.VCenterAddr, Signs: signs,
	}, place{}, sc.count(tell))
}

// fromOutside is the monitoring account, used from the internet to read.
func (sc *script) fromOutside() {
	sc.apiStory("api-from-outside", externalAnalytic, "the monitoring account reads the inventory from an address on the internet", func() {
		at := sc.clock(1, 10)
		s := sc.opens(at, monitorUser, "python-requests/2.31.0", "203.0.113.200")
		for i := range 6 {
			sc.calls(at.Add(time.Duration(i+1)*10*time.Second), s, "propertyCollector", "vmodl.query.PropertyCollector.retrieveContents")
		}
		sc.closes(at.Add(3*time.Minute), s)
	})
}

// newTriple is an administrator's account at a desk that was never its own,
// with a client that was never used: it copies a domain controller's disk.
func (sc *script) newTriple() {
	sc.apiStory("stolen-account", tripleAnalytic, "an administrator's account copies a VM with a new client from a new address", func() {
		at := sc.clock(3, 20)
		s := sc.opens(at, colleague, "govc/0.37.1", "10.9.3.77")
		sc.calls(at.Add(30*time.Second), s, "propertyCollector", "vmodl.query.PropertyCollector.retrieveContents")
		sc.calls(at.Add(2*time.Minute), s, moref(3), "vim.VirtualMachine.clone")
		sc.closes(at.Add(20*time.Minute), s)
	})
}

// guestProgram is the deployment tool, which has no business inside guests.
func (sc *script) guestProgram() {
	vm := sc.site.VMs[len(sc.site.VMs)/2]
	sc.apiStory("guest-program", guestAnalytic, "the deployment account runs a program inside a guest", func() {
		at := sc.clock(2, 50)
		s := sc.opens(at, deployUser, deployAgent, deployFrom)
		sc.calls(at.Add(20*time.Second), s, "guestOperationsFileManager", "vim.vm.guest.FileManager.initiateFileTransferToGuest")
		sc.calls(at.Add(30*time.Second), s, "guestOperationsProcessManager", "vim.vm.guest.ProcessManager.startProgram")
		sc.vcenterSays(at.Add(31*time.Second), "EventEx", deployUser, "Guest operation Start Program performed on Virtual machine "+vm.Name)
		sc.closes(at.Add(2*time.Minute), s)
	}, ruleGuestProgram)
}

// manyVMs are more than anybody honest powers off in an hour.
const manyVMs = 14

// bulkPowerOff is what comes before the disks are encrypted. A small site has
// too few VMs for it.
func (sc *script) bulkPowerOff() {
	if len(sc.site.VMs) < manyVMs {
		return
	}
	sc.apiStory("bulk-power-off", bulkAnalytic, "an operator's account powers off one VM after the other", func() {
		at := sc.clock(4, 10)
		s := sc.opens(at, operator, operatorAgent, operatorFrom)
		for i, vm := range sc.site.VMs[:manyVMs] {
			when := at.Add(time.Duration(i+1) * 20 * time.Second)
			sc.calls(when, s, moref(i), "vim.VirtualMachine.powerOff")
			sc.vcenterSays(when.Add(time.Second), "VmPoweredOffEvent", operator, fmt.Sprintf("%s on %s in Lab is powered off", vm.Name, vm.Host))
		}
		sc.closes(at.Add(10*time.Minute), s)
	})
}
