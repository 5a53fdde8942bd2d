package rules_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/configs/rules"
)

var update = flag.Bool("update", false, "write docs/t1102-coverage.md anew")

// published is one rule of the catalogue, and what became of it here.
type published struct {
	Vendor, Title, ID, Platform, Verdict, Note string
	By                                         []string
}

func readCatalogue(t testing.TB) []published {
	t.Helper()
	content, err := fs.ReadFile(rules.Files, "t1102.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Catalogue []published }
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	return file.Catalogue
}

var verdicts = []string{"covered", "in part", "not yet", "no"}

// TestCoverage: each published rule is covered by rules that there are, whose
// headers name it, or there is a reason why not; the page says the same.
func TestCoverage(t *testing.T) {
	list := readCatalogue(t)
	count := map[string]int{}
	for _, p := range list {
		count[p.Verdict]++
		covering := p.Verdict == "covered" || p.Verdict == "in part"
		if covering != (len(p.By) > 0) || p.Verdict != "covered" && p.Note == "" {
			t.Errorf("%q: verdict %q with rules %v and note %q", p.Title, p.Verdict, p.By, p.Note)
		}
		for _, by := range p.By {
			content, err := fs.ReadFile(rules.Files, "web_service/"+by+".yml")
			if err != nil {
				t.Errorf("%q: %v", p.Title, err)
			}
			if !strings.Contains(string(content), p.ID) {
				t.Errorf("%q: the header of %s does not name it", p.Title, by)
			}
		}
	}
	total := 0
	for _, verdict := range verdicts {
		total += count[verdict]
	}
	if len(list) != 59 || total != 59 {
		t.Errorf("%d rules, %d with a known verdict; want 59", len(list), total)
	}
	page, file := coveragePage(list, count), filepath.Join("..", "..", "docs", "t1102-coverage.md")
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != page {
		t.Errorf("docs/t1102-coverage.md is not what configs/rules/t1102.yml says (%v): run go test ./configs/rules -run TestCoverage -update", err)
	}
}

func coveragePage(list []published, count map[string]int) string {
	var b strings.Builder
	b.WriteString("# Published rules for ATT&CK T1102, and ours\n\n")
	b.WriteString("The published detection rules for [T1102, Web Service](https://attack.mitre.org/techniques/T1102/), and what covers each here. Made of `configs/rules/t1102.yml`; the rules are in `configs/rules/web_service` ([rules.md](rules.md)).\n\n| verdict | rules | meaning |\n|---|---|---|\n")
	meaning := map[string]string{
		"covered": "a rule of ours finds what it finds", "in part": "a rule of ours finds most of it; the note says what not",
		"not yet": "needs a memory that Sigma's correlations do not have", "no": "needs records that vegress does not take",
	}
	for _, verdict := range verdicts {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", verdict, count[verdict], meaning[verdict])
	}
	b.WriteString("\n| # | vendor | rule | platform | verdict | covered by | note |\n|---|---|---|---|---|---|---|\n")
	for i, p := range list {
		by := make([]string, len(p.By))
		for k := range p.By {
			by[k] = "`" + p.By[k] + "`"
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s |\n", i+1, p.Vendor, p.Title, p.Platform, p.Verdict, strings.Join(by, ", "), p.Note)
	}
	return b.String()
}

// TestCatalogueIsWhole holds the list against the collection of published
// rules, which lies beside the project where it is at all.
func TestCatalogueIsWhole(t *testing.T) {
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: the catalogue of published rules is not here")
	}
	content, err := os.ReadFile(filepath.Join(root, "t1102", "rules.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ ID, Title string }
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	ours := map[string]string{}
	for _, p := range readCatalogue(t) {
		ours[p.ID] = p.Title
	}
	if len(ours) != len(all) {
		t.Errorf("%d rules, want %d", len(ours), len(all))
	}
	for _, p := range all {
		if ours[p.ID] != p.Title {
			t.Errorf("%s: got %q, want %q", p.ID, ours[p.ID], p.Title)
		}
	}
}
