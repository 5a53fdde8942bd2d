package behavior

// What is kept of a pair: its latest beats and the sizes of its latest
// connections.
const (
	ringBeats = 48
	ringSizes = 16
)

// gap parts two beats, in milliseconds: connections that follow a beat more
// closely are part of it, as those of one web page are.
const gap = 3000

// pair is what is known of one source (a machine, and its process where that
// is known) and one destination. It holds no pointers, so that a million of
// them are nothing to the garbage collector. Times are Unix milliseconds.
type pair struct {
	key   uint64
	last  int64 // the latest beat
	first int64
	seen  int64 // the latest event, in the events' time

	beats uint32 // in all
	late  uint16 // events from before the ring's oldest beat
	off   uint16 // beats outside the business hours; at most beats
	score int16  // of the latest evaluation, in 64ths of a nat

	head, count         uint8 // of intervals: where the next one goes, how many there are
	sizeHead, sizeCount uint8
	flags               uint8
	intervals           [ringBeats]code16 // milliseconds between beats
	sizes               [ringSizes]code16 // bytes sent, by connection
	window              window
}

// Flags of a pair.
const (
	flagBeacon uint8 = 1 << iota // its latest evaluation said so
)

// begin makes p the pair of a first beat.
func (p *pair) begin(key uint64, at int64) {
	*p = pair{key: key, first: at, last: at, seen: at, beats: 1}
}

// beat takes a connection's begin. It says whether that is a new beat: one
// that comes within the gap after a beat is part of it. What comes late takes
// the place that it would have had, as far as the ring reaches.
func (p *pair) beat(at int64) bool {
	p.seen = max(p.seen, at)
	switch d := at - p.last; {
	case d >= gap:
		p.push(encode16(uint64(d)))
		p.last = at
	case d >= 0:
		return false
	default:
		if !p.insert(at) {
			return false
		}
	}
	p.beats++
	return true
}

func (p *pair) push(c code16) {
	p.intervals[p.head] = c
	p.head = (p.head + 1) % ringBeats
	p.count = min(p.count+1, ringBeats)
}

// at is the place in intervals of the i-th newest.
func (p *pair) at(i int) int { return (int(p.head) + 2*ringBeats - 1 - i) % ringBeats }

// insert takes a beat from before the latest: it splits the interval that it
// lies in, or moves the beat that follows it within the gap.
func (p *pair) insert(at int64) bool {
	next := p.last // the beat at the newer end of interval i
	for i := range int(p.count) {
		length := int64(p.intervals[p.at(i)].decode())
		before := next - length
		if at < before {
			next = before
			continue
		}
		switch close := gap + rounding(p.last-before); {
		case at-before < close:
			return false
		case next-at < close:
			p.move(i, at-before, next-at)
			return false
		}
		p.split(i, at-before, next-at)
		return true
	}
	return p.before(at, next)
}

// before takes a beat from before the oldest one, which is at next.
func (p *pair) before(at, next int64) bool {
	whole := p.beats == uint32(p.count)+1 // the oldest in the ring is the first of all
	if whole {
		next = p.first
	}
	switch {
	case at >= next, !whole && next-at < rounding(p.last-next):
		return false // that beat itself: the ring is rounded
	case !whole || int(p.count) == ringBeats:
		p.late += uint16(1 - int(p.late)>>15) // stops at the top
		return false
	}
	p.first = at
	if next-at >= gap {
		p.count++
		p.intervals[p.at(int(p.count)-1)] = encode16(uint64(next - at))
		return true
	}
	if p.count == 0 {
		p.last = at
		return false
	}
	oldest := &p.intervals[p.at(int(p.count)-1)]
	*oldest = encode16(oldest.decode() + uint64(next-at))
	return false
}

// rounding is how far off a beat of the ring may be that lies so long before
// the latest.
func rounding(back int64) int64 { return back>>mantissaBits + ringBeats<<(unitBits-1) }

// move makes the beat at the newer end of interval i earlier.
func (p *pair) move(i int, length, by int64) {
	p.intervals[p.at(i)] = encode16(uint64(length))
	if i == 0 {
		p.last -= by
		return
	}
	newer := p.at(i - 1)
	p.intervals[newer] = encode16(p.intervals[newer].decode() + uint64(by))
}

// split puts a beat into interval i, the i-th newest. A full ring loses its
// oldest interval.
func (p *pair) split(i int, older, newer int64) {
	p.push(0)
	for j := range i {
		p.intervals[p.at(j)] = p.intervals[p.at(j+1)]
	}
	p.intervals[p.at(i)] = encode16(uint64(newer))
	if i+1 < int(p.count) {
		p.intervals[p.at(i+1)] = encode16(uint64(older))
	}
}

// size takes what one connection sent.
func (p *pair) size(bytes int64) {
	p.sizes[p.sizeHead] = encode16(uint64(bytes))
	p.sizeHead = (p.sizeHead + 1) % ringSizes
	p.sizeCount = min(p.sizeCount+1, ringSizes)
}

// due says that a pair which just had a new beat is to be evaluated: often
// while it is young, for it may not live long.
func (p *pair) due() bool {
	switch n := p.beats; {
	case n < minBeats:
		return false
	case n <= 12:
		return n%2 == 0
	case n <= 24:
		return n%4 == 0
	default:
		return n%16 == 0 || n == 40
	}
}
