package hosts_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/event"
)

// scouted is an event of the n-th of several hosts.
func scouted(n int, at time.Time) event.Event {
	name := fmt.Sprintf("esx%02d.lab.example", n)
	return event.Event{
		Class: event.NetworkActivity, Time: at, LogName: "dfwpktlogs", Records: 1,
		Device:  event.Device{Hostname: name, Host: &event.Host{Name: name, Key: "host:" + name}},
		Receipt: event.Receipt{At: at, Peer: netip.MustParseAddr("192.0.2.1"), Timed: true, Skew: -time.Millisecond},
	}
}

// TestScout adds up by machine, tells once a second of receipt, and leaves
// nothing untold.
func TestScout(t *testing.T) {
	s := hosts.NewScout()
	var told []hosts.Tallies
	tell := func(o analytics.Observation) { told = append(told, o.(hosts.Tallies)) }
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	total := int64(0)
	for i := range 4000 { // 4 s
		ev := scouted(i%3, now.Add(time.Duration(i)*time.Millisecond))
		ev.Receipt.Truncated = i%10 == 0
		if i%3 == 1 {
			ev.LogName = "hostd"
		}
		s.Scout(&ev, tell)
	}
	flow := scouted(9, now)
	flow.Receipt = event.Receipt{} // no log record
	s.Scout(&flow, tell)
	if len(told) < 4 || len(told) > 5 {
		t.Errorf("told %d times in 4 s", len(told))
	}
	s.Rest(tell)
	s.Rest(tell)
	sum := map[string]hosts.Tally{}
	for _, tallies := range told {
		for _, one := range tallies {
			total += one.Records
			have := sum[one.Key]
			have.Records, have.Truncated = have.Records+one.Records, have.Truncated+one.Truncated
			have.Programs[0] += one.Programs[0]
			sum[one.Key] = have
		}
	}
	if total != 4000 || len(sum) != 3 || sum["host:esx01.lab.example"].Programs[0] != 1333 {
		t.Errorf("%d records of %+v", total, sum)
	}
}

// TestScoutAllocations: what is not told costs no memory.
func TestScoutAllocations(t *testing.T) {
	s := hosts.NewScout()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	a, b := scouted(1, now), scouted(2, now)
	tell := func(analytics.Observation) {}
	s.Scout(&a, tell)
	s.Scout(&b, tell)
	s.Scout(&a, tell)
	if n := testing.AllocsPerRun(1000, func() { s.Scout(&a, tell); s.Scout(&b, tell) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkScout is what the watch costs each event, of 100 hosts in turn and in
// batches of one host each.
func BenchmarkScout(b *testing.B) {
	for _, run := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", run), func(b *testing.B) {
			s := hosts.NewScout()
			now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
			all := make([]event.Event, 100)
			for i := range all {
				all[i] = scouted(i, now)
			}
			tell := func(analytics.Observation) {}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				ev := &all[i/run%len(all)]
				ev.Receipt.At = now.Add(time.Duration(i) * 10 * time.Microsecond) // 100,000 a second
				s.Scout(ev, tell)
				i++
			}
		})
	}
}

// BenchmarkLook is what one second costs the second floor, with 1,000 hosts that
// send.
func BenchmarkLook(b *testing.B) {
	w := newWorld(b, options())
	for i := range 1000 {
		w.host(fmt.Sprintf("esx%04d", i), 60)
	}
	w.step = time.Second
	w.report()
	w.run(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		w.run(time.Second)
	}
}
