package syslog

import (
	"cmp"
	"net/netip"
	"strings"
	"time"
)

// Bounds of an Assembler.
const (
	// HoldTime is how long a record waits for its next piece.
	HoldTime = 200 * time.Millisecond
	// MaxPieces bounds the pieces of one record.
	MaxPieces = 64
	// MaxJoined bounds a joined record, in bytes.
	MaxJoined = 64 << 10
	// MaxHeldBytes bounds the memory of all that waits, in bytes. A record
	// counts twice its length, as Raw and as its parts, and heldOverhead.
	MaxHeldBytes = 1 << 20
)

// heldOverhead is what a record that waits takes beside its text: the Message,
// its place in maps and lists.
const heldOverhead = 640

// Assembler puts the pieces of one submission together again: the lines that
// hostd, vpxa, vpxd and their kin continue with "-->", each in a record of its
// own, with or without a header; events that vpxd splits ("Event [ID] [2-3]");
// lines that ESXi marks as a continuation in its files. Only records of
// programs known to continue wait, for HoldTime or until the next header of
// the same peer, HOSTNAME, program and pid; all others go straight on.
// Records of one key keep their order.
//
// What waits takes MaxHeldBytes at most, that is no more than 1638 records of
// any length; beyond that the oldest go on early and are counted.
//
// An Assembler is for one connection or one UDP socket, and for one goroutine
// at a time. It reads no clock: Message.Received and Rest's argument are its
// time. The zero Assembler is ready.
type Assembler struct {
	// MaxBytes overrules MaxHeldBytes for this Assembler; 0: it holds.
	MaxBytes int
	// Wait overrules HoldTime for this Assembler; 0: it holds.
	Wait time.Duration

	lines  map[lineKey]*group
	events map[eventKey]*group // linked by group.same
	oldest *group              // first of those that wait, by age
	newest *group
	last   *group // the head that a piece without any header would belong to
	spare  *group // linked by next
	spares int
	shared []*group // refer to the memory of the batch at hand
	count  int
	bytes  int
	stats  AssemblerStats
}

// AssemblerStats counts what an Assembler did.
type AssemblerStats struct {
	Held     int    // records that wait now
	Joined   uint64 // records that became part of the one before them
	Orphans  uint64 // pieces whose head did not come, or had gone on
	Overflow uint64 // records that went on early because a bound was reached
}

// lineKey names who writes; its own next header ends a submission.
type lineKey struct {
	peer            netip.Addr
	host, app, proc string
}

// group is a record that waits, and the pieces that came behind it.
type group struct {
	msg    Message
	key    lineKey
	event  eventKey // when total > 0
	total  int      // pieces of the event; 0: not an event
	pieces []piece
	size   int // bytes of all Raw
	cost   int // what it counts in Assembler.bytes
	due    time.Time
	shared bool // is in Assembler.shared

	prev, next *group // by age
	same       *group // next with the same event key
}

type piece struct {
	raw, text string
	number    int // of an event's piece, from 1
	tail      int // where the text of an event's piece begins
}

// Add takes a record and calls emit for each that is complete now, m itself
// among them or not. What emit gets is valid during the call only. m is not
// used afterwards, its strings are until the next Rest.
func (a *Assembler) Add(m *Message, emit func(*Message)) {
	arrow := strings.HasPrefix(m.Text, "-->")
	if !continues(m.App) && (arrow || !unnamed(m)) {
		a.pass(m, arrow, emit)
		return
	}
	if p, id, total := eventPiece(m); total > 0 {
		a.addEvent(m, p, id, total, emit)
		return
	}
	key := lineKey{m.Peer.Addr(), m.Host, m.App, m.ProcID}
	g := a.lines[key]
	if arrow || m.Continues || m.Text == "" {
		if g == nil {
			g = a.sameMoment(m)
		}
		a.continueLine(g, m, emit)
		return
	}
	unescape(m)
	if g == nil {
		a.hold(key, m, emit)
		return
	}
	a.emit(g, false, emit)
	a.refill(g, m)
}

// unnamed knows the lines of hostd's and vpxd's own files, which name the
// thread and not the program: "[6FE81B90 info 'Vimsvc'] ...".
func unnamed(m *Message) bool {
	return m.App == "" && m.TimeText != "" && (m.ProcID != "" || strings.HasPrefix(m.Text, "["))
}

// pass sends on what does not wait, and joins what has no header of its own
// to the record that it followed.
func (a *Assembler) pass(m *Message, arrow bool, emit func(*Message)) {
	if m.App == "" && m.Host == "" && m.TimeText == "" {
		if arrow {
			a.continueLine(a.last, m, emit)
			return
		}
		if p, id, total := eventPiece(m); total > 1 {
			a.addEvent(m, p, id, total, emit)
			return
		}
	}
	if arrow || m.Continues {
		a.orphan(m, emit)
		return
	}
	if a.last != nil && a.last.msg.Host != m.Host {
		a.last = nil // another host spoke: what comes without a header may be its
	}
	emit(m)
}

// sameMoment finds the head of a piece that another thread's number stands
// in: ESXi 8 writes the thread's id where the pid belongs, and not always the
// same for all lines of a submission.
func (a *Assembler) sameMoment(m *Message) *group {
	g := a.last
	if g == nil || g.key.peer != m.Peer.Addr() || g.key.host != m.Host || g.key.app != m.App || g.msg.TimeText != m.TimeText {
		return nil
	}
	return g
}

// continueLine joins m to g.
func (a *Assembler) continueLine(g *group, m *Message, emit func(*Message)) {
	switch {
	case g == nil || g.key.peer != m.Peer.Addr() || apart(&g.msg, m):
		a.orphan(m, emit)
	case len(g.pieces)+2 > MaxPieces || g.size+len(m.Raw)+1 > MaxJoined:
		a.stats.Overflow++
		a.drop(g)
		a.emit(g, true, emit)
		a.recycle(g)
		a.orphan(m, emit)
	default:
		a.append(g, m, piece{raw: m.Raw, text: m.Text})
		a.bound(emit)
	}
}

// maxApart is how far the times in the headers of two pieces of one
// submission can be from each other.
const maxApart = 10 * time.Second

// apart says that by their own times head and m are not of one submission,
// however closely they came: files are replayed faster than they were written.
func apart(head, m *Message) bool {
	return !head.Time.IsZero() && !m.Time.IsZero() && m.Time.Sub(head.Time).Abs() > maxApart
}

// orphan sends on a piece whose head is not here. An empty record is no
// evidence of a head.
func (a *Assembler) orphan(m *Message, emit func(*Message)) {
	if m.Text != "" || m.Continues {
		m.Partial = true
		a.stats.Orphans++
	}
	emit(m)
}

func (a *Assembler) append(g *group, m *Message, p piece) {
	g.pieces = append(g.pieces, p)
	a.charge(g, len(m.Raw)+1)
	g.msg.Records += m.Records
	g.msg.Truncated = g.msg.Truncated || m.Truncated
	a.stats.Joined += uint64(m.Records)
	a.share(g)
}

// hold lets m wait under a key that has nothing waiting.
func (a *Assembler) hold(key lineKey, m *Message, emit func(*Message)) {
	g := a.group()
	host, app := len(key.host), len(key.host)+len(key.app)
	own := key.host + key.app + key.proc // the key outlives the batch
	g.key = lineKey{key.peer, own[:host], own[host:app], own[app:]}
	if a.lines == nil {
		a.lines = make(map[lineKey]*group)
	}
	a.lines[g.key] = g
	a.count++
	a.fill(g, m)
	a.bound(emit)
}

// refill lets m wait in the place of the record that g held.
func (a *Assembler) refill(g *group, m *Message) {
	a.unlink(g)
	a.bytes -= g.cost
	g.size, g.cost = 0, 0
	clear(g.pieces)
	g.pieces = g.pieces[:0]
	a.fill(g, m)
}

// charge counts a record of n bytes that g holds.
func (a *Assembler) charge(g *group, n int) {
	cost := 2*n + heldOverhead
	g.size += n
	g.cost += cost
	a.bytes += cost
}

func (a *Assembler) fill(g *group, m *Message) {
	g.msg, g.due = *m, a.due(m)
	a.charge(g, len(m.Raw))
	a.link(g)
	a.share(g)
	a.last = g
}

// due is when m has waited long enough.
func (a *Assembler) due(m *Message) time.Time { return m.Received.Add(cmp.Or(a.Wait, HoldTime)) }

// bound sends the oldest on while too much waits.
func (a *Assembler) bound(emit func(*Message)) {
	for a.oldest != nil && a.bytes > cmp.Or(a.MaxBytes, MaxHeldBytes) {
		a.stats.Overflow++
		a.finish(a.oldest, emit)
	}
}

// finish sends g on and forgets it.
func (a *Assembler) finish(g *group, emit func(*Message)) {
	a.drop(g)
	a.emit(g, false, emit)
	a.recycle(g)
}

// Rest ends a batch: it sends on what waited long enough at now, and copies
// what waits further out of the batch's memory. It returns how long until it
// has to be called again; 0: nothing waits.
func (a *Assembler) Rest(now time.Time, emit func(*Message)) time.Duration {
	for a.oldest != nil && !a.oldest.due.After(now) {
		a.finish(a.oldest, emit)
	}
	for i, g := range a.shared {
		if g.shared {
			g.own()
		}
		a.shared[i] = nil
	}
	a.shared = a.shared[:0]
	if a.oldest == nil {
		return 0
	}
	return a.oldest.due.Sub(now)
}

// Flush sends on all that waits.
func (a *Assembler) Flush(emit func(*Message)) {
	for a.oldest != nil {
		a.finish(a.oldest, emit)
	}
}

// Stats returns the counters.
func (a *Assembler) Stats() AssemblerStats {
	s := a.stats
	s.Held = a.count
	return s
}

// emit hands on what g holds, joined.
func (a *Assembler) emit(g *group, partial bool, emit func(*Message)) {
	switch {
	case g.total > 0:
		g.joinEvent()
	case len(g.pieces) > 0:
		g.joinLines()
	}
	g.msg.Partial = g.msg.Partial || partial
	emit(&g.msg)
}

func (g *group) joinLines() {
	raw, text := make([]string, 0, MaxPieces), make([]string, 0, MaxPieces)
	raw, text = append(raw, g.msg.Raw), append(text, g.msg.Text)
	for _, p := range g.pieces {
		raw, text = append(raw, p.raw), append(text, p.text)
	}
	g.msg.Raw, g.msg.Text = strings.Join(raw, "\n"), strings.Join(text, "\n")
}

// share notes that g refers to the memory of the batch at hand.
func (a *Assembler) share(g *group) {
	if !g.shared {
		g.shared = true
		a.shared = append(a.shared, g)
	}
}

// own copies what g refers to out of the batch's memory.
func (g *group) own() {
	g.shared = false
	g.msg.detach()
	for i, p := range g.pieces {
		g.pieces[i].raw, g.pieces[i].text = strings.Clone(p.raw), strings.Clone(p.text)
	}
}

// detach copies all strings of m into one of their own.
func (m *Message) detach() {
	all := m.Raw + m.TimeText + m.Host + m.App + m.ProcID + m.MsgID + m.Data + m.Text
	for _, s := range []*string{&m.Raw, &m.TimeText, &m.Host, &m.App, &m.ProcID, &m.MsgID, &m.Data, &m.Text} {
		n := len(*s)
		*s, all = all[:n], all[n:]
	}
}

// unescape turns the line ends that VCSA's appenders write as a literal "\n",
// or "\\n", back into line ends.
func unescape(m *Message) {
	if strings.Contains(m.Text, `\n-->`) {
		m.Text = strings.ReplaceAll(m.Text, `\\n-->`, "\n-->")
		m.Text = strings.ReplaceAll(m.Text, `\n-->`, "\n-->")
	}
}

// drop takes g out of every index.
func (a *Assembler) drop(g *group) {
	if g.total > 0 {
		a.dropEvent(g)
	} else {
		delete(a.lines, g.key)
	}
	a.unlink(g)
	a.count--
	a.bytes -= g.cost
	if a.last == g {
		a.last = nil
	}
}

func (a *Assembler) link(g *group) {
	g.prev, g.next = a.newest, nil
	if a.newest != nil {
		a.newest.next = g
	} else {
		a.oldest = g
	}
	a.newest = g
}

func (a *Assembler) unlink(g *group) {
	if g.prev != nil {
		g.prev.next = g.next
	} else {
		a.oldest = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	} else {
		a.newest = g.prev
	}
}

// maxSpare bounds the groups kept for the next record.
const maxSpare = 32

func (a *Assembler) group() *group {
	g := a.spare
	if g == nil {
		return &group{}
	}
	a.spare, g.next = g.next, nil
	a.spares--
	return g
}

// recycle keeps g, without what it held. A group that Rest still has to see
// is left to the collector.
func (a *Assembler) recycle(g *group) {
	if a.spares >= maxSpare || g.shared {
		g.shared = false
		return
	}
	clear(g.pieces)
	*g = group{pieces: g.pieces[:0], next: a.spare}
	a.spare = g
	a.spares++
}
