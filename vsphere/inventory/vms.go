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
