package inventory

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// The file: one JSON object, a VM or host a line, gzip or plain.
const (
	fileFormat  = "vegress-inventory"
	fileVersion = 1
	maxFile     = 1 << 30 // bytes, after gzip
)

// file is the inventory as a file. The snapshot, what Export writes, and what
// an administrator writes by hand for a replay are the same format.
type file struct {
	Format   string        `json:"format"`  // "vegress-inventory"
	Version  int           `json:"version"` // 1
	VCenters []fileVCenter `json:"vcenters"`
}

type fileVCenter struct {
	Name       string       `json:"name"`
	URLHost    string       `json:"host,omitempty"`          // name or address of the vCenter itself
	Instance   string       `json:"instance_uuid,omitempty"` // vCenter's own
	Version    string       `json:"version,omitempty"`
	FQDN       string       `json:"fqdn,omitempty"` // by which it names itself in its syslog, where that is another one
	IPs        []netip.Addr `json:"ips,omitempty"`
	LastAnswer time.Time    `json:"last_answer,omitzero"`
	VMs        []fileVM     `json:"vms"`
	Hosts      []fileHost   `json:"hosts"`
}

type fileVM struct {
	MoRef        string      `json:"moref"`
	Name         string      `json:"name"`
	InstanceUUID string      `json:"instance_uuid,omitempty"`
	BIOSUUID     string      `json:"bios_uuid,omitempty"`
	Host         string      `json:"host,omitempty"`
	Cluster      string      `json:"cluster,omitempty"`
	Folder       string      `json:"folder,omitempty"` // below the datacenter: "Infra/Backup"
	Pool         string      `json:"pool,omitempty"`
	GuestOS      string      `json:"guest_os,omitempty"`
	GuestName    string      `json:"guest_name,omitempty"`
	Annotation   string      `json:"annotation,omitempty"`
	Path         string      `json:"path,omitempty"` // of the .vmx file within its datastore
	PoweredOn    bool        `json:"powered_on"`
	Tags         []string    `json:"tags,omitempty"`       // "category/name"
	Attributes   []string    `json:"attributes,omitempty"` // "key=value"
	NICs         []fileNIC   `json:"nics,omitempty"`
	IPs          []fileIP    `json:"ips,omitempty"`
	Worlds       []fileWorld `json:"worlds,omitempty"` // learned from logs
}

type fileNIC struct {
	MAC    string `json:"mac,omitempty"`
	VIF    string `json:"vif,omitempty"`
	Switch string `json:"switch,omitempty"` // UUID of the Distributed Switch
	Port   string `json:"port,omitempty"`
}

type fileIP struct {
	IP   netip.Addr `json:"ip"`
	From time.Time  `json:"from,omitzero"` // absent: since always
}

type fileHost struct {
	MoRef       string       `json:"moref"`
	Name        string       `json:"name"`
	Cluster     string       `json:"cluster,omitempty"`
	Folder      string       `json:"folder,omitempty"`
	Version     string       `json:"version,omitempty"`
	Maintenance bool         `json:"maintenance,omitempty"`
	IPs         []netip.Addr `json:"ips,omitempty"` // of VMkernel adapters
	Tags        []string     `json:"tags,omitempty"`
	Attributes  []string     `json:"attributes,omitempty"`
}

// Export writes the inventory as the JSON that NewStatic reads. Order is that
// of the MoRefs, so that two exports can be compared.
func (inv *Inventory) Export(w io.Writer) error {
	b := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprintf(b, "{\"format\":%q,\"version\":%d,\"vcenters\":[", fileFormat, fileVersion)
	for i, s := range inv.sources {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := inv.exportSource(b, s); err != nil {
			return fmt.Errorf("write the inventory: %w", err)
		}
	}
	b.WriteString("]}\n")
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write the inventory: %w", err)
	}
	return nil
}

// exportSource writes one vCenter. It holds the lock only to list the states,
// which do not change.
func (inv *Inventory) exportSource(b *bufio.Writer, s *source) error {
	inv.mu.Lock()
	head := fileVCenter{Name: s.name, URLHost: s.opts.host(), Instance: s.instance, Version: s.version, FQDN: s.fqdn, IPs: s.ips, LastAnswer: stamp(s.lastOK)}
	vms := make([]exported, 0, len(s.vms))
	for _, o := range s.vms {
		if o.state != nil {
			vms = append(vms, exported{o.state, o.fileWorlds()})
		}
	}
	hosts := make([]fileHost, 0, len(s.hosts))
	for _, h := range s.hosts {
		if h.state != nil {
			hosts = append(hosts, s.fileHost(h))
		}
	}
	inv.mu.Unlock()
	slices.SortFunc(vms, func(a, b exported) int { return strings.Compare(a.MoRef, b.MoRef) })
	slices.SortFunc(hosts, func(a, b fileHost) int { return strings.Compare(a.MoRef, b.MoRef) })
	return writeSource(b, head, len(vms), func(i int) any { return inv.fileVM(vms[i]) }, hosts)
}

// writeSource writes a vCenter's head, then each VM and host on a line of its
// own, so that only one of them is in memory as JSON.
func writeSource(b *bufio.Writer, head fileVCenter, vms int, vm func(int) any, hosts []fileHost) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	b.Write(bytes.TrimSuffix(text, []byte(`"vms":null,"hosts":null}`)))
	if err := writeList(b, "vms", vms, vm); err != nil {
		return err
	}
	b.WriteByte(',')
	if err := writeList(b, "hosts", len(hosts), func(i int) any { return hosts[i] }); err != nil {
		return err
	}
	return b.WriteByte('}')
}

func writeList(b *bufio.Writer, name string, n int, item func(int) any) error {
	fmt.Fprintf(b, "%q:[", name)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(item(i))
		if err != nil {
			return err
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	return b.WriteByte(']')
}

// stamp is a time of the index as a time; the ends of time are zero.
func stamp(t int64) time.Time {
	if t == always || t == forever {
		return time.Time{}
	}
	return time.Unix(0, t).UTC()
}

// exported is a VM that is being written.
type exported struct {
	*vmState
	worlds []fileWorld
}

func (inv *Inventory) fileVM(v exported) fileVM {
	f := fileVM{
		MoRef: v.MoRef, Name: v.Name, InstanceUUID: v.InstanceUUID, BIOSUUID: v.bios,
		Host: v.Host, Cluster: v.Cluster, Folder: v.Folder, Pool: v.Pool, GuestOS: v.GuestOS,
		GuestName: v.GuestName, Annotation: v.Annotation, Path: v.path, PoweredOn: v.PoweredOn, Worlds: v.worlds,
		Tags: v.Tags, Attributes: v.Attributes,
	}
	for _, n := range v.nics {
		f.NICs = append(f.NICs, fileNIC{n.mac, n.vif, n.switchID, n.port})
	}
	for _, a := range v.ips {
		f.IPs = append(f.IPs, fileIP{a, stamp(inv.index.since(ipKey(a), v.obj))})
	}
	return f
}

// since is from when on a VM has a key.
func (x *index) since(k key, obj *vmObject) int64 {
	e := x.find(k)
	if e == nil || e.many == nil && e.only.vm.obj != obj {
		return always
	}
	if e.many == nil {
		return e.only.from
	}
	for _, c := range e.many.claims {
		if c.vm.obj == obj && c.open() {
			return c.from
		}
	}
	return always
}

func (s *source) fileHost(h *hostObject) fileHost {
	st := h.state
	return fileHost{
		st.MoRef, st.Name, st.Cluster, st.folder, st.Version, st.Maintenance, st.ips,
		s.tags[h.ref], st.attributes,
	}
}

// NewStatic makes an inventory of what Export wrote, or a file of that form
// written by hand, gzip or plain. It does not change, counts as live, and
// needs no Run.
func NewStatic(r io.Reader, list []Role) (*Inventory, error) {
	inv, err := newInventory(Options{Roles: list}.withDefaults())
	if err != nil {
		return nil, err
	}
	if err := inv.load(r, true); err != nil {
		return nil, err
	}
	inv.refresh(inv.now())
	inv.checkReady()
	return inv, nil
}

// load takes what a file has of the inventory's vCenters; a static inventory
// takes all.
func (inv *Inventory) load(r io.Reader, static bool) error {
	f, err := readFile(r)
	if err != nil {
		return fmt.Errorf("read the inventory file: %w", err)
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for i := range f.VCenters {
		fv := &f.VCenters[i]
		s := inv.sourceNamed(fv.Name)
		if s == nil && static {
			s = inv.addSource(VCenter{})
			s.name, s.stats.Name = fv.Name, fv.Name
			s.opts.Name = fv.Name
			if fv.URLHost != "" {
				s.opts.URL = "https://" + hostForURL(fv.URLHost) + "/sdk"
			}
		}
		// A vCenter that had not been read when the file was written is not
		// known by it either.
		if s != nil && !s.loaded && (static || !fv.LastAnswer.IsZero()) {
			s.load(fv, static)
		}
	}
	return nil
}

func hostForURL(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func (inv *Inventory) sourceNamed(name string) *source {
	for _, s := range inv.sources {
		if s.name == name {
			return s
		}
	}
	return nil
}

var errMore = errors.New("there is more")

// readFile decodes a file and checks that it is one.
func readFile(r io.Reader) (*file, error) {
	b := bufio.NewReader(r)
	var in io.Reader = b
	if magic, _ := b.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		in = z
	}
	dec := json.NewDecoder(io.LimitReader(in, maxFile))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	// To the end: what is cut off or damaged shows in gzip's checksum.
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("after the inventory: %w", cmp.Or(err, errMore))
	}
	if f.Format != fileFormat {
		return nil, fmt.Errorf("format is %q, want %q", f.Format, fileFormat)
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("version is %d, want %d", f.Version, fileVersion)
	}
	return &f, nil
}

// load takes one vCenter out of a file.
func (s *source) load(f *fileVCenter, static bool) {
	s.instance, s.version, s.fqdn, s.ips, s.loaded = f.Instance, f.Version, f.FQDN, f.IPs, true
	s.lastOK = f.LastAnswer.UnixNano()
	if static {
		s.lastOK = forever
	}
	for i := range f.Hosts {
		s.loadHost(&f.Hosts[i])
	}
	for i := range f.VMs {
		s.loadVM(&f.VMs[i])
	}
	s.hostsDirty = false
	s.inv.publishHosts()
}

func (s *source) loadHost(f *fileHost) {
	f.MoRef = cmp.Or(f.MoRef, f.Name) // a file written by hand may go without
	h := &hostObject{ref: f.MoRef, loaded: true}
	h.state = &hostState{src: s, ips: f.IPs, folder: f.Folder, attributes: f.Attributes}
	h.state.Host = event.Host{
		VCenter: s.name, MoRef: f.MoRef, Name: f.Name, Cluster: f.Cluster, Version: f.Version, Maintenance: f.Maintenance,
		Key: hostKey(f.Name),
	}
	s.tags[h.ref] = f.Tags
	h.state.Roles = s.hostRoles(h.state)
	s.hosts[h.ref] = h
}

func (s *source) loadVM(f *fileVM) {
	f.MoRef = cmp.Or(f.MoRef, f.Name)
	o := &vmObject{ref: f.MoRef, loaded: true}
	v := &vmState{src: s, obj: o, bios: f.BIOSUUID, path: f.Path}
	v.VM = event.VM{
		VCenter: s.name, MoRef: f.MoRef, InstanceUUID: f.InstanceUUID, Name: f.Name,
		Host: s.intern(f.Host), Cluster: s.intern(f.Cluster), Folder: s.intern(f.Folder), Pool: s.intern(f.Pool),
		GuestOS: s.intern(f.GuestOS), GuestName: f.GuestName, Annotation: cut(f.Annotation, maxAnnotation),
		PoweredOn: f.PoweredOn, Tags: s.sets.share(f.Tags), Attributes: s.sets.share(f.Attributes),
	}
	v.Key = "vm:" + s.name + "/" + cmp.Or(f.InstanceUUID, o.ref)
	v.Roles = s.inv.roles.of(vmTraits(&v.VM))
	for _, n := range f.NICs[:min(len(f.NICs), maxNICs)] {
		v.nics = append(v.nics, nic{mac: n.MAC, vif: n.VIF, switchID: n.Switch, port: n.Port})
	}
	for _, a := range f.IPs[:min(len(f.IPs), maxAddresses)] {
		v.ips = append(v.ips, a.IP)
	}
	v.makeKeys(&s.inv.index.hash)
	o.state = v
	s.tags[o.ref] = v.Tags
	s.vms[o.ref] = o
	v.hostSince = always
	for _, k := range v.keys {
		s.inv.index.put(k, v, f.since(k))
	}
	o.loadWorlds(s.inv, f.Worlds)
}

// since is from when on the VM has a key, as the file says.
func (f *fileVM) since(k key) int64 {
	for _, a := range f.IPs {
		if k.kind == kindIP && ipKey(a.IP) == k && !a.From.IsZero() {
			return a.From.UnixNano()
		}
	}
	return always
}

// quietSave is after how long a snapshot is written though nothing changed:
// it also says until when its content is known to hold.
const quietSave = 30 * time.Minute

// save writes the snapshot when something has changed and the last one is at
// least that old.
func (inv *Inventory) save(atLeast time.Duration) {
	if inv.opts.SnapshotFile == "" || !inv.saveDue(atLeast) {
		return
	}
	err := inv.writeSnapshot()
	if err == nil {
		return
	}
	inv.mu.Lock()
	inv.changed = true
	inv.saveErr++
	inv.mu.Unlock()
	inv.opts.Logger.Error("inventory snapshot not written", "file", inv.opts.SnapshotFile, "error", err)
}

// saveDue says whether a snapshot is to be written now, and takes that as
// done.
func (inv *Inventory) saveDue(atLeast time.Duration) bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	now := inv.now()
	age := now.Sub(inv.saved)
	synced := slices.ContainsFunc(inv.sources, func(s *source) bool { return s.synced })
	if !synced || age < atLeast || !inv.changed && atLeast > 0 && age < quietSave {
		return false
	}
	inv.changed, inv.saved = false, now
	return true
}

// writeSnapshot replaces the snapshot file as a whole: a crash leaves the old
// one or the new one.
func (inv *Inventory) writeSnapshot() error {
	dir, base := filepath.Split(inv.opts.SnapshotFile)
	tmp, err := os.CreateTemp(dir, base+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as it should
	z, _ := gzip.NewWriterLevel(tmp, gzip.BestSpeed)
	err = errors.Join(inv.Export(z), z.Close(), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), inv.opts.SnapshotFile)
}
