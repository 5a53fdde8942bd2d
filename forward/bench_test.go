package forward_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

// cpu is what this process has used so far, client and server together.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEncode is the part of Pack and Publish that package event has.
func BenchmarkEncode(b *testing.B) {
	ev := flow(1)
	ev.UID = "esx01-abcdefghij-12345-123"
	buf := ev.AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = ev.AppendJSON(buf[:0])
	}
}

// BenchmarkPublish is the whole way of an event of about 600 bytes: uid, pack,
// publish, store, acknowledgement. cpu-ns/event is of the whole process.
func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct {
		per         int
		compression string
		durability  string
	}{
		{1, "none", "balanced"},
		{10, "none", "balanced"},
		{100, "none", "balanced"},
		{100, "snappy", "balanced"},
		{100, "zstd", "balanced"},
		{100, "none", "strict"},
		{500, "none", "balanced"},
	} {
		b.Run(fmt.Sprintf("events=%d/%s/%s", c.per, c.compression, c.durability), func(b *testing.B) {
			benchmarkPublish(b, c.per, forward.Options{Compression: c.compression, Events: forward.Limit{MaxBytes: 256 << 20}}, broker.Options{Durability: c.durability})
		})
	}
}

func benchmarkPublish(b *testing.B, per int, o forward.Options, bo broker.Options) {
	s := newServer(b, bo)
	nc := s.connect()
	ensure(b, nc, o)
	pub, k := publisher(b, nc, o)
	evs := make([]*event.Event, 512)
	for i := range evs {
		evs[i] = flow(i)
		evs[i].Src.Context = event.Context{Via: event.ViaIP, State: event.StateLive, VM: &event.VM{
			VCenter: "vc1", Name: fmt.Sprintf("vm%d", i), Host: "esx01",
		}}
	}
	size := len(evs[0].AppendJSON(nil))
	b.SetBytes(int64(size))
	b.ReportAllocs()
	start, n := cpu(b), 0
	for b.Loop() {
		ev := evs[n%len(evs)]
		ev.UID = ""
		k.Stamp(ev)
		if err := k.Add(ev); err != nil {
			b.Fatal(err)
		}
		if n++; n%per == 0 {
			k.Flush()
		}
	}
	k.Flush()
	if err := pub.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpu(b)-start)/float64(n), "cpu-ns/event")
	b.ReportMetric(float64(pub.Stats().Events)/float64(pub.Stats().Packs), "events/pack")
	b.ReportMetric(float64(size), "B/event")
}

// BenchmarkPack is uid and packing, encoding included, without a server: the
// publisher is closed, so packs end there.
func BenchmarkPack(b *testing.B) {
	s := newServer(b, broker.Options{})
	nc := s.connect()
	ensure(b, nc, forward.Options{})
	pub, k := publisher(b, nc, forward.Options{})
	if err := pub.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	ev := flow(1)
	b.ReportAllocs()
	for b.Loop() {
		ev.UID = ""
		k.Stamp(ev)
		_ = k.Add(ev)
	}
}
