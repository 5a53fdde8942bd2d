// Package resolver recognizes what DNS resolvers log: which client asked for a
// name, and, where the log has them, which addresses stand behind it. A
// firewall record has addresses only; the names for them come from here. It
// joins no records: a question and its answer are two events.
package resolver

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere"
)

// Fields of DNS events.
var (
	fieldAnswer = event.Intern("answer") // what stands where an address could
	fieldSerial = event.Intern("serial") // dnsmasq's number of a question
	fieldFlags  = event.Intern("query_flags")
	fieldView   = event.Intern("view")
	fieldZone   = event.Intern("zone")
	fieldAction = event.Intern("action")
	fieldPolicy = event.Intern("policy")
)

// Recognizers gives the recognizers of this package by program. They are safe
// for concurrent use. Agents on Windows name the DNS server as they like, or
// not at all: its lines are looked for in what no known program wrote, too.
func Recognizers() map[string]vsphere.Recognizer {
	windows := vsphere.RecognizerFunc(windowsDNS)
	return map[string]vsphere.Recognizer{
		"dnsmasq":                              vsphere.RecognizerFunc(dnsmasq),
		"unbound":                              vsphere.RecognizerFunc(unbound),
		"named":                                vsphere.RecognizerFunc(bind),
		"dnsdist":                              vsphere.RecognizerFunc(dnsdist),
		"dns":                                  windows,
		"dnsserver":                            windows,
		"microsoft-windows-dnsserver":          windows,
		"microsoft-windows-dns-server-service": windows,
		"":                                     windows,
	}
}

// question makes ev a question of client to the machine that logs it.
func question(ev *event.Event, client event.Endpoint, name, kind string) {
	ev.Class, ev.Activity = event.DNSActivity, event.DNSQuery
	ev.DNS.Query, ev.DNS.Type = plainName(name), kind
	ev.Src, ev.Dst = client, vsphere.DeviceEndpoint(ev)
	ev.Dst.Port, ev.Protocol = 53, 0
}

// answered makes the question in ev the answer to it, with that code.
func answered(ev *event.Event, rcode string) {
	ev.Activity, ev.DNS.RCode = event.DNSResponse, rcode
	ev.Status = event.StatusSuccess
	if rcode != "NOERROR" {
		ev.Status = event.StatusFailure
	}
}

// plainName is name without the root's dot, which programs write or not.
func plainName(name string) string {
	if len(name) > 1 {
		return strings.TrimSuffix(name, ".")
	}
	return name
}

// peer reads ADDRESS and PORT around a separator, as in 10.0.0.5#4242.
func peer(s string, separator byte) (ep event.Endpoint, ok bool) {
	i := strings.LastIndexByte(s, separator)
	if i < 0 {
		ep.IP, ok = vsphere.ParseAddr(s)
		return ep, ok
	}
	port, okPort := vsphere.ParsePort(s[i+1:])
	ip, okIP := vsphere.ParseAddr(s[:i])
	return event.Endpoint{IP: ip, Port: port}, okPort && okIP
}

// isType says that s may be the name of a record type: A, AAAA, HTTPS, TYPE65.
func isType(s string) bool { return isUpper(s, 12) }

// isClass says that s names a class of records.
func isClass(s string) bool {
	return s == "IN" || s == "CH" || s == "HS" || s == "ANY" || s == "NONE" || strings.HasPrefix(s, "CLASS")
}

// isUpper says that s is made of at most n upper case letters, digits, '-' and
// '_', the first a letter.
func isUpper(s string, n int) bool {
	if s == "" || len(s) > n || s[0]-'A' >= 26 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; c-'A' >= 26 && c-'0' > 9 && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
