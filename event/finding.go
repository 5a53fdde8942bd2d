package event

import "time"

// Analytic names what raised a finding.
type Analytic struct {
	UID     string // "egress.unjustified"
	Name    string
	Version string
	Desc    string
	Attack  string // the ATT&CK analytic: "AN1192"
	Rule    bool   // a rule (type_id 1); otherwise behavioral (type_id 2)
	Attacks []Attack
}

// Attack is a MITRE ATT&CK technique.
type Attack struct {
	Tactic, TacticUID       string
	Technique, TechniqueUID string
}

// Finding is a Detection Finding (2004): one for each entity, what it talked
// to, and analytic, revised as more is seen. Every revision is complete. A
// Finding owns its memory: it shares nothing with the events it came from.
type Finding struct {
	UID      string // hash of analytic, key and the first event's uid
	Revision string // hash of the last contributing event's uid and Activity
	Activity Activity
	Status   FindingStatus

	Analytic   Analytic
	Title      string
	Severity   Severity // never falls
	Confidence uint8    // OCSF confidence_id: 1 low, 2 medium, 3 high
	Risk       int      // 0 to 100

	Entity      string // wire form of the entity that acted
	Key         string // what it talked to: service, else registrable domain, else address
	Time        time.Time
	FirstSeen   time.Time
	LastSeen    time.Time
	Count       int64 // of events
	Connections int64 // that began in it, however many events tell of each; 0: none, or not counted
	BytesIn     int64 // each once, however many events tell of them
	BytesOut    int64
	Explanation []string // the reasons, a short sentence each

	Device        Device
	Src, Dst      Endpoint // of the first event, context included
	URL           string
	Justification Justification
	Evidence      []Evidence // at most MaxEvidence
	Related       []string   // uids of contributing events, at most MaxRelated
}

// Bounds of what a finding carries.
const (
	MaxEvidence = 10
	MaxRelated  = 100
)

// FindingStatus is the OCSF status_id of a finding.
type FindingStatus uint8

// States of a finding.
const (
	FindingNew        FindingStatus = 1
	FindingInProgress FindingStatus = 2
	FindingResolved   FindingStatus = 4
)

// Evidence is one record that a finding rests on.
type Evidence struct {
	UID      string
	Time     time.Time
	LogName  string
	Raw      string
	Src, Dst Endpoint
	URL      string
}
