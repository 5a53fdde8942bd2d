package hosts

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Bounds of a Detector's memory. A machine takes about 2.8 KB, with its habits.
const (
	maxMachines = 20_000
	maxOthers   = 5_000 // of them that no inventory knows: whoever sends chooses their names
	forget      = 7 * 24 * time.Hour
)

const (
	// settle is how long after the start nobody is judged: senders come back
	// one by one.
	settle = 10 * time.Minute
	// everyPass is how much time goes by between two looks at all machines.
	everyPass = time.Second
	// remind is how often a silence that lasts is told again: a finding that
	// nobody revises falls out of the stream with time.
	remind = 24 * time.Hour
	// byEvent is how long vCenter's word, by its events, that a host is in
	// maintenance or disconnected is believed without the inventory.
	byEvent = 12 * time.Hour
	// believed is how long a change of the log hosts, by a record, may explain
	// a silence that follows.
	believed = time.Hour
	// lossQuiet is how long without new losses closes host.loss.
	lossQuiet = time.Hour
)

// Detector keeps the state of all log paths. It implements analytics.Keyed,
// Restorer and Flusher; only Stats is safe for concurrent use.
type Detector struct {
	opts   Options
	tell   func(*event.HostPath)
	ledger *analytics.Ledger

	machines map[string]*machine // by key
	order    []*machine          // in the order of their names: what is reported is the same in each run
	sorted   bool
	others   int
	fresh    map[string]event.State // of vCenters

	now    time.Time     // of the latest Pulse
	passed time.Time     // of the latest look at all machines
	dt     time.Duration // listening time since
	heard  time.Duration // in all, since the start
	deaf   string        // why the time since the last look does not count whole

	everyone group
	relays   map[netip.Addr]*group
	own      map[string]bool // log hosts that are the only one of a machine which sends here

	states    [len(stateOrder)]atomic.Int64
	untracked atomic.Int64
	listening atomic.Bool
}

// stateOrder are the states, in the order of Stats.
var stateOrder = [...]event.PathState{
	event.PathSending, event.PathQuiet, event.PathExcused, event.PathNever, event.PathLosing, event.PathMisdirected, event.PathSilent,
}

// Stats counts.
type Stats struct {
	States    map[event.PathState]int64 // machines in each
	Untracked int64                     // tallies of machines beyond the bound
	Listening bool                      // time counts
	Findings  []analytics.AnalyticStats
}

// New makes a Detector that knows no machine. tell takes each change of a
// state, and keeps nothing of it.
func New(o Options, tell func(*event.HostPath)) *Detector {
	return &Detector{
		opts: o, tell: tell, machines: map[string]*machine{}, relays: map[netip.Addr]*group{},
		ledger: analytics.NewLedger(analytics.LedgerOptions{QuietClose: neverQuiet}, silentAnalytic, lossAnalytic, misdirectedAnalytic),
	}
}

// neverQuiet keeps findings open until the machine recovers.
const neverQuiet = 100 * 365 * 24 * time.Hour

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	s := Stats{
		States: map[event.PathState]int64{}, Untracked: d.untracked.Load(), Listening: d.listening.Load(), Findings: d.ledger.Stats(),
	}
	for i, state := range stateOrder {
		s.States[state] = d.states[i].Load()
	}
	return s
}

// Observe takes what Scouts and the service say.
func (d *Detector) Observe(o analytics.Observation, report func(*event.Finding)) {
	switch o := o.(type) {
	case Tallies:
		for i := range o {
			d.count(&o[i])
		}
	case Pulse:
		d.pulse(o, report)
	case Sign:
		d.sign(&o, report)
	case Inventory:
		d.inventory(o)
	case Targets:
		d.targets(o, report)
	case Options:
		d.opts = o
	case Ask:
		o <- d.Paths()
	case AskHabits:
		data, err := d.Save()
		o <- Saved{data, err}
	}
}

// Tick does nothing: a sender's clock moves the events' time, and so could
// make others silent. Pulses move this one.
func (d *Detector) Tick(time.Time, func(*event.Finding)) {}

// Flush reports the updates that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(report) }

// machine finds the machine of a key, or makes room for it; nil: there is none.
func (d *Detector) machine(key, name string, known bool) *machine {
	m := d.machines[key]
	if m != nil {
		return m
	}
	if len(d.machines) >= maxMachines || !known && d.others >= maxOthers {
		d.untracked.Add(1)
		return nil
	}
	m = &machine{key: strings.Clone(key), name: strings.Clone(name), known: known}
	m.entity = event.Entity{Key: m.key}
	d.machines[m.key] = m
	d.order, d.sorted = append(d.order, m), false
	if !known {
		d.others++
	}
	return m
}

// each goes through the machines in the order of their keys.
func (d *Detector) each(f func(*machine)) {
	if !d.sorted {
		slices.SortFunc(d.order, func(a, b *machine) int { return strings.Compare(a.key, b.key) })
		d.sorted = true
	}
	for _, m := range d.order {
		f(m)
	}
}

func (d *Detector) count(t *Tally) {
	m := d.machine(t.Key, t.Name, t.Host != nil)
	if m == nil {
		return
	}
	if t.Host != nil && !t.Host.IsVCenter {
		d.meet(m, t.Host)
	}
	m.add(t)
}

// meet notes that an inventory knows the machine.
func (d *Detector) meet(m *machine, h *event.Host) {
	if !m.known {
		m.known = true
		d.others--
	}
	m.name, m.gone = h.Name, false
	if old := m.host; old != nil {
		if old.Maintenance && !h.Maintenance {
			m.maintenance = time.Time{}
		}
		if old.Connection != h.Connection && h.Connection == connected {
			m.disconnected = time.Time{}
		}
	}
	m.host = h
}

// inventory takes over what vCenters know. A host that is not in the inventory
// of a vCenter which answers is gone.
func (d *Detector) inventory(inv Inventory) {
	d.fresh = inv.Fresh
	here := make(map[*machine]bool, len(inv.Hosts))
	for _, h := range inv.Hosts {
		if m := d.machine(h.Key, h.Name, true); m != nil {
			d.meet(m, h)
			here[m] = true
		}
	}
	d.each(func(m *machine) {
		if m.host != nil && !here[m] && d.fresh[m.host.VCenter] == event.StateLive {
			m.gone = true
		}
	})
}

// pulse lets time go on.
func (d *Detector) pulse(p Pulse, report func(*event.Finding)) {
	d.listening.Store(p.Deaf == "")
	step := p.At.Sub(d.now)
	switch {
	case d.now.IsZero():
		d.passed = p.At
	case p.Deaf != "":
		d.deaf = p.Deaf
	case step > 0:
		d.dt += step
		d.heard += step
	}
	d.now = p.At
	if p.At.Sub(d.passed) >= everyPass {
		d.look(report)
		d.passed, d.dt, d.deaf = p.At, 0, ""
	}
}

// look judges all machines.
func (d *Detector) look(report func(*event.Finding)) {
	d.each(func(m *machine) { d.pass(m, report) })
	d.gather()
	judging := d.heard >= settle && d.deaf == ""
	if judging {
		d.judgeGroups(report)
	}
	var states [len(stateOrder)]int64
	gone := false
	d.each(func(m *machine) {
		if judging {
			d.judge(m, report)
		}
		d.settleState(m)
		states[slices.Index(stateOrder[:], m.state)]++
		gone = gone || d.lost(m)
	})
	for i, n := range states {
		d.states[i].Store(n)
	}
	if gone {
		d.drop(report)
	}
	d.ledger.Tick(d.now, report)
}

// lost says that nothing is known of a machine any more: no inventory has it,
// and it has not sent for long.
func (d *Detector) lost(m *machine) bool {
	return (m.host == nil || m.gone) && d.now.Sub(later(m.last, m.begun)) > forget
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// drop forgets the machines that are lost.
func (d *Detector) drop(report func(*event.Finding)) {
	d.order = slices.DeleteFunc(d.order, func(m *machine) bool {
		if !d.lost(m) {
			return false
		}
		d.closeAll(m, "It is not known any more: no inventory has it, and it has not sent for a week.", report)
		delete(d.machines, m.key)
		if !m.known {
			d.others--
		}
		return true
	})
}

// Paths are the log paths of all machines, those of an inventory first.
func (d *Detector) Paths() []event.HostPath {
	all := make([]event.HostPath, 0, len(d.order))
	for _, known := range []bool{true, false} {
		d.each(func(m *machine) {
			if m.known == known {
				all = append(all, d.path(m))
			}
		})
	}
	return all
}
