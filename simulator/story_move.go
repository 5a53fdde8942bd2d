package simulator

import (
	"fmt"
	"net/netip"
	"time"
)

// Between which hosts the VM of the story moves: two that log all night, in one
// cluster.
const (
	movedFrom = hostLoses
	movedTo   = hostTruncates
)

// movedStory is of a container in a VM. VMware Tools do not report its address,
// so that the firewall's filter alone, which is named after the VM's world id,
// says whose packets these are; and a vMotion in the middle of a connection
// gives the VM another world id on another host. The simulated vCenter shows
// the VM where it was: its clock is the wall's, to which the night is a moment.
func (sc *script) movedStory() {
	vm := sc.site.cast[partMoved]
	if vm == nil || len(sc.site.Hosts) <= movedTo || vm.host != sc.site.Hosts[movedFrom] {
		return
	}
	tunnel, container := somewhere("serveo.net", "203.0.113.121:443"), netip.MustParseAddr("192.168.77.9")
	sc.publish(Story{
		ID: "vmotion", Title: "a container's VM moves by vMotion while the container holds a tunnel open",
		VM: vm.Name, InstanceUUID: vm.InstanceUUID, Host: vm.Host, Address: container,
		Verdict: "unjustified", Reason: "no_role",
	}, tunnel, sc.count(func() { sc.move(vm, sc.site.Hosts[movedTo], container, tunnel) }))
}

// move tells of connections of a container in vm, and of the vMotion to a host
// in the middle of one.
func (sc *script) move(vm *VM, to *Host, container netip.Addr, tunnel place) {
	const before, after = 2127090, 1830931 // world ids
	// Early in a connection, so that its end on the other host does not overtake
	// the word of the vMotion.
	begin, moved := sc.clock(20, 30), sc.clock(23, 2)
	sc.ask(begin.Add(-lead), vm.Address, tunnel.name, tunnel.addr.Addr())
	sc.aside(func() {
		sc.kernelSays(begin.Add(-lead), vm.host, fmt.Sprintf("Sched: vm %d: 6481: Adding world 'vmm0:%s', group 'host/user', cpu: shares=-3 min=0 minLimit=-1 max=-1, mem: shares=-3 min=0 minLimit=-1 max=-1", before, vm.Name))
		sc.kernelSays(moved, vm.host, fmt.Sprintf("Migrate: vm %d: 3284: Setting VMOTION info: Source ts = 145928, src ip = <%s> dest ip = <%s> Dest wid = %d using SHARED swap", before, vm.host.Address, to.Address, after))
	})
	for i := range 8 {
		f := flow{
			src: netip.AddrPortFrom(container, sc.port()), dst: tunnel.addr, proto: "TCP", rule: 1005, tag: "egress-web", end: "FIN",
			packetsOut: 4000, packetsIn: 900, bytesOut: 5_000_000 + sc.rng.Int64N(1_000_000), bytesIn: 60_000,
		}
		logs := func(at time.Time, line func(*flow, style) message) {
			host, world := vm.host, before
			if at.After(moved) {
				host, world = to, after
			}
			f.nic = fmt.Sprintf("nic-%d-eth0-vmware-sfw.2", world)
			sender := sc.byHost[host]
			sc.tell(at, sender, line(&f, sc.senders[sender].style))
		}
		opened := begin.Add(time.Duration(i) * 50 * time.Minute)
		logs(opened, (*flow).opened)
		logs(opened.Add(45*time.Minute), (*flow).closed)
		sc.account.bytesOut += f.bytesOut
	}
}

// kernelSays lets a host's vmkernel say something.
func (sc *script) kernelSays(at time.Time, host *Host, text string) {
	sender := sc.byHost[host]
	m := sc.voice(at, sender, host).kernel(text)
	sc.tell(at, sender, m)
}
