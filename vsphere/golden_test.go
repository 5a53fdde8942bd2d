package vsphere_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

// view is what a golden file holds of an event: the members that are set.
type view map[string]any

func viewOf(ev *event.Event) view {
	v := view{}
	put := func(key, value string) {
		if value != "" {
			v[key] = value
		}
	}
	for i, key := range columns {
		if c := row(0, "", ev)[i]; i >= 2 && c != "-" && c != "0" {
			put(key, c)
		}
	}
	put("severity", number(int64(ev.Severity)))
	put("tcp_flags", number(int64(ev.TCPFlags)))
	put("status_code", number(int64(ev.HTTP.Status)))
	put("method", ev.HTTP.Method)
	put("agent", ev.HTTP.UserAgent)
	put("session", ev.Session)
	put("service", ev.Service)
	put("process", ev.Process.Name)
	put("command", ev.Process.CmdLine)
	put("file", ev.File.Path)
	put("message", ev.Message)
	put("query", ev.DNS.Query)
	put("query_type", ev.DNS.Type)
	put("rcode", ev.DNS.RCode)
	for i, a := range ev.DNS.Answers {
		put("answer."+number(int64(i+1)), a.String())
	}
	for _, f := range ev.Fields {
		put("field."+f.ID.Name(), f.Value)
	}
	return v
}

// TestGolden decodes the lines of */testdata/*.log and compares with the
// .json beside them, an object a line. -update writes them anew.
func TestGolden(t *testing.T) {
	logs, err := filepath.Glob("*/testdata/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range logs {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".log"), func(t *testing.T) { golden(t, path) })
	}
}

func golden(t *testing.T, path string) {
	lines, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder()
	var got bytes.Buffer
	for line := range strings.Lines(string(lines)) {
		enc := json.NewEncoder(&got)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(viewOf(decode(d, strings.TrimSuffix(line, "\n")))); err != nil {
			t.Fatal(err)
		}
	}
	wanted := strings.TrimSuffix(path, ".log") + ".json"
	if *update {
		if err := os.WriteFile(wanted, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(wanted)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("%s line %d:\n got %s\nwant %s", path, i+1, at(g, i), at(w, i))
		}
	}
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "(nothing)"
}

// TestOCSF: every event made of our own lines, and of the public records where
// they are, is valid OCSF.
func TestOCSF(t *testing.T) {
	v := eventtest.New(t)
	var lines []string
	logs, err := filepath.Glob("*/testdata/*.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(data)), "\n")...)
	}
	if os.Getenv("VEGRESS_CORPUS") != "" {
		lines = append(lines, corpusRecords(t)...)
	}
	d := newDecoder()
	for _, line := range lines {
		ev := decode(d, line)
		ev.UID = "test-1"
		if err := v.Validate(ev.AppendJSON(nil)); err != nil {
			t.Errorf("%s\n%v", line, err)
		}
		if got := ev.WireClass(); got != ev.Class && ev.Class != event.SSHActivity {
			t.Errorf("%s\nis written as class %d, not %d", line, got, ev.Class)
		}
	}
}
