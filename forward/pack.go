package forward

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/event"
)

// Headers of packs and findings.
const (
	headerType     = "Content-Type"
	headerEncoding = "Content-Encoding"
	headerOCSF     = "Ocsf-Version"
	headerCount    = "Event-Count"
	headerTimeMin  = "Time-Min"
	headerTimeMax  = "Time-Max"
)

const (
	typeNDJSON = "application/x-ndjson"
	typeJSON   = "application/json"
)

// minCompressed is the size of a pack from which compression pays.
const minCompressed = 256

// Packer collects the events of one shard into packs, one for each class and
// partition. It is used from one goroutine; no lock is on the way of an event.
// What is handed to it goes on when a pack is full, when Tick finds it old
// enough, or by Flush.
type Packer struct {
	pub    *Publisher
	codec  compressor
	packs  map[packKey]*pack
	recent *pack        // of the latest event: the next is often like it
	now    time.Time    // of the last Tick
	claim  *Claim       // of what is handed over now; nil: of nobody
	taken  atomic.Int64 // events, by Add; written by the packer's goroutine only
}

type packKey struct {
	class     event.Class
	partition uint32
}

// pack is what is collected for one subject.
type pack struct {
	key      packKey
	subject  string
	msg      *message // nil until the first event
	id       string
	given    int    // uids that were given out for the open pack
	uids     string // the next of them, ready made
	last     int    // bytes of the latest event
	opened   time.Time
	min, max time.Time
}

// Stamp gives ev its uid, "<collector>-<boot>-<seq>-<n>", of which the first
// three are the Nats-Msg-Id of the pack that is open for it. An event that has
// a uid keeps it.
func (p *Packer) Stamp(ev *event.Event) {
	if ev.UID == "" {
		ev.UID = p.pack(ev).nextUID(p.pub)
	}
}

// Add takes ev for good; of ev itself nothing is kept. One that encodes to more
// than 512 KiB is cut, which its member unmapped.cut_from_bytes says. It blocks while too
// much is not acknowledged. After Close of the publisher it drops ev, counted,
// and says ErrClosed.
func (p *Packer) Add(ev *event.Event) error {
	k := p.pack(ev)
	p.taken.Add(1)
	if k.msg == nil {
		k.msg = p.pub.newMessage()
		k.opened, k.min, k.max = p.now, ev.Time, ev.Time
	}
	k.append(ev)
	m := k.msg
	m.claimed(p.claim)
	if m.events >= PackEvents || len(m.Data)+k.last > PackBytes {
		return p.seal(k)
	}
	return nil
}

func (k *pack) append(ev *event.Event) {
	m := k.msg
	before := len(m.Data)
	m.Data = append(appendEvent(m.Data, ev), '\n')
	k.last = len(m.Data) - before
	m.events++
	if ev.Time.Before(k.min) {
		k.min = ev.Time
	}
	if ev.Time.After(k.max) {
		k.max = ev.Time
	}
}

// Tick sends the packs that are older than Linger. A pack's age counts from
// the Tick before its first event.
func (p *Packer) Tick(now time.Time) {
	p.now = now
	for _, k := range p.packs {
		if k.msg != nil && now.Sub(k.opened) >= Linger {
			_ = p.seal(k) // what Close cuts off is counted
		}
	}
}

// Flush sends all packs. Publisher.Flush waits for them to be stored.
func (p *Packer) Flush() {
	for _, k := range p.packs {
		if k.msg != nil {
			_ = p.seal(k)
		}
	}
}

// Finding sends one revision of a finding, as Publisher.Finding does.
func (p *Packer) Finding(f *event.Finding) error { return p.pub.finding(f, p.claim) }

// pack finds the pack for ev.
func (p *Packer) pack(ev *event.Event) *pack {
	key := packKey{class: ev.WireClass()}
	if n := p.pub.opts.Partitions; n > 1 {
		var entity [128]byte
		key.partition = partition(ev.AppendEntity(entity[:0]), n)
	}
	if p.recent != nil && p.recent.key == key {
		return p.recent
	}
	k := p.packs[key]
	if k == nil {
		k = &pack{key: key, subject: p.pub.eventSubject(key)}
		p.packs[key] = k
	}
	p.recent = k
	return k
}

// partition is the one that nats-server's partition() gives for an entity in
// its wire form: FNV-1a of 32 bits.
func partition(entity []byte, partitions int) uint32 {
	const offset, prime = 2166136261, 16777619
	h := uint32(offset)
	for _, c := range entity {
		h = (h ^ uint32(c)) * prime
	}
	return h % uint32(partitions)
}

// How many uids are made at once: few in a pack that may never fill.
const (
	minUIDs = 4
	maxUIDs = 64
)

// nextUID cuts the next uid from a string that holds several: one allocation
// for as many as the pack has events already.
func (k *pack) nextUID(pub *Publisher) string {
	if k.id == "" {
		k.id, k.given, k.uids = pub.nextID(), 0, ""
	}
	n := len(k.id) + 1 + digits(k.given)
	if len(k.uids) < n {
		k.uids = k.moreUIDs()
	}
	uid := k.uids[:n]
	k.uids = k.uids[n:]
	k.given++
	return uid
}

func (k *pack) moreUIDs() string {
	count := min(max(k.given, minUIDs), maxUIDs)
	b := make([]byte, 0, count*(len(k.id)+1+digits(k.given+count)))
	for i := k.given; i < k.given+count; i++ {
		b = append(b, k.id...)
		b = append(b, '-')
		b = strconv.AppendInt(b, int64(i), 10)
	}
	return string(b)
}

func digits(n int) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}

// seal closes the pack of k and sends it.
func (p *Packer) seal(k *pack) error {
	m := k.msg
	if k.id == "" { // its events have uids of their own
		k.id = p.pub.nextID()
	}
	m.id, m.Subject = k.id, k.subject
	k.msg, k.id = nil, ""
	p.pub.packs.Add(1)
	p.pub.packEvents.Add(int64(m.events))
	p.pub.packBytes.Add(int64(len(m.Data)))
	m = p.shrink(m)
	m.setPackHeader(k.min, k.max)
	return p.pub.events.send(m)
}

// shrink compresses m into another message's memory, if that is wanted.
func (p *Packer) shrink(m *message) *message {
	if p.codec == nil || len(m.Data) < minCompressed {
		delete(m.Header, headerEncoding)
		return m
	}
	small := p.pub.newMessage()
	small.Data = p.codec.compress(small.Data, m.Data)
	small.id, small.Subject, small.events = m.id, m.Subject, m.events
	small.claims, m.claims = m.claims, small.claims
	small.Header[headerEncoding] = []string{p.codec.encoding()}
	p.pub.release(m)
	return small
}

func (m *message) setPackHeader(first, last time.Time) {
	m.set(nats.MsgIdHdr, m.id)
	m.set(headerType, typeNDJSON)
	m.set(headerOCSF, event.OCSFVersion)
	m.set(headerCount, strconv.Itoa(m.events))
	m.set(headerTimeMin, first.UTC().Format(time.RFC3339Nano))
	m.set(headerTimeMax, last.UTC().Format(time.RFC3339Nano))
}

// set writes a header in place: a message's header map is used again.
func (m *message) set(key, value string) {
	if list := m.Header[key]; len(list) == 1 {
		list[0] = value
		return
	}
	m.Header[key] = []string{value}
}

// messagePool keeps the memory of packs that were acknowledged.
type messagePool struct{ pool sync.Pool }

// A message begins small and grows to what its packs need: most classes and
// partitions never fill one. What grew beyond maxPooled is left to the
// collector.
const (
	firstBytes = 64 << 10
	maxPooled  = 2 * PackBytes
)

func (p *messagePool) get() *message {
	if m, ok := p.pool.Get().(*message); ok {
		return m
	}
	return &message{Msg: nats.Msg{Header: nats.Header{}, Data: make([]byte, 0, firstBytes)}}
}

func (p *messagePool) put(m *message) {
	if cap(m.Data) > maxPooled {
		return
	}
	*m = message{Msg: nats.Msg{Header: m.Header, Data: m.Data[:0]}, claims: m.claims[:0]}
	p.pool.Put(m)
}
