package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
)

// BenchmarkFindingLatency measures from a line's last byte written to a socket
// to its finding at a NATS subscriber, through a process of its own that takes
// 10,000 other lines a second:
//
//	go test -run '^$' -bench FindingLatency -benchtime 1000x ./cmd/internal/app
func BenchmarkFindingLatency(b *testing.B) {
	estate, config := openEstate(b)
	p := spawn(b, b.TempDir(), config)
	defer underLoad(b, p)()
	nc, err := forward.Dial(p.nats, "", "", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	findings, err := nc.SubscribeSync("vegress.findings.>")
	if err != nil {
		b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
	conn := dialHeld(b, p)
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		// Each to a destination that this VM had nothing to do with before.
		vm := estate.Site.VMs[i/200%len(estate.Site.VMs)]
		dst := fmt.Sprintf("203.0.%d.%d", i/200/len(estate.Site.VMs)%100, i%200+1)
		line := flow(vm, 40000+i%20000, dst+"/443")
		began := time.Now()
		if _, err := fmt.Fprintln(conn, line); err != nil {
			b.Fatal(err)
		}
		awaitFinding(b, findings, vm, dst)
		took = append(took, time.Since(began))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
}

// underLoad sends 10,000 lines a second to p until end is called; it returns
// when they have begun to flow.
func underLoad(b *testing.B, p *process) (end func()) {
	b.Helper()
	loading, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := simulator.Load(loading, simulator.LoadOptions{Target: p.syslog[0], Connections: 8, Rate: 10_000})
		ended <- err
	}()
	for p.account().Received < 20_000 {
		time.Sleep(50 * time.Millisecond)
	}
	return func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// awaitFinding reads until vm's finding about dst is opened.
func awaitFinding(b *testing.B, findings *nats.Subscription, vm *simulator.VM, dst string) {
	b.Helper()
	for {
		m, err := findings.NextMsg(time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		f, err := event.ParseFinding(m.Data)
		if err != nil {
			b.Fatal(err)
		}
		if f.Activity == event.FindingCreate && f.Dst.IP.String() == dst && strings.HasSuffix(f.Entity, vm.InstanceUUID) {
			return
		}
	}
}
