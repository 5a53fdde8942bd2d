// Package suggest looks over the external connections that nothing justified,
// and over the findings, and proposes the roles and justifications that would
// have justified what is regular. It proposes little rather than much: what a
// rule or a score has flagged, what is risky, rare, or of a machine that is
// not known stays out, and is listed with the reason. It reads and writes no
// files and knows no streams.
package suggest

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// Bounds of a Survey's memory. What falls off is counted, and never proposed.
const (
	maxGroups = 20000   // machines and what they talk to
	maxSlots  = 1 << 20 // hours in which they did, in all: about 60 MB
	maxHosts  = 64      // names of one group
	maxAddrs  = 64      // addresses of one group
	maxPorts  = 8
	maxFlags  = 20000
	maxText   = 253
)

// Options are what a Survey asks of others. None may be nil.
type Options struct {
	// Domain gives the registrable domain of a host name.
	Domain func(host string) string
	// Risky says that services of a category are never justified unasked.
	Risky func(category string) bool
	// ByAmount says that the severity of a finding was raised by nothing but
	// how much was sent and at what hour: a window and a byte limit bound that.
	ByAmount func(f *event.Finding) bool
	// Plain says that an analytic's findings are about external connections
	// that nothing justifies, or how regular and large these are.
	Plain func(analytic string) bool
	// Taken are names of roles and justifications that there are already.
	Taken []string
}

// Survey adds up connections. It is for one goroutine.
type Survey struct {
	opts   Options
	groups map[groupKey]*group
	vms    map[string]*machine // by id
	apart  map[apartKey]*Apart
	flags  map[string]string // by a VM's id: the reason
	slots  int

	Events      int64 // looked at
	Connections int64 // of them, connections that nothing justified
	Overflow    int64 // connections beyond the bounds
	Unread      int64 // records that could not be read
	First, Last time.Time
}

// machine is a VM.
type machine struct {
	id, name string
	roles    []string
	spare    bool // it has something that is not proposed
}

type groupKey struct{ vm, what string }

// apartKey tells those apart who cannot be proposed at all.
type apartKey struct{ who, what, why string }

// group is what one VM has to do with one service, domain or address.
type group struct {
	vm       *machine
	what     string
	category string
	hosts    map[string]bool // names that a rule can use
	addrs    map[netip.Addr]bool
	ports    map[uint16]bool
	many     bool // more names or ports than are kept
	nameless bool // some had no name that a rule can use

	count, refused    int64
	bytesOut, bytesIn int64
	known             bool // bytes are
	hours             map[int64]slot
	first, last       time.Time
}

// slot is one hour.
type slot struct {
	count int64
	out   int64
}

// New makes an empty Survey.
func New(o Options) *Survey {
	return &Survey{opts: o, groups: map[groupKey]*group{}, vms: map[string]*machine{}, apart: map[apartKey]*Apart{}, flags: map[string]string{}}
}

// Finding takes what a finding says of its machine. Every one but a plain one
// keeps its machine out.
func (s *Survey) Finding(f *event.Finding) {
	why := ""
	switch {
	case !s.opts.Plain(f.Analytic.UID):
		why = "it has a finding of " + f.Analytic.UID + ": " + f.Title
	case f.Severity >= event.SeverityHigh && !s.opts.ByAmount(f):
		why = "it has a finding of severity " + strings.ToLower(f.Severity.String()) + ": " + f.Title
	default:
		return
	}
	id := f.Entity[strings.LastIndexByte(f.Entity, '/')+1:]
	if _, ok := s.flags[id]; !ok && len(s.flags) < maxFlags {
		s.flags[strings.Clone(id)] = why
	}
}

// Add takes a connection that nothing justified; it passes over all else. It
// keeps nothing of ev.
func (s *Survey) Add(ev *event.Event) {
	j := &ev.Justification
	if j.Verdict != event.VerdictUnjustified && j.Verdict != event.VerdictUnknown {
		return
	}
	s.Connections++
	if s.First.IsZero() || ev.Time.Before(s.First) {
		s.First = ev.Time
	}
	if ev.Time.After(s.Last) {
		s.Last = ev.Time
	}
	what, host := s.target(ev)
	vm := ev.Src.Context.VM
	if j.Verdict == event.VerdictUnknown || vm == nil || vm.InstanceUUID == "" {
		s.setApart(sourceOf(ev), what, whyUnknown(ev))
		return
	}
	g := s.group(vm, what)
	if g == nil {
		s.Overflow++
		return
	}
	g.category = cmp.Or(g.category, strings.Clone(ev.Dst.Category))
	s.count(g, ev, host)
}

// sourceOf names who acted, where it is no VM.
func sourceOf(ev *event.Event) string {
	if ev.Src.Context.Host != nil {
		return ev.Src.Context.Host.Name
	}
	if ev.Src.IP.IsValid() {
		return ev.Src.IP.String()
	}
	return cmp.Or(ev.Src.Hostname, ev.Device.Hostname, "unknown")
}

func whyUnknown(ev *event.Event) string {
	switch ev.Justification.Reason {
	case event.ReasonAmbiguous:
		return "it may be any of several VMs"
	case event.ReasonNoVM:
		return "no VM is known for it"
	case event.ReasonStaleInventory:
		return "the inventory cannot say what it is"
	}
	return "it is an ESXi host or a vCenter, which talk to few hosts outside"
}

// target is what the connection went to, as findings tell it apart, and the
// name by which a rule can allow it.
func (s *Survey) target(ev *event.Event) (what, host string) {
	host = strings.ToLower(strings.TrimSuffix(cmp.Or(ev.Dst.Hostname, event.URLHost(ev.URL)), "."))
	if !isName(host) {
		host = ""
	}
	switch {
	case ev.Dst.Service != "" && ev.Dst.Category != "cloud" && ev.Dst.Category != "cdn":
		what = ev.Dst.Service
	case host != "":
		what = s.opts.Domain(host)
	case ev.Dst.IP.IsValid():
		what = ev.Dst.IP.Unmap().WithZone("").String()
	default:
		what = "a name that can be none"
	}
	if strings.HasPrefix(ev.Dst.NameVia, "dns_shared") {
		host = "" // it justifies nothing
	}
	return what, host
}

// isName says that a rule may have host as a destination: it is a name with a
// domain, and nothing that means more in a rule.
func isName(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || len(host) > maxText || strings.Trim(host, ".") != host || !strings.Contains(host, ".") {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

func (s *Survey) setApart(who, what, why string) {
	k := apartKey{who, what, why}
	a, ok := s.apart[k]
	if !ok {
		if len(s.apart) >= maxGroups {
			s.Overflow++
			return
		}
		k = apartKey{strings.Clone(who), strings.Clone(what), why}
		a = &Apart{Who: k.who, What: k.what, Why: why}
		s.apart[k] = a
	}
	a.Connections++
}

func (s *Survey) group(vm *event.VM, what string) *group {
	k := groupKey{vm.InstanceUUID, what}
	if g, ok := s.groups[k]; ok {
		return g
	}
	if len(s.groups) >= maxGroups {
		return nil
	}
	m, ok := s.vms[k.vm]
	if !ok {
		m = &machine{id: strings.Clone(k.vm), name: strings.Clone(vm.Name)}
		for _, role := range vm.Roles {
			m.roles = append(m.roles, strings.Clone(role))
		}
		s.vms[m.id] = m
	}
	k = groupKey{m.id, strings.Clone(what)}
	g := &group{vm: m, what: k.what, hosts: map[string]bool{}, addrs: map[netip.Addr]bool{}, ports: map[uint16]bool{}, hours: map[int64]slot{}}
	s.groups[k] = g
	return g
}

func (s *Survey) count(g *group, ev *event.Event, host string) {
	if ev.Activity == event.NetworkRefuse || ev.Activity == event.NetworkFail {
		if ev.Class == event.NetworkActivity {
			g.refused++
			return
		}
	}
	at := ev.Time
	if !ev.Start.IsZero() {
		at = ev.Start
	}
	if g.first.IsZero() || at.Before(g.first) {
		g.first = at
	}
	if at.After(g.last) {
		g.last = at
	}
	g.place(ev, host)
	closes := ev.Class == event.NetworkActivity && ev.Activity == event.NetworkClose
	if !closes {
		g.count++
	}
	if ev.Traffic.Known {
		g.known = true
		g.bytesOut += max(ev.Traffic.BytesOut, 0)
		g.bytesIn += max(ev.Traffic.BytesIn, 0)
	}
	s.slot(g, at, closes, ev.Traffic.BytesOut)
}

// slot books an hour.
func (s *Survey) slot(g *group, at time.Time, closes bool, out int64) {
	hour := at.Unix() / 3600
	one, ok := g.hours[hour]
	if !ok {
		if s.slots >= maxSlots {
			s.Overflow++
			g.many = true
			return
		}
		s.slots++
	}
	if !closes {
		one.count++
	}
	one.out += max(out, 0)
	g.hours[hour] = one
}

// place notes where it went.
func (g *group) place(ev *event.Event, host string) {
	if host != "" {
		g.many = g.many || !remember(g.hosts, host, maxHosts)
	} else {
		g.nameless = true
		if ev.Dst.IP.IsValid() {
			g.many = g.many || !remember(g.addrs, ev.Dst.IP.Unmap().WithZone(""), maxAddrs)
		}
	}
	if ev.Dst.Port != 0 {
		g.many = g.many || !remember(g.ports, ev.Dst.Port, maxPorts)
	}
}

// remember puts k into a bounded set; false: it is full.
func remember[K comparable](set map[K]bool, k K, limit int) bool {
	if set[k] {
		return true
	}
	if len(set) >= limit {
		return false
	}
	if s, ok := any(k).(string); ok {
		k = any(strings.Clone(s)).(K)
	}
	set[k] = true
	return true
}
