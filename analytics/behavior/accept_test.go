package behavior

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"
)

// scale is how many pairs are simulated: all of them with VEGRESS_TEST_LONG.
func scale(long, short int) int {
	if os.Getenv("VEGRESS_TEST_LONG") != "" {
		return long
	}
	return short
}

// share counts how many of some were flagged.
type share struct{ flagged, of int }

func (s *share) add(flagged bool) {
	s.of++
	if flagged {
		s.flagged++
	}
}

func (s *share) join(o share) { s.flagged, s.of = s.flagged+o.flagged, s.of+o.of }

func (s share) value() float64 { return float64(s.flagged) / float64(max(s.of, 1)) }

func (s share) String() string { return fmt.Sprintf("%.4f (%d of %d)", s.value(), s.flagged, s.of) }

// TestGrid: how soon a beacon is flagged, by jitter and missed beats, over
// periods of 30 s to 6 h, three ways to vary the sleep, and sizes that are
// steady in two thirds. Beats count as they were due, missed ones too.
func TestGrid(t *testing.T) {
	var near, far share
	for _, jitter := range []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5} {
		for _, missed := range []float64{0, 0.1, 0.2, 0.3} {
			soon, later := cell(jitter, missed, scale(10, 3))
			t.Logf("jitter %2.0f %%, missed %2.0f %%: within 25 beats %v, within 40 %v", 100*jitter, 100*missed, soon, later)
			if jitter <= 0.3 && missed <= 0.1 {
				near.join(soon)
			}
			far.join(later)
		}
	}
	t.Logf("jitter <= 30 %%, missed <= 10 %%, within 25 beats: %v", near)
	t.Logf("jitter <= 50 %%, missed <= 30 %%, within 40 beats: %v", far)
	if near.value() < 0.99 || far.value() < 0.97 {
		t.Error("too few")
	}
}

func cell(jitter, missed float64, each int) (soon, later share) {
	const periods = 20
	g := newGenerator(uint64(1000*jitter + 100*missed + 7))
	for s := range shapes {
		for i := range periods * each {
			period := 30 * math.Pow(720, float64(i%periods)/(periods-1))
			b := beacon{period: time.Duration(period * float64(time.Second)), jitter: jitter, missed: missed, shape: s, sizes: g.wild()}
			if g.IntN(3) > 0 {
				b.sizes = g.steady()
			}
			_, at := listen(g.beats(b, 1000*day, 25), nil)
			soon.add(at >= 0)
			_, at = listen(g.beats(b, 1000*day, 40), nil)
			later.add(at >= 0)
		}
	}
	return soon, later
}

// ritaHigh is where RITA's score begins to be "high".
const ritaHigh = 0.9

// TestFortnight: 14 days of beacons, half of which sleep for hours or days, and
// of honest pairs. A clock that is honest is a beacon by timing: only
// configuration tells it apart.
func TestFortnight(t *testing.T) {
	n := scale(2000, 150)
	g := newGenerator(11)
	var beacons, chance, clocks, ritaBeacons, ritaChance share
	for range n {
		all := g.beats(g.anyBeacon(), fortnight, 0)
		_, at := listen(all, nil)
		beacons.add(at >= 0)
		ritaBeacons.add(ritaDays(all, 14) >= ritaHigh)
	}
	for _, kind := range honest {
		var flagged, rita share
		for range n {
			all := sorted(kind.make(g, epoch+fortnight.Milliseconds()))
			_, at := listen(all, nil)
			flagged.add(at >= 0)
			if !kind.periodic {
				rita.add(ritaDays(all, 14) >= ritaHigh)
			}
		}
		t.Logf("%-12s flagged %v, by RITA's score %v", kind.name, flagged, rita)
		if kind.periodic {
			clocks.join(flagged)
		} else {
			chance.join(flagged)
			ritaChance.join(rita)
		}
	}
	t.Logf("beacons: %v, by RITA's score %v", beacons, ritaBeacons)
	t.Logf("honest without a clock: %v, by RITA's score %v", chance, ritaChance)
	t.Logf("honest with a clock: %v", clocks)
	if beacons.value() < 0.98 || clocks.value() < 0.95 {
		t.Error("too few are flagged")
	}
	if chance.value() > 0.001 && chance.flagged > 2 {
		t.Error("too many are flagged")
	}
}
