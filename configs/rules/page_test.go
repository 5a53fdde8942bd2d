package rules_test

import (
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/ruletest"
	"github.com/vegress/vegress/analytics/sigma/source"
	table "github.com/vegress/vegress/configs/sigma"
)

var update = flag.Bool("update", false, "write the lists of docs/rules.md anew")

// TestPage: docs/rules.md lists the log sources and rules that there are.
func TestPage(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "rules.md")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := section(t, string(content), "sources", sourceRows(t))
	page = section(t, page, "rules", ruleRows(t))
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if page != string(content) {
		t.Error("docs/rules.md does not list what there is: run go test ./configs/rules -run TestPage -update")
	}
}

// section puts text between the marks of that name.
func section(t *testing.T, page, name, text string) string {
	t.Helper()
	mark := "<!-- " + name + ": made by go test ./configs/rules -run TestPage -update -->\n"
	before, rest, ok := strings.Cut(page, mark)
	_, after, okEnd := strings.Cut(rest, "<!-- end -->")
	if !ok || !okEnd {
		t.Fatalf("docs/rules.md has no section %q", name)
	}
	return before + mark + "\n" + text + "\n<!-- end -->" + after
}

func sourceRows(t *testing.T) string {
	t.Helper()
	all := tableOf(t)
	var b strings.Builder
	b.WriteString("| product | category | service | fields that the table adds |\n|---|---|---|---|\n")
	for i, s := range all.Sources() {
		var fields []string
		for _, f := range all.Fields(source.ID(i)) {
			fields = append(fields, "`"+f.Name+"`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.Product, s.Category, s.Service, strings.Join(fields, " "))
	}
	return b.String()
}

func ruleRows(t *testing.T) string {
	t.Helper()
	loaded := load(t)
	var metas []sigma.Meta
	for _, rule := range loaded.Rules {
		if !rule.Silent {
			metas = append(metas, rule.Meta)
		}
	}
	for _, c := range loaded.Correlations {
		if !c.Silent {
			metas = append(metas, c.Meta)
		}
	}
	slices.SortFunc(metas, func(a, b sigma.Meta) int { return strings.Compare(a.File, b.File) })
	var b strings.Builder
	b.WriteString("| rule | finds | level | ATT&CK |\n|---|---|---|---|\n")
	for _, m := range metas {
		var techniques []string
		for _, tag := range m.Tags {
			if technique.MatchString(tag) {
				techniques = append(techniques, strings.ToUpper(strings.TrimPrefix(tag, "attack.")))
			}
		}
		fmt.Fprintf(&b, "| `%s/%s` | %s | %s | %s |\n", path.Dir(m.File), strings.TrimSuffix(path.Base(m.File), ".yml"), m.Title, m.Level, strings.Join(techniques, " "))
	}
	return b.String()
}

// TestPageExamples: what docs/rules.md shows works.
func TestPageExamples(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range strings.Split(string(content), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) != 3 {
		t.Fatalf("%d examples, want a rule, its cases and a table", len(blocks))
	}
	parsed := sigma.Parse("example.yml", []byte(blocks[0]), sigma.Options{})
	for _, refusal := range parsed.Refusals {
		t.Errorf("refused: %v", refusal)
	}
	cases, err := ruletest.Parse([]byte(blocks[1]))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, parsed.Rules)
	if len(firing(b, decode(cases.Hit[0].Line))) != 1 || len(firing(b, decode(cases.Miss[0].Line))) != 0 {
		t.Error("the example does not do what it says")
	}
	if _, err := source.Load(table.Files, fstest.MapFS{"acme.yml": {Data: []byte(blocks[2])}}); err != nil {
		t.Error(err)
	}
}
