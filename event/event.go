// Package event holds what flows through vegress: an Event for each record
// that came in, the Finding that an analytic makes of some of them, and their
// wire form, OCSF 1.8 JSON (https://schema.ocsf.io/1.8.0).
//
// The types carry typed members for what vegress itself decides on; whatever
// else a source says stays in Event.Fields. The package parses no log format
// and decides nothing.
package event

import (
	"net/netip"
	"time"
)

// Class is an OCSF class_uid.
type Class uint16

// The OCSF 1.8 classes that vegress writes.
const (
	BaseEvent        Class = 0
	FileActivity     Class = 1001
	ProcessActivity  Class = 1007
	DetectionFinding Class = 2004
	Authentication   Class = 3002
	NetworkActivity  Class = 4001
	HTTPActivity     Class = 4002
	DNSActivity      Class = 4003
	SSHActivity      Class = 4007
	APIActivity      Class = 6003
)

// Activity is an OCSF activity_id; its meaning depends on the class.
type Activity uint8

// Activity ids of the classes that vegress writes. 0 is Unknown and 99 Other
// in every class.
const (
	ActivityUnknown Activity = 0
	ActivityOther   Activity = 99

	// Network Activity, SSH Activity and the connection side of others.
	NetworkOpen    Activity = 1
	NetworkClose   Activity = 2
	NetworkReset   Activity = 3
	NetworkFail    Activity = 4
	NetworkRefuse  Activity = 5
	NetworkTraffic Activity = 6
	NetworkListen  Activity = 7

	// DNS Activity.
	DNSQuery    Activity = 1
	DNSResponse Activity = 2

	// HTTP Activity (the request method).
	HTTPConnect Activity = 1
	HTTPDelete  Activity = 2
	HTTPGet     Activity = 3
	HTTPHead    Activity = 4
	HTTPOptions Activity = 5
	HTTPPost    Activity = 6
	HTTPPut     Activity = 7
	HTTPTrace   Activity = 8
	HTTPPatch   Activity = 9

	// Process Activity.
	ProcessLaunch    Activity = 1
	ProcessTerminate Activity = 2

	// File Activity.
	FileCreate        Activity = 1
	FileRead          Activity = 2
	FileUpdate        Activity = 3
	FileDelete        Activity = 4
	FileRename        Activity = 5
	FileSetAttributes Activity = 6
	FileSetSecurity   Activity = 7

	// API Activity.
	APICreate Activity = 1
	APIRead   Activity = 2
	APIUpdate Activity = 3
	APIDelete Activity = 4

	// Authentication.
	AuthLogon  Activity = 1
	AuthLogoff Activity = 2

	// Detection Finding.
	FindingCreate Activity = 1
	FindingUpdate Activity = 2
	FindingClose  Activity = 3
)

// Severity is an OCSF severity_id.
type Severity uint8

// The severities of OCSF.
const (
	SeverityUnknown       Severity = 0
	SeverityInformational Severity = 1
	SeverityLow           Severity = 2
	SeverityMedium        Severity = 3
	SeverityHigh          Severity = 4
	SeverityCritical      Severity = 5
	SeverityFatal         Severity = 6
)

// Status is an OCSF status_id of an event's outcome.
type Status uint8

// Outcomes. StatusUnknown is not written.
const (
	StatusUnknown Status = 0
	StatusSuccess Status = 1
	StatusFailure Status = 2
)

// Direction is an OCSF direction_id, seen from the estate's side.
type Direction uint8

// Directions of a connection.
const (
	DirectionUnknown  Direction = 0
	DirectionInbound  Direction = 1
	DirectionOutbound Direction = 2
	DirectionLateral  Direction = 3
)

// Event is one record of a source, made plain. Its strings may share the
// memory of the batch that brought the record: whoever keeps an Event or one
// of its strings beyond the call that handed it over clones it (Clone).
// An Event is not safe for concurrent use.
type Event struct {
	Class    Class
	Activity Activity
	Severity Severity
	Status   Status

	// Time is when it happened: the sender's time when that is believable,
	// else the time of receipt; OriginalTime keeps the sender's own text when
	// it was not believed, or could not be read.
	Time         time.Time
	OriginalTime string

	UID     string // metadata.uid; unique for ever
	LogName string // the program or channel that wrote the record: "vmkernel", "hostd", "dfwpktlogs"
	Message string // a Base Event's text, without the record's header; Raw and typed members say it in all other classes
	Raw     string // the input record, byte for byte; pieces joined by "\n"
	Records int    // input records in it: 1, or the number of pieces put together

	Device  Device  // who reported it
	Receipt Receipt // how it came in

	// Src and Dst are the ends of a connection. Src of what a sensor in a guest
	// tells of its own machine (a process, a file) is that machine, too, so that
	// the inventory finds its VM.
	Src, Dst  Endpoint
	Direction Direction
	Protocol  uint8 // IANA number; 0: not known
	TCPFlags  uint8 // as on the wire; 0: not known
	Traffic   Traffic
	Start     time.Time // of a flow, where the source says so
	End       time.Time

	URL  string // absolute where the source gives it so, else the path
	HTTP HTTP
	DNS  DNS

	User    User
	Session string // the session's id at the source
	Service string // what was logged in to (Authentication) or called (API Activity)

	Operation string // API Activity: the operation or event type: "VmPoweredOnEvent", "SessionManager.login"
	Resource  string // API Activity: the object that it was done to

	Process Process // what ran (Process Activity), or who acted
	File    File

	Justification Justification

	// Fields is what else the source said, in its order.
	Fields []Field
}

// Device is the machine that reported a record: an ESXi host, a vCenter or an
// endpoint; never a relay, where the record says better.
type Device struct {
	Hostname string
	IP       netip.Addr
	Host     *Host // from the inventory; nil when not known there
}

// Receipt is how a record came in over the network. It is not written: it
// says something of the way, not of what happened. Zero: read from a file, or
// no log record.
type Receipt struct {
	At   time.Time
	Peer netip.Addr // who sent it: the machine itself, a relay, or NAT
	// Skew is the sender's clock against ours, where the record has a time
	// (Timed), less what it took to come: positive when it is ahead.
	Skew      time.Duration
	Timed     bool
	Truncated bool // the record is cut, here or by the sender
}

// Endpoint is one end of a connection.
type Endpoint struct {
	IP       netip.Addr
	Port     uint16 // 0: none or not known
	NameAge  uint32 // seconds since Hostname was learned, where NameVia says that it was
	Hostname string
	MAC      string // lower case, colons

	// What a source tells about the virtual NIC behind the endpoint. VIF is
	// the last eight hex digits of an NSX VIF id; Switch and SwitchPort name a
	// Distributed Switch port; World is a VM's world id on Device.
	VIF        string
	Switch     string
	SwitchPort string
	World      string
	VMName     string
	VMUUID     string

	Context Context // by the inventory

	Service  string // the web service behind the address ("pastebin"), by the catalogue
	Category string // its category ("paste")
	// NameVia says where Hostname, or Service, came from when the record itself
	// had no name: "dns", "connection", "dns_shared", "sni", "catalogue"; "none":
	// nothing knows one.
	NameVia string
}

// IsZero says that nothing is known of the endpoint.
func (e *Endpoint) IsZero() bool {
	return !e.IP.IsValid() && e.Hostname == "" && e.MAC == "" && e.VMName == "" && e.VMUUID == ""
}

// Traffic counts what went over a connection. In and Out are seen from Src:
// BytesOut is what Src sent.
type Traffic struct {
	BytesIn, BytesOut     int64
	PacketsIn, PacketsOut int64
	Known                 bool // false: the source says nothing of counts
}

// HTTP is what a source says of an HTTP exchange.
type HTTP struct {
	Method    string
	Version   string
	Status    int // response code; 0: none
	UserAgent string
}

// DNS is a query and, in a response, its answers.
type DNS struct {
	Query   string
	Type    string
	RCode   string
	Answers []netip.Addr
}

// User is an account.
type User struct {
	Name   string
	Domain string
	UID    string
}

// Process is a process on Device.
type Process struct {
	Name    string
	Path    string
	CmdLine string
	PID     int64 // 0: not known
	UID     string
	Parent  *Process
}

// File is a file on Device.
type File struct {
	Name string
	Path string
}

// Reset empties e for its next use and keeps the memory of Fields and of
// DNS.Answers.
func (e *Event) Reset() {
	fields, answers := e.Fields[:0], e.DNS.Answers[:0]
	*e = Event{Fields: fields}
	e.DNS.Answers = answers
}

// Take makes e equal to from, with lists and parent processes of its own; the
// texts in them stay shared.
func (e *Event) Take(from *Event) {
	fields, answers := e.Fields[:0], e.DNS.Answers[:0]
	*e = *from
	e.Fields = append(fields, from.Fields...)
	e.DNS.Answers = append(answers, from.DNS.Answers...)
	for p, depth := &e.Process, 0; p.Parent != nil; p, depth = p.Parent, depth+1 {
		if depth == maxParents {
			p.Parent = nil
			return
		}
		parent := *p.Parent
		p.Parent = &parent
	}
}
