package inventory_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
	"github.com/vegress/vegress/vsphere/session"
)

// estate makes the updates of a first read: n VMs on n/40+1 hosts.
func estate(n int) []types.ObjectUpdate {
	hosts := n/40 + 1
	ups := []types.ObjectUpdate{
		enter(inventory.Ref("Datacenter", 1), "name", "DC"),
		enter(inventory.Ref("Folder", 1), "name", "vm", "parent", inventory.Ref("Datacenter", 1)),
		enter(inventory.Ref("Folder", 2), "name", "Infra", "parent", inventory.Ref("Folder", 1)),
		enter(inventory.Ref("Folder", 3), "name", "Backup", "parent", inventory.Ref("Folder", 2)),
		enter(inventory.Ref("ClusterComputeResource", 1), "name", "CL1", "parent", inventory.Ref("Folder", 9)),
		enter(inventory.Ref("ResourcePool", 1), "name", "Resources", "parent", inventory.Ref("ClusterComputeResource", 1)),
		enter(inventory.Ref("ResourcePool", 2), "name", "Gold", "parent", inventory.Ref("ResourcePool", 1)),
		{Kind: types.ObjectUpdateKindEnter, Obj: inventory.Ref("CustomFieldsManager", 1), ChangeSet: []types.PropertyChange{{
			Name: "field", Val: types.ArrayOfCustomFieldDef{CustomFieldDef: []types.CustomFieldDef{{Key: 7, Name: "role"}}},
		}}},
	}
	for i := range n {
		ups = append(ups, vmUpdate(i, i%hosts))
	}
	for i := range hosts {
		ups = append(ups, hostUpdate(i))
	}
	return ups
}

func enter(obj types.ManagedObjectReference, props ...any) types.ObjectUpdate {
	u := types.ObjectUpdate{Kind: types.ObjectUpdateKindEnter, Obj: obj}
	for i := 0; i < len(props); i += 2 {
		u.ChangeSet = append(u.ChangeSet, types.PropertyChange{Name: props[i].(string), Val: props[i+1]})
	}
	return u
}

func modify(obj types.ManagedObjectReference, props ...any) types.ObjectUpdate {
	u := enter(obj, props...)
	u.Kind = types.ObjectUpdateKindModify
	return u
}

func hostUpdate(i int) types.ObjectUpdate {
	return enter(inventory.Ref("HostSystem", i), "name", hostName(i), "parent", inventory.Ref("ClusterComputeResource", 1),
		"summary.config.product.version", "8.0.3", "runtime.inMaintenanceMode", false,
		"config.network.vnic", types.ArrayOfHostVirtualNic{HostVirtualNic: []types.HostVirtualNic{
			{Spec: types.HostVirtualNicSpec{Ip: &types.HostIpConfig{IpAddress: hostIP(i).String()}}},
		}})
}

func vmUpdate(i, host int) types.ObjectUpdate {
	card := &types.VirtualVmxnet3{}
	card.Key = 4000
	card.MacAddress = mac(i)
	card.ExternalId = fmt.Sprintf("11112222-3333-4444-5555-6666%08x", i)
	card.Backing = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{
		Port: types.DistributedVirtualSwitchPortConnection{SwitchUuid: "50 2c aa bb cc dd ee ff-00 11 22 33 44 55 66 77", PortKey: fmt.Sprint(i)},
	}
	return enter(inventory.Ref("VirtualMachine", i),
		"name", fmt.Sprintf("vm-%05d", i), "parent", inventory.Ref("Folder", 3), "resourcePool", inventory.Ref("ResourcePool", 2),
		"runtime.host", inventory.Ref("HostSystem", host), "runtime.powerState", types.VirtualMachinePowerStatePoweredOn,
		"config.uuid", fmt.Sprintf("4210aaaa-0000-0000-0000-%012x", i+1),
		"config.instanceUuid", uuid(i),
		"config.guestFullName", "Ubuntu Linux (64-bit)", "config.annotation", "owned by team 7",
		"config.files.vmPathName", fmt.Sprintf("[ds1] vm-%05d/vm-%05d.vmx", i, i),
		"config.hardware.device", types.ArrayOfVirtualDevice{VirtualDevice: []types.BaseVirtualDevice{card, &types.VirtualDisk{}}},
		"guest.hostName", fmt.Sprintf("guest%05d.corp.local", i),
		"guest.net", guestNet(4000, mac(i), ip(i).String(), "fe80::1"),
	)
}

func guestNet(device int32, mac string, ips ...string) types.ArrayOfGuestNicInfo {
	return types.ArrayOfGuestNicInfo{GuestNicInfo: []types.GuestNicInfo{{DeviceConfigId: device, MacAddress: mac, IpAddress: ips}}}
}

func hostName(i int) string { return fmt.Sprintf("esx%04d.corp.local", i) }
func uuid(i int) string     { return fmt.Sprintf("5000bbbb-0000-0000-0000-%012x", i+1) }

func mac(i int) string { return fmt.Sprintf("00:50:56:%02x:%02x:%02x", i>>16&0x3f, i>>8&0xff, i&0xff) }

func ip(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }

func hostIP(i int) netip.Addr                  { return netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}) }
func vmKey(i int) string                       { return "vm:vc1/" + uuid(i) }
func vmRef(i int) types.ManagedObjectReference { return inventory.Ref("VirtualMachine", i) }

// clock is a clock that tests set.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// synthetic is an inventory of one vCenter that tests feed.
func synthetic(tb testing.TB, roles ...inventory.Role) (*inventory.Inventory, *clock) {
	tb.Helper()
	tb.Setenv("VEGRESS_VCENTER_VC1_PASSWORD", "not used")
	inv, err := inventory.New(inventory.Options{
		VCenters: []inventory.VCenter{{Options: session.Options{Name: "vc1", URL: "https://vc1.corp.local/sdk", Username: "u"}}},
		Roles:    roles,
	})
	if err != nil {
		tb.Fatal(err)
	}
	c := &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	inventory.SetNow(inv, c.now)
	return inv, c
}

// seen enriches an event of a source endpoint.
func seen(inv *inventory.Inventory, at time.Time, src event.Endpoint, logHost string) event.Context {
	ev := event.Event{Time: at, Src: src, Device: event.Device{Hostname: logHost}}
	inv.Enrich(&ev)
	return ev.Src.Context
}

func keyOf(c event.Context) string {
	if c.VM == nil {
		return ""
	}
	return c.VM.Key
}

func TestResolveByEachKey(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(50))
	tests := []struct {
		name string
		src  event.Endpoint
		via  event.Via
	}{
		{"instance uuid", event.Endpoint{VMUUID: uuid(7)}, event.ViaNSXUUID},
		{"bios uuid as hostd writes it", event.Endpoint{VMUUID: "42 10 aa aa 00 00 00 00-00 00 00 00 00 00 00 08"}, event.ViaNSXUUID},
		{"vif", event.Endpoint{VIF: "00000007", IP: netip.MustParseAddr("192.0.2.1")}, event.ViaVIF},
		{"switch port", event.Endpoint{Switch: "502caabb-ccdd-eeff-0011-223344556677", SwitchPort: "7"}, event.ViaDVPort},
		{"mac", event.Endpoint{MAC: mac(7)}, event.ViaMAC},
		{"mac in capitals", event.Endpoint{MAC: "00-50-56-00-00-07"}, event.ViaMAC},
		{"ip", event.Endpoint{IP: ip(7)}, event.ViaIP},
		{"ip mapped into IPv6", event.Endpoint{IP: netip.AddrFrom16(ip(7).As16())}, event.ViaIP},
		{"name", event.Endpoint{VMName: "VM-00007"}, event.ViaName},
		{"vmx path", event.Endpoint{VMName: "/vmfs/volumes/5f0-1/vm-00007/vm-00007.vmx"}, event.ViaName},
		{"guest name", event.Endpoint{Hostname: "guest00007.CORP.local"}, event.ViaName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := seen(inv, c.t, tt.src, "")
			if keyOf(got) != vmKey(7) || got.Via != tt.via || got.State != event.StateLive {
				t.Errorf("got %q via %d state %d, want %q via %d live", keyOf(got), got.Via, got.State, vmKey(7), tt.via)
			}
		})
	}
}

func TestVMDetails(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(50))
	vm := seen(inv, c.t, event.Endpoint{IP: ip(3)}, "").VM
	if vm == nil {
		t.Fatal("no VM")
	}
	got := []string{vm.Name, vm.Host, vm.Cluster, vm.Folder, vm.Pool, vm.GuestOS, vm.GuestName, vm.Annotation, vm.InstanceUUID, vm.VCenter, vm.MoRef}
	want := []string{"vm-00003", hostName(1), "CL1", "Infra/Backup", "Gold", "Ubuntu Linux (64-bit)", "guest00003.corp.local", "owned by team 7", uuid(3), "vc1", "VirtualMachine-3"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

// A guest may call itself what it likes: its name must not turn an external
// destination into a VM.
func TestGuestNameIsNoDestination(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, append(estate(5), modify(vmRef(2), "guest.hostName", "pastebin.com")))
	ev := event.Event{Time: c.t, Src: event.Endpoint{IP: ip(2)}, Dst: event.Endpoint{Hostname: "pastebin.com"}}
	inv.Enrich(&ev)
	if ev.Dst.Context.VM != nil {
		t.Errorf("got %q for the destination, want no VM", keyOf(ev.Dst.Context))
	}
	if c := seen(inv, c.t, event.Endpoint{Hostname: "pastebin.com", IP: netip.MustParseAddr("104.16.0.1")}, ""); c.VM != nil {
		t.Errorf("got %q for a source with an address of its own, want no VM", keyOf(c))
	}
}

func TestHosts(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(100))
	tests := []struct {
		name string
		ev   event.Event
		want string
	}{
		{"vmkernel address", event.Event{Src: event.Endpoint{IP: hostIP(1)}}, hostName(1)},
		{"full name", event.Event{Src: event.Endpoint{Hostname: "ESX0001.corp.local"}}, hostName(1)},
		{"short name", event.Event{Src: event.Endpoint{Hostname: "esx0001"}}, hostName(1)},
		{"address as a name", event.Event{Src: event.Endpoint{Hostname: hostIP(1).String()}}, hostName(1)},
		{"vcenter", event.Event{Src: event.Endpoint{Hostname: "vc1.corp.local"}}, "vc1.corp.local"},
		{"the device itself, by loopback", event.Event{
			Device: event.Device{Hostname: "esx0002"}, Src: event.Endpoint{IP: netip.MustParseAddr("127.0.0.1")},
		}, hostName(2)},
		{"the device itself, by an address the inventory has not", event.Event{
			Device: event.Device{Hostname: "esx0002", IP: netip.MustParseAddr("192.0.2.9")}, Src: event.Endpoint{IP: netip.MustParseAddr("192.0.2.9")},
		}, hostName(2)},
		{"unknown", event.Event{Src: event.Endpoint{IP: netip.MustParseAddr("203.0.113.5")}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.ev.Time = c.t
			inv.Enrich(&tt.ev)
			got := ""
			if h := tt.ev.Src.Context.Host; h != nil {
				got = h.Name
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	dev := event.Event{Device: event.Device{Hostname: "relay-cut", IP: hostIP(2)}}
	inv.Enrich(&dev)
	if dev.Device.Host == nil || dev.Device.Host.Name != hostName(2) || dev.Device.Host.Cluster != "CL1" {
		t.Errorf("device by address: got %+v", dev.Device.Host)
	}
}

// Three VMs with one address: the log's host tells them apart, and nothing
// else does.
func TestDuplicateAddress(t *testing.T) {
	inv, c := synthetic(t)
	dup := guestNet(4000, "", "10.9.9.9")
	inventory.Sync(inv, append(estate(200),
		modify(vmRef(0), "guest.net", dup), modify(vmRef(1), "guest.net", dup), modify(vmRef(6), "guest.net", dup)))
	src := event.Endpoint{IP: netip.MustParseAddr("10.9.9.9")}

	if got := seen(inv, c.t, src, hostName(1)); keyOf(got) != vmKey(1) {
		t.Errorf("on the log's host: got %q, want %q", keyOf(got), vmKey(1))
	}
	for _, host := range []string{"", hostName(3), "elsewhere"} {
		got := seen(inv, c.t, src, host)
		if !got.Ambiguous() || len(got.Candidates) != 3 || got.Via != event.ViaIP {
			t.Errorf("log from %q: got %+v, want three candidates", host, got)
		}
	}
	if got := seen(inv, c.t, src, hostName(0)); !got.Ambiguous() {
		t.Errorf("two of them on the log's host: got %q, want ambiguous", keyOf(got))
	}
	src.MAC = mac(6)
	if got := seen(inv, c.t, src, ""); keyOf(got) != vmKey(6) || got.Via != event.ViaMAC {
		t.Errorf("with a MAC: got %q via %d", keyOf(got), got.Via)
	}
	if n := inv.Stats().Ambiguous; n != 4 {
		t.Errorf("got %d ambiguous look-ups, want 4", n)
	}
}

// The host that wrote the log is no evidence for one end of a flow when the
// other end is known to run there.
func TestHostTellsOnlyOneEnd(t *testing.T) {
	inv, c := synthetic(t)
	dup := guestNet(4000, "", "10.9.9.9")
	inventory.Sync(inv, append(estate(200), modify(vmRef(1), "guest.net", dup), modify(vmRef(2), "guest.net", dup)))
	ev := event.Event{
		Time: c.t, Device: event.Device{Hostname: hostName(1)},
		Src: event.Endpoint{IP: netip.MustParseAddr("10.9.9.9")}, Dst: event.Endpoint{VIF: "00000007"}, // VM 7 is on host 1
	}
	inv.Enrich(&ev)
	if ev.Dst.Context.VM == nil || ev.Dst.Context.VM.Host != hostName(1) {
		t.Fatalf("the destination is not on the log's host: %+v", ev.Dst.Context)
	}
	if !ev.Src.Context.Ambiguous() {
		t.Errorf("got %q, want an ambiguous source", keyOf(ev.Src.Context))
	}
}

func TestPoweredOnBeforeOff(t *testing.T) {
	inv, c := synthetic(t)
	dup := guestNet(4000, "", "10.9.9.9")
	inventory.Sync(inv, append(estate(50), modify(vmRef(1), "guest.net", dup), modify(vmRef(2), "guest.net", dup),
		modify(vmRef(1), "runtime.powerState", types.VirtualMachinePowerStatePoweredOff)))
	if got := seen(inv, c.t, event.Endpoint{IP: netip.MustParseAddr("10.9.9.9")}, ""); keyOf(got) != vmKey(2) {
		t.Errorf("got %q, want the VM that runs", keyOf(got))
	}
}

// An address moves from one VM to another; late logs mean the one that had it
// then.
func TestAddressMovesInTime(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(50))
	start := c.t
	moved := start.Add(time.Hour)
	c.t = moved
	inventory.Change(inv, modify(vmRef(1), "guest.net", guestNet(4000, "", "10.7.7.7")))
	inventory.Change(inv, modify(vmRef(2), "guest.net", guestNet(4000, "", ip(1).String())))
	src := event.Endpoint{IP: ip(1)}
	tests := []struct {
		name string
		at   time.Time
		want string
	}{
		{"long before the process started", start.Add(-30 * 24 * time.Hour), vmKey(1)},
		{"before the move", moved.Add(-time.Minute), vmKey(1)},
		{"after the move", moved.Add(time.Minute), vmKey(2)},
		{"no time", time.Time{}, vmKey(2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := seen(inv, tt.at, src, ""); keyOf(got) != tt.want {
				t.Errorf("got %q, want %q", keyOf(got), tt.want)
			}
		})
	}
	// A new address is known some time after the guest took it.
	if got := seen(inv, moved.Add(-5*time.Minute), event.Endpoint{IP: netip.MustParseAddr("10.7.7.7")}, ""); keyOf(got) != vmKey(1) {
		t.Errorf("five minutes early: got %q", keyOf(got))
	}
	if got := seen(inv, moved.Add(-time.Hour), event.Endpoint{IP: netip.MustParseAddr("10.7.7.7")}, ""); got.VM != nil {
		t.Errorf("an hour early: got %q, want none", keyOf(got))
	}
	c.t = moved.Add(7 * time.Hour)
	inventory.Tick(inv)
	if got := seen(inv, start, src, ""); got.VM != nil {
		t.Errorf("after the retention time: got %q, want none", keyOf(got))
	}
	if n := inv.Stats().Tombstones; n != 0 {
		t.Errorf("got %d tombstones, want none", n)
	}
}

func TestDeletedVM(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(50))
	before := c.t
	c.t = c.t.Add(time.Hour)
	inventory.Change(inv, types.ObjectUpdate{Kind: types.ObjectUpdateKindLeave, Obj: vmRef(4)})
	if got := seen(inv, before, event.Endpoint{MAC: mac(4)}, ""); keyOf(got) != vmKey(4) {
		t.Errorf("a late log: got %q, want the VM of then", keyOf(got))
	}
	if got := seen(inv, c.t.Add(time.Hour), event.Endpoint{MAC: mac(4)}, ""); got.VM != nil {
		t.Errorf("an hour after: got %q, want none", keyOf(got))
	}
}

// What changed while vCenter was away has no known time: in that gap both
// fit, and both are candidates.
func TestChangeDuringOutage(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(50))
	lost := c.t
	c.t = lost.Add(2 * time.Hour)
	back := estate(50)
	back = append(back, modify(vmRef(1), "guest.net", guestNet(4000, "", "10.7.7.7")), modify(vmRef(2), "guest.net", guestNet(4000, "", ip(1).String())))
	inventory.Sync(inv, back)
	src := event.Endpoint{IP: ip(1)}
	if got := seen(inv, lost.Add(-time.Minute), src, ""); keyOf(got) != vmKey(1) {
		t.Errorf("before: got %q", keyOf(got))
	}
	if got := seen(inv, lost.Add(time.Hour), src, ""); !got.Ambiguous() || len(got.Candidates) != 2 {
		t.Errorf("in the gap: got %+v, want both", got)
	}
	if got := seen(inv, c.t.Add(time.Minute), src, ""); keyOf(got) != vmKey(2) {
		t.Errorf("after: got %q", keyOf(got))
	}
}

func TestSweepIsRefused(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(100))
	c.t = c.t.Add(time.Minute)
	inventory.Sync(inv, estate(10))
	st := inv.Stats().VCenters[0]
	if st.SweepsRefused != 1 || st.VMs != 100 || st.Missing != 90 {
		t.Errorf("got %+v, want the sweep of 90 VMs refused", st)
	}
	if got := seen(inv, c.t, event.Endpoint{IP: ip(50)}, ""); keyOf(got) != vmKey(50) {
		t.Errorf("got %q", keyOf(got))
	}
	inventory.Sync(inv, estate(80))
	if st := inv.Stats().VCenters[0]; st.VMs != 80 || st.Missing != 0 {
		t.Errorf("got %+v, want 20 VMs swept", st)
	}
	inventory.Sync(inv, estate(1))
	c.t = c.t.Add(25 * time.Hour)
	inventory.Tick(inv)
	if st := inv.Stats().VCenters[0]; st.VMs != 1 {
		t.Errorf("got %d VMs a day later, want 1", st.VMs)
	}
}

func TestStates(t *testing.T) {
	inv, c := synthetic(t)
	src := event.Endpoint{IP: ip(1)}
	check := func(want event.State, age time.Duration) {
		t.Helper()
		inventory.Tick(inv)
		got := seen(inv, time.Time{}, src, "")
		if got.State != want || got.Age != age {
			t.Errorf("got state %d age %s, want %d %s", got.State, got.Age, want, age)
		}
		if st := inv.Stats().VCenters[0]; st.State != want {
			t.Errorf("stats: got %d, want %d", st.State, want)
		}
	}
	check(event.StateNever, 0)
	inventory.Sync(inv, estate(5))
	check(event.StateLive, 0)
	c.t = c.t.Add(4 * time.Minute)
	check(event.StateStale, 4*time.Minute)
	c.t = c.t.Add(time.Hour)
	check(event.StateDead, 64*time.Minute)
	none, err := inventory.New(inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-none.Ready()
	if got := seen(none, time.Time{}, src, ""); got.State != event.StateNone {
		t.Errorf("without a vcenter: got state %d", got.State)
	}
}

// Addresses inside a guest (containers) repeat in every guest and tell
// nothing; those of a bond or bridge on the VM's own adapter do.
func TestGuestInterfaces(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, append(estate(5), modify(vmRef(1), "guest.net", types.ArrayOfGuestNicInfo{GuestNicInfo: []types.GuestNicInfo{
		{DeviceConfigId: -1, MacAddress: "02:42:ac:11:00:01", IpAddress: []string{"172.17.0.1"}},
		{DeviceConfigId: -1, MacAddress: mac(1), IpAddress: []string{"10.5.5.5", "169.254.1.1", "fe80::5%eth0", "no address"}},
	}})))
	if got := seen(inv, c.t, event.Endpoint{IP: netip.MustParseAddr("10.5.5.5")}, ""); keyOf(got) != vmKey(1) {
		t.Errorf("bond: got %q", keyOf(got))
	}
	for _, a := range []string{"172.17.0.1", "169.254.1.1", "fe80::5"} {
		if got := seen(inv, c.t, event.Endpoint{IP: netip.MustParseAddr(a)}, ""); got.VM != nil || got.Candidates != nil {
			t.Errorf("%s: got %+v, want nothing", a, got)
		}
	}
}

// More VMs with one address than are kept: never one of them.
func TestCrowdIsBounded(t *testing.T) {
	inv, c := synthetic(t)
	ups := estate(2 * inventory.MaxClaims)
	for i := range 2 * inventory.MaxClaims {
		ups = append(ups, modify(vmRef(i), "guest.net", guestNet(4000, "", "10.9.9.9")))
	}
	inventory.Sync(inv, ups)
	got := seen(inv, c.t, event.Endpoint{IP: netip.MustParseAddr("10.9.9.9")}, hostName(1))
	if got.VM != nil || len(got.Candidates) != inventory.MaxClaims {
		t.Errorf("got VM %q and %d candidates", keyOf(got), len(got.Candidates))
	}
	if n := inv.Stats().Crowded; n != inventory.MaxClaims {
		t.Errorf("got %d claims counted as too many, want %d", n, inventory.MaxClaims)
	}
}

// A guest that takes and leaves another's address, over and over, or many
// that did, keep no VM from it.
func TestEndedClaimsMakeRoom(t *testing.T) {
	inv, c := synthetic(t)
	const many = 3 * inventory.MaxClaims
	inventory.Sync(inv, estate(many))
	visit := func(i int) {
		inventory.Change(inv, modify(vmRef(i), "guest.net", guestNet(4000, mac(i), ip(7).String())))
		c.t = c.t.Add(30 * time.Second)
		inventory.Change(inv, modify(vmRef(i), "guest.net", guestNet(4000, mac(i), ip(i).String())))
		c.t = c.t.Add(30 * time.Second)
	}
	begin := c.t
	for range 2 * inventory.MaxClaims {
		visit(2)
	}
	if n := inv.Stats().Crowded; n != 0 {
		t.Errorf("one VM's claims: %d were too many", n)
	}
	if got := seen(inv, begin.Add(10*time.Second), event.Endpoint{IP: ip(7)}, ""); len(got.Candidates) != 2 {
		t.Errorf("at the first visit: got %q, %d candidates, want both VMs", keyOf(got), len(got.Candidates))
	}
	for i := 10; i < many; i++ {
		visit(i)
	}
	if n := inv.Stats().Crowded; n == 0 || n > many {
		t.Errorf("%d claims counted as too many", n)
	}
	c.t = c.t.Add(10 * time.Minute)
	inventory.Change(inv, modify(vmRef(7), "guest.net", guestNet(4000, mac(7), "10.7.7.7")))
	inventory.Change(inv, modify(vmRef(3), "guest.net", guestNet(4000, mac(3), ip(7).String())))
	c.t = c.t.Add(10 * time.Minute)
	if got := seen(inv, c.t, event.Endpoint{IP: ip(7)}, ""); keyOf(got) != vmKey(3) {
		t.Errorf("a VM that took the address for good: got %q, %d candidates", keyOf(got), len(got.Candidates))
	}
}

// A guest reports any address and name: those of an ESXi host do not make it
// the host, and that host's name does not make it one.
func TestGuestIsNoHost(t *testing.T) {
	inv, c := synthetic(t)
	vcenter := netip.MustParseAddr("172.31.0.1")
	inventory.Sync(inv, append(estate(100),
		modify(vmRef(2), "guest.net", guestNet(4000, mac(2), ip(2).String(), hostIP(1).String()), "guest.hostName", hostName(2)),
		modify(vmRef(3), "guest.net", guestNet(4000, mac(3), ip(3).String(), hostIP(2).String())),
		modify(vmRef(4), "guest.net", guestNet(4000, mac(4), ip(4).String(), hostIP(2).String())),
		modify(vmRef(5), "guest.net", guestNet(4000, mac(5), vcenter.String()))))
	inventory.SetVCenterIPs(inv, vcenter)
	tests := []struct {
		name     string
		src      event.Endpoint
		vm, host string
	}{
		{"address of a host", event.Endpoint{IP: hostIP(1)}, "", hostName(1)},
		{"address of a host, by two", event.Endpoint{IP: hostIP(2)}, "", hostName(2)},
		{"name of a host", event.Endpoint{Hostname: hostName(2)}, "", hostName(2)},
		{"name of a host, address of a VM", event.Endpoint{IP: ip(2), Hostname: hostName(2)}, vmKey(2), ""},
		{"name of the vCenter, address of a VM", event.Endpoint{IP: ip(2), Hostname: "vc1.corp.local"}, vmKey(2), ""},
		{"what a guest cannot choose", event.Endpoint{IP: hostIP(1), VIF: "00000007"}, vmKey(7), hostName(1)},
		{"vCenter that is a VM", event.Endpoint{IP: vcenter}, vmKey(5), "vc1.corp.local"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := seen(inv, c.t, tt.src, "")
			host := ""
			if got.Host != nil {
				host = got.Host.Name
			}
			if keyOf(got) != tt.vm || host != tt.host || got.Candidates != nil || got.State != event.StateLive {
				t.Errorf("got VM %q, host %q, %d candidates, state %d; want %q, %q", keyOf(got), host, len(got.Candidates), got.State, tt.vm, tt.host)
			}
		})
	}
}

func TestFolderRenameReachesItsVMs(t *testing.T) {
	inv, c := synthetic(t, inventory.Role{Name: "backup", Folders: []string{"Sicherung"}})
	inventory.Sync(inv, estate(5))
	inventory.Change(inv, modify(inventory.Ref("Folder", 2), "name", "Sicherung"))
	vm := seen(inv, c.t, event.Endpoint{IP: ip(1)}, "").VM
	if vm == nil || vm.Folder != "Sicherung/Backup" || len(vm.Roles) != 1 {
		t.Errorf("got %+v", vm)
	}
}

func TestEnrichAllocatesNothing(t *testing.T) {
	inv, c := synthetic(t)
	dup := guestNet(4000, "", "10.9.9.9")
	inventory.Sync(inv, append(estate(200), modify(vmRef(1), "guest.net", dup), modify(vmRef(2), "guest.net", dup)))
	ev := event.Event{Time: c.t, Device: event.Device{Hostname: "esx0003.corp.local"}}
	ends := []event.Endpoint{
		{IP: ip(3), VIF: "00000003"},
		{IP: netip.MustParseAddr("10.9.9.9")},
		{IP: netip.MustParseAddr("203.0.113.1")},
		{VMName: "VM-00004"},
		{MAC: mac(9)},
		{Hostname: "esx0002"},
		{VMUUID: uuid(9)},
	}
	for i, src := range ends {
		n := testing.AllocsPerRun(100, func() {
			ev.Src, ev.Dst = src, ends[(i+1)%len(ends)]
			inv.Enrich(&ev)
		})
		if n != 0 {
			t.Errorf("endpoint %d: %.0f allocations, want none", i, n)
		}
	}
}
