//go:build unix

package stream_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// BenchmarkDetect is what evaluating rules adds to an event's way: on an
// ESXi firewall line, on the lines of a simulated night, on real events of
// endpoints (VEGRESS_CORPUS), and on both together, one by one; with the
// built-in rules, and with those of SigmaHQ beside them.
//
//	VEGRESS_CORPUS=... go test -run '^$' -bench Detect -benchtime 500000x -count 5 ./analytics/sigma/stream
func BenchmarkDetect(b *testing.B) {
	h := newHouse(b, options())
	firewall := []*event.Event{h.event("<13>" + at(0) + " esx01 FIREWALL-PKTLOG: 5a3c11d0 INET TERM PASS 1031 OUT TCP FIN 192.0.2.5/32808->203.0.113.7/443 9/8 1461/4677")}
	night := nightOf(b, h)
	endpoints := endpointEvents(b)
	mixed := make([]*event.Event, 0, 2*len(night))
	for i, ev := range night {
		mixed = append(mixed, ev)
		if len(endpoints) > 0 {
			mixed = append(mixed, endpoints[i%len(endpoints)])
		}
	}
	for _, rules := range []struct {
		name  string
		paths []string
	}{{"builtin", nil}, {"sigmahq", []string{filepath.Join(os.Getenv("VEGRESS_CORPUS"), "sigma", "rules.tar.gz")}}} {
		if rules.paths != nil && len(endpoints) == 0 {
			continue
		}
		o := options()
		o.Paths = rules.paths
		set, err := stream.Load(builtin, o)
		if err != nil {
			b.Fatal(err)
		}
		p := stream.Compile(set, o)
		for _, c := range []struct {
			name   string
			events []*event.Event
		}{{"firewall", firewall}, {"night", night}, {"endpoints", endpoints}, {"mixed", mixed}} {
			if len(c.events) > 0 {
				b.Run(rules.name+"/"+c.name, func(b *testing.B) { benchDetect(b, p, c.events) })
			}
		}
	}
}

func benchDetect(b *testing.B, p *stream.Policy, events []*event.Event) {
	d := stream.New(p, func(analytics.Observation) {})
	report := func(*event.Finding) {}
	for _, ev := range events { // findings are opened, and memory has grown
		d.Detect(ev, report)
	}
	hits := func() (n int64) {
		for _, r := range d.Stats().Rules {
			n += r.Hits
		}
		return n
	}
	before, spent, i := hits(), cpuTime(b), 0
	b.ReportAllocs()
	for b.Loop() {
		d.Detect(events[i%len(events)], report)
		i++
	}
	b.ReportMetric(float64((cpuTime(b)-spent).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(hits()-before)/float64(b.N), "hits/op")
}

// cpuTime is what the process has used so far: on a busy machine the clock on
// the wall says little. It goes in steps of some milliseconds.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// nightOf is the events of a simulated night's lines.
func nightOf(b *testing.B, h *house) (events []*event.Event) {
	site, err := simulator.NewSite(simulator.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for r := range site.Traffic().Records() {
		events = append(events, h.event(r.Line))
	}
	return events
}

// endpointEvents are the real events of the corpus; none without it.
func endpointEvents(b *testing.B) (events []*event.Event) {
	files, err := filepath.Glob(filepath.Join(os.Getenv("VEGRESS_CORPUS"), "sigma", "bench_events", "*.jsonl"))
	if err != nil || os.Getenv("VEGRESS_CORPUS") == "" {
		return nil
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		for line := range bytes.Lines(content) {
			ev := new(event.Event)
			if err := source.ReadJSON(bytes.TrimSpace(line), ev); err != nil {
				b.Fatal(err)
			}
			ev.UID, ev.Time = "uid", day
			events = append(events, ev)
		}
	}
	return events
}
