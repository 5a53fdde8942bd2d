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
	sc.patchRun(p.updates)
}

// allow tells of honest egress of a VM, if the site has it.
func (sc *script) allow(who part, where place, by string, tell func(*VM, place)) {
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
		Destination: where.addr.Addr(), Name: where.name, Port: where.addr.Port(), By: by,
		Records: a.records, BytesOut: a.bytesOut, First: a.first, Last: a.last,
	})
}

func (sc *script) nightlyBackup(vm *VM, to place) {
	begin := sc.clock(22, 10)
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	sc.aside(func() { sc.tell(begin, sc.vcenter, sc.voice(begin, sc.vcenter, nil).backupNote("nightly "+vm.Name)) })
	for i := range 10 {
		at := begin.Add(time.Duration(i)*40*time.Minute + sc.some(0, 5*time.Minute))
		sc.leave(at, vm, to.addr, sc.some(10*time.Minute, 30*time.Minute), 2_000_000_000+sc.rng.Int64N(6_000_000_000), 9_000_000)
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

// patchRun is vCenter remediating two hosts: its events, their downloads, and
// the audit events at the end.
func (sc *script) patchRun(from place) {
	for i, h := range sc.site.Hosts[:2] {
		begin := sc.clock(21, 30).Add(time.Duration(i) * 35 * time.Minute)
		sc.vcenterSays(begin, "TaskEvent", `VSPHERE.LOCAL\com.vmware.vcIntegrity`, "Task: Remediate entity")
		sc.vcenterSays(begin.Add(time.Minute), "EnteredMaintenanceModeEvent", "", "Host "+h.Name+" in Lab has entered maintenance mode")
		sc.remediate(begin.Add(2*time.Minute), h, from)
		sc.vcenterSays(begin.Add(25*time.Minute), "ExitMaintenanceModeEvent", "", "Host "+h.Name+" in Lab has exited maintenance mode")
	}
	sc.vcenterSays(sc.clock(22, 40), "ScheduledTaskCompletedEvent", `com.vmware.vcIntegrity`, "Scheduled task Monthly remediation completed successfully on Cluster-A in datacenter Lab")
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
