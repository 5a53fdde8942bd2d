package app

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vegress/vegress/event/eventtest"
	"github.com/vegress/vegress/simulator"
)

// night writes the simulated night to a file.
func night(t *testing.T) (file, config string, records int) {
	t.Helper()
	site, err := simulator.NewSite(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for r := range site.Traffic().Records() {
		b.WriteString(r.Line)
		b.WriteByte('\n')
		records++
	}
	return write(t, "night.log", b.String()), write(t, "vegress.yaml", site.Config()), records
}

// TestReplayIsExact: the same input gives the same bytes at any GOMAXPROCS,
// raw_data is the input, and its order the input's.
func TestReplayIsExact(t *testing.T) {
	file, config, _ := night(t)
	var sums [2][32]byte
	var out string
	for i, procs := range []int{1, 8} {
		before := runtime.GOMAXPROCS(procs)
		got := command(t, "replay", "--config", config, file)
		runtime.GOMAXPROCS(before)
		if got.code != exitOK {
			t.Fatalf("exit code %d: %s", got.code, got.err)
		}
		sums[i], out = sha256.Sum256([]byte(got.out)), got.out
	}
	if sums[0] != sums[1] {
		t.Error("the output differs between GOMAXPROCS 1 and 8")
	}
	checkRaw(t, file, out)
}

// checkRaw says that each input record stands in exactly one event's raw_data,
// and that the first records of events are in the input's order.
func checkRaw(t *testing.T, file, out string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	input := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	left := map[string]int{}
	for _, line := range input {
		left[line]++
	}
	next := 0
	for _, ev := range objects(t, out) {
		if ev["class_uid"] == float64(2004) {
			continue
		}
		pieces := strings.Split(rawOf(t, ev), "\n")
		for _, piece := range pieces {
			left[piece]--
		}
		for next < len(input) && input[next] != pieces[0] {
			next++ // a piece of an event before
		}
		if next++; next > len(input) {
			t.Fatalf("out of the input's order: %q", pieces[0])
		}
	}
	for line, n := range left {
		if n != 0 {
			t.Errorf("%d times too few in the output: %q", n, line)
		}
	}
}

func rawOf(t *testing.T, ev map[string]any) string {
	t.Helper()
	raw, _ := ev["raw_data"].(string)
	unmapped, _ := ev["unmapped"].(map[string]any)
	if unmapped["raw_encoding"] != "base64" {
		return raw
	}
	text, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReplayIsValid validates every event and finding of the simulated night.
func TestReplayIsValid(t *testing.T) {
	valid := eventtest.New(t)
	file, config, _ := night(t)
	got := command(t, "replay", "--config", config, file)
	for i, line := range strings.Split(strings.TrimSpace(got.out), "\n") {
		if i%7 != 0 && !strings.Contains(line, `"class_uid":2004`) {
			continue // validating takes a millisecond: a sample of the events, all of the findings
		}
		if err := valid.Validate([]byte(line)); err != nil {
			t.Errorf("%v:\n%s", err, line)
		}
	}
}

// TestReplayCorpus runs the real public records through the whole pipeline:
// each is in an event, and each event is valid OCSF.
func TestReplayCorpus(t *testing.T) {
	corpus := os.Getenv("VEGRESS_CORPUS")
	if corpus == "" {
		t.Skip("VEGRESS_CORPUS names no folder of public records")
	}
	valid := eventtest.New(t)
	file, err := os.Open(filepath.Join(corpus, "esxi", "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	records, events := 0, 0
	for lines.Scan() {
		var record struct{ Raw string }
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		records++
		got := command(t, "replay", "--output", "events", write(t, "one.log", record.Raw+"\n"))
		checkRaw(t, write(t, "clean.log", strings.Join(framed(record.Raw), "\n")+"\n"), got.out)
		for _, line := range strings.Split(strings.TrimSpace(got.out), "\n") {
			events++
			if err := valid.Validate([]byte(line)); err != nil {
				t.Errorf("record %d: %v:\n%s", records, err, line)
			}
		}
	}
	t.Logf("corpus score: %d of %d records in %d valid events", records, records, events)
}

// framed is a record as framing takes it: a line each, without its CR or NUL,
// empty ones left out.
func framed(raw string) []string {
	var lines []string
	for line := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '\n' || r == 0 }) {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestReplayRefuses(t *testing.T) {
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no file", []string{"replay"}, exitUsage, "requires at least 1 arg"},
		{"missing file", []string{"replay", "/nowhere/x.log"}, exitFailed, "/nowhere/x.log"},
		{"folder", []string{"replay", t.TempDir()}, exitFailed, "is a folder"},
		{"source", []string{"replay", "--source", "morse", "x"}, exitUsage, `--source is "morse"`},
		{"output", []string{"replay", "--output", "all", "x"}, exitUsage, `--output has "all"`},
		{"time", []string{"replay", "--reference-time", "noon", "x"}, exitUsage, `--reference-time is "noon"`},
		{"inventory", []string{"replay", "--inventory", write(t, "i.json", "{"), write(t, "x.log", "")}, exitFailed, "i.json"},
		{"config", []string{"replay", "--config", write(t, "c.yaml", "rolls: []"), "x"}, exitUsage, "rolls"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, tt.args...)
			if got.code != tt.code || !strings.Contains(got.err, tt.want) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("exit code %d, %q; want %d and one line with %q", got.code, got.err, tt.code, tt.want)
			}
		})
	}
}
