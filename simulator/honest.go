package simulator

import (
	"fmt"
	"net/netip"
	"time"
)

// honest writes what has a justification.
func (sc *script) honest() {
	p := places()
	for _, who := range []part{partBackup1, partBackup2} {
		sc.allow(who, p.cloud, byBackup, sc.nightlyBackup)
	}
	if vm := sc.site.cast[partBackup2]; vm != nil && vm.Address6.IsValid() {
		sc.allow(partBackup2, p.cloud6, byBackup, sc.nightlyBackup)
	}
	sc.allow(partPatch, p.updates, byPatch, sc.patchDepot)
	sc.allow(partPatch, p.mirror, byPatch, sc.patchDepot)
	sc.allow(partJump, p.vendor, byAdmins, sc.adminVisit)
	for i := range 20 {
		to := place{fmt.Sprintf("www%d.example.org", i), netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + i)}), 443)}
		sc.allow(partProxy, to, byProxy, sc.browsing)
	}
	sc.allowDuring(runBackup, partBackup1, p.cloud, byBackup, sc.extraBackup)
	sc.patchRun(p.updates, p.drivers)
	sc.manualUpdate(p.drivers)
}

// allow tells of honest egress of a VM, if the site has it.
func (sc *script) allow(who part, where place, by string, tell func(*VM, place)) {
	sc.allowDuring("", who, where, by, tell)
}

// allowDuring tells of what a run that vSphere reports justifies.
func (sc *script) allowDuring(run string, who part, where place, by string, tell func(*VM, place)) {
	vm := sc.site.cast[who]
	if vm == nil {
		return
	}
	a := sc.count(func() { tell(vm, where) })
	if a.records == 0 {
		return
	}
	sc.truth.Honest = append(sc.truth.Honest, Honest{
		VM: vm.Name, InstanceUUID: vm.InstanceUUID, Address: vm.Address,
		Destination: where.addr.Addr(), Name: where.name, Port: where.addr.Port(), By: by, Run: run,
		Records: a.records, BytesOut: a.bytesOut, First: a.first, Last: a.last,
	})
}

func (sc *script) nightlyBackup(vm *VM, to place) {
	begin := sc.clock(22, 10)
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	sc.backupJob(vm, "nightly", begin, sc.clock(5, 50))
	for i := range 10 {
		at := begin.Add(time.Duration(i)*40*time.Minute + sc.some(0, 5*time.Minute))
		sc.leave(at, vm, to.addr, sc.some(10*time.Minute, 30*time.Minute), 2_000_000_000+sc.rng.Int64N(6_000_000_000), 9_000_000)
	}
}

// backupJob is what the product tells vCenter of a job of the proxy vm.
func (sc *script) backupJob(vm *VM, name string, begin, end time.Time) {
	sc.aside(func() {
		sc.tell(begin, sc.vcenter, sc.voice(begin, sc.vcenter, nil).backupNote(name+" "+vm.Name, "started"))
		sc.tell(end, sc.vcenter, sc.voice(end, sc.vcenter, nil).backupNote(name+" "+vm.Name, "finished"))
	})
}

// reported is how long after vCenter's word for it a run's traffic begins: the
// two come through different sockets, as with lead.
const reported = time.Hour

// extraBackup is one that somebody starts by hand, after the window: only what
// the product tells vCenter justifies it.
func (sc *script) extraBackup(vm *VM, to place) {
	begin := sc.clock(6, 10)
	sc.ask(begin, vm.Address, to.name, to.addr.Addr())
	sc.backupJob(vm, "extra", begin, begin.Add(100*time.Minute))
	for i := range 3 {
		sc.leave(begin.Add(reported+time.Duration(i)*8*time.Minute), vm, to.addr, sc.some(4*time.Minute, 7*time.Minute), 1_000_000_000, 3_000_000)
	}
}

func (sc *script) patchDepot(vm *VM, to place) {
	begin := sc.clock(21, 15)
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	for i := range 8 {
		at := begin.Add(time.Duration(i) * 10 * time.Minute)
		sc.leave(at, vm, to.addr, sc.some(time.Minute, 8*time.Minute), 40_000+sc.rng.Int64N(90_000), 90_000_000+sc.rng.Int64N(600_000_000))
	}
}

func (sc *script) adminVisit(vm *VM, to place) {
	for _, begin := range []time.Time{sc.clock(20, 35), sc.clock(7, 20)} {
		sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
		for i := range 4 {
			sc.leave(begin.Add(time.Duration(i)*3*time.Minute), vm, to.addr, sc.some(10*time.Second, 2*time.Minute), sc.rng.Int64N(90_000), sc.rng.Int64N(9_000_000))
		}
	}
}

func (sc *script) browsing(vm *VM, to place) {
	begin := sc.start.Add(lead + sc.some(0, time.Hour))
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	for at := begin; at.Before(sc.end.Add(-5 * time.Minute)); at = at.Add(sc.some(20*time.Minute, 3*time.Hour)) {
		sc.leave(at, vm, to.addr, sc.some(time.Second, 4*time.Minute), sc.rng.Int64N(60_000), sc.rng.Int64N(4_000_000))
	}
}

// patchRun is vCenter remediating two hosts: its events, their downloads, also
// from a depot that no justification names, and the audit events at the end.
func (sc *script) patchRun(from, drivers place) {
	for i, h := range sc.site.Hosts[:2] {
		begin := sc.clock(21, 15).Add(time.Duration(i) * 50 * time.Minute)
		sc.vcenterSays(begin, "TaskEvent", `VSPHERE.LOCAL\com.vmware.vcIntegrity`, "Task: Remediate entity")
		sc.maintenance(h, begin.Add(time.Minute), begin.Add(reported+45*time.Minute))
		sc.remediate(begin.Add(reported), h, from)
		at := begin.Add(reported + 5*time.Minute)
		sc.hostFetches(h, drivers, runPatch, at, sc.voice(at, sc.byHost[h], h).download("https://"+drivers.name+"/vib/hpe-smad.vib", "hpe-smad.vib"))
	}
	sc.vcenterSays(sc.clock(0, 30), "ScheduledTaskCompletedEvent", `com.vmware.vcIntegrity`, "Scheduled task Monthly remediation completed successfully on Cluster-A in datacenter Lab")
}

// maintenance is a host's stay in maintenance mode.
func (sc *script) maintenance(h *Host, from, to time.Time) {
	sc.vcenterSays(from, "EnteredMaintenanceModeEvent", "", "Host "+h.Name+" in Lab has entered maintenance mode")
	sc.vcenterSays(to, "ExitMaintenanceModeEvent", "", "Host "+h.Name+" in Lab has exited maintenance mode")
}

// hostFetches is one record of a host about a download.
func (sc *script) hostFetches(h *Host, from place, run string, at time.Time, m message) {
	a := sc.count(func() { sc.tell(at, sc.byHost[h], m) })
	sc.truth.Honest = append(sc.truth.Honest, Honest{
		Host: h.Name, Address: h.Address, Name: from.name, Port: from.addr.Port(), Run: run,
		Records: a.records, First: a.first, Last: a.last,
	})
}

// manualUpdate is an administrator who installs a driver by hand: with the
// host in maintenance mode, and its firewall open meanwhile.
func (sc *script) manualUpdate(from place) {
	h := sc.site.Hosts[1]
	sender := sc.byHost[h]
	begin := sc.clock(3, 10)
	sc.maintenance(h, begin, begin.Add(reported+30*time.Minute))
	ruleSet := func(at time.Time, operation string) {
		sc.tell(at, sender, sc.voice(at, sender, h).vob("netCorrelator", "esx.audit.net.firewall.config.changed",
			"Firewall configuration has changed. Operation '"+operation+"' for rule set httpClient succeeded."))
	}
	ruleSet(begin.Add(reported), "enable")
	at := begin.Add(reported + 5*time.Minute)
	sc.hostFetches(h, from, runManual, at, sc.voice(at, sender, h).shell("esxcli software vib install -v https://"+from.name+"/vib/hpe-ilo.vib"))
	ruleSet(begin.Add(reported+20*time.Minute), "disable")
}

func (sc *script) vcenterSays(at time.Time, kind, user, text string) {
	sc.tell(at, sc.vcenter, sc.voice(at, sc.vcenter, nil).event(kind, user, text))
}

func (sc *script) remediate(begin time.Time, h *Host, from place) {
	sender := sc.byHost[h]
	base := "https://" + from.name + "/software/VUM/PRODUCTION/main/esx/vmw/vib20/"
	a := sc.count(func() {
		for i, vib := range []string{"esx-base", "esx-update", "vsan", "lsu-hp-hpsa-plugin", "tools-light"} {
			at := begin.Add(time.Duration(i) * 90 * time.Second)
			name := fmt.Sprintf("VMware_bootbank_%s_%s-1.%s.vib", vib, h.Version, h.Build)
			sc.tell(at, sender, sc.voice(at, sender, h).download(base+vib+"/"+name, name))
		}
	})
	at := begin.Add(20 * time.Minute)
	sc.tell(at, sender, sc.voice(at, sender, h).vob("UserWorldCorrelator", "esx.audit.esximage.software.apply.succeeded",
		"Software image was applied: 5 components installed, 5 removed."))
	sc.truth.Honest = append(sc.truth.Honest, Honest{
		Host: h.Name, Address: h.Address, Name: from.name, Port: from.addr.Port(), By: byHosts,
		Records: a.records, First: a.first, Last: a.last,
	})
}
