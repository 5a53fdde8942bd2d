package event

import "time"

// HostPath is the state of a machine's log path: the way that its records take
// to the collector. One is published on vegress.hosts.<host> whenever its State
// changes, and kept for each machine in the bucket vegress_state under
// host.<slug of the host's name>, as JSON in both places.
type HostPath struct {
	Host    string `json:"host"` // as vCenter names it; else as its records do; else its address
	VCenter string `json:"vcenter,omitempty"`

	State PathState `json:"state"`
	Since time.Time `json:"since"` // when the State began
	Time  time.Time `json:"time"`  // of this report, by the events' clock
	// Reasons say in short sentences why the State is not PathSending.
	Reasons []string `json:"reasons,omitempty"`

	LastSeen time.Time `json:"last_seen,omitzero"` // when its latest record was received; zero: never
	// Rate is its records in a minute of late; Habit what it usually sends at
	// this hour, 0 when that is not learned yet.
	Rate  float64 `json:"rate_per_minute"`
	Habit float64 `json:"habit_per_minute,omitempty"`

	Records   int64 `json:"records"`             // since the collector started
	Truncated int64 `json:"truncated,omitempty"` // that say that they were cut
	Lost      int64 `json:"lost,omitempty"`      // that the host itself says it could not send
	// Skew is the sender's clock against ours, in seconds: positive when it is
	// ahead.
	Skew float64 `json:"skew_seconds,omitempty"`
	// Targets are its log hosts as vCenter reports them; nil: not read.
	Targets []string `json:"targets,omitempty"`
}

// PathState says how a machine's log path is.
type PathState string

// States of a log path, from good to bad. A machine that vCenter knows to be
// disconnected, in maintenance or rebooting is PathExcused, whatever it sends.
const (
	PathSending     PathState = "sending"
	PathQuiet       PathState = "quiet" // less than its habit, not yet silent
	PathExcused     PathState = "excused"
	PathNever       PathState = "never" // vCenter has it, no record came yet
	PathLosing      PathState = "losing"
	PathMisdirected PathState = "misdirected" // its log hosts changed to others than they were
	PathSilent      PathState = "silent"
)
