package simulator

import (
	"net/netip"
	"time"
)

// Truth is what a collector that receives all of a Traffic, with the
// configuration of Site.Config, should make of it.
type Truth struct {
	Stories []Story  `json:"stories"` // each should become one finding
	Honest  []Honest `json:"honest"`  // none of which may become one
	Paths   []Path   `json:"paths"`   // of logs that are not as they should be, and no finding

	Records  int            `json:"records"`   // input records: lines sent
	Events   int            `json:"events"`    // what they are when pieces are put together
	Split    int            `json:"split"`     // the events among them that came in pieces
	BySender map[string]int `json:"by_sender"` // records
}

// Joined is how many records become part of another one's event.
func (t *Truth) Joined() int { return t.Records - t.Events }

// Story is one hostile, or at least unexplained, course of events. Its entity
// is the VM of InstanceUUID; without one the Host; without both the Address.
type Story struct {
	ID           string     `json:"id"`
	Title        string     `json:"title"`
	VM           string     `json:"vm,omitempty"`
	InstanceUUID string     `json:"instance_uuid,omitempty"`
	Host         string     `json:"host,omitempty"`
	Address      netip.Addr `json:"address"`
	Candidates   []string   `json:"candidates,omitempty"` // the VMs that Address may be

	Destination netip.Addr `json:"destination,omitzero"`
	Port        uint16     `json:"port"`
	Name        string     `json:"name,omitempty"` // the destination's host name

	Analytic string `json:"analytic"`          // "egress.unjustified", "esxi.httpclient_opened" or "host.silent", "host.loss", "host.misdirected", or a rule's id
	Verdict  string `json:"verdict,omitempty"` // "unjustified" or "unknown"; empty: no connection is judged
	Reason   string `json:"reason,omitempty"`  // "no_role", "destination", "window" or "ambiguous"

	// Signs are the rules that hold for its records: each becomes one more
	// finding of the same entity.
	Signs []Sign `json:"signs,omitempty"`

	Records  int       `json:"records"` // lines that tell of it
	BytesOut int64     `json:"bytes_out"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

// Sign is a rule, or another analytic, that a story shows itself to.
type Sign struct {
	Analytic string `json:"analytic"` // the rule's id, or the analytic's uid
	Title    string `json:"title"`
}

// Path is the way of a host's logs that is to be noticed without a finding.
type Path struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Host      string    `json:"host"`
	State     string    `json:"state"` // that it should have, in the time between From and To, else at the end
	Truncated int64     `json:"truncated,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`
}

// Honest is external traffic with a justification.
type Honest struct {
	VM           string     `json:"vm,omitempty"`
	InstanceUUID string     `json:"instance_uuid,omitempty"`
	Host         string     `json:"host,omitempty"` // the host itself acts, when there is no VM
	Address      netip.Addr `json:"address"`
	Destination  netip.Addr `json:"destination,omitzero"`
	Name         string     `json:"name"`
	Port         uint16     `json:"port"`
	By           string     `json:"by,omitempty"` // the justification of Site.Config that holds
	// Run is the work that vSphere itself reports, where no window of By, or
	// no justification at all, covers it.
	Run      string    `json:"run,omitempty"`
	Records  int       `json:"records"`
	BytesOut int64     `json:"bytes_out"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

// account is what a script counts while it writes one course of events.
type account struct {
	records     int
	bytesOut    int64
	first, last time.Time
}

func (a *account) add(at time.Time, records int) {
	a.records += records
	if a.first.IsZero() || at.Before(a.first) {
		a.first = at
	}
	if at.After(a.last) {
		a.last = at
	}
}
