package event

import "time"

// VM is a virtual machine as vCenter describes it. A *VM that an Event points
// to never changes: the inventory makes a new one for a new state.
type VM struct {
	VCenter      string // configured name of the vCenter
	MoRef        string
	InstanceUUID string
	Name         string
	Host         string // name of the ESXi host that it runs on
	Cluster      string
	Folder       string // path below the datacenter
	Pool         string // resource pool path
	GuestOS      string
	GuestName    string // host name that VMware Tools reports
	Annotation   string
	PoweredOn    bool
	Tags         []string // "category/name"
	Attributes   []string // custom attributes, "key=value"
	Roles        []string // sorted

	// Key is the VM as an entity: "vm:<vcenter>/<instance_uuid>".
	Key string
}

// Host is an ESXi host (or a vCenter itself) as the inventory knows it.
type Host struct {
	VCenter     string
	MoRef       string
	Name        string
	Cluster     string
	Version     string
	Maintenance bool
	// Connection is vCenter's own link to the host, as the vSphere API names
	// its states: "connected", "disconnected" (by an administrator) or
	// "notResponding"; empty: not known.
	Connection string
	Standby    bool // powered down until it is needed
	IsVCenter  bool
	Roles      []string

	// Key is the host as an entity: "host:<name in lower case>".
	Key string
}

// Via says how an endpoint was resolved to a VM, most trusted first.
type Via uint8

// Ways to a VM.
const (
	ViaNone Via = iota
	ViaNSXUUID
	ViaVIF
	ViaDVPort
	ViaMAC
	ViaWorld
	ViaIP
	ViaName
)

// State is how fresh the inventory was that answered.
type State uint8

// States of an inventory.
const (
	StateNone  State = iota // no inventory is configured
	StateLive               // its vCenter answers
	StateStale              // vCenter has not answered for a while
	StateDead               // ... for long
	StateNever              // no sync has ever completed
)

// Context is what the inventory says about one endpoint. With Ambiguous, VM
// is nil and Candidates holds the VMs that it may be, best first.
type Context struct {
	VM         *VM
	Host       *Host // the endpoint is this ESXi host or vCenter itself
	Via        Via
	State      State
	Age        time.Duration // since the last answer of vCenter
	Candidates []*VM         // owned by the inventory, read only
}

// Ambiguous says that several VMs fit and none is preferred.
func (c *Context) Ambiguous() bool { return c.VM == nil && len(c.Candidates) > 1 }

// Verdict is the answer to "is this connection justified?".
type Verdict uint8

// Verdicts. VerdictNone: the question does not arise (not an external HTTP(S)
// connection), and nothing is written.
const (
	VerdictNone Verdict = iota
	VerdictJustified
	VerdictUnjustified
	VerdictUnknown
)

// Reason says why a connection is not justified.
type Reason uint8

// Reasons.
const (
	ReasonNone Reason = iota
	ReasonNoRole
	ReasonDestination
	ReasonWindow
	ReasonBytes
	ReasonExpired
	ReasonAmbiguous
	ReasonNoVM
	ReasonStaleInventory
)

// Justification is the verdict on an external connection.
type Justification struct {
	Verdict  Verdict
	Reason   Reason
	By       string    // name of the rule or evidence that justifies
	From, To time.Time // of the window that justified; zero: none
	Evidence []string  // uids of the events that opened the window
}
