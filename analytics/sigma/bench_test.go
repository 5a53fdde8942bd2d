package sigma_test

import (
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/sigma"
)

// perEvent reports what one evaluates of records costs in CPU time of this
// thread: the least and the median of b.N measurements, each of many passes.
func perEvent(b *testing.B, engine *sigma.Engine, records []sigma.Record) {
	b.Helper()
	m := engine.NewMatcher()
	hits := 0
	count := func(*sigma.Hit) { hits++ }
	pass := func() {
		for i := range records {
			m.Match(&records[i], count)
		}
	}
	pass()
	before := m.Stats()
	allocations := testing.AllocsPerRun(1, pass)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took []time.Duration
	for b.Loop() {
		start, passes, spent := threadTime(), 0, time.Duration(0)
		for spent < 200*time.Millisecond { // long against the clock's steps, 4 ms on some machines
			pass()
			passes++
			spent = threadTime() - start
		}
		took = append(took, spent/time.Duration(passes))
	}
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(len(records)) }
	after := m.Stats()
	events := float64(after.Records - before.Records)
	b.ReportMetric(us(took[0]), "min-cpu-us/event")
	b.ReportMetric(us(took[len(took)/2]), "cpu-us/event")
	b.ReportMetric(allocations/float64(len(records)), "allocs/event")
	b.ReportMetric(float64(after.Evaluated-before.Evaluated)/events, "rules/event")
	b.ReportMetric(float64(after.Lazy-before.Lazy)/events, "lazy/event")
	b.ReportMetric(0, "ns/op")
}

var benchCategories = []struct {
	name, file string
	source     sigma.LogSource
}{
	{"windows_process_creation", benchFiles[1], sigma.LogSource{Product: "windows", Category: "process_creation"}},
	{"windows_network_connection", benchFiles[3], sigma.LogSource{Product: "windows", Category: "network_connection"}},
	{"windows_dns_query", benchFiles[2], sigma.LogSource{Product: "windows", Category: "dns_query"}},
	{"linux_process_creation", benchFiles[0], sigma.LogSource{Product: "linux", Category: "process_creation"}},
}

// BenchmarkMatch evaluates all rules of an event's category on real events.
func BenchmarkMatch(b *testing.B) {
	for _, c := range benchCategories {
		rules := sigma.Select(allRules(b).Rules, c.source)
		records := readRecords(b, corpus(b), "bench_events/"+c.file)
		b.Run(c.name+"/rules="+strconv.Itoa(len(rules)), func(b *testing.B) {
			perEvent(b, sigma.Compile(rules), records)
		})
	}
	b.Run("mixed/all_rules", func(b *testing.B) {
		var records []sigma.Record
		for _, c := range benchCategories {
			records = append(records, readRecords(b, corpus(b), "bench_events/"+c.file)...)
		}
		perEvent(b, sigma.Compile(allRules(b).Rules), records)
	})
}

// BenchmarkGrowth evaluates more and more of the rules for Windows processes.
func BenchmarkGrowth(b *testing.B) {
	rules := sigma.Select(allRules(b).Rules, benchCategories[0].source)
	slices.SortFunc(rules, func(x, y *sigma.Rule) int { return cmp.Compare(x.ID, y.ID) }) // ids are random
	records := readRecords(b, corpus(b), "bench_events/"+benchCategories[0].file)
	for _, n := range []int{100, 500, 1000, len(rules)} {
		b.Run("rules="+strconv.Itoa(n), func(b *testing.B) { perEvent(b, sigma.Compile(rules[:n]), records) })
	}
}

// BenchmarkCompile compiles all rules, and says what the result keeps.
func BenchmarkCompile(b *testing.B) {
	all := allRules(b).Rules
	for _, c := range []struct {
		name  string
		rules []*sigma.Rule
	}{
		{"windows_process_creation", sigma.Select(all, benchCategories[0].source)},
		{"all", all},
	} {
		b.Run(c.name+"/rules="+strconv.Itoa(len(c.rules)), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var engine *sigma.Engine
			var took []time.Duration
			for b.Loop() {
				start := threadTime()
				engine = sigma.Compile(c.rules)
				took = append(took, threadTime()-start)
			}
			b.ReportMetric(float64(slices.Min(took).Microseconds())/1000, "min-cpu-ms")
			b.ReportMetric(float64(heldBytes(func() any { return sigma.Compile(c.rules) }))/1e6, "engine-MB")
			b.ReportMetric(float64(heldBytes(func() any { return engine.NewMatcher() }))/1e3, "matcher-KB")
			b.ReportMetric(float64(engine.Stats().Always), "always-rules")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLoad reads all rules from the archive.
func BenchmarkLoad(b *testing.B) {
	fsys := corpus(b)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took []time.Duration
	for b.Loop() {
		start := threadTime()
		sigma.Load(fsys, []string{"rules.tar.gz"}, sigma.Options{})
		took = append(took, threadTime()-start)
	}
	b.ReportMetric(float64(slices.Min(took).Microseconds())/1000, "min-cpu-ms")
	b.ReportMetric(float64(heldBytes(func() any { return sigma.Load(fsys, []string{"rules.tar.gz"}, sigma.Options{}) }))/1e6, "rules-MB")
	b.ReportMetric(0, "ns/op")
}

// heldBytes is the heap that what is made keeps.
func heldBytes(make1 func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make1()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// BenchmarkCorrelate counts events of 100,000 groups: from a rule's hit to the
// window, and the heap that an open window keeps with its event.
func BenchmarkCorrelate(b *testing.B) {
	for _, c := range []struct{ name, body string }{
		{"event_count", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 1000}"},
		{"value_count", "type: value_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 1000, field: Port}"},
		{"temporal_ordered", "type: temporal_ordered\nrules: [successful_login, failed_login]\ngroup-by: [User, Kind]\ntimespan: 1h"},
		{"value_avg", "type: value_avg\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 1000, field: Port}"},
	} {
		b.Run(c.name, func(b *testing.B) {
			const groups = 100_000
			s := newStream(b, correlation("c", c.body), sigma.CorrelatorOptions{})
			rule := s.rules.Rules[0]
			records := make([]sigma.Record, groups)
			for i := range records {
				records[i] = record("Kind=failed; User=user-" + strconv.Itoa(i) + "; Port=" + strconv.Itoa(i%1000))
			}
			observe := func(i int, at time.Duration) {
				s.correlations.Sightings(rule, &records[i], epoch.Add(at), "collector-1700000000-123456-1", func(sighting *sigma.Sighting) {
					s.correlator.Observe(sighting, s.emit)
				})
			}
			held := heldBytes(func() any {
				for i := range groups {
					observe(i, 0)
				}
				return s.correlator
			})
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var took []time.Duration
			rounds := 0
			for b.Loop() {
				rounds++
				start := threadTime()
				for i := range groups {
					observe(i, time.Duration(rounds)*10*time.Minute)
				}
				took = append(took, threadTime()-start)
				s.correlator.Tick(epoch.Add(time.Duration(rounds)*10*time.Minute), s.emit)
			}
			slices.Sort(took)
			b.ReportMetric(groups/took[len(took)/2].Seconds(), "events/cpu-s")
			b.ReportMetric(float64(held)/groups, "B/window")
			b.ReportMetric(0, "ns/op")
		})
	}
}
