package sigma_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
)

// naiveCorpus reads all of SigmaHQ with the naive evaluator's reader.
func naiveCorpus(t testing.TB, placeholders map[string][]string) []naiveRule {
	t.Helper()
	file, err := corpus(t).Open("rules.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var rules []naiveRule
	for archive := tar.NewReader(unpacked); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return rules
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(entry.Name, ".yml") {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parseNaive(content, placeholders)
		if err != nil {
			t.Fatalf("%s: %v", entry.Name, err)
		}
		rules = append(rules, parsed...)
	}
}

// corpusRecords is every event of the corpus.
func corpusRecords(t testing.TB) []sigma.Record {
	t.Helper()
	var records []sigma.Record
	fsys := corpus(t)
	for _, c := range devCases(t) {
		records = append(records, readRecords(t, fsys, c.flat)...)
	}
	for _, name := range benchFiles {
		records = append(records, readRecords(t, fsys, "bench_events/"+name)...)
	}
	return records
}

var benchFiles = []string{
	"linux_sysmon_eid1_process_creation.jsonl", "win_sysmon_eid1_process_creation.jsonl",
	"win_sysmon_eid22_dns_query.jsonl", "win_sysmon_eid3_network_connection.jsonl",
}

// TestAgreesOnCorpus: the index and the naive evaluator say the same of every
// pair of a rule of SigmaHQ and a real event. With the race detector, of each
// sixteenth event.
func TestAgreesOnCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about a minute")
	}
	rules := allRules(t)
	naive := naiveCorpus(t, placeholderValues())
	records := corpusRecords(t)
	if raceEnabled {
		var few []sigma.Record
		for i := 0; i < len(records); i += 16 {
			few = append(few, records[i])
		}
		records = few
	}
	engine := sigma.Compile(rules.Rules)
	var pairs, hits atomic.Int64
	var wg sync.WaitGroup
	const shards = 4
	for shard := range shards {
		wg.Go(func() {
			m := engine.NewMatcher()
			for i := shard; i < len(records); i += shards {
				got := map[string]bool{}
				m.Match(&records[i], func(h *sigma.Hit) { got[h.Rule.ID] = true })
				hits.Add(int64(len(got)))
				r := newNaiveRecord(records[i].Fields, records[i].Text)
				for k := range naive {
					if want := naive[k].holds(r); want != got[naive[k].id] {
						t.Errorf("record %d, rule %s: index says %t, the naive evaluator %t", i, naive[k].id, !want, want)
					}
				}
				pairs.Add(int64(len(naive)))
			}
		})
	}
	wg.Wait()
	t.Logf("%d pairs, %d hits", pairs.Load(), hits.Load())
	if len(naive) != len(rules.Rules) || hits.Load() == 0 {
		t.Errorf("compared %d rules of %d, %d hits", len(naive), len(rules.Rules), hits.Load())
	}
}

func placeholderValues() map[string][]string {
	lists := map[string][]string{}
	for _, name := range placeholderNames {
		lists[name] = []string{"adm_*", "srv?-" + strings.ToLower(name), "10.11.12.13"}
	}
	return lists
}

// TestMatchAllocatesNothing: once a Matcher has seen records of their size.
func TestMatchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	records := corpusRecords(t)
	m := sigma.Compile(allRules(t).Rules).NewMatcher()
	hits := 0
	all := func() {
		for i := range records {
			m.Match(&records[i], func(*sigma.Hit) { hits++ })
		}
	}
	all()
	// Go's regular expressions take their machines from a pool that garbage
	// collection may empty.
	if got := testing.AllocsPerRun(3, all) / float64(len(records)); got > 0.02 {
		t.Errorf("%.3f allocations a record", got)
	}
}
