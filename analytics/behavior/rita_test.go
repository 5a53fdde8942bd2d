package behavior

import (
	"math"
	"slices"
	"testing"
)

// ritaScore is the beacon score of RITA v5 (github.com/activecm/rita,
// analysis/beacons.go) with its default weights, over one day of connections of
// one pair: a quarter each for the regularity of intervals, the regularity of
// sizes, the histogram of the day and how long it went on. It is here to
// compare, and knows nothing of RITA's modifiers.
func ritaScore(all []contact, from, to int64) float64 {
	var times []float64
	var sizes []float64
	for _, c := range all {
		if c.at >= from && c.at < to {
			times = append(times, math.Floor(float64(c.at)/1000))
			sizes = append(sizes, float64(c.bytes))
		}
	}
	unique := slices.Compact(slices.Clone(times))
	if len(unique) < 4 || len(times) >= 86400 {
		return 0
	}
	var intervals []float64
	for i := 1; i < len(unique); i++ {
		intervals = append(intervals, unique[i]-unique[i-1])
	}
	bars := make([]float64, 24)
	for _, t := range times {
		bars[min(int((t*1000-float64(from))/float64(to-from)*24), 23)]++
	}
	return 0.25*ritaStat(intervals, 1) + 0.25*ritaStat(sizes, 0) + 0.25*ritaHistogram(bars) +
		0.25*ritaDuration(bars, unique[len(unique)-1]-unique[0], float64(to-from)/1000)
}

// ritaStat is half of one less Bowley's skewness, and half of one less the
// median deviation as a share of the median.
func ritaStat(values []float64, ifSmall float64) float64 {
	v := slices.Sorted(slices.Values(values))
	q1, q2, q3 := ritaMedian(v[:len(v)/2]), ritaMedian(v), ritaMedian(v[(len(v)+1)/2:])
	skew := 0.0
	if d := q3 - q1; d >= 10 && q2 != q1 && q2 != q3 {
		skew = (q1 + q3 - 2*q2) / d
	}
	deviations := make([]float64, len(v))
	for i, x := range v {
		deviations[i] = math.Abs(x - q2)
	}
	slices.Sort(deviations)
	spread := ifSmall
	if q2 >= 1 {
		spread = max(0, (q2-ritaMedian(deviations))/q2)
	}
	return (1 - math.Abs(skew) + spread) / 2
}

func ritaMedian(v []float64) float64 {
	switch n := len(v); {
	case n == 0:
		return 0
	case n%2 == 1:
		return v[n/2]
	default:
		return (v[n/2-1] + v[n/2]) / 2
	}
}

// ritaHistogram is how even the hours are, or that they are of two kinds.
func ritaHistogram(bars []float64) float64 {
	mean, squares, used, most := 0.0, 0.0, 0.0, slices.Max(bars)
	for _, b := range bars {
		mean += b / float64(len(bars))
		if b > 0 {
			used++
		}
	}
	for _, b := range bars {
		squares += (b - mean) * (b - mean)
	}
	even := max(0, 1-math.Sqrt(squares/float64(len(bars)))/mean)
	if used < 11 {
		return even
	}
	bin := math.Ceil(0.05 * most)
	counts := map[float64]float64{}
	for _, b := range bars {
		if b > 0 {
			counts[math.Floor(b/bin)]++
		}
	}
	var sorted []float64
	for _, n := range counts {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	two := sorted[len(sorted)-1]
	if len(sorted) > 1 {
		two += sorted[len(sorted)-2]
	}
	return max(even, min(1, two/max(used-1, 1)))
}

// ritaDuration is the share of the day between first and last, or the longest
// run of hours, of twelve.
func ritaDuration(bars []float64, span, whole float64) float64 {
	used, run, longest := 0, 0, 0
	for i := range 2 * len(bars) {
		if bars[i%len(bars)] > 0 {
			run++
			longest = min(max(longest, run), len(bars))
		} else {
			run = 0
		}
	}
	for _, b := range bars {
		if b > 0 {
			used++
		}
	}
	if used < 6 {
		return 0
	}
	return min(1, max(span/whole, float64(longest)/12))
}

// ritaDays is the best score of any day.
func ritaDays(all []contact, days int) (best float64) {
	for d := range days {
		from := epoch + int64(d)*day.Milliseconds()
		best = max(best, ritaScore(all, from, from+day.Milliseconds()))
	}
	return best
}

// TestRITA: what can be told by hand. A clock that never stops has the full
// score; four connections in an hour have no histogram and no duration.
func TestRITA(t *testing.T) {
	g := newGenerator(8)
	perfect := g.beats(beacon{period: 600e9, sizes: func() int64 { return 100 }}, day, 0)
	if s := ritaScore(perfect, epoch, epoch+day.Milliseconds()); math.Abs(s-1) > 0.01 {
		t.Errorf("a perfect beacon has %.3f", s)
	}
	few := []contact{{epoch, 10}, {epoch + 60e3, 10}, {epoch + 120e3, 10}, {epoch + 180e3, 10}}
	if s := ritaScore(few, epoch, epoch+day.Milliseconds()); math.Abs(s-0.5) > 0.01 {
		t.Errorf("four connections have %.3f, want the half for intervals and sizes", s)
	}
}
