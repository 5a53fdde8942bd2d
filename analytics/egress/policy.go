package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gaissmai/bart"
)

// Policy is compiled Options: immutable, safe for concurrent use, and with
// nothing left in it that can fail.
type Policy struct {
	ports    [1 << 16 / 64]uint64
	quic     bool
	quiet    time.Duration
	internal bart.Lite

	rules []rule
	// Which rules a role or a destination allows, as sets of indexes into
	// rules.
	roles      map[string]ruleSet
	anyRole    ruleSet
	hosts      map[string]ruleSet // this very name
	below      map[string]ruleSet // names below this one
	nets       *bart.Table[ruleSet]
	categories map[string]ruleSet
	services   map[string]ruleSet
	anywhere   ruleSet

	zones []*time.Location // the first is that of the business hours
	hours hours
}

// rule is a compiled Justification.
type rule struct {
	Justification
	ports    []uint16
	windows  []window
	maxBytes int64     // 0: no limit
	expires  time.Time // first moment at which it no longer holds; zero: never
}

// hours are the business hours; without a day there are none.
type hours struct {
	window   window
	holidays []int64 // days since 1970 in the zone, sorted
}

// ruleSet is a set of indexes into Policy.rules; it may be shorter than all.
type ruleSet []uint64

func (s ruleSet) with(i int) ruleSet {
	for len(s) <= i/64 {
		s = append(s, 0)
	}
	s[i/64] |= 1 << (i % 64)
	return s
}

func (s ruleSet) addAll(o ruleSet) {
	for i, w := range o {
		s[i] |= w
	}
}

// Compile checks o and makes a Policy of it. Its error joins all faults; each
// names the key and the value.
func Compile(o Options) (*Policy, error) {
	p := &Policy{
		quic:       o.Egress.QUIC,
		quiet:      o.Egress.QuietClose,
		roles:      map[string]ruleSet{},
		hosts:      map[string]ruleSet{},
		below:      map[string]ruleSet{},
		categories: map[string]ruleSet{},
		services:   map[string]ruleSet{},
		nets:       &bart.Table[ruleSet]{},
	}
	var errs []error
	for _, step := range []func(*Options) error{p.flow, p.networks, p.businessHours, p.justifications} {
		errs = append(errs, step(&o))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.nestNets()
	return p, nil
}

func (p *Policy) flow(o *Options) error {
	var errs []error
	if o.Egress.QuietClose < 0 {
		errs = append(errs, fmt.Errorf("egress.quiet_close: %v: must not be negative", o.Egress.QuietClose))
	}
	for _, n := range o.Egress.Ports {
		if n < 1 || n > 65535 {
			errs = append(errs, fmt.Errorf("egress.ports: %d: must be from 1 to 65535", n))
			continue
		}
		p.ports[n/64] |= 1 << (n % 64)
	}
	return errors.Join(errs...)
}

func (p *Policy) networks(o *Options) error {
	var errs []error
	for _, s := range o.Networks.Internal {
		net, err := parseNet(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("networks.internal: %w", err))
			continue
		}
		p.internal.Insert(net)
	}
	return errors.Join(errs...)
}

func (p *Policy) businessHours(o *Options) error {
	h := &o.BusinessHours
	var errs []error
	if _, err := p.zone(h.Timezone); err != nil {
		errs = append(errs, fmt.Errorf("business_hours.timezone: %w", err))
		p.zones = append(p.zones, time.UTC) // what follows is checked all the same
	}
	if h.Days == "" {
		return errors.Join(errs...)
	}
	var err error
	w := &p.hours.window
	if w.days, err = parseDays(h.Days); err != nil {
		errs = append(errs, fmt.Errorf("business_hours.days: %w", err))
	}
	if w.from, w.to, err = parseHours(h.From, h.To); err != nil {
		errs = append(errs, fmt.Errorf("business_hours: from and to: %w", err))
	}
	for _, s := range h.Holidays {
		day, err := time.Parse(time.DateOnly, s)
		if err != nil {
			errs = append(errs, fmt.Errorf("business_hours.holidays: %q: want a date, as 2026-12-25", s))
			continue
		}
		p.hours.holidays = append(p.hours.holidays, day.Unix()/daySeconds)
	}
	slices.Sort(p.hours.holidays)
	return errors.Join(errs...)
}

// zone gives the index of a zone by its IANA name; empty is that of the
// business hours, and UTC for these.
func (p *Policy) zone(name string) (int, error) {
	if name == "" && len(p.zones) > 0 {
		return 0, nil
	}
	if name == "Local" {
		return 0, fmt.Errorf(`"Local": depends on the machine; name the zone, as in Europe/Berlin`)
	}
	for i, z := range p.zones {
		if z.String() == name {
			return i, nil
		}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return 0, fmt.Errorf("%q: is no zone that is known; want an IANA name, as Europe/Berlin", name)
	}
	p.zones = append(p.zones, loc)
	return len(p.zones) - 1, nil
}

func (p *Policy) justifications(o *Options) error {
	names := map[string]bool{}
	var errs []error
	for i, j := range o.Justifications {
		for _, err := range p.add(j, names) {
			errs = append(errs, fmt.Errorf("justifications[%d].%w (justification %q)", i, err, j.Name))
		}
	}
	for _, j := range BuiltinJustifications() {
		if names[j.Name] {
			continue
		}
		for _, err := range p.add(j, names) {
			errs = append(errs, fmt.Errorf("built-in justification %q: %w", j.Name, err))
		}
	}
	return errors.Join(errs...)
}

// add takes a justification in. Each of its errors begins with a key.
func (p *Policy) add(j Justification, names map[string]bool) (errs []error) {
	switch {
	case j.Name == "":
		errs = append(errs, errors.New("name: is missing; findings and verdicts cite it"))
	case names[j.Name]:
		errs = append(errs, errors.New("name: is used twice"))
	}
	if j.Role == "" {
		errs = append(errs, errors.New("role: is missing; \"any\" is every machine of the inventory"))
	}
	if len(j.Destinations) == 0 {
		errs = append(errs, errors.New("destinations: are missing; \"any\" is the whole internet"))
	}
	names[j.Name] = true
	j.Destinations = slices.Clone(j.Destinations)
	r, wrong := p.compile(j)
	errs = append(errs, wrong...)
	i := len(p.rules)
	p.rules = append(p.rules, r)
	if role := strings.ToLower(j.Role); role == roleAny {
		p.anyRole = p.anyRole.with(i)
	} else {
		p.roles[role] = p.roles[role].with(i)
	}
	for _, d := range j.Destinations {
		if err := p.destination(d, i); err != nil {
			errs = append(errs, fmt.Errorf("destinations: %w", err))
		}
	}
	return errs
}

func (p *Policy) compile(j Justification) (r rule, errs []error) {
	r = rule{Justification: j}
	for _, n := range j.Ports {
		if n < 1 || n > 65535 {
			errs = append(errs, fmt.Errorf("ports: %d: must be from 1 to 65535", n))
		}
		r.ports = append(r.ports, uint16(n))
	}
	for _, s := range j.Windows {
		w, zone, err := parseWindow(s)
		if err == nil {
			w.zone, err = p.zone(zone)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("windows: %q: %w", s, err))
		}
		r.windows = append(r.windows, w)
	}
	var err error
	if r.maxBytes, err = parseBytes(j.MaxBytes); err != nil {
		errs = append(errs, fmt.Errorf("max_bytes: %w", err))
	}
	if r.expires, err = parseExpiry(j.Expires, p.zones[0]); err != nil {
		errs = append(errs, fmt.Errorf("expires: %w", err))
	}
	return r, errs
}

// destination adds what one of a rule's destinations means to the indexes.
func (p *Policy) destination(d string, i int) error {
	kind, value, _ := strings.Cut(d, ":")
	switch {
	case d == roleAny:
		p.anywhere = p.anywhere.with(i)
	case kind == "category" || kind == "service":
		if value = strings.TrimSpace(value); value == "" {
			return fmt.Errorf("%q: the %s is missing", d, kind)
		}
		index := p.categories
		if kind == "service" {
			index = p.services
		}
		value = Fold(value)
		index[value] = index[value].with(i)
	case strings.Contains(d, "/") || isAddr(d):
		net, err := parseNet(d)
		if err != nil {
			return err
		}
		old, _ := p.nets.Get(net)
		p.nets.Insert(net, old.with(i))
	default:
		return p.host(d, i)
	}
	return nil
}

func (p *Policy) host(d string, i int) error {
	host, index := strings.ToLower(strings.TrimSuffix(d, ".")), p.hosts
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		host, index = rest, p.below
	}
	if i := strings.IndexFunc(host, notInHost); i >= 0 || !strings.Contains(host, ".") ||
		strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return fmt.Errorf("%q: want a host name, \"*.\" and a host name, a CIDR, category:NAME, service:NAME or any", d)
	}
	index[host] = index[host].with(i)
	return nil
}

func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// Fold makes names of services and categories equal that people write
// differently: "Amazon S3", "amazon_s3".
func Fold(s string) string {
	return strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(s))
}

// nestNets gives each prefix the rules of those around it: a look-up finds
// the longest prefix only.
func (p *Policy) nestNets() {
	nested := &bart.Table[ruleSet]{}
	for net := range p.nets.AllSorted() {
		all := make(ruleSet, p.words())
		for _, set := range p.nets.Supernets(net) {
			all.addAll(set)
		}
		nested.Insert(net, all)
	}
	p.nets = nested
}

func (p *Policy) words() int { return (len(p.rules) + 63) / 64 }

// External says that a is on the internet and not the estate's own.
func (p *Policy) External(a netip.Addr) bool {
	return public(a) && !p.internal.Lookup(a.Unmap())
}
