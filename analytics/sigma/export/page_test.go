package export_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/export"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/configs/rules"
	logsources "github.com/vegress/vegress/configs/sigma"
)

// checkPage holds a section of docs/rules-export.md against what it should be.
func checkPage(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("..", "..", "..", "docs", "rules-export.md")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mark := "<!-- " + name + ": made by go test ./analytics/sigma/export -update -->\n"
	before, rest, ok := strings.Cut(string(content), mark)
	_, after, okEnd := strings.Cut(rest, "<!-- end -->")
	if !ok || !okEnd {
		t.Fatalf("%s has no section %q", file, name)
	}
	page := before + mark + "\n" + text + "\n<!-- end -->" + after
	if page == string(content) {
		return
	}
	if !*update {
		t.Fatalf("section %q of %s is not what is there: go test ./analytics/sigma/export -update writes it", name, file)
	}
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// countRows says for each language how many rules become queries, and what
// the others have that it cannot express.
func countRows(t *testing.T, all []*sigma.Rule) string {
	t.Helper()
	known := builtin(t)
	var b strings.Builder
	b.WriteString("| language | written | of them with a field or log source that is not mapped | refused | `--fields strict`: written |\n|---|---|---|---|---|\n")
	for _, language := range export.Languages() {
		keep, strict := exporter(t, language, known, export.KeepFields), exporter(t, language, known, export.StrictFields)
		written, kept, strictly := 0, 0, 0
		for _, rule := range all {
			if query, err := keep.Export(rule); err == nil {
				written++
				if slices.ContainsFunc(query.Notes, func(note string) bool { return strings.Contains(note, "is not mapped") }) {
					kept++
				}
			}
			if _, err := strict.Export(rule); err == nil {
				strictly++
			}
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d |\n", language, written, kept, len(all)-written, strictly)
	}
	return b.String()
}

func shipped(t testing.TB) []*sigma.Rule {
	t.Helper()
	loaded := sigma.Load(rules.Files, []string{"."}, sigma.Options{})
	return slices.DeleteFunc(loaded.Rules, func(r *sigma.Rule) bool { return r.Silent })
}

// TestShipped: the page says how many of the rules that vegress brings each
// language expresses.
func TestShipped(t *testing.T) {
	checkPage(t, "shipped", countRows(t, shipped(t)))
}

// TestMapping: the page has a row for each log source and each field of each
// language; vegress's own events stand apart, since they are alike in all.
func TestMapping(t *testing.T) {
	known := builtin(t)
	var b strings.Builder
	for _, language := range export.Languages() {
		all := known.Sources(language)
		own := slices.IndexFunc(all, isOwn)
		fmt.Fprintf(&b, "### %s\n\n%s", language, sourceTable(all[:own+1]))
		fmt.Fprintf(&b, "\n%s\n", fieldTable(all[:own]))
	}
	spl := known.Sources("spl") // which writes OCSF's paths as they are
	fmt.Fprintf(&b, "### vegress's own events\n\n%s", fieldTable(spl[slices.IndexFunc(spl, isOwn):]))
	checkPage(t, "mapping", b.String())
}

func isOwn(s export.Source) bool { return strings.HasPrefix(s.Products[0], "vmware_") }

func sourceTable(all []export.Source) string {
	var rows []string
	for _, s := range all {
		title, records := strings.Join(places(&s), ", "), []string{s.From, s.Where}
		if isOwn(s) {
			title = "vmware_esxi, vmware_vcenter"
		}
		if s.Note != "" {
			title += " (" + s.Note + ")"
		}
		other := ""
		if s.Other != "" {
			other = code(s.Other)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", title, code(strings.Join(records, " ")), other))
	}
	return "| log source | records | fields that are not listed |\n|---|---|---|\n" + strings.Join(rows, "")
}

// fieldTable has a row for each name that a field has, and where it is called
// so.
func fieldTable(all []export.Source) string {
	where := map[string]map[string][]string{}
	for _, s := range all {
		for name, f := range mergedFields(&s) {
			if where[name] == nil {
				where[name] = map[string][]string{}
			}
			for _, place := range places(&s) {
				_, inProduct, ok := strings.Cut(place, "/")
				if !ok {
					inProduct = place
				}
				where[name][there(f)] = append(where[name][there(f)], inProduct)
			}
		}
	}
	var b strings.Builder
	b.WriteString("| field | there | in |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(where)) {
		for _, called := range slices.Sorted(maps.Keys(where[name])) {
			in := slices.Compact(slices.Sorted(slices.Values(where[name][called])))
			if isOwn(all[0]) {
				in = nil // in all of them
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, code(called), strings.Join(in, ", "))
		}
	}
	return b.String()
}

// code shows text of a language in a cell of a table.
func code(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return ""
	}
	return "`" + strings.NewReplacer("|", "\\|", "`", "'").Replace(text) + "`"
}

// mergedFields are all fields of an entry.
func mergedFields(s *export.Source) map[string]export.Field {
	all := maps.Clone(s.Fields)
	if all == nil {
		all = map[string]export.Field{}
	}
	maps.Copy(all, s.Also)
	return all
}

// places names the log sources of an entry, those with the same fields as one.
func places(s *export.Source) []string {
	var all []string
	for _, product := range s.Products {
		for _, category := range s.Categories {
			for _, service := range s.Services {
				if service == "sysmon" && category != "" {
					continue // the same as without it
				}
				all = append(all, strings.Join(slices.DeleteFunc([]string{product, category, service}, func(s string) bool { return s == "" }), "/"))
			}
		}
	}
	return all
}

func there(f export.Field) string {
	text := strings.Join(f.Names, ", ")
	if f.Always != nil {
		return "always " + *f.Always
	}
	if f.Type != "" {
		text += " (" + f.Type + ")"
	}
	return text
}

// TestOwnSources: vegress's own log sources are there in each language, with
// all of their fields.
func TestOwnSources(t *testing.T) {
	table, err := source.Load(logsources.Files)
	if err != nil {
		t.Fatal(err)
	}
	known := builtin(t)
	for _, language := range export.Languages() {
		for i, s := range table.Sources() {
			if !strings.HasPrefix(s.Product, "vmware_") {
				continue
			}
			at := slices.IndexFunc(known.Sources(language), func(there export.Source) bool {
				return slices.Contains(there.Products, s.Product) && slices.Contains(there.Categories, s.Category) && slices.Contains(there.Services, s.Service)
			})
			if at < 0 {
				t.Errorf("%s: product %q category %q service %q is not there", language, s.Product, s.Category, s.Service)
				continue
			}
			for _, f := range table.Fields(source.ID(i)) {
				if _, mapped := known.Sources(language)[at].Fields[f.Name]; !mapped && !nowhere[f.Name] {
					t.Errorf("%s: field %s of %s/%s/%s is not there", language, f.Name, s.Product, s.Category, s.Service)
				}
			}
		}
	}
}

// nowhere are fields that stand in no one place of an event.
var nowhere = map[string]bool{"VMName": true, "Direction": true, "DestinationCategory": true}
