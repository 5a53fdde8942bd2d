package simulator

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // the REST side of vcsim: tags
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Estate is a Site with a vCenter that answers for it.
type Estate struct {
	Site *Site

	url                string
	username, password string

	model  *simulator.Model // nil when attached
	server *simulator.Server
	caFile string
	close  sync.Once
	closed error

	mu          sync.Mutex
	forwardings []Forwarding // of the appliance's log
	noAppliance bool         // its API refuses everybody
	calls       int
}

// Start brings up a vCenter (vcsim) on a loopback port, with TLS, that shows
// the Site of o: clusters, hosts, VMs with guest addresses, folders, resource
// pools, custom attributes, and tags over REST. The caller closes the Estate.
func Start(ctx context.Context, o Options) (*Estate, error) {
	site, err := NewSite(o)
	if err != nil {
		return nil, err
	}
	e := &Estate{Site: site, username: "vegress@vsphere.local", password: rand.Text()}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the simulated vCenter: %w", err), e.Close())
	}
	return e, nil
}

func (e *Estate) start(ctx context.Context) error {
	if err := e.build(ctx); err != nil {
		return err
	}
	svc := e.model.Service
	svc.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(e.username, e.password)}
	svc.TLS = new(tls.Config)
	svc.RegisterEndpoints = true
	e.serveAppliance(svc)
	e.countCalls()
	e.server = svc.NewServer()
	e.url = (&url.URL{Scheme: "https", Host: e.server.URL.Host, Path: e.server.URL.Path}).String()
	file, err := e.server.CertificateFile()
	if err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	e.caFile = file
	return e.tag(ctx)
}

// tag puts the roles on VMs by the REST interface, as an admin does.
func (e *Estate) tag(ctx context.Context) error {
	c, err := e.client(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Logout(context.WithoutCancel(ctx)) }()
	byName, err := refsByName(ctx, c.Client)
	if err != nil {
		return err
	}
	return e.Site.attachTags(ctx, c.Client, url.UserPassword(e.username, e.password), byName)
}

func (e *Estate) client(ctx context.Context) (*govmomi.Client, error) {
	u, err := soap.ParseURL(e.url)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", e.url, err)
	}
	u.User = url.UserPassword(e.username, e.password)
	return login(ctx, u, access{caFile: e.caFile})
}

// URL is the vCenter's SDK address, "https://127.0.0.1:port/sdk".
func (e *Estate) URL() string { return e.url }

// Username is the account to log in with.
func (e *Estate) Username() string { return e.username }

// Password is the account's password, a new one for each Start.
func (e *Estate) Password() string { return e.password }

// CAFile is a PEM file with the vCenter's certificate; Close removes it. It is
// empty for an attached Estate.
func (e *Estate) CAFile() string { return e.caFile }

// Certificate is the vCenter's certificate; nil for an attached Estate.
func (e *Estate) Certificate() *x509.Certificate {
	if e.server == nil {
		return nil
	}
	return e.server.Certificate()
}

// closeWait bounds Close: a client that waits for updates holds vcsim's server
// until its wait is over.
const closeWait = 5 * time.Second

// Close stops the vCenter and removes its files. Clients that still wait for
// updates are woken; one that cannot be makes Close return an error after five
// seconds. Close may be called again.
func (e *Estate) Close() error {
	e.close.Do(func() { e.closed = e.shut() })
	return e.closed
}

func (e *Estate) shut() error {
	if e.model == nil {
		return nil
	}
	defer e.model.Remove()
	if e.server == nil {
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.server.CloseClientConnections()
		e.server.Close()
	}()
	return e.nudge(done)
}

// nudge changes a name until done, which is what makes vcsim's
// WaitForUpdatesEx return: it does not notice that its client has gone.
func (e *Estate) nudge(done <-chan struct{}) error {
	vm, ok := e.model.Map().Any("VirtualMachine").(*simulator.VirtualMachine)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(closeWait)
	for {
		select {
		case <-done:
			return nil
		case <-deadline:
			return errors.New("close the simulated vCenter: a client still waits for updates")
		case <-tick.C:
			if ok {
				e.rename(vm)
			}
		}
	}
}

func (e *Estate) rename(vm *simulator.VirtualMachine) {
	ctx := e.model.Service.Context
	e.model.Map().AtomicUpdate(ctx, vm, []types.PropertyChange{{Name: "name", Val: vm.Name}})
}

// entity is the registry's object behind ref.
func entity[T mo.Reference](m *simulator.Model, ref types.ManagedObjectReference) (T, error) {
	obj, ok := m.Map().Get(ref).(T)
	if !ok {
		return obj, fmt.Errorf("%s is not in the simulated vCenter", ref)
	}
	return obj, nil
}
