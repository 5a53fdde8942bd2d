package simulator

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// nightHours is how long a Traffic lasts: 20:00 to 08:00.
const nightHours = 12

// Record is one line of a Traffic.
type Record struct {
	Time   time.Time // simulated; as in the line
	Sender int       // index in Senders
	Line   string    // the record, without any framing
}

// entry is one event in its records, which follow each other on the wire.
type entry struct {
	at     time.Time
	sender int
	lines  []string
}

// Traffic is one simulated night of a Site: what each machine sends, in order
// of time, and the truth about it. Everything but Play and Clock is read-only.
type Traffic struct {
	senders []Sender
	entries []entry
	truth   Truth
	start   time.Time
	end     time.Time

	site     *Site
	passages []passage // the connections of VMs
	unlogged []Story   // that no line tells of
	sensed   Guests

	play atomic.Pointer[playhead]
}

// Traffic writes the night of s. The same Site gives the same lines.
func (s *Site) Traffic() *Traffic {
	sc := newScript(s)
	sc.noise()
	sc.honest()
	sc.stories()
	sc.unloggedStory()
	sc.apiUse()
	sc.movedStory()
	sc.guests()
	sc.marks()
	slices.SortStableFunc(sc.entries, func(a, b entry) int { return a.at.Compare(b.at) })
	return &Traffic{
		senders: sc.senders, entries: sc.entries, truth: sc.truth, start: sc.start, end: sc.end,
		site: s, passages: sc.passages, unlogged: sc.unlogged, sensed: sc.sensed,
	}
}

// Senders are the machines that send; Record.Sender is an index into it.
func (t *Traffic) Senders() []Sender { return slices.Clone(t.senders) }

// Truth is what there is to find.
func (t *Traffic) Truth() Truth { return t.truth }

// Start is the simulated time of the night's beginning.
func (t *Traffic) Start() time.Time { return t.start }

// End is the simulated time of each sender's last line.
func (t *Traffic) End() time.Time { return t.end }

// Records is every line in order of time. Pieces of one event follow each
// other.
func (t *Traffic) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, e := range t.entries {
			for _, line := range e.lines {
				if !yield(Record{Time: e.at, Sender: e.sender, Line: line}) {
					return
				}
			}
		}
	}
}

// script writes a night.
type script struct {
	site       *Site
	rng        *rand.Rand
	start, end time.Time
	senders    []Sender
	byHost     map[*Host]int
	vcenter    int
	resolver   int
	edge       int
	hushes     map[int][]hush // by sender

	entries  []entry
	passages []passage
	unlogged []Story
	sensed   Guests
	truth    Truth

	auditSerial int      // of the audit system's latest event, on any machine
	account     *account // of what is being told; nil: background
}

func newScript(s *Site) *script {
	sc := &script{
		site: s, rng: s.rng("night"), start: s.Night, end: s.Night.Add(nightHours * time.Hour),
		byHost: make(map[*Host]int), hushes: make(map[int][]hush),
		truth: Truth{BySender: make(map[string]int)},
	}
	for i, h := range s.Hosts {
		sc.byHost[h] = sc.addSender(hostSender(i, h))
	}
	sc.vcenter = sc.addSender(Sender{Name: s.VCenter, Network: "tcp", style: styleVCSA})
	sc.resolver = sc.addSender(Sender{Name: "dns01.lab.example", Network: "udp", style: styleSyslog})
	sc.edge = sc.addSender(Sender{Name: "edge01.lab.example", Network: "udp", style: styleESX8RFC})
	sc.hushAll()
	return sc
}

func (sc *script) addSender(s Sender) int {
	sc.senders = append(sc.senders, s)
	return len(sc.senders) - 1
}

// clock is the time of day within the night.
func (sc *script) clock(hour, minute int) time.Time {
	t := sc.start.Truncate(24 * time.Hour).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	if t.Before(sc.start) {
		t = t.Add(24 * time.Hour)
	}
	return t
}

// some is a random time of at least lo and below hi.
func (sc *script) some(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(sc.rng.Int64N(int64(hi-lo)))
}

// tell lets the sender say m at that time.
func (sc *script) tell(at time.Time, sender int, m message) {
	at = at.Truncate(time.Millisecond)
	sc.add(entry{at: at, sender: sender, lines: sc.senders[sender].records(at, m)})
}

// tellParts lets the sender say one event in several messages.
func (sc *script) tellParts(at time.Time, sender int, parts []message) {
	at = at.Truncate(time.Millisecond)
	e := entry{at: at, sender: sender}
	for _, m := range parts {
		e.lines = append(e.lines, sc.senders[sender].line(at, m))
	}
	sc.add(e)
}

func (sc *script) add(e entry) {
	if e.at.Before(sc.start) || e.at.After(sc.end) || sc.hushed(e.at, e.sender) {
		return
	}
	sc.entries = append(sc.entries, e)
	sc.truth.Records += len(e.lines)
	sc.truth.Events++
	sc.truth.BySender[sc.senders[e.sender].Name] += len(e.lines)
	if len(e.lines) > 1 {
		sc.truth.Split++
	}
	if sc.account != nil {
		sc.account.add(e.at, len(e.lines))
	}
}

// voice is the sender's at that time; host is nil for the vCenter.
func (sc *script) voice(at time.Time, sender int, host *Host) *voice {
	return &voice{rng: sc.rng, site: sc.site, host: host, st: sc.senders[sender].style, at: at}
}

// connection is one that a VM's vNIC sees from its first packet to its end.
type connection struct {
	vm       *VM
	from, to netip.AddrPort
	inbound  bool
	lasts    time.Duration
	out, in  int64 // bytes
	rule     int
	tag      string
}

// connect writes both lines of c, by the host that the VM is on, if the rule
// is logged.
func (sc *script) connect(at time.Time, c connection) {
	sender := sc.byHost[c.vm.host]
	f := flow{
		vif: c.vm.VIF, src: c.from, dst: c.to, inbound: c.inbound, proto: "TCP", rule: c.rule, tag: c.tag,
		bytesOut: c.out, bytesIn: c.in, packetsOut: 3 + c.out/1400, packetsIn: 3 + c.in/1400,
		end: [...]string{"FIN", "FIN", "RST", "TIMEOUT"}[sc.rng.IntN(4)],
	}
	sc.passages = append(sc.passages, passage{at.Truncate(time.Millisecond), c})
	if c.vm.unlogged {
		return
	}
	st := sc.senders[sender].style
	sc.tell(at, sender, f.opened(st))
	sc.tell(at.Add(c.lasts), sender, f.closed(st))
	if end := at.Add(c.lasts); sc.account != nil && end.Before(sc.end) && !sc.hushed(end, sender) {
		sc.account.bytesOut += c.out
	}
}

// leave is a connection of vm to the outside.
func (sc *script) leave(at time.Time, vm *VM, to netip.AddrPort, lasts time.Duration, out, in int64) {
	from := vm.Address
	if to.Addr().Is6() {
		from = vm.Address6
	}
	sc.leaveBy(at, vm, netip.AddrPortFrom(from, sc.port()), to, lasts, out, in)
}

// leaveBy is leave from that address and port of vm.
func (sc *script) leaveBy(at time.Time, vm *VM, from, to netip.AddrPort, lasts time.Duration, out, in int64) {
	sc.connect(at, connection{
		vm: vm, from: from, to: to, lasts: lasts, out: out, in: in, rule: 1005, tag: "egress-web",
	})
}

func (sc *script) port() uint16 { return uint16(32768 + sc.rng.IntN(28000)) }

// ask writes the resolver's lines for a question of client. They count for no
// story: a lookup is no connection.
func (sc *script) ask(at time.Time, client netip.Addr, name string, answer netip.Addr) {
	sc.aside(func() {
		for i, m := range dnsLookup(client, name, answer) {
			sc.tell(at.Add(time.Duration(min(i, 2))*time.Millisecond), sc.resolver, m)
		}
	})
}

// aside tells something that counts for no course of events.
func (sc *script) aside(tell func()) {
	held := sc.account
	sc.account = nil
	tell()
	sc.account = held
}

// marks ends each sender's night with a line of that very time.
func (sc *script) marks() {
	for i := range sc.senders {
		sc.tell(sc.end, i, message{pri: 14, prog: "mark", plain: true, text: "the simulated night ends"})
	}
}
