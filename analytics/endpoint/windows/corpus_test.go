package windows_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/windows"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

// corpusRecords reads the public records of Windows that VEGRESS_CORPUS names:
// EVTX as JSON, and flat.
func corpusRecords(t testing.TB) map[string][]string {
	t.Helper()
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: the corpus of public records is not here")
	}
	records := map[string][]string{}
	for _, pattern := range []string{
		"endpoint/otrf_windows/*.json", "endpoint/sigma_regression*/*.json",
		"sigma/dev/events/*.jsonl", "sigma/dev/flat/*.jsonl", "sigma/bench_events/win_*.jsonl",
	} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			records[file] = objects(t, file)
		}
	}
	return records
}

// objects reads the JSON objects of a file, whatever is between them.
func objects(t testing.TB, file string) (list []string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		var object json.RawMessage
		if err := decoder.Decode(&object); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, string(object))
	}
}

// decode makes an event that lasts.
func decode(t testing.TB, d *windows.Decoder, record string) event.Event {
	t.Helper()
	var got []event.Event
	if err := d.Decode(endpoint.Record{Text: record}, func(ev *event.Event) { got = append(got, ev.Clone()) }); err != nil {
		t.Fatalf("%v: %.300s", err, record)
	}
	if len(got) != 1 {
		t.Fatalf("%d events: %.300s", len(got), record)
	}
	return got[0]
}

// TestCorpusKeepsAll looks for each value of the public records with another
// JSON reader, and for each of them in the event's fields.
func TestCorpusKeepsAll(t *testing.T) {
	d, values := windows.New(), 0
	for file, records := range corpusRecords(t) {
		for _, record := range records {
			ev := decode(t, d, record)
			if ev.Raw != record || ev.Records != 1 {
				t.Errorf("%s: raw_data is not the record", file)
			}
			for path, want := range leaves(t, record) {
				values++
				if strings.HasSuffix(path, "xmlns") {
					continue
				}
				if !slices.ContainsFunc(ev.Fields, func(f event.Field) bool { return f.Value == want }) {
					t.Errorf("%s: %s %q is in no field", file, path, want)
				}
			}
		}
	}
	t.Logf("%d values", values)
}

// leaves gives the values in a JSON object by their paths.
func leaves(t testing.TB, record string) map[string]string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(record))
	decoder.UseNumber()
	var object any
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, member := range v {
				walk(path+"."+key, member)
			}
		case []any:
			for _, member := range v {
				walk(path+"[]", member)
			}
		case string:
			found[path] = v
		case json.Number:
			found[path] = v.String()
		}
	}
	walk("", object)
	return found
}

// columns of testdata/corpus_expect.tsv, in which a program without a path
// stands in its place. A record's text is not in it.
var columns = strings.Fields("file index sha class activity log host time user process pid uid parent parent_pid src dst direction proto query rcode answers path")

func row(file string, index int, record string, ev *event.Event) []string {
	sum := sha256.Sum256([]byte(record))
	parent := &event.Process{}
	if ev.Process.Parent != nil {
		parent = ev.Process.Parent
	}
	user := ev.User.Name
	if ev.User.Domain != "" {
		user = ev.User.Domain + `\` + user
	}
	var answers []string
	for _, ip := range ev.DNS.Answers {
		answers = append(answers, ip.String())
	}
	src := end(&ev.Src)
	if ev.Class != event.NetworkActivity {
		src = "" // the machine itself
	}
	r := []string{
		file, strconv.Itoa(index), hex.EncodeToString(sum[:4]), strconv.Itoa(int(ev.Class)), strconv.Itoa(int(ev.Activity)), ev.LogName, ev.Device.Hostname,
		ev.Time.Format(time.RFC3339Nano), user, cmp.Or(ev.Process.Path, ev.Process.Name), count(ev.Process.PID), ev.Process.UID,
		cmp.Or(parent.Path, parent.Name), count(parent.PID), src, end(&ev.Dst), count(int64(ev.Direction)), count(int64(ev.Protocol)),
		ev.DNS.Query, ev.DNS.RCode, strings.Join(answers, ","), ev.File.Path,
	}
	for i := range r {
		if r[i] = strings.NewReplacer("\t", " ", "\n", " ").Replace(r[i]); r[i] == "" {
			r[i] = "-"
		}
	}
	return r
}

func end(e *event.Endpoint) string {
	if !e.IP.IsValid() {
		return ""
	}
	return fmt.Sprintf("%s|%d", e.IP, e.Port)
}

func count(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// TestCorpus holds the events of public records against what a reader of the
// records expects.
func TestCorpus(t *testing.T) {
	records := corpusRecords(t)
	content, err := os.ReadFile("testdata/corpus_expect.tsv")
	if err != nil {
		t.Fatal(err)
	}
	d, root, right := windows.New(), os.Getenv("VEGRESS_CORPUS"), 0
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")[1:]
	for _, line := range lines {
		want := strings.Split(line, "\t")
		index, err := strconv.Atoi(want[1])
		list := records[filepath.Join(root, want[0])]
		if err != nil || index >= len(list) {
			t.Fatalf("no record for %q", line)
		}
		ev := decode(t, d, list[index])
		for c, got := range row(want[0], index, list[index], &ev) {
			if got == want[c] {
				right++
				continue
			}
			t.Errorf("%s %d: %s is %q, want %q", want[0], index, columns[c], got, want[c])
		}
	}
	t.Logf("score: %d of %d members right in %d records", right, len(lines)*len(columns), len(lines))
}

// TestCorpusValid holds the events of the public records against OCSF.
func TestCorpusValid(t *testing.T) {
	schemas, d := eventtest.New(t), windows.New()
	classes := map[event.Class]int{}
	for file, records := range corpusRecords(t) {
		for _, record := range records {
			ev := decode(t, d, record)
			ev.UID = "u"
			classes[ev.WireClass()]++
			if ev.WireClass() != ev.Class {
				t.Errorf("%s: written as class %d, not %d", file, ev.WireClass(), ev.Class)
			}
			if err := schemas.Validate(ev.AppendJSON(nil)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if ev.Time.IsZero() || ev.Device.Hostname == "" || ev.LogName == "" {
				t.Errorf("%s: time %v, host %q, log %q", file, ev.Time, ev.Device.Hostname, ev.LogName)
			}
		}
	}
	t.Log(classes)
}

func BenchmarkDecode(b *testing.B) {
	for name, records := range shapes(b) {
		b.Run(name, func(b *testing.B) { benchmark(b, records) })
	}
}

func BenchmarkCorpus(b *testing.B) {
	for file, records := range corpusRecords(b) {
		if strings.Contains(file, "bench_events") {
			b.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl"), func(b *testing.B) { benchmark(b, records) })
		}
	}
}

// benchmark decodes the records in turn.
func benchmark(b *testing.B, records []string) {
	bytes := 0
	for _, r := range records {
		bytes += len(r)
	}
	b.SetBytes(int64(bytes / len(records)))
	b.ReportAllocs()
	d, i := windows.New(), 0
	for b.Loop() {
		if err := d.Decode(endpoint.Record{Text: records[i]}, func(*event.Event) {}); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(records) {
			i = 0
		}
	}
}

// TestCorpusProcesses: in the public record of a download by BITS, the process
// behind each connection and query of the service is known.
func TestCorpusProcesses(t *testing.T) {
	table, d, found := endpoint.NewTable(endpoint.TableOptions{}), windows.New(), 0
	for file, records := range corpusRecords(t) {
		if !strings.Contains(file, "otrf_windows") {
			continue
		}
		for _, record := range records {
			ev := decode(t, d, record)
			table.Annotate(&ev)
			p := &ev.Process
			if p.PID != 4696 || ev.Class != event.NetworkActivity && ev.Class != event.DNSActivity {
				continue
			}
			found++
			if !strings.HasSuffix(p.CmdLine, `svchost.exe -k netsvcs -p -s BITS`) || p.Parent == nil || p.Parent.Name != "services.exe" || ev.User.Name == "" {
				t.Errorf("%s: %+v of %+v by %+v", record, p, p.Parent, ev.User)
			}
		}
	}
	if found != 9 {
		t.Errorf("%d connections and queries of BITS", found)
	}
}
