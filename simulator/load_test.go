package simulator_test

import (
	"context"
	"testing"
	"time"

	"github.com/vegress/vegress/simulator"
)

func TestLoadDeliversWhatItCounts(t *testing.T) {
	for _, scenario := range []string{simulator.ScenarioMix, simulator.ScenarioFirewall, simulator.ScenarioStories} {
		t.Run(scenario, func(t *testing.T) {
			sink := listenTCP(t, nil)
			const n = 20_001
			got, err := simulator.Load(t.Context(), simulator.LoadOptions{
				Target: "tcp://" + sink.addr, Connections: 3, Count: n, Scenario: scenario, Hosts: 4,
			})
			if err != nil {
				t.Fatal(err)
			}
			lines := sink.wait(t)
			if int64(len(lines)) != n || got.Records != n {
				t.Errorf("%d lines arrived, %d counted, want %d", len(lines), got.Records, n)
			}
			if got.Bytes != sink.bytes || got.Errors+got.Resent+got.InDoubt != 0 {
				t.Errorf("counts %+v, but %d bytes arrived", got, sink.bytes)
			}
			for _, line := range lines {
				if at, ok := timeOf(line); !ok || time.Since(at).Abs() > time.Minute {
					t.Fatalf("the time is not now: %q", line)
				}
			}
		})
	}
}

func TestLoadKeepsItsRate(t *testing.T) {
	sink := listenTCP(t, nil)
	const rate = 2000
	began := time.Now()
	got, err := simulator.Load(t.Context(), simulator.LoadOptions{
		Target: "tcp://" + sink.addr, Connections: 2, Rate: rate, Count: rate / 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	// Never faster than asked; slower is the machine's affair.
	if most := int64(time.Since(began).Seconds()*rate) + 1; got.Records > most {
		t.Errorf("%d lines, but the rate allows %d", got.Records, most)
	}
	if n := len(sink.wait(t)); n != rate/2 {
		t.Errorf("%d lines arrived, want %d", n, rate/2)
	}
}

func TestLoadComesBack(t *testing.T) {
	sink := listenTCP(t, nil)
	sink.breakAfter = 1 << 20 // the receiver goes away in the middle, once
	const n = 40_000
	got, err := simulator.Load(t.Context(), simulator.LoadOptions{Target: "tcp://" + sink.addr, Count: n})
	if err != nil {
		t.Fatal(err)
	}
	whole := int64(len(sink.wait(t)))
	if got.Records != n || got.Reconnects != 1 || got.Errors == 0 {
		t.Errorf("counts %+v, want %d records and a reconnect", got, n)
	}
	if lost := n - whole; lost < 0 || lost > got.InDoubt {
		t.Errorf("%d of %d lines arrived, but only %d are said to be in doubt", whole, n, got.InDoubt)
	}
}

func TestLoadGivesUp(t *testing.T) {
	sink := listenTCP(t, nil)
	sink.close()
	got, err := simulator.Load(t.Context(), simulator.LoadOptions{
		Target: "tcp://" + sink.addr, Count: 10, Patience: time.Millisecond,
	})
	if err == nil || got.Records != 0 || got.Errors == 0 {
		t.Errorf("counts %+v, error %v: want an error and nothing sent", got, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, o := range []simulator.LoadOptions{
		{Target: "http://127.0.0.1:1"},
		{Target: "tcp://127.0.0.1"},
		{Target: ""},
		{Target: "tcp://127.0.0.1:1", Connections: -1},
		{Target: "tcp://127.0.0.1:1", Scenario: "none"},
		{Target: "tcp://127.0.0.1:1", Hosts: 1},
	} {
		if _, err := simulator.Load(t.Context(), o); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
}

func TestLoadStops(t *testing.T) {
	sink := listenTCP(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	sink.onFirst = cancel
	got, err := simulator.Load(ctx, simulator.LoadOptions{Target: "tcp://" + sink.addr})
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(len(sink.wait(t))); n != got.Records || n == 0 {
		t.Errorf("%d lines arrived, %d counted", n, got.Records)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, network := range []string{"tcp", "udp"} {
		b.Run(network, func(b *testing.B) {
			addr := discard(b, network)
			b.ReportAllocs()
			b.ResetTimer()
			got, err := simulator.Load(b.Context(), simulator.LoadOptions{Target: network + "://" + addr, Count: int64(b.N)})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(got.Bytes / max(got.Records, 1))
		})
	}
}
