package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// feed is one filter at one vCenter, and how far its updates were read. It
// lives as long as its session.
type feed struct {
	loop      *loop
	vim       *vim25.Client
	collector *property.Collector
	version   string
}

// watched are the properties that are asked for: leaves only, and whole ones,
// not parts of a list (developer.broadcom.com, vSphere Web Services API,
// PropertyCollector).
var watched = map[string][]string{
	"VirtualMachine": {
		"name", "parent", "resourcePool", "customValue",
		"runtime.host", "runtime.powerState",
		"config.uuid", "config.instanceUuid", "config.guestFullName", "config.annotation",
		"config.files.vmPathName", "config.hardware.device",
		"guest.hostName", "guest.net",
	},
	"HostSystem": {
		"name", "parent", "customValue", "config.network.vnic",
		"runtime.inMaintenanceMode", "runtime.connectionState", "runtime.powerState", "summary.config.product.version",
	},
	"Folder":                 {"name", "parent"},
	"Datacenter":             {"name", "parent"},
	"ComputeResource":        {"name", "parent"},
	"ClusterComputeResource": {"name", "parent"},
	"ResourcePool":           {"name", "parent"},
	"VirtualApp":             {"name", "parent"},
}

// openFeed makes a view of all that is watched, and a filter on it.
func openFeed(ctx context.Context, vim *vim25.Client, l *loop) (*feed, error) {
	kinds := make([]string, 0, len(watched))
	for kind := range watched {
		kinds = append(kinds, kind)
	}
	v, err := view.NewManager(vim).CreateContainerView(ctx, vim.ServiceContent.RootFolder, kinds, true)
	if err != nil {
		return nil, fmt.Errorf("create a view: %w", err)
	}
	pc, err := property.DefaultCollector(vim).Create(ctx)
	if err != nil {
		return nil, fmt.Errorf("create a property collector: %w", err)
	}
	req := types.CreateFilter{Spec: filterSpec(v.Reference(), vim.ServiceContent.CustomFieldsManager)}
	if _, err := pc.CreateFilter(ctx, req); err != nil {
		return nil, fmt.Errorf("create a filter: %w", err)
	}
	return &feed{loop: l, vim: vim, collector: pc}, nil
}

// filterSpec watches everything in the view and the names of custom
// attributes.
func filterSpec(v types.ManagedObjectReference, fields *types.ManagedObjectReference) types.PropertyFilterSpec {
	traverse := &types.TraversalSpec{Type: v.Type, Path: "view"}
	spec := types.PropertyFilterSpec{ObjectSet: []types.ObjectSpec{
		{Obj: v, Skip: types.NewBool(true), SelectSet: []types.BaseSelectionSpec{traverse}},
	}}
	for kind, paths := range watched {
		spec.PropSet = append(spec.PropSet, types.PropertySpec{Type: kind, PathSet: paths})
	}
	if fields != nil { // a standalone host has none
		spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: *fields})
		spec.PropSet = append(spec.PropSet, types.PropertySpec{Type: fields.Type, PathSet: []string{"field"}})
	}
	return spec
}

// pageSize is how many objects' updates are asked for at a time. Servers give
// fewer when they like.
const pageSize = 250

// callGrace is what a call may take beyond the time that the server was asked
// to wait. A connection that died without a word would block for ever. In a
// full read it is readGrace: a busy server with tens of thousands of VMs takes
// minutes until the first page, and to ask anew would only begin that again.
const (
	callGrace = 30 * time.Second
	readGrace = 5 * time.Minute
)

// next waits for updates. A nil set is an answer too: nothing has changed.
func (f *feed) next(ctx context.Context, grace time.Duration) (*types.UpdateSet, error) {
	wait := f.loop.inv.waitFor
	ctx, cancel := context.WithTimeout(ctx, wait+grace)
	defer cancel()
	seconds := int32(wait / time.Second)
	res, err := methods.WaitForUpdatesEx(ctx, f.vim, &types.WaitForUpdatesEx{
		This: f.collector.Reference(), Version: f.version,
		Options: &types.WaitOptions{MaxWaitSeconds: &seconds, MaxObjectUpdates: pageSize},
	})
	if err != nil {
		return nil, fmt.Errorf("wait for updates of vcenter %q: %w", f.loop.name, err)
	}
	if res.Returnval != nil {
		f.version = res.Returnval.Version
	}
	return res.Returnval, nil
}

// errNoAnswer reports a first read that brought nothing at all.
var errNoAnswer = errors.New("the first read of the inventory brought nothing")

// sync reads everything that there is, page by page, and publishes it at the
// end.
func (f *feed) sync(ctx context.Context) error {
	l := f.loop
	start := l.inv.now()
	l.inv.mu.Lock()
	l.begin()
	l.inv.mu.Unlock()
	for more := true; more; {
		set, err := f.next(ctx, readGrace)
		if err != nil {
			return err
		}
		if set == nil {
			return fmt.Errorf("vcenter %q: %w", l.name, errNoAnswer)
		}
		f.take(set)
		more = set.Truncated != nil && *set.Truncated
	}
	l.finish(start)
	return nil
}

// finish ends a full sync.
func (l *loop) finish(start time.Time) {
	l.inv.mu.Lock()
	now := l.inv.now()
	missing, dropped := l.sweep(now.UnixNano())
	l.commit(l.since(), now.UnixNano())
	l.syncing, l.synced, l.connected = false, true, true
	l.lastOK = now.UnixNano()
	l.stats.Syncs++
	l.stats.LastError = ""
	vms, hosts := len(l.vms), len(l.hosts)
	l.inv.mu.Unlock()
	l.inv.refresh(now)
	l.inv.checkReady()
	if missing > 0 && !dropped {
		l.log.Error("a sync does not see many VMs that were there; they are kept: was a right taken from the account?", "missing", missing, "vms", vms)
	}
	l.log.Info("inventory is in sync", "vms", vms, "hosts", hosts, "took", now.Sub(start).Round(time.Millisecond))
}

// since is from when on what a full sync brings is valid: always, at the
// first; later, since the last time that the old state was known to hold.
func (s *source) since() int64 {
	if s.synced || s.loaded {
		return s.lastOK
	}
	return always
}

// poll waits for changes once, and publishes them.
func (f *feed) poll(ctx context.Context) error {
	set, err := f.next(ctx, callGrace)
	if err != nil {
		return err
	}
	if set != nil {
		f.take(set)
	}
	s := f.loop.source
	s.inv.mu.Lock()
	defer s.inv.mu.Unlock()
	now := s.inv.now().UnixNano()
	s.commit(now, now)
	s.lastOK = now
	return nil
}

// take applies a set of updates and notes what the account may not see.
func (f *feed) take(set *types.UpdateSet) {
	s := f.loop.source
	s.inv.mu.Lock()
	now := s.inv.now().UnixNano()
	var missing []types.ObjectUpdate
	for i := range set.FilterSet {
		objects := set.FilterSet[i].ObjectSet
		for j := range objects {
			s.apply(&objects[j], now)
			if len(objects[j].MissingSet) > 0 {
				missing = append(missing, objects[j])
			}
		}
	}
	s.inv.mu.Unlock()
	for i := range missing {
		f.reportMissing(&missing[i])
	}
}

// reportMissing says which properties of an object the account may not read.
func (f *feed) reportMissing(u *types.ObjectUpdate) {
	for _, m := range u.MissingSet {
		if no, ok := m.Fault.Fault.(*types.NoPermission); ok {
			f.loop.lacks(privilegeOf(u.Obj.Type+" "+u.Obj.Value, m.Path, no.PrivilegeId))
		}
	}
}

// closeTimeout bounds the good-bye to vCenter.
const closeTimeout = 3 * time.Second

// close tells vCenter not to wait for changes any more. The filter and the
// view go with the session.
func (f *feed) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	// It fails when the session or vCenter is gone, and then there is nothing
	// to cancel.
	_, _ = methods.CancelWaitForUpdates(ctx, f.vim, &types.CancelWaitForUpdates{This: f.collector.Reference()})
}
