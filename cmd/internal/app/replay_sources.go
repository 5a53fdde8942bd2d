package app

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward/ingest"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// Sources of replay beside those of telemetry, and beside sourceIPFIX.
const (
	sourceAuto   = "auto"
	sourceSyslog = "syslog"
	sourcePcap   = "pcap"
)

// replaySources are all values of --source.
func replaySources() []string {
	return append([]string{sourceAuto, sourceSyslog, sourceIPFIX, sourcePcap}, newSources().names()...)
}

// maxReplayed bounds a record in a file, in bytes. A longer one is cut.
const maxReplayed = 16 << 20

// openSource makes what the files of a source need.
func (r *replayer) openSource(name string) {
	r.sources = newSources()
	r.named, r.auto, r.capture = r.sources.named(name), name == sourceAuto, name == sourcePcap
	r.carried = newCarried(&r.ledger, 0, decodersBytes, func(ev *event.Event) {
		own := new(event.Event)
		own.Take(ev)
		r.wait(own)
	})
	r.decoding = newDecoding(&r.ledger, 0, decodersBytes, endpoint.TableOptions{}, func(_ *machine, ev *event.Event) { r.own(ev) })
	if name == sourceIPFIX {
		r.flows = ipfix.New(ipfix.Options{Replay: true})
	}
}

// own keeps an event of telemetry. One without a time has that of the one
// before it.
func (r *replayer) own(ev *event.Event) {
	own := new(event.Event)
	own.Take(ev)
	if own.Time.IsZero() {
		own.Time = r.latest
	}
	r.latest = own.Time
	r.wait(own)
}

// read runs what a file holds through.
func (r *replayer) read(ctx context.Context, in input) error {
	of, capture := r.named, r.capture
	if r.auto {
		first, _ := in.Peek(peekBytes) // the rest, or why there is none, shows when it is read
		switch name := recognize(first); name {
		case sourcePcap:
			capture = true
		default:
			of = r.sources.named(name)
		}
	}
	switch {
	case r.flows != nil:
		return r.messages(ctx, in)
	case capture:
		return r.packets(ctx, in)
	case of != nil:
		return r.telemetry(ctx, in, of)
	}
	return r.records(ctx, in)
}

// telemetry runs the records of a source through. Each file has a decoder of
// its own, but where records belong to others that may stand in the next.
func (r *replayer) telemetry(ctx context.Context, in io.Reader, of *origin) error {
	key := machineKey{source: of}
	if !of.joins {
		key.log = filepath.Base(r.source)
	}
	cutter := ingest.Cutter{Limit: maxReplayed}
	scanner := cutter.Scanner(in)
	for scanner.Scan() {
		if len(scanner.Bytes()) == 0 {
			continue
		}
		r.next()
		r.decoding.decode(r.decoding.find(key), endpoint.Record{Text: scanner.Text()})
		r.release(r.ordinal)
		if err := errors.Join(r.failed, ctx.Err()); err != nil {
			return err
		}
	}
	return scanner.Err()
}

// next begins a record that is no syslog.
func (r *replayer) next() {
	r.ordinal++
	r.ledger.received.Add(1)
	r.pieces.Rest(recordTime(r.ordinal), r.message)
	r.place, r.told = r.ordinal, 0
}

// packets runs a packet capture through. An event is a record in the account.
func (r *replayer) packets(ctx context.Context, in io.Reader) error {
	capture, err := network.NewPcap(in, network.PcapOptions{})
	if err != nil {
		return err
	}
	for {
		err := capture.Next(func(ev *event.Event) {
			r.next()
			r.own(ev)
			r.release(r.ordinal)
		})
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := errors.Join(r.failed, ctx.Err()); err != nil {
			return err
		}
	}
}

// sourceSummary is what replay says of a source of telemetry.
type sourceSummary struct {
	Records   int64 `json:"records"`
	Undecoded int64 `json:"undecoded"` // no event of it: forwarded as Base Event
}

func (r *replayer) countSources(s *replaySummary) {
	for _, of := range r.sources.list {
		if n := of.records.Load(); n > 0 {
			if s.Sources == nil {
				s.Sources = map[string]sourceSummary{}
			}
			s.Sources[of.name] = sourceSummary{Records: n, Undecoded: of.undecoded.Load()}
		}
	}
}
