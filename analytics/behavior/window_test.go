package behavior

import "testing"

// TestNoWindowIsMissed: whenever any window of the length held more than a
// threshold, the sum said so when the last report that makes it so had come,
// and what it says was sent within 6/5 of the length. Reports tell of a span
// and come up to the length of the window late.
func TestNoWindowIsMissed(t *testing.T) {
	const slot, length, limit = 60000, 5 * 60000, 1e6
	g := newGenerator(4)
	alarms, truths := 0, 0
	for range 400 {
		var w window
		var sent []struct{ from, to, bytes int64 }
		at := epoch
		for range 40 {
			at += g.Int64N(4 * 60000)
			to := at - g.Int64N(60000)
			from := to - g.Int64N(8*60000)*g.Int64N(2)
			n := int64(g.between(1e3, 6e5))
			sent = append(sent, struct{ from, to, bytes int64 }{from, to, n})
			sum := w.add(n, from, to, slot)
			// The truth: the most within any window that ends within this report
			// and reaches no further back than the slots.
			within := func(begin, end int64) (total float64) {
				for _, s := range sent {
					if overlap := min(s.to+1, end) - max(s.from, begin); overlap > 0 {
						total += float64(s.bytes) * float64(overlap) / float64(s.to-s.from+1)
					}
				}
				return total
			}
			newest := int64(w.slot) * slot
			most := 0.0
			for end := newest + 1; end <= newest+slot; end += 7000 {
				most = max(most, within(end-length, end))
			}
			if most > limit {
				truths++
				if sum <= limit {
					t.Fatalf("%.0f bytes in a window, and the sum says %d", most, sum)
				}
			}
			if sum > limit {
				alarms++
			}
			own := float64(n) * min(1, length/float64(to-from+1))
			if all := max(within(newest-length, newest+slot), own) + 6*40; float64(sum) > all {
				t.Fatalf("the sum says %d, and %.0f were sent", sum, all)
			}
		}
	}
	if truths < 100 || alarms < truths {
		t.Errorf("%d alarms for %d windows above the limit", alarms, truths)
	}
}
