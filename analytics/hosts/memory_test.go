package hosts_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/hosts"
)

// TestMemory holds what a machine costs against what docs/benchmarks.md says.
func TestMemory(t *testing.T) {
	const n = 1000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	d := hosts.New(options(), nil)
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for i := range n {
		name := fmt.Sprintf("esx%04d.example.com", i)
		d.Observe(hosts.Tallies{{Key: "host:" + name, Name: name, Last: now, Records: 1}}, nil)
	}
	each := (heap() - before) / n
	t.Logf("%d bytes a machine", each)
	if each > 4096 {
		t.Errorf("%d bytes a machine, want at most 4096", each)
	}
	runtime.KeepAlive(d)
}
