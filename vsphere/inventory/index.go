package inventory

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/vegress/vegress/event"
)

// Ends of a claim that has none.
const (
	always  = math.MinInt64
	forever = math.MaxInt64
)

// maxClaims bounds the claims that are kept for one key: of each VM an open
// one and one that ended. Addresses that every Linux guest has on an inner
// bridge would otherwise collect thousands. What ended first makes room for
// an open claim.
const maxClaims = 64

// claim says that a VM had a key from one time to another, in nanoseconds of
// Unix time.
type claim struct {
	vm       *vmState
	from, to int64
}

func (c *claim) open() bool { return c.to == forever }

// entry is all that is known of one key. An entry never changes.
type entry struct {
	key  key
	only claim  // when crowd is nil
	many *crowd // more than one claim
	next *entry // in the chain
}

// crowd is what several VMs claim: best first, that is powered on before off,
// then the newest. all are the VMs whose claim is open, in the same order.
type crowd struct {
	claims  []claim
	all     []*event.VM
	dropped int // claims that were too many
}

// table is the buckets of an index, and a filter in front of them: most
// addresses in logs are external ones that no VM has, and one bit, in a piece
// of memory that stays in the cache, says so without touching the buckets.
type table struct {
	buckets []atomic.Pointer[entry]
	filter  []atomic.Uint64
	mask    uint64
}

// filterBits is the bits of the filter for each bucket.
const filterBits = 8

// bit is where the filter has the bit of a hash: the word, and the bit in it.
func (t *table) bit(slot uint64) (*atomic.Uint64, uint64) {
	n := slot >> 32 & (uint64(len(t.filter))*64 - 1)
	return &t.filter[n/64], 1 << (n % 64)
}

// may says whether a key of that hash may be there.
func (t *table) may(slot uint64) bool {
	w, b := t.bit(slot)
	return w.Load()&b != 0
}

// mark lets keys of that hash through. Bits are cleared when the table grows.
func (t *table) mark(slot uint64) {
	w, b := t.bit(slot)
	w.Or(b)
}

// index finds claims by key. Reading is safe at any time; writing needs the
// inventory's lock.
type index struct {
	hash    hasher
	table   atomic.Pointer[table]
	entries int
	crowded int // claims beyond maxClaims, counted when they are dropped
}

const minBuckets = 1 << 10

func newIndex() *index {
	x := &index{hash: newHasher()}
	x.table.Store(newTable(minBuckets))
	return x
}

func newTable(n int) *table {
	return &table{
		buckets: make([]atomic.Pointer[entry], n),
		filter:  make([]atomic.Uint64, n*filterBits/64),
		mask:    uint64(n - 1),
	}
}

// find gives the entry of k, or nil.
func (x *index) find(k key) *entry {
	t, slot := x.table.Load(), x.hash.slot(k)
	if !t.may(slot) {
		return nil
	}
	return find(t.buckets[slot&t.mask].Load(), k)
}

// put says that vm has k: since the time given, or, when vm has it already,
// still.
func (x *index) put(k key, vm *vmState, since int64) {
	x.update(k, func(claims []claim) ([]claim, int) {
		for i := range claims {
			if claims[i].open() && claims[i].vm.obj == vm.obj {
				claims[i].vm = vm
				return claims, 0
			}
		}
		if len(claims) == maxClaims {
			oldest := oldestEnded(claims)
			if oldest < 0 {
				return claims, 1
			}
			x.crowded++
			claims = slices.Delete(claims, oldest, oldest+1)
		}
		return append(claims, claim{vm, since, forever}), 0
	})
}

// oldestEnded is the place of the claim that ended first; -1: all are open.
func oldestEnded(claims []claim) int {
	oldest := -1
	for i := range claims {
		if !claims[i].open() && (oldest < 0 || claims[i].to < claims[oldest].to) {
			oldest = i
		}
	}
	return oldest
}

// end closes vm's claim to k; it stays, for logs that arrive late, until drop.
func (x *index) end(k key, obj *vmObject, at int64) {
	x.update(k, func(claims []claim) ([]claim, int) {
		for i := range claims {
			if claims[i].open() && claims[i].vm.obj == obj {
				claims[i].to = at
				return mergeEnded(claims, i), 0
			}
		}
		return claims, -1 // it was one of those that were too many
	})
}

// mergeEnded makes the claim at i, which ended now, and an earlier one of the
// same VM into one: else a guest that takes and leaves an address over and
// over would use up all places of it.
func mergeEnded(claims []claim, i int) []claim {
	for j := range claims {
		if j != i && !claims[j].open() && claims[j].vm.obj == claims[i].vm.obj {
			claims[i].from = min(claims[i].from, claims[j].from)
			claims[i].to = max(claims[i].to, claims[j].to)
			return slices.Delete(claims, j, j+1)
		}
	}
	return claims
}

// drop forgets obj's claims to k that ended at or before the time given.
func (x *index) drop(k key, obj *vmObject, ended int64) {
	x.update(k, func(claims []claim) ([]claim, int) {
		return slices.DeleteFunc(claims, func(c claim) bool { return c.vm.obj == obj && c.to <= ended }), 0
	})
}

// update replaces k's entry by what change makes of its claims. change gets a
// copy with room for one more, and says by how many the dropped ones grow.
func (x *index) update(k key, change func([]claim) ([]claim, int)) {
	t, slot := x.table.Load(), x.hash.slot(k)
	bucket := &t.buckets[slot&t.mask]
	head := bucket.Load()
	old := find(head, k)
	claims, dropped := change(old.copyClaims())
	if n := old.dropped(); n > 0 || dropped > 0 {
		x.crowded += max(dropped, 0)
		dropped = max(n+dropped, 0)
	} else {
		dropped = 0
	}
	rest := without(head, old)
	if len(claims) == 0 {
		if old != nil {
			bucket.Store(rest)
			x.entries--
		}
		return
	}
	t.mark(slot)
	bucket.Store(newEntry(k, claims, dropped, rest))
	if old == nil {
		x.entries++
		x.grow(t)
	}
}

func find(e *entry, k key) *entry {
	for ; e != nil && e.key != k; e = e.next {
	}
	return e
}

// without is the chain without the entry old: what stood before it is copied,
// because others are reading it.
func without(head, old *entry) *entry {
	if old == nil {
		return head
	}
	if head == old {
		return old.next
	}
	c := *head
	c.next = without(head.next, old)
	return &c
}

func (e *entry) copyClaims() []claim {
	switch {
	case e == nil:
		return make([]claim, 0, 1)
	case e.many == nil:
		return append(make([]claim, 0, 2), e.only)
	}
	return append(make([]claim, 0, len(e.many.claims)+1), e.many.claims...)
}

func (e *entry) dropped() int {
	if e == nil || e.many == nil {
		return 0
	}
	return e.many.dropped
}

func newEntry(k key, claims []claim, dropped int, next *entry) *entry {
	if len(claims) == 1 && dropped == 0 {
		return &entry{key: k, only: claims[0], next: next}
	}
	slices.SortFunc(claims, compareClaims)
	c := &crowd{claims: claims, dropped: dropped}
	for i := range claims {
		if claims[i].open() {
			c.all = append(c.all, &claims[i].vm.VM)
		}
	}
	return &entry{key: k, many: c, next: next}
}

// compareClaims orders the claims of a crowd, the best first.
func compareClaims(a, b claim) int {
	switch {
	case a.vm.PoweredOn != b.vm.PoweredOn:
		if a.vm.PoweredOn {
			return -1
		}
		return 1
	case a.from != b.from:
		if a.from > b.from {
			return -1
		}
		return 1
	}
	return strings.Compare(a.vm.Key, b.vm.Key)
}

// grow doubles the buckets when there are more entries than buckets. Chains
// are copied: readers of the old table go on undisturbed.
func (x *index) grow(t *table) {
	if x.entries <= len(t.buckets) {
		return
	}
	bigger := newTable(2 * len(t.buckets))
	for i := range t.buckets {
		for e := t.buckets[i].Load(); e != nil; e = e.next {
			slot := x.hash.slot(e.key)
			bigger.mark(slot)
			b := &bigger.buckets[slot&bigger.mask]
			c := *e
			c.next = b.Load()
			b.Store(&c)
		}
	}
	x.table.Store(bigger)
}
