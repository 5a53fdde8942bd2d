package inventory_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

// BenchmarkResolve is an event with one key of a VM, each time of another of
// 40,000, at random, in a log of the host that the VM is on; and with an
// address that nobody has. moved is by address while some VM has just moved, so
// that each VM is asked where it was.
func BenchmarkResolve(b *testing.B) {
	const n, sw = 40_000, "50 2c aa bb cc dd ee ff-00 11 22 33 44 55 66 77"
	inv, c := synthetic(b)
	inventory.Sync(inv, estate(n))
	host := func(vm int) string { return hostName(vm % (n/40 + 1)) }
	for i := range n {
		tells(inv, c.t, host(i), fmt.Sprint(2_000_000+i), fmt.Sprintf("vm-%05d", i))
	}
	keys := []struct {
		name string
		of   func(vm int) event.Endpoint
	}{
		{"uuid", func(vm int) event.Endpoint { return event.Endpoint{VMUUID: uuid(vm)} }},
		{"vif", func(vm int) event.Endpoint { return event.Endpoint{VIF: fmt.Sprintf("%08x", vm)} }},
		{"switch-port", func(vm int) event.Endpoint { return event.Endpoint{Switch: sw, SwitchPort: fmt.Sprint(vm)} }},
		{"host-port", func(vm int) event.Endpoint { return event.Endpoint{SwitchPort: fmt.Sprint(vm), IP: ip(vm)} }},
		{"mac", func(vm int) event.Endpoint { return event.Endpoint{MAC: mac(vm)} }},
		{"world", func(vm int) event.Endpoint { return event.Endpoint{World: fmt.Sprint(2_000_000 + vm)} }},
		{"ip", func(vm int) event.Endpoint { return event.Endpoint{IP: ip(vm)} }},
		{"name", func(vm int) event.Endpoint { return event.Endpoint{VMName: fmt.Sprintf("vm-%05d", vm)} }},
		{"external", func(vm int) event.Endpoint {
			return event.Endpoint{IP: netip.AddrFrom4([4]byte{203, 0, byte(vm >> 8), byte(vm)})}
		}},
		{"moved", func(vm int) event.Endpoint { return event.Endpoint{IP: ip(vm)} }},
	}
	for _, key := range keys {
		if key.name == "moved" {
			inventory.Change(inv, modify(vmRef(0), "runtime.host", inventory.Ref("HostSystem", 1)))
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		ends, hosts := make([]event.Endpoint, 4096), make([]string, 4096)
		for i := range ends {
			vm := rnd.IntN(n)
			ends[i], hosts[i] = key.of(vm), host(vm)
		}
		b.Run(key.name, func(b *testing.B) {
			b.ReportAllocs()
			ev := event.Event{Time: c.t}
			for i := 0; b.Loop(); i++ {
				ev.Src, ev.Device.Hostname = ends[i&4095], hosts[i&4095]
				inv.Enrich(&ev)
			}
		})
	}
}

// BenchmarkHistory is an address that goes from one VM to another, over and
// over, and a VM that goes from host to host: heap-B is what one such change
// leaves behind, up to the bound of 200,000.
func BenchmarkHistory(b *testing.B) {
	const n = 2000
	for name, change := range map[string]func(inv *inventory.Inventory, i int){
		"address": func(inv *inventory.Inventory, i int) {
			a := netip.AddrFrom4([4]byte{10, 200 + byte(i>>16), byte(i >> 8), byte(i)})
			inventory.Change(inv, modify(vmRef(i%n), "guest.net", guestNet(4000, mac(i%n), a.String())))
		},
		"host": func(inv *inventory.Inventory, i int) {
			inventory.Change(inv, modify(vmRef(i%n), "runtime.host", inventory.Ref("HostSystem", i/n%51)))
		},
	} {
		b.Run(name, func(b *testing.B) {
			inv, c := synthetic(b)
			inventory.Sync(inv, estate(n))
			plain, _ := synthetic(b)
			inventory.Sync(plain, estate(n))
			base := heapOf(&plain, n)
			b.ResetTimer()
			for i := range b.N {
				c.t = c.t.Add(time.Millisecond)
				change(inv, i+n)
			}
			b.StopTimer()
			kept := inv.Stats().Tombstones
			b.ReportMetric(float64(kept), "kept")
			b.ReportMetric((float64(heapOf(&inv, n))-float64(base))/float64(max(kept, 1)), "heap-B")
		})
	}
}
