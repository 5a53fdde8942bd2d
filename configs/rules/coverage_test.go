package rules_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma/coverage"
	"github.com/vegress/vegress/configs/rules"
)

func readCatalogue(t testing.TB) []coverage.Published {
	t.Helper()
	content, err := fs.ReadFile(rules.Files, "t1102.yml")
	if err != nil {
		t.Fatal(err)
	}
	list, err := coverage.ParsePublished(content, load(t))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCoverage: the headers of rules name each published rule that they cover.
func TestCoverage(t *testing.T) {
	list := readCatalogue(t)
	if len(list) != 59 {
		t.Errorf("%d rules, want 59", len(list))
	}
	for _, p := range list {
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
