package app

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// flowCollector is the first half of the pipeline for exported flows:
//
//	datagram -> ipfix.Record -> event.Event -> enriched -> its entity's shard
type flowCollector struct {
	*collector
	options  ipfix.Options
	exporter func(netip.AddrPort) netip.AddrPort // see Options.Exporter
	log      *slog.Logger

	mu       sync.Mutex
	decoders []*ipfix.Decoder // one for each socket
}

// Open starts the way of one socket.
func (c *flowCollector) Open(server.Source) server.Session {
	s := &flowing{flowCollector: c, decoder: ipfix.New(c.options)}
	s.take = s.record
	c.mu.Lock()
	defer c.mu.Unlock()
	c.decoders = append(c.decoders, s.decoder)
	return s
}

// stats sums up what the decoders counted; a nil flowCollector has none.
func (c *flowCollector) stats() (sum ipfix.Stats) {
	if c == nil {
		return sum
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.decoders {
		sum.Add(d.Stats())
	}
	return sum
}

// flowing is a flowCollector at work for one socket.
type flowing struct {
	*flowCollector
	decoder *ipfix.Decoder
	parcel  *parcel
	take    func(*ipfix.Record)
	noticed time.Time // when losses were last logged
}

// Lines takes a batch of datagrams to the shards' queues.
func (f *flowing) Lines(b *server.Batch) time.Duration {
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.parcel = newParcel(len(f.shards))
	received := f.clock.at(b.Received)
	for i := range b.Lines {
		m := ipfix.Message{Data: b.Lines[i].Text, Peer: b.Lines[i].Peer, Received: received}
		if f.exporter != nil {
			m.Peer = f.exporter(m.Peer)
		}
		f.decoder.Decode(m, f.take)
	}
	f.parcel.send(f.shards)
	f.notice(b.Received)
	return f.decoder.Wait()
}

func (f *flowing) record(r *ipfix.Record) {
	ev := f.parcel.next()
	r.Fill(ev)
	f.enrich(ev)
	f.parcel.route()
	if f.parcel.full() {
		f.parcel.send(f.shards)
		f.parcel = newParcel(len(f.shards))
	}
}

// Idle gives up what waited too long for its template.
func (f *flowing) Idle(now time.Time) time.Duration { return f.decoder.Idle(f.clock.at(now)) }

// Close gives up all that waits.
func (f *flowing) Close() { f.decoder.Close() }

// How often losses are logged, and of how many exporters at a time.
const (
	lossEvery = time.Minute
	lossNames = 5
)

// notice logs who lost flows on the way here: the metrics have only their sum.
func (f *flowing) notice(now time.Time) {
	if now.Sub(f.noticed) < lossEvery {
		return
	}
	f.noticed = now
	for _, l := range f.decoder.Losses(lossNames) {
		f.log.Warn("flows of an exporter were lost before they came here",
			"exporter", l.Exporter, "domain", l.Domain, "lost", l.Lost)
	}
}
