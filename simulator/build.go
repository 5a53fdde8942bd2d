package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// builder fills a vcsim model with a Site before anyone connects to it, so
// that it may write where the API would take minutes, or has no word for it.
type builder struct {
	site   *Site
	model  *simulator.Model
	client *vim25.Client // in process, no socket

	hosts   map[string]*object.HostSystem
	pools   map[string]*object.ResourcePool // cluster + "/" + pool name
	folders map[string]*object.Folder
	network *types.VirtualEthernetCardDistributedVirtualPortBackingInfo
	fields  map[string]int32
}

// The release that the vCenter says it is.
const vcenterVersion, vcenterBuild = "8.0.3", "24022515"

// creating guards what vcsim's models have in common while one is created: it
// adds to the evaluation licence, a variable of the package, and its settings
// are one (govmomi v0.56.0, simulator/license_manager.go, option_manager.go).
var creating sync.Mutex

func create(m *simulator.Model) error {
	creating.Lock()
	defer creating.Unlock()
	if err := m.Create(); err != nil {
		return err
	}
	return ownSettings(m)
}

// ownSettings gives a vCenter settings of its own, which can be changed while
// another one shows its.
func ownSettings(m *simulator.Model) error {
	content, err := entity[*simulator.ServiceInstance](m, vim25.ServiceInstance)
	if err != nil {
		return err
	}
	options, err := entity[*simulator.OptionManager](m, *content.Content.Setting)
	if err != nil {
		return err
	}
	own := make([]types.BaseOptionValue, len(options.Setting))
	for i, o := range options.Setting {
		v := *o.GetOptionValue()
		own[i] = &v
	}
	options.Setting = own
	return nil
}

func (e *Estate) build(ctx context.Context) error {
	m := simulator.VPX()
	m.Host, m.Machine = 0, 0
	m.Cluster = len(e.Site.Clusters)
	m.ClusterHost = (len(e.Site.Hosts) + m.Cluster - 1) / m.Cluster
	if err := create(m); err != nil {
		return fmt.Errorf("create the model: %w", err)
	}
	e.model = m
	c, err := vim25.NewClient(ctx, m.Service)
	if err != nil {
		return fmt.Errorf("reach the model: %w", err)
	}
	if err := nameRelease(m); err != nil {
		return err
	}
	b := &builder{site: e.Site, model: m, client: c}
	if err := nameVCenter(ctx, c, e.Site.VCenter); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{b.nameHosts, b.makePools, b.makeFolders, b.findNetwork, b.makeFields} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for _, vm := range e.Site.VMs {
		if err := b.makeVM(ctx, vm); err != nil {
			return fmt.Errorf("create VM %s: %w", vm.Name, err)
		}
	}
	return nil
}

// nameRelease changes what the vCenter shows of its release, and not ApiVersion,
// by which clients decide what to call.
func nameRelease(m *simulator.Model) error {
	service, err := entity[*simulator.ServiceInstance](m, vim25.ServiceInstance)
	if err != nil {
		return err
	}
	about := &service.Content.About
	about.Version, about.Build = vcenterVersion, vcenterBuild
	about.FullName = "VMware vCenter Server " + vcenterVersion + " build-" + vcenterBuild
	return nil
}

// nameVCenter lets the vCenter give the name by which it signs its syslog, and
// say that its events are part of that.
func nameVCenter(ctx context.Context, c *vim25.Client, name string) error {
	err := object.NewOptionManager(c, *c.ServiceContent.Setting).Update(ctx, []types.BaseOptionValue{
		&types.OptionValue{Key: "VirtualCenter.InstanceName", Value: name},
		&types.OptionValue{Key: "vpxd.event.syslog.enabled", Value: true},
	})
	if err != nil {
		return fmt.Errorf("name the vCenter %s: %w", name, err)
	}
	return nil
}

// nameHosts gives clusters and hosts of the model the plan's names, addresses
// and versions, and takes away hosts that the plan does not have.
func (b *builder) nameHosts(ctx context.Context) error {
	b.hosts = make(map[string]*object.HostSystem)
	planned := make(map[string][]*Host)
	for _, h := range b.site.Hosts {
		planned[h.Cluster] = append(planned[h.Cluster], h)
	}
	for i, ref := range b.sorted("ClusterComputeResource") {
		cluster, err := entity[*simulator.ClusterComputeResource](b.model, ref)
		if err != nil {
			return err
		}
		cluster.Name = b.site.Clusters[i]
		for j, hostRef := range slices.Clone(cluster.Host) {
			if plan := planned[cluster.Name]; j < len(plan) {
				err = b.nameHost(hostRef, plan[j])
			} else {
				err = b.dropHost(ctx, hostRef)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) nameHost(ref types.ManagedObjectReference, plan *Host) error {
	host, err := entity[*simulator.HostSystem](b.model, ref)
	if err != nil {
		return err
	}
	product := host.Config.Product
	product.Version, product.ApiVersion, product.Build = plan.Version, plan.Version, plan.Build
	product.FullName = "VMware ESXi " + plan.Version + " build-" + plan.Build
	host.Name, host.Summary.Config.Name = plan.Name, plan.Name
	host.Config.Product, host.Summary.Config.Product = product, &product
	for i := range host.Config.Network.Vnic {
		nic := &host.Config.Network.Vnic[i]
		ip := types.HostIpConfig{IpAddress: plan.Address.String(), SubnetMask: "255.255.0.0"}
		nic.Spec.Ip = &ip
	}
	b.hosts[plan.Name] = object.NewHostSystem(b.client, ref)
	return b.setUpLog(host, plan)
}

func (b *builder) dropHost(ctx context.Context, ref types.ManagedObjectReference) error {
	task, err := object.NewHostSystem(b.client, ref).Destroy(ctx)
	if err == nil {
		err = task.Wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("remove spare host %s: %w", ref.Value, err)
	}
	return nil
}

// sorted are the references of a kind in the order of their creation: the
// registry's own order is random.
func (b *builder) sorted(kind string) []types.ManagedObjectReference {
	refs := b.model.Map().AllReference(kind)
	out := make([]types.ManagedObjectReference, len(refs))
	for i, r := range refs {
		out[i] = r.Reference()
	}
	slices.SortFunc(out, func(x, y types.ManagedObjectReference) int {
		return cmp.Or(cmp.Compare(len(x.Value), len(y.Value)), cmp.Compare(x.Value, y.Value))
	})
	return out
}

func (b *builder) makePools(ctx context.Context) error {
	b.pools = make(map[string]*object.ResourcePool)
	spec := types.DefaultResourceConfigSpec()
	for _, ref := range b.sorted("ClusterComputeResource") {
		cluster, err := entity[*simulator.ClusterComputeResource](b.model, ref)
		if err != nil {
			return err
		}
		root := object.NewResourcePool(b.client, *cluster.ResourcePool)
		for _, name := range b.distinct(func(vm *VM) string { return vm.Pool }) {
			pool, err := root.Create(ctx, name, spec)
			if err != nil {
				return fmt.Errorf("create resource pool %s: %w", name, err)
			}
			b.pools[cluster.Name+"/"+name] = pool
		}
	}
	return nil
}

func (b *builder) makeFolders(ctx context.Context) error {
	b.folders = make(map[string]*object.Folder)
	dc, err := entity[*simulator.Datacenter](b.model, b.sorted("Datacenter")[0])
	if err != nil {
		return err
	}
	dc.Name = "Lab"
	root := object.NewFolder(b.client, dc.VmFolder)
	for _, name := range b.distinct(func(vm *VM) string { return vm.Folder }) {
		if b.folders[name], err = root.CreateFolder(ctx, name); err != nil {
			return fmt.Errorf("create folder %s: %w", name, err)
		}
	}
	return nil
}

func (b *builder) distinct(of func(*VM) string) []string {
	var all []string
	for _, vm := range b.site.VMs {
		all = append(all, of(vm))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (b *builder) findNetwork(ctx context.Context) error {
	for _, ref := range b.sorted("DistributedVirtualPortgroup") {
		pg, err := entity[*simulator.DistributedVirtualPortgroup](b.model, ref)
		if err != nil {
			return err
		}
		if pg.Config.Uplink == nil || !*pg.Config.Uplink {
			network, err := object.NewDistributedVirtualPortgroup(b.client, ref).EthernetCardBackingInfo(ctx)
			if err != nil {
				return fmt.Errorf("find the network of port group %s: %w", pg.Name, err)
			}
			b.network, _ = network.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo)
		}
	}
	if b.network == nil {
		return errors.New("the model has no port group for VMs")
	}
	return nil
}

func (b *builder) makeFields(ctx context.Context) error {
	b.fields = make(map[string]int32)
	m := object.NewCustomFieldsManager(b.client)
	for _, vm := range b.site.VMs {
		for _, a := range vm.Attributes {
			if _, have := b.fields[a[0]]; have {
				continue
			}
			def, err := m.Add(ctx, a[0], "VirtualMachine", nil, nil)
			if err != nil {
				return fmt.Errorf("define custom attribute %s: %w", a[0], err)
			}
			b.fields[a[0]] = def.Key
		}
	}
	return nil
}

func (b *builder) makeVM(ctx context.Context, vm *VM) error {
	spec, err := b.spec(vm)
	if err != nil {
		return err
	}
	pool := b.pools[vm.host.Cluster+"/"+vm.Pool]
	task, err := b.folders[vm.Folder].CreateVM(ctx, spec, pool, b.hosts[vm.Host])
	if err != nil {
		return err
	}
	ref, err := b.made(ctx, task, vm)
	if err != nil {
		return err
	}
	fields := object.NewCustomFieldsManager(b.client)
	for _, a := range vm.Attributes {
		if err := fields.Set(ctx, ref, b.fields[a[0]], a[1]); err != nil {
			return fmt.Errorf("set attribute %s: %w", a[0], err)
		}
	}
	return b.dress(ref, vm)
}

// made waits for the task that creates vm. vcsim holds the folder's lock while
// such a task runs; to wait for the lock takes a third of the time that to wait
// for updates does, which come every 20 ms.
func (b *builder) made(ctx context.Context, task *object.Task, vm *VM) (types.ManagedObjectReference, error) {
	folder, err := entity[*simulator.Folder](b.model, b.folders[vm.Folder].Reference())
	if err != nil {
		return types.ManagedObjectReference{}, err
	}
	var obj mo.Entity
	b.model.Map().WithLock(new(simulator.Context), folder, func() {
		obj = b.model.Map().FindByName(vm.Name, folder.ChildEntity)
	})
	if obj != nil {
		return obj.Reference(), nil
	}
	if err := task.Wait(ctx); err != nil {
		return types.ManagedObjectReference{}, err
	}
	return types.ManagedObjectReference{}, errors.New("the VM is not in its folder")
}

func (b *builder) spec(vm *VM) (types.VirtualMachineConfigSpec, error) {
	nic := &types.VirtualVmxnet3{VirtualVmxnet: types.VirtualVmxnet{VirtualEthernetCard: types.VirtualEthernetCard{
		VirtualDevice: types.VirtualDevice{Key: 4000, Backing: b.backing(vm)},
		AddressType:   string(types.VirtualEthernetCardMacTypeAssigned),
		MacAddress:    vm.MAC,
		ExternalId:    vm.VIF,
	}}}
	change, err := object.VirtualDeviceList{nic}.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	if err != nil {
		return types.VirtualMachineConfigSpec{}, err
	}
	return types.VirtualMachineConfigSpec{
		Name: vm.Name, Uuid: vm.BIOSUUID, InstanceUuid: vm.InstanceUUID,
		GuestId: string(types.VirtualMachineGuestOsIdentifierUbuntu64Guest), Annotation: vm.Annotation,
		Files:        &types.VirtualMachineFileInfo{VmPathName: "[LocalDS_0]"},
		DeviceChange: change,
	}, nil
}

// backing connects a VM to its port of the switch.
func (b *builder) backing(vm *VM) types.BaseVirtualDeviceBackingInfo {
	network := *b.network
	network.Port.PortKey = strconv.Itoa(int(vm.port))
	return &network
}

// dress turns the VM on, and writes what VMware Tools in its guest would
// report.
func (b *builder) dress(ref types.ManagedObjectReference, vm *VM) error {
	obj, err := entity[*simulator.VirtualMachine](b.model, ref)
	if err != nil {
		return err
	}
	on, now := types.VirtualMachinePowerStatePoweredOn, time.Now()
	obj.Runtime.PowerState, obj.Summary.Runtime.PowerState = on, on
	obj.Runtime.BootTime, obj.Summary.Runtime.BootTime = &now, &now
	obj.Guest.HostName, obj.Guest.IpAddress = vm.GuestName, vm.Address.String()
	obj.Summary.Guest.HostName, obj.Summary.Guest.IpAddress = vm.GuestName, vm.Address.String()
	for i := range obj.Guest.Net {
		obj.Guest.Net[i].IpAddress = []string{vm.Address.String()}
		if vm.Address6.IsValid() {
			obj.Guest.Net[i].IpAddress = append(obj.Guest.Net[i].IpAddress, vm.Address6.String())
		}
	}
	return nil
}
