package inventory_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

// TestPortOfSomeSwitch: a flow names a port and not its switch. On the host
// that exported it, the port tells which VM it was where the address does not,
// and never against the address.
func TestPortOfSomeSwitch(t *testing.T) {
	inv, c := synthetic(t)
	ups := estate(80) // on three hosts
	for i, vm := range []int{3, 4} {
		ups = append(ups, modify(vmRef(vm), "guest.net", guestNet(4000, mac(vm), "10.99.0.1", fmt.Sprint("10.98.0.", i+1))))
	}
	// VM 6 has no Tools, and VM 9, on the same host, the same port of another switch.
	ups = append(ups, modify(vmRef(6), "guest.net", types.ArrayOfGuestNicInfo{}))
	twin := vmUpdate(9, 0)
	for i := range twin.ChangeSet {
		if d, ok := twin.ChangeSet[i].Val.(types.ArrayOfVirtualDevice); ok {
			card := d.VirtualDevice[0].(*types.VirtualVmxnet3)
			card.Backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo).Port.PortKey = "12"
			card.Backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo).Port.SwitchUuid = "50 2c 00 00 00 00 00 00-00 00 00 00 00 00 00 02"
		}
	}
	inventory.Sync(inv, append(ups, twin))
	at := func(a string) netip.Addr { return netip.MustParseAddr(a) }
	tests := []struct {
		name, host string
		src        event.Endpoint
		want       int // -1: none
		via        event.Via
		all        int
	}{
		{"agrees", hostName(1), event.Endpoint{IP: ip(7), SwitchPort: "7"}, 7, event.ViaDVPort, 0},
		{"tells twins apart", hostName(0), event.Endpoint{IP: at("10.99.0.1"), SwitchPort: "3"}, 3, event.ViaDVPort, 0},
		{"no Tools", hostName(0), event.Endpoint{IP: ip(6), SwitchPort: "6"}, 6, event.ViaDVPort, 0},
		{"another host", hostName(1), event.Endpoint{IP: ip(6), SwitchPort: "6"}, -1, event.ViaNone, 0},
		{"unknown host", "", event.Endpoint{IP: ip(6), SwitchPort: "6"}, -1, event.ViaNone, 0},
		{"against the address", hostName(1), event.Endpoint{IP: ip(5), SwitchPort: "7"}, 5, event.ViaIP, 0},
		{"two switches", hostName(0), event.Endpoint{IP: at("192.168.7.7"), SwitchPort: "12"}, -1, event.ViaDVPort, 2},
		{"two switches and an address", hostName(0), event.Endpoint{IP: ip(12), SwitchPort: "12"}, 12, event.ViaIP, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, want := seen(inv, c.t, tt.src, tt.host), ""
			if tt.want >= 0 {
				want = vmKey(tt.want)
			}
			if keyOf(got) != want || got.Via != tt.via || len(got.Candidates) != tt.all {
				t.Errorf("%q via %d, %d candidates; want %q via %d, %d", keyOf(got), got.Via, len(got.Candidates), want, tt.via, tt.all)
			}
		})
	}
	if n := inv.Stats().Contradicted; n != 1 {
		t.Errorf("%d contradictions", n)
	}
}
