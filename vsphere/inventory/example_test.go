package inventory_test

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

// An inventory written by hand, as a replay may use it.
func ExampleNewStatic() {
	file := `{"format": "vegress-inventory", "version": 1, "vcenters": [{
		"name": "vc1",
		"hosts": [{"name": "esx01.corp.local", "ips": ["10.0.0.11"]}],
		"vms": [{"name": "veeam-proxy01", "host": "esx01.corp.local", "powered_on": true, "ips": [{"ip": "10.20.0.5"}]}]
	}]}`
	inv, err := inventory.NewStatic(strings.NewReader(file), []inventory.Role{{Name: "backup", Names: []string{"veeam*"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ev := event.Event{
		Device: event.Device{Hostname: "esx01"},
		Src:    event.Endpoint{IP: netip.MustParseAddr("10.20.0.5")},
		Dst:    event.Endpoint{IP: netip.MustParseAddr("203.0.113.9"), Port: 443},
	}
	inv.Enrich(&ev)
	fmt.Println(ev.Device.Host.Name, ev.Src.Context.VM.Name, ev.Src.Context.VM.Roles, ev.Dst.Context.VM)
	// Output: esx01.corp.local veeam-proxy01 [backup] <nil>
}
