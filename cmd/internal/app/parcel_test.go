package app

import (
	"slices"
	"testing"

	"github.com/vegress/vegress/event"
)

// The shard that handles an event writes to it while the others learn from it:
// they have one of their own.
func TestLessonsAreCopies(t *testing.T) {
	p := newParcel(3)
	for range 2 { // the second time in used events
		ev := p.next()
		ev.Class = event.DNSActivity
		ev.Device.Hostname = "esx01"
		ev.Add(event.Intern("qtype"), "A")
		p.route()
		owner, lessons := -1, map[int32]int{}
		for s, mine := range p.mine {
			for _, i := range mine {
				if i >= 0 {
					owner = s
				} else {
					lessons[^i]++
				}
			}
		}
		if owner < 0 || len(lessons) != 1 || slices.Contains(p.mine[owner], -1) {
			t.Fatalf("owner %d, lessons %v: %v", owner, lessons, p.mine)
		}
		handled := &p.events[p.mine[owner][0]]
		handled.Fields[0].Value = "changed"
		handled.Add(event.Intern("more"), "x")
		for i, n := range lessons {
			learned := &p.events[i]
			if n != 2 || learned == handled || len(learned.Fields) != 1 || learned.Fields[0].Value != "A" || learned.Device != handled.Device {
				t.Errorf("%d shards learn from %+v", n, learned)
			}
		}
		p.left.Store(1)
		p.done()
		p = newParcel(3)
	}
}
