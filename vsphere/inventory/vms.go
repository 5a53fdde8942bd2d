package inventory

import "github.com/vegress/vegress/event"

// VMs are all VMs known now, in no order. They never change: a VM that does
// is another *event.VM the next time.
func (inv *Inventory) VMs() []*event.VM {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	var all []*event.VM
	for _, s := range inv.sources {
		for _, o := range s.vms {
			if o.state != nil {
				all = append(all, &o.state.VM)
			}
		}
	}
	return all
}

// Hosts are all ESXi hosts known now, in no order. They never change, as VMs
// do not. fresh says of each vCenter, by its name, how far that is to be
// believed.
func (inv *Inventory) Hosts() (all []*event.Host, fresh map[string]event.State) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	fresh = make(map[string]event.State, len(inv.sources))
	for _, s := range inv.sources {
		fresh[s.name], _ = unpack(s.fresh.Load())
		for _, h := range s.hosts {
			if h.state != nil {
				all = append(all, &h.state.Host)
			}
		}
	}
	return all, fresh
}
