package app

import (
	"sync"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
	"github.com/vegress/vegress/vsphere/proxy"
	"github.com/vegress/vegress/vsphere/resolver"
	"github.com/vegress/vegress/vsphere/vcenter"
)

// The way of a line has two halves, joined by one queue for each shard:
//
//	collect: record -> syslog.Message -> whole message -> event.Event -> enriched -> its entity's shard
//	analyze: uid -> names, services -> verdict, findings -> pack -> NATS
//
// collect runs in the goroutine of the connection, analyze in the shard's
// (shard.go). The queues are bounded and block, so that a slow disk reaches
// the TCP sender, and a UDP socket's buffer.

// collector makes enriched events of what the listeners receive, and sends
// each to the shard of the entity that acts in it.
type collector struct {
	decoder *vsphere.Decoder
	sources *sources // of telemetry, where a message carries a record of one
	maxSkew time.Duration
	enrich  func(*event.Event)
	shards  []*shard
	ledger  ledger
	clock   clock

	pieceWait time.Duration // see Options.PieceWait

	// gate keeps a batch whole against a reload: it is held for reading from
	// the batch's first enrichment until its events are queued, so that no
	// event is enriched by one policy and judged by another.
	gate sync.RWMutex
}

func newCollector(shards []*shard, enrich func(*event.Event), maxSkew time.Duration, c clock) *collector {
	return &collector{
		decoder: newDecoder(vsphere.Options{MaxSkew: maxSkew}), sources: newSources(), maxSkew: maxSkew,
		enrich: enrich, shards: shards, clock: c,
	}
}

// newDecoder knows the programs of hosts, of vCenter, of DNS resolvers and of
// HTTP proxies.
func newDecoder(o vsphere.Options) *vsphere.Decoder {
	programs := vsphere.Programs(esxi.Recognizers(), vcenter.Recognizers(), resolver.Recognizers(), proxy.Recognizers())
	return vsphere.NewDecoder(programs, o)
}

// udpPieces bounds what waits for its other pieces at one UDP socket, which
// all hosts share, in bytes.
const udpPieces = 16 << 20

// Open starts the way of one connection, or of one UDP socket.
func (c *collector) Open(src server.Source) server.Session {
	s := &collecting{collector: c, carriedBytes: sessionBytes}
	s.pieces.Wait = c.pieceWait
	if src.Transport == "udp" {
		s.pieces.MaxBytes, s.carriedBytes = udpPieces, decodersBytes
	}
	s.decode = s.decodeMessage
	return s
}

// collecting is the first half of the pipeline for one connection.
type collecting struct {
	*collector
	parser syslog.Parser
	pieces syslog.Assembler
	msg    syslog.Message
	parcel *parcel
	decode func(*syslog.Message)

	carried      *carried // records of endpoints; nil: none came yet
	carriedBytes int64    // bounds its decoders
}

// Lines takes a batch from its records to the shards' queues.
func (c *collecting) Lines(b *server.Batch) time.Duration {
	c.parser.Reference = c.clock.at(b.Received)
	c.ledger.received.Add(int64(len(b.Lines)))
	return c.send(func() time.Duration {
		for i := range b.Lines {
			c.line(&b.Lines[i], b.Received)
		}
		return c.rest(b.Received)
	})
}

func (c *collecting) line(line *server.Line, received time.Time) {
	c.msg.Truncated = line.Truncated // Parse only switches it on
	c.parser.Parse(line.Text, &c.msg)
	c.msg.Peer, c.msg.Received = line.Peer, received
	c.pieces.Add(&c.msg, c.decode)
}

// Idle lets go of what others belong to that did not come in time.
func (c *collecting) Idle(now time.Time) time.Duration {
	return c.send(func() time.Duration { return c.rest(now) })
}

func (c *collecting) rest(now time.Time) time.Duration {
	return sooner(c.pieces.Rest(now, c.decode), c.carried.beat(now))
}

// sooner is the shorter of two waits, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// Close lets go of everything that is still held.
func (c *collecting) Close() {
	c.send(func() time.Duration {
		c.pieces.Flush(c.decode)
		c.carried.flush()
		return 0
	})
}

// send runs work with the gate held, and queues what it decoded.
func (c *collecting) send(work func() time.Duration) time.Duration {
	c.gate.RLock()
	defer c.gate.RUnlock()
	c.parcel = newParcel(len(c.shards))
	before := c.pieces.Stats()
	wait := work()
	c.ledger.pieces(before, c.pieces.Stats())
	c.parcel.send(c.shards)
	return wait
}

// decodeMessage takes a whole message to its place in the parcel. Pieces wait
// by the wall's clock; from here on, time is the events'.
func (c *collecting) decodeMessage(m *syslog.Message) {
	c.ledger.message(m)
	m.Received = c.clock.at(m.Received)
	if of, record := c.sources.inSyslog(m); of != nil {
		c.carry(of, record, m)
		return
	}
	c.decoder.Decode(m, c.parcel.next())
	c.place()
}

// carry takes a message that carries a record of an endpoint.
func (c *collecting) carry(of *origin, record string, m *syslog.Message) {
	if c.carried == nil {
		c.carried = newCarried(&c.ledger, c.maxSkew, c.carriedBytes, func(ev *event.Event) {
			c.parcel.next().Take(ev)
			c.place()
		})
	}
	c.carried.decode(of, record, m)
}

// place takes the event at the parcel's end to its shard.
func (c *collecting) place() {
	c.enrich(&c.parcel.events[c.parcel.used-1])
	c.parcel.route()
	if c.parcel.full() {
		c.parcel.send(c.shards)
		c.parcel = newParcel(len(c.shards))
	}
}
