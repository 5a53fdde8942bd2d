package app

import (
	"net/netip"
	"testing"
	"time"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/simulator"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// BenchmarkFlowWay is BenchmarkWay for flow records: from the datagrams of a
// simulated night to the enriched event, and whole on to its JSON. bytes and
// allocations are for each record.
func BenchmarkFlowWay(b *testing.B) {
	estate, vcenter := openEstate(b)
	config, err := configs.Load(write(b, "vegress.yaml", vcenter+estate.Site.Config()), map[string]any{"data_dir": b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	known, err := inventory.Collect(b.Context(), inventory.Options{VCenters: config.VCenters, Roles: config.Roles})
	if err != nil {
		b.Fatal(err)
	}
	p, err := compile(&config)
	if err != nil {
		b.Fatal(err)
	}
	flows := estate.Site.Traffic().Flows(simulator.FlowOptions{Gather: time.Hour})
	batches := flowBatches(flows)
	for _, name := range []string{"collect", "whole"} {
		b.Run(name, func(b *testing.B) {
			sh := benchShard(b, p)
			c := &flowCollector{collector: newCollector([]*shard{sh}, known.Enrich, time.Hour, clock{}), options: ipfix.Options{Replay: true}}
			w := &way{shard: sh, analyze: name == "whole"}
			night := func() (records int) {
				session := c.Open(server.Source{Transport: "udp"}) // a decoder that has not seen them
				for _, batch := range batches {
					session.Lines(batch)
					w.drain()
				}
				records = int(c.stats().Received)
				c.decoders = nil
				return records
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				n += night()
			}
		})
	}
}

// flowBatches is the datagrams of flows as a socket gives them, a few at a
// time.
func flowBatches(flows *simulator.Flows) (all []*server.Batch) {
	const together = 4
	batch := &server.Batch{Received: time.Now()}
	for p := range flows.Packets() {
		batch.Lines = append(batch.Lines, server.Line{Text: string(p.Data), Peer: netip.AddrPortFrom(p.Source, 49152)})
		if len(batch.Lines) == together {
			all, batch = append(all, batch), &server.Batch{Received: time.Now()}
		}
	}
	return append(all, batch)
}
