package behavior

import "math"

// probation remembers pairs that were seen once: about half of all pairs are
// never seen again, and a scanner's are not either. An entry is 8 bytes; the
// oldest of a bucket gives way. It does not grow.
type probation struct {
	buckets [][bucketEntries]trial
	lost    int64
}

const bucketEntries = 8

// trial is a pair on probation. Its time is the low 32 bits of Unix
// milliseconds: it is told from others within 24 days.
type trial struct {
	tag   uint16 // of the key; 0: the entry is free
	bytes code16 // sent so far, never less than it was
	at    uint32 // the first beat
}

func newProbation(entries int) probation {
	n := 1
	for n*bucketEntries < entries {
		n *= 2
	}
	return probation{buckets: make([][bucketEntries]trial, n)}
}

func (q *probation) bucket(key uint64) (*[bucketEntries]trial, uint16) {
	return &q.buckets[key>>16&uint64(len(q.buckets)-1)], uint16(key) | 1
}

// find gives the trial of key, or nil.
func (q *probation) find(key uint64) *trial {
	bucket, tag := q.bucket(key)
	for i := range bucket {
		if t := &bucket[i]; t.tag == tag {
			return t
		}
	}
	return nil
}

// begin puts key on probation.
func (q *probation) begin(key uint64, at, bytes int64) {
	bucket, tag := q.bucket(key)
	oldest := 0
	for i := range bucket {
		if bucket[i].tag == 0 {
			oldest = i
			break
		}
		if uint32(at)-bucket[i].at > uint32(at)-bucket[oldest].at {
			oldest = i
		}
	}
	if bucket[oldest].tag != 0 {
		q.lost++
	}
	bucket[oldest] = trial{tag: tag, at: uint32(at)}
	bucket[oldest].send(bytes)
}

// began is when the trial's first beat was, seen from now.
func (t *trial) began(now int64) int64 { return now - int64(int32(uint32(now)-t.at)) }

func (t *trial) send(bytes int64) {
	if bytes <= 0 {
		return
	}
	sum := t.bytes.decode() + uint64(bytes)
	t.bytes = encode16(sum)
	if t.bytes.decode() < sum && t.bytes < math.MaxUint16 {
		t.bytes++
	}
}
