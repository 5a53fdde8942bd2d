package inventory

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// How far an event's time may lie outside of a claim when no claim covers it.
// VMware Tools report an address up to some minutes after the guest took it;
// clocks of hosts differ a little.
const (
	earlyGrace = int64(10 * time.Minute)
	lateGrace  = int64(2 * time.Minute)
)

// Enrich fills ev.Src.Context, ev.Dst.Context and ev.Device.Host, as of
// ev.Time (zero: now). What identifies an endpoint is tried from the most
// trusted to the least: VM UUID, NSX VIF, switch port, MAC, world id, address,
// name. A VM is given as it was at that time, on the host of that time.
// Several VMs are told apart by the host that wrote the log, when the other
// end is not on it, and by who is powered on; if that does not leave one,
// Context.VM is nil and Candidates are all that fit.
//
// It takes no lock and allocates nothing, except for an ambiguous endpoint at
// a time in the past, and for a line that tells a new world id of a VM, which
// it remembers. It may be called from many goroutines, each with its
// own event.
func (inv *Inventory) Enrich(ev *event.Event) {
	l := look{inv: inv, hosts: inv.hosts.Load(), dev: &ev.Device, actor: &ev.Src, at: math.MaxInt64 - 1}
	l.moves = ev.Dst.World != "" && ev.Src.World != ""
	if !ev.Time.IsZero() {
		l.at = ev.Time.UnixNano()
	}
	ev.Device.Host = nil
	if l.self = l.device(); l.self != nil {
		ev.Device.Host = &l.self.Host
	}
	l.endpoint(&ev.Src, nil)
	l.endpoint(&ev.Dst, nil)
	if l.self != nil {
		l.byHost(ev)
	}
	if ev.Src.World != "" || ev.Dst.World != "" {
		l.learn(ev)
	}
	inv.count(&ev.Src)
	inv.count(&ev.Dst)
}

// look is one event's look-up, and the search for the VM of one endpoint
// after the other.
type look struct {
	inv   *Inventory
	hosts *hostTable
	dev   *event.Device
	self  *hostState // the device, where the inventory has it
	actor *event.Endpoint
	at    int64
	moves bool // the worlds are of a VM that the device sends to another host

	host *event.Host // VMs on it are preferred; nil: none
	vm   *vmState
	via  event.Via
	all  []*event.VM // of the most trusted key that was ambiguous
}

// device finds who wrote the log: by name, else by address. Behind a relay
// the address is the relay's, so the name goes first.
func (l *look) device() *hostState {
	if l.dev.Hostname != "" {
		if h := l.hostNamed(l.dev.Hostname); h != nil {
			return h
		}
	}
	return l.hostAt(l.dev.IP)
}

func (l *look) hostAt(a netip.Addr) *hostState {
	if !a.IsValid() {
		return nil
	}
	return l.oneHost(l.hosts.find(ipKey(a)))
}

func (l *look) hostNamed(name string) *hostState {
	if h := l.hosts.find(l.hosts.hash.folded(name, kindName)); h != nil {
		return l.oneHost(h)
	}
	if !mayBeAddr(name) {
		return nil
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return l.hostAt(a)
	}
	return nil
}

// mayBeAddr keeps names from the parser of addresses, whose errors allocate.
func mayBeAddr(s string) bool {
	return s != "" && s[0]-'0' <= 9 || strings.IndexByte(s, ':') >= 0
}

// oneHost picks the only host, or the one that wrote the log: addresses of
// isolated networks (vMotion, storage) repeat between clusters.
func (l *look) oneHost(list []*hostState) *hostState {
	if len(list) == 1 {
		return list[0]
	}
	for _, h := range list {
		if h == l.self {
			return h
		}
	}
	return nil
}

// endpoint fills e.Context. With host, VMs on that host are preferred.
func (l *look) endpoint(e *event.Endpoint, host *event.Host) {
	e.Context = event.Context{}
	if e.IsZero() && e.VIF == "" && e.SwitchPort == "" && e.World == "" {
		return
	}
	fresh := l.inv.worst.Load()
	var ip key // no key: its kind is 0
	if e.IP.IsValid() {
		ip = ipKey(e.IP)
	}
	h := l.asHost(e, ip)
	l.host, l.vm, l.all = host, nil, nil
	l.identify(e, ip)
	if h = l.settle(e, ip, h); h != nil {
		e.Context.Host = &h.Host
		fresh = h.src.fresh.Load()
	}
	switch {
	case l.vm != nil:
		e.Context.VM, e.Context.Via = &l.vm.VM, l.via
		if l.late() { // apart, so that a VM is not touched else: at 40,000 it is in no cache
			e.Context.VM = &l.asOf(l.vm).VM
		}
		if len(l.inv.sources) > 1 { // with one, it is the worst, and the VM need not be touched
			fresh = l.vm.src.fresh.Load()
		}
	case l.all != nil:
		e.Context.Candidates, e.Context.Via = l.all, l.via
	}
	e.Context.State, e.Context.Age = unpack(fresh)
}

// asHost finds the ESXi host or vCenter that the endpoint is.
func (l *look) asHost(e *event.Endpoint, ip key) *hostState {
	if l.self != nil {
		self := e.IP.IsValid() && (e.IP == l.dev.IP || e.IP.IsLoopback())
		if self || e.Hostname != "" && e.Hostname == l.dev.Hostname {
			return l.self
		}
	}
	h := l.oneHost(l.hosts.find(ip))
	if h == nil && e.Hostname != "" {
		h = l.hostNamed(e.Hostname)
	}
	return h
}

// settle decides between a host and VMs that one endpoint was found to be, and
// gives the host that is left. A guest reports what addresses and name it
// likes: those of an ESXi host do not make it that host. A host that only the
// name speaks for does not stand against the VM at the address. A vCenter may
// well be a VM.
func (l *look) settle(e *event.Endpoint, ip key, h *hostState) *hostState {
	if h == nil || l.vm == nil && l.all == nil {
		return h
	}
	named := !e.IP.IsValid()
	at := !named && l.oneHost(l.hosts.find(ip)) == h
	switch {
	case !h.IsVCenter && (at || named) && (l.via == event.ViaIP || l.via == event.ViaName):
		l.vm, l.all = nil, nil
	case !at && !named && h != l.self:
		return nil
	}
	return h
}

// byHost resolves what is still ambiguous by the host that wrote the log. A
// flow is logged where one of its ends runs: when the other end is known to
// be there, the log says nothing of this one.
func (l *look) byHost(ev *event.Event) {
	first, second := &ev.Src, &ev.Dst
	if ev.Direction == event.DirectionInbound {
		first, second = second, first
	}
	if first.Context.Ambiguous() && !onHost(second.Context.VM, ev.Device.Host) {
		l.endpoint(first, ev.Device.Host)
	}
	if second.Context.Ambiguous() && !onHost(first.Context.VM, ev.Device.Host) {
		l.endpoint(second, ev.Device.Host)
	}
}

func onHost(vm *event.VM, h *event.Host) bool {
	return vm != nil && vm.Host == h.Name && vm.VCenter == h.VCenter
}

// identify tries the endpoint's keys, the most trusted first.
func (l *look) identify(e *event.Endpoint, ip key) {
	hash := &l.inv.index.hash
	if e.VMUUID != "" {
		k, ok := uuidKey(e.VMUUID)
		l.try(k, ok, event.ViaNSXUUID)
	}
	if e.VIF != "" {
		k, ok := vifKey(e.VIF)
		l.try(k, ok, event.ViaVIF)
	}
	switch {
	case e.SwitchPort == "":
	case e.Switch != "":
		k, ok := hash.portKey(e.Switch, e.SwitchPort)
		l.try(k, ok, event.ViaDVPort)
	case l.self != nil && l.vm == nil:
		l.tryHostPort(e, ip)
	}
	if e.MAC != "" {
		k, ok := macKey(e.MAC)
		l.try(k, ok, event.ViaMAC)
	}
	if e.World != "" && e.VMName == "" {
		l.tryWorld(e.World)
	}
	l.try(ip, e.IP.IsValid(), event.ViaIP)
	switch {
	case e.VMName == "":
	case strings.HasSuffix(e.VMName, ".vmx"):
		l.try(hash.folded(vmxPath(e.VMName), kindPath), true, event.ViaName)
	default:
		l.try(hash.folded(e.VMName, kindName), true, event.ViaName)
	}
	if e.World != "" && e.VMName != "" { // who says both teaches: what was learned comes second
		l.tryWorld(e.World)
	}
	// A guest chooses its host name. It may name who acts, when nothing better
	// is there, but never a destination: else a guest that calls itself
	// "pastebin.com" would turn a web service into a VM.
	if e == l.actor && e.Hostname != "" && !e.IP.IsValid() {
		l.try(hash.folded(e.Hostname, kindGuest), true, event.ViaName)
	}
}

// try looks k up, unless the VM is known already. After an ambiguous key, a
// less trusted one decides only between that key's VMs.
func (l *look) try(k key, ok bool, via event.Via) {
	if !ok || l.vm != nil {
		return
	}
	e := l.inv.index.find(k)
	if e == nil {
		return
	}
	vm, all := l.pick(e)
	switch {
	case vm != nil && (l.all == nil || among(l.all, &vm.VM)):
		l.vm, l.via = vm, via
	case vm == nil && l.all == nil && all != nil:
		l.all, l.via = all, via
	}
}

// tryHostPort looks for the VM at a port of a switch that the record does not
// name, on the host that exported it. That the number is the port's key is
// likely and not documented, and a host may have several switches: so the
// address has the last word, where it has one. That both differ is counted.
func (l *look) tryHostPort(e *event.Endpoint, ip key) {
	k, ok := l.inv.index.hash.hostPortKey(l.self.Name, e.SwitchPort)
	entry := l.inv.index.find(k)
	if !ok || entry == nil {
		return
	}
	vm, all := l.pick(entry)
	if vm == nil && all == nil {
		return
	}
	if at := l.inv.index.find(ip); at != nil && e.IP.IsValid() {
		if there, any := l.pick(at); !agree(vm, all, there, any) {
			l.inv.contradicted.Add(1)
			return
		}
	}
	l.try(k, true, event.ViaDVPort)
}

// agree says that two keys may mean the same VM: each the one, or one of all.
// A key that means none agrees with everything.
func agree(a *vmState, all []*event.VM, b *vmState, any []*event.VM) bool {
	switch {
	case b == nil && any == nil:
		return true
	case a != nil && b != nil:
		return a.obj == b.obj
	case a != nil:
		return among(any, &a.VM)
	case b != nil:
		return among(all, &b.VM)
	}
	return slices.ContainsFunc(all, func(vm *event.VM) bool { return among(any, vm) })
}

// among says that vm is one of all, in whatever state.
func among(all []*event.VM, vm *event.VM) bool {
	for _, o := range all {
		if o == vm || o.MoRef == vm.MoRef && o.VCenter == vm.VCenter {
			return true
		}
	}
	return false
}

// fit says how well a claim fits a time: 2 covers it, 1 nearly, 0 not.
func (c *claim) fit(at int64) int {
	switch {
	case c.from <= at && at <= c.to:
		return 2
	case at < c.from && at >= c.from-earlyGrace, at > c.to && at <= c.to+lateGrace:
		return 1
	}
	return 0
}

// pick gives the VM that an entry means at the event's time, or all that fit.
func (l *look) pick(e *entry) (*vmState, []*event.VM) {
	if e.many == nil {
		if e.only.fit(l.at) > 0 {
			return e.only.vm, nil
		}
		return nil, nil
	}
	return l.pickMany(e.many)
}

func (l *look) pickMany(c *crowd) (*vmState, []*event.VM) {
	best := 0
	for i := range c.claims {
		best = max(best, c.claims[i].fit(l.at))
	}
	if best == 0 {
		return nil, nil
	}
	var any, here, on, hereOn tally
	for i := range c.claims {
		cl := &c.claims[i]
		if cl.fit(l.at) != best {
			continue
		}
		any.add(cl.vm, true)
		local := l.host != nil && onHost(&l.asOf(cl.vm).VM, l.host)
		here.add(cl.vm, local)
		on.add(cl.vm, cl.vm.PoweredOn)
		hereOn.add(cl.vm, local && cl.vm.PoweredOn)
	}
	if c.dropped == 0 {
		for _, t := range [...]*tally{&any, &here, &hereOn, &on} {
			if t.n == 1 && (t != &on || here.n == 0) {
				return t.vm, nil
			}
		}
	}
	return nil, c.fitting(l.at, best, any.n)
}

// tally counts the VMs of one sort, and keeps one.
type tally struct {
	vm *vmState
	n  int
}

func (t *tally) add(vm *vmState, is bool) {
	if is {
		t.vm = vm
		t.n++
	}
}

// fitting lists the n VMs whose claim fits the time that well. Most of the
// time these are the ones with an open claim, whose list is there already.
func (c *crowd) fitting(at int64, best, n int) []*event.VM {
	open := 0
	for i := range c.claims {
		if c.claims[i].open() && c.claims[i].fit(at) == best {
			open++
		}
	}
	if open == n && n == len(c.all) {
		return c.all
	}
	list := make([]*event.VM, 0, n)
	for i := range c.claims {
		if c.claims[i].fit(at) == best {
			list = append(list, &c.claims[i].vm.VM)
		}
	}
	return list
}

// count keeps the look-up statistics.
func (inv *Inventory) count(e *event.Endpoint) {
	c := &e.Context
	switch {
	case c.VM != nil:
		inv.hits[c.Via].Add(1)
	case c.Host != nil:
		inv.host.Add(1)
	case c.Candidates != nil:
		inv.unclear.Add(1)
	case c.State != event.StateNone:
		inv.missed.Add(1)
	}
}
