package forward

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/event"
)

// Publisher sends events and findings into the streams of the embedded server
// and knows what became of each. Its methods are safe for concurrent use; a
// Packer is for one goroutine.
type Publisher struct {
	opts      Options
	collector string // slug
	boot      string // "<collector>-<random>": unique for ever
	seq       atomic.Uint64
	pool      messagePool

	events   *courier
	findings *courier

	packs, packEvents, packBytes atomic.Int64

	closing sync.Once

	mu      sync.Mutex
	packers []*Packer
}

// bootLength is 50 random bits: with 10,000 starts of one collector the chance
// of a second equal one is below one in ten million.
const bootLength = 10

// NewPublisher makes a publisher over a connection made by Connect, to a
// server with the streams of Ensure. Close ends it; the connection stays the
// caller's.
func NewPublisher(ctx context.Context, o Options, nc *nats.Conn) (*Publisher, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	p := &Publisher{opts: o, collector: event.Slug(o.Collector)}
	p.boot = p.collector + "-" + strings.ToLower(rand.Text()[:bootLength])
	var err error
	if p.events, err = p.newCourier(ctx, nc, courierOptions{stream: EventsStream, split: p.split, release: p.release}); err != nil {
		return nil, err
	}
	if p.findings, err = p.newCourier(ctx, nc, courierOptions{stream: FindingsStream}); err != nil {
		p.events.close()
		return nil, err
	}
	return p, nil
}

func (p *Publisher) newCourier(ctx context.Context, nc *nats.Conn, o courierOptions) (*courier, error) {
	var err error
	if o.floor, err = lastSequence(ctx, nc, o.stream); err != nil {
		return nil, err
	}
	o.nc, o.options = nc, p.opts
	return newCourier(o)
}

func lastSequence(ctx context.Context, nc *nats.Conn, stream string) (uint64, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	st, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	return st.CachedInfo().State.LastSeq, nil
}

// Packer makes a packer for one goroutine.
func (p *Publisher) Packer() (*Packer, error) {
	codec, err := newCompressor(p.opts.Compression)
	if err != nil {
		return nil, err
	}
	k := &Packer{pub: p, codec: codec, packs: map[packKey]*pack{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packers = append(p.packers, k)
	return k, nil
}

func (p *Publisher) newMessage() *message { return p.pool.get() }

func (p *Publisher) release(m *message) { p.pool.put(m) }

// nextID is the Nats-Msg-Id of a new pack.
func (p *Publisher) nextID() string {
	return p.boot + "-" + strconv.FormatUint(p.seq.Add(1), 10)
}

func (p *Publisher) eventSubject(k packKey) string {
	return "vegress.events." + k.class.Name() + "." + strconv.FormatUint(uint64(k.partition), 10) + "." + p.collector
}

// findingVerbs are the last tokens of ce-type, by activity.
var findingVerbs = map[event.Activity]string{
	event.FindingCreate: "create", event.FindingUpdate: "update", event.FindingClose: "close",
}

// Finding sends one revision of a finding: a message of its own, with the
// headers of a CloudEvent in binary mode. It blocks while too much is not
// acknowledged; of f nothing is kept. One that encodes to more than 512 KiB is
// sent without the records of its evidence.
func (p *Publisher) Finding(f *event.Finding) error { return p.finding(f, nil) }

// finding is Finding on the account of a claim, if any.
func (p *Publisher) finding(f *event.Finding, claim *Claim) error {
	m := &message{id: findingID(f), events: 1}
	m.claimed(claim)
	m.Subject, m.Data = findingSubject(f), encodeFinding(f)
	m.Header = nats.Header{
		nats.MsgIdHdr:        {m.id},
		headerType:           {typeJSON},
		headerOCSF:           {event.OCSFVersion},
		"ce-specversion":     {"1.0"},
		"ce-id":              {m.id},
		"ce-type":            {"vegress.finding." + findingVerbs[f.Activity]},
		"ce-source":          {"/vegress/" + p.collector},
		"ce-time":            {f.Time.UTC().Format(time.RFC3339Nano)},
		"ce-datacontenttype": {typeJSON},
	}
	return p.findings.send(m)
}

// findingSubject is where a finding's revisions go. It changes when the
// finding's severity rises.
func findingSubject(f *event.Finding) string {
	return "vegress.findings." + f.Severity.String() + "." + event.Slug(f.Analytic.UID) + "." + event.Slug(f.UID)
}

// split divides a pack in two; nil when it holds one event.
func (p *Publisher) split(m *message) []*message {
	if m.events < 2 {
		return nil
	}
	body, err := unpackBody(m.Header.Get(headerEncoding), m.Data)
	if err != nil {
		return nil
	}
	half := m.events / 2
	at := 0
	for range half {
		at += bytes.IndexByte(body[at:], '\n') + 1
	}
	return []*message{
		p.part(m, "1", body[:at], half),
		p.part(m, "2", body[at:], m.events-half),
	}
}

// part is a piece of m, with an id of its own. It is not compressed, and its
// times are those of the whole.
func (p *Publisher) part(m *message, suffix string, body []byte, events int) *message {
	n := p.newMessage()
	n.id, n.Subject = m.id+"."+suffix, m.Subject
	n.Data = append(n.Data, body...)
	n.events = events
	n.Header = nats.Header{}
	for key, list := range m.Header {
		n.Header[key] = slices.Clone(list)
	}
	delete(n.Header, headerEncoding)
	n.set(nats.MsgIdHdr, n.id)
	n.set(headerCount, strconv.Itoa(n.events))
	return n
}

// Flush waits until everything that packers and Finding have sent is
// acknowledged, or ctx ends. Packs that are still open are not waited for:
// Packer.Flush sends them.
func (p *Publisher) Flush(ctx context.Context) error {
	return errors.Join(p.events.empty(ctx), p.findings.empty(ctx))
}

// Close waits as Flush does; what is not acknowledged by then is dropped, and
// counted as Dropped.Closed. Whoever is blocked in Add or Finding comes free.
func (p *Publisher) Close(ctx context.Context) error {
	err := p.Flush(ctx)
	p.closing.Do(func() {
		p.events.close()
		p.findings.close()
	})
	return err
}

// Health is nil when messages flow, else the reason why they are held up.
func (p *Publisher) Health() error {
	now := time.Now()
	_, _, events := p.events.snapshot(now)
	_, _, findings := p.findings.snapshot(now)
	if err := errors.Join(events, findings); err != nil {
		return fmt.Errorf("messages for NATS are held up: %w", err)
	}
	return nil
}

// Stats is a publisher's account. Of Accepted, Forwarded, InFlight and
// Dropped, which count events (each stands for one input record; the pieces
// that were joined to that one are counted where they were joined),
//
//	Accepted = Forwarded + InFlight + Dropped.Refused + Dropped.Closed
//
// holds in every Stats. Forwarded and Dropped are read at one instant, under
// the courier's lock; Accepted, which only grows, after them; InFlight is the
// difference: what waits in packs or for its acknowledgement.
type Stats struct {
	Accepted  int64
	Forwarded int64
	InFlight  int64
	Dropped   Dropped

	Findings        int64 // findings stored
	DroppedFindings int64
	HostPaths       int64 // states of hosts' log paths stored
	Packs           int64 // packs sent
	Events          int64 // events in them
	Bytes           int64 // of them, before compression
	SentBytes       int64 // of packs and findings as they were stored

	Unacknowledged int64         // messages waiting for their acknowledgement
	Oldest         time.Duration // how long the oldest of them waits
	Latency        Histogram     // from handing over to acknowledgement
	Redelivered    int64         // messages sent again
	Duplicates     int64         // messages that JetStream knew already
	ReadBack       int64         // messages found stored whose acknowledgement was lost
	Stalls         int64         // times that Add or Finding waited for room
	Troubles       int64         // refusals, lost connections, overdue acknowledgements
}

// Dropped counts events that are lost, by reason.
type Dropped struct {
	Refused int64 // the server refused the event for good
	Closed  int64 // not acknowledged when the publisher was closed
}

// Stats reads the account.
func (p *Publisher) Stats() Stats {
	now := time.Now()
	ev, age, _ := p.events.snapshot(now)
	fi, findingAge, _ := p.findings.snapshot(now)
	s := Stats{
		Forwarded:       ev.Stored.Events,
		Dropped:         Dropped{Refused: ev.Refused.Events, Closed: ev.Abandoned.Events},
		Findings:        fi.Stored.Events,
		DroppedFindings: fi.Refused.Events + fi.Abandoned.Events,
		HostPaths:       fi.Stored.Messages - fi.Stored.Events,
		Packs:           p.packs.Load(),
		Events:          p.packEvents.Load(),
		Bytes:           p.packBytes.Load(),
		SentBytes:       ev.Stored.Bytes + fi.Stored.Bytes,
		Unacknowledged:  ev.InFlight.Messages + fi.InFlight.Messages,
		Oldest:          max(age, findingAge),
		Latency:         ev.Latency,
		Redelivered:     ev.Redelivered + fi.Redelivered,
		Duplicates:      ev.Duplicates + fi.Duplicates,
		ReadBack:        ev.ReadBack + fi.ReadBack,
		Stalls:          ev.Stalls + fi.Stalls,
		Troubles:        ev.Troubles + fi.Troubles,
	}
	s.Latency.add(fi.Latency)
	s.Accepted = p.accepted()
	s.InFlight = s.Accepted - s.Forwarded - s.Dropped.Refused - s.Dropped.Closed
	return s
}

func (p *Publisher) accepted() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.packers {
		n += k.taken.Load()
	}
	return n
}
