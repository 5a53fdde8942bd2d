package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25"

	"github.com/vegress/vegress/vsphere/session"
)

// loop keeps one source up to date from its vCenter.
type loop struct {
	*source
	session *session.Session
	backoff session.Backoff
	kick    <-chan struct{}
	log     *slog.Logger
	tagBook *tagBook

	noTagsBefore time.Time
	tagError     string          // the last one, until tags are read again
	warned       map[string]bool // missing rights that were logged
}

// addLoops makes the loops of all sources. It reads files, but nothing from
// the network.
func (inv *Inventory) addLoops() error {
	for i, s := range inv.sources {
		sess, err := session.New(s.opts.Options)
		if err != nil {
			return err
		}
		log := inv.opts.Logger.With("vcenter", s.name)
		inv.loops = append(inv.loops, &loop{
			source: s, session: sess, kick: inv.kicks[i], log: log, tagBook: newTagBook(), warned: map[string]bool{},
		})
	}
	return nil
}

// run connects, and connects again after each failure, until ctx ends.
func (l *loop) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := l.serve(ctx)
		l.session.Drop()
		if ctx.Err() != nil {
			return
		}
		class := session.Classify(err)
		wait := l.backoff.Next(class)
		l.failed(err, class)
		l.log.Warn("vcenter is away", "error", err, "class", class.String(), "retry_in", wait.Round(time.Millisecond))
		if l.inv.sleep(ctx, wait) != nil {
			return
		}
	}
}

// failed notes why vCenter is away.
func (l *loop) failed(err error, class session.Class) {
	l.inv.mu.Lock()
	defer l.inv.mu.Unlock()
	l.connected = false
	l.syncing = false
	l.stats.Failures++
	if class == session.Denied {
		l.stats.LoginsRefused++
	}
	l.stats.LastError = err.Error()
}

// serve logs in, reads everything, and then follows the changes. It
// returns only when that fails or ctx ends.
func (l *loop) serve(ctx context.Context) error {
	f, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.sync(ctx); err != nil {
		return err
	}
	l.backoff.Reset()
	return l.follow(ctx, f)
}

// open logs in and makes the filter for updates.
func (l *loop) open(ctx context.Context) (*feed, error) {
	vim, err := l.login(ctx)
	if err != nil {
		return nil, err
	}
	l.pollTags(ctx) // before the sync, so that roles by tag are there with the VMs
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	f, err := openFeed(ctx, vim, l)
	if err != nil {
		return nil, fmt.Errorf("watch the inventory of vcenter %q: %w", l.name, err)
	}
	return f, nil
}

// openTimeout bounds the calls that precede the first read.
const openTimeout = time.Minute

func (l *loop) login(ctx context.Context) (*vim25.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	vim, err := l.session.Connect(ctx)
	if err != nil {
		return nil, err
	}
	l.preflight(ctx)
	l.identify(ctx, vim)
	return vim, nil
}

// follow waits for changes and polls tags beside, until one call fails.
func (l *loop) follow(ctx context.Context, f *feed) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { l.followTags(ctx) })
	for {
		if err := f.poll(ctx); err != nil {
			return err
		}
	}
}

// preflight reports rights that the account lacks.
func (l *loop) preflight(ctx context.Context) {
	missing, err := l.session.Preflight(ctx)
	if err != nil {
		l.log.Warn("privileges could not be checked", "error", err)
		return
	}
	for _, m := range missing {
		l.lacks(m.Object, m.Privilege)
	}
}

// maxWarned bounds the missing rights that are remembered.
const maxWarned = 64

// lacks reports a missing right, once.
func (l *loop) lacks(object, privilege string) {
	what := privilege + " on " + object
	if l.warned[what] || len(l.warned) >= maxWarned {
		return
	}
	l.warned[what] = true
	l.log.Warn("the account lacks a privilege; what it protects is not in the inventory", "object", object, "privilege", privilege)
	l.inv.mu.Lock()
	defer l.inv.mu.Unlock()
	l.stats.MissingPrivileges = append(l.stats.MissingPrivileges, what)
}

// identify notes which vCenter this is. Behind the same name, another
// instance is another vCenter: its MoRefs mean other things.
func (l *loop) identify(ctx context.Context, vim *vim25.Client) {
	about := vim.ServiceContent.About
	ips, fqdn := lookUp(ctx, l.opts.host()), l.ownName(ctx, vim)
	l.inv.mu.Lock()
	defer l.inv.mu.Unlock()
	if l.instance != "" && l.instance != about.InstanceUuid {
		l.log.Warn("another vcenter answers at this address; its predecessor's inventory is dropped")
		now := l.inv.now().UnixNano()
		for _, o := range l.vms {
			l.remove(o, now)
		}
		l.forget()
		l.synced, l.loaded = false, false
	}
	l.instance, l.version = about.InstanceUuid, about.Version
	if len(ips) > 0 {
		l.ips = ips
	}
	if fqdn != "" {
		l.fqdn = fqdn
	}
	l.hostsDirty = true
}

// ownName is the name that vCenter has for itself, which is the HOSTNAME of its
// syslog: the configured URL may have an address or an alias. An account that
// may not read it goes without.
func (l *loop) ownName(ctx context.Context, vim *vim25.Client) string {
	settings := vim.ServiceContent.Setting
	if settings == nil {
		return ""
	}
	found, err := object.NewOptionManager(vim, *settings).Query(ctx, "VirtualCenter.InstanceName")
	if err != nil {
		l.log.Debug("vcenter does not say its own name", "error", err)
		return ""
	}
	for _, o := range found {
		if name, ok := o.GetOptionValue().Value.(string); ok && len(name) <= maxHostName {
			return name
		}
	}
	return ""
}

// maxHostName bounds a DNS name.
const maxHostName = 253

// lookUp gives the addresses of a host name, as far as they can tell machines
// apart.
func lookUp(ctx context.Context, host string) []netip.Addr {
	if a, ok := usable(host); ok {
		return []netip.Addr{a}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range found {
		if a, ok := usable(a.String()); ok && len(out) < maxAddresses {
			out = append(out, a)
		}
	}
	return out
}

// Collect reads every vCenter once and gives the inventory as it is then; it
// is not kept up to date.
func Collect(ctx context.Context, opts Options) (*Inventory, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	inv, err := newInventory(opts.withDefaults())
	if err != nil {
		return nil, err
	}
	if err := inv.addLoops(); err != nil {
		return nil, err
	}
	for _, l := range inv.loops {
		if err := l.once(ctx); err != nil {
			return nil, err
		}
	}
	if len(inv.sources) == 0 {
		return nil, errors.New("collect the inventory: no vcenter is configured")
	}
	inv.refresh(inv.now())
	return inv, nil
}

// once logs in, reads everything and logs out.
func (l *loop) once(ctx context.Context) error {
	defer l.session.Drop()
	f, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	return f.sync(ctx)
}

// privilegeOf names the object and the privilege of a NoPermission fault.
func privilegeOf(object, path, privilege string) (string, string) {
	if path != "" {
		object += " (" + path + ")"
	}
	if strings.TrimSpace(privilege) == "" {
		privilege = "System.Read"
	}
	return object, privilege
}
