package loghost

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Target is one log host, as an entry of Syslog.global.logHost or of a vCenter
// appliance's forwarding names it.
type Target struct {
	Raw      string `json:"raw"`                // as it is written
	Protocol string `json:"protocol,omitempty"` // udp, tcp, ssl; of a vCenter also relp
	Host     string `json:"host,omitempty"`     // name or address, without brackets
	Port     int    `json:"port,omitempty"`     // with the protocol's default filled in
	// Formatter and Framing are ESXi's options; empty: not named, which is
	// ESXi's default for the protocol.
	Formatter string `json:"formatter,omitempty"`
	Framing   string `json:"framing,omitempty"`
	// Fault says why the entry is no target; it then has nothing but Raw.
	Fault string `json:"fault,omitempty"`
}

// Bounds of what is read of a list of targets. VMware advises at most five
// targets to a host.
const (
	maxList   = 16 << 10 // bytes
	maxTarget = 64
	maxName   = 253 // of a DNS name
)

// Ports by protocol, where an entry names none (VMware vSphere 8 documentation,
// "ESXi Syslog Options").
var defaultPorts = map[string]int{"udp": 514, "tcp": 1514, "ssl": 1514}

// tooMany is the fault of what a list has beyond the bounds.
const tooMany = "the list is too long to be understood"

// ParseTargets takes a value of Syslog.global.logHost apart: entries
// [PROTOCOL://]HOST[:PORT][?formatter=F&framing=F], with commas between. An
// entry without a protocol is UDP, as ESXi has it since version 4. No entry is
// lost: what is no target comes with a Fault. Empty entries are nothing, and so
// is "<none>", esxcli's word for an empty list.
func ParseTargets(list string) []Target {
	if len(list) > maxList {
		return []Target{{Raw: list[:maxList], Fault: tooMany}}
	}
	var all []Target
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" || entry == "<none>" {
			continue
		}
		if len(all) == maxTarget {
			return append(all, Target{Raw: entry, Fault: tooMany})
		}
		all = append(all, parseTarget(entry))
	}
	return all
}

// overlong says that a list could not be taken apart whole.
func overlong(all []Target) bool {
	return len(all) > 0 && all[len(all)-1].Fault == tooMany
}

func parseTarget(entry string) Target {
	bad := func(why string) Target { return Target{Raw: entry, Fault: why} }
	if strings.ContainsFunc(entry, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return bad("has spaces or control characters")
	}
	t := Target{Raw: entry, Protocol: "udp"}
	rest := entry
	if protocol, after, found := strings.Cut(entry, "://"); found {
		t.Protocol, rest = strings.ToLower(protocol), after
	}
	if defaultPorts[t.Protocol] == 0 {
		return bad("the protocol is none of udp, tcp, ssl")
	}
	rest, query, _ := strings.Cut(rest, "?")
	rest = strings.TrimSuffix(rest, "/")
	host, port, why := splitHost(rest)
	if why != "" {
		return bad(why)
	}
	t.Host, t.Port = host, defaultPorts[t.Protocol]
	if port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 || port[0] == '+' {
			return bad("the port is no number from 1 to 65535")
		}
		t.Port = n
	}
	t.Formatter, t.Framing = queryOptions(query)
	return t
}

// splitHost takes HOST[:PORT] apart; an IPv6 address has brackets, or else no
// port.
func splitHost(s string) (host, port, why string) {
	if inside, found := strings.CutPrefix(s, "["); found {
		address, after, closed := strings.Cut(inside, "]")
		ip, err := netip.ParseAddr(address)
		if !closed || err != nil || !ip.Is6() {
			return "", "", "there is no IPv6 address between the brackets"
		}
		if after == "" {
			return address, "", ""
		}
		port, colon := strings.CutPrefix(after, ":")
		if !colon || port == "" {
			return "", "", "no port follows the brackets"
		}
		return address, port, ""
	}
	if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		return s, "", ""
	}
	host, port, colon := strings.Cut(s, ":")
	switch {
	case !isHostName(host):
		return "", "", "the host is neither a name nor an address"
	case colon && port == "":
		return "", "", "no port follows the colon"
	}
	return host, port, ""
}

// isHostName takes names as DNS has them, with the underscore that some sites
// use, and IPv4 addresses.
func isHostName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// queryOptions finds the two options that ESXi 8 knows; others stay in Raw.
func queryOptions(query string) (formatter, framing string) {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		switch strings.ToLower(key) {
		case "formatter":
			formatter = value
		case "framing":
			framing = value
		}
	}
	return formatter, framing
}

// String is the target as an entry of Syslog.global.logHost.
func (t Target) String() string {
	if t.Host == "" {
		return t.Raw
	}
	s := t.Endpoint()
	sep := "?"
	for _, option := range [...][2]string{{"formatter", t.Formatter}, {"framing", t.Framing}} {
		if option[1] != "" {
			s += sep + option[0] + "=" + url.QueryEscape(option[1])
			sep = "&"
		}
	}
	return s
}

// Endpoint is the target without its options: "tcp://collector.example:1514".
func (t Target) Endpoint() string {
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return t.Protocol + "://" + host + ":" + strconv.Itoa(t.Port)
}

// same says that both are the same way to the same socket.
func (t Target) same(o Target) bool {
	return t.Fault == "" && o.Fault == "" && t.Protocol == o.Protocol && sameHost(t.Host, o.Host) && t.Port == o.Port &&
		strings.EqualFold(t.Formatter, o.Formatter) && strings.EqualFold(t.Framing, o.Framing)
}

// PassesStock says that the rule set "syslog" as ESXi ships it lets the
// target's packets out: UDP 514, TCP 514 and 1514, which are TLS's too.
func (t Target) PassesStock() bool {
	return t.Port == 514 || t.Port == 1514 && t.Protocol != "udp"
}
