package network_test

import (
	"bytes"
	"io"
	"net/netip"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/event"
)

// clientOf is one of many clients.
func clientOf(i int) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 50123).String()
}

func FuzzPcap(f *testing.F) {
	f.Add(sampleCapture(f, 1).file.Bytes())
	ng := newWire(f, true)
	ng.udp("[2001:db8:1::5]:40000", "[2001:db8::53]:53", dnsMessage(f, "www.example.com"))
	ng.connect("10.0.1.15:50123", "203.0.113.40:80").say(true, []byte("GET /a HTTP/1.1\r\nHost: www.example.com\r\n\r\n"), 9)
	if err := ng.ng.Flush(); err != nil {
		f.Fatal(err)
	}
	f.Add(ng.file.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := network.NewPcap(bytes.NewReader(file), network.PcapOptions{MaxFlows: 8, MaxBuffered: 4096})
		if err != nil {
			return
		}
		var packets int64
		for err == nil {
			err = p.Next(func(ev *event.Event) {
				packets += ev.Traffic.PacketsIn + ev.Traffic.PacketsOut
				if ev.Traffic.BytesIn < 0 || ev.Traffic.BytesOut < 0 || len(ev.Dst.Hostname) > 256 {
					t.Errorf("an event that cannot be: %+v", ev)
				}
				if _, err := ev.Time.MarshalJSON(); err != nil {
					t.Error(err)
				}
			})
			if s := p.Stats(); s.Flows > 8 {
				t.Fatalf("%d flows", s.Flows)
			}
		}
		s := p.Stats()
		if s.Flows != 0 || packets > s.Packets || s.Packets > int64(len(file)) {
			t.Errorf("%d packets in flows, stats %+v", packets, s)
		}
	})
}

func BenchmarkPcap(b *testing.B) {
	w := sampleCapture(b, 1000)
	file := w.file.Bytes()
	_, stats, err := readCapture(b, file, network.PcapOptions{})
	if err != io.EOF {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := network.NewPcap(bytes.NewReader(file), network.PcapOptions{})
		for err == nil {
			err = p.Next(func(*event.Event) {})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(stats.Packets), "ns/packet")
	b.ReportMetric(float64(stats.Packets), "packets")
}
