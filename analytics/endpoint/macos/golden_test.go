package macos_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/macos"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

var update = flag.Bool("update", false, "rewrite testdata/*.json")

// decoderOf gives the decoder for a file of testdata, or of the corpus.
func decoderOf(file string) endpoint.Decoder {
	switch {
	case strings.Contains(file, "eslogger"):
		return macos.NewEslogger()
	case strings.Contains(file, "jamf"):
		return macos.NewJamf()
	case strings.Contains(file, "osquery"):
		return macos.NewOsquery()
	}
	return macos.NewUnifiedLog()
}

// testLines gives the lines of a file.
func testLines(tb testing.TB, file string) []string {
	tb.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

// TestGolden: testdata/<topic>.log gives testdata/<topic>.json, an event a
// line.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var got bytes.Buffer
			tell := func(ev *event.Event) {
				got.Write(ev.AppendJSON(nil))
				got.WriteByte('\n')
			}
			d := decoderOf(file)
			for _, line := range testLines(t, file) {
				if err := d.Decode(endpoint.Record{Text: line, Host: "wayin"}, tell); err != nil {
					t.Errorf("%v: %s", err, line)
				}
			}
			d.Rest(time.Time{}, tell)
			golden := strings.TrimSuffix(file, ".log") + ".json"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s differs: look at what -update changes", golden)
			}
		})
	}
}

// TestValid: what comes of testdata is valid OCSF.
func TestValid(t *testing.T) {
	validator := eventtest.New(t)
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, line := range testLines(t, file) {
			if err := validator.Validate([]byte(line)); err != nil {
				t.Errorf("%v: %s", err, line)
			}
		}
	}
}
