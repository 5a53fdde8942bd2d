package endpoint

import (
	"container/list"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// What is known of who signed a process's program. A decoder sets the fields
// where a record says it; the Table adds them to the events of the process.
var (
	Signature = event.Intern("process_signature") // Signed, Unsigned, or why it does not hold, in the source's words
	Signer    = event.Intern("process_signer")    // the name in it
)

// Values of Signature.
const (
	Signed   = "signed"
	Unsigned = "unsigned"
)

// TableOptions bound a Table. A zero is the default.
type TableOptions struct {
	MaxProcesses int           // in all; 200,000
	MaxPerDevice int           // of one machine; 16,384
	MaxBytes     int64         // of memory in all, by estimate; 256 MiB
	Late         time.Duration // how long a process that ended is still known, by the machine's events; 5 min
}

func (o TableOptions) withDefaults() TableOptions {
	if o.MaxProcesses <= 0 {
		o.MaxProcesses = 200_000
	}
	if o.MaxPerDevice <= 0 {
		o.MaxPerDevice = 16_384
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	if o.Late <= 0 {
		o.Late = 5 * time.Minute
	}
	return o
}

// TableStats counts what a Table did, and what it holds.
type TableStats struct {
	Devices   int    // machines with processes in it
	Processes int    // in it
	Bytes     int64  // of memory, by estimate
	Learned   uint64 // processes that were put in
	Annotated uint64 // events whose process it knew before
	Unknown   uint64 // events of a process that it did not know, and could not learn
	Forgotten uint64 // processes that ended, and left after TableOptions.Late
	Evicted   uint64 // processes that left for want of room
}

// Table knows the processes of each machine. It learns them from Process
// Activity and from other events that name a process and its program, and
// completes what an event says of its process: program, command line, parent,
// account, signer. It is not safe for concurrent use.
//
// A process is known by its UID (Sysmon's ProcessGuid), else by its pid and the
// time: of several processes that had a pid, an event belongs to the last that
// had started by then and not ended. A program that the event names must not
// contradict that. Times of different sensors may differ by 2 s.
type Table struct {
	options TableOptions
	devices map[string]*device // by name, in lower case, or by address
	recent  list.List          // of *device, the last that was used first
	stats   TableStats
}

// NewTable makes an empty Table.
func NewTable(o TableOptions) *Table {
	return &Table{options: o.withDefaults(), devices: map[string]*device{}}
}

// Stats gives the counters.
func (t *Table) Stats() TableStats {
	s := t.stats
	s.Devices = len(t.devices)
	return s
}

// device is a machine.
type device struct {
	name   string
	byUID  map[string]*entry
	byPID  map[int64]*entry // the last that started; entry.older are those before
	queue  list.List        // of *entry, to leave from the back
	ended  []*entry         // in the order in which that was learned
	newest time.Time        // of its events
	place  *list.Element
}

// entry is a process. Events share its strings, and the process that its
// Parent points at, which never changes.
type entry struct {
	device  *device
	process event.Process
	user    event.User
	signed  string // Signature
	signer  string
	start   time.Time // zero: not known
	end     time.Time // zero: it runs, as far as is known
	older   *entry    // that had the same pid before
	place   *list.Element
	used    bool // since it came to the front of the queue
	bytes   int64
}

// maxOfPID bounds the processes that are found by one pid. Those before them,
// which have ended, are found by their UID only until they leave.
const maxOfPID = 32

// Bounds of what is kept of a process, in bytes; what is longer is cut, and a
// longer UID is none.
const (
	maxText = 8 << 10
	maxUID  = 256
	maxHost = 256 // of a machine's name
)

// slack is by how much the clocks of two sensors of one machine may differ.
const slack = 2 * time.Second

// Annotate completes what ev says of its process, and learns from it. What ev
// says itself is left as it is. Without a machine and a process ev is left
// alone.
func (t *Table) Annotate(ev *event.Event) {
	if !identified(&ev.Process) {
		return
	}
	d := t.device(&ev.Device)
	if d != nil && ev.Time.After(d.newest) {
		d = t.advance(d, ev.Time)
	}
	if ev.Class == event.ProcessActivity && ev.Activity == event.ProcessLaunch {
		t.launched(d, ev)
	} else {
		t.acted(d, ev)
	}
	t.shrink(d)
}

// acted takes an event of a process that runs, or ends.
func (t *Table) acted(d *device, ev *event.Event) {
	e := d.find(&ev.Process, ev.Time)
	if e != nil {
		t.stats.Annotated++
		e.used = true
		e.complete(ev)
	} else if e = t.learn(d, ev, &ev.Process, time.Time{}); e == nil {
		t.stats.Unknown++
		return
	}
	if ev.Class == event.ProcessActivity || ev.Class == event.BaseEvent {
		t.supplement(e, ev) // the others only say who acts
	}
	if ev.Class == event.ProcessActivity && ev.Activity == event.ProcessTerminate {
		e.finish(ev.Time)
	}
}

func identified(p *event.Process) bool { return p.PID != 0 || p.UID != "" }

// device gives the machine, if it is known.
func (t *Table) device(from *event.Device) *device {
	var buf [maxHost]byte
	d := t.devices[string(appendName(buf[:0], from))]
	if d != nil && t.recent.Front() != d.place {
		t.recent.MoveToFront(d.place)
	}
	return d
}

// appendName appends the name that a machine is known by; nothing where it has
// none.
func appendName(dst []byte, from *event.Device) []byte {
	if from.Hostname == "" {
		if from.IP.IsValid() {
			dst = from.IP.Unmap().WithZone("").AppendTo(dst)
		}
		return dst
	}
	if len(from.Hostname) > maxHost {
		return dst
	}
	for i := range len(from.Hostname) {
		c := from.Hostname[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

func (t *Table) newDevice(from *event.Device) *device {
	name := string(appendName(nil, from))
	if name == "" {
		return nil
	}
	d := &device{name: name, byUID: map[string]*entry{}, byPID: map[int64]*entry{}}
	d.place = t.recent.PushFront(d)
	t.devices[name] = d
	t.stats.Bytes += deviceBytes
	return d
}

// advance moves the machine's clock, and forgets the processes that ended
// longer ago than Late. It gives nothing where that were all.
func (t *Table) advance(d *device, now time.Time) *device {
	d.newest = now
	for len(d.ended) > 0 && now.Sub(d.ended[0].end) > t.options.Late {
		t.remove(d.ended[0])
		t.stats.Forgotten++
	}
	if d.place == nil {
		return nil
	}
	return d
}

// find gives the process at that time, if it is known.
func (d *device) find(p *event.Process, at time.Time) *entry {
	if d == nil {
		return nil
	}
	if p.UID != "" {
		if e := d.byUID[p.UID]; e != nil {
			return e
		}
	}
	if p.PID == 0 {
		return nil
	}
	for e := d.byPID[p.PID]; e != nil; e = e.older {
		if e.ran(at) && e.may(p) {
			return e
		}
	}
	return nil
}

// ran says that the process may have been there at that time.
func (e *entry) ran(at time.Time) bool {
	if at.IsZero() {
		return e.end.IsZero()
	}
	return !at.Before(e.start.Add(-slack)) && (e.end.IsZero() || !at.After(e.end.Add(slack)))
}

// may says that nothing in p contradicts that it is e.
func (e *entry) may(p *event.Process) bool {
	if p.UID != "" && e.process.UID != "" && p.UID != e.process.UID {
		return false
	}
	return p.Path == "" || e.process.Path == "" || strings.EqualFold(BaseName(p.Path), BaseName(e.process.Path))
}

// complete puts what is known of the process into the event.
func (e *entry) complete(ev *event.Event) {
	completeProcess(&ev.Process, &e.process)
	if u := &ev.User; ev.Class != event.Authentication && (u.UID == "" || e.user.UID == "" || u.UID == e.user.UID) && u.Name == "" {
		fill(&u.UID, e.user.UID)
		u.Name, u.Domain = e.user.Name, e.user.Domain
	}
	if e.signed != "" {
		addMissing(ev, Signature, e.signed)
	}
	if e.signer != "" {
		addMissing(ev, Signer, e.signer)
	}
}

func addMissing(ev *event.Event, id event.FieldID, value string) {
	if _, has := ev.Field(id); !has {
		ev.Add(id, value)
	}
}

// completeProcess puts into p what it lacks of known.
func completeProcess(p, known *event.Process) {
	fill(&p.Name, known.Name)
	fill(&p.Path, known.Path)
	fill(&p.CmdLine, known.CmdLine)
	fill(&p.UID, known.UID)
	if p.PID == 0 {
		p.PID = known.PID
	}
	switch {
	case known.Parent == nil:
	case p.Parent == nil:
		p.Parent = known.Parent
	case p.Parent != known.Parent:
		completeProcess(p.Parent, known.Parent)
	}
}

func fill(s *string, known string) {
	if *s == "" {
		*s = known
	}
}

// launched learns a new process, and its parent, where that is not known yet.
// A process that two sensors tell of is one.
func (t *Table) launched(d *device, ev *event.Event) {
	if parent := ev.Process.Parent; parent != nil && identified(parent) {
		if e := d.find(parent, ev.Time); e != nil {
			completeProcess(parent, &e.process)
			e.used = true
		} else if e = t.learn(d, ev, parent, time.Time{}); e != nil {
			d = e.device
		}
	}
	e := d.twin(ev)
	if e != nil {
		t.stats.Annotated++
		e.complete(ev)
		if e.start.IsZero() {
			e.start = ev.Time
		}
	} else if e = t.learn(d, ev, &ev.Process, ev.Time); e == nil {
		t.stats.Unknown++
		return
	}
	t.supplement(e, ev)
}

// twin gives the process that ev tells of, where its launch is known already.
func (d *device) twin(ev *event.Event) *entry {
	p := &ev.Process
	if d == nil {
		return nil
	}
	if p.UID != "" {
		if e := d.byUID[p.UID]; e != nil {
			return e
		}
	}
	for e := d.byPID[p.PID]; e != nil && p.PID != 0; e = e.older {
		if !e.start.IsZero() && ev.Time.Sub(e.start).Abs() <= slack && (p.UID == "" || e.process.UID == "") && e.may(p) &&
			(p.CmdLine == "" || e.process.CmdLine == "" || p.CmdLine == e.process.CmdLine) {
			return e
		}
	}
	return nil
}

// learn puts a process in; nothing where p does not name its program, or the
// machine has no name.
func (t *Table) learn(d *device, ev *event.Event, p *event.Process, start time.Time) *entry {
	if p.Path == "" && p.Name == "" || len(p.UID) > maxUID {
		return nil
	}
	if d == nil {
		if d = t.newDevice(&ev.Device); d == nil {
			return nil
		}
	}
	e := &entry{device: d, start: start, bytes: entryBytes}
	e.process.PID = p.PID
	e.own(&e.process.UID, p.UID)
	e.own(&e.process.Path, p.Path)
	e.own(&e.process.Name, p.Name)
	e.own(&e.process.CmdLine, p.CmdLine)
	if p == &ev.Process {
		e.belong(ev)
		e.adopt(p.Parent)
	}
	e.place = d.queue.PushFront(e)
	if e.process.UID != "" {
		d.byUID[e.process.UID] = e
	}
	if p.PID != 0 {
		d.follow(e, ev.Time)
	}
	t.stats.Learned++
	t.stats.Processes++
	t.stats.Bytes += e.bytes
	return e
}

// Estimates of what a process and a machine take besides their strings: the
// struct, list elements, and a place in two maps.
const (
	entryBytes  = 512
	deviceBytes = 512
	parentBytes = 112
)

// own sets *s to a copy of value.
func (e *entry) own(s *string, value string) {
	*s = strings.Clone(value[:min(len(value), maxText)])
	e.bytes += int64(len(*s))
}

// belong copies the account. Of a login it is the one that logs in.
func (e *entry) belong(ev *event.Event) {
	if ev.Class != event.Authentication {
		e.own(&e.user.Name, ev.User.Name)
		e.own(&e.user.Domain, ev.User.Domain)
		e.own(&e.user.UID, ev.User.UID)
	}
}

// adopt copies the parent. Its own parent is not kept.
func (e *entry) adopt(parent *event.Process) {
	if parent == nil {
		return
	}
	p := &event.Process{PID: parent.PID}
	e.own(&p.UID, parent.UID)
	e.own(&p.Path, parent.Path)
	e.own(&p.Name, parent.Name)
	e.own(&p.CmdLine, parent.CmdLine)
	e.bytes += parentBytes
	e.process.Parent = p
}

// follow puts e among those that had its pid, by the time of their start. Who
// had it before has ended when the next one starts. seen is when an event
// named e.
func (d *device) follow(e *entry, seen time.Time) {
	pid := e.process.PID
	next, older := (*entry)(nil), d.byPID[pid]
	if e.start.IsZero() && older != nil {
		e.start = seen // it was not there before the other one
	}
	for older != nil && older.start.After(e.start) {
		next, older = older, older.older
	}
	e.older = older
	if next == nil {
		d.byPID[pid] = e
	} else {
		next.older = e
		e.finish(next.start)
	}
	if older != nil {
		older.finish(e.start)
	}
	last := d.byPID[pid]
	for n := 1; n < maxOfPID && last != nil; n++ {
		last = last.older
	}
	if last != nil {
		last.older = nil
	}
}

// finish sets the end of a process, once.
func (e *entry) finish(at time.Time) {
	if e.end.IsZero() && !at.IsZero() {
		e.end = at
		e.device.ended = append(e.device.ended, e)
	}
}

// supplement adds to a known process what the event says besides.
func (t *Table) supplement(e *entry, ev *event.Event) {
	before := e.bytes
	p := &ev.Process
	e.add(&e.process.Path, p.Path)
	e.add(&e.process.Name, p.Name)
	e.add(&e.process.CmdLine, p.CmdLine)
	if e.user == (event.User{}) {
		e.belong(ev)
	}
	if e.process.Parent == nil {
		e.adopt(p.Parent)
	}
	if e.process.UID == "" && p.UID != "" && len(p.UID) <= maxUID {
		e.own(&e.process.UID, p.UID)
		e.device.byUID[e.process.UID] = e
	}
	for i := range ev.Fields {
		switch ev.Fields[i].ID {
		case Signature:
			e.add(&e.signed, ev.Fields[i].Value)
		case Signer:
			e.add(&e.signer, ev.Fields[i].Value)
		}
	}
	t.stats.Bytes += e.bytes - before
}

func (e *entry) add(s *string, value string) {
	if *s == "" && value != "" {
		e.own(s, value)
	}
}

// shrink makes room: in d, where that has too many, or more than its share of
// a table that is full, and else in the machine that was silent longest. So
// none can push out the processes of the others.
func (t *Table) shrink(d *device) {
	for d != nil && d.queue.Len() > t.options.MaxPerDevice {
		t.evict(d)
	}
	for t.stats.Processes > t.options.MaxProcesses || t.stats.Bytes > t.options.MaxBytes && t.stats.Processes > 0 {
		if d != nil && d.queue.Len()*len(t.devices) > t.stats.Processes {
			t.evict(d)
		} else {
			t.evict(t.recent.Back().Value.(*device))
		}
	}
}

// evict removes a process of the machine: the first that ended, else one that
// was not used for long (each that was used gets a second chance).
func (t *Table) evict(d *device) {
	t.stats.Evicted++
	if len(d.ended) > 0 {
		t.remove(d.ended[0])
		return
	}
	for {
		e := d.queue.Back().Value.(*entry)
		if !e.used {
			t.remove(e)
			return
		}
		e.used = false
		d.queue.MoveToFront(e.place)
	}
}

// remove takes a process out: the first of those that ended, or one that has
// not.
func (t *Table) remove(e *entry) {
	d := e.device
	if !e.end.IsZero() {
		d.ended[0] = nil
		d.ended = d.ended[1:]
	}
	d.queue.Remove(e.place)
	if d.byUID[e.process.UID] == e {
		delete(d.byUID, e.process.UID)
	}
	d.unlink(e)
	t.stats.Processes--
	t.stats.Bytes -= e.bytes
	if d.queue.Len() == 0 {
		t.recent.Remove(d.place)
		d.place = nil
		delete(t.devices, d.name)
		t.stats.Bytes -= deviceBytes
	}
}

// unlink takes e from those that had its pid.
func (d *device) unlink(e *entry) {
	pid := e.process.PID
	if d.byPID[pid] == e {
		if e.older == nil {
			delete(d.byPID, pid)
		} else {
			d.byPID[pid] = e.older
		}
		return
	}
	for next := d.byPID[pid]; next != nil; next = next.older {
		if next.older == e {
			next.older = e.older
			return
		}
	}
}
