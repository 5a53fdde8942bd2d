package inventory_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/rest"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
	"go.uber.org/goleak"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
	vsession "github.com/vegress/vegress/vsphere/session"
)

const (
	user     = "vegress@vsphere.local"
	password = "s3cret-Passw0rd"
)

// vcsim is a simulated vCenter over TLS, behind a door that tests can shut.
type vcsim struct {
	t      *testing.T
	server *simulator.Server
	model  *simulator.Model
	client *govmomi.Client
	door   *door
	pass   string // file with the password
	ca     string
}

func startVCSim(t *testing.T) *vcsim {
	t.Helper()
	m := simulator.VPX()
	m.Machine = 4
	m.Pool = 1
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	m.Service.TLS = new(tls.Config)
	m.Service.RegisterEndpoints = true
	m.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(user, password)}
	s := m.Service.NewServer()
	v := &vcsim{t: t, server: s, model: m, door: openDoor(t, s.URL.Host), pass: filepath.Join(t.TempDir(), "password")}
	writeFile(t, v.pass, password+"\n")
	ca, err := s.CertificateFile()
	if err != nil {
		t.Fatal(err)
	}
	v.ca = ca
	ctx := context.Background()
	u := *s.URL
	v.client, err = govmomi.NewClient(ctx, &u, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = v.client.Logout(ctx)
		v.door.shut()
		s.Close()
		m.Remove()
	})
	return v
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// vcenter is the configuration for it.
func (v *vcsim) vcenter(name string) inventory.VCenter {
	return inventory.VCenter{
		Options: vsession.Options{
			Name: name, URL: "https://" + v.door.addr + "/sdk", Username: user, PasswordFile: v.pass, CAFile: v.ca,
		},
		TagPoll: 10 * time.Second,
	}
}

func (v *vcsim) vm(i int) *simulator.VirtualMachine {
	all := v.model.Map().All("VirtualMachine")
	names := map[string]*simulator.VirtualMachine{}
	var sorted []string
	for _, e := range all {
		vm := e.(*simulator.VirtualMachine)
		names[vm.Name] = vm
		sorted = append(sorted, vm.Name)
	}
	slices.Sort(sorted)
	return names[sorted[i]]
}

func (v *vcsim) object(vm *simulator.VirtualMachine) *object.VirtualMachine {
	return object.NewVirtualMachine(v.client.Client, vm.Self)
}

// task waits for a task to end.
func (v *vcsim) task(task *object.Task, err error) *types.TaskInfo {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	info, err := task.WaitForResult(context.Background())
	if err != nil {
		v.t.Fatal(err)
	}
	return info
}

// setIP gives a VM an address as VMware Tools would report it.
func (v *vcsim) setIP(vm *simulator.VirtualMachine, ip string) {
	v.t.Helper()
	v.task(v.object(vm).Reconfigure(context.Background(), types.VirtualMachineConfigSpec{
		ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "SET.guest.ipAddress", Value: ip}},
	}))
}

// door is a TCP forwarder. While it is shut, connections are refused and open
// ones are cut: vCenter is away.
type door struct {
	addr, target string
	mu           sync.Mutex
	ln           net.Listener
	conns        map[net.Conn]struct{}
	wg           sync.WaitGroup
	accepted     atomic.Int64
}

func openDoor(t *testing.T, target string) *door {
	t.Helper()
	d := &door{target: target, addr: "127.0.0.1:0", conns: map[net.Conn]struct{}{}}
	d.open(t)
	return d
}

func (d *door) open(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	d.ln, d.addr = ln, ln.Addr().String()
	d.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			d.accepted.Add(1)
			d.wg.Go(func() { d.forward(c) })
		}
	})
}

func (d *door) forward(c net.Conn) {
	up, err := net.Dial("tcp", d.target)
	if err != nil {
		c.Close()
		return
	}
	d.mu.Lock()
	d.conns[c], d.conns[up] = struct{}{}, struct{}{}
	d.mu.Unlock()
	var wg sync.WaitGroup
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		to.Close()
		from.Close()
	}
	wg.Go(func() { pipe(up, c) })
	wg.Go(func() { pipe(c, up) })
	wg.Wait()
	d.mu.Lock()
	delete(d.conns, c)
	delete(d.conns, up)
	d.mu.Unlock()
}

func (d *door) shut() {
	d.ln.Close()
	d.mu.Lock()
	for c := range d.conns {
		c.Close()
	}
	d.mu.Unlock()
	d.wg.Wait()
}

// waits records the back-off of an inventory and makes it short.
type waits struct {
	mu   sync.Mutex
	list []time.Duration
}

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.list = append(w.list, d)
	w.mu.Unlock()
	if d > 5*time.Minute {
		<-ctx.Done() // the test would have to wait for minutes: it does not go on
		return ctx.Err()
	}
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (w *waits) all() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]time.Duration(nil), w.list...)
}

// running is an inventory that runs until the test ends.
type running struct {
	*inventory.Inventory
	t     *testing.T
	waits *waits
	log   *logBuffer
	stop  func()
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func run(t *testing.T, opts inventory.Options) *running {
	t.Helper()
	r := &running{t: t, waits: &waits{}, log: &logBuffer{}}
	opts.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	opts.UserAgent = "vegress/test"
	inv, err := inventory.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	inventory.SetWaits(inv, r.waits.sleep)
	r.Inventory = inv
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- inv.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

const patience = 60 * time.Second

// ready waits for the first sync.
func (r *running) ready() {
	r.t.Helper()
	select {
	case <-r.Ready():
	case <-time.After(patience):
		r.t.Fatalf("not ready; stats %+v; log:\n%s", r.Stats(), r.log)
	}
}

// until waits for a condition.
func (r *running) until(what string, is func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: did not come; stats %+v; log:\n%s", what, r.Stats(), r.log)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// at gives the VM that has an address now.
func (r *running) at(ip string) *event.VM {
	return seen(r.Inventory, time.Time{}, event.Endpoint{IP: netip.MustParseAddr(ip)}, "").VM
}

// named gives the VM of a name.
func (r *running) named(name string) *event.VM {
	return seen(r.Inventory, time.Time{}, event.Endpoint{VMName: name}, "").VM
}

func TestMain(m *testing.M) {
	if vms := os.Getenv(asVCenter); vms != "" {
		if err := serveVCenter(vms); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m,
		// The simulator's own, one for each server that was started.
		goleak.IgnoreTopFunction("github.com/vmware/govmomi/simulator.(*SessionManager).expireSessions"),
	)
}

// TestLifeOfAnEstate follows one estate through everything that happens to it
// while its vCenter is there.
func TestLifeOfAnEstate(t *testing.T) {
	v := startVCSim(t)
	ctx := context.Background()
	vm := v.vm(0)
	v.setIP(vm, "10.1.1.1")
	r := run(t, inventory.Options{VCenters: []inventory.VCenter{v.vcenter("vc1")}})
	r.ready()

	t.Run("first sync", func(t *testing.T) {
		got := r.at("10.1.1.1")
		if got == nil || got.Name != vm.Name || got.InstanceUUID != vm.Config.InstanceUuid || got.Host == "" || !got.PoweredOn {
			t.Fatalf("got %+v, want %q", got, vm.Name)
		}
		if got.Key != "vm:vc1/"+vm.Config.InstanceUuid {
			t.Errorf("got key %q", got.Key)
		}
		st := r.Stats().VCenters[0]
		if st.VMs != len(v.model.Map().All("VirtualMachine")) || st.Hosts != 4 || st.State != event.StateLive || st.Syncs != 1 {
			t.Errorf("got %+v", st)
		}
		for _, d := range vm.Config.Hardware.Device {
			if card, ok := d.(types.BaseVirtualEthernetCard); ok {
				c := seen(r.Inventory, time.Time{}, event.Endpoint{MAC: card.GetVirtualEthernetCard().MacAddress}, "")
				if keyOf(c) != got.Key || c.Via != event.ViaMAC {
					t.Errorf("by MAC: got %q", keyOf(c))
				}
			}
		}
	})
	t.Run("a guest's address changes", func(t *testing.T) {
		v.setIP(vm, "10.1.1.2")
		r.until("new address", func() bool { return r.at("10.1.1.2") != nil })
		if got := r.at("10.1.1.1"); got != nil {
			t.Errorf("the old address still gives %q", got.Name)
		}
	})
	t.Run("rename", func(t *testing.T) {
		v.task(v.object(vm).Rename(ctx, "renamed/here"))
		r.until("new name", func() bool { return r.named("renamed/here") != nil })
		if got := r.at("10.1.1.2"); got.Name != "renamed/here" {
			t.Errorf("by address: got %q", got.Name)
		}
	})
	t.Run("power", func(t *testing.T) {
		v.task(v.object(vm).PowerOff(ctx))
		r.until("powered off", func() bool { return !r.named("renamed/here").PoweredOn })
		v.task(v.object(vm).PowerOn(ctx))
		r.until("powered on", func() bool { return r.named("renamed/here").PoweredOn })
	})
	t.Run("relocation", func(t *testing.T) {
		was, before := r.named("renamed/here").Host, time.Now().Add(-time.Minute)
		var to types.ManagedObjectReference
		for _, h := range v.model.Map().All("HostSystem") {
			if name := h.(*simulator.HostSystem).Name; name != was {
				to = h.Reference()
			}
		}
		v.task(v.object(vm).Relocate(ctx, types.VirtualMachineRelocateSpec{Host: &to}, types.VirtualMachineMovePriorityDefaultPriority))
		r.until("other host", func() bool { return r.named("renamed/here").Host != was })
		now := r.named("renamed/here").Host
		// A connection that goes on meanwhile: what the old host wrote before,
		// though it comes late, and what the new one writes after.
		for _, tt := range []struct {
			at   time.Time
			host string
		}{{before, was}, {time.Now(), now}} {
			ev := event.Event{Time: tt.at, Device: event.Device{Hostname: tt.host}, Src: event.Endpoint{IP: netip.MustParseAddr("10.1.1.2")}}
			r.Enrich(&ev)
			if vm := ev.Src.Context.VM; vm == nil || vm.Name != "renamed/here" || vm.Host != tt.host {
				t.Errorf("a line of %s: %+v", tt.host, vm)
			}
		}
	})
	t.Run("clone and destroy", func(t *testing.T) {
		// The simulator loses the news of a deletion when the view changed in
		// the same 20 ms (it forgets what its filter has sent), so a clone may
		// have to be made and deleted more than once.
		for attempt := range 20 {
			if r.cloneAndDestroy(v, fmt.Sprint("clone-", attempt)) {
				return
			}
		}
		t.Error("no clone's deletion was seen")
	})
}

// cloneAndDestroy says whether the clone left the inventory.
func (r *running) cloneAndDestroy(v *vcsim, name string) bool {
	r.t.Helper()
	ctx := context.Background()
	from := v.vm(1)
	tombstones := r.Stats().Tombstones
	folder := object.NewFolder(v.client.Client, *from.Parent)
	info := v.task(v.object(from).Clone(ctx, folder, name, types.VirtualMachineCloneSpec{}))
	r.until("clone", func() bool { return r.named(name) != nil })
	clone := object.NewVirtualMachine(v.client.Client, info.Result.(types.ManagedObjectReference))
	v.task(clone.Destroy(ctx))
	// A later change comes after the news of the deletion.
	last := "after-" + name
	v.task(v.object(v.vm(3)).Rename(ctx, last))
	r.until("change after the deletion", func() bool { return r.named(last) != nil })
	return r.named(name) == nil && r.Stats().Tombstones > tombstones
}

func TestRolesFromVCenter(t *testing.T) {
	v := startVCSim(t)
	ctx := context.Background()
	tagged, attributed, pooled := v.vm(0), v.vm(1), v.vm(2)
	v.setIP(tagged, "10.1.1.1")

	rc := rest.NewClient(v.client.Client)
	if err := rc.Login(ctx, url.UserPassword(user, password)); err != nil {
		t.Fatal(err)
	}
	m := tags.NewManager(rc)
	category, err := m.CreateCategory(ctx, &tags.Category{Name: "vegress-role", Cardinality: "MULTIPLE", AssociableTypes: []string{"VirtualMachine"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"backup", "other"} {
		if _, err := m.CreateTag(ctx, &tags.Tag{Name: name, CategoryID: category}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.AttachTag(ctx, "backup", tagged.Self); err != nil {
		t.Fatal(err)
	}
	fields, err := object.GetCustomFieldsManager(v.client.Client)
	if err != nil {
		t.Fatal(err)
	}
	def, err := fields.Add(ctx, "role", "VirtualMachine", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fields.Set(ctx, attributed.Self, def.Key, "patch"); err != nil {
		t.Fatal(err)
	}
	roles := []inventory.Role{
		{Name: "backup", Tags: []string{"Vegress-Role/backup"}},
		{Name: "patch", Attributes: []string{"role=PATCH"}},
		{Name: "gold", Pools: []string{"*RP1"}},
	}
	r := run(t, inventory.Options{VCenters: []inventory.VCenter{v.vcenter("vc1")}, Roles: roles})
	r.ready()
	has := func(name string, want ...string) bool {
		vm := r.named(name)
		return vm != nil && strings.Join(vm.Roles, " ") == strings.Join(want, " ")
	}
	if vm := r.named(tagged.Name); !has(tagged.Name, "backup", "gold") || strings.Join(vm.Tags, " ") != "vegress-role/backup" {
		t.Errorf("tagged: got %+v", vm)
	}
	if vm := r.named(attributed.Name); !has(attributed.Name, "gold", "patch") || strings.Join(vm.Attributes, " ") != "role=patch" {
		t.Errorf("attributed: got %+v", vm)
	}
	if !has(pooled.Name, "gold") {
		t.Errorf("pooled: got %+v", r.named(pooled.Name))
	}

	// A tag is attached and one is taken away. Changing the roles polls tags
	// without waiting for the interval.
	if err := m.AttachTag(ctx, "backup", pooled.Self); err != nil {
		t.Fatal(err)
	}
	if err := m.DetachTag(ctx, "backup", tagged.Self); err != nil {
		t.Fatal(err)
	}
	if err := r.SetRoles(roles[:2]); err != nil {
		t.Fatal(err)
	}
	r.until("tags polled", func() bool { return has(pooled.Name, "backup") && has(tagged.Name) })
	if !has(attributed.Name, "patch") {
		t.Errorf("attributed: got %+v", r.named(attributed.Name))
	}
	if err := r.SetRoles([]inventory.Role{{Name: "empty"}}); err == nil {
		t.Error("a role without patterns was taken")
	}
	if !has(attributed.Name, "patch") {
		t.Error("refused roles changed something")
	}
	if err := rc.Logout(ctx); err != nil {
		t.Fatal(err)
	}
}

// sessions lists the sessions of our user agent.
func (v *vcsim) sessions() []types.UserSession {
	v.t.Helper()
	var sm mo.SessionManager
	m := session.NewManager(v.client.Client)
	if err := v.client.RetrieveOne(context.Background(), m.Reference(), []string{"sessionList"}, &sm); err != nil {
		v.t.Fatal(err)
	}
	var ours []types.UserSession
	for _, s := range sm.SessionList {
		if s.UserAgent == "vegress/test" {
			ours = append(ours, s)
		}
	}
	return ours
}

func TestSessionKilled(t *testing.T) {
	v := startVCSim(t)
	r := run(t, inventory.Options{VCenters: []inventory.VCenter{v.vcenter("vc1")}})
	r.ready()
	ours := v.sessions()
	if len(ours) != 1 {
		t.Fatalf("got %d sessions, want 1", len(ours))
	}
	if err := session.NewManager(v.client.Client).TerminateSession(context.Background(), []string{ours[0].Key}); err != nil {
		t.Fatal(err)
	}
	r.until("second sync", func() bool { return r.Stats().VCenters[0].Syncs == 2 })
	if w := r.waits.all(); len(w) != 1 || w[0] != 0 {
		t.Errorf("got waits %v, want one of 0: an expired session is renewed at once", w)
	}
	if n := len(v.sessions()); n != 1 {
		t.Errorf("got %d sessions, want 1", n)
	}
	v.setIP(v.vm(0), "10.1.1.9")
	r.until("a change after it", func() bool { return r.at("10.1.1.9") != nil })
	r.stop()
	if n := len(v.sessions()); n != 0 {
		t.Errorf("got %d sessions after stop, want none", n)
	}
}

func TestWrongPassword(t *testing.T) {
	v := startVCSim(t)
	writeFile(t, v.pass, "wr0ng-s3cret")
	r := run(t, inventory.Options{VCenters: []inventory.VCenter{v.vcenter("vc1")}})
	r.until("refused", func() bool { return len(r.waits.all()) > 0 })
	if w := r.waits.all(); len(w) != 1 || w[0] < 10*time.Minute {
		t.Errorf("got waits %v, want one of 10 minutes or more", w)
	}
	st := r.Stats().VCenters[0]
	if st.LoginsRefused != 1 || st.State != event.StateNever || st.LastError == "" {
		t.Errorf("got %+v", st)
	}
	for _, text := range []string{st.LastError, r.log.String()} {
		if strings.Contains(text, "wr0ng-s3cret") {
			t.Errorf("the password is in %q", text)
		}
	}
	if !strings.Contains(st.LastError, "user name or password") {
		t.Errorf("got error %q", st.LastError)
	}
	if n := v.door.accepted.Load(); n > 2 {
		t.Errorf("got %d connections, want one attempt", n)
	}
}

func TestVCenterAwayAndBack(t *testing.T) {
	v := startVCSim(t)
	vm := v.vm(0)
	v.setIP(vm, "10.1.1.1")
	snapshot := filepath.Join(t.TempDir(), "inventory.json.gz")
	opts := inventory.Options{
		VCenters: []inventory.VCenter{v.vcenter("vc1")}, SnapshotFile: snapshot,
		Roles: []inventory.Role{{Name: "vms", Names: []string{"dc0_*"}}},
	}
	r := run(t, opts)
	r.ready()
	v.door.shut()
	r.until("failures", func() bool { return r.Stats().VCenters[0].Failures >= 2 })
	if got := r.at("10.1.1.1"); got == nil || got.Name != vm.Name {
		t.Errorf("while away: got %+v", got)
	}
	if st := r.Stats().VCenters[0]; st.Connected || st.LastError == "" {
		t.Errorf("got %+v", st)
	}

	// A restart while it is away: the snapshot answers.
	r.stop()
	r = run(t, opts)
	r.ready()
	got := seen(r.Inventory, time.Time{}, event.Endpoint{IP: netip.MustParseAddr("10.1.1.1")}, "")
	if got.VM == nil || got.VM.Name != vm.Name || got.State != event.StateStale || len(got.VM.Roles) != 1 {
		t.Errorf("from the snapshot: got %+v, %+v", got, got.VM)
	}

	// Meanwhile things change; then it is back.
	v.setIP(vm, "10.1.1.2")
	v.setIP(v.vm(1), "10.1.1.1")
	gone := v.vm(3)
	v.task(v.object(gone).PowerOff(context.Background()))
	v.task(v.object(gone).Destroy(context.Background()))
	v.door.open(t)
	r.until("sync", func() bool { return r.Stats().VCenters[0].Syncs == 1 })
	if got := r.at("10.1.1.2"); got == nil || got.Name != vm.Name {
		t.Errorf("back: got %+v", got)
	}
	if got := r.at("10.1.1.1"); got == nil || got.Name != v.vm(1).Name {
		t.Errorf("back, moved address: got %+v", got)
	}
	if got := r.named(gone.Name); got != nil {
		t.Errorf("the VM that was deleted is there: %+v", got)
	}
	if st := r.Stats().VCenters[0]; st.State != event.StateLive || !st.Connected {
		t.Errorf("got %+v", st)
	}
}

// Two vCenters use the same MoRefs and here even the same UUIDs and
// addresses.
func TestTwoVCenters(t *testing.T) {
	a, b := startVCSim(t), startVCSim(t)
	vmA, vmB := a.vm(0), b.vm(1)
	if a.vm(0).Self != b.vm(0).Self {
		t.Fatal("the simulators' MoRefs differ; the test tests nothing")
	}
	a.setIP(vmA, "10.1.1.1")
	b.setIP(vmB, "10.1.1.1")
	b.setIP(b.vm(0), "10.1.1.3")
	r := run(t, inventory.Options{VCenters: []inventory.VCenter{a.vcenter("a"), b.vcenter("b")}})
	r.ready()
	got := seen(r.Inventory, time.Time{}, event.Endpoint{IP: netip.MustParseAddr("10.1.1.1")}, "")
	if !got.Ambiguous() || len(got.Candidates) != 2 {
		t.Fatalf("got %+v, want a candidate of each", got)
	}
	vcs := map[string]bool{}
	for _, c := range got.Candidates {
		vcs[c.VCenter] = true
	}
	if !vcs["a"] || !vcs["b"] {
		t.Errorf("got candidates of %v", vcs)
	}
	if vm := r.at("10.1.1.3"); vm == nil || vm.VCenter != "b" || vm.MoRef != b.vm(0).Self.Value {
		t.Errorf("got %+v", vm)
	}
	// One goes away; its VMs' answers are not the other's to keep fresh, and
	// the other goes on.
	a.door.shut()
	b.setIP(b.vm(0), "10.1.1.4")
	r.until("change in b", func() bool { return r.at("10.1.1.4") != nil })
}

func TestCollectExportAndReplay(t *testing.T) {
	v := startVCSim(t)
	v.setIP(v.vm(0), "10.1.1.1")
	ctx := context.Background()
	if err := object.NewOptionManager(v.client.Client, *v.client.ServiceContent.Setting).Update(ctx, []types.BaseOptionValue{
		&types.OptionValue{Key: "VirtualCenter.InstanceName", Value: "vcsa01.lab.example"},
	}); err != nil {
		t.Fatal(err)
	}
	opts := inventory.Options{VCenters: []inventory.VCenter{v.vcenter("vc1")}}
	inv, err := inventory.Collect(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := inv.Export(&first); err != nil {
		t.Fatal(err)
	}
	static, err := inventory.NewStatic(bytes.NewReader(first.Bytes()), []inventory.Role{{Name: "all", Names: []string{"*"}}})
	if err != nil {
		t.Fatal(err)
	}
	<-static.Ready()
	got := seen(static, time.Time{}, event.Endpoint{IP: netip.MustParseAddr("10.1.1.1")}, "")
	if got.VM == nil || got.VM.Name != v.vm(0).Name || got.State != event.StateLive || got.Age != 0 || len(got.VM.Roles) != 1 {
		t.Errorf("got %+v %+v", got, got.VM)
	}
	// vcsim has this name for itself, as a vCenter has that of its syslog.
	own := seen(static, time.Time{}, event.Endpoint{Hostname: "VCSA01.lab.example"}, "")
	if short := seen(static, time.Time{}, event.Endpoint{Hostname: "vcsa01"}, ""); own.Host == nil || !own.Host.IsVCenter ||
		own.Host.Key != "host:vcsa01.lab.example" || short.Host != own.Host {
		t.Errorf("the vCenter by its own name: %+v, %+v", own.Host, short.Host)
	}
	if err := static.Export(&second); err != nil {
		t.Fatal(err)
	}
	if one, two := withoutTime(first.String()), withoutTime(second.String()); one != two {
		t.Errorf("what was read and written again differs:\n%s\n%s", one, two)
	}
	if len(v.sessions()) != 0 {
		t.Error("Collect left its session")
	}
	writeFile(t, v.pass, "wrong")
	if _, err := inventory.Collect(ctx, opts); vsession.Classify(err) != vsession.Denied {
		t.Errorf("got %v, want a refused login", err)
	}
}

func withoutTime(s string) string {
	before, rest, found := strings.Cut(s, `"last_answer":"`)
	if !found {
		return s
	}
	_, after, _ := strings.Cut(rest, `",`)
	return before + after
}
