package ingest_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vegress/vegress/forward/ingest"
)

// cut gives the records of a text; those that are cut end in "…".
func cut(t testing.TB, text string, limit int, byByte bool) (all []string) {
	t.Helper()
	c := ingest.Cutter{Limit: limit}
	in := iotest.DataErrReader(strings.NewReader(text))
	if byByte {
		in = iotest.OneByteReader(strings.NewReader(text))
	}
	s := c.Scanner(in)
	for s.Scan() {
		if s.Text() == "" {
			continue
		}
		record := s.Text()
		if c.Cut {
			record += "…"
		}
		all = append(all, record)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCutter(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"empty lines", "\n \r\n\t\n", nil},
		{"lines", "a\nb\r\nc", []string{"a", "b", "c"}},
		{"byte order mark", "\xef\xbb\xbf{}\n{}", []string{"{}", "{}"}},
		{"NDJSON", "{\"a\":1}\n{\"b\":\"}\"}\n", []string{`{"a":1}`, `{"b":"}"}`}},
		{"pretty", "{\n  \"a\": {\"}\": 1}\n}\n{\n \"b\": 2\n}", []string{"{\n  \"a\": {\"}\": 1}\n}", "{\n \"b\": 2\n}"}},
		{"pretty, Windows", "{\r\n \"a\": 1\r\n}\r\n{}\r\n", []string{"{\r\n \"a\": 1\r\n}", "{}"}},
		{"list", `[{"a":[1]},{"b":"]"}]`, []string{`{"a":[1]}`, `{"b":"]"}`}},
		{"pretty list", "[\n {\n  \"a\": 1\n },\n {}\n]\n{}", []string{"{\n  \"a\": 1\n }", "{}", "{}"}},
		{"empty list", "[]\n{}", []string{"{}"}},
		{"no list", "[28/Feb] GET\nb", []string{"[28/Feb] GET", "b"}},
		{"list of others", "[{}, 1, 2]\n{}", []string{"{}", "1, 2]", "{}"}},
		{"cut object", "{\"a\":\n{\"b\":1}\n", []string{`{"a":`, `{"b":1}`}},
		{"cut pretty object", "{\n \"a\": 1", []string{"{\n \"a\": 1"}},
		{"XML", "<Event a='1'><EventData>x</EventData></Event>\n<Event>y</Event>", []string{"<Event a='1'><EventData>x</EventData></Event>", "<Event>y</Event>"}},
		{"XML over lines", "<Event>\n<Data>a\nb</Data></Event>\n<Event>2</Event>\n", []string{"<Event>\n<Data>a\nb</Data></Event>", "<Event>2</Event>"}},
		{"XML side by side", "<Event>1</Event><Event>2</Event>", []string{"<Event>1</Event>", "<Event>2</Event>"}},
		{"cut XML", "<Event>1\n<Event>2</Event>\n<Event>3\n4", []string{"<Event>1", "<Event>2</Event>", "<Event>3", "4"}},
		{"longest", strings.Repeat("x", 100), []string{strings.Repeat("x", 100)}},
		{"too long", strings.Repeat("x", 300) + "\nnext", []string{strings.Repeat("x", 100) + "…", "next"}},
		{"too long object", "{\n" + strings.Repeat("x", 5000) + "\nnext", []string{"{\n" + strings.Repeat("x", 98) + "…", "next"}},
		{"too long, in a list", "[{\"a\":\"" + strings.Repeat("x", 5000) + "\"}]\n{}", []string{`{"a":"` + strings.Repeat("x", 94) + "…", "{}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, byByte := range []bool{false, true} {
				if got := cut(t, c.text, 100, byByte); !slices.Equal(got, c.want) {
					t.Errorf("%q, want %q", got, c.want)
				}
			}
		})
	}
}

// FuzzCutter: however a text comes, its records are the same, are parts of it
// in their order, and are no longer than they may be.
func FuzzCutter(f *testing.F) {
	for _, text := range []string{"a\n{\n}\n[{},{}]\n", "<Event>\n</Event>", "[{\"a\":\"\\\"\"}", "[{}[{", "[{},[{}]\n{}", "\xef\xbb\xbf{\n", "<Event >\n<Event>"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		whole := cut(t, string(text), 1000, false)
		if pieces := cut(t, string(text), 1000, true); !slices.Equal(whole, pieces) {
			t.Fatalf("%q byte by byte gives %q, else %q", text, pieces, whole)
		}
		rest := text
		for _, record := range whole {
			record = strings.TrimSuffix(record, "…")
			at := bytes.Index(rest, []byte(record))
			if at < 0 || len(record) > 1000 || strings.TrimSpace(record) == "" {
				t.Fatalf("record %q of %q", record, text)
			}
			rest = rest[at+len(record):]
		}
		m := &ingest.Message{Body: text}
		n := 0
		for range m.Records() {
			n++
		}
		if len(text) <= 1000 && n != len(whole) {
			t.Fatalf("a message of it has %d records, want %d", n, len(whole))
		}
	})
}

// TestCutterScales: events that never end are cut in time that grows as their
// text does.
func TestCutterScales(t *testing.T) {
	for _, line := range []string{"<Event \n", "<Event>\n<", "{\n\n"} {
		spent := func(lines int) time.Duration {
			m := &ingest.Message{Body: []byte(strings.Repeat(line, lines))}
			best := time.Duration(math.MaxInt64)
			for range 5 {
				began := time.Now()
				for range m.Records() {
				}
				best = min(best, time.Since(began))
			}
			return best
		}
		const few, times = 2000, 16
		short, long := spent(few), spent(few*times)
		if long > 10*times*short { // each line looking at all others: by times*times
			t.Errorf("%q: %d lines take %s, and %d times as many %s", line, few, short, times, long)
		}
	}
}
