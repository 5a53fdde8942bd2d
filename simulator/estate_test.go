package simulator_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	vcsim "github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"go.uber.org/goleak"

	"github.com/vegress/vegress/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o simulator.Options) *simulator.Estate {
	t.Helper()
	e, err := simulator.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// dial logs in as a stranger would: over TLS, trusting the CA file only.
func dial(t *testing.T, e *simulator.Estate) *govmomi.Client {
	t.Helper()
	ctx := t.Context()
	u, err := soap.ParseURL(e.URL())
	if err != nil {
		t.Fatal(err)
	}
	sc := soap.NewClient(u, false)
	if err := sc.SetRootCAs(e.CAFile()); err != nil {
		t.Fatal(err)
	}
	vc, err := vim25.NewClient(ctx, sc)
	if err != nil {
		t.Fatal(err)
	}
	c := &govmomi.Client{Client: vc, SessionManager: session.NewManager(vc)}
	if err := c.Login(ctx, url.UserPassword(e.Username(), e.Password())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Logout(context.WithoutCancel(ctx))
		sc.CloseIdleConnections()
	})
	return c
}

func retrieve(t *testing.T, c *govmomi.Client, kind string, props []string, dst any) {
	t.Helper()
	v, err := view.NewManager(c.Client).CreateContainerView(t.Context(), c.ServiceContent.RootFolder, []string{kind}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Retrieve(t.Context(), []string{kind}, props, dst); err != nil {
		t.Fatal(err)
	}
}

func TestEstateShowsItsSite(t *testing.T) {
	e := start(t, simulator.Options{Seed: 7})
	c := dial(t, e)
	var vms []mo.VirtualMachine
	retrieve(t, c, "VirtualMachine", []string{"name", "config", "guest", "runtime", "customValue"}, &vms)
	if got, want := len(vms), len(e.Site.VMs); got != want {
		t.Fatalf("%d VMs, want %d", got, want)
	}
	var hosts []mo.HostSystem
	retrieve(t, c, "HostSystem", []string{"name", "config.product.version", "config.network.vnic", "parent"}, &hosts)
	if got, want := len(hosts), 6; got != want {
		t.Fatalf("%d hosts, want %d", got, want)
	}
	hostName := make(map[string]string)
	for _, h := range hosts {
		hostName[h.Self.Value] = h.Name
		i := slices.IndexFunc(e.Site.Hosts, func(p *simulator.Host) bool { return p.Name == h.Name })
		if i < 0 {
			t.Fatalf("host %q is not in the plan", h.Name)
		}
		plan := e.Site.Hosts[i]
		if got := h.Config.Product.Version; got != plan.Version {
			t.Errorf("%s: version %s, want %s", h.Name, got, plan.Version)
		}
		if got := h.Config.Network.Vnic[0].Spec.Ip.IpAddress; got != plan.Address.String() {
			t.Errorf("%s: address %s, want %s", h.Name, got, plan.Address)
		}
	}
	if got := e.Certificate(); got == nil || got.VerifyHostname("127.0.0.1") != nil {
		t.Error("the certificate is not for 127.0.0.1")
	}
	for _, obj := range vms {
		plan := vmNamed(t, e.Site, obj.Name)
		f := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s %q, want %q", obj.Name, what, got, want)
			}
		}
		f("instance uuid", obj.Config.InstanceUuid, plan.InstanceUUID)
		f("annotation", obj.Config.Annotation, plan.Annotation)
		f("guest name", obj.Guest.HostName, plan.GuestName)
		f("MAC", obj.Guest.Net[0].MacAddress, plan.MAC)
		f("address", obj.Guest.Net[0].IpAddress[0], plan.Address.String())
		f("host", hostName[obj.Runtime.Host.Value], plan.Host)
		f("power", string(obj.Runtime.PowerState), "poweredOn")
		if got, want := len(obj.CustomValue), len(plan.Attributes); got != want {
			t.Errorf("%s: %d custom attributes, want %d", obj.Name, got, want)
		}
	}
}

func vmNamed(t *testing.T, s *simulator.Site, name string) *simulator.VM {
	t.Helper()
	i := slices.IndexFunc(s.VMs, func(vm *simulator.VM) bool { return vm.Name == name })
	if i < 0 {
		t.Fatalf("VM %q is not in the plan", name)
	}
	return s.VMs[i]
}

func TestEstateTags(t *testing.T) {
	e := start(t, simulator.Options{Seed: 7, VMs: 20})
	c := dial(t, e)
	rc := rest.NewClient(c.Client)
	if err := rc.Login(t.Context(), url.UserPassword(e.Username(), e.Password())); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rc.Logout(context.WithoutCancel(t.Context())) }()
	m := tags.NewManager(rc)
	want := make(map[string]int)
	for _, vm := range e.Site.VMs {
		if vm.Role != "" {
			want[vm.Role]++
		}
	}
	for role, n := range want {
		tag, err := m.GetTagForCategory(t.Context(), role, simulator.RoleCategory)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := m.ListAttachedObjects(t.Context(), tag.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(objects) != n {
			t.Errorf("tag %s is on %d objects, want %d", role, len(objects), n)
		}
	}
}

func TestAttachToAnother(t *testing.T) {
	other := start(t, simulator.Options{Seed: 1, VMs: 16, Hosts: 3})
	e, err := simulator.Attach(t.Context(), simulator.AttachOptions{
		URL: other.URL(), Username: other.Username(), Password: other.Password(), CAFile: other.CAFile(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(e.Site.VMs), 16; got != want {
		t.Errorf("%d VMs, want %d", got, want)
	}
	for _, vm := range e.Site.VMs {
		if want := vmNamed(t, other.Site, vm.Name); vm.InstanceUUID != want.InstanceUUID || vm.Host != want.Host {
			t.Errorf("%s is %s on %s, want %s on %s", vm.Name, vm.InstanceUUID, vm.Host, want.InstanceUUID, want.Host)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestEstateLives changes a VM by the API, as tests of an inventory do.
func TestEstateLives(t *testing.T) {
	e := start(t, simulator.Options{VMs: 16, Hosts: 3})
	c := dial(t, e)
	vm, err := find.NewFinder(c.Client).VirtualMachine(t.Context(), "/Lab/vm/Applications/crm-app02")
	if err != nil {
		t.Fatal(err)
	}
	task, err := vm.PowerOff(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := vm.PowerState(t.Context()); err != nil || got != types.VirtualMachinePowerStatePoweredOff {
		t.Errorf("power state %s, %v after power off", got, err)
	}
}

// TestAttachToPlain casts the VMs of a vcsim as it comes: four of them, with no
// addresses.
func TestAttachToPlain(t *testing.T) {
	server := plainVCSim(t, func(*vcsim.Model) {})
	o := simulator.AttachOptions{URL: sdk(server), Thumbprint: soap.ThumbprintSHA256(server.Certificate())}
	e, err := simulator.Attach(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Site.VMs) != 4 || len(e.Site.Hosts) != 4 {
		t.Fatalf("%d VMs on %d hosts, want 4 on 4", len(e.Site.VMs), len(e.Site.Hosts))
	}
	var ids []string
	for _, s := range e.Site.Traffic().Truth().Stories {
		ids = append(ids, s.ID)
	}
	if want := []string{"beacon", "upload", "late-backup", "firewall-opened", "host-fetch", "silent-back", "loss", "doors-opened", "tool-fetched", "ssh-brute-force", "api-from-outside", "stolen-account", "guest-program"}; !slices.Equal(ids, want) {
		t.Errorf("stories %v, want %v", ids, want)
	}
	again, err := simulator.Attach(t.Context(), o) // finds the addresses that the first wrote
	if err != nil {
		t.Fatal(err)
	}
	for i, vm := range e.Site.VMs {
		if got := again.Site.VMs[i]; got.Address != vm.Address || got.InstanceUUID != vm.InstanceUUID || vm.Role != got.Role {
			t.Errorf("%s at %s came back as %s at %s", vm.Name, vm.Address, got.Name, got.Address)
		}
	}
	if e.Site.Config() != again.Site.Config() || !strings.Contains(e.Site.Config(), "vegress-role/backup") {
		t.Errorf("the roles are not known by tags:\n%s", e.Site.Config())
	}
}

func TestAttachRefusesARealOne(t *testing.T) {
	server := plainVCSim(t, func(m *vcsim.Model) {
		options := m.Map().OptionManager()
		options.Setting = slices.DeleteFunc(options.Setting, func(o types.BaseOptionValue) bool {
			return o.GetOptionValue().Key == "vcsim.server.url"
		})
	})
	_, err := simulator.Attach(t.Context(), simulator.AttachOptions{URL: sdk(server), Insecure: true})
	if !errors.Is(err, simulator.ErrNotSimulated) {
		t.Errorf("error %v, want %v", err, simulator.ErrNotSimulated)
	}
}

func TestAttachTrustsNobody(t *testing.T) {
	other := start(t, simulator.Options{VMs: 16, Hosts: 3})
	_, err := simulator.Attach(t.Context(), simulator.AttachOptions{URL: other.URL()})
	if !soap.IsCertificateUntrusted(err) {
		t.Errorf("error %v, want one about the certificate", err)
	}
	_, err = simulator.Attach(t.Context(), simulator.AttachOptions{
		URL: other.URL(), CAFile: other.CAFile(), Username: other.Username(), Password: "wrong-" + other.Password(),
	})
	if err == nil || strings.Contains(err.Error(), other.Password()) {
		t.Errorf("error %v, want one, without the password", err)
	}
}

func plainVCSim(t *testing.T, change func(*vcsim.Model)) *vcsim.Server {
	t.Helper()
	m := vcsim.VPX()
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	m.Service.TLS = new(tls.Config)
	m.Service.RegisterEndpoints = true
	s := m.Service.NewServer()
	change(m)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		m.Remove()
	})
	return s
}

func sdk(s *vcsim.Server) string { return "https://" + s.URL.Host + s.URL.Path }

// TestCloseWakesAWaiter closes an estate under a client that waits for
// updates, as every live inventory does.
func TestCloseWakesAWaiter(t *testing.T) {
	e, err := simulator.Start(t.Context(), simulator.Options{VMs: 16, Hosts: 3})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, e)
	v, err := view.NewManager(c.Client).CreateContainerView(t.Context(), c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		t.Fatal(err)
	}
	filter := new(property.WaitFilter).Add(v.Reference(), "VirtualMachine", []string{"name"}, v.TraversalSpec())
	waiting := make(chan struct{})
	done := make(chan struct{})
	calls := 0
	go func() {
		defer close(done)
		_ = property.WaitForUpdates(t.Context(), c.PropertyCollector(), filter, func([]types.ObjectUpdate) bool {
			if calls++; calls == 1 {
				close(waiting)
			}
			return false
		})
	}()
	<-waiting
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	<-done
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		e, err := simulator.Start(b.Context(), simulator.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
