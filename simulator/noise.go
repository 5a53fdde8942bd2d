package simulator

import (
	"net/netip"
	"strings"
	"time"
)

// hostKinds is everything but the firewall that an ESXi host says, as often as
// it says it.
func hostKinds(st style) []utterance {
	from := func(kinds []utterance) func(*voice) message {
		return func(v *voice) message { return v.say(kinds) }
	}
	return []utterance{
		{35, from(hostdKinds())},
		{28, from(vmkernelKinds())},
		{12, from(vpxaKinds())},
		{5, from(vobdKinds())},
		{10, from(frontKinds(st))},
		{2, from(shellKinds())},
		{8, from(miscKinds())},
	}
}

// noise is the night's background: every program of every machine, and the
// connections that stay inside.
func (sc *script) noise() {
	for _, h := range sc.site.Hosts {
		sender := sc.byHost[h]
		kinds := hostKinds(sc.senders[sender].style)
		sc.every(perHour(sc.site.LinesPerHour), func(at time.Time) {
			sc.tell(at, sender, sc.voice(at, sender, h).say(kinds))
		})
	}
	kinds := vcenterKinds()
	sc.every(perHour(sc.site.LinesPerHour), func(at time.Time) {
		sc.tell(at, sc.vcenter, sc.voice(at, sc.vcenter, nil).say(kinds))
	})
	sc.every(20*time.Minute, func(at time.Time) {
		v := sc.voice(at, sc.vcenter, nil)
		sc.tellParts(at, sc.vcenter, v.reconfigured(v.vm()))
	})
	sc.inside()
	sc.visitors()
}

func perHour(n int) time.Duration { return time.Hour / time.Duration(max(n, 1)) }

// every calls f at random times, on average once in mean, through the night.
func (sc *script) every(mean time.Duration, f func(time.Time)) {
	for at := sc.start; ; {
		at = at.Add(max(time.Duration(sc.rng.ExpFloat64()*float64(mean)), time.Millisecond))
		if !at.Before(sc.end) {
			return
		}
		f(at)
	}
}

// inside is what VMs have to do with each other.
func (sc *script) inside() {
	ports := []uint16{5432, 3306, 389, 3128, 445, 8443, 443}
	mean := 40 * time.Minute / time.Duration(len(sc.site.VMs))
	sc.every(mean, func(at time.Time) {
		vm := sc.site.VMs[sc.rng.IntN(len(sc.site.VMs))]
		peer := sc.site.VMs[sc.rng.IntN(len(sc.site.VMs))]
		if sc.isTwin(vm) || sc.isTwin(peer) || vm.Address == peer.Address {
			return
		}
		sc.connect(at, connection{
			vm: vm, from: netip.AddrPortFrom(vm.Address, sc.port()),
			to:    netip.AddrPortFrom(peer.Address, ports[sc.rng.IntN(len(ports))]),
			lasts: sc.some(time.Second, 10*time.Minute), out: sc.rng.Int64N(200_000), in: sc.rng.Int64N(900_000), rule: 1002,
		})
	})
}

// isTwin keeps the twins silent but for their story.
func (sc *script) isTwin(vm *VM) bool {
	return vm == sc.site.cast[partTwin] || vm == sc.site.cast[partTwinClone]
}

// visitors come from outside to the web servers, or are turned away: neither
// is egress.
func (sc *script) visitors() {
	var web []*VM
	for _, vm := range sc.site.VMs {
		if strings.HasPrefix(vm.Name, "web") {
			web = append(web, vm)
		}
	}
	if len(web) == 0 {
		return
	}
	sc.every(3*time.Minute, func(at time.Time) {
		vm := web[sc.rng.IntN(len(web))]
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + sc.rng.IntN(100))}), sc.port())
		c := connection{
			vm: vm, from: from, to: netip.AddrPortFrom(vm.Address, 443), inbound: true,
			lasts: sc.some(time.Second, time.Minute), out: sc.rng.Int64N(5_000), in: sc.rng.Int64N(200_000), rule: 1001, tag: "web-in",
		}
		if sc.rng.IntN(3) > 0 {
			sc.connect(at, c)
			return
		}
		sender := sc.byHost[vm.host]
		f := flow{vif: vm.VIF, src: from, dst: netip.AddrPortFrom(vm.Address, 22), inbound: true, proto: "TCP", rule: 1009, drop: true}
		sc.tell(at, sender, f.opened(sc.senders[sender].style))
	})
}
