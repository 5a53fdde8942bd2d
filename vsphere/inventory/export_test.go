package inventory

import (
	"context"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"github.com/vmware/govmomi/vim25/types"
)

// SetWaits makes an inventory's waits short enough for tests: sleep takes the
// place of the back-off, and calls for updates end after a second.
func SetWaits(inv *Inventory, sleep func(context.Context, time.Duration) error) {
	inv.sleep = sleep
	inv.waitFor = time.Second
	inv.tickWait = 10 * time.Millisecond
}

// SetNow gives an inventory another clock, before Run.
func SetNow(inv *Inventory, now func() time.Time) { inv.now = now }

// Sync feeds the first vCenter of inv a full read of these updates, in pages.
func Sync(inv *Inventory, updates []types.ObjectUpdate) {
	s := inv.sources[0]
	l := inv.loops[0]
	f := &feed{loop: l}
	inv.mu.Lock()
	s.begin()
	inv.mu.Unlock()
	for len(updates) > 0 {
		n := min(len(updates), pageSize)
		f.take(&types.UpdateSet{FilterSet: []types.PropertyFilterUpdate{{ObjectSet: updates[:n]}}})
		updates = updates[n:]
	}
	l.finish(inv.now())
}

// Change feeds the first vCenter of inv one object's change.
func Change(inv *Inventory, u types.ObjectUpdate) {
	s := inv.sources[0]
	inv.mu.Lock()
	defer inv.mu.Unlock()
	now := inv.now().UnixNano()
	s.apply(&u, now)
	s.commit(now, now)
	s.lastOK = now
}

// SetVCenterIPs gives the first vCenter of inv its addresses.
func SetVCenterIPs(inv *Inventory, ips ...netip.Addr) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.sources[0].ips = ips
	inv.publishHosts()
}

// Tick does what Run does each second.
func Tick(inv *Inventory) {
	inv.refresh(inv.now())
	inv.prune(inv.now())
}

// IndexSize gives the keys of inv's index, and the bytes that they take:
// buckets, filter, entries and claims, without the VMs that they lead to.
func IndexSize(inv *Inventory) (keys, bytes int) {
	t := inv.index.table.Load()
	bytes = 8 * (len(t.buckets) + len(t.filter))
	for i := range t.buckets {
		for e := t.buckets[i].Load(); e != nil; e = e.next {
			keys++
			bytes += int(unsafe.Sizeof(*e))
			if e.many != nil {
				bytes += int(unsafe.Sizeof(*e.many)) + cap(e.many.claims)*int(unsafe.Sizeof(claim{})) + 8*cap(e.many.all)
			}
		}
	}
	return keys, bytes
}

// Glob is the matcher of role patterns.
func Glob(pattern, s string) bool { return glob(pattern, s) }

// MaxClaims is how many VMs are kept for one key.
const MaxClaims = maxClaims

// Ref makes a reference.
func Ref(kind string, n int) types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: kind, Value: kind + "-" + strconv.Itoa(n)}
}
