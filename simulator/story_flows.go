package simulator

import "time"

// unloggedStory is of a VM whose firewall rule nobody has told to log: only
// the switch's flows tell of it.
func (sc *script) unloggedStory() {
	vm := sc.site.cast[partUnlogged]
	if vm == nil || !vm.unlogged {
		return
	}
	to := somewhere("webhook.site", "203.0.113.110:443")
	begin := sc.clock(0, 50)
	sc.ask(begin.Add(-lead), vm.Address, to.name, to.addr.Addr())
	for i := range 9 {
		at := begin.Add(time.Duration(i) * 25 * time.Minute)
		sc.leave(at, vm, to.addr, sc.some(20*time.Second, 4*time.Minute), 2_000_000+sc.rng.Int64N(6_000_000), 80_000)
	}
	sc.unlogged = append(sc.unlogged, Story{
		ID: "unlogged-rule", Title: "an application server whose firewall rule is not logged sends data to a web hook",
		VM: vm.Name, InstanceUUID: vm.InstanceUUID, Host: vm.Host, Address: vm.Address,
		Destination: to.addr.Addr(), Port: to.addr.Port(), Name: to.name,
		Analytic: egressAnalytic, Verdict: "unjustified", Reason: "no_role",
	})
}
