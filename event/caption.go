package event

// caption is the name of a small enumeration's value; empty when it has none.
func caption(list []string, i uint8) string {
	if int(i) < len(list) {
		return list[i]
	}
	return ""
}

// captioned is the value whose caption is s; 0 when there is none.
func captioned(list []string, s string) uint8 {
	for i, c := range list {
		if c == s {
			return uint8(i)
		}
	}
	return 0
}

var (
	severities = []string{"unknown", "informational", "low", "medium", "high", "critical", "fatal"}
	vias       = []string{"", "nsx_uuid", "vif", "dvport", "mac", "world", "ip", "name"}
	states     = []string{"", "live", "stale", "dead", "never"}
	verdicts   = []string{"", "justified", "unjustified", "unknown"}
	reasons    = []string{
		"", "no_role", "destination", "window", "bytes", "expired", "ambiguous", "no_vm", "stale_inventory",
	}
)

// String is the OCSF caption in lower case, "unknown" for what OCSF has no
// name for.
func (s Severity) String() string {
	if c := caption(severities, uint8(s)); c != "" {
		return c
	}
	return "unknown"
}

// String is "nsx_uuid", "vif" and so on; empty for ViaNone.
func (v Via) String() string { return caption(vias, uint8(v)) }

// String is "live", "stale", "dead" or "never"; empty for StateNone.
func (s State) String() string { return caption(states, uint8(s)) }

// String is "justified", "unjustified" or "unknown"; empty for VerdictNone.
func (v Verdict) String() string { return caption(verdicts, uint8(v)) }

// String is "no_role", "destination" and so on; empty for ReasonNone.
func (r Reason) String() string { return caption(reasons, uint8(r)) }
