package export_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/export"
	tables "github.com/vegress/vegress/configs/sigma/export"
)

var update = flag.Bool("update", false, "write the golden files")

// parse reads rules, none of which may be refused.
func parse(t testing.TB, text string) []*sigma.Rule {
	t.Helper()
	read := sigma.Parse("rules.yml", []byte(text), sigma.Options{})
	for _, refusal := range read.Refusals {
		t.Fatalf("refused: %v", refusal)
	}
	return read.Rules
}

func builtin(t testing.TB) *export.Tables {
	t.Helper()
	known, err := export.Load(tables.Files)
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func exporter(t testing.TB, language string, known *export.Tables, fields export.Fields) *export.Exporter {
	t.Helper()
	e, err := export.New(language, known, fields)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGolden: each modifier and shape in each language, as it was compared by
// hand with the language's documentation.
func TestGolden(t *testing.T) {
	content, err := os.ReadFile("testdata/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, known := parse(t, string(content)), builtin(t)
	for _, language := range export.Languages() {
		t.Run(language, func(t *testing.T) {
			e := exporter(t, language, known, export.KeepFields)
			var b strings.Builder
			for _, rule := range rules {
				fmt.Fprintf(&b, "#### %s\n", rule.Title)
				query, err := e.Export(rule)
				if err != nil {
					fmt.Fprintf(&b, "REFUSED %v\n\n", err)
					continue
				}
				for _, note := range query.Notes {
					fmt.Fprintf(&b, "NOTE %s\n", note)
				}
				fmt.Fprintf(&b, "%s\n\n", query.Text)
			}
			file := filepath.Join("testdata", language+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got other queries than %s has; -update writes them:\n%s", file, b.String())
			}
		})
	}
}
