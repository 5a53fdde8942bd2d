package app

import (
	"context"
	"strconv"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/ingest"
)

// telemetry is the first half of the pipeline for what comes in by the stream
// VEGRESS_INGEST, over NATS or HTTP:
//
//	message -> records -> decoder of its source and machine -> event.Event -> enriched -> its entity's shard
//
// A message is acknowledged when all events that it is part of are: what was
// not is read again after a crash, and has the same uids then.
type telemetry struct {
	*collector
	decoding *decoding
	parcel   *parcel
}

// itsMessage is the message that a machine's records come in.
type itsMessage struct {
	uid   string
	told  int            // events of it
	claim *forward.Claim // of its events; nil: the rounds'
}

func newTelemetry(c *collector) *telemetry {
	t := &telemetry{collector: c, parcel: newParcel(len(c.shards))}
	t.decoding = newDecoding(&c.ledger, c.maxSkew, decodersBytes, endpoint.TableOptions{}, t.take)
	return t
}

// Message implements ingest.Handler.
func (t *telemetry) Message(m *ingest.Message) {
	t.gate.RLock()
	defer t.gate.RUnlock()
	of := t.sources.named(m.Source)
	if of == nil {
		of = t.sources.named(sourceJSON)
	}
	from := t.decoding.machine(of, m.Host)
	from.account.uid, from.account.told = m.UID, 0
	received := t.clock.at(m.Received)
	if of.joins {
		from.rounds.hold(m, received)
		t.decoding.holding[from] = struct{}{}
	} else {
		from.account.claim = forward.NewClaim(m.Done)
	}
	record := endpoint.Record{Host: m.Host, Received: received}
	if m.Err != nil {
		t.ledger.received.Add(1)
		record.Text = string(m.Body)
		t.decoding.refuse(from, record, m.Err)
	} else {
		n := 0
		for text := range m.Records() {
			if n++; n%breatheEvery == 0 {
				t.breathe()
			}
			t.ledger.received.Add(1)
			record.Text = string(text)
			t.decoding.decode(from, record)
		}
	}
	t.send()
	if !of.joins {
		from.account.claim.Release()
		from.account.claim = nil
	}
}

// breatheEvery is after how many records of a message a reload may come between.
const breatheEvery = 256

// breathe lets a reload come in, behind what was decoded until then.
func (t *telemetry) breathe() {
	t.send()
	t.gate.RUnlock()
	t.gate.RLock()
}

// take puts an event into the parcel of its claim.
func (t *telemetry) take(from *machine, ev *event.Event) {
	claim := from.account.claim
	if from.source.joins {
		claim = from.rounds.account()
	}
	if t.parcel.full() || t.parcel.used > 0 && t.parcel.claim != claim {
		t.send()
	}
	if t.parcel.used == 0 {
		t.parcel.claimed(claim)
	}
	own := t.parcel.next()
	own.Take(ev)
	own.UID = from.account.uid + "-" + strconv.Itoa(from.account.told)
	from.account.told++
	t.enrich(own)
	t.parcel.route()
}

// send queues what was decoded.
func (t *telemetry) send() {
	t.parcel.send(t.shards)
	t.parcel = newParcel(len(t.shards))
}

// Beat implements ingest.Handler.
func (t *telemetry) Beat(now time.Time) {
	t.gate.RLock()
	defer t.gate.RUnlock()
	t.decoding.beat(now)
	t.send()
}

// close lets go of everything that is held.
func (t *telemetry) close() {
	t.gate.RLock()
	defer t.gate.RUnlock()
	t.decoding.flush()
	t.send()
}

// openIngest makes the ways into VEGRESS_INGEST and out of it.
func (a *App) openIngest(context.Context) error {
	access, err := a.config.Ingest.Open()
	if err != nil {
		return err
	}
	// A connection of its own: what is fetched must not hold up the answers that
	// the publisher waits for.
	if a.intake, err = forward.Connect(a.broker, a.log); err != nil {
		return err
	}
	a.onStop("nats connection of telemetry", func(context.Context) error { a.intake.Close(); return nil })
	if a.reader, err = ingest.NewReader(a.intake, a.config.Collector, a.log.With("component", "ingest")); err != nil {
		return err
	}
	a.telemetry = newTelemetry(a.collector)
	if !a.config.Ingest.HTTP || a.config.Listen.HTTP == "" {
		return nil
	}
	a.sending, err = ingest.NewHTTP(a.intake, a.collector.sources.names(), access)
	return err
}
