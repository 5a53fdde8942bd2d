package hosts

import (
	"net/netip"
	"time"

	"github.com/vegress/vegress/event"
)

// What a Detector observes, beside Options: Tallies and Signs from the Scouts,
// Pulses, Inventory and Targets from the service, and Asks.

// Pulse says that time went on, by the clock of receipt.
type Pulse struct {
	At time.Time
	// Deaf is why lines could not be taken at some time since the last Pulse;
	// empty: they could.
	Deaf string
}

// Inventory is what vCenters know of their hosts now: all of them.
type Inventory struct {
	Hosts []*event.Host
	Fresh map[string]event.State // by the name of the vCenter
}

// Targets are the log hosts of one host as vCenter reports them.
type Targets struct {
	Host    string // as vCenter names it
	VCenter string
	Targets []string // "tcp://192.0.2.5:1514"; empty: it sends nowhere
	At      time.Time
}

// Ask asks for the log paths of all machines, those of an inventory first.
// The answer must not block: the channel has room for it.
type Ask chan<- []event.HostPath

// AskHabits asks for what Save gives. The channel has room for the answer.
type AskHabits chan<- Saved

// Saved is the answer of Save.
type Saved struct {
	Data []byte
	Err  error
}

// Tally is what one machine sent since it was last told of.
type Tally struct {
	Key  string      // "host:<name in lower case>"
	Name string      // as its records have it
	Host *event.Host // of the inventory; nil: not known there
	Peer netip.Addr  // who sent the latest record

	Last      time.Time // receipt of the latest record
	Records   int64
	Truncated int64
	Programs  [programs]int64
	// Skew is the greatest of event.Receipt.Skew among the records, which is
	// that of the quickest, where Timed.
	Skew  time.Duration
	Timed bool
}

// Tallies are told together.
type Tallies []Tally

// Programs whose silence counts by itself: a host's own agents and kernel,
// which write on any host at all times.
const (
	hostd = iota
	vmkernel
	vpxa
	programs
)

var programNames = [programs]string{"hostd", "vmkernel", "vpxa"}

// SignKind is what a record says of the way that logs take.
type SignKind uint8

// Kinds of signs.
const (
	noSign             SignKind = iota
	signLost                    // messages could not be sent
	signUnreachable             // a log host could not be reached
	signTargets                 // the list of log hosts was set
	signBlocked                 // the way out was closed, or the log daemon stopped
	signReboot                  // it reboots, shuts down or goes to standby
	signMaintenance             // it entered maintenance mode
	signMaintenanceEnd          // it left it
	signDisconnected            // an administrator disconnected it
	signConnected
)

// Sign is a record that says something of the way that a machine's logs take.
type Sign struct {
	Kind    SignKind
	Key     string // of the machine that it is about
	Name    string
	Event   event.Event // the record
	Lost    int64
	Targets []string // that were set; nil: not said
}
