package analytics

import (
	"iter"
	"sync/atomic"
)

// Recent is a map of bounded size that forgets what was not used for long. It
// keeps two generations: a key lives at least until half the bound of other
// keys were put in after its last use. It allocates only while it grows to
// its bound. Of equal keys it keeps the one that was put first, and with it only
// the memory that this one refers to. Only Forgotten is safe for concurrent use.
type Recent[K comparable, V any] struct {
	young, old map[K]entry[K, V]
	half       int
	forgotten  atomic.Int64
}

// entry has its key a second time: a map does not tell the key that it has,
// and takes over that of an assignment even when it has an equal one.
type entry[K comparable, V any] struct {
	key   K
	value V
}

// NewRecent makes a Recent of at most bound keys (at least 2).
func NewRecent[K comparable, V any](bound int) *Recent[K, V] {
	return &Recent[K, V]{young: map[K]entry[K, V]{}, old: map[K]entry[K, V]{}, half: max(bound/2, 1)}
}

// Get gives the value of k and counts as a use of it.
func (r *Recent[K, V]) Get(k K) (V, bool) {
	if e, ok := r.young[k]; ok {
		return e.value, true
	}
	e, ok := r.old[k]
	if ok {
		delete(r.old, k)
		r.add(e)
	}
	return e.value, ok
}

// Put sets the value of k. It keeps k, when k is new.
func (r *Recent[K, V]) Put(k K, v V) {
	if e, ok := r.young[k]; ok {
		r.young[e.key] = entry[K, V]{e.key, v}
		return
	}
	if e, ok := r.old[k]; ok {
		delete(r.old, k)
		k = e.key
	}
	r.add(entry[K, V]{k, v})
}

// add makes e, which is in no generation, one of the young.
func (r *Recent[K, V]) add(e entry[K, V]) {
	if len(r.young) >= r.half {
		r.turn()
	}
	r.young[e.key] = e
}

// Delete takes k out.
func (r *Recent[K, V]) Delete(k K) {
	delete(r.young, k)
	delete(r.old, k)
}

// All gives every key and value, in no order. It uses none of them.
func (r *Recent[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, generation := range []map[K]entry[K, V]{r.young, r.old} {
			for k, e := range generation {
				if !yield(k, e.value) {
					return
				}
			}
		}
	}
}

// Len is the number of keys.
func (r *Recent[K, V]) Len() int { return len(r.young) + len(r.old) }

// Forgotten counts the keys that fell off.
func (r *Recent[K, V]) Forgotten() int64 { return r.forgotten.Load() }

func (r *Recent[K, V]) turn() {
	r.forgotten.Add(int64(len(r.old)))
	clear(r.old)
	r.young, r.old = r.old, r.young
}
