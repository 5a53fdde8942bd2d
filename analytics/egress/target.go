package egress

import (
	"net/netip"
	"strings"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// target is what a connection went to.
type target struct {
	host   string // lower case; empty: not known
	addr   netip.Addr
	port   uint16
	scheme string // "HTTP", "HTTPS" or "QUIC"

	// The host name, or the service by it, is known from other machines' DNS
	// answers only: one line that says so may be forged.
	sharedHost, sharedService bool
	invalid                   bool // it has a host name that can be none

	part analytics.Part // what the event adds to what is known of its connection
}

// Ways to a name that anybody's resolver line opens; the second leaves the
// service to the address.
const (
	viaShared          = "dns_shared"
	viaSharedCatalogue = "dns_shared+catalogue"
)

// viaNothing is the NameVia of what has no name, and no service by its address.
const viaNothing = "none"

// maxHost is the length of the longest host name (RFC 1035), in bytes.
const maxHost = 253

// invalidHost is the Key of a host name that can be none.
const invalidHost = "invalid host"

// name is the target in words: the service with the host or address, or that
// alone.
func (t *target) name(ev *event.Event) string {
	place := t.place()
	if ev.Dst.Service != "" && ev.Dst.Service != place {
		return ev.Dst.Service + " (" + place + ")"
	}
	return strings.Clone(place)
}

// place is the host, else the address.
func (t *target) place() string {
	switch {
	case t.host != "":
		return t.host
	case t.addr.IsValid():
		return t.addr.String()
	case t.invalid:
		return invalidHost
	}
	return ""
}

var fieldAppID = event.Intern("app_id")

// concerns says whether ev is HTTP(S) to the internet, and to what. The
// cheapest question that most events fail comes first.
func (d *Detector) concerns(ev *event.Event) (t target, ok bool) {
	t.addr, t.port = ev.Dst.IP, ev.Dst.Port
	if t.addr.IsValid() && !d.policy.External(t.addr) {
		return t, false
	}
	if t.scheme = d.policy.web(ev); t.scheme == "" {
		return t, false
	}
	t.nameHost(ev)
	if t.addr.IsValid() {
		t.addr = t.addr.Unmap()
		return t, d.policy.External(t.addr)
	}
	return t, t.invalid || t.host != "" && !d.ownName(t.host, ev.Device.Hostname)
}

// nameHost finds the host. An address in its place is one only for an event
// that has no address of its own: a URL is what the client made up.
func (t *target) nameHost(ev *event.Event) {
	host := strings.TrimSuffix(ev.Dst.Hostname, ".")
	if host == "" {
		host = event.URLHost(ev.URL)
	}
	if len(host) > maxHost {
		t.invalid = true
		return
	}
	t.host = strings.ToLower(host)
	if a, ok := parseLiteral(t.host); ok {
		t.host = ""
		if !t.addr.IsValid() {
			t.addr = a
		}
	}
	t.sharedService = ev.Dst.NameVia == viaShared
	t.sharedHost = t.sharedService || ev.Dst.NameVia == viaSharedCatalogue
}

// parseLiteral reads a host that is an address; most are not, and that costs
// nothing.
func parseLiteral(host string) (addr netip.Addr, ok bool) {
	if host == "" || (host[0] < '0' || host[0] > '9') && !strings.Contains(host, ":") {
		return addr, false
	}
	if last := host[len(host)-1]; last > 'f' && last != ']' {
		return addr, false
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return addr, err == nil
}

// IANA protocol numbers.
const (
	protoTCP = 6
	protoUDP = 17
)

// web gives the scheme when ev is HTTP(S) by its port, its URL, its TLS name
// or the application that a firewall saw; else it is empty.
func (p *Policy) web(ev *event.Event) string {
	port := ev.Dst.Port
	switch {
	case ev.URL != "" && strings.HasPrefix(ev.URL, "https://"):
		return "HTTPS"
	case ev.URL != "" && strings.HasPrefix(ev.URL, "http://"):
		return "HTTP"
	case ev.Class == event.HTTPActivity:
		return schemeOf(port)
	case ev.Class == event.ProcessActivity:
		return ""
	case ev.Protocol == protoUDP:
		if port == 443 && p.quic {
			return "QUIC"
		}
		return ""
	case ev.Protocol != protoTCP && ev.Protocol != 0:
		return ""
	case p.ports[port/64]&(1<<(port%64)) != 0:
		return schemeOf(port)
	case ev.Dst.NameVia == "sni":
		return "HTTPS"
	}
	return appScheme(ev)
}

func schemeOf(port uint16) string {
	switch port {
	case 80, 8080, 3128, 8000:
		return "HTTP"
	}
	return "HTTPS"
}

// appScheme reads the application id that NSX adds to firewall records
// ("APP_HTTP", "APP_SSL").
func appScheme(ev *event.Event) string {
	if len(ev.Fields) == 0 {
		return ""
	}
	f, ok := ev.Field(fieldAppID)
	switch {
	case !ok:
		return ""
	case strings.Contains(f.Value, "SSL"), strings.Contains(f.Value, "TLS"), strings.Contains(f.Value, "HTTPS"):
		return "HTTPS"
	case strings.Contains(f.Value, "HTTP"):
		return "HTTP"
	}
	return ""
}

// ownName says that a host which is only known by its name is most likely one
// of the estate's: a name without a domain, in a domain that the public DNS
// does not have (RFC 6761, RFC 6762, RFC 8375, ICANN's "internal"), or in the
// domain that the reporting machine itself is in.
func (d *Detector) ownName(host, device string) bool {
	top := host[strings.LastIndexByte(host, '.')+1:]
	switch top {
	case host, "local", "internal", "lan", "localdomain", "localhost", "home", "corp", "intranet", "private", "test", "arpa":
		return true
	}
	if !strings.Contains(device, ".") {
		return false
	}
	return d.domainOf(host) == d.domainOf(strings.ToLower(device))
}
