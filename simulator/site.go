package simulator

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Options shape a Site. The zero value is an estate of 6 hosts and 60 VMs.
type Options struct {
	Seed  uint64
	Hosts int // ESXi hosts, 3 to 1000; 0: 6
	VMs   int // virtual machines, 16 to 5000; 0: 60

	// Night is the day on whose 20:00 UTC the traffic begins; zero: a fixed
	// Tuesday, so that the same seed gives the same lines.
	Night time.Time
	// LinesPerHour is each host's background noise; 0: 200, at most 1,000,000.
	LinesPerHour int
}

// Bounds of Options.
const (
	minHosts, maxHosts = 3, 1000
	minVMs, maxVMs     = 16, 5000
	maxLinesPerHour    = 1_000_000
)

// RoleCategory is the tag category whose tags name a VM's role.
const RoleCategory = "vegress-role"

// VCenterName is the vCenter's short name, to configure it by.
const VCenterName = "vc1"

// Host is an ESXi host.
type Host struct {
	Name    string     // fully qualified
	Address netip.Addr // of vmk0
	Cluster string
	Version string // "8.0.2"
	Build   string
	LogHost LogHost // at the start

	vms []*VM // on it
}

// VM is a virtual machine.
type VM struct {
	Name         string
	InstanceUUID string
	BIOSUUID     string
	MAC          string
	VIF          string     // NSX interface id; firewall lines carry its last eight digits
	Address      netip.Addr // of the guest
	Address6     netip.Addr // second guest address; may be invalid
	GuestName    string
	Host         string
	Folder       string
	Pool         string
	Role         string // tag vegress-role/<Role>; empty: none
	Annotation   string
	Attributes   [][2]string // custom attributes, name and value

	host     *Host
	port     uint32     // of the Distributed Switch, which all hosts have in common; 0: not connected to one
	unlogged bool       // the firewall's rule for it is not logged
	reported netip.Addr // what the guest of a VM that was found reports
}

// Site is the plan of an estate. It is read-only once made.
type Site struct {
	Seed         uint64
	Night        time.Time // 20:00 UTC, when its traffic begins
	LinesPerHour int
	VCenter      string // host name of the vCenter
	VCenterAddr  netip.Addr
	Clusters     []string
	Hosts        []*Host
	VMs          []*VM

	tagged bool // roles are on the VMs as tags
	cast   map[part]*VM
}

// part is what a VM plays in the traffic.
type part string

const (
	partResolver  part = "resolver"
	partBackup1   part = "backup 1"
	partBackup2   part = "backup 2"
	partLate      part = "backup outside its window"
	partPatch     part = "patch"
	partProxy     part = "proxy"
	partJump      part = "jump host"
	partBeacon    part = "beacon"
	partUpload    part = "upload"
	partTwin      part = "twin"
	partTwinClone part = "twin's clone"
	partUnlogged  part = "unlogged"
	partMoved     part = "moved"

	// Guests with a sensor.
	partDrop     part = "dead drop"
	partGraph    part = "graph"
	partWebhook  part = "web hook"
	partBot      part = "bot"
	partRawFetch part = "raw fetch"
	partDesktop  part = "desktop"
	partRunner   part = "runner"
)

// actor is a VM of the plan with a name of its own.
type actor struct {
	part             part
	name, role       string
	folder, pool     string
	annotation       string
	attributeOfOwner string
}

// actors is who plays, most wanted first: a small estate that somebody else
// built casts from the top.
func actors() []actor {
	return []actor{
		{partBeacon, "crm-app02", "", "Applications", "Production", "CRM application server", "crm"},
		{partBackup1, "bkp01", "backup", "Infrastructure", "Infrastructure", "Backup proxy, nightly 22:00-06:00", "platform"},
		{partUpload, "fin-file01", "", "Applications", "Production", "Finance file server", "finance"},
		{partLate, "bkp02", "backup", "Infrastructure", "Infrastructure", "Backup proxy, nightly 22:00-06:00", "platform"},
		{partTwin, "bkp03", "backup", "Infrastructure", "Infrastructure", "Backup proxy", "platform"},
		{partTwinClone, "bkp03-restoretest", "", "Lab", "Lab", "Restore test of bkp03, same address", "platform"},
		{partProxy, "proxy01", "proxy", "Infrastructure", "Infrastructure", "Web proxy of the estate", "platform"},
		{partPatch, "patch01", "patch", "Infrastructure", "Infrastructure", "Update depot (UMDS, Linux mirrors)", "platform"},
		{partBackup2, "bkp04", "backup", "Infrastructure", "Infrastructure", "Backup proxy, nightly 22:00-06:00", "platform"},
		{partJump, "jump01", "admin", "Infrastructure", "Infrastructure", "Admins' jump host", "platform"},
		{partResolver, "dns01", "", "Infrastructure", "Infrastructure", "Resolver", "platform"},
		{partUnlogged, "hr-app03", "", "Applications", "Production", "HR application server", "hr"},
		{partMoved, "ci-runner05", "", "Lab", "Lab", "Container host of the build service", "build"},
		{partDrop, "win-app07", "", "Applications", "Production", "Windows application server", "erp"},
		{partGraph, "win-rds02", "", "Applications", "Production", "Remote desktop session host", "workplace"},
		{partWebhook, "win-fs04", "", "Applications", "Production", "Windows file server", "finance"},
		{partBot, "win-ops03", "", "Infrastructure", "Infrastructure", "Operations tools", "platform"},
		{partRawFetch, "lnx-web09", "", "Applications", "Production", "Web server", "web"},
		{partDesktop, "win-vdi21", "desktop", "Desktops", "Production", "A person's virtual desktop", "workplace"},
		{partRunner, "ci-runner06", "ci", "Lab", "Lab", "Build runner", "build"},
	}
}

// NewSite plans an estate; the same options give the same plan. An option out
// of its bounds is an error.
func NewSite(o Options) (*Site, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := emptySite(o)
	s.Clusters = []string{"Cluster-A", "Cluster-B"}
	for i := range o.Hosts {
		s.Hosts = append(s.Hosts, planHost(i, o.Hosts, s.Clusters))
	}
	rng := s.rng("plan")
	for i := range o.VMs {
		s.addVM(planVM(i, rng))
	}
	s.placeTwins()
	s.placeUnlogged()
	s.placeGuests()
	s.cast[partMoved].put(s.Hosts[movedFrom])
	return s, nil
}

func emptySite(o Options) *Site {
	return &Site{
		Seed: o.Seed, Night: o.Night, LinesPerHour: o.LinesPerHour,
		VCenter: VCenterName + ".lab.example", VCenterAddr: netip.MustParseAddr("10.0.0.10"),
		tagged: true, cast: make(map[part]*VM),
	}
}

func (o *Options) fill() error {
	o.Hosts, o.VMs = cmp.Or(o.Hosts, 6), cmp.Or(o.VMs, 60)
	o.LinesPerHour = cmp.Or(o.LinesPerHour, 200)
	if o.Night.IsZero() {
		o.Night = time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
	}
	y, m, d := o.Night.UTC().Date()
	o.Night = time.Date(y, m, d, 20, 0, 0, 0, time.UTC)
	switch {
	case o.Hosts < minHosts || o.Hosts > maxHosts:
		return fmt.Errorf("plan a site: %d hosts is not between %d and %d", o.Hosts, minHosts, maxHosts)
	case o.VMs < minVMs || o.VMs > maxVMs:
		return fmt.Errorf("plan a site: %d VMs is not between %d and %d", o.VMs, minVMs, maxVMs)
	case o.LinesPerHour < 0 || o.LinesPerHour > maxLinesPerHour:
		return fmt.Errorf("plan a site: %d lines per hour is not between 0 and %d", o.LinesPerHour, maxLinesPerHour)
	}
	return nil
}

// rng is the site's source of chance for one purpose, so that what one purpose
// draws does not move the others.
func (s *Site) rng(purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(s.Seed, h.Sum64()))
}

func planHost(i, n int, clusters []string) *Host {
	releases := [][2]string{
		{"7.0.3", "21930508"},
		{"7.0.3", "23794027"},
		{"8.0.2", "22380479"},
		{"8.0.3", "24022510"},
		{"9.0.0", "24755229"},
		{"9.0.1", "24957456"},
	}
	release := releases[i%len(releases)]
	return &Host{
		Name:    fmt.Sprintf("esx%02d.lab.example", i+1),
		Address: netip.AddrFrom4([4]byte{10, 0, byte(1 + i/200), byte(10 + i%200)}),
		Cluster: clusters[i*len(clusters)/n],
		Version: release[0], Build: release[1], LogHost: planLogHost(i),
	}
}

func planVM(i int, rng *rand.Rand) (*VM, part) {
	vm := &VM{
		InstanceUUID: newUUID(rng), BIOSUUID: newUUID(rng), VIF: newUUID(rng),
		MAC:      fmt.Sprintf("00:50:56:%02x:%02x:%02x", 0x80|i>>16&0x3f, i>>8&0xff, i&0xff),
		Address:  netip.AddrFrom4([4]byte{10, 1, byte(i / 200), byte(10 + i%200)}),
		Address6: netip.MustParseAddr(fmt.Sprintf("fd00:1::%x", 0x10+i)),
	}
	var role part
	if cast := actors(); i < len(cast) {
		a := cast[i]
		role = a.part
		vm.Name, vm.Role, vm.Folder, vm.Pool, vm.Annotation = a.name, a.role, a.folder, a.pool, a.annotation
		vm.Attributes = [][2]string{{"owner", a.attributeOfOwner}, {"env", "prod"}}
	} else {
		planExtra(vm, i, rng)
	}
	vm.GuestName = vm.Name + ".lab.example"
	return vm, role
}

// planExtra makes vm one of the estate's ordinary application servers.
func planExtra(vm *VM, i int, rng *rand.Rand) {
	kinds := []string{"web", "app", "db", "erp", "hr", "build", "mon", "mail"}
	kind := kinds[i%len(kinds)]
	vm.Name = fmt.Sprintf("%s%02d", kind, i/len(kinds)+1)
	vm.Folder, vm.Pool = "Applications", "Production"
	env := "prod"
	if rng.IntN(4) == 0 {
		vm.Folder, vm.Pool, env = "Lab", "Lab", "test"
	}
	vm.Attributes = [][2]string{{"owner", kind}, {"env", env}}
}

// addVM puts vm on the next host in turn.
func (s *Site) addVM(vm *VM, p part) {
	vm.port = firstPort + uint32(len(s.VMs))
	vm.put(s.Hosts[len(s.VMs)%len(s.Hosts)])
	s.VMs = append(s.VMs, vm)
	if p != "" {
		s.cast[p] = vm
	}
}

// firstPort is the switch's first port for VMs; uplinks are before it.
const firstPort = 100

func (vm *VM) put(h *Host) {
	if vm.host != nil {
		vm.host.vms = slices.DeleteFunc(vm.host.vms, func(o *VM) bool { return o == vm })
	}
	vm.host, vm.Host = h, h.Name
	h.vms = append(h.vms, vm)
}

// placeTwins gives the twin's clone the twin's address, on another host.
func (s *Site) placeTwins() {
	twin, clone := s.cast[partTwin], s.cast[partTwinClone]
	clone.Address, clone.Address6 = twin.Address, twin.Address6
	if clone.host == twin.host {
		clone.put(s.Hosts[(slices.Index(s.Hosts, twin.host)+1)%len(s.Hosts)])
	}
}

// placeUnlogged puts the VM that only flows tell of behind a switch that
// exports them.
func (s *Site) placeUnlogged() {
	vm := s.cast[partUnlogged]
	for i, h := range slices.Backward(s.Hosts) {
		if exportsAs(i) == exportSwitch {
			vm.unlogged = true
			vm.put(h)
			return
		}
	}
}

// placeGuests puts the guests with a sensor on hosts whose logs do not stop.
func (s *Site) placeGuests() {
	for i, who := range []part{partDrop, partGraph, partWebhook, partBot, partRawFetch, partDesktop, partRunner} {
		if vm := s.cast[who]; vm != nil {
			vm.put(s.Hosts[i%minHosts])
		}
	}
}

// roles are the roles in use, sorted.
func (s *Site) roles() []string {
	var all []string
	for _, vm := range s.VMs {
		if vm.Role != "" && !slices.Contains(all, vm.Role) {
			all = append(all, vm.Role)
		}
	}
	slices.Sort(all)
	return all
}

func newUUID(rng *rand.Rand) string {
	a, b := rng.Uint64(), rng.Uint64()
	a = a&^0xf000 | 0x4000           // version 4
	b = b&^(0xc000<<48) | 0x8000<<48 // RFC 9562 variant
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}
