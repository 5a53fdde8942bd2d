package ipfix_test

import (
	"bytes"
	"testing"

	"github.com/netsampler/goflow2/v2/decoders/netflow"

	"github.com/vegress/vegress/simulator"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// messages is the simulated night's flows.
func messages(tb testing.TB, o simulator.FlowOptions) (*simulator.Flows, []simulator.FlowPacket) {
	tb.Helper()
	site, err := simulator.NewSite(simulator.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	flows := site.Traffic().Flows(o)
	var all []simulator.FlowPacket
	for p := range flows.Packets() {
		all = append(all, p)
	}
	return flows, all
}

// TestSameAsGoflow2 decodes the simulated night by both decoders: the same
// records, byte for byte. goflow2's is the one that many others use.
func TestSameAsGoflow2(t *testing.T) {
	_, packets := messages(t, simulator.FlowOptions{})
	others := map[int]netflow.NetFlowTemplateSystem{}
	ours := ipfix.New(ipfix.Options{Replay: true})
	for i, p := range packets {
		if others[p.Exporter] == nil {
			others[p.Exporter] = netflow.CreateTemplateSystem()
		}
		want := byGoflow2(t, others[p.Exporter], p.Data)
		var got [][]byte
		before := ours.Stats().Deduplicated
		ours.Decode(ipfix.Message{Data: string(p.Data), Peer: peerOf(p)}, func(r *ipfix.Record) { got = append(got, []byte(r.Raw)) })
		if n := len(got) + int(ours.Stats().Deduplicated-before); n != len(want) {
			t.Fatalf("message %d: %d records, goflow2 has %d", i, n, len(want))
		}
		for _, raw := range got { // second reports are not among them
			for len(want) > 0 && !bytes.Equal(raw, want[0]) {
				want = want[1:]
			}
			if len(want) == 0 {
				t.Fatalf("message %d: record %x is none of goflow2's", i, raw)
			}
			want = want[1:]
		}
	}
}

// byGoflow2 gives the records of a message, the values of each in a row.
func byGoflow2(tb testing.TB, templates netflow.NetFlowTemplateSystem, data []byte) (records [][]byte) {
	tb.Helper()
	var v9 netflow.NFv9Packet
	var v10 netflow.IPFIXPacket
	if err := netflow.DecodeMessageVersion(bytes.NewBuffer(data), templates, &v9, &v10); err != nil {
		tb.Fatal(err)
	}
	for _, set := range append(v9.FlowSets, v10.FlowSets...) {
		flows, ok := set.(netflow.DataFlowSet)
		if !ok {
			continue
		}
		for _, r := range flows.Records {
			var raw []byte
			for _, v := range r.Values {
				value := v.Value.([]byte)
				if v.PenProvided && v.Type == 961 { // says its length itself
					raw = append(raw, byte(len(value)))
				}
				raw = append(raw, value...)
			}
			records = append(records, raw)
		}
	}
	return records
}

func benchmarkGoflow2(b *testing.B, packets []simulator.FlowPacket) {
	systems := map[int]netflow.NetFlowTemplateSystem{}
	for _, p := range packets {
		if systems[p.Exporter] == nil {
			systems[p.Exporter] = netflow.CreateTemplateSystem()
		}
	}
	b.ReportAllocs()
	for records := 0; records < b.N; {
		for _, p := range packets {
			var v9 netflow.NFv9Packet
			var v10 netflow.IPFIXPacket
			if err := netflow.DecodeMessageVersion(bytes.NewBuffer(p.Data), systems[p.Exporter], &v9, &v10); err != nil {
				b.Fatal(err)
			}
			for _, set := range append(v9.FlowSets, v10.FlowSets...) {
				if flows, ok := set.(netflow.DataFlowSet); ok {
					records += len(flows.Records)
				}
			}
		}
	}
}
