package behavior

import "math"

// windowSlots are the parts of a window of time: five of them are its length,
// and one more is where now is. All six together cover every window of that
// length that ends now, so their sum is never less than what was sent in it,
// and at most what was sent in 6/5 of it.
const windowSlots = 6

// window adds up what was sent of late, in slots of a fifth of TimeWindow.
type window struct {
	slot  uint32 // number of the newest slot since 1970
	bytes [windowSlots]uint32
}

// add spreads bytes evenly over [from, to] (Unix milliseconds), in slots of
// that length, and gives the most that any window which they are part of can
// hold: the sum of all slots. Of what is older than the slots nothing is known
// any more, so that windows there count only these bytes.
func (w *window) add(bytes, from, to, slot int64) uint64 {
	last := to / slot
	w.advance(last)
	from = min(from, to)
	rate := float64(bytes) / float64(to-from+1)
	oldest := int64(w.slot) - windowSlots + 1
	for s := max(from/slot, oldest); s <= last; s++ {
		begin, end := max(from, s*slot), min(to+1, (s+1)*slot)
		at := &w.bytes[s%windowSlots]
		*at = uint32(min(float64(*at)+math.Ceil(rate*float64(end-begin)), math.MaxUint32))
	}
	alone := rate * float64(min(to-from+1, (windowSlots-1)*slot))
	return max(w.sum(), uint64(alone))
}

// advance makes the slot of that number the newest, unless a newer one is.
func (w *window) advance(slot int64) {
	switch ahead := slot - int64(w.slot); {
	case ahead >= windowSlots:
		w.bytes = [windowSlots]uint32{}
	case ahead > 0:
		for s := int64(w.slot) + 1; s <= slot; s++ {
			w.bytes[s%windowSlots] = 0
		}
	default:
		return
	}
	w.slot = uint32(slot)
}

func (w *window) sum() (total uint64) {
	for _, b := range w.bytes {
		total += uint64(b)
	}
	return total
}
