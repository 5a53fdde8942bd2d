package inventory_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

// by resolves a world id that a host's line names.
func by(inv *inventory.Inventory, at time.Time, host, world string) event.Context {
	return seen(inv, at, event.Endpoint{World: world}, host)
}

// tells lets a host say which VM a world is.
func tells(inv *inventory.Inventory, at time.Time, host, world, name string) {
	seen(inv, at, event.Endpoint{World: world, VMName: name}, host)
}

// TestWorldOfVM: a world id that a line ties to a VM means that VM in the lines
// of that host, from then until it is off, elsewhere, or the id is another's.
func TestWorldOfVM(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(80)) // three hosts: VM i on host i%3
	host, t0 := hostName(0), c.t
	tells(inv, t0, host, "2127090", "vm-00003")
	check := func(name string, got event.Context, want int) {
		t.Helper()
		key, via := "", event.ViaNone
		if want >= 0 {
			key, via = vmKey(want), event.ViaWorld
		}
		if keyOf(got) != key || got.Via != via {
			t.Errorf("%s: %q via %d, want %q", name, keyOf(got), got.Via, key)
		}
	}
	check("learned", by(inv, t0.Add(time.Second), host, "2127090"), 3)
	check("another host", by(inv, t0, hostName(1), "2127090"), -1)
	check("another world", by(inv, t0, host, "2127091"), -1)
	check("long before", by(inv, t0.Add(-time.Hour), host, "2127090"), -1)
	// By the path of the .vmx file, and by the UUID.
	tells(inv, t0, host, "2127100", "/vmfs/volumes/5f0-1/vm-00006/vm-00006.vmx")
	seen(inv, t0, event.Endpoint{World: "2127200", VMUUID: uuid(9)}, host)
	check("by path", by(inv, t0, host, "2127100"), 6)
	check("by UUID", by(inv, t0, host, "2127200"), 9)
	// What is learned does not come from the world itself, an address, or a
	// name that several VMs have.
	seen(inv, t0, event.Endpoint{World: "2127300", IP: ip(12)}, host)
	check("by address", by(inv, t0, host, "2127300"), -1)

	c.t = t0.Add(time.Hour) // the id is given anew
	tells(inv, c.t, host, "2127090", "vm-00012")
	check("used again", by(inv, c.t.Add(time.Minute), host, "2127090"), 12)
	check("a late line", by(inv, t0.Add(time.Minute), host, "2127090"), 3)

	c.t = t0.Add(2 * time.Hour) // off
	inventory.Change(inv, modify(vmRef(12), "runtime.powerState", types.VirtualMachinePowerStatePoweredOff))
	check("off", by(inv, c.t.Add(time.Hour), host, "2127090"), -1)
	check("a late line of the one that is off", by(inv, c.t.Add(-time.Minute), host, "2127090"), 12)
}

// TestWorldMoves: the host that sends a VM away says its id on the other one.
func TestWorldMoves(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(80))
	t0 := c.t
	tells(inv, t0, hostName(0), "2118927", "vm-00003")
	move := event.Event{
		Time: t0.Add(time.Minute), Device: event.Device{Hostname: hostName(0)},
		Src: event.Endpoint{IP: hostIP(0), World: "2118927"}, Dst: event.Endpoint{IP: hostIP(1), World: "2109446"},
	}
	inv.Enrich(&move)
	if move.Src.Context.VM != nil || move.Dst.Context.VM != nil || move.Dst.Context.Host == nil {
		t.Errorf("the ends of a vMotion are hosts: %+v", move.Src.Context)
	}
	c.t = t0.Add(90 * time.Second)
	inventory.Change(inv, modify(vmRef(3), "runtime.host", inventory.Ref("HostSystem", 1)))
	if got := by(inv, t0.Add(2*time.Minute), hostName(1), "2109446"); keyOf(got) != vmKey(3) || got.VM.Host != hostName(1) {
		t.Errorf("on the new host: %+v", got)
	}
	if got := by(inv, t0.Add(30*time.Second), hostName(0), "2118927"); keyOf(got) != vmKey(3) || got.VM.Host != hostName(0) {
		t.Errorf("late, on the old host: %+v", got)
	}
	if got := by(inv, t0.Add(time.Hour), hostName(0), "2118927"); got.VM != nil {
		t.Errorf("long after, on the old host: %+v", got)
	}
}

// TestWorldsAreBounded: a host that makes up world ids fills nothing.
func TestWorldsAreBounded(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(50))
	for i := range 1000 {
		tells(inv, c.t, hostName(0), fmt.Sprint(i), "vm-00002")
	}
	if st := inv.Stats(); st.Worlds > 16 || st.WorldsLearned != 1000 {
		t.Errorf("%d worlds, %d learned", st.Worlds, st.WorldsLearned)
	}
	tells(inv, c.t, hostName(0), "123456789012345678901234", "vm-00002")
	if st := inv.Stats(); st.WorldsLearned != 1000 {
		t.Error("a number that can be no world id")
	}
	ev := event.Event{Time: c.t, Src: event.Endpoint{World: "999", VMName: "vm-00002"}, Device: event.Device{Hostname: hostName(0)}}
	known := testing.AllocsPerRun(100, func() { inv.Enrich(&ev) })
	if known != 0 {
		t.Errorf("%v allocations for what is known", known)
	}
}

// TestWorldsSurvive: a VM is powered on once in months; the snapshot has its
// worlds.
func TestWorldsSurvive(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(50))
	tells(inv, c.t, hostName(1), "2127090", "vm-00003")
	var file bytes.Buffer
	if err := inv.Export(&file); err != nil {
		t.Fatal(err)
	}
	again, err := inventory.NewStatic(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := by(again, c.t.Add(time.Minute), hostName(1), "2127090"); keyOf(got) != vmKey(3) {
		t.Errorf("after a restart: %+v", got)
	}
}

// TestHostOfThatTime: a line resolves to the VM on the host that it was on, by
// each key, and near the vMotion on the host that writes.
func TestHostOfThatTime(t *testing.T) {
	inv, c := synthetic(t)
	ups := append(estate(80), modify(vmRef(4), "guest.net", guestNet(4000, mac(4), ip(3).String()))) // 4 is on host 1
	inventory.Sync(inv, ups)
	t0 := c.t
	for i, to := range []int{2, 0} {
		c.t = t0.Add(time.Duration(i+1) * time.Hour)
		inventory.Change(inv, modify(vmRef(3), "runtime.host", inventory.Ref("HostSystem", to)))
	}
	c.t = t0.Add(4 * time.Hour)
	for _, key := range []event.Endpoint{{VMUUID: uuid(3)}, {MAC: mac(3)}, {VIF: "00000003"}} {
		for _, tt := range []struct {
			after time.Duration
			log   int // whose line; -1: nobody's that is known
			host  int
		}{
			{30 * time.Minute, 0, 0},
			{90 * time.Minute, -1, 2},
			{90 * time.Minute, 2, 2},
			{3 * time.Hour, -1, 0},
			{time.Hour - 5*time.Second, 2, 2}, // the new host is faster than vCenter
			{time.Hour + 5*time.Second, 0, 0}, // the old host is late
			{time.Hour + 5*time.Second, -1, 2},
			{90 * time.Minute, 0, 2}, // some other host
		} {
			log := ""
			if tt.log >= 0 {
				log = hostName(tt.log)
			}
			if got := seen(inv, t0.Add(tt.after), key, log); keyOf(got) != vmKey(3) || got.VM.Host != hostName(tt.host) {
				t.Errorf("%+v after %v, by host %d: %+v, want host %d", key, tt.after, tt.log, got.VM, tt.host)
			}
		}
	}
	// Of two VMs with one address the host tells, also of that time.
	if got := seen(inv, t0.Add(90*time.Minute), event.Endpoint{IP: ip(3)}, hostName(2)); keyOf(got) != vmKey(3) {
		t.Errorf("by address, on the host of that time: %+v", got)
	}
	if got := seen(inv, t0.Add(90*time.Minute), event.Endpoint{IP: ip(3)}, hostName(0)); keyOf(got) != "" {
		t.Errorf("by address, on the host of now: %+v", got)
	}
	// The past is let go with the tombstones.
	c.t = t0.Add(30 * 24 * time.Hour)
	inventory.Tick(inv)
	if got := seen(inv, t0.Add(90*time.Minute), event.Endpoint{MAC: mac(3)}, ""); got.VM.Host != hostName(0) {
		t.Errorf("after the retention: %+v", got.VM)
	}
}
