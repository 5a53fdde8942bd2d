package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/event"
)

// source is what is known of one vCenter. All but its freshness is guarded by
// the inventory's lock.
type source struct {
	inv  *Inventory
	name string
	opts VCenter

	instance string // vCenter's own instance UUID: another one is another vCenter
	version  string
	fqdn     string // by which vCenter names itself, in its syslog too; may be empty
	ips      []netip.Addr

	vms    map[string]*vmObject
	hosts  map[string]*hostObject
	nodes  map[string]*node
	fields map[int32]string // names of custom attributes
	tags   map[string][]string

	strings map[string]string
	sets    *stringSets

	gen       uint32
	syncing   bool  // a full sync runs: nothing is published before its end
	synced    bool  // a sync has completed in this process
	loaded    bool  // the snapshot had this vCenter
	connected bool  // the last call was answered
	lastOK    int64 // last answer that left this cache up to date

	dirty      map[*vmObject]struct{}
	allDirty   bool
	hostsDirty bool

	fresh atomic.Uint64
	stats VCenterStats
}

func newSource(inv *Inventory, opts VCenter) *source {
	s := &source{inv: inv, name: opts.Name, opts: opts, lastOK: always}
	s.forget()
	s.stats.Name = opts.Name
	return s
}

// forget empties the cache, without touching the index.
func (s *source) forget() {
	s.vms, s.hosts, s.nodes = map[string]*vmObject{}, map[string]*hostObject{}, map[string]*node{}
	s.fields, s.tags = map[int32]string{}, map[string][]string{}
	s.strings, s.sets = map[string]string{}, newStringSets()
	s.dirty = map[*vmObject]struct{}{}
	s.allDirty, s.hostsDirty = false, true
}

// maxStrings bounds the table of interned strings; it is emptied when full.
const maxStrings = 1 << 16

// intern keeps one copy of a string that many objects have.
func (s *source) intern(text string) string {
	if got, ok := s.strings[text]; ok {
		return got
	}
	if len(s.strings) >= maxStrings {
		clear(s.strings)
	}
	s.strings[text] = text
	return text
}

// begin starts a full sync: what it does not see is swept at its end.
func (s *source) begin() {
	s.gen++
	s.syncing = true
}

// apply takes one object's update. What it changes is published by commit.
func (s *source) apply(u *types.ObjectUpdate, at int64) {
	s.stats.Updates++
	id := u.Obj.Value
	if u.Kind == types.ObjectUpdateKindLeave {
		s.leave(u.Obj.Type, id, at)
		return
	}
	enter := u.Kind == types.ObjectUpdateKindEnter
	switch u.Obj.Type {
	case "VirtualMachine":
		s.applyVM(id, u.ChangeSet, enter)
	case "HostSystem":
		s.applyHost(id, u.ChangeSet, enter)
	case "CustomFieldsManager":
		s.applyFields(u.ChangeSet)
	default:
		s.applyNode(u.Obj.Type, id, u.ChangeSet)
	}
}

func (s *source) applyVM(id string, changes []types.PropertyChange, enter bool) {
	o := s.vms[id]
	if o == nil {
		o = &vmObject{ref: id}
		s.vms[id] = o
	}
	if enter {
		o.raw = vmRaw{} // an enter names every property that is set
	}
	o.gen, o.missing, o.loaded = s.gen, 0, false
	for i := range changes {
		o.set(s, changes[i].Name, changes[i].Val)
	}
	s.dirty[o] = struct{}{}
}

func (s *source) applyHost(id string, changes []types.PropertyChange, enter bool) {
	h := s.hosts[id]
	if h == nil {
		h = &hostObject{ref: id}
		s.hosts[id] = h
	}
	old := hostObject{name: h.name, parent: h.parent}
	if enter {
		*h = hostObject{ref: id, state: h.state}
	}
	h.gen, h.loaded = s.gen, false
	for i := range changes {
		h.set(s, changes[i].Name, changes[i].Val)
	}
	s.hostsDirty = true
	if h.name != old.name || h.parent != old.parent {
		s.allDirty = true
	}
}

func (s *source) applyFields(changes []types.PropertyChange) {
	for i := range changes {
		list, _ := changes[i].Val.(types.ArrayOfCustomFieldDef)
		clear(s.fields)
		for _, f := range list.CustomFieldDef {
			s.fields[f.Key] = cut(f.Name, maxAttribute)
		}
	}
	s.allDirty, s.hostsDirty = true, true
}

func (s *source) applyNode(kind, id string, changes []types.PropertyChange) {
	n := s.nodes[id]
	if n == nil {
		n = &node{kind: kind}
		s.nodes[id] = n
	}
	old := *n
	n.gen = s.gen
	for i := range changes {
		switch changes[i].Name {
		case "name":
			n.name = unescape(text(changes[i].Val))
		case "parent":
			n.parent = ref(changes[i].Val)
		}
	}
	if n.name != old.name || n.parent != old.parent {
		s.treeChanged()
	}
}

// treeChanged forgets cached paths; everything below may have moved.
func (s *source) treeChanged() {
	s.allDirty, s.hostsDirty = true, true
	for _, n := range s.nodes {
		if n.hasPath {
			n.path, n.hasPath = "", false
		}
	}
}

func (s *source) leave(kind, id string, at int64) {
	switch kind {
	case "VirtualMachine":
		if o := s.vms[id]; o != nil {
			s.remove(o, at)
		}
	case "HostSystem":
		delete(s.hosts, id)
		s.hostsDirty = true
	default:
		delete(s.nodes, id)
		s.treeChanged()
	}
}

// remove forgets a VM. Its claims end at the time given, and stay for a while.
func (s *source) remove(o *vmObject, at int64) {
	delete(s.vms, o.ref)
	delete(s.dirty, o)
	delete(s.tags, o.ref)
	if o.state != nil {
		s.inv.end(o, o.state.keys, at)
		o.endWorlds(s.inv, at, func(*world) bool { return true })
	}
	s.inv.changed = true
}

// A sweep that would drop more than sweepPercent of the VMs, and more than
// sweepFew, or all, is refused: an account that lost a right looks like that.
const (
	sweepPercent = 30
	sweepFew     = 5
)

// sweep ends a full sync: it drops what the sync did not see, unless that is
// suspiciously much. It reports how many VMs were missing, and whether they
// were dropped.
func (s *source) sweep(at int64) (missing int, dropped bool) {
	var gone []*vmObject
	for _, o := range s.vms {
		if o.gen != s.gen {
			gone = append(gone, o)
		}
	}
	n, all := len(gone), len(s.vms)
	refuse := n > 0 && n == all || n > sweepFew && n*100 > all*sweepPercent
	for _, o := range gone {
		if !refuse {
			s.remove(o, at)
		} else if o.missing == 0 {
			o.missing = at
		}
	}
	s.stats.Missing = 0
	if refuse {
		s.stats.SweepsRefused++
		s.stats.Missing = n
		return n, false
	}
	s.sweepRest()
	return n, true
}

// sweepRest drops hosts and nodes that the sync did not see.
func (s *source) sweepRest() {
	for id, h := range s.hosts {
		if h.gen != s.gen {
			delete(s.hosts, id)
			s.hostsDirty = true
		}
	}
	for id, n := range s.nodes {
		if n.gen != s.gen {
			delete(s.nodes, id)
		}
	}
}

// missingFor is how long a VM that syncs do not see is kept when a sweep was
// refused.
const missingFor = 24 * time.Hour

// dropMissing gives up VMs whose sweep was refused long ago.
func (s *source) dropMissing(now int64) {
	if s.stats.Missing == 0 {
		return
	}
	for _, o := range s.vms {
		if o.missing != 0 && now-o.missing > int64(missingFor) {
			s.remove(o, o.missing)
			s.stats.Missing--
		}
	}
}

// commit publishes what has changed. New claims hold from since on; claims
// that are over end at the time given.
func (s *source) commit(since, at int64) {
	if s.hostsDirty {
		s.rebuildHosts()
		s.inv.publishHosts()
	}
	if s.allDirty {
		for _, o := range s.vms {
			s.publish(o, since, at)
		}
	} else {
		for o := range s.dirty {
			s.publish(o, since, at)
		}
	}
	s.allDirty, s.hostsDirty = false, false
	if len(s.dirty) > maxClear {
		s.dirty = map[*vmObject]struct{}{}
	}
	clear(s.dirty)
}

// maxClear is up to how many entries a map is emptied for its next use: that
// takes time by the size that it once had, which a full sync makes large.
const maxClear = 1024

// commitNow publishes what has changed outside of updates (tags, roles),
// unless a full sync will.
func (s *source) commitNow(now int64) {
	if !s.syncing && (s.synced || s.loaded) {
		s.commit(now, now)
	}
}

// publish makes the VM's new state and, when it differs, puts it in the index.
func (s *source) publish(o *vmObject, since, at int64) {
	next := s.build(o)
	old := o.state
	if old != nil && next.same(old) {
		return
	}
	if old != nil {
		var ended []key
		for _, k := range old.keys {
			if !slices.Contains(next.keys, k) {
				ended = append(ended, k)
			}
		}
		s.inv.end(o, ended, at)
		o.keepWorlds(s.inv, next, since, at)
	}
	s.inv.succeed(next, old, since)
	for _, k := range next.keys {
		s.inv.index.put(k, next, since)
	}
	o.state = next
	s.inv.changed = true
}

// build makes a VM's state of its raw properties and of what it is in. A VM
// of the snapshot has no raw properties: only its tags and roles are new.
func (s *source) build(o *vmObject) *vmState {
	if o.loaded {
		v := *o.state
		v.Tags = s.tags[o.ref]
		v.Roles = s.inv.roles.of(vmTraits(&v.VM))
		return &v
	}
	r := &o.raw
	v := &vmState{src: s, obj: o, bios: r.bios, path: r.path, nics: r.nics, ips: r.addresses()}
	v.VM = event.VM{
		VCenter: s.name, MoRef: o.ref, Name: r.name, GuestOS: r.guestOS, GuestName: r.guestName,
		Annotation: r.annotation, PoweredOn: r.poweredOn,
		Folder: s.folder(r.parent), Pool: s.pool(r.pool),
		Tags: s.tags[o.ref], Attributes: s.attributes(r.custom),
	}
	if h := s.hosts[r.host]; h != nil {
		v.Host, v.Cluster = h.name, s.cluster(h)
	}
	v.Roles = s.inv.roles.of(vmTraits(&v.VM))
	v.Key = "vm:" + s.name + "/" + cmp.Or(r.instance, o.ref)
	v.InstanceUUID = v.Key[len(v.Key)-len(r.instance):] // one copy of the text for both
	v.makeKeys(&s.inv.index.hash)
	return v
}

func (s *source) attributes(custom []customValue) []string {
	if len(custom) == 0 {
		return nil
	}
	list := make([]string, 0, len(custom))
	for _, c := range custom {
		if name := s.fields[c.field]; name != "" {
			list = append(list, name+"="+c.value)
		}
	}
	slices.Sort(list)
	return s.sets.share(list)
}

// rebuildHosts makes the states of all hosts anew: there are few.
func (s *source) rebuildHosts() {
	for _, h := range s.hosts {
		if h.loaded {
			continue
		}
		st := &hostState{src: s, ips: h.ips}
		st.Host = event.Host{
			VCenter: s.name, MoRef: h.ref, Name: h.name, Cluster: s.cluster(h),
			Version: h.version, Maintenance: h.maintenance, Connection: h.connection, Standby: h.standby, Key: hostKey(h.name),
		}
		st.folder, st.attributes = s.hostFolder(h), s.attributes(h.custom)
		st.Roles = s.hostRoles(st)
		h.state = st
	}
	s.inv.changed = true
}

func (s *source) hostRoles(h *hostState) []string {
	return s.inv.roles.of(traits{name: h.Name, folder: h.folder, tags: s.tags[h.MoRef], attributes: h.attributes})
}

// vcenter is the vCenter itself as a host; nil before anything is known of it.
func (s *source) vcenter() *hostState {
	if s.opts.URL == "" && len(s.ips) == 0 {
		return nil
	}
	h := &hostState{src: s, ips: s.ips}
	name := s.opts.host()
	if _, err := netip.ParseAddr(name); err == nil && s.fqdn != "" {
		name = s.fqdn
	}
	h.Host = event.Host{VCenter: s.name, Name: name, Version: s.version, IsVCenter: true, Key: hostKey(name)}
	h.alias = s.fqdn
	h.Roles = s.inv.roles.of(traits{name: h.Name})
	return h
}

// cluster is the name of the cluster that the host is in; a standalone host
// is in none.
func (s *source) cluster(h *hostObject) string {
	if n := s.nodes[h.parent]; n != nil && n.kind == "ClusterComputeResource" {
		return n.name
	}
	return ""
}

// folder is the path of a VM's folder below the datacenter's own "vm" folder.
func (s *source) folder(id string) string {
	return s.path(id, func(n, above *node) bool { return n.kind == "Datacenter" || above != nil && above.kind == "Datacenter" })
}

func (s *source) hostFolder(h *hostObject) string {
	if n := s.nodes[h.parent]; n != nil {
		return s.folder(n.parent)
	}
	return ""
}

// pool is the path of a resource pool below the cluster's root pool.
func (s *source) pool(id string) string {
	return s.path(id, func(n, above *node) bool {
		return !isPool(n) || above != nil && !isPool(above)
	})
}

func isPool(n *node) bool { return n.kind == "ResourcePool" || n.kind == "VirtualApp" }

// maxDepth bounds the walk up the tree.
const maxDepth = 64

// path joins the names from below the node at which top is true down to id.
func (s *source) path(id string, top func(n, above *node) bool) string {
	n := s.nodes[id]
	if n == nil {
		return ""
	}
	if n.hasPath {
		return n.path
	}
	var parts []string
	for at := n; at != nil && len(parts) < maxDepth; at = s.nodes[at.parent] {
		if top(at, s.nodes[at.parent]) {
			break
		}
		parts = append(parts, at.name)
	}
	slices.Reverse(parts)
	n.path, n.hasPath = strings.Join(parts, "/"), true
	return n.path
}
