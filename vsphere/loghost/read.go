package loghost

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/vsphere/session"
)

// VCenter is what one vCenter says of its hosts and of itself.
type VCenter struct {
	Name    string `json:"name"`           // the site's own name for it
	FQDN    string `json:"fqdn,omitempty"` // by which it signs its syslog
	Address string `json:"address"`        // the host of its URL
	Version string `json:"version,omitempty"`
	Build   string `json:"build,omitempty"`

	// Forwarding is where the appliance forwards its log; at most MaxServers.
	Forwarding []Target `json:"forwarding"`
	// ForwardingRead says that it could be read.
	ForwardingRead bool `json:"forwarding_read"`
	// Events says whether vCenter's events are part of its log
	// (vpxd.event.syslog.enabled).
	Events Switch `json:"events"`

	Hosts []Host `json:"-"`

	// Error says why nothing could be read; what else there is then is empty.
	Error string `json:"error,omitempty"`
	// Denied says that a login, right or certificate is missing: to try again
	// soon would help nobody, and might lock the account.
	Denied bool     `json:"-"`
	Notes  []string `json:"notes,omitempty"`
}

func (v *VCenter) note(format string, args ...any) {
	if len(v.Notes) < maxNotes {
		v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
	}
}

// readTimeout bounds the reading of one vCenter.
const readTimeout = 5 * time.Minute

// Read asks one vCenter for its hosts and for itself: one login, a page of
// properties for each pageSize hosts, and a few calls more. It logs out at its
// end. What cannot be read is said in the result, which is never an error.
func Read(ctx context.Context, o session.Options) VCenter {
	v := VCenter{Name: o.Name, Address: o.Host(), Events: NotKnown}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	s, err := session.New(o)
	if err == nil {
		defer s.Drop()
		err = v.read(ctx, s)
	}
	if err != nil {
		v.Error, v.Denied, v.Hosts = err.Error(), session.Classify(err) == session.Denied, nil
	}
	return v
}

func (v *VCenter) read(ctx context.Context, s *session.Session) error {
	vim, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	about := vim.ServiceContent.About
	v.Version, v.Build = about.Version, about.Build
	if v.Hosts, err = readHosts(ctx, vim, v.Name); err != nil {
		return fmt.Errorf("read the hosts of vcenter %q: %w", v.Name, err)
	}
	v.readSettings(ctx, vim)
	v.readForwarding(ctx, s)
	return nil
}

// readSettings reads the vCenter's own options.
func (v *VCenter) readSettings(ctx context.Context, vim *vim25.Client) {
	if vim.ServiceContent.Setting == nil {
		return
	}
	for key, take := range map[string]func(string){
		"VirtualCenter.InstanceName": func(s string) { v.FQDN = s },
		"vpxd.event.syslog.enabled":  func(s string) { v.Events = switched(strings.EqualFold(s, "true")) },
	} {
		found, err := object.NewOptionManager(vim, *vim.ServiceContent.Setting).Query(ctx, key)
		if fault.Is(err, &types.InvalidName{}) {
			continue
		}
		if err != nil {
			v.note("%s cannot be read: %s", key, denial(err, "System.Read on the root folder"))
			continue
		}
		for _, o := range found {
			if o.GetOptionValue().Key == key {
				take(fmt.Sprint(o.GetOptionValue().Value))
			}
		}
	}
}

// pageSize is how many objects' properties come in one answer. Servers give
// fewer when they like.
const pageSize = 500

// hostPaths are the properties of a host that are asked for. Options and rule
// sets are named by their keys, which spares the thousand others: property
// paths of the form list["key"] are vSphere's own (vSphere Web Services API,
// PropertyCollector.Change).
func hostPaths(whole bool) []string {
	paths := []string{
		"name", "parent", "runtime.connectionState", "runtime.inMaintenanceMode",
		"summary.config.product.version", "summary.config.product.build",
		"configManager.advancedOption", "configManager.firewallSystem",
	}
	if whole {
		return append(paths, "config.option", "config.firewall.ruleset")
	}
	for _, key := range keys {
		paths = append(paths, `config.option["`+key+`"]`)
	}
	return append(paths, `config.firewall.ruleset["`+ruleSetKey+`"]`)
}

// readHosts reads all hosts that the account can see, by their names.
func readHosts(ctx context.Context, vim *vim25.Client, vcenter string) ([]Host, error) {
	kinds := []string{"HostSystem", "ClusterComputeResource"}
	all, err := view.NewManager(vim).CreateContainerView(ctx, vim.ServiceContent.RootFolder, kinds, true)
	if err != nil {
		return nil, err
	}
	r := reading{vcenter: vcenter, clusters: map[string]string{}}
	err = r.retrieve(ctx, vim, all.Reference(), false)
	if fault.Is(err, &types.InvalidProperty{}) || r.keyless { // whole lists then, which are larger
		r.hosts = nil
		err = r.retrieve(ctx, vim, all.Reference(), true)
	}
	if err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// reading is a reading of hosts on its way.
type reading struct {
	vcenter  string
	hosts    []Host
	clusters map[string]string // names by reference
	keyless  bool              // the server does not know keys in paths
}

func (r *reading) retrieve(ctx context.Context, vim *vim25.Client, v types.ManagedObjectReference, whole bool) error {
	req := types.RetrievePropertiesEx{
		This:    vim.ServiceContent.PropertyCollector,
		Options: types.RetrieveOptions{MaxObjects: pageSize},
		SpecSet: []types.PropertyFilterSpec{{
			ObjectSet: []types.ObjectSpec{{
				Obj: v, Skip: types.NewBool(true),
				SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: v.Type, Path: "view"}},
			}},
			PropSet: []types.PropertySpec{
				{Type: "HostSystem", PathSet: hostPaths(whole)},
				{Type: "ClusterComputeResource", PathSet: []string{"name"}},
			},
		}},
	}
	res, err := methods.RetrievePropertiesEx(ctx, vim, &req)
	if err != nil {
		return err
	}
	for page := res.Returnval; page != nil; {
		for i := range page.Objects {
			r.take(&page.Objects[i])
		}
		if page.Token == "" {
			return nil
		}
		next, err := methods.ContinueRetrievePropertiesEx(ctx, vim, &types.ContinueRetrievePropertiesEx{This: req.This, Token: page.Token})
		if err != nil {
			return err
		}
		page = &next.Returnval
	}
	return nil
}

func (r *reading) take(obj *types.ObjectContent) {
	if obj.Obj.Type == "ClusterComputeResource" {
		for _, p := range obj.PropSet {
			r.clusters[obj.Obj.Value], _ = p.Val.(string)
		}
		return
	}
	h := Host{VCenter: r.vcenter, MoRef: obj.Obj.Value, Name: obj.Obj.Value, Connection: "unknown", Read: true, RuleSet: NotKnown, CheckCert: NotKnown}
	for _, p := range obj.PropSet {
		h.set(p.Name, p.Val)
	}
	for i := range obj.MissingSet {
		h.missing(&obj.MissingSet[i])
		if _, ok := obj.MissingSet[i].Fault.Fault.(*types.InvalidProperty); ok {
			r.keyless = true
		}
	}
	if !h.Connected() && !h.answered {
		h.Read = false
		h.note("not connected: vCenter does not have its options")
	}
	r.hosts = append(r.hosts, h)
}

// finish names the clusters; a standalone host is in none.
func (r *reading) finish() []Host {
	for i := range r.hosts {
		r.hosts[i].Cluster = r.clusters[r.hosts[i].Cluster]
	}
	slices.SortFunc(r.hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return r.hosts
}

// denial is an error in words; of a missing right it says which one it is.
func denial(err error, privilege string) string {
	if fault.Is(err, &types.NoPermission{}) && !fault.Is(err, &types.NotAuthenticated{}) {
		return "the account lacks " + privilege
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
