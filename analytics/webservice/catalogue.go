// Package webservice is the catalogue of web services: which service, of
// which category, stands behind a host name or an address. It names, and
// judges nothing.
//
// A Catalogue is read once (Load, see there for the file format) and never
// changes; a reload makes a new one.
package webservice

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/vegress/vegress/event"
)

// ViaCatalogue is the NameVia of an endpoint whose service is known by its
// address alone; the endpoint gets no host name from that.
const ViaCatalogue = "catalogue"

// ViaSharedCatalogue is the NameVia of an endpoint whose host name is known
// from other machines' DNS answers only ("dns_shared"), while the catalogue
// has the service for its address too.
const ViaSharedCatalogue = viaSharedDNS + "+" + ViaCatalogue

const viaSharedDNS = "dns_shared" // as package names has it

// maxLabels bounds how deep a host name is looked into; no suffix may be
// longer.
const maxLabels = 8

// Service is one entry's meaning.
type Service struct {
	Name     string // as people write it: "Telegram"
	Category string // "messaging"
}

// Catalogue answers for host names and addresses. It is immutable and safe for
// concurrent use. The zero Catalogue knows nothing.
type Catalogue struct {
	suffixes map[string]node
	prefixes bart.Table[*Service]
	services []Service // sorted
}

// node is what the catalogue has at one suffix. Each suffix of a listed one has
// a node, so that a look-up ends where the catalogue does.
type node struct {
	service  *Service  // this suffix itself; nil: only something below it
	patterns []pattern // longer suffixes with wildcards, most labels first
}

// pattern is a suffix with wildcards: the labels in front of a literal tail.
type pattern struct {
	labels  []string // nearest to the tail first
	service *Service
}

// Services are all that the catalogue knows, each once, by name.
func (c *Catalogue) Services() []Service { return slices.Clone(c.services) }

// Annotate sets ev.Dst.Service and Category: by the destination's host name,
// else by the URL's, else by its address. NameVia then says whether the address
// alone would have told the same.
func (c *Catalogue) Annotate(ev *event.Event) {
	host := ev.Dst.Hostname
	if host == "" {
		host = event.URLHost(ev.URL)
	}
	shared := ev.Dst.NameVia == viaSharedDNS
	s := c.Host(host)
	if s != nil {
		ev.Dst.Service, ev.Dst.Category = s.Name, s.Category
		if !shared {
			return
		}
	}
	at := c.Addr(ev.Dst.IP)
	switch {
	case at == nil || s != nil && *at != *s:
		return
	case ev.Dst.Hostname == "":
		ev.Dst.NameVia = ViaCatalogue
	case shared:
		ev.Dst.NameVia = ViaSharedCatalogue
	}
	ev.Dst.Service, ev.Dst.Category = at.Name, at.Category
}

// Addr is the service at an address; nil: none is known. The longest prefix
// counts.
func (c *Catalogue) Addr(ip netip.Addr) *Service {
	if !ip.IsValid() {
		return nil
	}
	s, _ := c.prefixes.Lookup(ip.Unmap())
	return known(s)
}

// Host is the service behind a host name; nil: none is known. The longest
// suffix of whole labels counts: "notdropbox.com" is not "dropbox.com". A name
// in lower case costs no allocation.
func (c *Catalogue) Host(host string) *Service {
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return nil
	}
	return c.lookup(strings.ToLower(host))
}

// lookup walks host from its last label to its first.
func (c *Catalogue) lookup(host string) *Service {
	var best *Service
	bestLabels := 0
	end := len(host)
	for labels := 1; labels <= maxLabels && end > 0; labels++ {
		dot := strings.LastIndexByte(host[:end], '.')
		n, ok := c.suffixes[host[dot+1:]]
		if !ok {
			break
		}
		if n.service != nil && labels > bestLabels {
			best, bestLabels = n.service, labels
		}
		if s, more := n.match(host[:max(dot, 0)]); labels+more > bestLabels && s != nil {
			best, bestLabels = s, labels+more
		}
		end = dot
	}
	return known(best)
}

// match finds the pattern that fits the labels in front of the tail, and how
// many labels it has.
func (n *node) match(front string) (*Service, int) {
	for i := range n.patterns {
		p := &n.patterns[i]
		if p.match(front) {
			return p.service, len(p.labels)
		}
	}
	return nil, 0
}

func (p *pattern) match(front string) bool {
	for _, want := range p.labels {
		if front == "" {
			return false
		}
		dot := strings.LastIndexByte(front, '.')
		if !glob(want, front[dot+1:]) {
			return false
		}
		front = front[:max(dot, 0)]
	}
	return true
}

// glob matches one label: '*' is any run of characters, '?' any one.
func glob(want, label string) bool {
	star, from := -1, 0
	i, j := 0, 0
	for j < len(label) {
		switch {
		case i < len(want) && want[i] == '*':
			star, from = i, j
			i++
		case i < len(want) && (want[i] == '?' || want[i] == label[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(want[i:], "*") == ""
}

// known hides what a later file took out.
func known(s *Service) *Service {
	if s == nil || s.Category == none {
		return nil
	}
	return s
}
