package inventory_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

var sizes = []int{100, 10_000, 40_000}

// flow is what a firewall line says of the ends.
type flow struct {
	host     string
	src, dst netip.Addr
	vif      string
}

// flows are n flows of VMs chosen at random, to external addresses.
func flows(vms, n int) []flow {
	rnd := rand.New(rand.NewPCG(1, 2))
	list := make([]flow, n)
	for i := range list {
		vm := rnd.IntN(vms)
		list[i] = flow{hostName(vm % (vms/40 + 1)), ip(vm), netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), fmt.Sprintf("%08x", vm)}
	}
	return list
}

// BenchmarkEnrich is a firewall line's event: a VM known by its VIF or by its
// address talks to an external address, or to another VM; each time another
// VM, at random.
func BenchmarkEnrich(b *testing.B) {
	for _, n := range sizes {
		inv, c := synthetic(b)
		inventory.Sync(inv, estate(n))
		runtime.GC()
		run := func(name string, change func(*flow)) {
			list := flows(n, 4096)
			for i := range list {
				change(&list[i])
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				ev := event.Event{Time: c.t}
				i := 0
				for b.Loop() {
					f := &list[i&4095]
					ev.Device.Hostname, ev.Src.IP, ev.Src.VIF, ev.Dst.IP = f.host, f.src, f.vif, f.dst
					inv.Enrich(&ev)
					i++
				}
			})
		}
		run("vif", func(*flow) {})
		run("ip", func(f *flow) { f.vif = "" })
		run("lateral", func(f *flow) { f.dst = ip(int(f.dst.As4()[3]) * n / 256) })
	}
}

// BenchmarkSync is a first read, from updates as they come out of the XML
// decoder to the published index. heap-B/VM is what stays in memory, and
// index-B/VM what of it the index takes, for so many keys.
func BenchmarkSync(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var heap uint64
			var keys, index int
			for b.Loop() {
				b.StopTimer()
				inv, _ := synthetic(b)
				ups := estate(n)
				b.StartTimer()
				inventory.Sync(inv, ups)
				b.StopTimer()
				keys, index = inventory.IndexSize(inv)
				heap = heapOf(&inv, n)
				b.StartTimer()
			}
			b.ReportMetric(float64(heap)/float64(n), "heap-B/VM")
			b.ReportMetric(float64(index)/float64(n), "index-B/VM")
			b.ReportMetric(float64(keys)/float64(n), "keys/VM")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*b.N), "us/VM")
		})
	}
}

// heapOf is what an inventory holds, found by letting it go.
func heapOf(inv **inventory.Inventory, n int) uint64 {
	var with, without runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&with)
	runtime.KeepAlive(*inv)
	*inv = nil
	runtime.GC()
	runtime.ReadMemStats(&without)
	if with.HeapAlloc < without.HeapAlloc {
		return 0
	}
	return with.HeapAlloc - without.HeapAlloc
}

// BenchmarkChange is one VM's update in a running inventory: here, a power
// change.
func BenchmarkChange(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			inv, _ := synthetic(b)
			inventory.Sync(inv, estate(n))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				inventory.Change(inv, modify(vmRef(i%n), "name", fmt.Sprint("renamed-", i)))
				i++
			}
		})
	}
}
