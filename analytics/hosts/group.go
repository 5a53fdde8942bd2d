package hosts

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// group is machines that fall silent together: those behind one relay, or all
// there are. It has a habit of its own.
type group struct {
	habit   habit
	came    int64 // records since the last look
	members int   // that are judged
	telling int   // of them, those that miss some
	peer    netip.Addr
	mixed   bool // they have several peers
	silent  bool // a finding is open
}

// Members that make a group, and what a member must be missing to tell.
const (
	leastRelay    = 2
	leastEveryone = 3
	missedMember  = 3
)

func (g *group) add(m *machine) {
	g.mixed = g.mixed || g.members > 0 && g.peer != m.peer
	g.members++
	g.peer = m.peer
	if m.habit.missed >= missedMember {
		g.telling++
	}
}

// together says that at least half of the members tell: it is not only one that
// is loud at other times.
func (g *group) together() bool { return g.telling >= leastRelay && 2*g.telling >= g.members }

// begins says that the group may be about to fall silent.
func (g *group) begins(l limits) bool {
	return g.silent || g.together() && g.habit.missed >= g.habit.needed(l)/2 && g.habit.gap >= g.habit.allowed(l)/2
}

// relayOf is the group of the machines behind an address.
func (d *Detector) relayOf(peer netip.Addr) *group {
	g := d.relays[peer]
	if g == nil {
		g = new(group)
		d.relays[peer] = g
	}
	return g
}

// gather puts the machines that are judged into their groups, and lets the time
// since the last look go by for these.
func (d *Detector) gather() {
	d.own = map[string]bool{}
	d.passGroup(&d.everyone)
	for _, g := range d.relays {
		d.passGroup(g)
	}
	for _, m := range d.order {
		if len(m.targets) == 1 && !m.last.IsZero() && !m.silent {
			d.own[m.targets[0]] = true
		}
		if m.peer.IsValid() && d.counts(m) {
			d.everyone.add(m)
			d.relayOf(m.peer).add(m)
		}
	}
	if len(d.relays) > 2*len(d.order) {
		d.dropRelays()
	}
}

// dropRelays forgets the addresses that nobody is behind any more: whoever sends
// datagrams chooses where they seem to come from.
func (d *Detector) dropRelays() {
	used := map[netip.Addr]bool{}
	for _, m := range d.order {
		used[m.peer] = true
	}
	maps.DeleteFunc(d.relays, func(peer netip.Addr, g *group) bool { return !used[peer] && !g.silent })
}

func (d *Detector) passGroup(g *group) {
	l := d.limits()
	if d.deaf != "" {
		l = limits{}
	}
	g.habit.pass(d.now, d.dt, g.came, d.deaf == "" && !g.silent, l)
	g.came, g.members, g.telling, g.mixed = 0, 0, 0, false
}

// counts says that a machine is one whose silence would say something.
func (d *Detector) counts(m *machine) bool {
	return !m.silent && !m.misdirected && d.judged(m) && d.excuse(m) == ""
}

// judgeGroups says once what concerns many: a relay that is down, or that
// nothing arrives at all.
func (d *Detector) judgeGroups(report func(*event.Finding)) {
	all := &d.everyone
	d.judgeGroup(all, all.members >= leastEveryone && all.mixed, everyoneKey, "", report)
	peers := make([]netip.Addr, 0, len(d.relays))
	for peer, g := range d.relays {
		if g.members >= leastRelay || g.silent {
			peers = append(peers, peer)
		}
	}
	slices.SortFunc(peers, netip.Addr.Compare)
	for _, peer := range peers {
		g := d.relays[peer]
		d.judgeGroup(g, g.members >= leastRelay && !all.silent, relayKey(peer), peer.String(), report)
	}
}

var everyoneKey = analytics.Key{Analytic: silentAnalytic.UID, What: "all machines"}

const relayWhat = "relay"

func relayKey(peer netip.Addr) analytics.Key {
	return analytics.Key{Analytic: silentAnalytic.UID, Entity: event.Entity{Addr: peer}, What: relayWhat}
}

func (d *Detector) judgeGroup(g *group, may bool, k analytics.Key, peer string, report func(*event.Finding)) {
	switch {
	case g.silent && (g.habit.gap == 0 || g.members == 0):
		d.ledger.Close(k, d.now, "Records come again.", report)
		g.silent = false
		d.absolve(g, k)
	case !g.silent && may && g.together() && g.habit.learned(d.opts.Learn) && g.habit.silent(d.limits()):
		g.silent = true
		d.open(nil, k, outage{d, g, peer}, report)
	}
}

// absolve lets the machines of a group that is back begin anew: whoever of them
// does not come back is judged by itself.
func (d *Detector) absolve(g *group, k analytics.Key) {
	for _, m := range d.order {
		if g == &d.everyone || m.peer == k.Entity.Addr {
			m.habit.pardon()
		}
	}
}

// shared says that the silence of a machine is, or may soon turn out to be, that
// of its group.
func (d *Detector) shared(m *machine) bool {
	all, relay := &d.everyone, d.relays[m.peer]
	l := d.limits()
	return all.members >= leastEveryone && all.begins(l) || relay != nil && relay.members >= leastRelay && relay.begins(l)
}
