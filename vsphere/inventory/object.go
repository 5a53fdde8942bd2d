package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/event"
)

// Bounds of what one VM may bring. What is beyond is left out and counted.
const (
	maxAddresses  = 64 // per VM; the guest says how many it has
	maxNICs       = 16 // vSphere allows 10
	maxAnnotation = 1024
	maxAttributes = 64
	maxAttribute  = 256
)

// vmState is a VM at one time, with what it is found by. It never changes.
type vmState struct {
	event.VM
	hostSince int64 // since when it is on its host
	before    *past // on the one before; nil: not known
	src       *source
	obj       *vmObject
	bios      string
	path      string // of the .vmx file within its datastore
	nics      []nic
	ips       []netip.Addr
	keys      []key
}

// nic is a virtual network adapter, as configured by an administrator.
type nic struct {
	mac      string
	vif      string // the management plane's id: with NSX, the VIF id
	switchID string
	port     string
}

// guestNIC is a network interface as VMware Tools in the guest reports it.
type guestNIC struct {
	device int32 // the virtual adapter behind it; negative: none
	mac    string
	ips    []netip.Addr
}

// vmObject is a VM of one vCenter through its life: its raw properties, and
// the state last made of them.
type vmObject struct {
	ref     string // MoRef
	state   *vmState
	gen     uint32
	missing int64 // when a sync first did not see it, and the sweep was refused; 0: seen
	loaded  bool  // known from the snapshot only: state is all there is
	worlds  []world
	raw     vmRaw
}

// vmRaw is what the PropertyCollector said of a VM.
type vmRaw struct {
	name, parent, host, pool string
	bios, instance           string
	guestOS, guestName       string
	annotation, path         string
	poweredOn                bool
	nics                     []nic
	guest                    []guestNIC
	custom                   []customValue
}

// customValue is the value of a custom attribute; the attribute's name is in
// the source's fields.
type customValue struct {
	field int32
	value string
}

// hostState is an ESXi host, or a vCenter, at one time. It never changes.
type hostState struct {
	event.Host
	src        *source
	folder     string
	attributes []string
	ips        []netip.Addr
	alias      string // another name; may be empty
}

// hostObject is an ESXi host through its life.
type hostObject struct {
	ref    string
	state  *hostState
	gen    uint32
	loaded bool

	name, parent, version string
	maintenance, standby  bool
	connection            string
	ips                   []netip.Addr
	custom                []customValue
}

// node is something VMs and hosts are in: a folder, a datacenter, a cluster, a
// resource pool or vApp.
type node struct {
	kind, name, parent string
	gen                uint32
	path               string // cached
	hasPath            bool
}

// set puts one property into the object. A nil value is a property that is
// not set any more.
func (o *vmObject) set(s *source, name string, val any) {
	r := &o.raw
	switch name {
	case "name":
		r.name = unescape(text(val))
	case "parent":
		r.parent = ref(val)
	case "runtime.host":
		r.host = ref(val)
	case "resourcePool":
		r.pool = ref(val)
	case "runtime.powerState":
		r.poweredOn = val == types.VirtualMachinePowerStatePoweredOn
	case "config.uuid":
		r.bios = text(val)
	case "config.instanceUuid":
		r.instance = text(val)
	case "config.guestFullName":
		r.guestOS = s.intern(text(val))
	case "config.annotation":
		r.annotation = cut(text(val), maxAnnotation)
	case "config.files.vmPathName":
		r.path = vmxPath(text(val))
	case "config.hardware.device":
		r.nics = s.devices(val)
	case "guest.hostName":
		r.guestName = cut(text(val), maxFold)
	case "guest.net":
		r.guest = s.guestNICs(val)
	case "customValue":
		r.custom = s.customValues(val)
	}
}

// set puts one property into the object.
func (h *hostObject) set(s *source, name string, val any) {
	switch name {
	case "name":
		h.name = text(val)
	case "parent":
		h.parent = ref(val)
	case "summary.config.product.version":
		h.version = s.intern(text(val))
	case "runtime.inMaintenanceMode":
		h.maintenance, _ = val.(bool)
	case "runtime.connectionState":
		state, _ := val.(types.HostSystemConnectionState)
		h.connection = s.intern(string(state))
	case "runtime.powerState":
		h.standby = val == types.HostSystemPowerStateStandBy
	case "config.network.vnic":
		h.ips = vmkernelIPs(val)
	case "customValue":
		h.custom = s.customValues(val)
	}
}

func text(val any) string {
	s, _ := val.(string)
	return s
}

func ref(val any) string {
	r, _ := val.(types.ManagedObjectReference)
	return r.Value
}

// cut shortens s to at most n bytes, at the start of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:n], ""))
}

// unescape undoes what vCenter does to '/', '\' and '%' in names of managed
// entities (vSphere Web Services API, ManagedEntity.name).
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	return strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`, "%25", "%").Replace(s)
}

// vmxPath is the path within the datastore: "[ds1] web/web.vmx" gives
// "web/web.vmx", and so does "/vmfs/volumes/<datastore>/web/web.vmx", which is
// how a host's logs write it, with the datastore's name or its UUID.
func vmxPath(s string) string {
	if i := strings.Index(s, "] "); i >= 0 && strings.HasPrefix(s, "[") {
		return s[i+2:]
	}
	if rest, ok := strings.CutPrefix(s, "/vmfs/volumes/"); ok {
		_, path, _ := strings.Cut(rest, "/")
		return path
	}
	return s
}

// devices picks the network adapters out of a VM's virtual hardware.
func (s *source) devices(val any) []nic {
	list, _ := val.(types.ArrayOfVirtualDevice)
	var nics []nic
	for _, d := range list.VirtualDevice {
		eth, ok := d.(types.BaseVirtualEthernetCard)
		if !ok {
			continue
		}
		if len(nics) == maxNICs {
			s.stats.Dropped++
			break
		}
		nics = append(nics, adapter(eth.GetVirtualEthernetCard()))
	}
	return slices.Clip(nics)
}

func adapter(card *types.VirtualEthernetCard) nic {
	n := nic{mac: strings.ToLower(card.MacAddress), vif: card.ExternalId}
	if b, ok := card.Backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo); ok {
		n.switchID, n.port = b.Port.SwitchUuid, b.Port.PortKey
	}
	return n
}

// guestNICs reads what VMware Tools reports.
func (s *source) guestNICs(val any) []guestNIC {
	list, _ := val.(types.ArrayOfGuestNicInfo)
	var out []guestNIC
	room := maxAddresses
	for _, g := range list.GuestNicInfo {
		n := guestNIC{device: g.DeviceConfigId, mac: strings.ToLower(g.MacAddress)}
		for _, text := range g.IpAddress {
			a, ok := usable(text)
			if !ok {
				continue
			}
			if room == 0 {
				s.stats.Dropped++
				continue
			}
			room--
			n.ips = append(n.ips, a)
		}
		if len(n.ips) > 0 {
			out = append(out, n)
		}
	}
	return slices.Clip(out)
}

// usable reads an address that can tell machines apart: no loopback, no
// link-local, no multicast.
func usable(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, false
	}
	a = a.Unmap().WithZone("")
	bad := a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
	return a, !bad
}

func (s *source) customValues(val any) []customValue {
	list, _ := val.(types.ArrayOfCustomFieldValue)
	var out []customValue
	for _, v := range list.CustomFieldValue {
		sv, ok := v.(*types.CustomFieldStringValue)
		if !ok || sv.Value == "" {
			continue
		}
		if len(out) == maxAttributes {
			s.stats.Dropped++
			break
		}
		out = append(out, customValue{sv.Key, s.intern(cut(sv.Value, maxAttribute))})
	}
	return slices.Clip(out)
}

// vmkernelIPs are the addresses of a host's VMkernel adapters.
func vmkernelIPs(val any) []netip.Addr {
	list, _ := val.(types.ArrayOfHostVirtualNic)
	var out []netip.Addr
	add := func(text string) {
		if a, ok := usable(text); ok && len(out) < maxAddresses {
			out = append(out, a)
		}
	}
	for _, v := range list.HostVirtualNic {
		if v.Spec.Ip == nil {
			continue
		}
		add(v.Spec.Ip.IpAddress)
		if v.Spec.Ip.IpV6Config == nil {
			continue
		}
		for _, six := range v.Spec.Ip.IpV6Config.IpV6Address {
			add(six.IpAddress)
		}
	}
	return slices.Clip(out)
}

// addresses are the VM's own: those of interfaces that belong to one of its
// virtual adapters, by device or, as with a bond, a bridge or a VLAN in the
// guest, by MAC. The rest are networks inside the guest (containers), whose
// addresses repeat in every such guest.
func (r *vmRaw) addresses() []netip.Addr {
	var out []netip.Addr
	for _, g := range r.guest {
		if g.device < 0 && !slices.ContainsFunc(r.nics, func(n nic) bool { return n.mac == g.mac && n.mac != "" }) {
			continue
		}
		out = append(out, g.ips...)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// makeKeys lists what the VM is found by.
func (v *vmState) makeKeys(h *hasher) {
	keys := make([]key, 0, 4+4*len(v.nics)+len(v.ips))
	add := func(k key, ok bool) {
		if ok && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	add(uuidKey(v.InstanceUUID))
	add(uuidKey(v.bios))
	for _, n := range v.nics {
		if len(n.vif) >= 8 {
			add(vifKey(n.vif[len(n.vif)-8:]))
		}
		add(h.portKey(n.switchID, n.port))
		add(h.hostPortKey(v.Host, n.port))
		add(macKey(n.mac))
	}
	for _, a := range v.ips {
		add(ipKey(a), true)
	}
	add(h.folded(v.Name, kindName), v.Name != "")
	add(h.folded(v.path, kindPath), v.path != "")
	add(h.folded(v.GuestName, kindGuest), v.GuestName != "")
	v.keys = slices.Clip(keys)
}

// same says that nothing would change if v took the place of old.
func (v *vmState) same(old *vmState) bool {
	a, b := &v.VM, &old.VM
	return a.Name == b.Name && a.Host == b.Host && a.Cluster == b.Cluster && a.Folder == b.Folder &&
		a.Pool == b.Pool && a.GuestOS == b.GuestOS && a.GuestName == b.GuestName &&
		a.Annotation == b.Annotation && a.PoweredOn == b.PoweredOn && a.Key == b.Key &&
		slices.Equal(a.Tags, b.Tags) && slices.Equal(a.Attributes, b.Attributes) &&
		slices.Equal(a.Roles, b.Roles) && slices.Equal(v.keys, old.keys) && slices.Equal(v.nics, old.nics)
}
