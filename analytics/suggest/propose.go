package suggest

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// Report is what a Survey comes to.
type Report struct {
	Events         int64           `json:"events"`
	Connections    int64           `json:"connections"` // that nothing justified
	Covered        int64           `json:"covered"`     // of them, by the proposals
	Overflow       int64           `json:"overflow,omitempty"`
	Unread         int64           `json:"unread,omitempty"`
	From           time.Time       `json:"from"`
	To             time.Time       `json:"to"`
	Roles          []Role          `json:"roles"`
	Justifications []Justification `json:"justifications"`
	NotProposed    []Apart         `json:"not_proposed"`
}

// Role is a proposed entry of the key roles.
type Role struct {
	Name    string   `json:"name"`
	Names   []string `json:"names"`
	Comment string   `json:"comment"`
}

// Justification is a proposed entry of the key justifications.
type Justification struct {
	Name         string   `json:"name"`
	Role         string   `json:"role"`
	Destinations []string `json:"destinations"`
	Ports        []uint16 `json:"ports,omitempty"`
	Windows      []string `json:"windows,omitempty"`
	MaxBytes     string   `json:"max_bytes,omitempty"`
	Expires      string   `json:"expires"`
	Comments     []string `json:"comments"`
}

// Apart is what is not proposed.
type Apart struct {
	Who         string `json:"who"`
	What        string `json:"what"`
	Why         string `json:"why"`
	Connections int64  `json:"connections"`
}

// What counts as regular.
const (
	leastCount   = 3
	leastSlots   = 4              // hours, of an upload that was seen on one day
	leastOnce    = 4              // connections, of anything else that was
	muchSent     = 100 << 20      // bytes
	longSurvey   = 72 * time.Hour // from then on one day is no habit
	manyPlaces   = 8              // destinations of one rule
	manyNames    = 4              // from then on their common domain stands for them
	proposedDays = 90             // that a proposal holds
)

// Propose judges what was added up. now is the day from which proposals hold.
func (s *Survey) Propose(now time.Time) *Report {
	r := &Report{
		Events: s.Events, Connections: s.Connections, Overflow: s.Overflow, Unread: s.Unread, From: s.First, To: s.Last,
		Roles: []Role{}, Justifications: []Justification{}, NotProposed: []Apart{},
	}
	for _, a := range s.apart {
		r.NotProposed = append(r.NotProposed, *a)
	}
	var good []*group
	for _, g := range s.groups {
		why := s.objection(g)
		if why == "" {
			good = append(good, g)
			continue
		}
		g.vm.spare = true
		r.NotProposed = append(r.NotProposed, Apart{Who: g.vm.name, What: g.what, Why: why, Connections: g.count + g.refused})
	}
	slices.SortFunc(good, func(a, b *group) int {
		return cmp.Or(strings.Compare(a.vm.name, b.vm.name), strings.Compare(a.vm.id, b.vm.id), strings.Compare(a.what, b.what))
	})
	taken := s.taken()
	for _, c := range s.cast(good, taken) {
		s.justify(r, c, taken, now)
	}
	slices.SortFunc(r.NotProposed, func(a, b Apart) int {
		return cmp.Or(strings.Compare(a.Who, b.Who), strings.Compare(a.What, b.What), strings.Compare(a.Why, b.Why))
	})
	return r
}

// objection says why g is not proposed; empty: it is.
func (s *Survey) objection(g *group) string {
	h, slots := habitOf([]*group{g}), 0
	for _, one := range g.hours {
		if one.count > 0 {
			slots++
		}
	}
	upload := g.bytesOut > muchSent && g.bytesOut > g.bytesIn
	switch flag := s.flags[g.vm.id]; {
	case flag != "":
		return flag
	case g.category != "" && s.opts.Risky(g.category):
		return "services of category " + g.category + " carry command and control, tools or stolen data"
	case strings.ContainsAny(g.vm.name, "*?"):
		return "the VM's name would be a pattern"
	case g.many:
		return "it is too many names, addresses, ports or hours for a rule"
	case g.count == 0:
		return "all attempts were refused or failed"
	case g.count < leastCount:
		return fmt.Sprintf("it was seen %d times only", g.count)
	case h.days < 2 && s.Last.Sub(s.First) >= longSurvey:
		return fmt.Sprintf("it was seen on one day only, %s", g.first.UTC().Format(time.DateOnly))
	case h.days < 2 && upload && slots < leastSlots:
		return fmt.Sprintf("it sent %s in %d hours of one day: that is no habit yet", size(g.bytesOut), slots)
	case h.days < 2 && g.count < leastOnce:
		return fmt.Sprintf("it was seen on one day, %d times only", g.count)
	case len(s.destinations([]*group{g})) == 0:
		return "it is too many addresses without a name"
	}
	return ""
}

// cast is VMs that share a role, and what they may be justified for.
type cast struct {
	role  string // that they have already; empty: a new one
	name  string // of the new one
	vms   []*machine
	whats map[string][]*group
}

// cast puts VMs together that are named alike, have the same roles, and talk
// to the same.
func (s *Survey) cast(good []*group, taken map[string]bool) []*cast {
	byVM, order := map[*machine][]*group{}, []*machine(nil)
	for _, g := range good {
		if byVM[g.vm] == nil {
			order = append(order, g.vm)
		}
		byVM[g.vm] = append(byVM[g.vm], g)
	}
	casts, all := map[string]*cast{}, []*cast(nil)
	for _, vm := range order {
		role, stem := "", stemOf(vm.name)
		if len(vm.roles) > 0 {
			role, stem = vm.roles[0], ""
		}
		key := role + "\x00" + stem
		for _, g := range byVM[vm] {
			key += "\x00" + g.what
		}
		c := casts[key]
		if c == nil {
			c = &cast{role: role, whats: map[string][]*group{}}
			if role == "" {
				c.name = unused(taken, event.Slug(stem))
			}
			casts[key] = c
			all = append(all, c)
		}
		c.vms = append(c.vms, vm)
		for _, g := range byVM[vm] {
			c.whats[g.what] = append(c.whats[g.what], g)
		}
	}
	return all
}

// stemOf is a name without the number behind it.
func stemOf(name string) string {
	return cmp.Or(strings.TrimRight(strings.TrimRight(strings.ToLower(name), "0123456789"), "-_."), name)
}

// builtin roles are nobody's to give.
var builtin = map[string]bool{"management": true, "hypervisor": true, "vcenter": true, "any": true, "": true}

// taken are the names that a new role or justification cannot have, in lower
// case.
func (s *Survey) taken() map[string]bool {
	taken := maps.Clone(builtin)
	for _, name := range s.opts.Taken {
		taken[strings.ToLower(name)] = true
	}
	for _, vm := range s.vms {
		for _, role := range vm.roles {
			taken[strings.ToLower(role)] = true
		}
	}
	return taken
}

// unused is a name that no other has.
func unused(taken map[string]bool, name string) string {
	free := name
	for n := 2; taken[strings.ToLower(free)]; n++ {
		free = fmt.Sprintf("%s-%d", cmp.Or(name, "vm"), n)
	}
	taken[strings.ToLower(free)] = true
	return free
}

func (s *Survey) justify(r *Report, c *cast, taken map[string]bool, now time.Time) {
	role := c.role
	if role == "" {
		role = c.name
		r.Roles = append(r.Roles, s.role(c))
	}
	for _, what := range slices.Sorted(maps.Keys(c.whats)) {
		groups := c.whats[what]
		j := Justification{
			Name: unused(taken, "suggested: "+role+" to "+what), Role: role,
			Destinations: s.destinations(groups), Expires: now.UTC().AddDate(0, 0, proposedDays).Format(time.DateOnly),
		}
		ports := map[uint16]bool{}
		for _, g := range groups {
			maps.Copy(ports, g.ports)
		}
		j.Ports = slices.Sorted(maps.Keys(ports))
		h := habitOf(groups)
		j.Windows = h.windows
		known := false
		for _, g := range groups {
			known = known || g.known
		}
		if known {
			j.MaxBytes = roundUp(2 * h.most(groups))
		}
		j.Comments = s.comments(groups, &h, &j, len(c.role) > 0)
		for _, g := range groups {
			r.Covered += g.count
		}
		r.Covered -= h.left
		r.Justifications = append(r.Justifications, j)
	}
}

// role names its VMs: by one pattern where nothing else that was seen fits it.
func (s *Survey) role(c *cast) Role {
	out := Role{Name: c.name}
	for _, vm := range c.vms {
		out.Names = append(out.Names, vm.name)
	}
	slices.Sort(out.Names)
	out.Names = slices.Compact(out.Names)
	out.Comment = fmt.Sprintf("VMs without a role: %s", strings.Join(out.Names, ", "))
	if p := s.pattern(c); p != "" {
		out.Names = []string{p}
	}
	return out
}

// pattern is "bkp??" for bkp01 and bkp02; empty: it would fit other VMs too, or
// there is only one.
func (s *Survey) pattern(c *cast) string {
	if len(c.vms) < 2 {
		return ""
	}
	front := strings.TrimRight(c.vms[0].name, "0123456789")
	digits := len(c.vms[0].name) - len(front)
	if front == "" || digits == 0 {
		return ""
	}
	fits := func(name string) bool {
		return len(name) == len(front)+digits && strings.EqualFold(name[:len(front)], front)
	}
	for _, vm := range c.vms {
		if !fits(vm.name) {
			return ""
		}
	}
	for _, vm := range s.vms {
		if fits(vm.name) && (vm.spare || !slices.Contains(c.vms, vm)) {
			return ""
		}
	}
	return front + strings.Repeat("?", digits)
}

// destinations are the names that were used, or the domain that many of them
// have in common; and the addresses that had no name. None: they are too many.
func (s *Survey) destinations(groups []*group) []string {
	domains, addrs := map[string][]string{}, map[netip.Addr]bool{}
	for _, g := range groups {
		for host := range g.hosts {
			d := s.opts.Domain(host)
			if !slices.Contains(domains[d], host) {
				domains[d] = append(domains[d], host)
			}
		}
		maps.Copy(addrs, g.addrs)
	}
	var all []string
	for _, d := range slices.Sorted(maps.Keys(domains)) {
		if hosts := domains[d]; len(hosts) >= manyNames {
			all = append(all, "*."+common(hosts))
		} else {
			all = append(all, slices.Sorted(slices.Values(hosts))...)
		}
	}
	all = append(all, networks(addrs)...)
	if len(all) > manyPlaces {
		return nil
	}
	return all
}

// common is the longest name that all hosts are below.
func common(hosts []string) string {
	parts := strings.Split(hosts[0], ".")
	for i := 1; i < len(parts); i++ {
		name := strings.Join(parts[i:], ".")
		if !slices.ContainsFunc(hosts, func(h string) bool { return !strings.HasSuffix(h, "."+name) }) {
			return name
		}
	}
	return hosts[0]
}

// networks are the addresses, or their /24 (IPv6: /64) where there are several
// in one.
func networks(addrs map[netip.Addr]bool) []string {
	nets := map[netip.Prefix][]netip.Addr{}
	for a := range addrs {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		p, _ := a.Prefix(bits) // the length fits
		nets[p] = append(nets[p], a)
	}
	var all []string
	for p, in := range nets {
		if len(in) >= manyNames {
			all = append(all, p.String())
			continue
		}
		for _, a := range in {
			all = append(all, a.String())
		}
	}
	slices.Sort(all)
	return all
}

// roundUp is n rounded up to two digits, at least 10 MB.
func roundUp(n int64) string {
	step := int64(1)
	for n = max(n, 10e6); n/step >= 100; {
		step *= 10
	}
	return size((n + step - 1) / step * step)
}

// size writes a number of bytes as the configuration takes it.
func size(n int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB"}
	i := 0
	f := float64(n)
	for f >= 1000 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + units[i]
}

// comments say who, what, how often, when, and why it is proposed.
func (s *Survey) comments(groups []*group, h *habit, j *Justification, hasRole bool) []string {
	var names []string
	var count, out, in int64
	category := ""
	for _, g := range groups {
		names = append(names, g.vm.name)
		count, out, in = count+g.count, out+g.bytesOut, in+g.bytesIn
		category = cmp.Or(category, g.category)
	}
	slices.Sort(names)
	what := groups[0].what
	if category != "" {
		what += " (" + category + ")"
	}
	all := []string{fmt.Sprintf("%s to %s: %d connections on %s, %s.", strings.Join(slices.Compact(names), ", "), what, count, plural(h.days, "day"), h.when())}
	if j.MaxBytes != "" {
		all = append(all, fmt.Sprintf("Sent %s, received %s; at most %s sent by one VM in one window, max_bytes is twice that.", size(out), size(in), size(h.most(groups))))
	} else {
		all = append(all, "No record says how many bytes: max_bytes is left out.")
	}
	why := fmt.Sprintf("Regular: on %s", plural(h.days, "day"))
	if r := rhythm(groups); r != "" {
		why += ", " + r
	}
	if days := int(s.Last.Sub(s.First).Hours()/24) + 1; days < 7 {
		why += fmt.Sprintf("; seen over %s only, which says nothing of weekdays", plural(days, "day"))
	}
	all = append(all, why+".")
	if h.left > 0 {
		all = append(all, fmt.Sprintf("%d connections at other hours are not covered.", h.left))
	}
	if hasRole {
		all = append(all, fmt.Sprintf("It would cover all machines with role %s.", j.Role))
	}
	return all
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
