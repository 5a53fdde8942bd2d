package windows_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint/windows"
	"github.com/vegress/vegress/analytics/sigma"
	sources "github.com/vegress/vegress/analytics/sigma/source"
	table "github.com/vegress/vegress/configs/sigma"
	"github.com/vegress/vegress/event"
)

// TestSigmaCases: SigmaHQ's own records make their rules fire, whatever ships
// them.
func TestSigmaCases(t *testing.T) {
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: SigmaHQ's rules are not here")
	}
	root = filepath.Join(root, "sigma")
	index, err := os.Open(filepath.Join(root, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	reader := csv.NewReader(index)
	reader.Comma = '\t'
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all, err := sources.Load(table.Files)
	if err != nil {
		t.Fatal(err)
	}
	d, tried := windows.New(), 0
	for _, row := range rows[1:] {
		rules := sigma.Load(os.DirFS(root), []string{row[3]}, sigma.Options{}).Rules
		if len(rules) != 1 {
			t.Fatalf("%s: %d rules", row[3], len(rules))
		}
		records := objects(t, filepath.Join(root, row[5]))
		for shape, write := range writers {
			fired := 0
			for _, record := range records {
				ev := decode(t, d, write(parsed(t, record)))
				if fires(all, rules[0], &ev) {
					fired++
				}
			}
			tried++
			if fired == 0 {
				t.Errorf("%s: no record fires as %s", row[2], shape)
			}
		}
	}
	t.Logf("%d cases", tried)
}

// parsed reads EVTX as JSON with another reader.
func parsed(t *testing.T, record string) source {
	t.Helper()
	var document struct {
		Event struct {
			System struct {
				Channel  string
				EventID  json.Number
				Provider struct {
					Attributes struct{ Name string } `json:"#attributes"`
				}
			}
			EventData map[string]any
		}
	}
	decoder := json.NewDecoder(strings.NewReader(record))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		t.Fatal(err)
	}
	s := source{channel: document.Event.System.Channel, id: document.Event.System.EventID.String(), provider: document.Event.System.Provider.Attributes.Name}
	for name, value := range document.Event.EventData {
		switch value := value.(type) {
		case string:
			s.data = append(s.data, datum{name, value})
		case json.Number:
			s.data = append(s.data, datum{name, value.String()})
		}
	}
	return s
}

// fires says that rule holds for ev through the table of log sources.
func fires(all *sources.Table, rule *sigma.Rule, ev *event.Event) bool {
	matcher := sigma.Compile([]*sigma.Rule{rule}).NewMatcher()
	of := all.Select(sources.Source{Product: rule.LogSource.Product, Category: rule.LogSource.Category, Service: rule.LogSource.Service})
	view, held := all.NewView(), false
	for _, id := range view.Look(ev) {
		for _, want := range of {
			if id == want {
				matcher.Match(&sigma.Record{Fields: ev.Fields, Typed: view.Typed(id), Text: ev.Raw}, func(*sigma.Hit) { held = true })
			}
		}
	}
	return held
}
