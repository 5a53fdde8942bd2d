package behavior

import (
	"runtime"
	"testing"
	"unsafe"
)

// TestTable: what was put in is found, also after others gave way.
func TestTable(t *testing.T) {
	const bound = 5000
	tab := newTable(bound)
	g := newGenerator(5)
	there := map[uint64]bool{}
	now := epoch
	for range 20 * bound {
		key := g.Uint64()
		now += 1000
		before := tab.used
		p, evicted := tab.add(key, now)
		if p == nil {
			continue
		}
		if evicted != (before == bound) {
			t.Fatalf("evicted %v of %d", evicted, before)
		}
		p.begin(key, now)
		there[key] = true
	}
	found := 0
	for key := range there {
		if p := tab.find(key); p != nil {
			if p.key != key {
				t.Fatalf("%x is found for %x", p.key, key)
			}
			found++
		}
	}
	if found != bound || tab.used != bound {
		t.Errorf("%d found of %d in the table, want %d", found, tab.used, bound)
	}
	seen := 0
	for p := range tab.all() {
		if tab.find(p.key) != p {
			t.Fatal("a pair that is not found")
		}
		seen++
	}
	if seen != bound {
		t.Errorf("%d pairs", seen)
	}
}

// TestMemory: a pair takes at most 240 bytes, its place in the index included.
func TestMemory(t *testing.T) {
	const pairs = 1 << 18 // the least favourable is just above 3/4 of the index
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tab := newTable(pairs)
	g := newGenerator(6)
	for range pairs {
		if p, _ := tab.add(g.Uint64(), epoch); p == nil {
			t.Fatal("no room")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / pairs
	t.Logf("%.1f bytes a pair, %d of them its own", each, unsafe.Sizeof(pair{}))
	if each > 240 {
		t.Errorf("%.1f bytes a pair", each)
	}
	runtime.KeepAlive(tab)
}
