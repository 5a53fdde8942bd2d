// Package vsphere says what a syslog message of a vSphere component means: it
// makes an event.Event of a syslog.Message. The Decoder and what several
// components have in common are here; the recognizers for the programs of
// ESXi and of vCenter are in the folders below. No record is ever refused:
// what nothing knows becomes a Base Event with its text.
package vsphere

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
)

// Recognizer knows one kind of message. Recognize fills ev and reports true,
// or leaves ev as it was and reports false. It must be safe for concurrent
// use, and its work is bounded by the message's length.
//
// The Decoder has filled what all events have (LogName and Device among it)
// before it asks.
type Recognizer interface {
	Recognize(m *syslog.Message, ev *event.Event) bool
}

// RecognizerFunc is a function that is a Recognizer.
type RecognizerFunc func(m *syslog.Message, ev *event.Event) bool

// Recognize implements Recognizer.
func (f RecognizerFunc) Recognize(m *syslog.Message, ev *event.Event) bool { return f(m, ev) }

// Recognizers are asked in their order; the first that knows the message
// counts.
type Recognizers []Recognizer

// Recognize implements Recognizer.
func (rs Recognizers) Recognize(m *syslog.Message, ev *event.Event) bool {
	for _, r := range rs {
		if r.Recognize(m, ev) {
			return true
		}
	}
	return false
}

// Programs puts the recognizers of several rooms together, by program. Where two
// know a program (or what no program is named for, ""), the later one is asked
// first.
func Programs(rooms ...map[string]Recognizer) map[string]Recognizer {
	all := map[string]Recognizer{}
	for _, room := range rooms {
		for name, r := range room {
			if earlier, ok := all[name]; ok {
				r = Recognizers{r, earlier}
			}
			all[name] = r
		}
	}
	return all
}

// Options of a Decoder.
type Options struct {
	// MaxSkew is how far a sender's time may be from the time of receipt, to
	// either side, to be believed; 0 means 10 minutes.
	MaxSkew time.Duration
	// Replay believes every sender's time: the records are old.
	Replay bool
}

const defaultMaxSkew = 10 * time.Minute

// Decoder makes events of messages. It is safe for concurrent use.
type Decoder struct {
	opts     Options
	programs map[string]*program
	unknown  *program
}

// program is a recognizer with its counters. The counters are spread over
// several cache lines by the sender, so that sessions do not wait for each
// other.
type program struct {
	name       string
	recognizer Recognizer
	recognized [counterShards]counter
	plain      [counterShards]counter
}

const counterShards = 4

type counter struct {
	n atomic.Uint64
	_ [56]byte
}

// NewDecoder makes a Decoder that asks the recognizer of a message's program.
// Names of programs are lower case, without path; the recognizer under the
// empty name is asked about messages of no known program.
func NewDecoder(programs map[string]Recognizer, opts Options) *Decoder {
	if opts.MaxSkew <= 0 {
		opts.MaxSkew = defaultMaxSkew
	}
	d := &Decoder{
		opts:     opts,
		programs: make(map[string]*program, len(programs)),
		unknown:  &program{recognizer: Agent(nil)},
	}
	if r := programs[""]; r != nil {
		d.unknown.recognizer = r
	}
	for name, r := range programs {
		if name == "" {
			continue
		}
		d.programs[name] = &program{name: name, recognizer: r}
	}
	return d
}

// Stats counts what a Decoder made of the messages.
type Stats struct {
	Recognized map[string]uint64 // by program; only programs that the Decoder was made with
	Plain      map[string]uint64 // of a known program, but made a plain Base Event
	Unknown    uint64            // of no program that the Decoder knows; some have a body that it does
}

// Stats gives the counts since the Decoder was made.
func (d *Decoder) Stats() Stats {
	s := Stats{Recognized: make(map[string]uint64, len(d.programs)), Plain: make(map[string]uint64)}
	for name, p := range d.programs {
		s.Recognized[name] = sum(&p.recognized)
		if n := sum(&p.plain); n > 0 {
			s.Plain[name] = n
		}
	}
	s.Unknown = sum(&d.unknown.recognized) + sum(&d.unknown.plain)
	return s
}

func sum(shards *[counterShards]counter) (n uint64) {
	for i := range shards {
		n += shards[i].n.Load()
	}
	return n
}

// Decode fills ev, which must be empty (Reset), with what m means. Strings of
// ev are parts of m's text.
func (d *Decoder) Decode(m *syslog.Message, ev *event.Event) {
	p := d.lookup(m.App)
	if p == nil {
		p, m = d.sniff(m)
	}
	d.common(m, ev, p)
	shard := m.Peer.Port() % counterShards
	if d.recognizer(p, m.Text).Recognize(m, ev) {
		p.recognized[shard].n.Add(1)
		settle(ev)
		return
	}
	if m.App == "" { // the program was guessed, and guessed wrong
		p, ev.LogName = d.unknown, ""
	}
	Fallback(m.Text, ev)
	p.plain[shard].n.Add(1)
}

// recognizer is p's, but for a vCenter event, which some senders forward under
// another program's name.
func (d *Decoder) recognizer(p *program, text string) Recognizer {
	if strings.HasPrefix(text, "Event [") {
		if v := d.programs["vpxd"]; v != nil {
			return v.recognizer
		}
	}
	return p.recognizer
}

// settle drops what says nothing more: the text of a record whose meaning is in
// typed members (Raw has it still), and the direction of a login that came over
// no network, as far as the record says.
func settle(ev *event.Event) {
	if ev.Class != event.BaseEvent {
		ev.Message = ""
	}
	if ev.Class == event.Authentication && !ev.Src.IP.IsValid() && ev.Src.Hostname == "" {
		ev.Direction = event.DirectionUnknown
	}
}

// maxProgram bounds the names that are looked up.
const maxProgram = 64

// lookup finds a program by its name in any case, with or without a path,
// without allocating.
func (d *Decoder) lookup(name string) *program {
	name = baseName(name)
	if len(name) == 0 || len(name) > maxProgram {
		return nil
	}
	var lower [maxProgram]byte
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		lower[i] = c
	}
	return d.programs[string(lower[:len(name)])]
}

func baseName(name string) string {
	return name[strings.LastIndexByte(name, '/')+1:]
}

// common fills what every event has.
func (d *Decoder) common(m *syslog.Message, ev *event.Event, p *program) {
	ev.Raw, ev.Records, ev.Message = m.Raw, m.Records, m.Text
	d.time(m, ev)
	d.receipt(m, ev)
	device(m, ev)
	ev.LogName = p.name
	if app := baseName(m.App); app != "" && !strings.EqualFold(app, p.name) {
		ev.LogName = strings.ToLower(app)
	}
	ev.Severity = event.SeverityInformational
	if m.HasPRI {
		ev.Severity = syslogSeverity(m.Severity)
	}
	envelopeFlaws(m, ev)
}

// time decides when it happened: the sender's time if that is believable.
func (d *Decoder) time(m *syslog.Message, ev *event.Event) {
	switch {
	case m.Time.IsZero():
		ev.Time, ev.OriginalTime = m.Received, m.TimeText
	case d.opts.Replay, m.Received.IsZero(), m.Time.Sub(m.Received).Abs() <= d.opts.MaxSkew:
		ev.Time = m.Time
	default:
		ev.Time, ev.OriginalTime = m.Received, m.TimeText
	}
}

// receipt notes how the record came in, unless it was read from a file.
func (d *Decoder) receipt(m *syslog.Message, ev *event.Event) {
	if d.opts.Replay || m.Received.IsZero() {
		return
	}
	ev.Receipt = ReceiptOf(m)
}

// ReceiptOf says how a message came in over the network.
func ReceiptOf(m *syslog.Message) event.Receipt {
	r := event.Receipt{At: m.Received, Peer: m.Peer.Addr().Unmap(), Truncated: m.Truncated}
	if !m.Time.IsZero() {
		r.Skew, r.Timed = m.Time.Sub(m.Received), true
	}
	return r
}

// device is the machine that the record names; the peer, which may be a
// relay, only when it names none.
func device(m *syslog.Message, ev *event.Event) {
	ev.Device.Hostname = m.Host
	if a, ok := ParseAddr(m.Host); ok {
		ev.Device.IP = a
	}
	if m.Host == "" && m.Peer.IsValid() {
		ev.Device.IP = m.Peer.Addr().Unmap()
		ev.Device.Hostname = ev.Device.IP.String()
	}
}

func syslogSeverity(s uint8) event.Severity {
	switch s {
	case 0:
		return event.SeverityFatal
	case 1, 2:
		return event.SeverityCritical
	case 3:
		return event.SeverityHigh
	case 4:
		return event.SeverityMedium
	}
	return event.SeverityInformational
}

func envelopeFlaws(m *syslog.Message, ev *event.Event) {
	if m.Malformed != syslog.WellFormed {
		ev.Add(fieldMalformed, m.Malformed.String())
	}
	if m.Partial {
		ev.Fields = append(ev.Fields, event.Field{ID: fieldPartial, Kind: event.KindBool, Value: "true"})
	}
	if m.Truncated {
		ev.Fields = append(ev.Fields, event.Field{ID: fieldTruncated, Kind: event.KindBool, Value: "true"})
	}
}
