package event

import (
	"strconv"
	"sync"
	"testing"
)

// TestNameTableBound fills a table of its own, not the one of the process.
func TestNameTableBound(t *testing.T) {
	table := newNameTable()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range MaxFieldNames {
				table.add(strconv.Itoa(i))
			}
		})
	}
	wg.Wait()
	if n := len(*table.list.Load()); n != MaxFieldNames {
		t.Errorf("%d names, want %d", n, MaxFieldNames)
	}
	if id := table.add("one more"); id != overflow {
		t.Errorf("id %d above the bound, want %d", id, overflow)
	}
	for id, f := range *table.list.Load() {
		if got := table.add(f.name); int(got) != id {
			t.Fatalf("%q has the ids %d and %d", f.name, id, got)
		}
	}
}
