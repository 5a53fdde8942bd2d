package behavior

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

func benchDetector(b testing.TB, pairs int) *Detector {
	p, err := Compile(Options{
		AN1189: Windows{DataTransferThreshold: 1e6, TimeWindow: 5 * time.Minute},
		AN1191: MacOS{ConnectionInterval: Interval{Min: 5 * time.Second, Max: 24 * time.Hour}}, MaxPairs: max(pairs, 1000),
	}, Site{
		External: func(a netip.Addr) bool { return a.IsValid() && !a.IsPrivate() },
		Risky:    func(string) bool { return false },
		Domain:   func(host string) string { return host },
		Calendar: func() func(time.Time) analytics.Moment {
			return func(time.Time) analytics.Moment { return analytics.Moment{} }
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return New(p, analytics.NewCourses(50000), 1, 1)
}

// stream gives connections of pairs in random order: 40 destinations a VM.
type stream struct {
	generator
	vms   []*event.VM
	hosts []string
	pairs int
	at    int64
	ev    event.Event
	port  uint16
}

func newStream(pairs int) *stream {
	s := &stream{generator: newGenerator(9), pairs: pairs, at: epoch}
	for i := range max(pairs/40, 1) {
		s.vms = append(s.vms, &event.VM{Name: fmt.Sprintf("vm%05d", i), Key: fmt.Sprintf("vm:vc1/5012a6e8-7c1d-4d1e-9b1a-%012d", i)})
	}
	for i := range 5000 {
		s.hosts = append(s.hosts, fmt.Sprintf("service%04d.example.net", i))
	}
	s.ev = event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkClose, Protocol: 6,
		Src:           event.Endpoint{IP: netip.MustParseAddr("10.0.0.1")},
		Dst:           event.Endpoint{IP: netip.MustParseAddr("203.0.113.5"), Port: 443},
		Traffic:       event.Traffic{BytesOut: 20, Known: true},
		Justification: event.Justification{Verdict: event.VerdictUnjustified},
	}
	return s
}

// next is an event of pair i; each pair is heard of every 20 minutes or so.
func (s *stream) next(i int) *event.Event {
	s.at += max(1, 1200e3/int64(s.pairs))
	s.port++
	s.ev.Time = time.UnixMilli(s.at)
	s.ev.Src.Port = s.port | 1
	s.ev.Src.Context.VM = s.vms[i/40%len(s.vms)]
	s.ev.Dst.Hostname = s.hosts[(i*7+i%40)%len(s.hosts)]
	return &s.ev
}

// BenchmarkDetect is an event's whole way through the Detector, by the number
// of pairs among which it is one of at random.
func BenchmarkDetect(b *testing.B) {
	for _, pairs := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("pairs=%d", pairs), func(b *testing.B) {
			d, s := benchDetector(b, pairs), newStream(pairs)
			none := func(*event.Finding) {}
			for range 10 * pairs {
				d.Detect(s.next(int(s.Uint64N(uint64(pairs)))), none)
			}
			runtime.LockOSThread() // the CPU time is that of a thread
			defer runtime.UnlockOSThread()
			b.ReportAllocs()
			before, begun := d.Stats().Evaluated, threadTime()
			for b.Loop() {
				d.Detect(s.next(int(s.Uint64N(uint64(pairs)))), none)
			}
			b.ReportMetric(float64(threadTime()-begun)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(d.Stats().Evaluated-before)/float64(b.N), "evaluations/op")
			b.ReportMetric(float64(d.Stats().Pairs), "pairs")
		})
	}
}

// BenchmarkEvaluate is one score.
func BenchmarkEvaluate(b *testing.B) {
	g := newGenerator(3)
	for name, make := range map[string]func() []contact{
		"beacon": func() []contact {
			return g.beats(beacon{period: 60e9, jitter: 0.3, missed: 0.1, sizes: g.steady()}, day, 0)
		},
		"chance": func() []contact { return g.poisson(epoch + fortnight.Milliseconds()) },
	} {
		p, _ := listen(make(), nil)
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			begun := threadTime()
			for b.Loop() {
				_ = p.evaluate()
			}
			b.ReportMetric(float64(threadTime()-begun)/float64(b.N), "cpu-ns/op")
		})
	}
}

// TestNoAllocations: what is followed costs no memory.
func TestNoAllocations(t *testing.T) {
	d, s := benchDetector(t, 1000), newStream(1000)
	none := func(*event.Finding) {}
	for range 60000 {
		d.Detect(s.next(int(s.Uint64N(1000))), none)
	}
	if n := testing.AllocsPerRun(5000, func() { d.Detect(s.next(int(s.Uint64N(1000))), none) }); n >= 0.01 { // a finding by chance allocates
		t.Errorf("%.2f allocations an event", n)
	}
}
