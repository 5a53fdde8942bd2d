package inventory_test

import (
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

// TestHostsLink follows what vCenter says of its link to a host.
func TestHostsLink(t *testing.T) {
	inv, _ := synthetic(t)
	inventory.Sync(inv, estate(3))
	host := func() *event.Host {
		t.Helper()
		all, fresh := inv.Hosts()
		if len(all) == 0 || len(fresh) != 1 {
			t.Fatalf("%d hosts, %v", len(all), fresh)
		}
		for _, h := range all {
			if h.Name == hostName(0) {
				return h
			}
		}
		t.Fatalf("%s is missing", hostName(0))
		return nil
	}
	if h := host(); h.Connection != "" || h.Standby || h.Maintenance {
		t.Errorf("%+v", h)
	}
	ref := inventory.Ref("HostSystem", 0)
	inventory.Change(inv, modify(ref, "runtime.connectionState", types.HostSystemConnectionStateNotResponding, "runtime.powerState", types.HostSystemPowerStateStandBy))
	if h := host(); h.Connection != "notResponding" || !h.Standby {
		t.Errorf("%+v", h)
	}
	inventory.Change(inv, modify(ref, "runtime.connectionState", types.HostSystemConnectionStateConnected, "runtime.powerState", types.HostSystemPowerStatePoweredOn, "runtime.inMaintenanceMode", true))
	if h := host(); h.Connection != "connected" || h.Standby || !h.Maintenance {
		t.Errorf("%+v", h)
	}
}
