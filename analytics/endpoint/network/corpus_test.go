package network_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/event"
)

// leaves gives each value of a JSON record that is neither a name nor empty.
func leaves(v gjson.Result, give func(string)) {
	if v.IsObject() || v.IsArray() {
		v.ForEach(func(_, item gjson.Result) bool {
			leaves(item, give)
			return true
		})
		return
	}
	if v.Type == gjson.Null || v.String() == "" {
		return
	}
	if v.Type == gjson.String {
		give(v.Str)
		return
	}
	give(v.Raw)
}

// TestCorpus: the public Zeek records decode without loss: each value of a
// record is one of a field, and its class is its log's.
func TestCorpus(t *testing.T) {
	folder := os.Getenv("VEGRESS_CORPUS")
	if folder == "" {
		t.Skip("VEGRESS_CORPUS is not set: the public records are not here")
	}
	files, err := filepath.Glob(filepath.Join(folder, "endpoint", "otrf_zeek_apt29", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no records in %s: %v", folder, err)
	}
	classes := map[string]event.Class{"conn": event.NetworkActivity, "ssl": event.NetworkActivity, "dns": event.DNSActivity, "http": event.HTTPActivity}
	total := 0
	for _, name := range files {
		log := strings.TrimSuffix(name[strings.LastIndexByte(name, '_')+1:], ".log")
		for _, ev := range corpusEvents(t, name) {
			total++
			if ev.Class != classes[log] || ev.LogName != "zeek."+log {
				t.Errorf("%s: class %v, log %q", name, ev.Class, ev.LogName)
			}
			if ev.Time.IsZero() || !ev.Src.IP.IsValid() || !ev.Dst.IP.IsValid() && ev.Dst.Hostname == "" || ev.Device.Hostname == "" {
				t.Errorf("%s lacks its time or an end: %s", name, ev.Raw)
			}
			lost(t, &ev)
		}
	}
	t.Logf("%d records in %d files", total, len(files))
}

// lost fails for values of the record that are in no field.
func lost(t *testing.T, ev *event.Event) {
	t.Helper()
	values := map[string]int{}
	for _, f := range ev.Fields {
		values[f.Value]++
	}
	leaves(gjson.Parse(ev.Raw), func(value string) {
		if values[value]--; values[value] < 0 {
			t.Errorf("%q is lost of %s", value, ev.Raw)
		}
	})
}

func corpusEvents(t *testing.T, name string) (events []event.Event) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z := network.NewZeek("")
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, endpoint.MaxRecord)
	for lines.Scan() {
		if err := z.Decode(endpoint.Record{Text: lines.Text()}, func(ev *event.Event) { events = append(events, ev.Clone()) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

// TestCorpusIsOCSF holds the events of the public records against OCSF.
func TestCorpusIsOCSF(t *testing.T) {
	folder := os.Getenv("VEGRESS_CORPUS")
	if folder == "" {
		t.Skip("VEGRESS_CORPUS is not set: the public records are not here")
	}
	files, _ := filepath.Glob(filepath.Join(folder, "endpoint", "otrf_zeek_apt29", "*.log"))
	for _, name := range files {
		events := corpusEvents(t, name)
		valid(t, events[:min(len(events), 50)])
	}
}
