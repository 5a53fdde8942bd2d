package behavior

import (
	"iter"
	"math/bits"
)

// table keeps pairs by key, at most bound of them. It grows by chunks, and
// when it is full a new pair takes the place of one that matters least, or
// none.
type table struct {
	chunks []*[chunkPairs]pair
	used   int
	bound  int
	index  []uint32 // by key, open addressing: the slot + 1; at most 3/4 full
	random uint64
}

// mixB is an odd constant without pattern: the fraction of the square root of 3.
const mixB = 0xbb67ae8584caa73b

const (
	chunkPairs = 1024
	candidates = 8 // that are looked at for one to give up
)

func newTable(bound int) table {
	return table{bound: max(bound, 1), index: make([]uint32, 64), random: mixB}
}

func (t *table) slot(i uint32) *pair { return &t.chunks[i/chunkPairs][i%chunkPairs] }

// find gives the pair of key, or nil.
func (t *table) find(key uint64) *pair {
	mask := uint64(len(t.index) - 1)
	for i := key & mask; t.index[i] != 0; i = (i + 1) & mask {
		if p := t.slot(t.index[i] - 1); p.key == key {
			return p
		}
	}
	return nil
}

// add makes room for key, which is not in the table. It gives nil when the
// table is full of pairs that matter; evicted says that one had to go.
func (t *table) add(key uint64, now int64) (p *pair, evicted bool) {
	if t.used == t.bound {
		slot, ok := t.least(now)
		if !ok {
			return nil, false
		}
		t.remove(t.slot(slot).key)
		t.put(key, slot)
		return t.slot(slot), true
	}
	if t.used == len(t.chunks)*chunkPairs {
		t.chunks = append(t.chunks, new([chunkPairs]pair))
	}
	slot := uint32(t.used)
	t.used++
	if t.used > len(t.index)/4*3 {
		t.grow()
	}
	t.put(key, slot)
	return t.slot(slot), false
}

func (t *table) put(key uint64, slot uint32) {
	mask := uint64(len(t.index) - 1)
	i := key & mask
	for t.index[i] != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = slot + 1
	t.slot(slot).key = key
}

func (t *table) grow() {
	old := t.index
	t.index = make([]uint32, 2*len(old))
	for _, at := range old {
		if at != 0 {
			t.put(t.slot(at-1).key, at-1)
		}
	}
}

// remove takes key out of the index, and closes the hole that it leaves.
func (t *table) remove(key uint64) {
	mask := uint64(len(t.index) - 1)
	i := key & mask
	for t.index[i] == 0 || t.slot(t.index[i]-1).key != key {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.index[j] != 0; j = (j + 1) & mask {
		home := t.slot(t.index[j]-1).key & mask
		if (j-home)&mask >= (j-i)&mask {
			t.index[i] = t.index[j]
			i = j
		}
	}
	t.index[i] = 0
}

// least gives the slot of the pair that matters least among some; none when
// all of them matter.
func (t *table) least(now int64) (slot uint32, ok bool) {
	worst := int64(0)
	for range candidates {
		t.random ^= t.random << 13
		t.random ^= t.random >> 7
		t.random ^= t.random << 17
		i, _ := bits.Mul64(t.random, uint64(t.used))
		if overdue := t.slot(uint32(i)).overdue(now); overdue > worst {
			slot, worst, ok = uint32(i), overdue, true
		}
	}
	return slot, ok
}

// How long a pair that nothing is heard of is kept though others need its
// place, in milliseconds.
const (
	keepNew     = 10 * 60e3 // two or three beats
	keepYoung   = 3600e3    // at least, while it may become regular
	keepBeacon  = 48 * 3600e3
	keepPeriods = 8
	keepLongest = 72 * 3600e3
	uncertain   = 3 // beats that say nothing yet
	hopeless    = 4 // nats, after a full ring
)

// overdue is for how long p should have been heard of, in milliseconds; below
// 0: not yet.
func (p *pair) overdue(now int64) int64 {
	quiet := now - p.seen
	if p.beats <= uncertain || p.beats > ringBeats && float64(p.score)/scoreUnit < hopeless {
		return quiet - keepNew
	}
	every := (p.last - p.first) / int64(p.beats-1)
	keep := min(max(keepPeriods*every, keepYoung), keepLongest)
	if p.flags&flagBeacon != 0 {
		keep = max(keep, keepBeacon)
	}
	return quiet - keep
}

// all are the pairs, in no order.
func (t *table) all() iter.Seq[*pair] {
	return func(yield func(*pair) bool) {
		for i := range t.used {
			if !yield(t.slot(uint32(i))) {
				return
			}
		}
	}
}
