package analytics

import "sync/atomic"

// Recent is a map of bounded size that forgets what was not used for long. It
// keeps two generations: a key lives at least until half the bound of other
// keys were put in after its last use. It allocates only while it grows to
// its bound. Only Forgotten is safe for concurrent use.
type Recent[K comparable, V any] struct {
	young, old map[K]V
	half       int
	forgotten  atomic.Int64
}

// NewRecent makes a Recent of at most bound keys (at least 2).
func NewRecent[K comparable, V any](bound int) *Recent[K, V] {
	return &Recent[K, V]{young: map[K]V{}, old: map[K]V{}, half: max(bound/2, 1)}
}

// Get gives the value of k and counts as a use of it.
func (r *Recent[K, V]) Get(k K) (V, bool) {
	if v, ok := r.young[k]; ok {
		return v, true
	}
	v, ok := r.old[k]
	if ok {
		delete(r.old, k)
		r.Put(k, v)
	}
	return v, ok
}

// Put sets the value of k.
func (r *Recent[K, V]) Put(k K, v V) {
	if len(r.young) >= r.half {
		if _, ok := r.young[k]; !ok {
			r.turn()
		}
	}
	r.young[k] = v
}

// Delete takes k out.
func (r *Recent[K, V]) Delete(k K) {
	delete(r.young, k)
	delete(r.old, k)
}

// Len is the number of keys, with those counted twice that were put anew
// while the old generation still has them.
func (r *Recent[K, V]) Len() int { return len(r.young) + len(r.old) }

// Forgotten counts the keys that fell off.
func (r *Recent[K, V]) Forgotten() int64 { return r.forgotten.Load() }

func (r *Recent[K, V]) turn() {
	r.forgotten.Add(int64(len(r.old)))
	clear(r.old)
	r.young, r.old = r.old, r.young
}
