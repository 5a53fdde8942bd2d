package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// AttachOptions say which vcsim to use.
type AttachOptions struct {
	Options // Hosts and VMs are what is found there

	URL        string // "https://127.0.0.1:8989/sdk"
	Username   string // default "user"
	Password   string // default "pass"
	Thumbprint string // SHA-256 of its certificate; else
	CAFile     string // PEM of who signed it; else
	Insecure   bool   // any certificate
}

// ErrNotSimulated says that the vCenter at the other end is no vcsim. Attach
// changes VMs, so it refuses a real one.
var ErrNotSimulated = errors.New("this is not a simulated vCenter (vcsim)")

// Attach makes an Estate of a vcsim that somebody else runs: it casts the VMs
// that it finds, from the story's most wanted part on, gives guests without an
// address one, and tags the roles where REST answers. Closing the Estate
// leaves the vcsim as it is. Another vCenter than vcsim is ErrNotSimulated.
func Attach(ctx context.Context, o AttachOptions) (*Estate, error) {
	e := &Estate{url: o.URL, username: o.Username, password: o.Password}
	if e.username == "" {
		e.username, e.password = "user", "pass"
	}
	if err := e.attach(ctx, o); err != nil {
		return nil, fmt.Errorf("attach to the simulated vCenter %s: %w", o.URL, err)
	}
	return e, nil
}

func (e *Estate) attach(ctx context.Context, o AttachOptions) error {
	u, err := soap.ParseURL(o.URL)
	if err != nil {
		return err
	}
	u.User = url.UserPassword(e.username, e.password)
	c, err := login(ctx, u, access{caFile: o.CAFile, thumbprint: o.Thumbprint, insecure: o.Insecure})
	if err != nil {
		return err
	}
	defer func() { _ = c.Logout(context.WithoutCancel(ctx)) }()
	if err := mustBeSimulated(ctx, c.Client); err != nil {
		return err
	}
	if err := o.fill(); err != nil {
		return err
	}
	if e.Site, err = readSite(ctx, c.Client, o.Options); err != nil {
		return err
	}
	return e.Site.prepare(ctx, c.Client, u.User)
}

// access is how to trust a vCenter.
type access struct {
	caFile, thumbprint string
	insecure           bool
}

func login(ctx context.Context, u *url.URL, a access) (*govmomi.Client, error) {
	sc := soap.NewClient(u, a.insecure)
	if a.thumbprint != "" {
		sc.SetThumbprint(u.Host, a.thumbprint)
	}
	if a.caFile != "" {
		if err := sc.SetRootCAs(a.caFile); err != nil {
			return nil, fmt.Errorf("read the CA file %s: %w", a.caFile, err)
		}
	}
	vc, err := vim25.NewClient(ctx, sc)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &govmomi.Client{Client: vc, SessionManager: session.NewManager(vc)}
	if err := c.Login(ctx, u.User); err != nil {
		return nil, fmt.Errorf("log in as %s: %w", u.User.Username(), err)
	}
	return c, nil
}

// mustBeSimulated asks for the option that only vcsim has.
func mustBeSimulated(ctx context.Context, c *vim25.Client) error {
	if c.ServiceContent.Setting == nil {
		return ErrNotSimulated
	}
	_, err := object.NewOptionManager(c, *c.ServiceContent.Setting).Query(ctx, "vcsim.server.url")
	if fault.Is(err, &types.InvalidName{}) {
		return ErrNotSimulated
	}
	return err
}

func readSite(ctx context.Context, c *vim25.Client, o Options) (*Site, error) {
	s := emptySite(o)
	hosts, err := s.readHosts(ctx, c)
	if err != nil {
		return nil, err
	}
	return s, s.readVMs(ctx, c, hosts)
}

func (s *Site) readHosts(ctx context.Context, c *vim25.Client) (map[types.ManagedObjectReference]*Host, error) {
	var list []mo.HostSystem
	if err := retrieve(ctx, c, "HostSystem", []string{"name", "config.network.vnic"}, &list); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b mo.HostSystem) int { return strings.Compare(a.Name, b.Name) })
	out := make(map[types.ManagedObjectReference]*Host)
	for i, h := range list {
		host := planHost(i, max(len(list), 1), []string{""})
		host.Name = h.Name
		if h.Config != nil && h.Config.Network != nil {
			host.Address = vnicAddress(h.Config.Network.Vnic, host.Address)
		}
		out[h.Self] = host
		s.Hosts = append(s.Hosts, host)
	}
	if len(s.Hosts) == 0 {
		return nil, errors.New("it has no hosts")
	}
	return out, nil
}

func vnicAddress(nics []types.HostVirtualNic, def netip.Addr) netip.Addr {
	for _, n := range nics {
		if n.Spec.Ip == nil {
			continue
		}
		if a, err := netip.ParseAddr(n.Spec.Ip.IpAddress); err == nil && !a.IsLoopback() {
			return a
		}
	}
	return def
}

func (s *Site) readVMs(ctx context.Context, c *vim25.Client, hosts map[types.ManagedObjectReference]*Host) error {
	var list []mo.VirtualMachine
	props := []string{"name", "runtime.host", "config.instanceUuid", "config.hardware.device", "guest.ipAddress", "guest.hostName"}
	if err := retrieve(ctx, c, "VirtualMachine", props, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("it has no virtual machines")
	}
	slices.SortFunc(list, func(a, b mo.VirtualMachine) int { return strings.Compare(a.Name, b.Name) })
	rng := s.rng("plan")
	for i, obj := range list[:min(len(list), maxVMs)] {
		plan, p := planVM(i, rng)
		vm := adopt(obj, plan)
		host := s.Hosts[0]
		if obj.Runtime.Host != nil && hosts[*obj.Runtime.Host] != nil {
			host = hosts[*obj.Runtime.Host]
		}
		s.VMs = append(s.VMs, vm)
		vm.put(host)
		if p != "" {
			s.cast[p] = vm
		}
	}
	return nil
}

// adopt is the VM that was found, in the part of the one that was planned.
func adopt(obj mo.VirtualMachine, plan *VM) *VM {
	vm := &VM{
		Name: obj.Name, GuestName: plan.GuestName, Role: plan.Role,
		Address: plan.Address, VIF: plan.VIF, MAC: plan.MAC, InstanceUUID: plan.InstanceUUID,
	}
	if obj.Config != nil {
		vm.InstanceUUID = obj.Config.InstanceUuid
		nics := object.VirtualDeviceList(obj.Config.Hardware.Device).SelectByType((*types.VirtualEthernetCard)(nil))
		for _, d := range nics {
			card := d.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
			vm.MAC = card.MacAddress
			vm.VIF = card.ExternalId
			vm.port = portOf(card)
		}
	}
	if obj.Guest != nil {
		if a, err := netip.ParseAddr(obj.Guest.IpAddress); err == nil {
			vm.Address, vm.reported = a, a
		}
		if obj.Guest.HostName != "" {
			vm.GuestName = obj.Guest.HostName
		}
	}
	return vm
}

// portOf is the port of a Distributed Switch that the adapter is connected to.
func portOf(card *types.VirtualEthernetCard) uint32 {
	b, ok := card.Backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo)
	if !ok {
		return 0
	}
	port, err := strconv.ParseUint(b.Port.PortKey, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(port)
}

// prepare writes into the vcsim what the traffic needs: the vCenter's name, guest addresses where
// there are none, the twins' common address, and the roles' tags.
func (s *Site) prepare(ctx context.Context, c *vim25.Client, user *url.Userinfo) error {
	byName, err := refsByName(ctx, c)
	if err != nil {
		return err
	}
	if err := nameVCenter(ctx, c, s.VCenter); err != nil {
		return err
	}
	s.matchTwins()
	for _, vm := range s.VMs {
		if vm.reported == vm.Address {
			continue
		}
		if err := setGuest(ctx, c, byName[vm.Name], vm); err != nil {
			return fmt.Errorf("give VM %s its address: %w", vm.Name, err)
		}
	}
	// Without REST the roles are found by the VMs' names: see Config.
	if err := s.attachTags(ctx, c, user, byName); err != nil {
		s.tagged = false
	}
	return nil
}

// matchTwins gives the clone its twin's address; without one of them there is
// no such story.
func (s *Site) matchTwins() {
	twin, clone := s.cast[partTwin], s.cast[partTwinClone]
	if twin == nil || clone == nil {
		delete(s.cast, partTwin)
		return
	}
	clone.Address = twin.Address
}

func setGuest(ctx context.Context, c *vim25.Client, ref types.ManagedObjectReference, vm *VM) error {
	spec := types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{
		&types.OptionValue{Key: "SET.guest.ipAddress", Value: vm.Address.String()},
		&types.OptionValue{Key: "SET.guest.hostName", Value: vm.GuestName},
	}}
	task, err := object.NewVirtualMachine(c, ref).Reconfigure(ctx, spec)
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}

func retrieve(ctx context.Context, c *vim25.Client, kind string, props []string, dst any) error {
	v, err := view.NewManager(c).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{kind}, true)
	if err != nil {
		return fmt.Errorf("list %s: %w", kind, err)
	}
	defer func() { _ = v.Destroy(context.WithoutCancel(ctx)) }()
	if err := v.Retrieve(ctx, []string{kind}, props, dst); err != nil {
		return fmt.Errorf("read %s: %w", kind, err)
	}
	return nil
}

func refsByName(ctx context.Context, c *vim25.Client) (map[string]types.ManagedObjectReference, error) {
	out := make(map[string]types.ManagedObjectReference)
	for _, kind := range []string{"VirtualMachine", "HostSystem"} {
		var list []mo.ManagedEntity
		if err := retrieve(ctx, c, kind, []string{"name"}, &list); err != nil {
			return nil, err
		}
		for _, m := range list {
			out[m.Name] = m.Self
		}
	}
	return out, nil
}

// attachTags tags VMs with their roles.
func (s *Site) attachTags(ctx context.Context, c *vim25.Client, user *url.Userinfo, refs map[string]types.ManagedObjectReference) error {
	rc := rest.NewClient(c)
	if err := rc.Login(ctx, user); err != nil {
		return fmt.Errorf("log in to REST: %w", err)
	}
	defer func() { _ = rc.Logout(context.WithoutCancel(ctx)) }()
	m := tags.NewManager(rc)
	category, err := categoryID(ctx, m)
	if err != nil {
		return err
	}
	for role, objects := range s.tagPlan(refs) {
		id, err := tagID(ctx, m, category, role)
		if err == nil {
			err = m.AttachTagToMultipleObjects(ctx, id, objects)
		}
		if err != nil {
			return fmt.Errorf("attach tag %s: %w", path.Join(RoleCategory, role), err)
		}
	}
	return nil
}

func (s *Site) tagPlan(refs map[string]types.ManagedObjectReference) map[string][]mo.Reference {
	plan := make(map[string][]mo.Reference)
	for _, vm := range s.VMs {
		if vm.Role != "" {
			plan[vm.Role] = append(plan[vm.Role], refs[vm.Name])
		}
	}
	return plan
}

func categoryID(ctx context.Context, m *tags.Manager) (string, error) {
	if have, err := m.GetCategory(ctx, RoleCategory); err == nil {
		return have.ID, nil
	}
	id, err := m.CreateCategory(ctx, &tags.Category{Name: RoleCategory, Cardinality: "MULTIPLE"})
	if err != nil {
		return "", fmt.Errorf("create tag category %s: %w", RoleCategory, err)
	}
	return id, nil
}

func tagID(ctx context.Context, m *tags.Manager, category, role string) (string, error) {
	if have, err := m.GetTagForCategory(ctx, role, category); err == nil {
		return have.ID, nil
	}
	return m.CreateTag(ctx, &tags.Tag{Name: role, CategoryID: category})
}
