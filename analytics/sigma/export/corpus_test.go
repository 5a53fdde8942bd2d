package export_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/export"
)

// corpus is the folder of SigmaHQ's rules and events.
func corpus(t testing.TB) string {
	t.Helper()
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: SigmaHQ's rules are not here")
	}
	return filepath.Join(root, "sigma")
}

var sigmaHQ = sync.OnceValue(func() *sigma.Rules {
	return sigma.Load(os.DirFS(filepath.Join(os.Getenv("VEGRESS_CORPUS"), "sigma")), []string{"rules.tar.gz"}, sigma.Options{})
})

// TestSigmaHQ: all rules become queries or are refused for a reason; the page
// says how many.
func TestSigmaHQ(t *testing.T) {
	corpus(t)
	checkPage(t, "sigmahq", countRows(t, sigmaHQ().Rules))
}

// simpleField is a name that all languages take as it is.
var simpleField = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// asThere names all fields as Sigma does.
func asThere(t testing.TB) *export.Tables {
	t.Helper()
	known := trialTables(t)
	for _, language := range export.Languages() {
		name := "{name}"
		if language == "aql" {
			name = `"{name}"`
		}
		from := "from: FROM"
		if language == "aql" || language == "yaral" {
			from = "note: ''"
		}
		text := fmt.Sprintf("language: %s\nraw: Raw\nsources: [{products: [trial], %s, other: '%s'}]\n", language, from, name)
		if err := known.Add(language, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return known
}

// TestDevCases: the queries of SigmaHQ's rules hold for the events for which
// the rules do, and for none of the others.
func TestDevCases(t *testing.T) {
	root, known := corpus(t), asThere(t)
	file, err := os.Open(filepath.Join(root, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table := csv.NewReader(file)
	table.Comma, table.LazyQuotes = '\t', true
	lines, err := table.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(name string) int { return slices.Index(lines[0], name) }
	cases := map[string][]map[string]string{} // by the rule's id
	for _, line := range lines[1:] {
		cases[line[column("rule_id")]] = flatRecords(t, filepath.Join(root, line[column("event_file_flat")]))
	}
	rules := slices.DeleteFunc(slices.Clone(sigmaHQ().Rules), func(r *sigma.Rule) bool { return cases[r.ID] == nil || !simple(r.Logic()) })
	held, asked := 0, 0
	for _, language := range export.Languages() {
		e := exporter(t, language, known, export.StrictFields)
		for i, rule := range rules {
			own := *rule
			own.LogSource = sigma.LogSource{Product: "trial"}
			query, err := e.Export(&own)
			if err != nil {
				t.Logf("%s: %s: %v", language, rule.ID, err)
				continue
			}
			records := append(cases[rule.ID], cases[rules[(i+1)%len(rules)].ID]...)
			for _, record := range records {
				asked++
				want := sigmaHolds(rule, record)
				if want {
					held++
				}
				if got := holds(t, language, query.Text, record); got != want {
					t.Errorf("%s: %s holds = %t, want %t for %q\n%s", language, rule.ID, got, want, record, query.Text)
				}
			}
		}
	}
	t.Logf("%d rules, %d events asked, %d held", len(rules), asked, held)
	if len(rules) < 90 || held < 600 {
		t.Errorf("%d rules, %d held: too few to tell", len(rules), held)
	}
}

// simple says that all fields have names that the tests' readers know.
func simple(l sigma.Logic) bool {
	if l.Operator() == sigma.OperatorTest {
		return simpleField.MatchString(l.Test().Field)
	}
	return !slices.ContainsFunc(l.Parts(), func(part sigma.Logic) bool { return !simple(part) })
}

func flatRecords(t testing.TB, file string) (records []map[string]string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		var read map[string]any
		if err := json.Unmarshal([]byte(line), &read); err != nil {
			t.Fatal(err)
		}
		record := map[string]string{}
		for name, value := range read {
			if text, ok := value.(string); ok && text != "" && simpleField.MatchString(name) {
				record[name] = text
			}
		}
		records = append(records, record)
	}
	return records
}
