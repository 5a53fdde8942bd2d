package forward

import "time"

// latencyBounds are the upper bounds of Histogram's buckets.
var latencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, time.Minute,
}

// Histogram counts durations in fixed buckets.
type Histogram struct {
	counts [len(latencyBounds) + 1]uint64
	Sum    time.Duration
	Count  uint64
}

// Bucket is the number of durations up to Bound.
type Bucket struct {
	Bound time.Duration
	Count uint64 // of this bucket and all before it
}

func (h *Histogram) observe(d time.Duration) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	h.counts[i]++
	h.Sum += d
	h.Count++
}

func (h *Histogram) add(o Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.Sum += o.Sum
	h.Count += o.Count
}

// Buckets are the counts, cumulative, without the last: Count itself.
func (h *Histogram) Buckets() []Bucket {
	list := make([]Bucket, len(latencyBounds))
	var n uint64
	for i, bound := range latencyBounds {
		n += h.counts[i]
		list[i] = Bucket{Bound: bound, Count: n}
	}
	return list
}
