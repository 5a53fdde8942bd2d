// Package names learns which host name stands behind an address, from the
// DNS answers, URLs, TLS names and firewall's FQDNs that events bring, and puts
// it into the records that have only an address: a firewall line knows no
// names.
//
// What one source was told is kept apart from what others were told: the same
// address serves many names. It resolves nothing itself.
package names

import (
	"math"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/vegress/vegress/event"
)

// Ways to a name, as Endpoint.NameVia has them.
const (
	// ViaDNS: the same source was given the address for this name.
	ViaDNS = "dns"
	// ViaConnection: an earlier record of a connection of the same source to
	// the address named it: a URL, a TLS name, a proxy's or firewall's word.
	ViaConnection = "connection"
	// ViaSharedDNS: no name is known for this source, but all answers that
	// were seen for the address, whoever asked, give this one name. One line
	// of one resolver is enough for that, so it must justify nothing.
	ViaSharedDNS = "dns_shared"
)

// Options are the bounds of Names. Zero values stand for the defaults.
type Options struct {
	// TTL is how long a name is believed after it was last seen, in event
	// time; default 24 h.
	TTL time.Duration
	// MaxPairs bounds the (source, address) pairs in all, about 150 bytes
	// each; above it the sources that were quiet for longest are forgotten.
	// Default 250,000.
	MaxPairs int
	// MaxPerSource bounds the addresses of one source; default 4,096.
	MaxPerSource int
	// MaxShared bounds the addresses whose names are known without a source;
	// default 100,000.
	MaxShared int
	// MaxQuestions bounds the names whose answer is waited for, for each of
	// up to 8 resolvers; default 2,048.
	MaxQuestions int
}

func (o Options) withDefaults() Options {
	if o.TTL <= 0 {
		o.TTL = 24 * time.Hour
	}
	if o.MaxPairs <= 0 {
		o.MaxPairs = 250000
	}
	if o.MaxPerSource <= 0 {
		o.MaxPerSource = 4096
	}
	if o.MaxShared <= 0 {
		o.MaxShared = 100000
	}
	if o.MaxQuestions <= 0 {
		o.MaxQuestions = 2048
	}
	return o
}

// Names is the memory of one shard. It is used from one goroutine; Stats may
// be called from any.
type Names struct {
	opts      Options
	sources   map[event.Entity]*source
	quiet     source // ring, least recently used first
	pairs     int
	shared    generations
	resolvers map[string]*resolver // by the name of the machine

	stats counters
}

type counters struct {
	learned, joined, annotated, forgotten, sources, pairs, shared atomic.Int64
}

// Stats counts what Names did: Joined are the addresses that a client got by
// its question, from an answer without a client. Sources, Pairs and Shared are
// present sizes.
type Stats struct {
	Learned, Joined, Annotated, Forgotten int64
	Sources, Pairs, Shared                int64
}

// source is what one entity was told.
type source struct {
	entity       event.Entity
	names        generations
	newer, older *source
}

// name is a host name of an address; an empty host says that there are
// several, and none is preferred.
type name struct {
	host string
	seen int64 // Unix seconds
	way  way
}

// way is how a name came to be known.
type way uint8

const (
	wayDNS way = iota
	wayConnection
)

func (w way) via() string {
	if w == wayConnection {
		return ViaConnection
	}
	return ViaDNS
}

// New makes an empty memory.
func New(opts Options) *Names {
	n := &Names{opts: opts.withDefaults(), sources: map[event.Entity]*source{}, resolvers: map[string]*resolver{}}
	n.quiet.newer, n.quiet.older = &n.quiet, &n.quiet
	n.shared = newGenerations(n.opts.MaxShared)
	return n
}

// Annotate learns what ev tells, and fills ev.Dst.Hostname, NameVia and NameAge
// from what was learned when ev itself does not name its destination.
func (n *Names) Annotate(ev *event.Event) {
	switch {
	case ev.Class == event.DNSActivity:
		n.dns(ev, asker(ev))
	case !ev.Dst.IP.IsValid():
	case ev.Dst.Hostname != "":
		n.learnDestination(ev, ev.Dst.Hostname)
	case ev.URL != "" && event.URLHost(ev.URL) != "":
		n.learnDestination(ev, event.URLHost(ev.URL))
	case ev.Class == event.NetworkActivity || ev.Class == event.HTTPActivity:
		n.fill(ev)
	}
}

// Learn takes from a DNS event what concerns every source: which names stand
// behind an address, and which of its own sources an answer is for. It is for
// events that another shard annotates.
func (n *Names) Learn(ev *event.Event) {
	if ev.Class == event.DNSActivity {
		n.dns(ev, event.Entity{})
	}
}

// Stats may be called from any goroutine.
func (n *Names) Stats() Stats {
	s := &n.stats
	return Stats{
		Learned: s.learned.Load(), Joined: s.joined.Load(), Annotated: s.annotated.Load(), Forgotten: s.forgotten.Load(),
		Sources: s.sources.Load(), Pairs: s.pairs.Load(), Shared: s.shared.Load(),
	}
}

// dns learns what a DNS event says: for everybody, and for its client. client
// is the zero Entity when the event names none, or another shard's.
func (n *Names) dns(ev *event.Event, client event.Entity) {
	host, now := normal(ev.DNS.Query), ev.Time.Unix()
	if ev.Activity == event.DNSQuery && len(ev.DNS.Answers) == 0 {
		n.ask(ev, host, client, now)
		return
	}
	asked := n.follow(ev, host, now)
	if host == "" {
		return
	}
	for _, addr := range ev.DNS.Answers {
		addr = addr.Unmap()
		n.stats.learned.Add(1)
		kept := n.share(addr, host, n.known(client, addr, host), now)
		switch {
		case ev.Src.IsZero():
			n.join(asked, addr, now)
		case client == event.Entity{}:
		case asked.name() != "" && asked.name() != host: // by an alias
			n.learn(client, addr, name{n.copyOf(client, addr, asked.name()), now, wayDNS})
		default:
			n.learn(client, addr, name{kept, now, wayDNS})
		}
	}
}

// asker is the client of a DNS event; the zero Entity when the record has
// none, as a resolver's reply line.
func asker(ev *event.Event) event.Entity {
	if ev.Src.IsZero() {
		return event.Entity{}
	}
	return ev.Entity()
}

// learnDestination learns from a record that has both name and address: a
// proxy's, a firewall's, or a TLS handshake's. It teaches nothing about other
// sources, who may not have been told the same. A name by DNS counts for more:
// what a client writes into a URL or a handshake is its own choice.
func (n *Names) learnDestination(ev *event.Event, host string) {
	if host = normal(host); host == "" || ev.Src.IsZero() {
		return
	}
	client, addr, now := ev.Entity(), ev.Dst.IP.Unmap(), ev.Time.Unix()
	if s, ok := n.sources[client]; ok {
		if old, ok := n.recall(s, addr); ok && old.way == wayDNS && now-old.seen <= n.ttl() {
			return
		}
	}
	n.stats.learned.Add(1)
	n.learn(client, addr, name{n.copyOf(client, addr, host), now, wayConnection})
}

// copyOf is host as it is kept for who already, else a copy that may be kept.
func (n *Names) copyOf(who event.Entity, addr netip.Addr, host string) string {
	if kept := n.known(who, addr, host); kept != "" {
		return kept
	}
	return strings.Clone(host)
}

// known is host as it is kept for who already; empty: it is not.
func (n *Names) known(who event.Entity, addr netip.Addr, host string) string {
	if s, ok := n.sources[who]; ok {
		if old, ok := n.recall(s, addr); ok && old.host == host {
			return old.host
		}
	}
	return ""
}

// learn keeps v, whose host is a copy that may be kept, for who.
func (n *Names) learn(who event.Entity, addr netip.Addr, v name) {
	s := n.source(who)
	before := s.names.len()
	s.names.put(addr, v)
	n.account(s, before)
}

// recall is the name of addr for s. That counts as a use of it, for which
// others may fall off.
func (n *Names) recall(s *source, addr netip.Addr) (name, bool) {
	before := s.names.len()
	v, ok := s.names.get(addr)
	if s.names.len() != before {
		n.account(s, before)
	}
	return v, ok
}

// account keeps the sums right after s changed, and the bound.
func (n *Names) account(s *source, before int) {
	n.pairs += s.names.len() - before
	n.stats.forgotten.Add(s.names.takeForgotten())
	for n.pairs > n.opts.MaxPairs && n.quiet.newer != s {
		n.forget(n.quiet.newer)
	}
	n.stats.pairs.Store(int64(n.pairs))
	n.stats.sources.Store(int64(len(n.sources)))
}

func (n *Names) forget(s *source) {
	s.older.newer, s.newer.older = s.newer, s.older
	delete(n.sources, s.entity)
	n.pairs -= s.names.len()
	n.stats.forgotten.Add(int64(s.names.len()))
}

// share learns host for addr without a source. It gives back a copy of host
// that may be kept: kept if that is one, else the one that is here already, so
// that many sources share it.
func (n *Names) share(addr netip.Addr, host, kept string, now int64) string {
	old, ok := n.shared.get(addr)
	fresh := ok && now-old.seen <= n.ttl()
	if fresh && old.host == host {
		kept = old.host
	}
	if kept == "" {
		kept = strings.Clone(host)
	}
	if fresh && old.host != host {
		n.shared.put(addr, name{"", max(now, old.seen), wayDNS})
	} else {
		n.shared.put(addr, name{kept, max(now, old.seen), wayDNS})
	}
	n.stats.forgotten.Add(n.shared.takeForgotten())
	n.stats.shared.Store(int64(n.shared.len()))
	return kept
}

func (n *Names) ttl() int64 { return int64(n.opts.TTL / time.Second) }

// fill names the destination of ev, by its own source's answers first.
func (n *Names) fill(ev *event.Event) {
	addr, now := ev.Dst.IP.Unmap(), ev.Time.Unix()
	if s, ok := n.sources[ev.Entity()]; ok {
		n.touch(s)
		if got, ok := n.recall(s, addr); ok && now-got.seen <= n.ttl() {
			write(ev, got, got.way.via())
			n.stats.annotated.Add(1)
			return
		}
	}
	if got, ok := n.shared.get(addr); ok && got.host != "" && now-got.seen <= n.ttl() {
		write(ev, got, ViaSharedDNS)
		n.stats.annotated.Add(1)
	}
}

func write(ev *event.Event, v name, via string) {
	ev.Dst.Hostname, ev.Dst.NameVia = v.host, via
	ev.Dst.NameAge = uint32(min(max(ev.Time.Unix()-v.seen, 0), math.MaxUint32))
}

func (n *Names) source(who event.Entity) *source {
	s, ok := n.sources[who]
	if !ok {
		who.Key = strings.Clone(who.Key)
		s = &source{entity: who, names: newGenerations(n.opts.MaxPerSource)}
		n.sources[who] = s
	}
	n.touch(s)
	return s
}

// touch moves s to the end of the ring: it was used last.
func (n *Names) touch(s *source) {
	if s.newer != nil {
		s.older.newer, s.newer.older = s.newer, s.older
	}
	last := n.quiet.older
	s.older, s.newer = last, &n.quiet
	last.newer, n.quiet.older = s, s
}

// normal is host in lower case and without the root's dot, or empty when it is
// no full host name: a single label, an address, a reverse or service name.
func normal(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if len(host) > 253 || strings.IndexByte(host, '.') <= 0 {
		return ""
	}
	if strings.HasSuffix(host, ".arpa") || strings.ContainsAny(host, " /:\t") {
		return ""
	}
	if last := host[len(host)-1]; last >= '0' && last <= '9' {
		return "" // an IPv4 address: no top level domain ends in a digit
	}
	return host
}

// RegistrableDomain is the part of a host name that somebody registered, by
// the Public Suffix List: "api.example.co.uk" gives "example.co.uk". A name
// that is a public suffix itself, or none, is given back whole.
func RegistrableDomain(host string) string {
	suffix, _ := publicsuffix.PublicSuffix(host)
	front := len(host) - len(suffix) - 1
	if front <= 0 || host[front] != '.' {
		return host
	}
	return host[strings.LastIndexByte(host[:front], '.')+1:]
}
