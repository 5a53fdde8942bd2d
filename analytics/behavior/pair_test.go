package behavior

import (
	"math"
	"testing"
)

// TestCode16: what two bytes keep of a number is off by less than one in
// 8,000, and orders as the numbers do.
func TestCode16(t *testing.T) {
	g := newGenerator(1)
	before, code := uint64(0), code16(0)
	for n := uint64(0); n < greatest16; n = n + n/5000 + 1 + g.Uint64N(n/1000+1) {
		c := encode16(n)
		if back := c.decode(); math.Abs(float64(back)-float64(n)) > max(4, float64(n)/8000) {
			t.Fatalf("%d comes back as %d", n, back)
		}
		if c < code {
			t.Fatalf("%d is %d, but %d is %d", before, code, n, c)
		}
		before, code = n, c
	}
	if c := encode16(math.MaxUint64 >> 1); c != math.MaxUint16 {
		t.Errorf("the greatest is %d", c)
	}
}

// TestLateBeats: events that come out of order, up to the ring's length, make
// the ring that they would have made in order, to rounding.
func TestLateBeats(t *testing.T) {
	g := newGenerator(2)
	most := 0.0
	for range 300 {
		b := g.anyBeacon()
		b.sizes = func() int64 { return 500 } // of sizes the latest to come are kept, not the latest to happen
		all := g.beats(b, 1000*day, 10+g.IntN(100))
		n := len(all)
		for range n {
			all = append(all, contact{all[g.IntN(n)].at + g.Int64N(gap-100), 0}) // requests of one page
		}
		all = sorted(all)
		inOrder, _ := listen(all, nil)
		late := shuffled(g, all, 20)
		outOfOrder, _ := listen(late, nil)
		want, got := inOrder.evaluate(), outOfOrder.evaluate()
		most = max(most, math.Abs(got.score-want.score))
		if most > 0.2 || inOrder.last != outOfOrder.last && outOfOrder.last-inOrder.last > 2 {
			t.Fatalf("in order %+v, late %+v", want, got)
		}
	}
	t.Logf("the score changed by %.3f nats at most", most)
}

// shuffled lets contacts come up to reach places late.
func shuffled(g generator, all []contact, reach int) []contact {
	late := append([]contact(nil), all...)
	for i := range late {
		j := min(i+g.IntN(reach), len(late)-1)
		late[i], late[j] = late[j], late[i]
	}
	return late
}

// TestTooLate: what is older than all that is kept changes nothing, and is
// counted.
func TestTooLate(t *testing.T) {
	g := newGenerator(3)
	p, _ := listen(g.beats(beacon{period: 60e9, sizes: g.steady()}, day, 200), nil)
	want := p.intervals
	if p.beat(epoch) || p.intervals != want || p.late != 1 {
		t.Errorf("late %d", p.late)
	}
}
