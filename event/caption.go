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

// Name is the OCSF name of c: "network_activity". A class that vegress does
// not write is "base_event".
func (c Class) Name() string {
	switch c {
	case FileActivity:
		return "file_activity"
	case ProcessActivity:
		return "process_activity"
	case DetectionFinding:
		return "detection_finding"
	case Authentication:
		return "authentication"
	case NetworkActivity:
		return "network_activity"
	case HTTPActivity:
		return "http_activity"
	case DNSActivity:
		return "dns_activity"
	case SSHActivity:
		return "ssh_activity"
	case APIActivity:
		return "api_activity"
	}
	return "base_event"
}

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

// maxSlug bounds a token in bytes: names come from the network, and a NATS
// subject has to stay short.
const maxSlug = 128

// Slug makes a token for a NATS subject of s: lower case, each run outside
// [a-z0-9_-] becomes one "_", cut after 128 bytes; "_" for an empty s.
func Slug(s string) string {
	if isSlug(s) {
		return s
	}
	dst := make([]byte, 0, min(len(s), maxSlug)+1)
	run := false
	for i := 0; i < len(s) && len(dst) < maxSlug; i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if slugByte(c) {
			dst = append(dst, c)
		} else if !run {
			dst = append(dst, '_')
		}
		run = !slugByte(c)
	}
	if len(dst) == 0 {
		return "_"
	}
	return string(dst)
}

func isSlug(s string) bool {
	for i := range len(s) {
		if !slugByte(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= maxSlug
}

func slugByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}
