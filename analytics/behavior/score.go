package behavior

import (
	"math"
	"time"
)

// What is scored at all.
const (
	minBeats     = 8
	minPeriod    = 5000   // milliseconds; ConnectionInterval can only raise it
	minStretch   = 600000 // milliseconds that the beats must span...
	minFull      = 240000 // ... and when the ring is full
	maxFold      = 6.5    // periods; what is longer is a pause, not missed beats
	threshold    = 14     // nats
	pauseCost    = 0.5    // nats; what no multiple is close to costs no more
	missCost     = 0.35   // nats, a beat
	sizeWorth    = 4      // nats that sizes which are all the same are worth
	sizeLimit    = 0.25   // of the median: sizes that differ by more are worth nothing
	minSizes     = 6
	phaseClip    = 1.5
	narrowJitter = 0.05 // to be more regular than this is worth nothing more
)

// rhythm is how regular a pair is, and why.
type rhythm struct {
	score  float64       // nats: how much better a clock explains the beats than chance does
	period time.Duration // 0: too little to say anything
	jitter float64       // standard deviation of the intervals, as a share of the period
	missed int           // beats within the ring that did not come
	pauses int           // longer than six periods
	spread float64       // of the sizes: median deviation as a share of the median; negative: too few
	beats  int           // that the score rests on
}

// evaluate scores the pair's ring. It compares two explanations of the
// intervals: a clock with jitter and missed beats (intervals follow a Gamma
// distribution around the period), and events that know nothing of each other
// (intervals are exponential beyond the gap). The score is the logarithm of
// how much better the first one is. It uses no memory beyond the stack.
func (p *pair) evaluate() rhythm {
	n := int(p.count)
	r := rhythm{beats: n + 1, spread: p.spread()}
	if n+1 < minBeats {
		return r
	}
	var order [ringBeats]code16
	var values [ringBeats]float64
	stretch := 0.0
	for i, slot := 0, int(p.head); i < n; i++ {
		if slot--; slot < 0 {
			slot = ringBeats - 1
		}
		order[i] = p.intervals[slot]
		values[i] = float64(order[i].decode())
		stretch += values[i]
	}
	if stretch < minFull || stretch < minStretch && n < ringBeats {
		return r
	}
	r.clock(values[:n], quantile(order[:n], n/2))
	if r.score < threshold {
		// Where many beats are missing, or a sleeping implant's nights are most
		// of what there is, the middle interval is not the period.
		second := rhythm{beats: r.beats, spread: r.spread}
		if second.clock(values[:n], quantile(order[:n], n/4)); second.score > r.score {
			r = second
		}
	}
	if r.score <= 0 {
		return r
	}
	r.score -= math.Log1p(float64(p.beats) / ringBeats) // the price of looking often
	if r.spread >= 0 {
		r.score += max(0, sizeWorth*(1-r.spread/sizeLimit))
	}
	return r
}

// clock scores the intervals for a clock whose period is about the guess.
func (r *rhythm) clock(intervals []float64, guess code16) {
	period := fold(intervals, float64(guess.decode()))
	if period < minPeriod {
		return
	}
	r.period = time.Duration(period) * time.Millisecond
	r.weigh(intervals, period)
}

// fold is the period of which all intervals are multiples, as nearly as can
// be: missed beats make them two, three... of it.
func fold(intervals []float64, period float64) float64 {
	for range 3 {
		sum, beats, inverse := 0.0, 0.0, 1/max(period, 1)
		for _, v := range intervals {
			if k := v * inverse; k < maxFold {
				sum += v
				beats += max(1, float64(int(k+0.5)))
			}
		}
		if beats == 0 {
			return period
		}
		period = sum / beats
	}
	return period
}

// weigh sums up what the intervals say: those of one period each by how close
// they are to each other, the others by how close they are to a multiple.
func (r *rhythm) weigh(intervals []float64, period float64) {
	var single, sum, squares, logs float64
	product, inverse := 1.0, 1/period
	for _, v := range intervals {
		x := v * inverse
		if x >= 1.5 {
			continue
		}
		squares += x * x
		x = max(x-gap*inverse, 1e-4)
		single++
		sum += x
		if product *= x; product < 1e-200 {
			logs, product = logs+math.Log(product), 1
		}
	}
	if single < 2 {
		return
	}
	mean := sum / single
	whole := mean + gap*inverse
	r.jitter = math.Sqrt(max(0, squares/single-whole*whole)) / whole
	r.score = single * gain(math.Log(mean)-(logs+math.Log(product))/single)
	if r.score > 0 {
		r.multiples(intervals, inverse)
	}
}

// multiples adds what the intervals of several periods say.
func (r *rhythm) multiples(intervals []float64, inverse float64) {
	deviation := max(r.jitter, narrowJitter)
	scale := math.Log(deviation * math.Sqrt(2*math.Pi))
	for _, v := range intervals {
		x := v * inverse
		switch {
		case x < 1.5:
		case x >= maxFold:
			r.pauses++
			r.score -= pauseCost
		default:
			k := int(x + 0.5)
			r.missed += k - 1
			off := (x - float64(k)) / deviation
			// How much more likely a clock is than anything else to come so
			// close. One interval must not decide.
			phase := -0.5*off*off/float64(k) - scale - halfLog[k]
			r.score += max(min(phase, phaseClip)-missCost*float64(k-1), -pauseCost)
		}
	}
}

// halfLog is half the logarithm of 0 to 6 (of 0: not used): the deviation of
// the sum of k intervals is that of one by the root of k.
var halfLog = [7]float64{0, 0, 0.34657, 0.54931, 0.69315, 0.80472, 0.89588}

// gain is what one interval tells for a clock, in nats: the logarithm of the
// likelihood of a Gamma distribution over that of an exponential one, both with
// the best parameters. g is the logarithm of the mean less the mean of the
// logarithms; the shape is Minka's approximation of the most likely one
// (T. Minka, Estimating a Gamma distribution, 2002).
func gain(g float64) float64 {
	g = max(g, narrowJitter*narrowJitter/2)
	shape := (3 - g + math.Sqrt((g-3)*(g-3)+24*g)) / (12 * g)
	if shape <= 1 {
		return 0
	}
	lg, _ := math.Lgamma(shape)
	return shape*math.Log(shape) - lg - shape + 1 - (shape-1)*g
}

// spread is how much the sizes of the pair's connections differ.
func (p *pair) spread() float64 {
	n := int(p.sizeCount)
	if n < minSizes {
		return -1
	}
	var sizes [ringSizes]code16
	copy(sizes[:], p.sizes[:n])
	middle := median(sizes[:n])
	if middle == 0 {
		return -1
	}
	for i, s := range sizes[:n] {
		sizes[i] = encode16(distance(s.decode(), middle.decode()))
	}
	return float64(median(sizes[:n]).decode()) / float64(middle.decode())
}

func distance(a, b uint64) uint64 { return max(a, b) - min(a, b) }

// median puts the middle one of list into its place, and gives it: of an even
// number the upper one. It is Hoare's selection.
func median(list []code16) code16 { return quantile(list, len(list)/2) }

func quantile(list []code16, k int) code16 {
	low, high := 0, len(list)-1
	for low < high {
		pivot, i, j := list[(low+high)/2], low, high
		for i <= j {
			for list[i] < pivot {
				i++
			}
			for list[j] > pivot {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return list[k]
		}
	}
	return list[k]
}
