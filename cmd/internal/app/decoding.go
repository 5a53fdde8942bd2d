package app

import (
	"container/list"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// decoding takes records of endpoints to events: it has a decoder for each
// source on each machine. It is used from one goroutine.
type decoding struct {
	ledger *ledger
	// take gets each event, whole but for its context. The event is used again
	// when it returns.
	take func(of *machine, ev *event.Event)
	// maxSkew is how far a machine's clock may be from ours to be believed;
	// 0: it always is.
	maxSkew time.Duration

	// processes gives events the process behind them. It is of this goroutine,
	// through which all that a machine tells comes in its order.
	processes *endpoint.Table

	maxBytes int64 // of memory that machines take, by estimate
	bytes    int64
	machines map[machineKey]*machine
	order    list.List             // of machines, the one that was used last in front
	holding  map[*machine]struct{} // those with rounds that are open
	open     atomic.Int64
	evicted  atomic.Int64

	beaten   time.Time // when beat last did its work
	current  *machine
	received time.Time // of the record that is decoded
	tell     func(*event.Event)
}

// machineKey is a source on a machine, or in a file.
type machineKey struct {
	source    *origin
	host, log string
}

// machine is the decoder of a source on a machine, and what it holds.
type machine struct {
	machineKey
	decoder endpoint.Decoder
	place   *list.Element

	bytes     int64     // of memory, by estimate
	fed, told int64     // records that it was given, and those that its events are made of
	latest    time.Time // receipt of the latest record
	fresh     bool      // it came since the last beat
	seen      time.Time // that beat, by our clock
	rounds    rounds    // of a source that joins
	account   itsMessage
}

const (
	// maxMachines bounds the decoders. The one that was not used for longest
	// goes first, after it has told all that it holds.
	maxMachines = 8192
	// decodersBytes bounds the memory of decoders for all senders together, and
	// perDecoder is what each takes besides the records that it keeps: the
	// latest, and those that wait for others. All by estimate.
	decodersBytes = 64 << 20
	perDecoder    = 4 << 10
	// holdFor is how long records wait for others that belong to them.
	holdFor = 2 * time.Second
)

func newDecoding(l *ledger, maxSkew time.Duration, maxBytes int64, known endpoint.TableOptions, take func(*machine, *event.Event)) *decoding {
	d := &decoding{
		ledger: l, maxSkew: maxSkew, maxBytes: maxBytes, take: take, processes: endpoint.NewTable(known),
		machines: map[machineKey]*machine{}, holding: map[*machine]struct{}{},
	}
	d.tell = d.told
	return d
}

// machine gives the decoder of a source on a machine.
func (d *decoding) machine(of *origin, host string) *machine {
	return d.find(machineKey{source: of, host: host})
}

func (d *decoding) find(key machineKey) *machine {
	m := d.machines[key]
	if m != nil {
		d.order.MoveToFront(m.place)
	} else {
		m = &machine{machineKey: key, decoder: key.source.open(key.log)}
		m.place = d.order.PushFront(m)
		d.machines[key] = m
		d.weigh(m, perDecoder)
	}
	for n := len(d.machines); n > 1 && (n > maxMachines || d.bytes > d.maxBytes); n-- {
		d.forget(d.order.Back().Value.(*machine))
		d.evicted.Add(1)
	}
	d.open.Store(int64(len(d.machines)))
	return m
}

func (d *decoding) forget(m *machine) {
	d.rest(m, time.Time{})
	d.order.Remove(m.place)
	delete(d.machines, m.machineKey)
	delete(d.holding, m)
	d.weigh(m, 0)
}

func (d *decoding) weigh(m *machine, bytes int) {
	d.bytes += int64(bytes) - m.bytes
	m.bytes = int64(bytes)
}

// decode takes one record. What is no event of its source is a Base Event that
// says so.
func (d *decoding) decode(m *machine, r endpoint.Record) {
	d.feed(m, &r)
	if err := m.decoder.Decode(r, d.tell); err != nil {
		d.plain(m, &r, err)
	}
	if !m.source.joins {
		d.leave(m, m.fed)
	}
}

// refuse takes one record that is known to be no event of its source.
func (d *decoding) refuse(m *machine, r endpoint.Record, reason error) {
	d.feed(m, &r)
	d.plain(m, &r, reason)
}

// feed counts a record that m gets.
func (d *decoding) feed(m *machine, r *endpoint.Record) {
	m.source.records.Add(1)
	m.fed++
	m.latest, m.fresh = later(m.latest, r.Received), true
	d.current, d.received = m, r.Received
	held := 0
	if h, holds := m.decoder.(interface{ Held() int }); holds {
		held = h.Held()
	}
	d.weigh(m, perDecoder+len(r.Text)+held)
	if m.source.joins {
		m.rounds.take(r.Received, m.fed)
		d.holding[m] = struct{}{}
	}
}

// fieldUndecoded says why a record is no event of its source.
var fieldUndecoded = event.Intern("decode_error")

// plain makes a Base Event of a record.
func (d *decoding) plain(m *machine, r *endpoint.Record, reason error) {
	m.source.undecoded.Add(1)
	ev := event.Event{
		Class: event.BaseEvent, Severity: event.SeverityInformational,
		LogName: m.source.name, Message: r.Text, Raw: r.Text, Records: 1,
	}
	ev.Add(fieldUndecoded, reason.Error())
	d.told(&ev)
}

// told is the way of one event out of its decoder.
func (d *decoding) told(ev *event.Event) {
	m := d.current
	ev.Records = max(ev.Records, 1)
	m.told += int64(ev.Records)
	if more := m.told - m.fed; more > 0 { // one record held several
		d.ledger.received.Add(more)
		m.fed = m.told
	}
	d.ledger.joined.Add(int64(ev.Records - 1))
	if ev.Device.Hostname == "" && !ev.Device.IP.IsValid() {
		ev.Device.Hostname = m.host
	}
	if ev.LogName == "" {
		ev.LogName = m.source.name
	}
	d.believe(ev)
	d.processes.Annotate(ev)
	d.take(m, ev)
}

// believe decides when it happened: the machine's time, if that is believable.
func (d *decoding) believe(ev *event.Event) {
	if d.received.IsZero() {
		return
	}
	switch skew := ev.Time.Sub(d.received).Abs(); {
	case ev.Time.IsZero():
		ev.Time = d.received
	case d.maxSkew > 0 && skew > d.maxSkew:
		if ev.OriginalTime == "" {
			ev.OriginalTime = ev.Time.Format(time.RFC3339Nano)
		}
		ev.Time = d.received
	}
}

// leave counts records that no event is made of, as a header is: of the first
// up to those that are told, what is not is part of none.
func (d *decoding) leave(m *machine, first int64) {
	if none := first - m.told; none > 0 {
		d.ledger.joined.Add(none)
		m.told += none
	}
}

// beat lets go of what waited long enough for the rest of its event. It says
// when to come again; 0: nothing waits.
func (d *decoding) beat(now time.Time) time.Duration {
	if len(d.holding) == 0 {
		return 0
	}
	if now.Sub(d.beaten) < holdFor/4 {
		return holdFor / 4
	}
	d.beaten = now
	for m := range d.holding {
		if m.fresh {
			m.fresh, m.seen = false, now
		}
		before := m.latest.Add(-holdFor)
		if now.Sub(m.seen) >= holdFor { // nothing more came, whatever its clock says
			before = time.Time{}
		}
		d.rest(m, before)
	}
	return holdFor / 4
}

// rest lets go of what came before that time; the zero time: of all.
func (d *decoding) rest(m *machine, before time.Time) {
	d.current, d.received = m, m.latest
	m.decoder.Rest(before, d.tell)
	if first, closed := m.rounds.close(before); closed {
		d.leave(m, first)
	}
	if m.rounds.idle() {
		delete(d.holding, m)
	}
}

// flush lets go of everything, the machine that was used first before the
// others.
func (d *decoding) flush() {
	for e := d.order.Back(); e != nil; e = e.Prev() {
		d.rest(e.Value.(*machine), time.Time{})
	}
}
